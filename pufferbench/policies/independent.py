"""A policy of its own for each agent of a game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.distributions import like
from pufferbench.pytorch import unflatten_observations
from pufferbench.recurrent import is_recurrent
from pufferbench.spaces import FlatBox, Record, flatten_observations


class Independent(nn.Module):
    """Independent parameters: every agent of a game has weights and statistics that no other agent uses.

    All other policies are shared: one set of weights acts for all agents and learns from all of them, which is
    faster. Independent ones can take different roles and learn as if each were alone (Tan, 1993, "Multi-agent
    reinforcement learning: independent vs. cooperative agents"). Which agent a row belongs to is in its observation::

        env = pufferbench.wrappers.AgentID(pufferbench.make("ocean-target", num_envs=64))
        policy = Independent(env.observation_space, env.action_space, policy="MLP", hidden_size=64)

    Args:
        observation_space: that of an env in the wrapper :class:`pufferbench.wrappers.AgentID`.
        action_space: one agent's.
        policy: the name of a policy, or a class of your own with ``(observation_space, action_space)``; recurrent
            ones too. It gets the observations as they are without the wrapper.
        arguments: more for ``policy``, the same for each agent.

    Attributes:
        policies: one for each agent.

    Raises:
        TypeError: the observations do not say which agent sees them.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Space,
        policy: str | Callable[..., nn.Module] = "MLP",
        **arguments: Any,
    ) -> None:
        super().__init__()
        from pufferbench.policies import names  # where this class has a name itself

        layout = getattr(observation_space, "layout", None)
        if not isinstance(layout, Record) or layout.keys != ["agent", "observation"]:
            raise TypeError(
                "policies.Independent must know which agent sees an observation: put the wrapper around the env, "
                f"env = pufferbench.wrappers.AgentID(env), and use its observation_space, not {observation_space}"
            )
        self.space = observation_space
        self._start, part = layout.offsets[1], layout.parts[1]
        plain = isinstance(part.space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete))
        self.seen_space = flatten_observations(part.space) if plain else FlatBox(part.space, part)
        self._stop = self._start + part.size
        if isinstance(policy, str):
            self.arguments = {"policy": policy, **arguments}
            make: Callable[..., nn.Module] = partial(names.make, policy)
        else:
            make = policy
        count = int(layout.parts[0].space.n)  # type: ignore[attr-defined]
        self.policies = nn.ModuleList(make(self.seen_space, action_space, **arguments) for _ in range(count))
        if is_recurrent(self.policies[0]):  # a method that only recurrent policies have
            self.initial_state = self.policies[0].initial_state

    def forward(self, observations: Tensor, state: Any = None) -> Any:
        """What each row's own policy says: ``(logits, value)``, or ``(logits, value, state)``."""
        said, order = [], []
        for policy, rows, seen in self._each(observations):
            if len(rows):
                said.append(policy(seen) if state is None else policy(seen, _pick(state, rows)))
                order.append(rows)
        if not said:
            return self.policies[0](self._seen(observations), *(() if state is None else (state,)))
        return _join(said, torch.cat(order).argsort())

    def update_statistics(self, observations: Tensor) -> None:
        """For policies that normalise their observations: each by what its own agent saw."""
        for policy, _, seen in self._each(observations):
            if (update := getattr(policy, "update_statistics", None)) is not None:
                update(seen)

    def update_value_scale(self, returns: Tensor) -> None:
        """For policies that scale their value: all of them in the same unit."""
        for policy in self.policies:
            if (update := getattr(policy, "update_value_scale", None)) is not None:
                update(returns)

    def _each(self, observations: Tensor) -> Any:
        """``(policy, rows, what they see)`` of each agent."""
        agents, seen = unflatten_observations(observations, self.space)["agent"], self._seen(observations)
        for number, policy in enumerate(self.policies):
            rows = (agents == number).nonzero().squeeze(1)
            yield policy, rows, seen.index_select(0, rows)

    def _seen(self, observations: Tensor) -> Tensor:
        """The observations without the agents' numbers, as the env gave them."""
        if not isinstance(self.seen_space, FlatBox):
            return unflatten_observations(observations, self.space)["observation"]
        part = observations[:, self._start : self._stop]
        return part.view(torch.float32) if self.seen_space.is_float32 else part


def _pick(state: Any, rows: Tensor) -> Any:
    return state[rows] if isinstance(state, Tensor) else tuple(part[rows] for part in state)


def _join(said: Sequence[Any], places: Tensor) -> Any:
    """What several policies returned, one below the other, then row ``places[i]`` of that as row i."""
    first = said[0]
    if isinstance(first, Tensor):
        return torch.cat(list(said)).index_select(0, places)
    if isinstance(first, Normal):
        loc, scale = (_join([getattr(part, name) for part in said], places) for name in ("loc", "scale"))
        return like(first, loc, scale)
    return tuple(_join(parts, places) for parts in zip(*said, strict=True))
