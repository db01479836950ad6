"""The policy for observations of several parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench.features import features_of
from pufferbench.policies.heads import ActorCritic, check_size
from pufferbench.policies.pictures import Picture, looks_like_picture, picture_layers
from pufferbench.policies.statistics import Normalizes, first_guess
from pufferbench.pytorch import layer_init, unflatten_observations
from pufferbench.spaces import FlatBox, Layout, Record, layout_of

Keys = tuple[Any, ...]  # where a part is: ("camera", "left") for observation["camera"]["left"]


class MultiInput(Normalizes, ActorCritic):
    """Each part of a Dict or Tuple is seen in its own way; what they give meets in one hidden layer.

    A picture (a Box of 3 x 3 or more whose elements all have the same finite bounds) goes through a network as
    that of :class:`CNN`, each through its own; all other parts together through a linear layer, as features
    that are normalised like the :class:`MLP`'s.

    Args:
        observation_space: one agent's, as ``pufferbench.emulate`` flattened it; of any kind.
        action_space: one agent's Discrete, MultiDiscrete or Box.
        architecture: of the networks for pictures, see :class:`CNN`.
        hidden_size: width of each part's layer and of the common one.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        architecture: Literal["nature", "impala"] = "nature",
        hidden_size: int = 128,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        super().__init__(architecture=architecture, hidden_size=check_size("hidden_size", hidden_size))
        self.space = observation_space
        layout = (
            observation_space.layout
            if isinstance(observation_space, FlatBox)
            else layout_of(observation_space)
        )
        parts = list(_parts(layout, ()))
        self.picture_keys = [keys for keys, part in parts if looks_like_picture(part.space)]
        self.encoders, self.others = nn.ModuleList(), nn.ModuleList()
        others = [(keys, part) for keys, part in parts if keys not in self.picture_keys]
        for keys, part in parts:
            if keys in self.picture_keys:
                picture = Picture(part.space)
                size = picture.channels, picture.height, picture.width
                self.encoders.append(nn.Sequential(picture, picture_layers(architecture, *size, hidden_size)))
        self.other_keys = [keys for keys, _ in others]
        self.others.extend(features_of(part) for _, part in others)
        sizes = [len(other.scaled) for other in self.others]  # type: ignore[arg-type]
        branches = len(self.encoders)
        self.has_others = sum(sizes) > 0
        if not branches and not self.has_others:
            raise ValueError(f"there is nothing to see in the observation space {observation_space}")
        if self.has_others:
            guesses = [first_guess(part.space, size) for (_, part), size in zip(others, sizes, strict=True)]
            mean, deviation = (np.concatenate(side) for side in zip(*guesses, strict=True))
            self.add_statistics(mean, deviation, np.concatenate([other.scaled for other in self.others]))
            self.other_layer = layer_init(nn.Linear(sum(sizes), hidden_size))
            branches += 1
        self.hidden = layer_init(nn.Linear(branches * hidden_size, hidden_size))
        self.add_heads(action_space, hidden_size, log_std, squash)

    def features(self, observations: Tensor) -> Tensor:
        """What is not pictures: observations ``[rows, *shape]`` -> ``[rows, size]``."""
        values = unflatten_observations(observations, self.space)
        pieces = [other(_get(values, keys)) for keys, other in zip(self.other_keys, self.others, strict=True)]
        return torch.cat(pieces, 1)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> hidden ``[rows, hidden_size]``."""
        values = unflatten_observations(observations, self.space)
        branches = [
            encoder(_get(values, keys))
            for keys, encoder in zip(self.picture_keys, self.encoders, strict=True)
        ]
        if self.has_others:
            branches.append(torch.relu(self.other_layer(self.normalized(self.features(observations)))))
        return torch.relu(self.hidden(torch.cat(branches, 1)))

    def update_statistics(self, observations: Tensor) -> None:
        """Take ``observations [rows, *shape]`` into the running statistics of what is not pictures."""
        if self.has_others:
            super().update_statistics(observations)


def _parts(layout: Layout, keys: Keys) -> Iterator[tuple[Keys, Layout]]:
    """What Dicts and Tuples inside each other hold in the end."""
    if isinstance(layout, Record):
        for key, part in zip(layout.keys, layout.parts, strict=True):
            yield from _parts(part, (*keys, key))
    else:
        yield keys, layout


def _get(values: Any, keys: Keys) -> Any:
    for key in keys:
        values = values[key]
    return values
