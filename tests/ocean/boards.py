"""What the tests of two-player boards share."""

from __future__ import annotations

import numpy as np


def random_legal(env, random: np.random.Generator) -> np.ndarray:
    """A random legal action for every row."""
    return (env.action_masks * random.random(env.action_masks.shape)).argmax(1).astype(np.int32)


def mean_score(env, policy, steps: int) -> float:
    """Mean ``score`` of the games that end within ``steps`` steps."""
    env.reset(0)
    ended: list[float] = []
    for _ in range(steps):
        ended += [info["score"] for info in env.step(policy(env))[4]]
    return float(np.mean(ended))
