"""Small environments whose right answers are known, for tests of the trainer."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.env import EpisodeInfos, PufferEnv, Space

EPISODE = np.dtype([("episode_return", "f4"), ("episode_length", "i4"), ("score", "f4")])


class TestEnv(PufferEnv):
    """Rows that all end their episodes after ``length`` steps; subclasses say what is seen and earned."""

    __test__ = False  # not a test class
    length = 8

    def __init__(self, num_envs: int = 16, buf: Any = None) -> None:
        super().__init__(buf)
        self.num_envs = self.num_agents = num_envs
        self.generator = np.random.default_rng(0)
        self.clock = 0
        self.closed = False
        self.returns = np.zeros(num_envs, np.float32)

    def reset(self, seed: int | None = None) -> Any:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.clock = 0
        self.returns[:] = 0
        self.masks[:] = True
        self.look()
        return self.observations, []

    def step(self, actions: Any) -> Any:
        self.load_actions(actions)
        self.earn()
        self.returns += self.rewards
        self.clock += 1
        infos: Any = []
        ended = self.clock == self.length
        self.end(ended)
        self.look()
        if ended:
            self.clock = 0
            records = np.zeros(self.num_agents, EPISODE)
            records["episode_return"], records["score"] = self.returns, 2 * self.returns
            records["episode_length"] = self.length
            infos = EpisodeInfos(records)
            self.returns[:] = 0
        return self.observations, self.rewards, self.terminals, self.truncations, infos

    def look(self) -> None:
        """Write the observations."""

    def earn(self) -> None:
        """Write the rewards of ``self.actions``."""

    def end(self, ended: bool) -> None:
        self.terminals[:] = ended

    def close(self) -> None:
        self.closed = True


class Truncated(TestEnv):
    """Reward 1 at every step, one observation, cut after 5 steps: with gamma 0.9 its value is 10."""

    length = 5

    def __init__(self, num_envs: int = 16, buf: Any = None) -> None:
        super().__init__(num_envs, buf)
        self.observation_space: Space = self.make_space((2,))
        self.action_space: Space = self.make_discrete(2)

    def look(self) -> None:
        self.observations[:] = 1

    def earn(self) -> None:
        self.rewards[:] = 1

    def end(self, ended: bool) -> None:
        self.truncations[:] = ended
        self.final_observations[:] = self.observations if ended else np.nan  # valid only where truncated


class Bandit(TestEnv):
    """Name the number that is shown (one-hot of n): reward 1, else 0. A return of ``length`` is perfect."""

    def __init__(self, num_envs: int = 16, n: int = 4, buf: Any = None, dtype: Any = np.float32) -> None:
        super().__init__(num_envs, buf)
        self.n = n
        self.shown = np.zeros(num_envs, np.int64)
        self.observation_space = self.make_space((n,), 0, 255, dtype=dtype)
        self.action_space = self.make_discrete(n)

    def look(self) -> None:
        self.shown[:] = self.generator.integers(self.n, size=self.num_agents)
        self.observations[:] = 0
        self.observations[np.arange(self.num_agents), self.shown] = 1

    def earn(self) -> None:
        self.rewards[:] = self.actions == self.shown


class TwoBandits(TestEnv):
    """MultiDiscrete: name both numbers, half a reward each."""

    def __init__(self, num_envs: int = 16, buf: Any = None) -> None:
        super().__init__(num_envs, buf)
        self.shown = np.zeros((num_envs, 2), np.int64)
        self.observation_space = self.make_space((5,))
        self.action_space = self.make_multi_discrete([2, 3])

    def look(self) -> None:
        self.shown[:] = self.generator.integers([2, 3], size=(self.num_agents, 2))
        self.observations[:] = 0
        rows = np.arange(self.num_agents)
        self.observations[rows, self.shown[:, 0]] = 1
        self.observations[rows, 2 + self.shown[:, 1]] = 1

    def earn(self) -> None:
        self.rewards[:] = (self.actions == self.shown).mean(1)


class Aim(TestEnv):
    """Box: hit the target that is shown; reward 1 - squared distance. ``received`` keeps the last actions."""

    def __init__(self, num_envs: int = 16, low: float = -1.0, high: float = 1.0, buf: Any = None) -> None:
        super().__init__(num_envs, buf)
        self.low, self.high = low, high
        self.observation_space = self.make_space((2,))
        self.action_space = self.make_space((2,), low, high)

    def look(self) -> None:
        half = (self.high - self.low) / 4
        middle = (self.high + self.low) / 2
        self.observations[:] = self.generator.uniform(middle - half, middle + half, self.observations.shape)

    def earn(self) -> None:
        assert (self.actions >= self.low).all() and (self.actions <= self.high).all()
        width = (self.high - self.low) / 2
        self.rewards[:] = 1 - (((self.actions - self.observations) / width) ** 2).mean(1)


class Waiting(Bandit):
    """The second half of the rows never acts; its observations and rewards are rubbish."""

    def look(self) -> None:
        super().look()
        half = self.num_agents // 2
        self.masks[half:] = False
        self.observations[half:] = 1e6

    def earn(self) -> None:
        super().earn()
        self.rewards[self.num_agents // 2 :] = -1e6
