"""Who steps and who waits: a timeline of worker processes, measured with the real vectorizer.

The environment does nothing but sleep for a while, and its observation says from when to when. Clocks of
processes agree: ``time.perf_counter`` counts from the same moment in all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pufferbench.env import PufferEnv
from pufferbench.vector import Multiprocessing

SHORTEST, LONGEST = 0.004, 0.030  # s, how long a step sleeps


class Sleeper(PufferEnv):
    """A step takes from 4 to 30 ms, most of them a short time. Observation: from when to when it slept, in s."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf)
        self.num_agents = 1
        self.observation_space = self.make_space((2,), dtype=np.float64)
        self.action_space = self.make_discrete(2)
        self.rng = np.random.default_rng(0)

    def reset(self, seed: int | None = None) -> Any:
        self.rng = np.random.default_rng([0 if seed is None else seed, self.first_env])
        self.observations[:] = time.perf_counter()
        return self.observations, ()

    def step(self, actions: Any) -> Any:
        began = time.perf_counter()
        time.sleep(SHORTEST + (LONGEST - SHORTEST) * self.rng.random() ** 3)
        self.observations[0] = began, time.perf_counter()
        return self.observations, self.rewards, self.terminals, self.truncations, ()


@dataclass(frozen=True)
class Timeline:
    """What happened when, in seconds from the first batch.

    Attributes:
        name: of the way the vectorizer works.
        steps: ``(worker, start, end)`` of every step of an environment.
        waits, learns: ``(start, end)`` of the caller's waiting for a batch, and of its work between two.
        rate: environment steps per second.
        busy: the share of their time that workers spend in steps.
    """

    name: str
    steps: list[tuple[int, float, float]]
    waits: list[tuple[float, float]]
    learns: list[tuple[float, float]]
    rate: float
    busy: float


# name -> the vectorizer's options
WAYS: dict[str, dict[str, Any]] = {
    "sync: wait for all": {"mode": "sync"},
    "async: wait for the first 3 of 4": {"mode": "async", "surplus_envs": 2},
    "async: wait for the first 2 of 4": {"mode": "async", "surplus_envs": 4},
}


def measure(
    name: str,
    num_envs: int = 8,
    num_workers: int = 4,
    env_steps: int = 160,
    learn: float = 0.004,
    going_on: Callable[[], bool] = lambda: True,
) -> Timeline:
    """Play ``env_steps`` steps in the way ``name`` of :data:`WAYS`, "learning" for ``learn`` s after each batch.

    Args:
        going_on: asked before each batch; False ends the measurement.
    """
    vec = Multiprocessing(partial(Sleeper), num_envs=num_envs, num_workers=num_workers, **WAYS[name])
    waits, learns, seen = [], [], []
    try:
        vec.async_reset(seed=0)
        vec.recv()
        first, done = time.perf_counter(), 0
        while done < env_steps and going_on():
            vec.send(np.zeros(vec.num_agents, np.int64))
            asked = time.perf_counter()
            observations, *_, agents, _ = vec.recv()
            got = time.perf_counter()
            waits.append((asked - first, got - first))
            seen += [
                (int(agent) * num_workers // num_envs, began - first, ended - first)
                for agent, (began, ended) in zip(agents, observations.tolist(), strict=True)
                if ended > began  # in mode async a batch may still be one of the reset
            ]
            done += len(agents)
            time.sleep(learn)
            learns.append((got - first, time.perf_counter() - first))
        total = time.perf_counter() - first
    finally:
        vec.close()
    spent = sum(end - max(start, 0.0) for _, start, end in seen)
    return Timeline(name, seen, waits, learns, len(seen) / total, spent / (total * num_workers))
