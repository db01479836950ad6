"""The policy for observations that are a list of things."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pufferbench.policies.heads import ActorCritic, check_size
from pufferbench.policies.statistics import Normalizes, first_guess
from pufferbench.pytorch import layer_init
from pufferbench.spaces import FlatBox


class Attention(Normalizes, ActorCritic):
    """Every entity (a ball, a car, another agent) looks at all the others; their mean decides.

    One block of self-attention (Vaswani et al., 2017, "Attention is all you need") and a mean over the entities.
    The order of the entities makes no difference, and all are treated alike: which of them is oneself, or what
    kind it is, must be among its features.

    Args:
        observation_space: one agent's Box ``[entities, features]``.
        action_space: one agent's Discrete, MultiDiscrete or Box.
        hidden_size: width of all layers; a multiple of ``num_heads``.
        num_heads: how many questions an entity asks at once.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        hidden_size: int = 64,
        num_heads: int = 4,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        super().__init__(
            hidden_size=check_size("hidden_size", hidden_size), num_heads=check_size("num_heads", num_heads)
        )
        if hidden_size % num_heads:
            raise ValueError(f"hidden_size {hidden_size} is not a multiple of num_heads {num_heads}")
        entities = isinstance(observation_space, spaces.Box) and not isinstance(observation_space, FlatBox)
        if not entities or len(observation_space.shape) != 2 or not all(observation_space.shape):  # type: ignore[arg-type]
            raise TypeError(f"policies.Attention sees a Box [entities, features], not {observation_space}")
        assert isinstance(observation_space, spaces.Box)
        self.num_heads = num_heads
        count, size = observation_space.shape
        # One guess for all entities, since they share the statistics of each feature
        mean, deviation = (
            guess.reshape(count, size) for guess in first_guess(observation_space, count * size)
        )
        within = (observation_space.low >= -1) & (observation_space.high <= 1)
        scaled = within.all(0) & (observation_space.dtype.kind in "fb")  # type: ignore[union-attr]
        self.add_statistics(mean.mean(0), deviation.max(0), np.asarray(scaled))
        self.embed = layer_init(nn.Linear(size, hidden_size))
        self.norm = nn.LayerNorm(hidden_size)
        self.questions = layer_init(nn.Linear(hidden_size, 3 * hidden_size), std=1.0)  # and keys, and answers
        self.answer = layer_init(nn.Linear(hidden_size, hidden_size), std=1.0)
        self.hidden = layer_init(nn.Linear(hidden_size, hidden_size))
        self.add_heads(action_space, hidden_size, log_std, squash)

    def features(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, entities, features]`` -> ``[rows * entities, features]``, float32."""
        return observations.flatten(0, 1).float()

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, entities, features]`` -> hidden ``[rows, hidden_size]``."""
        x = self.normalized(self.features(observations)).view(observations.shape)
        x = torch.relu(self.embed(x))
        # Three tensors [rows, heads, entities, hidden_size / heads]
        parts = self.questions(self.norm(x)).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        seen = scaled_dot_product_attention(*parts.unbind(0)).transpose(1, 2).flatten(2)
        return torch.relu(self.hidden((x + self.answer(seen)).mean(1)))
