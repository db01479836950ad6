"""Which submitted trainings look alike. A reason to talk to two students, never a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pufferbench.classroom.leaderboard import Entry

NEAR = 0.02  # two seeds of the same settings are never this near: about 0.2 in Breakout
GRID = 50

CAUTION = (
    "The same settings with the same seed give the same curve and the same weights, to the last bit. Two students who "
    "both left the seed at 0 and found the same settings (or were shown them in class) look exactly like two of whom "
    "one copied. And who copies and changes the seed is not found at all. Ask both to explain their settings."
)


@dataclass(frozen=True)
class Pair:
    """Two students.

    Attributes:
        difference: root mean square of the curves' difference, as a part of their range; 0 are equal curves.
        same_weights: whether the agents are equal in every bit.
        same_settings: whether all options of the training are equal, the seed too.
    """

    first: str
    second: str
    difference: float
    same_weights: bool
    same_settings: bool


def alike(entries: list[Entry]) -> list[Pair]:
    """Pairs with equal weights or nearly equal curves, the nearest first."""
    played = [entry for entry in entries if not entry.refused]
    pairs = (
        Pair(
            a.student,
            b.student,
            difference(a.curve, b.curve),
            a.digest == b.digest,
            bool(a.settings) and a.settings == b.settings,
        )
        for a, b in combinations(played, 2)
    )
    return sorted(
        (pair for pair in pairs if pair.same_weights or pair.difference < NEAR),
        key=lambda pair: pair.difference,
    )


def difference(first: list[list[float]], second: list[list[float]]) -> float:
    """Of two curves of ``[steps, score]``, where both have been; infinite where they have nothing in common."""
    if len(first) < 2 or len(second) < 2:
        return float("inf")
    a, b = np.array(first), np.array(second)
    start, stop = max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0])
    if start >= stop:
        return float("inf")
    steps = np.linspace(start, stop, GRID)
    scores = np.stack([np.interp(steps, curve[:, 0], curve[:, 1]) for curve in (a, b)])
    span = scores.max() - scores.min()
    return float(np.sqrt(np.square(scores[0] - scores[1]).mean()) / span) if span > 0 else 0.0
