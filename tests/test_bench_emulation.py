"""The benchmark of emulation measures the same work in every way, and says what is missing."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from pufferbench import bench_emulation
from pufferbench.bench_emulation import (
    DictEnv,
    Overhead,
    dict_env,
    ours,
    raw_gymnasium,
    sync,
)
from pufferbench.cli import main


@pytest.mark.parametrize("way", [partial(raw_gymnasium, limit=10**9), ours, sync])
def test_every_way_steps_every_environment_once(way, monkeypatch):
    made = []

    def creator():
        made.append(DictEnv())
        return made[-1]

    step = way(creator, 3)
    before = [env.counter for env in made]
    for _ in range(5):
        step()
    assert [env.counter - start for env, start in zip(made, before, strict=True)] == [5] * len(made)
    assert len(made) >= 3


def test_all_ways_play_the_same_games():
    """Zombies are compared in the benchmark itself; here poles, which fall at other times in every game."""
    made = []

    def creator():
        made.append(bench_emulation.cartpole())
        return made[-1]

    ways = (partial(raw_gymnasium, limit=500), ours, sync)
    if find_spec("stable_baselines3"):
        ways = (*ways, bench_emulation.dummy)
    states = []
    for way in ways:
        made.clear()
        step = way(creator, 3)
        for _ in range(150):
            step()
        states.append([env.unwrapped.state for env in made[-3:]])
    for other in states[1:]:
        np.testing.assert_array_equal(states[0], other)
    assert len({tuple(state) for state in states[0]}) == 3


@pytest.mark.parametrize(
    ("sync_added", "dummy_added", "lowest"),
    [(2.0, 3.0, True), (0.5, 3.0, False), (2.0, 0.5, False), (2.0, None, True), (None, None, True)],
)
def test_the_lowest(sync_added, dummy_added, lowest):
    assert Overhead("x", 1, 5.0, 1.0, sync_added, dummy_added).lowest is lowest


def test_the_command_prints_a_row_for_each_and_what_is_missing(capsys, monkeypatch):
    def nothing(num_envs):
        raise ImportError("no module named 'zombies'")

    rows = {
        "Dict space": bench_emulation.ENVIRONMENTS["Dict space"],
        "KAZ": (nothing, dict_env, None, 1),
    }
    monkeypatch.setattr(bench_emulation, "ENVIRONMENTS", rows)
    monkeypatch.setattr(bench_emulation, "find_spec", lambda name: None)
    assert main(["bench", "emulation", "--seconds", "0.01"]) == 0
    text = capsys.readouterr().out
    assert "Dict space" in text and "not installed" in text
    assert "KAZ could not be measured: no module named 'zombies'" in text


def test_the_command_refuses_no_time(capsys):
    assert main(["bench", "emulation", "--seconds", "0"]) == 2
    assert "--seconds must be positive" in capsys.readouterr().err
