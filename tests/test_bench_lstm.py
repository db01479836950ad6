"""The benchmark of policies with a memory: that it measures what it says. No time is asserted."""

from __future__ import annotations

import pytest

from pufferbench import bench_lstm
from pufferbench.bench_lstm import StepSpeed, fastest, step_speed, training_rows
from pufferbench.cli.__main__ import main
from pufferbench.config import check_options


def test_the_fastest_round_of_each_counts():
    calls = []
    found = fastest(lambda: calls.append("left"), lambda: calls.append("right"))
    assert len(found) == 2
    assert 0 < min(found) < 1
    assert {"left", "right"} == set(calls)


def test_shares_of_a_step():
    speed = StepSpeed(rows=64, ours=2.0, torch=6.0, products=1.5)
    assert (speed.times, speed.possible) == (3.0, 4.0)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_step_is_measured(kind, monkeypatch):
    monkeypatch.setattr(bench_lstm, "ROUNDS", 1)
    speed = step_speed(kind, 3)
    assert min(speed.ours, speed.torch, speed.products) > 0


def test_rows_are_what_the_trainer_knows():
    for row in training_rows(2):
        assert check_options(row.config)["torch_threads"] == 2


def test_the_command_prints_the_steps(capsys, monkeypatch):
    monkeypatch.setattr(bench_lstm, "ROUNDS", 1)
    monkeypatch.setattr(bench_lstm, "CELL_ROWS", (8,))
    assert main(["bench", "lstm", "--seconds", "0"]) == 0
    assert "GRU" in capsys.readouterr().out
