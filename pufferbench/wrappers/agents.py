"""Who is who in a game of several agents."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.spaces import FlatBox, Record, layout_of
from pufferbench.wrappers.base import Wrapper


class AgentID(Wrapper):
    """Each agent sees its number in its game, from 0, beside what it saw before: ``{"agent": 1, "observation": ...}``.

    A policy that all agents share can then treat them differently (Terry et al., 2020, "Revisiting parameter sharing
    in multi-agent deep reinforcement learning"), and :class:`pufferbench.policies.Independent` knows whose weights
    to take. The observations are flattened as those of a Dict.

    Args:
        env: one game or a batch of them, with the same number of agents each.

    Attributes:
        agents: in each game.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        env = self.env
        self.agents, rest = divmod(env.num_agents, env.num_envs)
        if rest:
            raise ValueError(
                f"AgentID: {env.num_agents} agents in {env.num_envs} games: not the same number in each"
            )
        inner = env.observation_space
        parts = [
            layout_of(spaces.Discrete(self.agents), at="['agent']"),
            inner.layout if isinstance(inner, FlatBox) else layout_of(inner, at="['observation']"),
        ]
        source = spaces.Dict(agent=parts[0].space, observation=parts[1].space)
        layout = Record(source, "", ["agent", "observation"], parts)
        self.observation_space = FlatBox(source, layout)
        # A FlatBox's rows are the bytes already
        self._kind = inner.dtype if isinstance(inner, FlatBox) else parts[1].dtype.base
        self._rows = np.zeros((env.num_agents, layout.size), np.uint8)
        numbers = np.arange(env.num_agents, dtype=parts[0].dtype.base) % self.agents
        start, self._start = layout.offsets
        self._rows[:, start : start + parts[0].size] = _bytes(numbers)
        self._stop = self._start + parts[1].size

    def observation(self, observations: np.ndarray) -> np.ndarray:
        self._rows[:, self._start : self._stop] = _bytes(observations.astype(self._kind, copy=False))
        return self._rows


def _bytes(rows: np.ndarray) -> np.ndarray:
    """Of each row, ``[rows, bytes]``."""
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
    return flat.view(np.uint8)
