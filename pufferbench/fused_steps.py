"""All gradient steps of a pass over a small batch in one compiled call: gradients, clipping by norm, and Adam.

A minibatch of 64 rows takes 8 microseconds so; torch's clipping and optimizer alone take 100. Adam's memory is that of
torch's optimizer, so that checkpoints, and a learner that takes over, find everything in its place.

Kingma and Ba (2015), "Adam: a method for stochastic optimization", https://arxiv.org/abs/1412.6980.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pufferbench import fused_kernels, fused_products
from pufferbench.fused_kernels import gradients, hand_over, load, mean_and_deviation
from pufferbench.machine_code import kept

_kernel = kept(__name__, fused_kernels.__name__, fused_products.__name__)


class Layers(NamedTuple):
    """The parameters of the network, or their gradients: torch's memory."""

    hidden_weight: np.ndarray
    hidden_bias: np.ndarray
    heads_weight: np.ndarray
    heads_bias: np.ndarray


Flat = tuple[np.ndarray, ...]  # the same, each as one row of numbers


class Adam(NamedTuple):
    """The optimizer's memory, by parameter, and its options."""

    means: Flat
    squares: Flat
    counts: Flat
    learning_rate: float
    beta1: float
    beta2: float
    eps: float


def flat(layers: Layers) -> Flat:
    return tuple(array.reshape(-1) for array in layers)


def adam_of(optimizer: Any, parameters: list[Tensor]) -> Adam | None:
    """The memory of ``optimizer``; None where it is not plain Adam for these parameters."""
    if type(optimizer) is not torch.optim.Adam or len(optimizer.param_groups) != 1:
        return None
    group = optimizer.param_groups[0]
    unusual = group["weight_decay"] or group["amsgrad"] or group["maximize"]
    if unusual or list(map(id, group["params"])) != list(map(id, parameters)):
        return None
    kept = [optimizer.state[parameter] for parameter in parameters]
    for state, parameter in zip(kept, parameters, strict=True):
        if not state:  # before the first step
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)

    def memory(name: str) -> Flat:
        return tuple(state[name].detach().numpy().reshape(-1) for state in kept)

    (beta1, beta2), rate, eps = group["betas"], group["lr"], group["eps"]
    numbers = map(float, (rate, beta1, beta2, eps))
    return Adam(memory("exp_avg"), memory("exp_avg_sq"), memory("step"), *numbers)


@_kernel
def adam_step(parameters, found, scale, adam):
    """One step with ``scale`` times the gradients ``found``."""
    for p in range(len(parameters)):
        weights, gradient, mean, square = parameters[p], found[p], adam.means[p], adam.squares[p]
        adam.counts[p][0] += np.float32(1)
        count = adam.counts[p][0]
        size = np.float32(adam.learning_rate / (1 - adam.beta1**count))
        root = np.float32(np.sqrt(1 - adam.beta2**count))
        new1, old2, new2 = np.float32(1 - adam.beta1), np.float32(adam.beta2), np.float32(1 - adam.beta2)
        eps = np.float32(adam.eps)
        for i in range(weights.shape[0]):
            g = gradient[i] * scale
            mean[i] += new1 * (g - mean[i])
            square[i] = old2 * square[i] + new2 * g * g
            weights[i] -= size * mean[i] / (np.sqrt(square[i]) / root + eps)


@_kernel
def norm_of(found):
    """Length of all gradients together."""
    square = 0.0
    for p in range(len(found)):
        for g in found[p]:
            square += np.float64(g) * np.float64(g)
    return np.sqrt(square)


@_kernel
def take_steps(
    net, first, second, observations, legal, actions, logprobs, advantages, returns, order, bounds,
    normalize, clip_coef, vf_coef, ent_coef, max_grad_norm, layers, parameters, into, found, adam, totals,
):  # fmt: skip
    """A step for each of the minibatches ``order[bounds[n] : bounds[n + 1]]``.

    Args:
        layers, parameters: the weights, and the same memory flat; ``into`` and ``found`` likewise for gradients.
        totals: sums of the statistics' means and of the gradients' norms are added to it; where the loss is not
            finite it becomes NaN, and no such step is taken.
    """
    for n in range(bounds.shape[0] - 1):
        index = order[bounds[n] : bounds[n + 1]]
        count = index.shape[0]
        mean, inverse_std = 0.0, 1.0
        if normalize:
            mean, deviation = mean_and_deviation(advantages, index)
            inverse_std = 1 / (deviation + 1e-8)
        for part in range(2):
            half = index[: count // 2] if part == 0 else index[count // 2 :]
            gradients(
                net, first if part == 0 else second, observations, legal, actions, logprobs, advantages, returns,
                half, np.float32(mean), np.float32(inverse_std), clip_coef, vf_coef, ent_coef, np.float32(1 / count),
            )  # fmt: skip
        hand_over(first, second, into.hidden_weight, into.hidden_bias, into.heads_weight, into.heads_bias)
        norm = norm_of(found)
        bad = norm
        for s in range(5):
            bad += (first.statistics[s] + second.statistics[s]) / count
        if not np.isfinite(bad):
            totals[:] = np.nan
            return
        adam_step(parameters, found, np.float32(min(1.0, max_grad_norm / (norm + 1e-6))), adam)
        load(net, layers.hidden_weight, layers.hidden_bias, layers.heads_weight, layers.heads_bias)
        for s in range(5):
            totals[s] += (first.statistics[s] + second.statistics[s]) / count
        totals[5] += norm
