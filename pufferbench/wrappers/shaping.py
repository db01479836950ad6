"""Other rewards, other actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.env import StepResult
from pufferbench.wrappers.base import Wrapper

Shape = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class ShapeReward(Wrapper):
    """Rewards by a function of your own.

        ShapeReward(env, lambda rewards, observations, actions: rewards - 0.01 * (actions != 0))

    Episode statistics stay those of the env.

    Args:
        shape: gets ``rewards`` ``[rows]`` of a step, the ``observations`` ``[rows, ...]`` that the agents saw
            before it, and the ``actions`` ``[rows, ...]`` they chose; returns the new rewards ``[rows]``.
    """

    def __init__(self, env: Any, shape: Shape) -> None:
        super().__init__(env)
        if not callable(shape):
            raise TypeError(f"shape must be a function of rewards, observations and actions, not {shape!r}")
        self._shape = shape
        self._seen: np.ndarray | None = None

    def step(self, actions: Any) -> StepResult:
        self._seen = self.observations.copy()
        return super().step(actions)

    def reward(self, rewards: np.ndarray) -> np.ndarray:
        assert self._seen is not None
        shaped = np.asarray(self._shape(rewards.copy(), self._seen, self.actions))
        if shaped.shape != rewards.shape:
            raise ValueError(
                f"ShapeReward: the function returned rewards of shape {shaped.shape}, not {rewards.shape}: "
                "one for each row"
            )
        return shaped


class ClipAction(Wrapper):
    """Actions without bounds; the env gets them clipped to its own.

    Args:
        env: its actions are a Box.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        space = self.env.action_space
        if not isinstance(space, spaces.Box):
            raise TypeError(f"ClipAction needs actions that are a Box, not {space}")
        self._low, self._high = space.low, space.high
        self.action_space = spaces.Box(-np.inf, np.inf, space.shape, space.dtype.type)

    def action(self, actions: np.ndarray) -> np.ndarray:
        return np.clip(actions, self._low, self._high)
