"""Any observation as numbers that a linear layer can take: float32 ``[rows, size]``.

A number is itself. A choice of n becomes n flags, of which one is 1 (a policy that saw "room 7" as the
number 7 would have to find out that it is not a little more than room 6). So do the characters of a text.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench.pytorch import unflatten_observations
from pufferbench.spaces import Characters, Choices, FlatBox, Items, Layout, Numbers, Record, layout_of

MOST_FLAGS = 16_384  # for one part of an observation; with more, its choices become numbers from 0 to 1


class Features(nn.Module):
    """Observations of one agent's flat space -> features. It has no parameters.

    Args:
        observation_space: a Box, Discrete, MultiDiscrete, or what ``flatten_observations`` makes of others.

    Attributes:
        size: features per row.
        scaled: ``[size]``, whether the space itself keeps a feature within -1..1.

    Raises:
        TypeError: the space is of another kind.
        ValueError: there is nothing in it.
    """

    def __init__(self, observation_space: spaces.Space) -> None:
        super().__init__()
        self.space = observation_space
        if isinstance(observation_space, FlatBox):
            part = features_of(observation_space.layout)
        elif isinstance(observation_space, spaces.Box):
            part = _Numbers(observation_space)
        elif isinstance(observation_space, (spaces.Discrete, spaces.MultiDiscrete)):
            part = features_of(layout_of(observation_space))
        else:
            raise TypeError(
                f"a policy sees one flat array, not {observation_space}: pufferbench.emulate() flattens the env"
            )
        self.scaled = part.scaled
        self.size = len(self.scaled)
        plain = isinstance(observation_space, spaces.Box) and not isinstance(observation_space, FlatBox)
        self.part = None if plain else part  # one array of numbers needs no parts
        if not self.size:
            raise ValueError(f"there is nothing to see in the observation space {observation_space}")

    def forward(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> features ``[rows, size]``; float32 ones are not copied."""
        if self.part is None:
            return observations.reshape(-1, self.size).float()
        return self.part(unflatten_observations(observations, self.space))


class _Part(nn.Module):
    """One part of an observation ``[..., *shape]`` -> its features ``[..., size]``.

    Attributes:
        scaled: ``[size]`` bool, see :class:`Features`.
    """

    scaled: np.ndarray


class _Numbers(_Part):
    """The numbers themselves."""

    def __init__(self, space: Any) -> None:
        super().__init__()
        self.dimensions = len(space.shape)
        self.size = math.prod(space.shape)
        if isinstance(space, spaces.MultiBinary) or space.dtype.kind == "b":
            self.scaled = np.ones(self.size, np.bool_)
        else:
            self.scaled = ((space.low >= -1) & (space.high <= 1) & (space.dtype.kind == "f")).ravel()

    def forward(self, values: Tensor) -> Tensor:
        return values.reshape(*values.shape[: values.ndim - self.dimensions], self.size).float()


class _Flags(_Part):
    """One flag for each choice: the choices of all numbers side by side.

    Args:
        counts: choices of each number, any shape.
        first: the first choice that has a flag; 1 where 0 means "nothing there".
    """

    number: Tensor
    choice: Tensor

    def __init__(self, counts: np.ndarray, first: int = 0) -> None:
        super().__init__()
        self.dimensions, self.size = counts.ndim, counts.size
        sizes = [int(count) for count in counts.ravel()]
        number = [index for index, count in enumerate(sizes) for _ in range(first, count)]
        choice = [value for count in sizes for value in range(first, count)]
        self.register_buffer("number", torch.tensor(number, dtype=torch.int64), persistent=False)
        self.register_buffer("choice", torch.tensor(choice, dtype=torch.int64), persistent=False)
        self.scaled = np.ones(len(choice), np.bool_)

    def forward(self, values: Tensor) -> Tensor:
        values = values.reshape(*values.shape[: values.ndim - self.dimensions], self.size)
        return (values[..., self.number] == self.choice).float()


class _Fractions(_Part):
    """Choices, too many for flags: 0 for the first, 1 for the last."""

    last: Tensor

    def __init__(self, counts: np.ndarray) -> None:
        super().__init__()
        self.dimensions = counts.ndim
        last = torch.from_numpy(np.maximum(counts.ravel() - 1, 1).astype(np.float32))
        self.register_buffer("last", last, persistent=False)
        self.scaled = np.ones(counts.size, np.bool_)

    def forward(self, values: Tensor) -> Tensor:
        values = values.reshape(*values.shape[: values.ndim - self.dimensions], len(self.last))
        return values.float() / self.last


class _Record(_Part):
    """The parts of a Dict or Tuple, side by side."""

    def __init__(self, layout: Record) -> None:
        super().__init__()
        self.keys = list(layout.keys)
        self.parts = nn.ModuleList(features_of(part) for part in layout.parts)
        self.scaled = np.concatenate([np.zeros(0, np.bool_), *(part.scaled for part in self.parts)])

    def forward(self, values: Any) -> Tensor:
        return torch.cat([part(values[key]) for key, part in zip(self.keys, self.parts, strict=True)], -1)


class _Items(_Part):
    """The items of a Sequence side by side, zeros behind the last; and how many they are, from 0 to 1."""

    position: Tensor

    def __init__(self, layout: Items) -> None:
        super().__init__()
        self.item = features_of(layout.item)
        self.bound = layout.bound
        self.register_buffer("position", torch.arange(self.bound), persistent=False)
        self.scaled = np.append(np.tile(self.item.scaled, self.bound), True)

    def forward(self, values: Any) -> Tensor:
        length = values["length"].unsqueeze(-1)
        there = (self.position < length).unsqueeze(-1)
        items = torch.where(there, self.item(values["items"]), 0.0)
        return torch.cat([items.flatten(-2), length.float() / self.bound], -1)


def features_of(layout: Layout) -> _Part:
    """A module that turns one part, as ``unflatten_observations`` gives it, into features ``[rows, size]``."""
    if isinstance(layout, Record):
        return _Record(layout)
    if isinstance(layout, Items):
        return _Items(layout)
    if isinstance(layout, Characters):
        return _choices(np.full(layout.shape, len(layout.characters) + 1), first=1)
    if isinstance(layout, Choices):
        return _choices(layout.counts)
    assert isinstance(layout, Numbers)
    return _Numbers(layout.space)


def _choices(counts: np.ndarray, first: int = 0) -> _Part:
    return _Flags(counts, first) if counts.sum() <= MOST_FLAGS else _Fractions(counts)
