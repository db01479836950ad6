"""What PuffeRL asks of a policy while it learns, answered in one of two ways.

:class:`Autograd` takes any torch module on any device: the readable one. :class:`pufferbench.fused.Fused` does
the same sums for the standard MLP on a CPU, several times as fast. A test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from pufferbench.config import ConfigError, TrainConfig
from pufferbench.kernels import ppo_loss
from pufferbench.pytorch import Logits, sample


class Learner(Protocol):
    """How a policy acts, judges, and gets its gradients."""

    name: str

    def act(self, observations: Tensor, noise: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, their log probabilities, and values, of rows side by side.

        Args:
            observations: ``[rows, *shape]``.
            noise: what :func:`pufferbench.pytorch.draw_noise` gave for these rows.
            legal: ``[rows, n]`` bool, or None.
        """

    def values(self, observations: Tensor) -> Tensor:
        """Values ``[rows]`` of ``observations [rows, *shape]``."""

    def gradients(
        self,
        batch: Mapping[str, Tensor],
        index: Tensor,
        clip_coef: float,
        vf_coef: float,
        ent_coef: float,
        normalize_advantages: bool,
    ) -> tuple[Tensor, Tensor]:
        """PPO's loss over the rows ``index`` of ``batch``; its gradients go into the parameters' ``grad``.

        Returns:
            ``(loss, statistics)``, the latter of :data:`pufferbench.kernels.LOSS_STATISTICS`.
        """


def choose_learner(policy: nn.Module, device: torch.device, config: TrainConfig) -> Learner:
    """The fastest that can do it, unless ``config.learner`` names one.

    Raises:
        ConfigError: it names one that cannot.
    """
    from pufferbench.fused import Fused, misfit
    from pufferbench.policies import MLP

    reason = "compile=True asks for torch's code" if config.compile else misfit(policy, device)
    if config.learner == "fused" and reason:
        raise ConfigError(f"learner='fused' cannot be: {reason}; use learner='auto'")
    if config.learner != "autograd" and not reason and isinstance(policy, MLP):
        return Fused(policy, config.torch_threads)
    return Autograd(policy, torch.compile(policy) if config.compile else policy)


class Autograd:
    """Any policy, on any device.

    Args:
        policy: holds the parameters.
        forward: observations -> (logits, value): the policy, or what torch.compile made of it.
    """

    name = "autograd"

    def __init__(self, policy: nn.Module, forward: Callable[[Tensor], tuple[Logits, Tensor]]) -> None:
        self.policy, self._forward = policy, forward

    def act(self, observations: Tensor, noise: Tensor, legal: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        logits, value = self._forward(observations)
        return *sample(logits, noise, legal), value.flatten()

    def values(self, observations: Tensor) -> Tensor:
        return self._forward(observations)[1].flatten()

    def gradients(
        self,
        batch: Mapping[str, Tensor],
        index: Tensor,
        clip_coef: float,
        vf_coef: float,
        ent_coef: float,
        normalize_advantages: bool,
    ) -> tuple[Tensor, Tensor]:
        part = {name: tensor.index_select(0, index) for name, tensor in batch.items()}
        if normalize_advantages:
            part["advantages"] = normalized(part["advantages"])
        logits, value = self._forward(part["observations"])
        loss, statistics = ppo_loss(logits, value.flatten(), part, clip_coef, vf_coef, ent_coef)
        self.policy.zero_grad()
        loss.backward()
        return loss.detach(), statistics


def normalized(advantages: Tensor) -> Tensor:
    """With mean 0 and deviation 1."""
    return (advantages - advantages.mean()) / (advantages.std(correction=0) + 1e-8)
