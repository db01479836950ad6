"""A gridworld to draw and edit."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import numpy as np

from ocean_numba.tabular import Tables
from pufferbench.errors import PufferBenchError, did_you_mean
from pufferbench.tabular.model import Model
from pufferbench.tabular.presets import PRESETS

FLOOR, WALL, GOAL, PIT = 0, 1, 2, 3  # the numbers of ocean-gridworld
KINDS = ("floor", "wall", "goal", "pit")
LETTERS = ".#GP"
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # left, down, right, up; row, column
LARGEST = 400  # cells: the tables have 4 x cells² numbers


class GridError(PufferBenchError, ValueError):
    """A map or an edit makes no gridworld."""


class Grid:
    """A world of cells: walk from the start to a goal, around walls and pits.

    Actions are 0 left, 1 down, 2 right, 3 up. Walls and the edge leave you where you are. The episode ends on
    entering a goal or a pit. A state's number is that of its cell, counted row by row.

    Args:
        map: rows of letters, separated by spaces or lines: ``S`` start, ``.`` floor, ``#`` wall, ``G`` goal, ``P`` pit.
        slip: probability that a step goes a quarter turn to the left or right of where it should.
        step_reward: of every step.
        goal_reward, pit_reward: on entering one, in addition.
        gamma: discount.

    Raises:
        GridError: another letter, rows of different lengths, no start, more than 400 cells, a number out of range.

    Attributes:
        kinds: ``[rows, columns]``, 0 floor, 1 wall, 2 goal, 3 pit.
        rewards: ``[rows, columns]``, what entering a cell gives in addition to ``step_reward``.
        starts: numbers of the cells where an episode may begin.
    """

    def __init__(
        self,
        map: str,
        slip: float = 0.0,
        step_reward: float = 0.0,
        goal_reward: float = 1.0,
        pit_reward: float = -1.0,
        gamma: float = 0.9,
    ) -> None:
        for name, share in (("slip", slip), ("gamma", gamma)):
            if not 0 <= share <= 1:
                raise GridError(f"{name} must be a number from 0 to 1, not {share!r}")
        self.slip, self.step_reward, self.gamma = float(slip), float(step_reward), float(gamma)
        self.goal_reward, self.pit_reward = float(goal_reward), float(pit_reward)
        self.kinds, self.starts = _read(map)
        extra = np.array([0.0, 0.0, goal_reward, pit_reward])
        self.rewards = extra[self.kinds]
        self._past: list[tuple[np.ndarray, np.ndarray, list[int]]] = []

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Grid:
        """One of the books' worlds, see :data:`PRESETS`; ``changes`` go over its numbers."""
        if name not in PRESETS:
            raise GridError(
                f"no gridworld is called {name!r}{did_you_mean(name, PRESETS)} (known: {', '.join(PRESETS)})"
            )
        return cls(**{**PRESETS[name], **changes})

    @classmethod
    def of(cls, env: Any, gamma: float = 0.99) -> Grid:
        """The map and the numbers of a game such as ocean-gridworld or ocean-frozen-lake.

        Raises:
            GridError: ``env`` is no such game.
        """
        if not all(hasattr(env, name) for name in ("kinds", "starts", "bonus", "params")):
            raise GridError(
                f"{type(env).__name__} is no gridworld: it has no kinds, starts, bonus and params"
            )
        p = env.params
        grid = cls(
            _text(env.kinds, env.starts),
            slip=p["slip"],
            step_reward=p["step_reward"],
            goal_reward=p["goal_reward"],
            pit_reward=p["pit_reward"],
            gamma=gamma,
        )
        grid.rewards = grid.rewards + env.bonus
        return grid

    # -- looking --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.kinds.shape[0], self.kinds.shape[1]

    @property
    def map(self) -> str:
        """The cells as letters, a line for each row; what the constructor takes."""
        return _text(self.kinds, self.starts)

    def __repr__(self) -> str:
        rows = "\n".join("    " + row for row in self.map.split())
        numbers = f"slip={self.slip:g}, step_reward={self.step_reward:g}, gamma={self.gamma:g}"
        return f'Grid("""\n{rows}\n""", {numbers})'

    def cell(self, row: int, column: int) -> int:
        """The number of a cell.

        Raises:
            GridError: there is none.
        """
        rows, columns = self.shape
        if not (0 <= row < rows and 0 <= column < columns):
            raise GridError(f"there is no cell in row {row}, column {column}: the grid is {rows} x {columns}")
        return row * columns + column

    def show(self, numbers: Iterable[float], decimals: int = 3) -> str:
        """``numbers``, one per cell, as text in the form of the grid; walls are ``#``."""
        words = [
            "#" if kind == WALL else f"{number:.{decimals}f}"
            for kind, number in zip(self.kinds.flat, numbers, strict=True)
        ]
        width = max(map(len, words))
        columns = self.shape[1]
        rows = [words[i : i + columns] for i in range(0, len(words), columns)]
        return "\n".join("  ".join(word.rjust(width) for word in row) for row in rows)

    # -- editing --------------------------------------------------------------------------------

    def put(self, row: int, column: int, what: str) -> None:
        """Make a cell ``"floor"``, ``"wall"``, ``"goal"``, ``"pit"``, or the one ``"start"``.

        Raises:
            GridError: an unknown word, no such cell, or the only start would go.
        """
        cell = self.cell(row, column)
        if what not in (*KINDS, "start"):
            raise GridError(
                f"a cell can be {', '.join(KINDS)} or start, not {what!r}{did_you_mean(what, KINDS)}"
            )
        if what not in ("floor", "start") and self.starts == [cell]:
            raise GridError(f"the start is in row {row}, column {column}: put it somewhere else first")
        self._remember()
        kind = FLOOR if what == "start" else KINDS.index(what)
        if what == "start":
            self.starts = [cell]
        elif kind != FLOOR and cell in self.starts:
            self.starts = [start for start in self.starts if start != cell]
        self.kinds[row, column] = kind
        self.rewards[row, column] = (0.0, 0.0, self.goal_reward, self.pit_reward)[kind]

    def set_reward(self, row: int, column: int, reward: float) -> None:
        """What entering a cell gives, in addition to ``step_reward``.

        Raises:
            GridError: no such cell, a wall, or not a finite number.
        """
        self.cell(row, column)
        if self.kinds[row, column] == WALL:
            raise GridError(f"row {row}, column {column} is a wall: nobody enters it")
        if not np.isfinite(reward):
            raise GridError(f"a reward must be a finite number, not {reward!r}")
        self._remember()
        self.rewards[row, column] = reward

    def undo(self) -> bool:
        """Take back the last edit of a cell; False when there is none."""
        if not self._past:
            return False
        self.kinds, self.rewards, self.starts = self._past.pop()
        return True

    def _remember(self) -> None:
        self._past.append((self.kinds.copy(), self.rewards.copy(), list(self.starts)))
        del self._past[:-200]

    # -- rules ----------------------------------------------------------------------------------

    def model(self) -> Model:
        """The rules as arrays, as they are now."""
        kinds, (_, columns) = self.kinds.ravel(), self.shape
        cells = kinds.size
        transitions, rewards = np.zeros((2, cells, 4, cells))
        terminals = (kinds == GOAL) | (kinds == PIT)
        following = np.array([[self._beyond(cell, action) for action in range(4)] for cell in range(cells)])
        for cell in range(cells):
            for action in range(4):
                if terminals[cell] or kinds[cell] == WALL:  # nobody leaves them
                    transitions[cell, action, cell] = 1.0
                    continue
                for turn, chance in ((-1, self.slip / 2), (0, 1 - self.slip), (1, self.slip / 2)):
                    there = following[cell, (action + turn) % 4]
                    transitions[cell, action, there] += chance
                    if chance > 0:
                        rewards[cell, action, there] = self.step_reward + self.rewards.flat[there]
        names = tuple(f"({cell // columns}, {cell % columns})" for cell in range(cells))
        return Model(Tables(transitions, rewards, terminals), np.array(self.starts), self.gamma, names)

    def _beyond(self, cell: int, action: int) -> int:
        """Where a step leads: the next cell, or where you are."""
        rows, columns = self.shape
        row, column = cell // columns + MOVES[action][0], cell % columns + MOVES[action][1]
        inside = 0 <= row < rows and 0 <= column < columns
        return row * columns + column if inside and self.kinds[row, column] != WALL else cell

    def env(self, num_envs: int = 64, **params: Any) -> Any:
        """This world as a batch of games, to train on: ``PuffeRL(env=grid.env())``. Later edits do not change it.

        Args:
            params: of ocean-gridworld, such as ``max_steps``.
        """
        from pufferbench import registry

        game: Any = registry.spec("ocean-gridworld").creator()
        drawn = type(
            "DrawnGridworld", (game,), {"map": self.map, "bonus": self.rewards, "__doc__": game.__doc__}
        )
        numbers = {"slip": self.slip, "step_reward": self.step_reward, "goal_reward": 0.0, "pit_reward": 0.0}
        return import_module("pufferbench.emulation").as_puffer(drawn(num_envs, **{**numbers, **params}))


def _read(map: str) -> tuple[np.ndarray, list[int]]:
    rows = map.split()
    if not rows:
        raise GridError("the map is empty")
    for number, row in enumerate(rows):
        for letter in row:
            if letter not in LETTERS + "S":
                raise GridError(f"map, row {number}: {letter!r} is none of S, {', '.join(LETTERS)}")
        if len(row) != len(rows[0]):
            raise GridError(f"map: row {number} has {len(row)} cells, row 0 has {len(rows[0])}")
    if len(rows) * len(rows[0]) > LARGEST:
        raise GridError(
            f"the map has {len(rows) * len(rows[0])} cells; at most {LARGEST}, or tables get too large"
        )
    starts = [number for number, letter in enumerate("".join(rows)) if letter == "S"]
    if not starts:
        raise GridError("the map has no start: write S in at least one cell")
    kinds = [[max(LETTERS.find(letter), 0) for letter in row] for row in rows]  # S is floor
    return np.array(kinds), starts


def _text(kinds: np.ndarray, starts: Iterable[int]) -> str:
    letters = np.array(list(LETTERS))[kinds]
    letters.flat[list(starts)] = "S"
    return "\n".join("".join(row) for row in letters)
