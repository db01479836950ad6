"""A deeper MLP."""

from __future__ import annotations

from typing import Literal

from gymnasium import spaces
from torch import Tensor, nn, relu, relu_

from pufferbench.features import Features
from pufferbench.policies.heads import ActorCritic, check_size
from pufferbench.policies.statistics import Normalizes, first_guess
from pufferbench.pytorch import layer_init


class ResidualMLP(Normalizes, ActorCritic):
    """An :class:`MLP` that stays easy to train when it is deep, since each block only adds to what was there.

    He et al. (2016), "Identity mappings in deep residual networks", with layer normalisation (Ba et al., 2016)
    where they have batch normalisation, which would make rows depend on each other.

    Args:
        observation_space, action_space: as for the MLP.
        hidden_size: width of all hidden layers.
        blocks: how many, of two layers each.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        hidden_size: int = 128,
        blocks: int = 2,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        super().__init__(
            hidden_size=check_size("hidden_size", hidden_size), blocks=check_size("blocks", blocks)
        )
        self.features = Features(observation_space)
        self.hidden = layer_init(nn.Linear(self.features.size, hidden_size))
        self.blocks = nn.Sequential(*(_Block(hidden_size) for _ in range(blocks)))
        self.last_norm = nn.LayerNorm(hidden_size)
        self.add_statistics(*first_guess(observation_space, self.features.size), self.features.scaled)
        self.add_heads(action_space, hidden_size, log_std, squash)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> hidden ``[rows, hidden_size]``."""
        x = self.hidden(self.normalized(self.features(observations)))
        return relu_(self.last_norm(self.blocks(x)))


class _Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.first = layer_init(nn.Linear(size, size))
        self.second = layer_init(nn.Linear(size, size), std=0.5)  # adds little to begin with

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(relu(self.first(self.norm(x))))
