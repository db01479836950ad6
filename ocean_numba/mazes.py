"""Mazes drawn as text, made into tables that a game looks up: open cells, numbered in reading order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right


@dataclass(frozen=True)
class Maze:
    """Open cells: their ``row`` and ``column``, ``next[cell, direction]`` (-1: a wall) and ``marks``."""

    height: int
    width: int
    row: np.ndarray
    column: np.ndarray
    next: np.ndarray
    marks: str

    def cell(self, row: int, column: int) -> int:
        """The number of an open cell."""
        return int(np.flatnonzero((self.row == row) & (self.column == column))[0])

    def number_of(self, marks: str) -> np.ndarray:
        """Cells with one of these marks, numbered 0, 1, 2 ... in reading order; -1 for the others."""
        there = np.array([mark in marks for mark in self.marks])
        return np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)

    def steps_to(self, goal: int) -> np.ndarray:
        """Length of the shortest way to ``goal`` from every cell (where there is none, the number of cells)."""
        cells = len(self.row)
        steps = np.full(cells, cells, np.int32)
        steps[goal] = 0
        while True:  # Bellman (1958): one step more, everywhere at once
            better = np.minimum(steps, self._ahead(steps).min(1) + 1)
            if (better == steps).all():
                return steps
            steps = better

    def way_to(self, goal: int) -> np.ndarray:
        """For each cell the direction that leads to ``goal`` soonest (at the goal: any open one)."""
        return self._ahead(self.steps_to(goal)).argmin(1).astype(np.int32)

    def _ahead(self, steps: np.ndarray) -> np.ndarray:
        """What each cell's neighbours have, ``[cells, 4]``; walls are farther away than anything."""
        return np.where(self.next >= 0, steps[self.next], len(steps))


def read_maze(text: str) -> Maze:
    """A maze from its picture: ``#`` is a wall, anything else is open. Borders that are open on both sides are joined.

    Raises:
        ValueError: its lines differ in length.
    """
    lines = text.strip("\n").split("\n")
    height, width = len(lines), len(lines[0])
    if any(len(line) != width for line in lines):
        raise ValueError(
            f"the lines of a maze must be equally long, but are {sorted({len(line) for line in lines})}"
        )
    places = [(r, c) for r in range(height) for c in range(width) if lines[r][c] != "#"]
    number = {place: k for k, place in enumerate(places)}
    neighbors = [
        [number.get(((r + dr) % height, (c + dc) % width), -1) for dr, dc in STEPS] for r, c in places
    ]
    row, column = np.array(places, np.int32).T.copy()
    marks = "".join(lines[r][c] for r, c in places)
    return Maze(height, width, row, column, np.array(neighbors, np.int32), marks)
