"""What one step of a vector env costs, for comparing two versions of the code on one machine.

    pytest tests/benchmarks --benchmark-enable --benchmark-autosave

``puffer bench vector`` has the numbers to compare between machines, each beside its control.
"""

from __future__ import annotations

from functools import partial

import pytest

from pufferbench import bench_vector
from pufferbench.registry import spec
from pufferbench.vector import Multiprocessing, Serial


@pytest.mark.parametrize("num_workers", [1, 2])
def test_round_trip(num_workers: int, benchmark) -> None:
    with Multiprocessing(bench_vector.Trivial, num_workers, num_workers) as env:
        benchmark(bench_vector.stepper(env))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_64_gymnasium_cartpoles(num_workers: int, benchmark) -> None:
    with bench_vector.cartpoles(64, num_workers) as env:
        benchmark(bench_vector.stepper(env))


@pytest.mark.parametrize("members", [1, 4])
def test_serial_around_natives(members: int, benchmark) -> None:
    creator = partial(spec("ocean-cartpole").make, num_envs=4096 // members)
    with Serial(creator, members) as env:
        benchmark(bench_vector.stepper(env))
