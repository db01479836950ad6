"""Environments in the simple style: values are returned, arrays never touched."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench import PufferEnv


class SimpleTask(PufferEnv):
    """Name the largest of four numbers; an episode is ten guesses. As in the lines that users type."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf)
        self.observation_space = self.make_space((4,))
        self.action_space = self.make_discrete(4)
        self.reset()

    def reset(self) -> Any:
        self.steps = 0
        self.shown = np.random.uniform(size=4).astype(np.float32)
        return self.shown

    def step(self, action: Any) -> Any:
        reward = float(action == self.shown.argmax())
        self.steps += 1
        self.shown = np.random.uniform(size=4).astype(np.float32)
        return self.shown, reward, self.steps == 10, {}

    def render(self) -> np.ndarray:
        return np.full((4, 4, 3), self.steps, np.uint8)


class SimplePair(PufferEnv):
    """Two agents see a picture and a vector, dicts per agent; "b" leaves after its third step, the game ends at five.

    Rewards: the agent's own action, and 10 for "a" in its last step.
    """

    def __init__(self, buf: Any = None, values: int = 5) -> None:
        super().__init__(buf)
        self.observation_space = self.make_space({"image": (2, 3, 1), "vector": (2,)})
        self.action_space = self.make_multi_discrete([3, 3])
        self.values = values  # that step returns

    def look(self, agents: str) -> Any:
        return {
            agent: {
                "image": np.full((2, 3, 1), self.steps, np.float32),
                "vector": np.array([self.steps, "ab".index(agent)], np.float32),
            }
            for agent in agents
        }

    def reset(self) -> Any:
        self.steps = 0
        return self.look("ab")

    def step(self, action: Any) -> Any:
        self.steps += 1
        rewards = {agent: float(sum(choices)) for agent, choices in action.items()}
        if self.steps == 5:
            rewards["a"] += 10
        observations = self.look("ab" if self.steps <= 3 else "a")
        terminated = {"a": self.steps == 5, "b": self.steps == 3}
        if self.values == 4:
            return observations, rewards, terminated, {}
        return observations, rewards, terminated, dict.fromkeys("ab", False), {}
