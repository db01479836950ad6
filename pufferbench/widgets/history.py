"""The numbers that curves are drawn from: one row per update, bounded in size."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class History:
    """A table of float64 numbers with named columns that grows by one row per update.

    When it is full, neighbouring rows are averaged (the first column, the x axis, keeps the later
    value) and from then on every row stands for twice as many updates: a long run is drawn as
    precisely as a screen can show, and costs no more than a short one.

    Args:
        columns: keys of the metrics record. A key that a record lacks becomes NaN: a gap in the curve.
        capacity: rows to keep, an even number.

    Attributes:
        epoch: goes up when old rows changed, that is when a reader must read everything again.
    """

    def __init__(self, columns: Sequence[str], capacity: int = 2000) -> None:
        if capacity < 2 or capacity % 2:
            raise ValueError(f"capacity must be an even number of at least 2, not {capacity}")
        self.columns = list(columns)
        self.epoch = 0
        self._table = np.full((capacity, len(self.columns)), np.nan)
        self._count = 0
        self._per_row = 1
        self._waiting: list[list[float]] = []

    def __len__(self) -> int:
        return self._count

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one metrics record."""
        self._waiting.append([_number(record.get(name)) for name in self.columns])
        if len(self._waiting) < self._per_row:
            return
        if self._count == len(self._table):
            self._halve()
            if len(self._waiting) < self._per_row:
                return
        alone = self._per_row == 1  # while it trains, after every update: no time to average nothing
        self._table[self._count] = self._waiting[0] if alone else _average(np.array(self._waiting)[None])[0]
        self._count += 1
        self._waiting.clear()

    def rows(self, start: int = 0) -> np.ndarray:
        """A copy of the rows from ``start`` on, ``[n, columns]`` float64."""
        return self._table[start : self._count].copy()

    def _halve(self) -> None:
        pairs = self._table.reshape(len(self._table) // 2, 2, -1)
        self._table[: len(pairs)] = _average(pairs)
        self._count = len(pairs)
        self._per_row *= 2
        self.epoch += 1


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else math.nan


def _average(groups: np.ndarray) -> np.ndarray:
    """``[n, k, columns]`` -> ``[n, columns]``: means that skip NaN; of the x axis the last value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN: no episode ended, stays a gap
        means = np.nanmean(groups, axis=1)
    means[:, 0] = groups[:, -1, 0]
    return means
