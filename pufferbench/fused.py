"""The standard MLP's learner on a CPU: the same sums as autograd's, in chunks that never leave the cache.

A batch of 65,536 rows times 128 hidden units fills 32 MB, and autograd writes and reads that a dozen times. Here
1024 rows at a time go all the way from observations to gradients. Large matrices are multiplied by torch's
library, small ones (which it is slow at) and all the rest by :mod:`pufferbench.fused_kernels`.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench import fused_kernels as kernels
from pufferbench.kernels import Objective
from pufferbench.policies import MLP

CHUNK = 1024  # rows; 128 hidden units of them are 512 kB
FEW_INPUTS = 32  # up to here our own product is faster than the library's
PARTS = 2  # a minibatch is always summed up in two halves, so that one thread and two give the same bits
ALL_LEGAL = np.ones((0, 0), np.bool_)
WORTH_A_THREAD = 2048  # rows of a half; fewer are done before another thread has woken up


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

    def __init__(self, policy: MLP, threads: int = 1) -> None:
        self.policy = policy
        self.starts = np.array([0, *accumulate(policy.sizes)])
        self._parts = [_Part(policy, self.starts) for _ in range(PARTS)]
        self._pool = ThreadPoolExecutor(1, "pufferbench-fused") if threads > 1 else None
        self._rows = np.arange(CHUNK)

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *_: Tensor
    ) -> tuple[Tensor, ...]:
        count, part = len(observations), self._parts[0]
        actions = np.empty((count, len(self.starts) - 1), np.int64)
        logprobs, values = np.zeros(count, np.float32), np.empty(count, np.float32)
        seen, noise_rows = _rows(observations), noise.reshape(count, -1).numpy()
        allowed = ALL_LEGAL if legal is None else legal.numpy()
        part.load()
        for start in range(0, count, part.chunk):
            stop = min(start + part.chunk, count)
            index = self._rows[: stop - start]
            part.forward(seen[start:stop], index, allowed[start:stop])
            part.sample(noise_rows[start:stop], actions[start:stop], logprobs[start:stop])
            values[start:stop] = part.value()
        single = isinstance(self.policy.action_space, spaces.Discrete)
        chosen = torch.from_numpy(actions[:, 0] if single else actions)
        return chosen, torch.from_numpy(logprobs), torch.from_numpy(values)

    def values(self, observations: Tensor, *_: Tensor) -> Tensor:
        count, part, seen = len(observations), self._parts[0], _rows(observations)
        values = np.empty(count, np.float32)
        part.load()
        for start in range(0, count, part.chunk):
            stop = min(start + part.chunk, count)
            part.forward(seen[start:stop], self._rows[: stop - start], ALL_LEGAL)
            values[start:stop] = part.value()
        return torch.from_numpy(values)

    def gradients(
        self, batch: Mapping[str, Tensor], index: Tensor, objective: Objective
    ) -> tuple[Tensor, Tensor]:
        clip_coef, vf_coef, ent_coef, normalize_advantages = objective
        rows, count = index.numpy(), len(index)
        arrays = {name: tensor.numpy() for name, tensor in batch.items() if name != "observations"}
        arrays["observations"] = _rows(batch["observations"])
        arrays["actions"] = arrays["actions"].reshape(len(arrays["actions"]), -1)
        mean, inverse_std = 0.0, 1.0
        if normalize_advantages:
            advantages = batch["advantages"].index_select(0, index)
            mean, inverse_std = advantages.mean().item(), 1 / (advantages.std(correction=0).item() + 1e-8)
        numbers = [np.float32(n) for n in (mean, inverse_std, clip_coef, vf_coef, ent_coef)]
        share = np.float32(1 / count)
        halves = rows[: count // 2], rows[count // 2 :]
        first, second = (
            partial(part.gradients, arrays, half, numbers, share)
            for part, half in zip(self._parts, halves, strict=True)
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
        self._hand_over()
        statistics = (self._parts[0].statistics + self._parts[1].statistics) / count
        policy_loss, value_loss, entropy = statistics[:3]
        loss = policy_loss + vf_coef * value_loss - ent_coef * entropy
        return torch.tensor(loss, dtype=torch.float32), torch.from_numpy(statistics).float()

    def epoch(self, *_: Any) -> None:
        return None

    def _hand_over(self) -> None:
        """The parts' sums become the parameters' gradients."""
        first, second = self._parts
        d_hidden = first.d_hidden.add_(second.d_hidden)
        d_heads, d_heads_bias = first.d_heads + second.d_heads, first.d_heads_bias + second.d_heads_bias
        hidden, heads = self.policy.hidden, self.policy.heads
        gradients: list[tuple[Tensor, Tensor]] = [
            (hidden.weight, d_hidden[:, :-1]),
            (hidden.bias, d_hidden[:, -1]),
            (heads.weight, torch.from_numpy(d_heads)),
            (heads.bias, torch.from_numpy(d_heads_bias)),
        ]
        for parameter, gradient in gradients:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(gradient)  # not a view: torch's fused Adam reads any gradient as contiguous
        for part in self._parts:
            part.outdated = True  # the optimizer comes next, and its fused form does not count versions


class _Part:
    """Arrays for one chunk at a time, and the gradients summed up so far."""

    def __init__(self, policy: MLP, starts: np.ndarray) -> None:
        outputs, hidden = policy.heads.weight.shape
        inputs = policy.inputs
        self.policy, self.few = policy, inputs <= FEW_INPUTS
        self.choices = list(pairwise(starts.tolist()))
        self.w1 = torch.empty(hidden, inputs + 1)  # the bias is the weight of an input that is always 1
        self.w2, self.b2 = policy.heads.weight.detach().numpy(), policy.heads.bias.detach().numpy()
        self.d_hidden = torch.empty(hidden, inputs + 1)
        # The same memory for Numba: looking it up anew for each chunk is a good part of the time
        self.w1_array, self.d_hidden_array = self.w1.numpy(), self.d_hidden.numpy()
        self.d_heads = np.empty((outputs, hidden), np.float32)
        self.d_heads_bias = np.empty(outputs, np.float32)
        self.chunk = min(max(CHUNK * 128 // hidden, 64), CHUNK)  # rows at a time: a wide layer has fewer
        sizes = {"x": inputs + 1, "h": hidden, "out": outputs, "scratch": 4}
        self._memory = {name: torch.empty(size * self.chunk) for name, size in sizes.items()}
        self.fit(self.chunk)
        self.starts = starts
        self.statistics = np.zeros(5)
        self._tensors = [*policy.parameters(), *policy.buffers()]
        self._loaded: list[int] = []
        self.outdated = True

    def fit(self, rows: int) -> None:
        """Give the arrays just ``rows`` columns, in the same memory: then a few rows lie close together."""
        self.rows = rows
        parts = {name: memory[: len(memory) // self.chunk * rows] for name, memory in self._memory.items()}
        self.x = parts["x"].view((-1, rows) if self.few else (rows, -1))
        self.h = parts["h"].view(-1, rows)
        self.x_array, self.h_array = self.x.numpy(), self.h.numpy()
        self.out, self.scratch = (parts[name].view(-1, rows).numpy() for name in ("out", "scratch"))

    def load(self) -> None:
        """The weights as they are now, if they have changed."""
        versions = [tensor._version for tensor in self._tensors]
        if versions == self._loaded and not self.outdated:
            return
        policy, self._loaded, self.outdated = self.policy, versions, False
        scale = (torch.maximum(policy.observation_var, policy.observation_floor) + 1e-6).rsqrt()
        self.mean, self.scale = policy.observation_mean.numpy(), scale.numpy()
        with torch.no_grad():
            self.w1[:, :-1], self.w1[:, -1] = policy.hidden.weight, policy.hidden.bias
        self.value_mean = np.float32(policy.value_mean.item())
        self.value_std = np.float32(policy.value_std.item())

    def forward(self, observations: np.ndarray, index: np.ndarray, legal: np.ndarray) -> None:
        """Log probabilities, and the value's output below them, into ``out``."""
        rows = len(index)
        if rows != self.rows:
            self.fit(rows)
        x, h = self.x_array, self.h_array
        if self.few:
            kernels.features_as_columns(observations, index, self.mean, self.scale, x)
            kernels.hidden_from_columns(self.w1_array, x, h, rows)
        else:
            kernels.features_as_rows(observations, index, self.mean, self.scale, x)
            torch.mm(self.w1, self.x.t(), out=self.h)
        kernels.relu_and_heads(h, self.w2, self.b2, self.out, rows)
        for start, stop in self.choices:
            kernels.log_softmax(self.out, start, stop, legal, index, rows, self.scratch)

    def sample(self, noise: np.ndarray, actions: np.ndarray, logprobs: np.ndarray) -> None:
        for k, (start, stop) in enumerate(self.choices):
            kernels.sample(self.out, start, stop, noise, k, actions, logprobs, len(actions), self.scratch)

    def value(self) -> np.ndarray:
        """Of the rows of the last ``forward``."""
        return self.value_mean + self.value_std * self.out[-1]

    def gradients(
        self, batch: dict[str, np.ndarray], index: np.ndarray, numbers: list, share: np.float32
    ) -> None:
        """Those of the rows ``index``, as sums."""
        self.load()
        for array in (self.d_hidden_array, self.d_heads, self.d_heads_bias, self.statistics):
            array[...] = 0
        legal = batch.get("action_masks", ALL_LEGAL)
        arrays = [batch[name] for name in ("actions", "logprobs", "advantages", "returns")]
        for start in range(0, len(index), self.chunk):
            chunk = index[start : start + self.chunk]
            rows = len(chunk)
            self.forward(batch["observations"], chunk, legal)
            h, out = self.h_array, self.out
            kernels.loss_gradient(
                out, self.starts, *arrays, chunk, rows, *numbers,
                self.value_mean, self.value_std, share, self.statistics, self.scratch,
            )  # fmt: skip
            kernels.add_products(out, h, rows, self.d_heads)
            kernels.add_sums(out, rows, self.d_heads_bias)
            kernels.back_to_hidden(h, self.w2, out, rows, self.scratch)
            if self.few:
                kernels.add_products(h, self.x_array, rows, self.d_hidden_array)
            else:
                self.d_hidden.addmm_(self.h, self.x)


def _rows(observations: Tensor) -> np.ndarray:
    """``[rows, inputs]``, not copied."""
    return observations.reshape(len(observations), -1).numpy()
