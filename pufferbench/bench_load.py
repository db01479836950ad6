"""The control for foreign load: how much of the cores we get, measured before, between and after what counts.

On every core at once a thread does the same small piece of work again and again. The shortest time that a piece
ever took is what it takes alone; the others took longer because somebody else had the core. No clock of the
system says that much: CPU time hides a neighbour on the same physical core, and a load average is a minute late.
"""

from __future__ import annotations

import hashlib
import threading
import time

from pufferbench.system import cores

QUIET = 0.9  # less of the cores than this, and what was measured beside it does not count
PIECE = bytes(
    1_000_000
)  # hashing it takes about half a millisecond, in which nobody else in this process waits


class LoadControl:
    """Spins on ``threads`` cores at once (None: on all that we may use).

    Attributes:
        shares: what :meth:`spin` found, in order.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = cores() if threads is None else threads
        self.shares: list[float] = []
        self._shortest = float("inf")  # seconds of a piece

    def spin(self, seconds: float = 0.2) -> float:
        """The share of the cores that we got, 0..1: of the worst one. Close to 1 on a quiet machine."""
        found: list[list[float]] = [[] for _ in range(self.threads)]
        others = [threading.Thread(target=_spin, args=(seconds, times)) for times in found[1:]]
        for thread in others:
            thread.start()
        _spin(seconds, found[0])
        for thread in others:
            thread.join()
        self._shortest = min(self._shortest, *map(min, found))
        self.shares.append(min(share(times, self._shortest) for times in found))
        return self.shares[-1]


def share(times: list[float], shortest: float) -> float:
    """Of a core, when pieces of ``shortest`` seconds took ``times``."""
    return shortest * len(times) / sum(times)


def _spin(seconds: float, times: list[float]) -> None:
    now = time.perf_counter()
    end = now + seconds
    while now < end or not times:
        before = now
        hashlib.sha256(PIECE)  # releases Python's lock
        now = time.perf_counter()
        times.append(now - before)
