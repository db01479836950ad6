"""Runs that look alike, and the page about the class."""

from __future__ import annotations

import numpy as np
import pytest

from pufferbench.classroom.curves import alike, difference
from pufferbench.classroom.leaderboard import Entry

pytestmark = pytest.mark.classroom
RISING = [[float(step), float(step) ** 0.5] for step in range(0, 100, 5)]


def test_equal_curves_differ_by_nothing_and_a_shift_by_its_size() -> None:
    assert difference(RISING, RISING) == 0
    shifted = [[step, score + 0.1 * (95**0.5)] for step, score in RISING]
    assert difference(RISING, shifted) == pytest.approx(0.1 / 1.1)


def test_curves_are_compared_where_both_have_been_whatever_their_records() -> None:
    steps = np.linspace(0, 50, 200)
    finer = [[float(step), float(np.interp(step, *np.transpose(RISING)))] for step in steps]
    assert difference(RISING, finer) < 0.001
    assert difference(RISING, [[200.0, 1.0], [300.0, 2.0]]) == float("inf")
    assert difference(RISING, []) == float("inf")


def test_only_what_is_nearly_equal_is_named() -> None:
    far = [[step, 10 - score] for step, score in RISING]
    entries = [
        Entry("anna", [1.0], curve=RISING, digest="a", settings={"seed": "0"}),
        Entry("ben", [1.0], curve=RISING, digest="a", settings={"seed": "0"}),
        Entry("carla", [1.0], curve=far, digest="c", settings={"seed": "1"}),
        Entry("refused", curve=RISING, digest="a", refused="a reason"),
    ]
    (pair,) = alike(entries)
    assert (pair.first, pair.second, pair.difference) == ("anna", "ben", 0)
    assert pair.same_weights and pair.same_settings
