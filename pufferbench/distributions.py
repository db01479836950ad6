"""Continuous actions: a plain Gaussian, or one squashed into the bounds of the action space.

Both are a ``torch.distributions.Normal`` with loc and scale ``[rows, dimensions]``.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import softplus

# float32 cannot tell tanh(u) from 1 beyond u = 9; what is nearer to a bound than this counts as this far from it
EDGE = 1e-6
NODES = 16  # of the sum that stands for the integral in a squashed Gaussian's entropy


class SquashedNormal(Normal):
    """``middle + half * tanh(u)`` with a normal ``u``: never outside of the bounds, and no heap of actions on them.

    Haarnoja et al. (2018), "Soft actor-critic", appendix C.

    Args:
        loc, scale: of ``u``, ``[rows, dimensions]``.
        middle, half: of the bounds, ``[dimensions]``: half is half their width.
    """

    def __init__(self, loc: Tensor, scale: Tensor, middle: Tensor, half: Tensor) -> None:
        super().__init__(loc, scale, validate_args=False)
        self.middle, self.half = middle, half

    def squash(self, u: Tensor) -> Tensor:
        """Actions of ``u``."""
        return self.middle + self.half * torch.tanh(u)

    def unsquash(self, actions: Tensor) -> Tensor:
        """``u`` of ``actions``."""
        return ((actions - self.middle) / self.half).clamp(EDGE - 1, 1 - EDGE).atanh()

    def log_slope(self, u: Tensor) -> Tensor:
        """log of d action / d u, by which densities are smaller: log(half) + log(1 - tanh(u)^2), without overflow."""
        return self.half.log() + 2 * (math.log(2) - u - softplus(-2 * u))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.squash(super().rsample(sample_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.squash(super().sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density of the actions ``value``, for each dimension."""
        u = self.unsquash(value)
        return plain_log_prob(self, u) - self.log_slope(u)

    def entropy(self) -> Tensor:
        """For each dimension: the Gaussian's, and the mean of log_slope, by Gauss-Hermite quadrature.

        There is no formula for that mean. The sum of a few well-placed points is exact to about 0.01 for scales
        up to 2, has a gradient, and needs no random numbers.
        """
        points, weights = _quadrature()
        at, share = self.loc.new_tensor(points), self.loc.new_tensor(weights)
        u = self.loc.unsqueeze(-1) + self.scale.unsqueeze(-1) * at
        mean_slope = (2 * (math.log(2) - u - softplus(-2 * u)) * share).sum(-1)
        return plain_entropy(self) + self.half.log() + mean_slope


@cache
def _quadrature() -> tuple[list[float], list[float]]:
    """Points and weights: sum(weights * f(points)) is about the mean of f(z) for a standard normal z."""
    points, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return points.tolist(), (weights / weights.sum()).tolist()


def plain_log_prob(normal: Normal, u: Tensor) -> Tensor:
    """Log density of ``u`` under a Gaussian's loc and scale. torch's own checks its arguments at each call."""
    z = (u - normal.loc) / normal.scale
    return -0.5 * z.square() - normal.scale.log() - 0.5 * math.log(2 * math.pi)


def plain_entropy(normal: Normal) -> Tensor:
    """Of a Gaussian, for each dimension."""
    return 0.5 + 0.5 * math.log(2 * math.pi) + normal.scale.log()


def actions_of(normal: Normal, u: Tensor) -> Tensor:
    """``u`` as actions: itself, or squashed."""
    return normal.squash(u) if isinstance(normal, SquashedNormal) else u


def like(normal: Normal, loc: Tensor, scale: Tensor) -> Normal:
    """The same kind of distribution with another ``loc`` and ``scale``."""
    if isinstance(normal, SquashedNormal):
        return SquashedNormal(loc, scale, normal.middle, normal.half)
    return Normal(loc, scale, validate_args=False)
