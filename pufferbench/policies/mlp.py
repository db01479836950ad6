"""The standard policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from gymnasium import spaces
from torch import Tensor, nn, relu_

from pufferbench.features import Features
from pufferbench.policies.heads import ActorCritic, check_size
from pufferbench.policies.statistics import Normalizes, first_guess
from pufferbench.pytorch import Logits, layer_init


class MLP(Normalizes, ActorCritic):
    """One hidden layer that policy and value share: the standard policy for vector observations.

    Observations of any kind become float32 features (:mod:`pufferbench.features`): numbers side by side, flags
    for choices. They are normalised to mean 0 and deviation 1 by running statistics that are saved with the
    weights (:mod:`pufferbench.policies.statistics`).

    Args:
        observation_space: one agent's flat space: a Box, Discrete or MultiDiscrete.
        action_space: one agent's Discrete, MultiDiscrete or Box. For a bounded Box the network's output 0
            is the middle, and -1 and 1 are the bounds.
        hidden_size: width of the hidden layer.
        log_std: of actions that are a Box, where their deviations come from: "parameter" or "state".
        squash: of actions that are a Box with bounds, whether a tanh bends them into these.
    """

    features: Features

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        hidden_size: int = 128,
        log_std: Literal["parameter", "state"] = "parameter",
        squash: bool = False,
    ) -> None:
        super().__init__(hidden_size=check_size("hidden_size", hidden_size))
        self.features = Features(observation_space)
        self.inputs = inputs = self.features.size
        self.hidden = layer_init(nn.Linear(inputs, hidden_size))
        self.add_statistics(*first_guess(observation_space, inputs), self.features.scaled)
        self.add_heads(action_space, hidden_size, log_std, squash)

    def encode(self, observations: Tensor) -> Tensor:
        """Observations ``[rows, *shape]`` -> hidden ``[rows, hidden_size]``."""
        return relu_(self.hidden(self.normalized(self.features(observations))))

    @torch.no_grad()
    def frozen(self) -> Callable[[Tensor], Logits]:
        """Observations ``[rows, *shape]`` -> the logits of the policy as it is now, for playing.

        For a hundred rows a module's calls take longer than its sums; this takes a third of the time.
        """
        if isinstance(self.action_space, spaces.Box):
            return lambda observations: self(observations)[0]
        mean, scale = self.observation_mean.clone(), self.observation_scale()
        hidden, heads = ((part.weight.t().clone(), part.bias.clone()) for part in (self.hidden, self.heads))
        single = isinstance(self.action_space, spaces.Discrete)

        def logits(observations: Tensor) -> Logits:
            seen = (self.features(observations) - mean).mul_(scale).clamp_(-10, 10)
            outputs = torch.addmm(heads[1], relu_(torch.addmm(hidden[1], seen, hidden[0])), heads[0])[:, :-1]
            return outputs if single else outputs.split(self.sizes, 1)

        return logits
