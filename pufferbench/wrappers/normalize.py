"""Running normalisation of observations and rewards. What it learns goes into the trainer's checkpoints."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.env import Infos, PufferEnv
from pufferbench.spaces import FlatBox
from pufferbench.wrappers.base import Wrapper


class RunningStatistics:
    """Mean and variance of all rows seen so far, merged batch by batch (Chan, Golub & LeVeque, 1983).

    Attributes:
        mean, variance: float64 ``[*shape]``.
        count: float64 ``[]``, rows seen. It begins a little above 0, so that there is always a variance.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean, self.variance = np.zeros(shape), np.ones(shape)
        self.count = np.array(1e-4)

    def update(self, rows: np.ndarray) -> None:
        """See ``rows``, ``[n, *shape]``."""
        if not len(rows):
            return
        n, total = len(rows), self.count + len(rows)
        rows = rows.astype(np.result_type(rows.dtype, np.float32), copy=False)
        mean = rows.mean(0, dtype=np.float64)
        around = rows - mean.astype(rows.dtype)
        variance = np.einsum("n...,n...->...", around, around) / n
        away = mean - self.mean
        spread = self.variance * self.count + variance * n + away**2 * (self.count * n / total)
        self.mean += away * (n / total)
        self.variance[...] = spread / total
        self.count[...] = total

    def arrays(self) -> dict[str, np.ndarray]:
        return {"mean": self.mean, "variance": self.variance, "count": self.count}


class Normalizer(Wrapper):
    """What both have: statistics that are learned unless ``eval()`` said not to, and saved with the trainer."""

    statistics: RunningStatistics
    _learning = True
    _borrowed = False  # the statistics are another one's

    def own_state(self) -> dict[str, np.ndarray]:
        return self.statistics.arrays()

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """It shares our statistics, whatever they become, and adds nothing to them.

        With ``train()`` it learns again, from a copy of what they are then.
        """
        other = super().respawn(num_envs)
        other.statistics, other._borrowed = self.statistics, True  # type: ignore[attr-defined]
        return other

    def eval(self) -> None:
        super().eval()
        self._learning = False

    def train(self) -> None:
        super().train()
        if self._borrowed:
            self.statistics, self._borrowed = copy.deepcopy(self.statistics), False
        self._learning = True


class NormalizeObservation(Normalizer):
    """Observations with mean 0 and deviation 1, by running statistics of all that the acting rows saw.

    Put it around the whole batch, so that all games share the statistics; around the members of a vectorizer
    each would learn its own, and no checkpoint would know of them. (The policies of
    :mod:`pufferbench.policies` normalise by themselves; this is for others.)

    Args:
        env: its observations are a Box.
        clip: the normalised ones stay within -clip..clip.
    """

    def __init__(self, env: Any, clip: float = 10.0) -> None:
        super().__init__(env)
        space = self.env.observation_space
        if not isinstance(space, spaces.Box) or isinstance(space, FlatBox):
            raise TypeError(f"NormalizeObservation needs observations that are a Box, not {space}")
        if not clip > 0:
            raise ValueError(f"clip must be above 0, not {clip!r}")
        self.clip = clip
        self.observation_space = spaces.Box(-clip, clip, space.shape, np.float32)
        self.statistics = RunningStatistics(space.shape)

    def observation(self, observations: np.ndarray) -> np.ndarray:
        if self._learning:
            masks = self.env.masks
            self.statistics.update(observations if masks.all() else observations[masks])
        return self.final_observation(observations)

    def final_observation(self, observations: np.ndarray) -> np.ndarray:
        """Normalised, without being learned from: the episodes' last ones are few, and not typical."""
        known, kind = self.statistics, np.float32  # in float64 it would take twice the time
        normalised = observations - known.mean.astype(kind)
        normalised *= (1 / np.sqrt(known.variance + 1e-8)).astype(kind)
        return np.clip(normalised, -self.clip, self.clip, out=normalised)


class NormalizeReward(Normalizer):
    """Rewards divided by the running deviation of the discounted return (Engstrom et al., 2020).

    Their mean stays what it is: whether something is good must not depend on what else there was. Episode
    statistics stay those of the env.

    Args:
        gamma: the discount of the trainer.
        clip: rewards stay within -clip..clip.
    """

    def __init__(self, env: Any, gamma: float = 0.99, clip: float = 10.0) -> None:
        super().__init__(env)
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must be within 0..1, not {gamma!r}")
        if not clip > 0:
            raise ValueError(f"clip must be above 0, not {clip!r}")
        self.gamma, self.clip = gamma, clip
        self.statistics = RunningStatistics(())
        self._returns = np.zeros(self.num_agents)

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self._returns[:] = 0
        return super().reset(seed)

    def reward(self, rewards: np.ndarray) -> np.ndarray:
        if self._learning:
            self._returns *= self.gamma
            self._returns += rewards
            self.statistics.update(self._returns)
            self._returns[self.env.terminals | self.env.truncations] = 0
        scaled = rewards / np.sqrt(self.statistics.variance + 1e-8)
        return np.clip(scaled, -self.clip, self.clip)
