"""A Gymnasium environment behind the PufferEnv contract."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv, Space, StepResult, game_seed
from pufferbench.errors import InvalidAction

EPISODE = np.dtype([("episode_return", np.float32), ("episode_length", np.int32)], align=True)


def make_gymnasium(env_id: str, **kwargs: Any) -> GymnasiumEnv:
    """``gymnasium.make(env_id, **kwargs)`` as a PufferEnv; it can be rendered where the env can draw."""
    from gymnasium.envs.registration import load_env_creator

    entry_point = gymnasium.spec(env_id).entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    if "rgb_array" in getattr(creator, "metadata", {}).get("render_modes", ()):
        kwargs.setdefault("render_mode", "rgb_array")
    return GymnasiumEnv(gymnasium.make(env_id, disable_env_checker=True, **kwargs))


class GymnasiumEnv(PufferEnv):
    """One Gymnasium environment as one row.

    An episode that ends is reset in the same step: ``terminals`` or ``truncations`` are True and
    ``observations`` already shows the next one; what a truncated episode showed last is in
    ``final_observations``. Ended episodes are reported as ``episode_return`` and ``episode_length``.

    Args:
        env: its observations are a Box, Discrete (an integer) or MultiDiscrete; its actions too.
        buf: the arrays to write into, from a vectorizer; None makes our own.

    Raises:
        TypeError: its spaces are others.
    """

    def __init__(self, env: gymnasium.Env, buf: Buffers | None = None) -> None:
        super().__init__(buf)
        self.env = env
        self.fps = int(env.metadata.get("render_fps") or 30)
        self.observation_space = _supported(env.observation_space, "observations", env)
        self.action_space = _supported(env.action_space, "actions", env)
        # Actions are numbered from 0 here; the env gets its own, of the type that its space samples
        self._choices: np.ndarray | None = None
        if isinstance(env.action_space, spaces.Discrete):
            first, n = env.action_space.start, int(env.action_space.n)
            self._choices = np.arange(first, first + n, dtype=env.action_space.dtype)
            self.action_space = spaces.Discrete(n)
        elif isinstance(env.action_space, spaces.MultiDiscrete):
            self.action_space = spaces.MultiDiscrete(env.action_space.nvec)
        self._seeded = False
        self._core, self._max_episode_steps = _peel(env)
        self._step = self._core.step
        self._number_of_actions = 0 if self._choices is None else len(self._choices)
        self._ended, self._length, self._return = False, 0, 0.0
        self._unpack(self.buffers)

    def use_buffers(self, buffers: Buffers) -> None:
        super().use_buffers(buffers)
        self._unpack(buffers)

    def _unpack(self, b: Buffers) -> None:
        """Fields of our own: looking them up is a good part of the adapter's time."""
        self._own_actions, self._rewards = b.actions, b.rewards
        self._terminals, self._truncations = b.terminals, b.truncations
        self._row = b.observations[0, ...]  # with the dots a view, of a single number too
        self._result: StepResult = (b.observations, b.rewards, b.terminals, b.truncations, ())

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        """A new episode. See :meth:`pufferbench.env.PufferEnv.reset`."""
        if seed is None and not self._seeded:
            seed = 0
        if seed is None:
            observation, _ = self._core.reset()
        else:
            observation, _ = self._core.reset(seed=game_seed(int(seed), self.first_env) % 2**31)
            self._seeded = True
        array, row = np.asarray(observation), self._row
        if array.shape != row.shape or not np.can_cast(array.dtype, row.dtype, "same_kind"):
            raise ValueError(
                f"{self._name}: reset() returned an observation of type {array.dtype} and shape {array.shape}, "
                f"but its observation_space {self.observation_space} means {row.dtype} {row.shape}"
            )
        row[...] = observation
        b = self.buffers
        b.rewards[0], b.terminals[0], b.truncations[0], b.masks[0] = 0, False, False, True
        self._ended, self._length, self._return = False, 0, 0.0
        return b.observations, ()

    def step(self, actions: Any) -> StepResult:
        """One step. See :meth:`pufferbench.env.PufferEnv.step`."""
        if actions is not self._own_actions:
            self.load_actions(actions)
        if not self._seeded:
            raise RuntimeError(f"{self._name}: call reset() before the first step()")
        if self._choices is None:
            action = self._action_row()
        else:
            number = self._own_actions.item()
            if not 0 <= number < self._number_of_actions:
                self._refuse(number)
            action = self._choices[number]
        observation, reward, terminated, truncated, _ = self._step(action)
        self._length = length = self._length + 1
        self._return += float(reward)
        self._rewards[0] = reward
        if terminated or truncated or length >= self._max_episode_steps:
            return (*self._result[:4], self._end(observation, bool(terminated)))
        self._row[...] = observation
        if self._ended:  # in the step before
            self._ended = self._terminals[0] = self._truncations[0] = False
        return self._result

    def _end(self, observation: Any, terminated: bool) -> Infos:
        """The episode is over: its statistics, and the first observation of the next."""
        self._terminals[0], self._truncations[0] = terminated, not terminated
        if not terminated:
            self.buffers.final_observations[0] = observation
        record = np.array([(self._return, self._length)], EPISODE)
        self._row[...], _ = self._core.reset()
        self._ended, self._length, self._return = True, 0, 0.0
        return EpisodeInfos(record)

    def _action_row(self) -> np.ndarray:
        """Actions of several numbers, as the env's own (it may keep them)."""
        action = self._own_actions[0].astype(self.env.action_space.dtype)
        if isinstance(self.env.action_space, spaces.MultiDiscrete):
            if (action < 0).any() or (action >= self.env.action_space.nvec).any():
                self._refuse(action)
            action += self.env.action_space.start
        return action

    def _refuse(self, action: Any) -> None:
        raise InvalidAction(f"{self._name}: the action {action} is not in {self.action_space}")

    @property
    def _name(self) -> str:
        return self.env.spec.id if self.env.spec is not None else type(self.env.unwrapped).__name__

    def render(self) -> np.ndarray:
        """The env's own drawing. Raises TypeError where it has none, or lacks a package for it."""
        try:
            picture = self._core.render()
        except gymnasium.error.DependencyNotInstalled as error:
            raise TypeError(f"{self._name} cannot be drawn here: {error}") from error
        if not isinstance(picture, np.ndarray):
            raise TypeError(
                f"{self._name}: render() gave {type(picture).__name__}, not a picture: "
                'make the env with render_mode="rgb_array"'
            )
        return picture

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """One more env like this one. Several: ``pufferbench.make(name, num_envs=...)``."""
        if self.spec is not None or self.env.spec is None or num_envs != 1:
            return super().respawn(num_envs)
        return GymnasiumEnv(gymnasium.make(self.env.spec, disable_env_checker=True))

    def close(self) -> None:
        self.env.close()


def _supported(space: Space, what: str, env: gymnasium.Env) -> Space:
    if isinstance(space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete)):
        return space
    raise TypeError(f"{env}: {what} are {space}; Box, Discrete and MultiDiscrete are understood so far")


def _peel(env: gymnasium.Env) -> tuple[gymnasium.Env, int]:
    """``env`` without the outer wrappers of gymnasium.make(), and its limit of steps.

    They cost more than CartPole itself, and what they do is done here: the adapter never steps before a
    reset (OrderEnforcing), counts steps (TimeLimit), and PassiveEnvChecker only looks.
    """
    limit = sys.maxsize
    while type(env) in (OrderEnforcing, PassiveEnvChecker, TimeLimit):
        if type(env) is TimeLimit:
            limit = min(limit, env._max_episode_steps)
        env = env.env  # type: ignore[attr-defined]
    return env, limit
