"""What a trainer measures while it works: where the time goes, and how the episodes end."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np


class Stopwatch:
    """Splits the time of an update: ``lap(name)`` books the seconds since the last lap under ``name``."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew, with all times 0."""
        self.times: dict[str, float] = defaultdict(float)
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.times[name] += now - self._last
        self._last = now

    def total(self) -> float:
        """Seconds of all laps but pauses."""
        return sum(seconds for name, seconds in self.times.items() if name != "paused")


class EpisodeMeter:
    """Means of the episodes' statistics: over those of this update, and over the last 100.

    Attributes:
        recent: the last 100 values of each statistic, oldest first.
    """

    def __init__(self) -> None:
        self.recent: dict[str, deque[float]] = {}
        self._parts: list[np.ndarray | list[Mapping[str, Any]]] = []

    def start(self) -> None:
        """Forget the episodes of an update."""
        self._parts.clear()

    def add(self, infos: Sequence[Mapping[str, Any]]) -> None:
        """The infos of one step. Arrays are kept as they are: no dict per episode while playing."""
        if len(infos):
            self._parts.append(infos.records.copy() if hasattr(infos, "records") else list(infos))

    def means(self) -> dict[str, float]:
        """``episodes`` (their number), the means of this update, and of the last 100 as ``<name>_100``.

        An info that has no ``episode_return`` is not that of an ended episode and is left out, and so is
        what is not a number. To be called once per update.
        """
        ended: dict[str, list[float]] = defaultdict(list)
        for part in self._parts:
            if isinstance(part, np.ndarray):
                for name in part.dtype.names or ():
                    ended[name].extend(part[name].tolist())
            else:
                for info in part:
                    for name, value in info.items() if "episode_return" in info else ():
                        if isinstance(value, (int, float, np.number)):
                            ended[name].append(float(value))
        self._parts.clear()
        means: dict[str, float] = {"episodes": len(ended.get("episode_return", ()))}
        for name, values in ended.items():
            if values:
                self.recent.setdefault(name, deque(maxlen=100)).extend(values)
                means[name] = sum(values) / len(values)
        return means | {f"{name}_100": sum(window) / len(window) for name, window in self.recent.items()}

    def load(self, recent: Mapping[str, Iterable[float]]) -> None:
        """Go on with the ``recent`` values of another meter."""
        self.recent = {name: deque(map(float, values), maxlen=100) for name, values in recent.items()}
        self._parts.clear()
