"""The standard policy with a memory, of two kinds."""

from __future__ import annotations

from typing import Literal

from gymnasium import spaces

from pufferbench.policies.mlp import MLP
from pufferbench.recurrent import GRUWrapper, LSTMWrapper, RecurrentWrapper


class _AroundMLP(RecurrentWrapper):
    """Wraps an :class:`MLP`."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        hidden_size: int = 128,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        inner = MLP(observation_space, action_space, hidden_size, log_std, squash)
        super().__init__(inner, hidden_size, hidden_size)
        self.arguments = inner.arguments


class LSTM(_AroundMLP, LSTMWrapper):
    """An :class:`MLP` with an LSTM between its hidden layer and the heads: for what cannot be seen at once.

    Args:
        observation_space: one agent's flat space: a Box, Discrete or MultiDiscrete.
        action_space: one agent's Discrete, MultiDiscrete or Box.
        hidden_size: width of the hidden layer, and number of LSTM cells.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """


class GRU(_AroundMLP, GRUWrapper):
    """The same with gated recurrent units: three quarters of the arithmetic, and often as good.

    Args:
        observation_space: one agent's flat space: a Box, Discrete or MultiDiscrete.
        action_space: one agent's Discrete, MultiDiscrete or Box.
        hidden_size: width of the hidden layer, and number of units.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """
