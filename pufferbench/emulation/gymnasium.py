"""A Gymnasium environment behind the PufferEnv contract."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from pufferbench.emulation import masks
from pufferbench.emulation.checks import (
    CHECKED_STEPS,
    BadEnvironment,
    check_observation,
    check_reset,
    check_reward,
    check_space,
    check_step,
)
from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv, Space, StepResult, game_seed
from pufferbench.errors import InvalidAction
from pufferbench.spaces import FlatBox, Writer, flatten_actions, flatten_observations, layout_of

EPISODE = np.dtype([("episode_return", np.float32), ("episode_length", np.int32)], align=True)


def make_gymnasium(env_id: str, max_length: int | None = None, **kwargs: Any) -> GymnasiumEnv:
    """``gymnasium.make(env_id, **kwargs)`` as a PufferEnv; it can be rendered where the env can draw."""
    from gymnasium.envs.registration import load_env_creator

    entry_point = gymnasium.spec(env_id).entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    if "rgb_array" in getattr(creator, "metadata", {}).get("render_modes", ()):
        kwargs.setdefault("render_mode", "rgb_array")
    return GymnasiumEnv(gymnasium.make(env_id, disable_env_checker=True, **kwargs), max_length)


class CloseLook:
    """An environment's reset and step, and whether what they return is what it should be.

    Args:
        env: the Gymnasium env.
        name: of the env, for the errors.

    Attributes:
        left: steps still to look at.
    """

    def __init__(self, env: gymnasium.Env, name: str) -> None:
        self.env, self.name, self.left = env, name, CHECKED_STEPS
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def reset(self, seed: int | None) -> tuple[Any, Any]:
        """``(observation, info)`` of a new episode; without a seed, the env's own generator goes on."""
        try:
            result = self.env.reset() if seed is None else self.env.reset(seed=seed)
        except Exception as error:
            call = f"reset({'' if seed is None else f'seed={seed}'})"
            raise BadEnvironment(f"{self.name}: {call} raised {type(error).__name__}: {error}") from error
        try:
            observation, info = result
        except (TypeError, ValueError):
            check_reset(result, f"{self.name}: reset()")  # says what is wrong
            raise
        if self.left:
            check_reset(result, f"{self.name}: reset()")
            self.check_observation(observation, "reset()")
            self._check_spaces("reset()")
        return observation, info

    def step(self, action: Any) -> Any:
        """One of the first steps."""
        result = self.env.step(action)
        self.left -= 1
        self.check_step(result)
        self._check_spaces("step()")
        return result

    def check_step(self, result: Any) -> None:
        where = f"{self.name}: step()"
        observation, reward, *_ = check_step(result, where)
        check_reward(reward, where)
        self.check_observation(observation, "step()")

    def check_observation(self, observation: Any, call: str) -> None:
        check_observation(self.observation_space, observation, f"{self.name}: {call}")

    def _check_spaces(self, call: str) -> None:
        where = f"{self.name}: {call}"
        check_space(self.env.observation_space, self.observation_space, "observation_space", where)
        check_space(self.env.action_space, self.action_space, "action_space", where)


class GymnasiumEnv(PufferEnv):
    """One Gymnasium environment as one row.

    An episode that ends is reset in the same step: ``terminals`` or ``truncations`` are True and
    ``observations`` already shows the next one; what a truncated episode showed last is in
    ``final_observations``. Ended episodes are reported as ``episode_return`` and ``episode_length``.

    Observations and actions of every kind become flat (:mod:`pufferbench.spaces`). Legal actions, which an
    env tells under ``action_mask`` in a Dict observation or in its infos, become ``action_masks``; to see
    whether its infos have them, an env with discrete actions is reset once when the adapter is made.

    Args:
        env: any.
        max_length: the most items of a Sequence, and the most characters of texts without a bound.
        buf: the arrays to write into, from a vectorizer; None makes our own.

    Raises:
        TypeError: a space cannot be flattened; says which part of it, and what to do.
        BadEnvironment: in the first steps, what the env returns is not what its spaces and Gymnasium's
            interface say; later, what cannot be written.
    """

    def __init__(self, env: gymnasium.Env, max_length: int | None = None, buf: Buffers | None = None) -> None:
        super().__init__(buf)
        self.env = env
        self.fps = int(env.metadata.get("render_fps") or 30)
        self._max_length = max_length
        core, self._max_episode_steps = _peel(env)
        name = self._name_of(env)
        self._look = CloseLook(core, name)
        try:
            self.action_space, self._unflatten_action = flatten_actions(env.action_space)
            self._seen_space, self._mask_inside = masks.without_mask(env.observation_space, self.action_space)
            self.observation_space = flatten_observations(self._seen_space, max_length)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        # A single choice is looked up here, which is faster: the env's own number, of the type it samples
        self._choices: np.ndarray | None = None
        if isinstance(env.action_space, spaces.Discrete):
            first, n = env.action_space.start, int(env.action_space.n)
            self._choices = np.arange(first, first + n, dtype=env.action_space.dtype)
        self._step = self._first_step
        self._seeded = False
        self._length, self._return = 0, 0.0
        choices = masks.number_of_choices(self.action_space)
        if self._mask_inside or (choices and masks.KEY in self._look.reset(0)[1]):
            self.num_action_masks = choices
        self._unpack(self.buffers)

    def use_buffers(self, buffers: Buffers) -> None:
        super().use_buffers(buffers)
        self._unpack(buffers)

    def _unpack(self, b: Buffers) -> None:
        """Fields of our own: looking them up in others' costs time. (So would more than 30 fields in Python.)"""
        self._own_actions, self._rewards = b.actions, b.rewards
        self._terminals, self._truncations = b.terminals, b.truncations
        self._legal = None if b.action_masks is None else b.action_masks[0]
        row = b.observations[0, ...]  # with the dots a view, of a single number too
        self._write_row = self._writer(row)
        self._write_final_row = self._writer(b.final_observations[0, ...])
        # The row itself where an observation is one array, which is copied as it is
        plain = self.observation_space is self._seen_space and not isinstance(self.observation_space, FlatBox)
        self._row = row if plain and self._legal is None else None
        self._result: StepResult = (b.observations, b.rewards, b.terminals, b.truncations, ())

    def _writer(self, row: np.ndarray) -> Writer:
        if isinstance(self.observation_space, FlatBox):
            return self.observation_space.layout.writer(row)
        if isinstance(self.observation_space, spaces.Box):
            return partial(row.__setitem__, ...)
        return layout_of(self._seen_space).writer(row)

    @property
    def source_observation_space(self) -> Space:
        return self.env.observation_space

    @property
    def source_action_space(self) -> Space:
        return self.env.action_space

    # -- playing --------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        """A new episode. See :meth:`pufferbench.env.PufferEnv.reset`."""
        if seed is None and not self._seeded:
            seed = 0
        first = self._look.reset(None if seed is None else game_seed(int(seed), self.first_env) % 2**31)
        self._seeded = True
        self._see(*first, "reset()")
        b = self.buffers
        b.rewards[0], b.terminals[0], b.truncations[0], b.masks[0] = 0, False, False, True
        self._length, self._return = 0, 0.0
        return b.observations, ()

    def step(self, actions: Any) -> StepResult:
        """One step. See :meth:`pufferbench.env.PufferEnv.step`."""
        if actions is not self._own_actions:
            self.load_actions(actions)
        if not self._seeded:
            raise RuntimeError(f"{self._look.name}: call reset() before the first step()")
        if self._choices is None:
            action = self._own_action()
        else:
            number = self._own_actions.item()
            if not 0 <= number < len(self._choices):
                raise InvalidAction(f"{self._look.name}: the action {number} is not in {self.action_space}")
            action = self._choices[number]
        result = self._step(action)
        try:
            observation, reward, terminated, truncated, info = result
            reward = float(reward)
        except (TypeError, ValueError):
            self._look.check_step(result)  # says what is wrong
            raise
        self._length = length = self._length + 1
        self._return += reward
        self._rewards[0] = reward
        if terminated or truncated or length >= self._max_episode_steps:
            return (*self._result[:4], self._end(observation, bool(terminated)))
        if self._row is None:
            self._see(observation, info, "step()")
        else:
            try:
                self._row[...] = observation
            except (TypeError, ValueError):
                self._look.check_observation(observation, "step()")  # says what is wrong
                raise
        if length == 1:  # perhaps the last one ended an episode
            self._terminals[0] = self._truncations[0] = False
        return self._result

    def _end(self, observation: Any, terminated: bool) -> Infos:
        """The episode is over: its statistics, and the first observation of the next."""
        self._terminals[0], self._truncations[0] = terminated, not terminated
        if not terminated:
            self._write(observation, self._write_final_row, "step()")
        record = np.array([(self._return, self._length)], EPISODE)
        self._see(*self._look.reset(None), "reset()")
        self._length, self._return = 0, 0.0
        return EpisodeInfos(record)

    def look_at_every_step(self) -> None:
        """From now on look closely at all steps: ``puffer check`` does."""
        self._look.left, self._step = sys.maxsize, self._first_step

    def _first_step(self, action: Any) -> Any:
        """The env's step, looked at closely; after :data:`CHECKED_STEPS` of them it is called directly."""
        result = self._look.step(action)
        if not self._look.left:
            self._step = self._look.env.step
        return result

    def _see(self, observation: Any, info: Any, call: str) -> None:
        """Write an observation, and the legal actions, into their rows."""
        mask = self._write(observation, self._write_row, call)
        if self._legal is not None:
            mask = mask if self._mask_inside else info.get(masks.KEY)
            masks.write_mask(mask, self._legal, self.action_space, f"{self._look.name}: {call}")

    def _write(self, observation: Any, write: Writer, call: str) -> Any:
        """Write an observation with ``write``; returns the mask inside it, or None."""
        mask, seen = None, observation
        try:
            if self._mask_inside:
                seen, mask = masks.split_mask(observation)
            write(seen)
        except Exception as error:
            self._look.check_observation(observation, call)
            raise BadEnvironment(f"{self._look.name}: {call}: {error}") from error
        return mask

    def _own_action(self) -> Any:
        """The row's action as the env's own; a new one each time, since it may keep it."""
        try:
            return self._unflatten_action(self._own_actions[0])
        except InvalidAction as error:
            raise InvalidAction(f"{self._look.name}: {error}") from None

    @staticmethod
    def _name_of(env: Any) -> str:
        return env.spec.id if env.spec is not None else type(env.unwrapped).__name__

    # -- the rest -------------------------------------------------------------------------------

    def render(self) -> np.ndarray:
        """The env's own drawing. Raises TypeError where it has none, or lacks a package for it."""
        try:
            picture = self._look.env.render()
        except NotImplementedError as error:  # gymnasium.Env's own says nothing
            raise TypeError(f"{self._look.name} has no render(): it cannot be drawn") from error
        except gymnasium.error.DependencyNotInstalled as error:
            raise TypeError(f"{self._look.name} cannot be drawn here: {error}") from error
        if not isinstance(picture, np.ndarray):
            raise TypeError(
                f"{self._look.name}: render() gave {type(picture).__name__}, not a picture: "
                'make the env with render_mode="rgb_array"'
            )
        return picture

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """One more env like this one. Several: ``pufferbench.make(name, num_envs=...)``."""
        if self.spec is not None or self.env.spec is None or num_envs != 1:
            return super().respawn(num_envs)
        return GymnasiumEnv(gymnasium.make(self.env.spec, disable_env_checker=True), self._max_length)

    def close(self) -> None:
        self.env.close()


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
