"""What one call costs, for comparing two versions of the code on one machine.

    pytest tests/benchmarks --benchmark-enable --benchmark-autosave
    pytest-benchmark compare

``puffer bench`` has the numbers to compare between machines.
"""

from __future__ import annotations

import pytest

import pufferbench
from pufferbench import bench, bench_train


@pytest.mark.parametrize("name", sorted(bench.ENVIRONMENTS))
def test_step_1024_games(name: str, benchmark) -> None:
    env = pufferbench.make(name, num_envs=1024)
    env.reset(0)
    actions = bench.action_sets(env)[0]
    benchmark(env.step, actions)


@pytest.mark.parametrize("name", sorted({row.env for row in bench_train.ROWS}))
def test_update(name: str, benchmark) -> None:
    trainer = pufferbench.PuffeRL(env=name)

    def update() -> None:
        trainer.evaluate()
        trainer.train()
        trainer.mean_and_log()

    benchmark.pedantic(update, rounds=5, warmup_rounds=1)
