"""What all policies have at their end: logits for any kind of action, and a value in the returns' own unit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.distributions import SquashedNormal
from pufferbench.errors import did_you_mean
from pufferbench.pytorch import Logits, exactly


class ActorCritic(nn.Module):
    """A policy in two halves: what a subclass makes of observations, and the heads, which are here.

    A subclass builds its layers, calls :meth:`add_heads` and has ``encode``. (LSTMs and the like
    go between the two halves.)

    Attributes:
        arguments: what a run folder needs, beside the spaces, to make this policy again.
        action_space: one agent's.
        sizes: of the logits, see :func:`output_sizes`.
        hidden_size: width of what the heads read.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    heads: nn.Linear
    log_std: Tensor
    value_mean: Tensor
    value_std: Tensor
    value_updates: Tensor
    action_middle: Tensor
    action_half: Tensor

    def add_heads(
        self, action_space: spaces.Space, hidden_size: int, log_std: str = "parameter", squash: bool = False
    ) -> None:
        """The last layer. To be called when the other layers are made.

        Args:
            action_space: one agent's Discrete, MultiDiscrete or Box. For a bounded Box the network's output 0 is
                the middle, and -1 and 1 are the bounds.
            hidden_size: width of what :meth:`encode` returns.
            log_std: where a Box's deviations come from: ``"parameter"``, one for each dimension, the same
                everywhere; or ``"state"``, further outputs of the network.
            squash: bend a Box's actions into its bounds with a tanh
                (:class:`pufferbench.distributions.SquashedNormal`). Otherwise those outside are cut off.
        """
        check_choice("log_std", log_std, ("parameter", "state"))
        if log_std == "state" and not isinstance(action_space, spaces.Box):
            raise ValueError(f"log_std='state' is for actions that are a Box, not {action_space}")
        if squash and not (isinstance(action_space, spaces.Box) and action_space.is_bounded()):
            raise ValueError(f"squash=True is for actions that are a Box with bounds, not {action_space}")
        usual = {"log_std": "parameter", "squash": False}  # which needs no mention
        asked = {"log_std": log_std, "squash": bool(squash)}
        self.arguments |= {name: value for name, value in asked.items() if value != usual[name]}
        self.action_space, self.hidden_size = action_space, hidden_size
        self.sizes = output_sizes(action_space)
        self._std_of_state, self._squash = log_std == "state", bool(squash)
        outputs = sum(self.sizes) * (2 if self._std_of_state else 1)
        # One matrix for logits and value: two narrow products cost almost twice as much as one
        self.heads = nn.Linear(hidden_size, outputs + 1)
        with torch.no_grad():  # nearly uniform actions to begin with (Huang et al., 2022, detail 2)
            nn.init.orthogonal_(self.heads.weight[:outputs], 0.01)
            nn.init.orthogonal_(self.heads.weight[outputs:], 1.0)
            self.heads.bias.zero_()
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        self.register_buffer("value_updates", torch.zeros((), dtype=torch.int64))
        if isinstance(action_space, spaces.Box):
            if not self._std_of_state:
                self.log_std = nn.Parameter(torch.zeros(outputs))
            middle, half = _middle_and_half(action_space)
            self.register_buffer("action_middle", torch.from_numpy(middle))
            self.register_buffer("action_half", torch.from_numpy(half))

    def forward(self, observations: Tensor) -> tuple[Logits, Tensor]:
        """Observations ``[rows, *shape]`` -> logits and value ``[rows]``."""
        return self.decode(self.encode(observations))

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> hidden ``[rows, hidden_size]``."""
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def decode(self, hidden: Tensor) -> tuple[Logits, Tensor]:
        """Hidden ``[rows, hidden_size]`` -> logits and value ``[rows]``."""
        with exactly(hidden.device.type):  # few numbers, and all their digits count
            outputs = self.heads(hidden.float())
        logits, value = outputs[:, :-1], self.value_mean + self.value_std * outputs[:, -1]
        if isinstance(self.action_space, spaces.Discrete):
            return logits, value
        if isinstance(self.action_space, spaces.MultiDiscrete):
            return logits.split(self.sizes, 1), value
        if self._std_of_state:
            logits, log_std = logits.chunk(2, 1)
            log_std = log_std.clamp(-5, 2)  # 0.007 to 7 half widths: no further, or exp overflows
        else:
            log_std = self.log_std
        if self._squash:
            scale = log_std.exp().expand_as(logits)
            return SquashedNormal(logits, scale, self.action_middle, self.action_half), value
        mean = self.action_middle + self.action_half * logits
        deviation = (self.action_half * log_std.exp()).expand_as(mean)
        return Normal(mean, deviation, validate_args=False), value

    @torch.no_grad()
    def update_value_scale(self, returns: Tensor) -> None:
        """Let the value's unit follow the mean and deviation of recent ``returns [steps]``.

        The network then puts out numbers of size 1 whatever the rewards' size; without that, a value of 60
        takes Adam hundreds of steps to reach (van Hasselt et al., 2016, "Learning values across many
        orders of magnitude").
        """
        self.value_updates += 1
        rate = max(1 / self.value_updates.item(), 0.1)
        square = self.value_std.square() + self.value_mean.square()
        self.value_mean += rate * (returns.mean() - self.value_mean)
        square += rate * (returns.square().mean() - square)
        smallest = 0.01 * self.value_mean.abs() + 1e-4  # where all returns are the same
        self.value_std.copy_((square - self.value_mean.square()).clamp(min=0).sqrt().maximum(smallest))


def output_sizes(action_space: spaces.Space) -> list[int]:
    """Numbers a policy puts out for an action: the choices of each discrete part, or a mean per dimension.

    Raises:
        TypeError: this kind of action has no policy.
    """
    if isinstance(action_space, (spaces.Discrete, spaces.MultiDiscrete)):
        counts = np.atleast_1d(
            action_space.n if isinstance(action_space, spaces.Discrete) else action_space.nvec
        )
        if counts.ndim == 1 and not np.any(action_space.start):
            return [int(count) for count in counts]
        raise TypeError(f"actions must count from 0 and be at most a vector, not {action_space}")
    if isinstance(action_space, spaces.Box) and np.issubdtype(action_space.dtype, np.floating):
        return [1] * math.prod(action_space.shape)
    raise TypeError(f"a policy's actions are Discrete, MultiDiscrete or a Box of floats, not {action_space}")


def _middle_and_half(space: spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half width of each dimension's bounds; 0 and 1 where there are none."""
    low, high = space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel()
    bounded = np.isfinite(low) & np.isfinite(high)
    middle = np.where(bounded, (np.where(bounded, low, 0) + np.where(bounded, high, 0)) / 2, 0.0)
    half = np.where(bounded, (np.where(bounded, high, 1) - np.where(bounded, low, 0)) / 2, 1.0)
    return middle.astype(np.float32), half.astype(np.float32)


def check_outputs(outputs: Any, action_space: spaces.Space, rows: int) -> None:
    """Raise ValueError, saying what is wrong, unless ``outputs`` are (logits, value) for ``rows`` rows."""
    if not isinstance(outputs, tuple) or len(outputs) != 2:
        raise ValueError(f"the policy must return (logits, value), not {_shape(outputs)}")
    logits, value = outputs
    if not isinstance(value, Tensor) or tuple(value.shape) not in ((rows,), (rows, 1)):
        raise ValueError(f"the policy's value must have shape [{rows}] or [{rows}, 1], not {_shape(value)}")
    sizes = output_sizes(action_space)
    if isinstance(action_space, spaces.Box):
        if not isinstance(logits, Normal) or tuple(logits.loc.shape) != (rows, len(sizes)):
            raise ValueError(
                f"for {action_space} the policy must return a torch.distributions.Normal with loc "
                f"[{rows}, {len(sizes)}] as logits, not {_shape(logits)}"
            )
    elif isinstance(action_space, spaces.Discrete):
        if not isinstance(logits, Tensor) or tuple(logits.shape) != (rows, sizes[0]):
            raise ValueError(
                f"for {action_space} the logits must have shape [{rows}, {sizes[0]}], not {_shape(logits)}"
            )
    elif not isinstance(logits, (tuple, list)) or [list(p.shape) for p in logits] != [
        [rows, n] for n in sizes
    ]:
        raise ValueError(
            f"for {action_space} the logits must be a tuple of tensors [{rows}, n] with n = {sizes}, "
            f"not {_shape(logits)}"
        )


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(list(value.shape))
    if isinstance(value, Normal):
        return f"Normal with loc {list(value.loc.shape)}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_shape(part) for part in value)})"
    return type(value).__name__


def check_size(name: str, value: Any) -> int:
    """``value`` when it can be a width or a number of layers; ValueError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}{did_you_mean(str(value), choices)}"
        )
