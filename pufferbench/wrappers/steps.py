"""Several steps as one, several observations as one, and an end to episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.env import EpisodeInfos, Infos, StepResult, join_infos
from pufferbench.spaces import FlatBox
from pufferbench.wrappers.base import Wrapper
from pufferbench.wrappers.episodes import EpisodeCounter


class FrameStack(Wrapper):
    """The last ``n`` observations as one, ``[n, *shape]``, the newest last.

    At the start of an episode all of them are its first.

    Args:
        env: its observations are a Box.
        n: how many.
    """

    def __init__(self, env: Any, n: int = 4) -> None:
        super().__init__(env)
        space = self.env.observation_space
        if not isinstance(space, spaces.Box) or isinstance(space, FlatBox):
            raise TypeError(f"FrameStack needs observations that are a Box, not {space}")
        self.n = _at_least_one(n, "FrameStack: n")
        low, high = (np.repeat(bound[None], n, axis=0) for bound in (space.low, space.high))
        self.observation_space = spaces.Box(low, high, dtype=space.dtype.type)
        self._frames = np.zeros((self.num_agents, n, *space.shape), space.dtype)
        self._begins = True

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self._begins = True
        return super().reset(seed)

    def observation(self, observations: np.ndarray) -> np.ndarray:
        frames = self._frames
        if self._begins:
            frames[:] = observations[:, None]
            self._begins = False
            return frames
        frames[:, :-1] = frames[:, 1:]
        frames[:, -1] = observations
        first = self.env.terminals | self.env.truncations
        if first.any():
            frames[first] = observations[first, None]
        return frames

    def final_observation(self, observations: np.ndarray) -> np.ndarray:
        return np.concatenate([self._frames[:, 1:], observations[:, None]], axis=1)


class ActionRepeat(Wrapper):
    """Each action is done ``n`` times; their rewards are added.

    It stops where all rows have ended their episodes. In a batch a row that ended alone plays on with its next
    episode while the others finish; what it gets there counts to its next step, so that no reward is lost.

    Args:
        n: how often.
    """

    def __init__(self, env: Any, n: int = 4) -> None:
        super().__init__(env)
        self.n = _at_least_one(n, "ActionRepeat: n")
        self._carried = np.zeros(self.num_agents, np.float32)

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self._carried[:] = 0
        return super().reset(seed)

    def step(self, actions: Any) -> StepResult:
        b = self.buffers
        if actions is not b.actions:
            self.load_actions(actions)
        total, next_episode = self._carried.copy(), np.zeros_like(self._carried)
        terminals, truncations = np.zeros_like(b.terminals), np.zeros_like(b.truncations)
        parts, rows, finals = [], [], []
        for _ in range(self.n):
            parts.append(super().step(b.actions)[4])
            rows.append(np.flatnonzero(b.terminals | b.truncations))
            ended = terminals | truncations
            total += np.where(ended, 0, b.rewards)
            next_episode += np.where(ended, b.rewards, 0)
            now = (b.terminals | b.truncations) & ~ended
            terminals |= b.terminals & now
            truncations |= b.truncations & now
            if (cut := b.truncations & now).any():
                finals.append((cut, b.final_observations[cut]))
            if (terminals | truncations).all():
                break
        b.rewards[:], b.terminals[:], b.truncations[:] = total, terminals, truncations
        for cut, last in finals:
            b.final_observations[cut] = last
        self._carried = next_episode
        return b.observations, b.rewards, b.terminals, b.truncations, in_row_order(parts, rows)


class TimeLimit(Wrapper):
    """Cuts episodes after ``max_steps`` steps: ``truncations``, and the game begins anew.

    Args:
        env: one game (of one or several agents), because a batch cannot reset one of its games alone. For a
            batch: ``Serial(lambda: TimeLimit(MyEnv(), 200), num_envs=64)``. Games of ``ocean_numba`` and
            Gymnasium have parameters for it, ``max_steps=`` or ``max_episode_steps=``.
        max_steps: steps of the game.
    """

    def __init__(self, env: Any, max_steps: int) -> None:
        super().__init__(env)
        if self.num_envs != 1:
            raise ValueError(
                f"TimeLimit needs one game, not a batch of {self.num_envs}, whose games cannot be reset alone; "
                "put it around each: Serial(lambda: TimeLimit(MyEnv(), 200), num_envs=64)"
            )
        self.max_steps = _at_least_one(max_steps, "TimeLimit: max_steps")
        self._clock = 0
        self._counter = EpisodeCounter(self)

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self._begin()
        return super().reset(seed)

    def _begin(self) -> None:
        self._clock = 0
        self._counter.clear()

    def step(self, actions: Any) -> StepResult:
        *_, infos = super().step(actions)
        b = self.buffers
        gone = self._counter.gone  # before this step
        ended = self._counter.add(b)
        self._counter.take(ended)  # the env reports these itself
        self._clock += 1
        if (ended | gone).all():
            self._clock = 0  # the game has begun anew
        elif self._clock >= self.max_steps:
            cut = ~ended & ~self._counter.gone
            b.truncations[cut] = True
            b.final_observations[cut] = b.observations[cut]
            statistics = EpisodeInfos(self._counter.take(cut))
            infos = in_row_order([infos, statistics], [np.flatnonzero(ended), np.flatnonzero(cut)])
            observations, _ = self.env.reset()
            if observations is not b.observations:
                b.observations[...] = observations
            self._begin()
        return b.observations, b.rewards, b.terminals, b.truncations, infos


def in_row_order(parts: list[Infos], rows: list[np.ndarray]) -> Infos:
    """Several infos as one, in the order of the rows that each is about (where that can be told)."""
    infos, order = join_infos(parts), np.concatenate(rows)
    if len(infos) != len(order) or len(infos) < 2:
        return infos
    places = np.argsort(order, kind="stable")
    if isinstance(infos, EpisodeInfos):
        return EpisodeInfos(infos.records[places])
    return [infos[place] for place in places]


def _at_least_one(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return int(value)
