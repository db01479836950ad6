"""Running mean and variance of observations, saved with the weights of the policy that uses them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn


class Normalizes(nn.Module):
    """Mixed into a policy: :meth:`normalized` brings its features to mean 0 and deviation 1.

    Without that, features of size 0.01 and 100 beside each other would learn at very different speeds. Features
    that the space declares to be within -1..1 have been scaled already and are only centred: a flag that has
    never changed so far (a brick that always stood) would otherwise be enormous when it first does.

    The policy has ``features``: observations ``[rows, *shape]`` -> ``[n, size]``.
    """

    features: Callable[[Tensor], Tensor]
    observation_mean: Tensor
    observation_var: Tensor
    observation_count: Tensor
    observation_floor: Tensor

    def add_statistics(self, mean: np.ndarray, deviation: np.ndarray, scaled: np.ndarray) -> None:
        """The running statistics, for features with the first guesses ``mean`` and ``deviation [size]``.

        Args:
            scaled: ``[size]`` bool: scaled already.
        """
        self.register_buffer("observation_mean", torch.from_numpy(mean))
        self.register_buffer("observation_var", torch.from_numpy(deviation**2))
        self.register_buffer("observation_count", torch.zeros((), dtype=torch.float64))
        # Smallest variance to divide by: 1 for features that have been scaled already
        floor = torch.from_numpy(scaled.astype(np.float32))
        self.register_buffer("observation_floor", floor, persistent=False)

    def normalized(self, features: Tensor) -> Tensor:
        """``features [..., size]`` with mean 0 and deviation 1, cut off at -10 and 10."""
        return (features - self.observation_mean).mul_(self.observation_scale()).clamp_(-10, 10)

    def observation_scale(self) -> Tensor:
        """What deviations from the mean are multiplied by, ``[size]``."""
        return (torch.maximum(self.observation_var, self.observation_floor) + 1e-6).rsqrt()

    @torch.no_grad()
    def update_statistics(self, observations: Tensor) -> None:
        """Take ``observations [rows, *shape]``, on any device, into the running mean and variance (Chan et al., 1979).

        Of large batches, evenly spread rows: at most 16,384.
        """
        observations = observations[:: 1 + len(observations) // 16_384]  # as many say as much
        for part in observations.split(4096):  # pieces that fit the cache: 6 times as fast as var_mean
            if not len(part):
                continue
            x = self.features(part.to(self.observation_mean.device)) - self.observation_mean
            total = self.observation_count + len(x)
            weight = (len(x) / total).float()
            delta = x.mean(0)
            square = x.square_().mean(0)  # mean square distance to the old mean
            self.observation_var += weight * (square - weight * delta.square() - self.observation_var)
            self.observation_mean += weight * delta
            self.observation_count.copy_(total)


def first_guess(observation_space: spaces.Space, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of features before any was seen: 0 and 1, but the middle and half the width of a range
    that reaches beyond 10, where they are cut off. A picture (0..255) would otherwise be all white at first.
    """
    mean, deviation = np.zeros(inputs, np.float32), np.ones(inputs, np.float32)
    if type(observation_space) is spaces.Box:
        low, high = (
            bound.ravel().astype(np.float64) for bound in (observation_space.low, observation_space.high)
        )
        largest = np.maximum(-low, high)
        wide = (largest > 10) & (largest < 1e6)  # bounds that are only the type's own say nothing
        mean[wide], deviation[wide] = (low[wide] + high[wide]) / 2, (high[wide] - low[wide]) / 2
    return mean, deviation
