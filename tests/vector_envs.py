"""Environments for the tests of vectorizers; workers import this file by its name."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from typing import Any

import numpy as np

from pufferbench.env import EpisodeInfos, PufferEnv

EPISODE = np.dtype([("episode_return", "f4"), ("episode_length", "i4")])


class Counter(PufferEnv):
    """``agents`` rows that count. An observation is (row within the env, steps, last action, first game).

    Every ``length`` steps an episode ends: reported as records, or as dicts when ``dicts``.
    """

    def __init__(self, agents: int = 2, length: int = 0, dicts: bool = False, buf: Any = None) -> None:
        super().__init__(buf)
        self.num_agents = agents
        self.length, self.dicts = length, dicts
        self.observation_space = self.make_space((4,))
        self.action_space = self.make_discrete(1000)
        self.num_action_masks = 3
        self.clock = self.seed = 0

    def reset(self, seed: int | None = None) -> Any:
        if seed is not None:
            self.seed = seed
        self.clock = 0
        self.actions[:] = self.seed
        self.rewards[:], self.truncations[:] = 0, False
        self.look()
        return self.observations, ()

    def step(self, actions: Any) -> Any:
        if actions is not self.actions:
            self.load_actions(actions)
        self.clock += 1
        self.look()
        self.rewards[:] = self.clock
        self.masks[:] = np.arange(self.num_agents) != self.clock % self.num_agents
        assert self.action_masks is not None
        self.action_masks[:] = self.clock % 2 == 0
        ended = bool(self.length) and self.clock % self.length == 0
        self.truncations[:] = ended
        infos: Any = ()
        if ended:
            self.final_observations[:] = self.observations + 100
            records = np.zeros(1, EPISODE)
            records["episode_return"], records["episode_length"] = self.first_env, self.clock
            infos = [{"first_env": self.first_env}] if self.dicts else EpisodeInfos(records)
        return self.observations, self.rewards, self.terminals, self.truncations, infos

    def look(self) -> None:
        self.observations[:, 0] = np.arange(self.num_agents)
        self.observations[:, 1] = self.clock
        self.observations[:, 2] = self.actions
        self.observations[:, 3] = self.first_env

    def render(self) -> np.ndarray:
        return np.full((2, 3, 3), self.clock, np.uint8)

    def pid(self) -> int:
        return os.getpid()

    def modules(self) -> set[str]:
        return set(sys.modules)


class Naughty(Counter):
    """Does ``deed`` in step ``at`` (0: in reset, -1: in construction), in a worker's game ``game`` only."""

    def __init__(self, deed: str, at: int = 1, parent: int = 0, game: int = 1, buf: Any = None) -> None:
        super().__init__(buf=buf)
        self.deed, self.at, self.game = deed, at, game
        if at == -1 and os.getpid() != parent:
            self.do()

    def reset(self, seed: int | None = None) -> Any:
        result = super().reset(seed)
        if self.at == 0 and self.first_env == self.game and seed != 99:
            self.do()
        return result

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        if self.clock == self.at and self.first_env == self.game:
            self.do()
        return result

    def do(self) -> None:
        if self.deed == "raise":
            raise KeyError("the dog ate it")
        if self.deed == "exit":
            os._exit(7)
        if self.deed == "sys.exit":
            sys.exit(3)
        if self.deed == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.deed == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.deed == "hang":
            time.sleep(600)
        if self.deed == "slow":
            time.sleep(0.5)


def naughty(deed: str, at: int = 1, game: int = 1) -> Any:
    return partial(Naughty, deed, at, os.getpid(), game)


class Other(Counter):
    """Another observation space in every process."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf=buf)
        self.observation_space = self.make_space((4,), -1.0, float(os.getpid()))


class Huge(Counter):
    """More memory than anybody has."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(10**12, buf=buf)


class Chatty(Counter):
    """Reports ``clock % 5 * 100`` episodes per step, with one or two statistics by turns: more than fits."""

    def step(self, actions: Any) -> Any:
        *arrays, _ = super().step(actions)
        names = ["episode_return", "score"][: 1 + self.clock // 7 % 2]
        records = np.zeros(self.clock % 5 * 100, [(name, "f8") for name in names])
        records["episode_return"] = self.clock * 1000 + np.arange(len(records))
        return (*arrays, EpisodeInfos(records))


class Uneven(PufferEnv):
    """``agents`` rows with episodes of different length and end, in games of different speed.

    Row ``i`` of all ends after ``3 + i % 4`` steps, by turns terminated and truncated; now and then it waits; one
    of its three actions is illegal. An observation is (row, steps in the episode, noise, last action); so is a
    final observation, with ``row + 100``. Game ``g`` of all takes ``pauses[g % len(pauses)]`` s per step.
    """

    num_action_masks = 3

    def __init__(self, agents: int = 2, pauses: tuple[float, ...] = (0.0,), buf: Any = None) -> None:
        super().__init__(buf)
        self.num_agents, self.pauses = agents, pauses
        self.observation_space, self.action_space = self.make_space((4,)), self.make_discrete(3)

    def reset(self, seed: int | None = None) -> Any:
        self.rows = self.first_env * self.num_agents + np.arange(self.num_agents)
        self.generator = np.random.default_rng((seed or 0, self.first_env))
        self.age, self.episodes, self.clock = np.zeros((3, self.num_agents), int)
        self.actions[:] = self.rewards[:] = self.terminals[:] = self.truncations[:] = 0
        self.returns = np.zeros(self.num_agents)
        self.look()
        return self.observations, ()

    def step(self, actions: Any) -> Any:
        if actions is not self.actions:
            self.load_actions(actions)
        legal = np.take_along_axis(self.action_masks, self.actions[:, None].astype(int), 1)
        assert legal[self.masks].all(), "an illegal action"
        time.sleep(self.pauses[self.first_env % len(self.pauses)])
        self.clock += 1
        self.age += 1
        self.rewards[:] = self.actions - 0.1 * self.age
        self.returns += self.rewards
        ended = self.age == 3 + self.rows % 4
        self.terminals[:] = ended & (self.episodes % 2 == 0)
        self.truncations[:] = ended & (self.episodes % 2 == 1)
        self.look()
        self.final_observations[:] = np.where(self.truncations[:, None], self.observations, np.nan)
        self.final_observations[:, 0] += 100
        records = np.zeros(ended.sum(), EPISODE)
        records["episode_return"], records["episode_length"] = self.returns[ended], self.age[ended]
        self.age[ended] = self.returns[ended] = 0
        self.episodes += ended
        self.look()
        return self.observations, self.rewards, self.terminals, self.truncations, EpisodeInfos(records)

    def look(self) -> None:
        noise = self.generator.normal(size=self.num_agents)
        self.observations[:] = np.stack([self.rows, self.age, noise, self.actions], 1)
        self.masks[:] = (self.clock + self.rows) % 5 != 0
        assert self.action_masks is not None
        self.action_masks[:] = np.arange(3) != ((self.clock + self.rows) % 3)[:, None]
