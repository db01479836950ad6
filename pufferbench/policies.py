"""Policies: torch modules that turn observations into logits (what to do) and a value (how good it is here).

One of your own is any ``nn.Module`` with ``__init__(self, observation_space, action_space)`` and
``forward(observations) -> (logits, value)``; see :mod:`pufferbench.pytorch` for what logits are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench import records
from pufferbench.env import PufferEnv
from pufferbench.errors import did_you_mean
from pufferbench.features import Features
from pufferbench.pytorch import Logits, layer_init
from pufferbench.records import CheckpointError
from pufferbench.recurrent import LSTMWrapper
from pufferbench.spaces import FlatBox


class MLP(nn.Module):
    """One hidden layer that policy and value share: the standard policy for vector observations.

    Observations of any kind become float32 features (:mod:`pufferbench.features`): numbers side by side, flags
    for choices. They are normalised to mean 0 and deviation 1 by running statistics that are saved with the
    weights; without that, features of size 0.01 and 100 beside each other would learn at very different
    speeds. Features that the space declares to be within -1..1 have been scaled already and are only centred:
    a flag that has never changed so far (a brick that always stood) would otherwise be enormous when it
    first does.

    Args:
        observation_space: one agent's flat space: a Box, Discrete or MultiDiscrete.
        action_space: one agent's Discrete, MultiDiscrete or Box. For a bounded Box the network's output 0
            is the middle, and -1 and 1 are the bounds.
        hidden_size: width of the hidden layer.
    """

    def __init__(
        self, observation_space: spaces.Space, action_space: spaces.Space, hidden_size: int = 128
    ) -> None:
        super().__init__()
        if not isinstance(hidden_size, int) or hidden_size < 1:
            raise ValueError(f"hidden_size must be a whole number of at least 1, not {hidden_size!r}")
        self.arguments = {"hidden_size": hidden_size}  # what a run folder needs to make this policy again
        self.features = Features(observation_space)
        self.inputs = inputs = self.features.size
        self.action_space = action_space
        self.sizes = output_sizes(action_space)
        outputs = sum(self.sizes)
        self.hidden = layer_init(nn.Linear(inputs, hidden_size))
        # One matrix for logits and value: two narrow products cost almost twice as much as one
        self.heads = nn.Linear(hidden_size, outputs + 1)
        with torch.no_grad():  # nearly uniform actions to begin with (Huang et al., 2022, detail 2)
            nn.init.orthogonal_(self.heads.weight[:outputs], 0.01)
            nn.init.orthogonal_(self.heads.weight[outputs:], 1.0)
            self.heads.bias.zero_()
        mean, deviation = _first_guess(observation_space, inputs)
        self.register_buffer("observation_mean", torch.from_numpy(mean))
        self.register_buffer("observation_var", torch.from_numpy(deviation**2))
        self.register_buffer("observation_count", torch.zeros((), dtype=torch.float64))
        # Smallest variance to divide by: 1 for features that have been scaled already
        floor = torch.from_numpy(self.features.scaled.astype(np.float32))
        self.register_buffer("observation_floor", floor, persistent=False)
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_std", torch.ones(()))
        self.register_buffer("value_updates", torch.zeros((), dtype=torch.int64))
        if isinstance(action_space, spaces.Box):
            self.log_std = nn.Parameter(torch.zeros(outputs))
            middle, half = _middle_and_half(action_space)
            self.register_buffer("action_middle", torch.from_numpy(middle))
            self.register_buffer("action_half", torch.from_numpy(half))

    observation_mean: Tensor
    observation_var: Tensor
    observation_count: Tensor
    observation_floor: Tensor
    value_mean: Tensor
    value_std: Tensor
    value_updates: Tensor
    action_middle: Tensor
    action_half: Tensor

    def forward(self, observations: Tensor) -> tuple[Logits, Tensor]:
        """Observations ``[rows, *shape]`` -> logits and value ``[rows]``."""
        return self.decode(self.encode(observations))

    def encode(self, observations: Tensor) -> Tensor:
        """The hidden layer's output ``[rows, hidden_size]``."""
        x = self.features(observations)
        scale = (torch.maximum(self.observation_var, self.observation_floor) + 1e-6).rsqrt()
        x = (x - self.observation_mean).mul_(scale).clamp_(-10, 10)
        return torch.relu_(self.hidden(x))

    def decode(self, hidden: Tensor) -> tuple[Logits, Tensor]:
        """Logits and value of the hidden layer's output."""
        outputs = self.heads(hidden)
        logits, value = outputs[:, :-1], self.value_mean + self.value_std * outputs[:, -1]
        if isinstance(self.action_space, spaces.Discrete):
            return logits, value
        if isinstance(self.action_space, spaces.MultiDiscrete):
            return logits.split(self.sizes, 1), value
        mean = self.action_middle + self.action_half * logits
        deviation = (self.action_half * self.log_std.exp()).expand_as(mean)
        return Normal(mean, deviation, validate_args=False), value

    @torch.no_grad()
    def update_statistics(self, observations: Tensor) -> None:
        """Take ``observations [rows, *shape]`` into the running mean and variance (Chan et al., 1979).

        Of large batches, evenly spread rows: at most 16,384.
        """
        observations = observations[:: 1 + len(observations) // 16_384]  # as many say as much
        for part in observations.split(4096):  # pieces that fit the cache: 6 times as fast as var_mean
            if not len(part):
                continue
            x = self.features(part) - self.observation_mean
            total = self.observation_count + len(x)
            weight = (len(x) / total).float()
            delta = x.mean(0)
            square = x.square_().mean(0)  # mean square distance to the old mean
            self.observation_var += weight * (square - weight * delta.square() - self.observation_var)
            self.observation_mean += weight * delta
            self.observation_count.copy_(total)

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


def _first_guess(observation_space: spaces.Space, inputs: int) -> tuple[np.ndarray, np.ndarray]:
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


class LSTM(LSTMWrapper):
    """An :class:`MLP` with an LSTM between its hidden layer and the heads: for what cannot be seen at once.

    Args:
        observation_space, action_space: as for the MLP.
        hidden_size: width of the hidden layer, and number of LSTM cells.
    """

    def __init__(
        self, observation_space: spaces.Space, action_space: spaces.Space, hidden_size: int = 128
    ) -> None:
        super().__init__(MLP(observation_space, action_space, hidden_size), hidden_size, hidden_size)
        self.arguments = {"hidden_size": hidden_size}


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


# -- names and files ----------------------------------------------------------------------------

POLICIES: dict[str, type[nn.Module]] = {"MLP": MLP, "LSTM": LSTM}


def make(name: str, observation_space: spaces.Space, action_space: spaces.Space, **kwargs: Any) -> nn.Module:
    """The policy called ``name``. Names are all that runs and presets know: nothing is ever imported by path.

    Raises:
        ValueError: no policy has this name; one of your own has to be passed as an object.
        TypeError: it has no such option.
    """
    if name not in POLICIES:
        raise ValueError(
            f"unknown policy {name!r}{did_you_mean(name, POLICIES)} (known: {', '.join(POLICIES)}; "
            "a policy of your own is passed as an object: policy=MyPolicy(...))"
        )
    return POLICIES[name](observation_space, action_space, **kwargs)


def from_preset(policy: str | None, preset: Mapping[str, Any], env: PufferEnv, seed: int) -> nn.Module:
    """The policy called ``policy`` (None: the preset's, or an MLP), with the same weights for the same seed."""
    if policy is not None and not isinstance(policy, str):
        raise TypeError(
            "policy must be a torch module such as MyPolicy(env.observation_space, env.action_space), "
            f"or the name of one, not {policy!r}"
        )
    arguments = dict(preset)
    name = arguments.pop("name", "MLP")
    if policy not in (None, name):
        name, arguments = policy, {}
    with torch.random.fork_rng(devices=[]):  # torch's global generator stays where it was
        torch.manual_seed(seed)
        return make(name, env.observation_space, env.action_space, **arguments)


def name_of(policy: nn.Module) -> str:
    """The name that :func:`make` knows the policy by, "" for one of the user's own."""
    return next((name for name, known in POLICIES.items() if type(policy) is known), "")


def load(
    path: str | Path,
    observation_space: spaces.Space,
    action_space: spaces.Space,
    policy: nn.Module | None = None,
) -> nn.Module:
    """The policy of a checkpoint, ready to play.

    Args:
        policy: the module to load into; None makes the one that the checkpoint names.

    Raises:
        CheckpointError: the file is damaged or foreign, does not fit these spaces or this policy, or names
            no policy known here and none was passed.
    """
    path = records.checkpoint_path(path)
    arrays, header = records.load_checkpoint(path)
    check_spaces(header, observation_space, action_space, path)
    if policy is None:
        about = header.get("policy", {})
        if about.get("name", "") not in POLICIES:
            raise CheckpointError(
                f"{path} holds a policy that is not one of PufferBench's ({', '.join(POLICIES)}); pass it: "
                "policy=MyPolicy(env.observation_space, env.action_space)"
            )
        try:
            policy = make(about["name"], observation_space, action_space, **about.get("arguments", {}))
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} describes a policy that cannot be made: {error}") from error
    load_weights(policy, arrays, path)
    return policy


def check_spaces(
    header: dict[str, Any], observation_space: spaces.Space, action_space: spaces.Space, path: Path
) -> None:
    """Raise :class:`CheckpointError` when a checkpoint was made for other spaces."""
    for kind, space in (("observation", observation_space), ("action", action_space)):
        saved = header.get(f"{kind}_space", "")
        if saved != describe_space(space):
            env = header.get("env", {}).get("id") or "another env"
            raise CheckpointError(
                f"{path} was trained on {env} with {kind} space {saved}; "
                f"this env's is {describe_space(space)}"
            )


def describe_space(space: spaces.Space) -> str:
    """A space's kind, shape and type in a line, without the bounds of each element."""
    if isinstance(space, spaces.Box) and not isinstance(space, FlatBox):
        return f"Box(shape {tuple(space.shape)}, {space.dtype})"
    return str(space)


def load_weights(policy: nn.Module, arrays: dict[str, np.ndarray], path: Path) -> None:
    """Put a checkpoint's weights into ``policy``, all or none. Raises :class:`CheckpointError`."""
    saved = {name.removeprefix("policy."): a for name, a in arrays.items() if name.startswith("policy.")}
    wanted = policy.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in saved]
    wrong += [f"{name} is unknown" for name in saved if name not in wanted]
    wrong += [
        f"{name} has shape {saved[name].shape}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in saved and saved[name].shape != tuple(tensor.shape)
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"{path} does not fit this {type(policy).__name__}: {'; '.join(wrong[:3])}{more}; "
            "make the policy with the sizes it was trained with"
        )
    policy.load_state_dict({name: torch.tensor(array) for name, array in saved.items()})


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
