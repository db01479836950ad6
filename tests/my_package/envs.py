"""An environment of one's own that the registry finds by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench import PufferEnv


class MyTask(PufferEnv):
    """Guess a digit that is shown; ``difficulty`` is subtracted from every reward."""

    def __init__(self, num_envs: int = 1, difficulty: float = 0.0, buf: Any = None) -> None:
        super().__init__(buf)
        self.observation_space = self.make_space((4,))
        self.action_space = self.make_discrete(4)
        self.num_envs = self.num_agents = num_envs
        self.difficulty = difficulty

    def reset(self, seed: int | None = None) -> Any:
        self.observations[:] = np.eye(4, dtype=np.float32)[np.arange(self.num_agents) % 4]
        return self.observations, []

    def step(self, actions: Any) -> Any:
        self.load_actions(actions)
        self.rewards[:] = (self.actions == np.arange(self.num_agents) % 4) - self.difficulty
        self.terminals[:] = True
        return self.observations, self.rewards, self.terminals, self.truncations, []
