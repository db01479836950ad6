"""The rows of some of the workers as one batch: views where those are neighbours, else copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pufferbench.env import Buffers


@dataclass(frozen=True)
class Part:
    """One batch.

    Attributes:
        workers: whose rows these are, in ascending order.
        buffers: the rows, of all workers one after the other.
        agent_ids: ``[rows]``, which row of the whole batch each of them is.
        is_copy: what is written into ``buffers.actions`` has to go back, by :meth:`Parts.put_back`.
    """

    workers: tuple[int, ...]
    buffers: Buffers
    agent_ids: np.ndarray
    is_copy: bool = False


class Parts:
    """Makes batches of the rows of any workers.

    Args:
        whole: all rows.
        rows: of each worker, its first row and the one behind its last.
    """

    def __init__(self, whole: Buffers, rows: Sequence[tuple[int, int]]) -> None:
        self.whole, self.rows = whole, rows
        self._agent_ids = np.arange(rows[-1][1])
        self._views: dict[tuple[int, ...], Part] = {}  # batches of neighbours, made once
        self._copies: dict[int, Buffers] = {}  # arrays for the others, by their number of rows

    def of(self, workers: tuple[int, ...]) -> Part:
        """The batch of ``workers``, which are in ascending order. It is valid until the next that is a copy."""
        part = self._views.get(workers)
        if part is not None:
            return part
        start, stop = self.rows[workers[0]][0], self.rows[workers[-1]][1]
        if workers[-1] - workers[0] == len(workers) - 1:
            part = Part(workers, self.whole.slice(start, stop), self._agent_ids[start:stop])
            self._views[workers] = part
            return part
        ids = np.concatenate([self._agent_ids[slice(*self.rows[w])] for w in workers])
        return Part(workers, self._copy(workers, len(ids)), ids, is_copy=True)

    def _copy(self, workers: tuple[int, ...], rows: int) -> Buffers:
        whole = self.whole.arrays()
        if rows not in self._copies:
            empty = {name: np.empty((rows, *array.shape[1:]), array.dtype) for name, array in whole.items()}
            self._copies[rows] = Buffers(**empty)
        copies = self._copies[rows]
        for name, array in whole.items():
            np.concatenate([array[slice(*self.rows[w])] for w in workers], out=getattr(copies, name))
        return copies

    def put_back(self, part: Part) -> None:
        """The other way round, for actions."""
        begin = 0
        for w in part.workers:
            start, stop = self.rows[w]
            self.whole.actions[start:stop] = part.buffers.actions[begin : begin + stop - start]
            begin += stop - start
