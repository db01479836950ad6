"""``puffer bench train``: its arithmetic, what counts under load, and a small run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import pufferbench
from pufferbench import bench_train, policies
from pufferbench.bench_load import LoadControl, share
from pufferbench.bench_train import ROWS, Round, Row, Speed, flops_per_step, matmul_speed, rows_of
from pufferbench.cli import bench_train as command
from pufferbench.cli import main

QUIET = Round(steps=8_000_000, seconds=2.0, cpu=3.0, share=0.98)
NOISY = Round(steps=1_000_000, seconds=2.0, cpu=1.0, share=0.4)
SPEED = Speed(
    (QUIET,) * 3, "fused", threads=1, score=500.0, trained=3_014_656, flops=6144, limit=1e11, memory=2**28
)


def test_products_are_counted_as_on_paper() -> None:
    env = pufferbench.make("ocean-cartpole", num_envs=4)
    env.reset(0)
    inputs, hidden, outputs = 4, 128, 2 + 1
    mlp = policies.MLP(env.observation_space, env.action_space)
    forward = 2 * (inputs * hidden + hidden * outputs)
    # Gradients of both layers' weights, and of the hidden units, but of no observation
    backward = 2 * (inputs * hidden + hidden * outputs) + 2 * hidden * outputs
    assert flops_per_step(mlp, env.observations, 1) == forward + forward + backward
    assert flops_per_step(mlp, env.observations, 3) == forward + 3 * (forward + backward)
    assert all(parameter.grad is None for parameter in mlp.parameters())

    lstm = policies.LSTM(env.observation_space, env.action_space)
    cell = 2 * 2 * hidden * 4 * hidden  # input and state, to four gates
    forward += cell
    backward += 2 * cell  # of the weights, and of the input and the state of the step before
    assert flops_per_step(lstm, env.observations, 1) == forward + forward + backward


def test_any_kind_of_actions_has_its_products_counted() -> None:
    for name in ("ocean-continuous", "ocean-spaces", "ocean-pendulum"):
        env = pufferbench.make(name, num_envs=2)
        env.reset(0)
        policy = policies.MLP(env.observation_space, env.action_space)
        assert flops_per_step(policy, env.observations, 1) > 6 * 128


def test_two_threads_multiply_too() -> None:
    assert matmul_speed(2, size=64, seconds=0.01) > 0
    assert matmul_speed(1, "bfloat16", size=64, seconds=0.01) > 0


def test_a_core_that_others_use_is_shared() -> None:
    assert share([2.0, 2.0, 2.0], shortest=2.0) == 1
    assert share([1.0, 3.0], shortest=1.0) == 0.5
    load = LoadControl(threads=2)
    first = load.spin(0.02)
    assert 0 < first <= 1
    assert load.shares == [first]
    load._shortest /= 4  # as if it had once been alone on a core four times as fast
    assert load.spin(0.02) < 0.3


def test_only_quiet_rounds_count() -> None:
    assert SPEED.per_second == 4e6
    assert SPEED.undisturbed
    assert SPEED.of_limit == pytest.approx(4e6 * 6144 / 1e11)
    mixed = replace(SPEED, rounds=(NOISY, QUIET, NOISY, QUIET, QUIET))
    assert mixed.per_second == 4e6 and mixed.undisturbed
    few = replace(SPEED, rounds=(NOISY, QUIET, NOISY, NOISY))
    assert few.per_second == 4e6 and not few.undisturbed
    loud = replace(SPEED, rounds=(NOISY,) * 3)
    assert loud.per_second == 0.5e6 and not loud.undisturbed


@pytest.mark.parametrize(
    ("shares", "rounds", "undisturbed"),
    [
        ([0.98] * 12, 3, True),
        ([0.98, 0.98, 0.98, 0.5, 0.98, 0.98, 0.98, 0.98], 4, True),  # one of them is repeated
        ([0.6] * 12, 6, False),  # not for ever
    ],
)
def test_noisy_rounds_are_repeated(monkeypatch, shares, rounds, undisturbed) -> None:
    class Fake:
        def __init__(self, module: str, row: str) -> None:
            assert Row(**json.loads(row)) == ROWS[0]

        def ready(self) -> Fake:
            return self

        def ask(self, line: str) -> None:
            self.line = line

        def answer(self) -> str:
            about = {
                "learner": "fused",
                "threads": 1,
                "score": 1,
                "trained": 1,
                "flops": 1,
                "limit": 1,
                "memory": 1,
            }
            return json.dumps(about if self.line == "about" else {"steps": 1, "seconds": 1, "cpu": 1})

        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *_: object) -> None: ...

    load: Any = type("Load", (), {"spin": lambda self: shares.pop(0)})()
    monkeypatch.setattr(bench_train, "Child", Fake)
    speed = bench_train.measure(ROWS[0], load)
    assert (len(speed.rounds), speed.undisturbed) == (rounds, undisturbed)


def test_a_row_is_trained_in_a_process_of_its_own() -> None:
    row = Row("squared", "ocean-squared", config={"total_timesteps": 40_000, "batch_size": 16_384})
    speed = bench_train.measure(row, LoadControl(threads=1), seconds=0.3, rounds=1, attempts=1)
    assert len(speed.rounds) == 1
    assert speed.per_second > 0
    assert speed.trained == 49_152  # whole trainings, again and again
    assert speed.learner == "fused"
    assert 0 < speed.of_limit < 1
    assert speed.memory == 0 or 50 * 2**20 < speed.memory < 4 * 2**30


def test_every_env_has_rows() -> None:
    assert [row.policy for row in rows_of("ocean-cartpole")] == [None, None, "LSTM", "LSTM"]
    assert [row.target for row in rows_of("ocean-squared")] == [None, None]


def test_the_table_says_what_was_reached_and_what_was_disturbed(monkeypatch, capsys) -> None:
    asked = []

    def fake(row: Row, load: LoadControl, seconds: float) -> Speed:
        load.shares.append(0.97)
        asked.append((row.title, row.config, seconds))
        return SPEED if not row.config.get("learner") else replace(SPEED, rounds=(NOISY,) * 6)

    monkeypatch.setattr(bench_train, "measure", fake)
    monkeypatch.setattr(bench_train, "has_baseline", lambda: False)
    assert main(["bench", "train", "cartpole", "--seconds", "2", "--threads", "2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert asked[0] == ("cartpole, standard MLP", {"torch_threads": 2}, 2.0)
    assert "cartpole, standard MLP │ 4 │ 0.37 │ 4 │ yes │ 1 │ 25% │ 256 │ 500.0 at 3.0 M" in text
    assert "cartpole, any module │ (0.5) │ 0.37 │ 1.2 │ (loaded) │" in text
    assert "no figures of this machine" in text
    assert "100 GFLOP/s (float32, 1 thread)." in text
    assert "pip install stable-baselines3" in text


def test_the_control_row_is_compared_where_it_is_installed(monkeypatch, capsys) -> None:
    def fake(row: Row, *_: object) -> Speed:
        slow = replace(QUIET, steps=8_000)
        return replace(SPEED, rounds=(slow,) * 3, flops=0, limit=0) if row is bench_train.CONTROL else SPEED

    monkeypatch.setattr(bench_train, "measure", fake)
    monkeypatch.setattr(bench_train, "has_baseline", lambda: True)
    monkeypatch.setattr(command, "LoadControl", lambda: type("Load", (), {"threads": 2, "shares": [0.98]})())
    assert main(["bench", "train"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "1,000 times the steps of cartpole, stable-baselines3" in text
    assert all(row.title in text for row in (*ROWS, bench_train.CONTROL)), "no title is cut off"


@pytest.mark.parametrize("wrong", ["--seconds=0", "--threads=-1", "--seeds=0"])
def test_impossible_numbers_are_refused(wrong, capsys) -> None:
    assert main(["bench", "train", wrong]) == 2
    assert "must be positive" in capsys.readouterr().err
