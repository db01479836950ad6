"""Pac-Man: clear a maze of dots while four ghosts, each with its own idea, come after you."""

from functools import cache

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, boolean, f32, i32, palette, randint
from ocean_numba.mazes import read_maze

MAZE = """
###########################
#.........................#
#.##.########.########.##.#
#.##.########.########.##.#
#o.......................o#
#.##.##.#####.#####.##.##.#
#.##.##.#####.#####.##.##.#
#.##........ . ........##.#
#.##.#####.##.##.#####.##.#
#.##.#####.##.##.#####.##.#
 ..........##.##.......... 
#.##.##.##.##.##.##.##.##.#
#.##.##.##.##.##.##.##.##.#
#.##...................##.#
#.##.##.##.#####.##.##.##.#
#.##.##.##.#####.##.##.##.#
#o......##... ...##......o#
#.##.##.##.#####.##.##.##.#
#.##.##.##.#####.##.##.##.#
#.........................#
###########################
"""  # noqa: W291  (the tunnel ends in a space)
UP, DOWN, LEFT, RIGHT = 0, 1, 2, 3  # direction d's opposite is d ^ 1
HUNTING, FRIGHTENED, RETURNING = 0, 1, 2
CHASER, AMBUSHER, FLANKER, SHY = 0, 1, 2, 3
WALL = -1

maze = read_maze(MAZE)
HEIGHT, WIDTH = maze.height, maze.width
ROW, COLUMN, NEXT = maze.row, maze.column, maze.next  # of open cells, which are numbered
PICKUP = maze.number_of(".o")  # number of the dot or pellet on a cell, or -1
PELLET = np.array([mark == "o" for mark in maze.marks])
PICKUPS = int(PICKUP.max()) + 1
START = maze.cell(16, 13)
HOME, OTHER_HOME = maze.cell(7, 12), maze.cell(7, 14)
HOMEWARD = maze.way_to(HOME)  # the direction that leads home soonest
CORNERS = np.array([[-2, WIDTH - 3], [-2, 2], [HEIGHT + 1, WIDTH - 1], [HEIGHT + 1, 0]], np.int32)
ROW_STEP = np.array([-1, 1, 0, 0], np.int32)
COLUMN_STEP = np.array([0, 0, -1, 1], np.int32)


class PacMan(OceanEnv):
    """Eat every dot of the maze. Ghosts hunt you; after a power pellet you hunt them for a while.

    The ghosts decide only at crossings and never turn back by themselves: the *chaser* goes where you are, the
    *ambusher* four cells ahead of you, the *flanker* to the far side of you as seen from the chaser, and the
    *shy* one comes until it is near, then leaves for its corner. From time to time all turn round and go to
    their corners. A tunnel joins the left and the right border.

    Observation, ``float32[291]``

    | index | meaning | range |
    |---|---|---|
    | 0, 1 | own column and row, from one border to the other | 0 .. 1 |
    | 2 .. 5 | own direction: 1 for up, down, left or right | 0, 1 |
    | 6 .. 9 | whether up, down, left, right is open | 0, 1 |
    | 10 | how long ghosts stay frightened, as a share of the full time | 0 .. 1 |
    | 11 .. 46 | the chaser, ambusher, flanker and shy ghost, nine numbers each: column and row relative to you (-1 .. 1), direction (4), whether it hunts, is frightened, returns home | -1 .. 1 |
    | 47 .. 290 | each dot and pellet, in reading order: 1 while it is there | 0, 1 |

    Action, ``Discrete(4)``: 0 up, 1 down, 2 left, 3 right. Towards a wall you keep your direction, or stand
    still if there is a wall too.

    Reward: 1 for each dot and pellet, 3 for each ghost eaten.

    Starting state: you in the lower middle, the ghosts at home; they set out one after the other, at random times.

    Episode end: *terminated* when a ghost that is not frightened catches you, or when the maze is empty; *truncated* after
    ``max_steps`` steps.

    Metrics: ``score``, dots and pellets eaten (244 is all), and ``ghosts_eaten``. Random play eats about
    20, a hand-written rule 100, a trained agent 150.

    Parameters: ``fright`` (40), steps for which a pellet frightens; frightened ghosts move every other step;
    ``scatter`` (30) and ``chase`` (100), steps of the two moods in turn; ``max_steps`` (1000).

    Source: after Pac-Man (Iwatani, Namco, 1980) and what is known of its ghosts; the maze and the code are our own.
    """  # noqa: E501

    observation = Box(-1, 1, (47 + PICKUPS,), np.float32)
    action = Discrete(4)
    metrics = ("score", "ghosts_eaten")
    keys = {"ArrowUp": UP, "ArrowDown": DOWN, "ArrowLeft": LEFT, "ArrowRight": RIGHT}
    fps = 8
    size = (432, 360)

    class State:
        cell: i32
        heading: i32
        ghost_cell: i32[4]
        ghost_heading: i32[4]
        ghost_mode: i32[4]
        ghost_delay: i32[4]  # steps until it sets out
        pickups: f32[244]  # 1: still there
        fright_left: i32
        scattering: boolean
        mood_left: i32  # steps until the ghosts' mood changes
        score: i32
        ghosts_eaten: i32

    class Params:
        fright: i32.at_least(1) = 40
        scatter: i32.at_least(1) = 30
        chase: i32.at_least(1) = 100
        max_steps: i32.at_least(1) = 1000

    def reset(s):
        s.cell = START
        s.heading = LEFT
        s.pickups[:] = 1.0
        s.scattering = True
        s.mood_left = s.scatter
        for g in range(4):
            s.ghost_cell[g] = HOME if g < 2 else OTHER_HOME
            s.ghost_heading[g] = LEFT if g < 2 else RIGHT
            s.ghost_delay[g] = randint(s, 5) + 6 * g

    def step(s, action):
        before = s.cell
        if NEXT[before, action] != WALL:
            s.heading = action
        cell = NEXT[before, s.heading]
        if cell == WALL:
            cell = before
        s.cell = cell

        reward = 0.0
        turn_round = False
        s.fright_left = max(s.fright_left - 1, 0)
        pickup = PICKUP[cell]
        if pickup >= 0 and s.pickups[pickup] != 0.0:
            s.pickups[pickup] = 0.0
            s.score += 1
            reward = 1.0
            if PELLET[cell]:
                turn_round = True
                s.fright_left = s.fright
                for g in range(4):
                    if s.ghost_mode[g] == HUNTING:
                        s.ghost_mode[g] = FRIGHTENED
        s.mood_left -= 1
        if s.mood_left == 0:
            turn_round = True
            s.scattering = not s.scattering
            s.mood_left = s.scatter if s.scattering else s.chase

        for g in range(4):
            if s.fright_left == 0 and s.ghost_mode[g] == FRIGHTENED:
                s.ghost_mode[g] = HUNTING
            old = s.ghost_cell[g]
            if s.ghost_delay[g] > 0:
                s.ghost_delay[g] -= 1
            elif s.ghost_mode[g] != FRIGHTENED or s.episode_length % 2 == 0:
                move_ghost(s, g, turn_round)
            now = s.ghost_cell[g]
            if now == cell or (now == before and old == cell):  # met, or passed through each other
                if s.ghost_mode[g] == HUNTING:
                    return reward, True, False
                if s.ghost_mode[g] == FRIGHTENED:
                    s.ghost_mode[g] = RETURNING
                    s.ghosts_eaten += 1
                    reward += 3.0
        return reward, s.score == PICKUPS, s.episode_length >= s.max_steps

    def observe(s, obs):
        cell, heading = s.cell, s.heading
        x, y = COLUMN[cell] * (1.0 / (WIDTH - 1)), ROW[cell] * (1.0 / (HEIGHT - 1))
        obs[0] = x
        obs[1] = y
        for d in range(4):
            obs[2 + d] = heading == d
            obs[6 + d] = NEXT[cell, d] != WALL
        obs[10] = s.fright_left / s.fright
        k = 11
        for g in range(4):
            ghost, mode = s.ghost_cell[g], s.ghost_mode[g]
            obs[k] = COLUMN[ghost] * (1.0 / (WIDTH - 1)) - x
            obs[k + 1] = ROW[ghost] * (1.0 / (HEIGHT - 1)) - y
            for d in range(4):
                obs[k + 2 + d] = s.ghost_heading[g] == d
            for m in range(3):
                obs[k + 6 + m] = mode == m
            k += 9
        pickups = s.pickups
        for p in range(PICKUPS):
            obs[47 + p] = pickups[p]

    def draw(s, canvas):
        unit = canvas.width / WIDTH
        top = canvas.height - unit * HEIGHT
        canvas.clear(palette.mix(palette.NIGHT, palette.BLUE, 0.45))
        for cell in range(len(ROW)):
            x, y = COLUMN[cell] * unit, top + ROW[cell] * unit
            canvas.rect(x, y, unit + 0.5, unit + 0.5, palette.NIGHT)
        for cell in range(len(ROW)):
            if PICKUP[cell] >= 0 and s.pickups[PICKUP[cell]]:
                x, y = (COLUMN[cell] + 0.5) * unit, top + (ROW[cell] + 0.5) * unit
                canvas.circle(x, y, 5 if PELLET[cell] else 1.8, palette.SNOW)
        x, y = (COLUMN[s.cell] + 0.5) * unit, top + (ROW[s.cell] + 0.5) * unit
        canvas.circle(x, y, 0.62 * unit, palette.YELLOW)
        dx, dy = COLUMN_STEP[s.heading] * unit, ROW_STEP[s.heading] * unit
        mouth = [(x - 0.1 * dx, y - 0.1 * dy), (x + 0.7 * dx + 0.4 * dy, y + 0.7 * dy + 0.4 * dx)]
        canvas.polygon([*mouth, (x + 0.7 * dx - 0.4 * dy, y + 0.7 * dy - 0.4 * dx)], palette.NIGHT)
        for g in range(4):
            draw_ghost(s, canvas, g, unit, top)
        canvas.rect(0, 0, canvas.width, top, palette.NIGHT)
        canvas.text(8, 6, f"{s.score} of {PICKUPS} dots", palette.SNOW)
        if s.fright_left:
            left = f"ghosts are afraid for {s.fright_left} steps"
            canvas.text(canvas.width - 8 - canvas.text_width(left), 6, left, palette.SKY_BLUE)


def move_ghost(s, g, turn_round):
    """One cell on. A choice is made only where there is one."""
    cell, heading, mode = s.ghost_cell[g], s.ghost_heading[g], s.ghost_mode[g]
    if mode == RETURNING:
        heading = HOMEWARD[cell]
    elif turn_round and NEXT[cell, heading ^ 1] != WALL:
        heading = heading ^ 1
    else:
        options = 0
        for d in range(4):
            options += d != (heading ^ 1) and NEXT[cell, d] != WALL
        if options > 1 and mode == HUNTING:
            heading = best_direction(s, g, cell, heading)
        elif options > 0:
            chosen = randint(s, options) if options > 1 else 0
            back = heading ^ 1
            for d in range(4):
                if d != back and NEXT[cell, d] != WALL:
                    if chosen == 0:
                        heading = d
                    chosen -= 1
        else:
            heading = heading ^ 1
    s.ghost_heading[g] = heading
    s.ghost_cell[g] = NEXT[cell, heading]
    if mode == RETURNING and s.ghost_cell[g] == HOME:
        s.ghost_mode[g] = HUNTING


def best_direction(s, g, cell, heading):
    """Towards the ghost's target as the crow flies; of equal ones the first of up, down, left, right."""
    row, column = ROW[s.cell], COLUMN[s.cell]
    away = (ROW[cell] - row) ** 2 + (COLUMN[cell] - column) ** 2
    if s.scattering or (g == SHY and away <= 64):
        row, column = CORNERS[g, 0], CORNERS[g, 1]
    elif g == AMBUSHER:
        row, column = row + 4 * ROW_STEP[s.heading], column + 4 * COLUMN_STEP[s.heading]
    elif g == FLANKER:
        chaser = s.ghost_cell[CHASER]
        row = 2 * (row + 2 * ROW_STEP[s.heading]) - ROW[chaser]
        column = 2 * (column + 2 * COLUMN_STEP[s.heading]) - COLUMN[chaser]
    best, least = heading, 1_000_000
    for d in range(4):
        if d != (heading ^ 1) and NEXT[cell, d] != WALL:
            there = NEXT[cell, d]
            distance = (ROW[there] - row) ** 2 + (COLUMN[there] - column) ** 2
            if distance < least:
                best, least = d, distance
    return best


def draw_ghost(s, canvas, g, unit, top):
    colors = (palette.VERMILLION, palette.PURPLE, palette.SKY_BLUE, palette.ORANGE)
    cell, heading, mode = s.ghost_cell[g], s.ghost_heading[g], s.ghost_mode[g]
    x, y, r = (COLUMN[cell] + 0.5) * unit, top + (ROW[cell] + 0.5) * unit, 0.55 * unit
    if mode != RETURNING:  # of one that returns only the eyes are seen
        color = palette.SLATE if mode == FRIGHTENED else colors[g]
        canvas.circle(x, y - 0.1 * r, r, color)
        canvas.rect(x - r, y, 2 * r, 0.9 * r, color)
        for k in (-1, 0, 1):
            canvas.circle(x + 0.6 * k * r, y + 0.9 * r, 0.3 * r, color)
    for side in (-1, 1):
        canvas.circle(x + side * 0.4 * r, y - 0.2 * r, 0.3 * r, palette.WHITE)
        look = (
            x + side * 0.4 * r + 0.12 * r * COLUMN_STEP[heading],
            y - 0.2 * r + 0.12 * r * ROW_STEP[heading],
        )
        canvas.circle(*look, 0.15 * r, palette.BLACK)


@cache
def _steps():
    return np.stack([maze.steps_to(cell) for cell in range(len(ROW))])


def scripted(env):
    """To the nearest dot by the shortest way, but not within three cells of a hunting ghost (reads the states)."""
    states, steps = env.states, _steps()
    dots = np.flatnonzero(PICKUP >= 0)[np.argsort(PICKUP[PICKUP >= 0])]
    scores = np.full((len(states), 4), -1e9)
    for d in range(4):
        there = NEXT[states["cell"], d]
        way = np.where(states["pickups"] > 0, steps[there][:, dots], 999).min(1)
        ghosts = steps[there[:, None], states["ghost_cell"]] + 999 * (states["ghost_mode"] != HUNTING)
        danger = np.clip(4 - ghosts.min(1), 0, None)
        scores[:, d] = np.where(there == WALL, -1e9, -way - 1000.0 * danger)
    return scores.argmax(1).astype(np.int32)
