"""Environments in the manner of gym before 0.26, and whatever else has reset, step and two spaces.

    observation = env.reset()
    observation, reward, done, info = env.step(action)

They are recognised by what they do; the package gym itself is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pufferbench.emulation.checks import BadEnvironment, check_flag
from pufferbench.emulation.gymnasium import GymnasiumEnv
from pufferbench.env import Buffers, PufferEnv, Space


class LegacyEnv(GymnasiumEnv):
    """One environment in the old manner as one row; see :class:`GymnasiumEnv` for the rest.

    ``step`` may return 4 values or 5, ``reset`` an observation with or without an info. An episode whose info
    has ``TimeLimit.truncated`` was cut, not ended. Seeds go to ``reset(seed=)``, or else to ``seed()``.

    Args:
        env: has ``reset``, ``step``, ``observation_space`` and ``action_space``; spaces of gym are understood,
            and whatever else has ``shape``, ``dtype``, ``low`` and ``high``, or ``n``.
        max_length, buf: as :class:`GymnasiumEnv`.

    Raises:
        TypeError: it has no such method, or a space is of an unknown kind.
    """

    def __init__(self, env: Any, max_length: int | None = None, buf: Buffers | None = None) -> None:
        super().__init__(Modern(env), max_length, buf)

    @staticmethod
    def _name_of(env: Any) -> str:
        return env.name

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        return PufferEnv.respawn(self, num_envs)


class Modern(gymnasium.Env):
    """An old env with Gymnasium's interface."""

    def __init__(self, env: Any) -> None:
        self.old = env
        self.metadata = dict(getattr(env, "metadata", None) or {})
        self.metadata.setdefault("render_fps", self.metadata.get("video.frames_per_second"))
        name = getattr(getattr(env, "spec", None), "id", None) or type(_innermost(env)).__name__
        self.name = str(name)
        for method in ("reset", "step"):
            if not callable(getattr(env, method, None)):
                raise TypeError(f"{self.name} has no {method}(): it is no environment")
        for what in ("observation_space", "action_space"):
            if getattr(env, what, None) is None:
                raise TypeError(f"{self.name} has no {what}")
            try:
                setattr(self, what, modern_space(getattr(env, what)))
            except TypeError as error:
                raise TypeError(f"{self.name}: {what} {error}") from None
        self._reset_takes_seed = True  # until it says that it does not

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        result = self.old.reset() if seed is None else self._seeded_reset(seed)
        if (
            isinstance(result, tuple)
            and len(result) == 2
            and isinstance(result[1], Mapping)
            and not self.observation_space.contains(result)  # a Tuple whose second part is a Dict
        ):
            return result
        return result, {}

    def _seeded_reset(self, seed: int) -> Any:
        if self._reset_takes_seed:
            try:
                return self.old.reset(seed=seed)
            except TypeError as error:
                if "'seed'" not in str(error):  # an unexpected keyword argument 'seed'
                    raise
                self._reset_takes_seed = False
        if callable(seed_env := getattr(self.old, "seed", None)):
            seed_env(seed)
        return self.old.reset()

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        result = self.old.step(action)
        if not isinstance(result, (tuple, list)) or len(result) not in (4, 5):
            count = f"{len(result)} values" if isinstance(result, (tuple, list)) else repr(result)
            raise BadEnvironment(
                f"{self.name}: step() returned {count}; it must return (observation, reward, done, info) or "
                "(observation, reward, terminated, truncated, info)"
            )
        if len(result) == 5:
            return tuple(result)  # type: ignore[return-value]
        observation, reward, done, info = result
        done = check_flag(done, "done", f"{self.name}: step()")
        if not isinstance(info, Mapping):
            raise BadEnvironment(f"{self.name}: step() returned an info that is {info!r}, not a dict")
        cut = done and bool(info.get("TimeLimit.truncated", False))
        return observation, reward, done and not cut, cut, info

    def render(self) -> Any:
        try:
            return self.old.render(mode="rgb_array")
        except TypeError as error:
            if "'mode'" not in str(error):
                raise
            return self.old.render()

    def close(self) -> None:
        if callable(close := getattr(self.old, "close", None)):
            close()


def _innermost(env: Any) -> Any:
    inner = getattr(env, "unwrapped", env)
    return env if inner is None else inner


def modern_space(space: Any) -> Space:
    """A space of gym, or anything with the same fields, as Gymnasium's.

    Raises:
        TypeError: it has none of the fields that would say what it is.
    """
    if isinstance(space, Space):
        return space
    kind = type(space).__name__
    if kind == "Dict" and hasattr(space, "spaces"):
        return spaces.Dict({key: modern_space(part) for key, part in space.spaces.items()})
    if kind == "Tuple" and hasattr(space, "spaces"):
        return spaces.Tuple([modern_space(part) for part in space.spaces])
    if hasattr(space, "nvec"):
        return spaces.MultiDiscrete(np.asarray(space.nvec))
    if kind == "MultiBinary":
        return spaces.MultiBinary(space.n)
    if all(getattr(space, field, None) is not None for field in ("shape", "low", "high")):
        dtype = np.dtype(getattr(space, "dtype", None) or np.float32)
        low, high = (np.broadcast_to(np.asarray(b, dtype), space.shape) for b in (space.low, space.high))
        return spaces.Box(low, high, tuple(space.shape), dtype.type)
    if isinstance(getattr(space, "n", None), (int, np.integer)):
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    raise TypeError(f"{space!r} ({kind}) is of an unknown kind: it has neither shape, low and high, nor n")
