"""The arithmetic of PPO: advantages (numba on the CPU, torch anywhere) and the loss.

The tests hold both advantage kernels against a plain loop, and the loss against finite differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from pufferbench.out_of_memory import SMALLER_BATCH, room_for
from pufferbench.pytorch import Logits, log_prob_entropy


class Experience(NamedTuple):
    """The first six arguments of :func:`advantages`."""

    rewards: Tensor
    values: Tensor
    terminals: Tensor
    truncations: Tensor
    final_values: Tensor
    masks: Tensor


def advantages(
    rewards: Tensor,
    values: Tensor,
    terminals: Tensor,
    truncations: Tensor,
    final_values: Tensor,
    masks: Tensor,
    gamma: float,
    gae_lambda: float,
    ratios: Tensor | None = None,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimates (Schulman et al., 2016, https://arxiv.org/abs/1506.02438).

    Seen from its last step back to its first, each row goes by these rules:

    - an episode that ended (``terminals``) has no future: the next value is 0;
    - one that was cut (``truncations``) has one that nobody saw: the next value is ``final_values``, the
      value of the observation before the reset. Either way no later advantage reaches back over it;
    - a row that waits (``masks`` False) makes no decision. The rewards that arrive meanwhile belong to the
      last decision, whose next value is that of the row's next decision;
    - if a row still waits at the end of the rollout, what its last decision brings is not known yet, and
      that one decision is left out.

    With ``ratios`` it is PufferLib's puff advantage, a blend with V-trace (Espeholt et al., 2018,
    https://arxiv.org/abs/1802.01561, equation 1): the policy that is judged has moved on from the one that played, and
    what it would do less often shall count less. Each step's own error is weighted by its ratio, cut at ``rho_clip``,
    and what came after it by its ratio, cut at ``c_clip``. Where all ratios are 1 it is the generalised estimate.

    Args:
        rewards, terminals, truncations: of steps 0 .. T-1, ``[T, rows]``.
        values: of the observations 0 .. T, ``[T + 1, rows]``.
        final_values: values of the final observations, ``[T, rows]``, read where truncated.
        masks: whether the row acts on observation 0 .. T, ``[T + 1, rows]``.
        ratios: how much more likely the policy makes each action now than when it was taken, ``[T, rows]``, read
            where there was a decision; None: all 1.

    Returns:
        ``(advantages, used)``, both ``[T, rows]``: used is True where there was a decision to learn from.
    """
    if ratios is None:
        ratios, rho_clip, c_clip = torch.ones_like(rewards), 1.0, 1.0
    parts = (rewards, values, terminals, truncations, final_values, masks)
    numbers = (gamma, gae_lambda, rho_clip, c_clip)
    if rewards.device.type != "cpu":
        return advantages_torch(*parts, gamma, gae_lambda, ratios, rho_clip, c_clip)
    arrays = [tensor.numpy() for tensor in (*parts, ratios)]
    with room_for("the advantages of an update", SMALLER_BATCH):
        result, used = np.zeros(rewards.shape, np.float32), np.zeros(rewards.shape, np.bool_)
    _advantages_numba(*arrays, *map(np.float32, numbers), result, used)
    return torch.from_numpy(result), torch.from_numpy(used)


@njit(cache=True, nogil=True, error_model="numpy")
def _advantages_numba(  # type: ignore[no-untyped-def]  # compiled
    rewards, values, terminals, truncations, final_values, masks, ratios,
    gamma, gae_lambda, rho_clip, c_clip, result, used,
):  # fmt: skip
    horizon, rows = rewards.shape
    next_value = np.empty(rows, np.float32)
    next_advantage = np.zeros(rows, np.float32)
    waited = np.zeros(rows, np.float32)  # rewards that arrived after the decision we are going back to
    known = np.empty(rows, np.bool_)
    for i in range(rows):
        next_value[i] = values[horizon, i]
        known[i] = masks[horizon, i]
    for t in range(horizon - 1, -1, -1):
        for i in range(rows):
            if terminals[t, i] or truncations[t, i]:
                next_value[i] = np.float32(0.0) if terminals[t, i] else final_values[t, i]
                next_advantage[i] = np.float32(0.0)
                waited[i] = np.float32(0.0)
                known[i] = True
            if masks[t, i]:
                if known[i]:
                    rho, c = min(ratios[t, i], rho_clip), min(ratios[t, i], c_clip)
                    delta = rho * (rewards[t, i] + waited[i] + gamma * next_value[i] - values[t, i])
                    next_advantage[i] = delta + gamma * gae_lambda * c * next_advantage[i]
                    result[t, i] = next_advantage[i]
                    used[t, i] = True
                next_value[i] = values[t, i]
                waited[i] = np.float32(0.0)
                known[i] = True
            else:
                waited[i] += rewards[t, i]


def advantages_torch(
    rewards: Tensor,
    values: Tensor,
    terminals: Tensor,
    truncations: Tensor,
    final_values: Tensor,
    masks: Tensor,
    gamma: float,
    gae_lambda: float,
    ratios: Tensor | None = None,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """:func:`advantages` on any device: one step of all rows at a time."""
    if ratios is None:
        ratios, rho_clip, c_clip = torch.ones_like(rewards), 1.0, 1.0
    rho, c = ratios.clamp(max=rho_clip), ratios.clamp(max=c_clip)
    result, used = torch.zeros_like(rewards), torch.zeros_like(masks[:-1])
    next_value, known = values[-1], masks[-1]
    next_advantage, waited = torch.zeros_like(next_value), torch.zeros_like(next_value)
    final_values = final_values.masked_fill(terminals, 0.0)
    ended = terminals | truncations
    for t in range(len(rewards) - 1, -1, -1):
        next_value = torch.where(ended[t], final_values[t], next_value)
        next_advantage = next_advantage.masked_fill(ended[t], 0.0)
        waited = waited.masked_fill(ended[t], 0.0)
        known = known | ended[t]
        learn = masks[t] & known
        delta = rho[t] * (rewards[t] + waited + gamma * next_value - values[t])
        so_far = delta + gamma * gae_lambda * c[t] * next_advantage
        next_advantage = torch.where(learn, so_far, next_advantage)
        result[t], used[t] = next_advantage.masked_fill(~learn, 0.0), learn
        next_value = torch.where(masks[t], values[t], next_value)
        waited = (waited + rewards[t]).masked_fill(masks[t], 0.0)
        known = known | masks[t]
    return result, used


LOSS_STATISTICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


class Objective(NamedTuple):
    """The numbers in PPO's loss, for one update.

    Attributes:
        clip_coef, vf_coef, ent_coef: see :class:`pufferbench.TrainConfig`; vf_coef is per squared reward here.
        normalize_advantages: whether each minibatch's are scaled to mean 0 and deviation 1.
        vf_clip: how far a value may move with a gain, in the units of returns.
    """

    clip_coef: float
    vf_coef: float
    ent_coef: float
    normalize_advantages: bool = True
    vf_clip: float = math.inf


def ppo_loss(
    logits: Logits,
    values: Tensor,
    minibatch: Mapping[str, Tensor],
    clip_coef: float,
    vf_coef: float,
    ent_coef: float,
    vf_clip: float = math.inf,
) -> tuple[Tensor, Tensor]:
    """PPO's clipped objective, as a loss (Schulman et al., 2017, equations 7 and 9).

    The value loss is the squared error or, with a finite ``vf_clip``, that of the value or of the value within
    ``vf_clip`` of what it was, whichever is larger.

    Args:
        logits, values: what the policy says now, with gradient.
        minibatch: ``actions``, their ``logprobs`` when they were taken, ``advantages``, ``returns`` and, where
            not every action is legal, ``action_masks``; for ``vf_clip`` also the ``values`` of then.

    Returns:
        ``(loss, statistics)``: a scalar with gradient, and a tensor of :data:`LOSS_STATISTICS` without.
    """
    advantages = minibatch["advantages"]
    logprobs, entropies = log_prob_entropy(logits, minibatch["actions"], minibatch.get("action_masks"))
    log_ratio = logprobs - minibatch["logprobs"]
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_coef, 1 + clip_coef)
    policy_loss = -torch.minimum(advantages * ratio, advantages * clipped).mean()
    errors = (values - minibatch["returns"]).square()
    if vf_clip < math.inf:
        held = minibatch["values"] + (values - minibatch["values"]).clamp(-vf_clip, vf_clip)
        errors = torch.maximum(errors, (held - minibatch["returns"]).square())
    value_loss = 0.5 * errors.mean()
    entropy = entropies.mean()
    loss = policy_loss + vf_coef * value_loss - ent_coef * entropy
    with torch.no_grad():
        # (r - 1) - log r: an estimate of the KL divergence that is never negative (Schulman, 2020)
        approx_kl = ((ratio - 1) - log_ratio).mean()
        clip_fraction = (ratio != clipped).float().mean()
        statistics = torch.stack([policy_loss, value_loss, entropy, approx_kl, clip_fraction])
    return loss, statistics


def normalized(advantages: Tensor) -> Tensor:
    """With mean 0 and deviation 1."""
    return (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """How much of the returns' variance the values explain: 1 all, 0 none, below 0 worse than a constant."""
    variance = float(returns.var(correction=0)) if len(returns) else 0.0
    return 1 - float((returns - values).var(correction=0)) / variance if variance > 0 else 0.0
