"""PPO's clipped objective for one decision, from the loss that the trainer minimises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pufferbench.kernels import ppo_loss

OLD = 0.2  # probability of the action when it was taken: the ratio can go up to 5
HIGHEST = 2.5  # ratio to be seen
NO_CLIP = 1e6


@dataclass(frozen=True)
class ClipCurve:
    """The loss of one decision, as a function of the ratio of new to old probability.

    Attributes:
        ratios: ``[n]``.
        objective: minus the loss, ``[n]``.
        unclipped: the same without clipping.
        gradient: of the objective by the ratio.
    """

    ratios: np.ndarray
    objective: np.ndarray
    unclipped: np.ndarray
    gradient: np.ndarray


def clip_curve(advantage: float, clip_coef: float, ratios: np.ndarray | None = None) -> ClipCurve:
    """The clipped objective and its gradient at each of ``ratios`` (default: 0.01 .. 2.5)."""
    ratios = np.linspace(0.01, HIGHEST, 101) if ratios is None else np.asarray(ratios, float)
    clipped = [objective(ratio, advantage, clip_coef) for ratio in ratios]
    return ClipCurve(
        ratios,
        np.array([value for value, _ in clipped]),
        np.array([objective(ratio, advantage, NO_CLIP)[0] for ratio in ratios]),
        np.array([slope for _, slope in clipped]),
    )


def objective(ratio: float, advantage: float, clip_coef: float) -> tuple[float, float]:
    """The objective of one decision and its derivative by the ratio.

    Raises:
        ValueError: a ratio that the action, which had a probability of 0.2, cannot come to.
    """
    if not 0 < ratio < 1 / OLD:
        raise ValueError(f"ratio must be between 0 and {1 / OLD:g}, not {ratio!r}")
    leaf = torch.tensor(ratio, dtype=torch.float64, requires_grad=True)
    value = -_loss(leaf, advantage, clip_coef)
    (slope,) = torch.autograd.grad(value, leaf)
    return value.item(), slope.item()


def pushed(advantage: float, clip_coef: float, steps: int = 60, step_size: float = 0.05) -> np.ndarray:
    """The ratio ``[steps + 1]`` when the same decision is learned from again and again.

    Gradient ascent on the action's logit, from the ratio 1.
    """
    logit = torch.tensor(OLD, dtype=torch.float64).logit().requires_grad_()
    ratios = [1.0]
    for _ in range(steps):
        loss = _loss(logit.sigmoid() / OLD, advantage, clip_coef)
        (slope,) = torch.autograd.grad(loss, logit)
        logit = (logit - step_size * slope).detach().requires_grad_()
        ratios.append(logit.detach().sigmoid().item() / OLD)
    return np.array(ratios)


def _loss(ratio: Tensor, advantage: float, clip_coef: float) -> Tensor:
    """The trainer's loss for one decision between two actions, the other parts switched off."""
    probability = ratio * OLD
    logits = torch.stack([1 - probability, probability]).log().unsqueeze(0)
    nothing = logits.new_zeros(1)
    minibatch = {
        "actions": torch.tensor([1]),
        "logprobs": torch.tensor([OLD], dtype=torch.float64).log(),
        "advantages": torch.tensor([advantage], dtype=torch.float64),
        "returns": nothing,
    }
    return ppo_loss(logits, nothing, minibatch, clip_coef, vf_coef=0.0, ent_coef=0.0)[0]
