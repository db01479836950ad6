"""The benchmark of emulation measures the same work in every way, and says what is missing."""

from __future__ import annotations

import time
from functools import partial

import pytest

from pufferbench import bench_emulation
from pufferbench.bench_emulation import (
    DictEnv,
    Overhead,
    Timed,
    cpu_times,
    dict_env,
    ours,
    raw_gymnasium,
    sync,
)
from pufferbench.cli import main


def busy(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_time_in_the_environments_own_methods_is_told_apart():
    inner = Timed(busy)

    def step():
        inner(0.002)
        busy(0.001)

    inside, outside = cpu_times(step, 0.05)
    assert inside >= 0.002 and outside >= 0.001
    assert inside > outside


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


def test_ends_are_resets_in_the_same_step():
    step = raw_gymnasium(dict_env, 2, limit=10**9)
    before = Timed.seconds
    for _ in range(99):
        step()
    assert Timed.seconds > before


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
