"""The policy for pictures."""

from __future__ import annotations

from typing import Literal

from gymnasium import spaces
from torch import Tensor

from pufferbench.policies.heads import ActorCritic, check_size
from pufferbench.policies.pictures import Picture, picture_layers


class CNN(ActorCritic):
    """Convolutions over a picture or grid, then one hidden layer that policy and value share.

    ``architecture="nature"``: the three convolutions of Mnih et al. (2015), "Human-level control through deep
    reinforcement learning"; for pictures smaller than 36 pixels, three of 3 x 3 instead.
    ``architecture="impala"``: three sections of a convolution, a pooling and two residual blocks, of Espeholt et
    al. (2018), "IMPALA"; slower, and usually better. How pictures are read: see
    :class:`pufferbench.policies.pictures.Picture`. They are not normalised by statistics.

    Args:
        observation_space: one agent's Box ``[height, width]``, with channels first or last, or none.
        action_space: one agent's Discrete, MultiDiscrete or Box.
        architecture: "nature" or "impala".
        hidden_size: width of the hidden layer (512 in Mnih et al., 256 in Espeholt et al.).
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        architecture: Literal["nature", "impala"] = "nature",
        hidden_size: int = 256,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        super().__init__(architecture=architecture, hidden_size=check_size("hidden_size", hidden_size))
        self.picture = picture = Picture(observation_space)
        size = picture.channels, picture.height, picture.width
        self.layers = picture_layers(architecture, *size, hidden_size)
        self.add_heads(action_space, hidden_size, log_std, squash)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> hidden ``[rows, hidden_size]``."""
        return self.layers(self.picture(observations))
