"""The standard MLP's learner on a CPU: the same sums as autograd's, in chunks that never leave the cache.

A batch of 65,536 rows times 128 hidden units fills 32 MB, and autograd writes and reads that a dozen times. Here a
few rows at a time go all the way from observations to gradients, in compiled code (:mod:`pufferbench.fused_kernels`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import accumulate

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench import fused_kernels as kernels
from pufferbench.env import PufferEnv
from pufferbench.fused_play import Player, player_for
from pufferbench.fused_steps import Layers, adam_of, flat, take_steps
from pufferbench.kernels import LOSS_STATISTICS, Objective
from pufferbench.optimizers import Muon
from pufferbench.out_of_memory import room_for
from pufferbench.policies import MLP
from pufferbench.rollout import Rollout
from pufferbench.second_thread import SecondThread

PARTS = 2  # a minibatch is always summed up in two halves, so that one thread and two give the same bits
NO_MASKS = np.ones((0, 0), np.bool_)  # every action is legal
WORTH_A_THREAD = 1024  # rows of a half; fewer are done before another thread has woken up


def misfit(policy: nn.Module, device: torch.device) -> str:
    """Why :class:`Fused` cannot learn for this policy; "" if it can."""
    if type(policy) is not MLP:
        return f"it does the sums of policies.MLP only, not those of {type(policy).__name__}"
    if device.type != "cpu":
        return f"it is for the CPU, not for {device}"
    if policy.features.part is not None:
        return "observations are not plain numbers"
    if not isinstance(policy.action_space, (spaces.Discrete, spaces.MultiDiscrete)):
        return f"actions are {policy.action_space}, not choices"
    if not all(parameter.requires_grad for parameter in policy.parameters()):
        return "some of the parameters are frozen"
    return ""


class Fused:
    """See :class:`pufferbench.learner.Learner`.

    Args:
        policy: one without a :func:`misfit`.
        threads: 1, or 2 for the two halves of large minibatches.
    """

    name = "fused"
    torch_threads = (
        1  # torch's own, once woken, wait for work without sleeping, and would take our second thread's core
    )

    def __init__(self, policy: MLP, threads: int = 1) -> None:
        self.policy = policy
        starts = np.array([0, *accumulate(policy.sizes)])
        with room_for("the fused learner's arrays", "take a smaller hidden_size, or learner='autograd'"):
            self.net = kernels.network(policy.inputs, policy.hidden_size, starts)
            self.work = [kernels.work(self.net) for _ in range(PARTS)]
        self.threads = threads
        self._pool = SecondThread("pufferbench-fused") if threads > 1 else None
        self._layers = [policy.hidden.weight, policy.hidden.bias, policy.heads.weight, policy.heads.bias]
        self._gradients = Layers(*(np.zeros(layer.shape, np.float32) for layer in self._layers))
        self._tensors = [*policy.parameters(), *policy.buffers()]
        self._loaded: list[int] = []
        self._outdated = True

    def load(self) -> None:
        """Take the policy's weights as they are now, if they have changed."""
        versions = [tensor._version for tensor in self._tensors]
        if versions == self._loaded and not self._outdated:
            return
        policy, net = self.policy, self.net
        self._loaded, self._outdated = versions, False
        scale = (torch.maximum(policy.observation_var, policy.observation_floor) + 1e-6).rsqrt()
        net.mean[:], net.scale[:] = policy.observation_mean.numpy(), scale.numpy()
        net.unit[:] = policy.value_mean.item(), policy.value_std.item()
        kernels.load(net, *_arrays(self._layers))

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *_: Tensor
    ) -> tuple[Tensor, ...]:
        count = len(observations)
        actions = np.empty((count, len(self.net.starts) - 1), np.int64)
        logprobs, values = np.empty(count, np.float32), np.empty(count, np.float32)
        self.load()
        masks = NO_MASKS if legal is None else legal.numpy()
        seen, draws = _rows(observations), noise.reshape(count, -1).numpy()
        kernels.act(self.net, self.work[0], seen, masks, draws, actions, logprobs, values)
        single = isinstance(self.policy.action_space, spaces.Discrete)
        chosen = torch.from_numpy(actions[:, 0] if single else actions)
        return chosen, torch.from_numpy(logprobs), torch.from_numpy(values)

    def values(self, observations: Tensor, *_: Tensor) -> Tensor:
        values = np.empty(len(observations), np.float32)
        self.load()
        kernels.judge(self.net, self.work[0], _rows(observations), NO_MASKS, values)
        return torch.from_numpy(values)

    def player(self, env: PufferEnv, rollout: Rollout) -> Player | None:
        return player_for(env, rollout, self, self._pool)

    def gradients(
        self, batch: Mapping[str, Tensor], index: Tensor, objective: Objective
    ) -> tuple[Tensor, Tensor]:
        rows, count = index.numpy(), len(index)
        arrays = [*_decisions(batch), *_numbers(batch)]
        mean, inverse_std = 0.0, 1.0
        if objective.normalize_advantages:
            mean, deviation = kernels.mean_and_deviation(batch["advantages"].numpy(), rows)
            inverse_std = 1 / (deviation + 1e-8)
        numbers = [np.float32(n) for n in (mean, inverse_std, *objective[:3], 1 / count)]
        self.load()
        halves = rows[: count // 2], rows[count // 2 :]
        first, second = (
            partial(kernels.gradients, self.net, work, *arrays, half, *numbers)
            for work, half in zip(self.work, halves, strict=True)
        )
        if self._pool is not None and len(halves[0]) >= WORTH_A_THREAD:
            other = self._pool.submit(second)
            try:
                first()
            finally:  # also after Ctrl-C: nobody else may write there while it does
                other.result()
        else:
            first()
            second()
        for parameter in self._layers:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
        kernels.hand_over(*self.work, *_arrays(parameter.grad for parameter in self._layers))
        self._outdated = True  # the optimizer comes next, and its fused form does not count versions
        statistics = (self.work[0].statistics + self.work[1].statistics) / count
        policy_loss, value_loss, entropy = statistics[:3]
        loss = policy_loss + objective.vf_coef * value_loss - objective.ent_coef * entropy
        return torch.tensor(loss, dtype=torch.float32), torch.from_numpy(statistics).float()

    def logprobs(self, batch: Mapping[str, Tensor], index: Tensor) -> Tensor:
        found = np.empty(len(index), np.float32)
        self.load()
        kernels.look_up(self.net, self.work[0], *_decisions(batch), index.numpy(), found)
        return torch.from_numpy(found)

    def epoch(
        self,
        batch: Mapping[str, Tensor],
        parts: Sequence[Tensor],
        objective: Objective,
        optimizer: torch.optim.Optimizer | Muon,
        max_grad_norm: float,
    ) -> Tensor | None:
        """Small minibatches; large ones PuffeRL takes one by one, in two threads where they are faster."""
        if len(parts[0]) >= 2 * WORTH_A_THREAD:
            return None
        adam = adam_of(optimizer, self._layers)
        if adam is None:
            return None
        self.load()
        layers, into = Layers(*_arrays(self._layers)), self._gradients
        bounds = np.cumsum([0, *map(len, parts)])
        totals = np.zeros(len(LOSS_STATISTICS) + 1)
        take_steps(
            self.net, *self.work, *_decisions(batch), *_numbers(batch), torch.cat(list(parts)).numpy(), bounds,
            objective.normalize_advantages, *map(np.float32, objective[:3]), max_grad_norm,
            layers, flat(layers), into, flat(into), adam, totals,
        )  # fmt: skip
        return torch.from_numpy(totals).float()


def _decisions(batch: Mapping[str, Tensor]) -> list[np.ndarray]:
    """Observations ``[rows, inputs]``, legal actions ``[rows, n]`` or none, actions ``[rows, choices]``."""
    masks = batch["action_masks"].numpy() if "action_masks" in batch else NO_MASKS
    return [_rows(batch["observations"]), masks, batch["actions"].reshape(len(batch["actions"]), -1).numpy()]


def _numbers(batch: Mapping[str, Tensor]) -> list[np.ndarray]:
    """What the loss compares with, ``[rows]`` each."""
    return [batch[name].numpy() for name in ("logprobs", "advantages", "returns")]


def _rows(observations: Tensor) -> np.ndarray:
    """``[rows, inputs]``, not copied."""
    return observations.reshape(len(observations), -1).numpy()


def _arrays(tensors: Iterable[Tensor | None]) -> list[np.ndarray]:
    """The same memory for Numba."""
    return [tensor.detach().numpy() for tensor in tensors if tensor is not None]
