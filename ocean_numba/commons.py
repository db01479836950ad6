"""Commons: many agents, one resource that regrows; overuse kills it."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, randint, u8, uniform

STAY, UP, DOWN, LEFT, RIGHT = 0, 1, 2, 3, 4
VIEW = 7  # cells along one side of what an agent sees
REACH = VIEW // 2
FOOD, OTHERS = 0, 1  # layers of the observation
SHARE = 8  # each step one cell in eight is asked whether food grows there, with eight times the chance


class Commons(OceanEnv):
    """A herd on a common meadow: whoever eats gains at once, and an eaten meadow never grows back.

    Food grows only next to food. A meadow that is half full grows fastest and feeds everybody for ever; one
    that is nearly bare hardly grows, and a bare one is dead. Each agent profits alone from what it takes, all
    of them lose what would have grown: the tragedy of the commons.

    The meadow has no border: who leaves it on the right comes back on the left.

    Observation, for each agent, ``uint8[2, 7, 7]``: the cells around it, row by row, itself in the middle

    | layer | value 1 means |
    |---|---|
    | 0 | food |
    | 1 | another agent (the middle, the agent itself, is 0) |

    Action, ``Discrete(5)``: 0 stay, 1 up, 2 down, 3 left, 4 right. A cell with another agent cannot be entered; they
    move one after the other, those with low numbers first.

    Reward: 1 for entering a cell with food, which is then gone. With ``shared`` = 1 everybody gets the mean of all
    agents' rewards instead; between 0 and 1, a mixture.

    Starting state: food on half of the cells, agents on different cells, all at random.

    Episode end: *terminated* when no food is left (nothing would ever grow again), *truncated* after
    ``max_steps`` steps; for all agents at once.

    Metrics: ``score``, food eaten per agent, and ``food_left``, the share of the cells that have food at the
    end (0: the meadow is dead). Random play reaches about 62. Agents that take whatever they can reach kill the
    meadow within 50 steps and get 10, and that is what learners with a reward of their own learn; with a
    shared one they learn to spare it: 95.

    Parameters: ``size`` (16), cells along one side; ``agents`` (16); ``growth`` (0.008), chance per step that
    food grows on an empty cell, for each of its eight neighbours that has some; ``shared`` (0), part of the
    rewards that is shared; ``max_steps`` (500).

    Source: Hardin (1968), "The tragedy of the commons"; as a game for learners Perolat et al. (2017), "A
    multi-agent reinforcement learning model of common-pool resource appropriation". Rules and code are our own.
    """

    observation = Box(0, 1, (2, VIEW, VIEW), np.uint8)
    action = Discrete(5)
    agents = "agents"
    metrics = ("score", "food_left")
    keys = {" ": STAY, "ArrowUp": UP, "ArrowDown": DOWN, "ArrowLeft": LEFT, "ArrowRight": RIGHT}
    idle = STAY
    fps = 10
    size = (384, 408)

    class State:
        food: u8["size", "size"]  # 1: there is some
        neighbors: u8["size", "size"]  # of the eight cells around, how many have food
        taken: u8["size", "size"]  # 1: an agent is there
        row: i32["agents"]
        column: i32["agents"]
        cells: i32  # with food
        score: f32  # food eaten per agent
        food_left: f32  # share of all cells

    class Params:
        size: i32.between(8, 64) = 16
        agents: i32.between(1, 64) = 16
        growth: f32.between(0, 0.0156) = 0.008
        shared: f32.between(0, 1) = 0.0
        max_steps: i32.at_least(1) = 500

    def reset(s):
        for row in range(s.size):
            for column in range(s.size):
                if randint(s, 2) == 0:
                    set_food(s, row, column, 1)
        for i in range(len(s.row)):
            row, column = randint(s, s.size), randint(s, s.size)
            while s.taken[row, column]:
                row, column = randint(s, s.size), randint(s, s.size)
            s.row[i], s.column[i] = row, column
            s.taken[row, column] = 1
            if s.food[row, column]:  # nobody stands on food
                set_food(s, row, column, 0)

    def step(s, actions, rewards, terminals):
        size, food, taken = s.size, s.food, s.taken
        eaten = 0
        for i in range(len(s.row)):
            action = actions[i]
            row = wrap(s.row[i] + (action == DOWN) - (action == UP), size)
            column = wrap(s.column[i] + (action == RIGHT) - (action == LEFT), size)
            if taken[row, column]:  # by another, or by itself when it stays
                continue
            taken[s.row[i], s.column[i]] = 0
            taken[row, column] = 1
            s.row[i], s.column[i] = row, column
            if food[row, column]:
                set_food(s, row, column, 0)
                rewards[i] = 1.0
                eaten += 1
        mean = eaten / len(s.row)
        s.score += mean
        for i in range(len(s.row)):
            rewards[i] += s.shared * (mean - rewards[i])

        for _ in range(size * size // SHARE):
            row, column = randint(s, size), randint(s, size)
            chance = SHARE * s.growth * s.neighbors[row, column]
            if uniform(s, 0.0, 1.0) < chance and not food[row, column] and not taken[row, column]:
                set_food(s, row, column, 1)
        s.food_left = s.cells / (size * size)
        return s.cells == 0, s.episode_length >= s.max_steps

    def observe(s, i, obs):
        size, food, taken = s.size, s.food, s.taken
        left = wrap(s.column[i] - REACH, size)
        row = wrap(s.row[i] - REACH, size)
        for r in range(VIEW):
            column = left
            for c in range(VIEW):
                obs[FOOD, r, c] = food[row, column]
                obs[OTHERS, r, c] = taken[row, column]
                column = column + 1 if column + 1 < size else 0
            row = row + 1 if row + 1 < size else 0
        obs[OTHERS, REACH, REACH] = 0

    def draw(s, canvas):
        cell = canvas.width / s.size
        canvas.clear(palette.NIGHT)
        meadow = palette.mix(palette.NIGHT, palette.GREEN, 0.25)
        canvas.rect(0, 24, canvas.width, canvas.width, meadow)
        for row in range(s.size):
            for column in range(s.size):
                if s.food[row, column]:
                    x, y = (column + 0.5) * cell, 24 + (row + 0.5) * cell
                    points = [
                        (x, y - 0.36 * cell),
                        (x + 0.3 * cell, y + 0.28 * cell),
                        (x - 0.3 * cell, y + 0.28 * cell),
                    ]
                    canvas.polygon(points, palette.GREEN)
        for i in range(len(s.row)):
            x, y = (s.column[i] + 0.5) * cell, 24 + (s.row[i] + 0.5) * cell
            canvas.circle(x, y, 0.44 * cell, palette.SNOW)
            canvas.circle(x, y, 0.34 * cell, palette.CYCLE[i % len(palette.CYCLE)])
        canvas.text(8, 6, f"{s.score:.0f} eaten per agent", palette.SNOW)
        share = f"{100 * s.cells / s.size**2:.0f} % of the meadow left"
        canvas.text(canvas.width - 8 - canvas.text_width(share), 6, share, palette.FOG)


def wrap(k, size):
    """``k`` brought back into 0 .. size-1 (it is at most one size outside)."""
    return k - size if k >= size else (k + size if k < 0 else k)


def set_food(s, row, column, amount):
    """Let food grow on a cell (1) or take it away (0); its neighbours keep count."""
    s.food[row, column] = amount
    change = 2 * amount - 1
    s.cells += change
    for r in range(row - 1, row + 2):
        for c in range(column - 1, column + 2):
            if r != row or c != column:
                s.neighbors[wrap(r, s.size), wrap(c, s.size)] += change


def scripted(env):
    """Eat only while at least half of what one sees is food, so that it grows back as fast as it can."""
    food = env.observations[:, FOOD]
    plenty = food.mean(axis=(1, 2)) >= 0.45
    around = [
        np.zeros(len(food)),
        *(food[:, REACH + dr, REACH + dc] for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1))),
    ]
    return np.where(plenty, np.argmax(around, axis=0), STAY).astype(np.int32)
