"""Small torch helpers for policies: initialisation, observations in parts, sampling from what a policy returns.

A policy returns *logits*, by the kind of its action space:

=================  =============================================================================
Discrete           a tensor ``[rows, n]``
MultiDiscrete      a tuple of tensors ``[rows, n_k]``, one for each choice
Box                a ``torch.distributions.Normal`` whose loc and scale are ``[rows, dimensions]``; or a
                   :class:`pufferbench.distributions.SquashedNormal`, which never leaves the bounds
=================  =============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.distributions import SquashedNormal, actions_of, like, plain_entropy, plain_log_prob
from pufferbench.out_of_memory import SMALLER_BATCH, room_for
from pufferbench.recurrent import GRUWrapper as GRUWrapper
from pufferbench.recurrent import LSTMWrapper as LSTMWrapper
from pufferbench.spaces import FlatBox, Items, Layout, Numbers, Record

Logits = Tensor | Sequence[Tensor] | Normal
Layer = TypeVar("Layer", bound=nn.Module)


def layer_init(layer: Layer, std: float = math.sqrt(2), bias: float = 0.0) -> Layer:
    """Orthogonal weights with gain ``std`` and a constant ``bias``; returns the layer.

    Saxe et al. (2014); for PPO see Huang et al. (2022), "The 37 implementation details of PPO", detail 2.
    """
    nn.init.orthogonal_(layer.weight, std)  # type: ignore[arg-type]
    if layer.bias is not None:
        nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
    return layer


def unflatten_observations(observations: Tensor, observation_space: spaces.Space) -> Any:
    """The parts of flattened observations, as views: nothing is copied. Works under ``torch.compile``.

    Args:
        observations: ``[rows, n]``, what a policy gets.
        observation_space: the env's. One that was not flattened has no parts.

    Returns:
        For a Dict a dict, for a Tuple a tuple, of tensors ``[rows, *shape]`` in the types of their spaces
        (choices, counted from 0, are int32). A Text is the numbers of its characters ``[rows, max_length]``,
        0 where it has ended; a Sequence ``{"length": [rows], "items": [rows, max_length, *shape]}``. For a
        space that was not flattened, ``observations`` itself.

    Raises:
        TypeError: ``observations`` have been converted to another type, so that their bytes are gone.
    """
    if not isinstance(observation_space, FlatBox):
        return observations
    unit = 4 if observation_space.is_float32 else 1
    kind = torch.float32 if observation_space.is_float32 else torch.uint8
    if observations.dtype != kind:
        raise TypeError(
            f"observations of this space are {kind} in memory, not {observations.dtype}: unflatten them first"
        )
    return _unflatten(observations, observation_space.layout, unit)


def _unflatten(part: Tensor, layout: Layout, unit: int) -> Any:
    """``part [rows, ..., size]``, of elements of ``unit`` bytes, as ``layout`` says."""
    if isinstance(layout, Record):
        pieces = [
            _unflatten(part[..., start // unit : (start + below.size) // unit], below, unit)
            for start, below in zip(layout.offsets, layout.parts, strict=True)
        ]
        return dict(zip(layout.keys, pieces, strict=True)) if layout.is_dict else tuple(pieces)
    if isinstance(layout, Items):
        items = part[..., layout.offset : layout.offset + layout.bound * layout.item.size]
        return {
            "length": part[..., :4].view(torch.int32).squeeze(-1),
            "items": _unflatten(items.unflatten(-1, (layout.bound, layout.item.size)), layout.item, unit),
        }
    assert isinstance(layout, Numbers)
    numbers = part.view(getattr(torch, layout.kind))
    return numbers.view(*part.shape[:-1], *layout.shape)


def sample_logits(
    logits: Logits,
    actions: Tensor | None = None,
    action_masks: Tensor | None = None,
    deterministic: bool = False,
    noise: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sample actions, or look up given ones.

    Args:
        logits: what the policy returned (see the top of this file).
        actions: ``[rows]`` or ``[rows, choices]``; None samples them.
        action_masks: bool ``[rows, n]`` (all choices side by side), False: illegal.
        deterministic: the most probable action instead of a sample.
        noise: for sampling, from :func:`draw_noise`; None draws it from torch's global generator.

    Returns:
        ``(actions, logprobs, entropy)``; the last two ``[rows]``, summed over choices or dimensions.
    """
    if actions is None:
        actions = greedy(logits, action_masks) if deterministic else sample(logits, noise, action_masks)[0]
    return actions, *log_prob_entropy(logits, actions, action_masks)


def draw_noise(
    action_space: spaces.Space, size: tuple[int, ...], generator: torch.Generator | None = None
) -> Tensor:
    """The randomness of ``size`` actions: uniform for choices, normal for Box dimensions. On the CPU."""
    with room_for("the random numbers of an update", SMALLER_BATCH):
        if isinstance(action_space, spaces.Box):
            return torch.randn(*size, math.prod(action_space.shape), generator=generator)
        choices = action_space.shape if isinstance(action_space, spaces.MultiDiscrete) else ()
        return torch.rand(*size, *choices, generator=generator)


def sample(
    logits: Logits, noise: Tensor | None = None, action_masks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``(actions, logprobs)`` drawn with ``noise`` (of :func:`draw_noise`)."""
    if isinstance(logits, Normal):
        noise = torch.randn_like(logits.loc) if noise is None else noise
        actions = actions_of(logits, logits.loc + logits.scale * noise)
        return actions, normal_log_prob(logits, actions)
    if isinstance(logits, Tensor):
        log_probs = masked_log_softmax(logits, action_masks)
        noise = torch.rand_like(log_probs[:, 0]) if noise is None else noise
        actions = _inverse_cdf(log_probs, noise)
        return actions, log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)
    masks = split_masks(action_masks, logits)
    columns = [None] * len(logits) if noise is None else list(noise.unbind(1))
    drawn = [sample(part, column, mask) for part, column, mask in zip(logits, columns, masks, strict=True)]
    return torch.stack([action for action, _ in drawn], 1), torch.stack(
        [logprob for _, logprob in drawn]
    ).sum(0)


def _inverse_cdf(log_probs: Tensor, uniform: Tensor) -> Tensor:
    """Count the steps of the cumulated probabilities below the uniform number: one draw per row.

    ``>=`` and scaling by the last sum keep actions of probability 0 out, also at the ends of [0, 1).
    """
    cdf = log_probs.exp().cumsum(1)
    return ((uniform * cdf[:, -1]).unsqueeze(1) >= cdf[:, :-1]).sum(1)


def greedy(logits: Logits, action_masks: Tensor | None = None) -> Tensor:
    """The most probable actions; of squashed ones the median."""
    if isinstance(logits, Normal):
        return actions_of(logits, logits.loc)
    if isinstance(logits, Tensor):
        return (logits if action_masks is None else masked_log_softmax(logits, action_masks)).argmax(1)
    masks = split_masks(action_masks, logits)
    return torch.stack([greedy(part, mask) for part, mask in zip(logits, masks, strict=True)], 1)


def log_prob_entropy(
    logits: Logits, actions: Tensor, action_masks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """``(logprobs, entropy)``, both ``[rows]``, of ``actions`` under ``logits``."""
    if isinstance(logits, Normal):
        entropy = logits.entropy() if isinstance(logits, SquashedNormal) else plain_entropy(logits)
        return normal_log_prob(logits, actions), entropy.sum(1)
    if isinstance(logits, Tensor):
        log_probs = masked_log_softmax(logits, action_masks)
        logprobs = log_probs.gather(1, actions.unsqueeze(1)).squeeze(1)
        return logprobs, -(log_probs.exp() * log_probs).sum(1)
    masks = split_masks(action_masks, logits)
    parts = [
        log_prob_entropy(part, column, mask)
        for part, column, mask in zip(logits, actions.unbind(1), masks, strict=True)
    ]
    return torch.stack([part[0] for part in parts]).sum(0), torch.stack([part[1] for part in parts]).sum(0)


def normal_log_prob(normal: Normal, actions: Tensor) -> Tensor:
    """Log density of ``actions``, summed over dimensions."""
    if isinstance(normal, SquashedNormal):
        return normal.log_prob(actions).sum(1)
    return plain_log_prob(normal, actions).sum(1)


def masked_log_softmax(logits: Tensor, action_masks: Tensor | None) -> Tensor:
    """Log probabilities; illegal actions get a huge negative *finite* one (0 * -inf would be NaN)."""
    if action_masks is not None:
        logits = logits.masked_fill(~action_masks, torch.finfo(logits.dtype).min / 4)
    return torch.log_softmax(logits, 1)


def split_masks(action_masks: Tensor | None, logits: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """One legal-action mask for each choice, from the masks side by side."""
    if action_masks is None:
        return [None] * len(logits)
    return action_masks.split([part.shape[1] for part in logits], 1)


def in_bfloat16(forward: Callable[..., Any], device: str) -> Callable[..., Any]:
    """``forward`` with its large layers in bfloat16 (torch.autocast), and what it returns in float32.

    Args:
        forward: what a policy is asked with: tensors -> tensors, Normals, and tuples of them.
        device: "cpu" or "cuda".
    """

    def cast(*args: Any) -> Any:
        with torch.autocast(device, torch.bfloat16):
            return _in_float32(forward(*args))

    return cast


def exactly(device: str) -> AbstractContextManager[Any]:
    """A block in which :func:`in_bfloat16` does nothing. Devices without bfloat16 ("meta") need none."""
    return torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext()


def _in_float32(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.float()
    if isinstance(outputs, Normal):
        return like(outputs, outputs.loc.float(), outputs.scale.float())
    return tuple(map(_in_float32, outputs))


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``. On its way to a GPU nobody waits: it goes through pinned memory, which the GPU reads
    by itself, and which torch gives to others only when it has been read.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run a block with ``count`` torch threads, then go back to as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
