"""How fast every game of ocean_numba is, beside what the same game does in C and what memory allows.

A step cannot be faster than its observation can be written: the fill rate of one core, measured in the same run
on an array of the same size, is the limit.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pufferbench import bench
from pufferbench.bench_control import Control
from pufferbench.registry import list_envs
from pufferbench.vector.make import make
from pufferbench.vector.threads import Threads

# Million agent steps per second of PufferLib 3.0's C environments: its own build (-O2 -flto), called from Python at
# the best batch size, one core of this kind of machine (AMD EPYC, 2 cores); tetris is with -march=native, which
# is the better of its two figures. Measured for issue 5 of this project.
PEERS = {
    "ocean-squared": 68.6,
    "ocean-pong": 34.9,
    "ocean-cartpole": 33.9,
    "ocean-space-shooter": 19.6,  # blastar
    "ocean-drone": 17.9,
    "ocean-target": 15.6,
    "ocean-tetris": 11.5,
    "ocean-pacman": 4.7,
    "ocean-snake": 4.6,
    "ocean-breakout": 4.2,
    "ocean-freeway": 1.5,
    "ocean-connect-four": 0.043,  # its opponent searches
}
BATCH_SIZES = (256, 1024, 4096)
HEAVY = 1e-6  # s: from here on a game's step is worth a second thread
SCALING_STEP = 4e-3  # s: one step of the whole batch when two threads are measured, far above their hand-off


@dataclass(frozen=True)
class GameSpeed:
    """One row of the table.

    Attributes:
        steps: agent steps per second of CPU time, one core, best batch size.
        num_envs: that batch size, in games.
        share: CPU time / wall time of that round; well under 1: others used the core.
        observation: bytes of one agent's observation.
        fill: bytes per second with which one core fills an array of that batch's size.
        limit: share of the fill rate that the observations alone take, 0 .. 1.
        peer: agent steps per second of the same game in C, None when there is none.
        ratio: steps / peer.
        two_threads: how many times as fast two threads are (wall time), None for light games.
    """

    game: str
    steps: float
    num_envs: int
    share: float
    observation: int
    fill: float
    limit: float
    peer: float | None
    ratio: float | None
    two_threads: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def games() -> list[str]:
    """Every registered game of ocean_numba."""
    return list_envs("ocean-")


def measure(
    name: str, seconds: float = 0.1, batch_sizes: tuple[int, ...] = BATCH_SIZES, threads: bool = True
) -> GameSpeed:
    """Measure one game. Args: ``seconds`` of CPU time for one of three rounds of each batch size."""
    best = max((bench.environment_speed(name, n, seconds) for n in batch_sizes), key=lambda speed: speed.cpu)
    with make(name, num_envs=best.num_envs, backend="serial") as env:
        written = env.observations.nbytes
        per_agent = written // env.num_agents
        agents = env.num_agents // env.num_envs
    fill = fill_rate(written)
    peer = PEERS.get(name)
    heavy = agents / best.cpu > HEAVY
    return GameSpeed(
        game=name,
        steps=best.cpu,
        num_envs=best.num_envs,
        share=best.share,
        observation=per_agent,
        fill=fill,
        limit=best.cpu * per_agent / fill,
        peer=None if peer is None else 1e6 * peer,
        ratio=None if peer is None else best.cpu / (1e6 * peer),
        two_threads=two_threads(name, agents / best.cpu, seconds) if threads and heavy else None,
    )


def fill_rate(size: int, rounds: int = 5) -> float:
    """Bytes per second of CPU time with which one core fills a float32 array of ``size`` bytes: the best round."""
    array = np.zeros(max(size // 4, 16), np.float32)
    calls = max(1, 2**26 // array.nbytes)
    best = np.inf
    for _ in range(rounds):
        began = time.process_time()
        for value in range(calls):
            array.fill(value & 1)
        best = min(best, time.process_time() - began)
    return calls * array.nbytes / max(best, 1e-9)


def two_threads(name: str, per_game: float, seconds: float) -> float:
    """How many times as fast two threads step a batch as one does, wall time: the best of three rounds each.

    Args:
        per_game: seconds that one game's step takes, about.
    """
    num_envs = max(2, int(SCALING_STEP / per_game))
    rates = []
    for count in (1, 2):
        with Threads(make(name, num_envs=num_envs, backend="serial"), count) as env:
            env.reset(0)
            actions = bench.action_sets(env)
            calls = max(4, int(count * seconds / SCALING_STEP))
            rates.append(min(bench._timed(env, actions, calls)[1] for _ in range(3)) / calls)
    return rates[0] / rates[1]


def control(seconds: float = 0.5) -> float:
    """How many times as much two processes that share nothing compute as one does: what two cores can give now."""
    with Control("busy", 1) as pair:
        return pair.measure(2, seconds) / pair.measure(1, seconds)
