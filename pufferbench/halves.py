"""Two halves of some work at once, in a second thread: for work that spends its time in torch and compiled code.

Two Python threads with a half of the rows each beat torch's own threads, which meet after every operation. And as the
work is cut into the same halves whether or not there is a second thread, one thread and two give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

from pufferbench.second_thread import SecondThread

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Halves:
    """Does two things at once, or one after the other.

    torch itself should use one thread meanwhile: its own, once woken, spin on the second core for a while.

    Args:
        threads: 1, or more for two at once.
    """

    def __init__(self, threads: int) -> None:
        begin = partial(torch.set_num_threads, 1)  # of that thread
        self._pool = SecondThread("pufferbench-half", begin) if threads > 1 else None

    def each(self, function: Callable[[Piece], Result], pieces: Sequence[Piece]) -> Iterator[Result]:
        """``function`` of each of ``pieces``, in their order, two at a time.

        It may be called in either thread, so it must not write to a place that another call knows.
        """
        if self._pool is None:
            yield from map(function, pieces)
            return
        for start in range(0, len(pieces), 2):
            first, *others = pieces[start : start + 2]
            mode = torch.is_inference_mode_enabled()  # each thread has its own
            running = [self._pool.submit(_in_mode, mode, function, other) for other in others]
            try:
                result = function(first)
            finally:  # also after Ctrl-C: nobody may change what the other still reads
                results = [future.result() for future in running]
            yield from (result, *results)


def _in_mode(inference: bool, function: Callable[[Piece], Result], piece: Piece) -> Result:
    with torch.inference_mode(inference):
        return function(piece)
