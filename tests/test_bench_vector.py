"""The benchmark of the vectorizer is honest: its controls, and what it says when they do not scale."""

from __future__ import annotations

import time
from functools import partial
from typing import ClassVar

import pytest

from pufferbench import bench_overlap, bench_vector
from pufferbench.bench_control import Control, compute, rate
from pufferbench.bench_overlap import Overlap
from pufferbench.bench_vector import Peers, Scaling, judge
from pufferbench.cli import bench_vector as command
from pufferbench.cli import main


def test_a_round_whose_control_does_not_scale_is_discarded():
    slow, fast = (100.0, 110.0, 900.0, 150.0), (90.0, 100.0, 160.0, 190.0)
    found = judge([slow, fast, slow])
    assert found == Scaling(100.0, 160.0, 100.0, 190.0, rounds=3, discarded=2)  # Serial: all rounds count
    assert found.valid
    assert (found.control, found.share, found.gain) == pytest.approx((1.9, 160 / 190, 1.6))


def test_the_best_of_the_rounds_that_are_left_counts():
    found = judge([(90.0, 100.0, 150.0, 200.0), (95.0, 99.0, 140.0, 180.0)])
    assert found == Scaling(95.0, 150.0, 100.0, 200.0, rounds=2, discarded=0)


def test_all_discarded_is_said_and_not_judged():
    found = judge([(100.0, 100.0, 199.0, 120.0)] * 3)
    assert not found.valid
    assert "DISCARDED. In all 3 rounds" in command.verdict("CartPole", found)
    assert command.against_control("x", found, 0.75)[-1] == "discarded"
    assert [row[-1] for row in command.cartpole_rows(found)][1:] == ["discarded"] * 2


def test_verdicts_beside_a_good_control():
    found = judge([(130_000.0, 100_000.0, 160_000.0, 200_000.0)])
    assert command.against_control("x", found, 0.75)[1:] == (
        "160,000 (80%)",
        "200,000 (2.00x)",
        "75% of it",
        "[green]yes[/]",
    )
    assert command.against_control("x", found, 0.95)[-1] == "[red]no[/]"
    rows = command.cartpole_rows(found)
    assert [row[-1] for row in rows] == ["[green]yes[/]", "[green]yes[/]", "[red]no[/]"]  # 1.23x of Serial


def test_peers_stand_beside_what_is_possible():
    row = command.peer_row(Peers(16, 180e3, 170e3, 300e3, 20e3, 200e3, 400e3, valid=True))
    assert row[1:5] == ("180.0", "170.0", "300.0", "20.0")
    assert row[5:] == ("400.0 (2.00x)", "1.76x", "15x", "20x", "36x")  # 20x today would need both cores, bare
    row = command.peer_row(Peers(1, 180e3, 90e3, 120e3, 20e3, 200e3, 400e3, valid=True))
    assert row[5:] == ("200.0 (2.00x)", "1.33x", "6x", "10x", "36x"), "one env cannot use the second core"
    row = command.peer_row(Peers(1, 180e3, 90e3, 120e3, 20e3, 200e3, 300e3, valid=False))
    assert row[6:] == ("discarded",) * 4


@pytest.mark.parametrize(
    ("found", "last"),
    [
        (Overlap(0.2, 0.16, True, 1.9, True), "used"),
        (Overlap(0.2, 0.16, False, 1.9, True), "not used"),
        (Overlap(0.2, 0.199, True, 1.9, True), "not used"),
        (Overlap(0.2, 0.16, True, 1.5, False), "discarded"),
    ],
)
def test_overlap_says_what_a_training_would_do(found, last):
    row = command.overlap_row("computing", found)
    assert row[1] == f"{1e3 * found.halves:.0f} ms ({found.ratio:.2f}x)"
    assert row[2] == f"200 ms whole ({found.control:.2f}x)"
    assert row[-1] == last


class FakeControl:
    """One copy makes 100 steps/s, two make what is next in the list."""

    pairs: ClassVar[list[float]] = []

    def __init__(self, loop, num_envs):
        assert (loop, num_envs) in (("busy", 2), ("busy", 1)), "a copy has half of the envs"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def measure(self, copies, seconds):
        return 100.0 if copies == 1 else self.pairs.pop(0)


@pytest.mark.parametrize(
    ("pairs", "rounds", "discarded"),
    [([200.0] * 3, 3, 0), ([150.0, 200.0, 150.0, 180.0, 170.0], 5, 2), ([169.0] * 8, 8, 8)],
)
def test_it_tries_until_three_rounds_are_good_or_gives_up(monkeypatch, pairs, rounds, discarded):
    from pufferbench.vector import Serial

    monkeypatch.setattr(bench_vector, "Control", FakeControl)
    FakeControl.pairs = list(pairs)
    with Serial(bench_vector.Trivial, 4) as env:
        found = bench_vector.scaling("busy", env, env, seconds=0.001)
    assert (found.rounds, found.discarded, found.valid) == (rounds, discarded, discarded < rounds)
    assert FakeControl.pairs == []


def test_overlap_plays_in_both_ways_and_takes_the_rounds_with_a_good_control(monkeypatch):
    monkeypatch.setattr(bench_overlap, "Control", FakeControl)
    monkeypatch.setattr(bench_overlap, "HIDDEN", 16)
    FakeControl.pairs = [150.0, 190.0, 120.0, 180.0, 200.0]
    found = bench_overlap.overlap(partial(bench_overlap.Game, 1e-4, True), 4, seconds=0.01)
    assert found.valid and found.control == 2.0 and not FakeControl.pairs
    assert found.whole > 4 * 2e-4 and found.halves > 4 * 2e-4  # four steps of two games in each worker
    FakeControl.pairs = [100.0] * 8
    assert not bench_overlap.overlap(partial(bench_overlap.Game, 1e-4), 2, seconds=0.01).valid


@pytest.mark.parametrize(("loop", "num_envs"), [("cartpole", 4), ("busy", 1)])
def test_the_controls_two_copies_run_and_end(loop, num_envs):
    with Control(loop, num_envs) as control:
        assert control.measure(1, 0.02) > 0
        assert control.measure(2, 0.02) > 0
    assert [child.process.returncode for child in control.children] == [0, 0]


def test_a_control_that_breaks_is_noticed(capfd):
    with pytest.raises(RuntimeError, match="benchmark ended by itself"):
        Control("no-such-loop", 1)
    assert "no-such-loop" in capfd.readouterr().err


def test_rate_counts_steps_per_second_of_wall_time():
    assert 0 < rate(lambda: time.sleep(0.01), 5, 0.05) <= 500


def test_compute_uses_cpu_time():
    began = time.thread_time()
    compute(0.003)
    assert time.thread_time() - began >= 0.003


def test_the_measured_envs_do_what_they_say():
    from pufferbench.vector import Serial

    with Serial(bench_vector.Busy, 2) as env:
        step = bench_vector.stepper(env)
        began = time.thread_time()
        step()
        assert time.thread_time() - began >= 0.002


def test_the_command_prints_every_figure_beside_its_control(capsys, monkeypatch):
    monkeypatch.setattr(bench_vector, "PEER_SIZES", (1, 2))
    monkeypatch.setattr(bench_vector, "CARTPOLES", 4)
    assert main(["bench", "vector", "--seconds", "0.02"]) == 0
    text = capsys.readouterr().out
    for row in (
        "round trips/s, 2 workers",
        "cores used while paused",
        "1 ms of CPU per step",
        "PuffeRL in halves, 64 envs waiting",
        "AsyncVectorEnv",
    ):
        assert row in text
    assert text.count("x)") == 2 + 2 * 2 + 2, "every scaling figure stands beside a control"


def test_the_command_refuses_no_time(capsys):
    assert main(["bench", "vector", "--seconds", "0"]) == 2
    assert "--seconds must be positive" in capsys.readouterr().err
