"""What the games' tests share: playing at random, and the mean score of a way to play."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ocean_numba import OceanEnv
from ocean_numba.testing import random_actions

Policy = Callable[[OceanEnv], np.ndarray]


def random_legal(env: OceanEnv, random: np.random.Generator) -> np.ndarray:
    """A random legal action for every row."""
    return (env.action_masks * random.random(env.action_masks.shape)).argmax(1).astype(np.int32)


def mean_score(env: OceanEnv, policy: Policy, steps: int) -> float:
    """Mean ``score`` of the games that end within ``steps`` steps."""
    env.reset(0)
    ended: list[float] = []
    for _ in range(steps):
        ended += [info["score"] for info in env.step(policy(env))[4]]
    return float(np.mean(ended))


def random_and_scripted(env: OceanEnv, scripted: Policy, steps: int) -> tuple[float, float]:
    """The mean scores of random play and of ``scripted``."""
    generator = np.random.default_rng(0)
    by_chance = mean_score(env, lambda env: random_actions(env, generator), steps)
    return by_chance, mean_score(env.respawn(env.num_envs), scripted, steps)
