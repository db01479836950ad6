"""Gridworld: walk over a map that you may draw yourself."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ocean_numba import Box, Discrete, GameError, OceanEnv, f32, i32, palette, randint, uniform
from ocean_numba.tabular import Tables, action_values, value_iteration

LEFT, DOWN, RIGHT, UP = 0, 1, 2, 3
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # row, column
FLOOR, WALL, GOAL, PIT = 0, 1, 2, 3
LETTERS = {"S": FLOOR, ".": FLOOR, "F": FLOOR, "#": WALL, "G": GOAL, "P": PIT, "H": PIT}
STAR = [
    (radius * math.sin(k * math.pi / 5), -radius * math.cos(k * math.pi / 5))
    for k, radius in enumerate([1.0, 0.42] * 5)
]


def read_map(text: str, name: str = "map") -> tuple[np.ndarray, np.ndarray]:
    """A drawn map as numbers: the kind of each cell, ``[rows, columns]``, and the numbers of the start cells.

    Raises:
        GameError: another letter than those of the page, rows of different lengths, or no start.
    """
    rows = text.split()
    for number, row in enumerate(rows):
        for letter in row:
            if letter not in LETTERS:
                raise GameError(f"{name}, row {number}: {letter!r} is none of {', '.join(LETTERS)}")
        if len(row) != len(rows[0]):
            raise GameError(f"{name}: row {number} has {len(row)} cells, row 0 has {len(rows[0])}")
    starts = [number for number, letter in enumerate("".join(rows)) if letter == "S"]
    if not starts:
        raise GameError(f"{name} has no start; write S in at least one cell")
    return np.array([[LETTERS[letter] for letter in row] for row in rows], np.int32), np.int32(starts)


def neighbours(kinds: np.ndarray) -> np.ndarray:
    """``[cells, 4]``: the cell to which each move leads. Walls and the map's edge leave you where you are."""
    height, width = kinds.shape
    following = np.zeros((kinds.size, 4), np.int32)
    for cell in range(kinds.size):
        for direction, (down, right) in enumerate(MOVES):
            row, column = cell // width + down, cell % width + right
            inside = 0 <= row < height and 0 <= column < width
            free = inside and kinds[row, column] != WALL
            following[cell, direction] = row * width + column if free else cell
    return following


def rules(kinds, starts, colors, bonus):
    """The game's functions for one map. It is constant in them, so that it costs neither state nor time."""
    following, kind_of, bonus_of = neighbours(kinds), kinds.ravel(), np.float32(bonus).ravel()

    def reset(s):
        s.cell = starts[randint(s, len(starts))]

    def step(s, action):
        chance = uniform(s, 0.0, 1.0)
        # -1, 0 or 1 quarter turns; arithmetic instead of branches that a processor cannot foresee
        turn = (chance < s.slip) - 2 * (chance < 0.5 * s.slip)
        s.cell = following[s.cell, (action + turn) & 3]
        kind = kind_of[s.cell]
        reward = s.step_reward + bonus_of[s.cell]
        if kind == GOAL:
            reward += s.goal_reward
            s.score = 1
        elif kind == PIT:
            reward += s.pit_reward
        return reward, kind in (GOAL, PIT), s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[:] = 0
        obs[s.cell] = 1

    def draw(s, canvas):
        draw_map(canvas, kinds, starts, colors)
        side = canvas.width / kinds.shape[1]
        row, column = divmod(s.cell, kinds.shape[1])
        x, y = (column + 0.5) * side, (row + 0.5) * side
        canvas.circle(x, y, 0.3 * side, palette.NIGHT)
        canvas.circle(x, y, 0.26 * side, colors["agent"])

    return reset, step, observe, draw


def draw_map(canvas, kinds, starts, colors):
    side = canvas.width / kinds.shape[1]
    canvas.clear(palette.NIGHT)
    for cell, kind in enumerate(kinds.ravel()):
        row, column = divmod(cell, kinds.shape[1])
        left, top, middle = column * side, row * side, 0.5 * side
        x, y = left + middle, top + middle
        if kind != WALL:
            canvas.rect(left + 1, top + 1, side - 2, side - 2, colors["floor"], radius=4)
        else:  # three courses of bricks
            for course in range(3):
                for brick in range(2 + course % 2):
                    start = max(left + 1, left + (brick - 0.5 * (course % 2)) * middle + 1)
                    end = min(left + side - 1, left + (brick + 1 - 0.5 * (course % 2)) * middle - 1)
                    third = side / 3
                    canvas.rect(
                        start, top + course * third + 1, end - start, third - 2, palette.FOG, radius=2
                    )
        if kind == GOAL:
            canvas.polygon([(x + 0.36 * side * dx, y + 0.36 * side * dy) for dx, dy in STAR], colors["goal"])
        elif kind == PIT:
            canvas.circle(x, y, 0.38 * side, colors["rim"])
            canvas.circle(x, y, 0.32 * side, colors["pit"])
        elif cell in starts:
            scale = max(1, round(side / 24))
            canvas.text(
                x - 2.5 * scale, y - 3.5 * scale, "S", palette.mix(colors["floor"], palette.FOG, 0.5), scale
            )


class Gridworld(OceanEnv):
    """Walk from the start to the goal, around walls and pits, on ground where a step may go sideways.

    The world of every book's first chapter on planning: few states, all rules known (``tables()``), and
    so the best values and policy can be computed by dynamic programming (``ocean_numba.tabular``) and compared
    with what a learner finds. Draw your own map in a subclass::

        class Maze(Gridworld):
            map = '''
                S..#
                .#..
                ...G
            '''

    | letter | cell |
    |---|---|
    | ``S`` | start, else floor; with several, one of them at random |
    | ``.`` (or ``F``) | floor |
    | ``#`` | wall |
    | ``G`` | goal |
    | ``P`` (or ``H``) | pit |

    A map may also have ``bonus``, an array ``[rows, columns]``: what entering each cell gives besides.

    Observation, ``uint8[12]`` (in general rows x columns): 1 at the agent's cell, counted row by row, else 0.

    Action, ``Discrete(4)``: 0 left, 1 down, 2 right, 3 up. With probability ``slip`` the step goes a quarter turn
    to the left or to the right of it, both equally likely. Walls and the map's edge stop it.

    Reward: -0.04 for every step; in addition 1 at the goal and -1 in a pit.

    Starting state: a start cell.

    Episode end: *terminated* at the goal or in a pit; *truncated* after ``max_steps`` steps.

    Metric: ``score``, 1 when the goal was reached, else 0. On the map of this class random play reaches 0.34,
    the best policy 0.99 with a return of 0.705.

    Parameters: ``slip`` (0.2), the probability that a step goes sideways; ``step_reward`` (-0.04), ``goal_reward`` (1),
    ``pit_reward`` (-1); ``max_steps`` (100).

    Source: Russell and Norvig, "Artificial Intelligence: A Modern Approach", the 4 x 3 world of the chapter on
    sequential decisions, with its numbers.
    """

    map = """
        ...G
        .#.P
        S...
    """
    colors = {
        "floor": palette.SLATE,
        "goal": palette.YELLOW,
        "pit": palette.BLACK,
        "rim": palette.VERMILLION,
        "agent": palette.SKY_BLUE,
    }
    kinds, starts = read_map(map)
    bonus = np.zeros(kinds.shape)
    reset, step, observe, draw = rules(kinds, starts, colors, bonus)
    observation = Box(0, 1, (kinds.size,), np.uint8)
    action = Discrete(4)
    metrics = ("score",)
    keys = {"ArrowLeft": LEFT, "ArrowDown": DOWN, "ArrowRight": RIGHT, "ArrowUp": UP}
    fps = 6
    size = (400, 300)

    class State:
        cell: i32  # row * columns + column
        score: i32  # 1 when the goal was reached

    class Params:
        slip: f32.between(0.0, 1.0) = 0.2
        step_reward: f32 = -0.04
        goal_reward: f32 = 1.0
        pit_reward: f32 = -1.0
        max_steps: i32.at_least(1) = 100

    def __init_subclass__(cls, **kwargs):
        if "map" in vars(cls):  # a map of its own needs functions of its own
            cls.kinds, cls.starts = read_map(cls.map, f"{cls.__name__}.map")
            cls.bonus = (
                np.zeros(cls.kinds.shape) if "bonus" not in vars(cls) else np.asarray(cls.bonus, float)
            )
            if cls.bonus.shape != cls.kinds.shape:
                raise GameError(
                    f"{cls.__name__}.bonus has shape {cls.bonus.shape}, the map {cls.kinds.shape} (rows, columns)"
                )
            cls.reset, cls.step, cls.observe, cls.draw = rules(cls.kinds, cls.starts, cls.colors, cls.bonus)
            cls.observation = Box(0, 1, (cls.kinds.size,), np.uint8)
            height, width = cls.kinds.shape
            side = max(400 // max(height, width), 16)
            cls.size = (width * side, height * side)
        super().__init_subclass__(**kwargs)

    def tables(self) -> Tables:
        """Transitions and rewards for dynamic programming; the state's number is that of the cell."""
        p, following, kind_of = self.params, neighbours(self.kinds), self.kinds.ravel()
        cells = kind_of.size
        transitions, rewards = np.zeros((2, cells, 4, cells))
        terminals = (kind_of == GOAL) | (kind_of == PIT)
        for cell in range(cells):
            for action in range(4):
                if terminals[cell] or kind_of[cell] == WALL:  # nobody leaves them
                    transitions[cell, action, cell] = 1.0
                    continue
                for turn, chance in ((-1, p["slip"] / 2), (0, 1 - p["slip"]), (1, p["slip"] / 2)):
                    there = following[cell, (action + turn) % 4]
                    extra = {GOAL: p["goal_reward"], PIT: p["pit_reward"]}.get(int(kind_of[there]), 0.0)
                    transitions[cell, action, there] += chance
                    if chance > 0:
                        rewards[cell, action, there] = p["step_reward"] + self.bonus.flat[there] + extra
        return Tables(transitions, rewards, terminals)


@lru_cache
def best_actions(world: type[Gridworld], parameters: tuple) -> np.ndarray:
    """An optimal action for each cell, by value iteration with a discount of 0.99."""
    tables = world(**dict(parameters)).tables()
    return action_values(tables, value_iteration(tables, 0.99), 0.99).argmax(axis=1).astype(np.int32)


def scripted(env: Gridworld) -> np.ndarray:
    """The optimal policy, found by dynamic programming."""
    return best_actions(type(env), tuple(env.params.items()))[env.observations.argmax(axis=1)]
