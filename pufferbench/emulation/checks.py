"""Is an environment telling the truth about itself? Its first steps are looked at closely.

Later steps are not: looking costs more than many an environment. ``where`` says whose values they are and
where they come from, for example ``"chess_v6, agent 'player_0': step()"``; every error begins with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import iterate

from pufferbench.env import Space
from pufferbench.errors import PufferBenchError

CHECKED_STEPS = 16  # of every env; puffer check looks at all of its steps


class BadEnvironment(PufferBenchError, ValueError):
    """An environment broke its own word: its spaces, or the interface it follows."""


def check_observation(space: Space, observation: Any, where: str, at: str = "") -> None:
    """Raises :class:`BadEnvironment` unless ``observation`` is one of ``space``.

    Plain Python numbers and lists are taken for arrays, and numbers of another size of the same kind too
    (float64 for float32): they are copied into an array of the right type anyway.

    Args:
        at: the part of the observation, ``['image'][0]``; "" for the whole.
    """
    name = f"the observation{f' at {at}' if at else ''}"
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, Mapping):
            raise _wrong(where, name, observation, space)
        for key in space.spaces.keys() | observation.keys():
            if key not in observation or key not in space.spaces:
                verb = "lacks" if key in space.spaces else "has"
                raise BadEnvironment(
                    f"{where}: {name} {verb} the key {key!r}; its space has {', '.join(map(repr, space.spaces))}"
                )
        for key, part in space.spaces.items():
            check_observation(part, observation[key], where, f"{at}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        if not isinstance(observation, (tuple, list)) or len(observation) != len(space.spaces):
            raise _wrong(where, name, observation, space)
        for index, part in enumerate(space.spaces):
            check_observation(part, observation[index], where, f"{at}[{index}]")
    elif isinstance(space, spaces.Sequence):
        if (
            observation is None
            or isinstance(observation, (str, bytes))
            or not hasattr(observation, "__len__")
        ):
            raise _wrong(where, name, observation, space)
        elements = iterate(space.stacked_feature_space, observation) if space.stack else observation
        for index, element in enumerate(elements):
            check_observation(space.feature_space, element, where, f"{at}[{index}]")
    elif isinstance(space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        _check_numbers(space, observation, where, name)
    elif isinstance(observation, str) and isinstance(space, spaces.Text):
        if len(observation) > space.max_length or not space.character_set.issuperset(observation):
            raise _wrong(where, name, observation, space)
    elif not space.contains(observation):
        raise _wrong(where, name, observation, space)


def _check_numbers(space: Space, observation: Any, where: str, name: str) -> None:
    array = np.asarray(observation)
    wanted = np.dtype(space.dtype)
    if array.shape != space.shape or not _same_kind(array.dtype, wanted):
        raise _wrong(where, name, observation, space)
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise BadEnvironment(f"{where}: {name} contains NaN: {_show(observation)}")
    low, high = _bounds(space)
    # A float64 just above a float32 bound is that bound once it is stored
    array = array.astype(wanted) if wanted.kind == "f" else array
    outside = (array < low) | (array > high)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        which = f" at {list(index)}" if index else ""
        raise BadEnvironment(
            f"{where}: {name} is {array[index]}{which}, which is not within "
            f"{np.broadcast_to(low, array.shape)[index]} .. {np.broadcast_to(high, array.shape)[index]} "
            f"of its space {space}"
        )


def _same_kind(given: np.dtype, wanted: np.dtype) -> bool:
    """Integers for floats, and integers of every size for each other: their values are looked at too."""
    return given.kind in {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}[wanted.kind]


def _bounds(space: Any) -> tuple[Any, Any]:
    if isinstance(space, spaces.Box):
        return space.low, space.high
    if isinstance(space, spaces.MultiBinary):
        return 0, 1
    counts = space.n if isinstance(space, spaces.Discrete) else space.nvec
    return space.start, space.start + (counts - 1)


def check_reset(result: Any, where: str) -> tuple[Any, Mapping[str, Any]]:
    """``(observation, info)`` from what ``reset()`` returned."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
        return result
    what = _show(result)
    if isinstance(result, tuple) and len(result) == 2:
        what = f"an info that is {_show(result[1])}"
    raise BadEnvironment(f"{where} returned {what}; it must return (observation, info), info being a dict")


def check_step(result: Any, where: str) -> tuple[Any, Any, Any, Any, Mapping[str, Any]]:
    """``(observation, reward, terminated, truncated, info)`` from what ``step()`` returned."""
    names = "(observation, reward, terminated, truncated, info)"
    if not isinstance(result, (tuple, list)):
        raise BadEnvironment(f"{where} returned {_show(result)}; it must return {names}")
    if len(result) != 5:
        hint = (
            "; four are the old gym's, which pufferbench.emulation.LegacyEnv takes"
            if len(result) == 4
            else ""
        )
        raise BadEnvironment(f"{where} returned {len(result)} values; it must return {names}{hint}")
    observation, reward, terminated, truncated, info = result
    check_flag(terminated, "terminated", where)
    check_flag(truncated, "truncated", where)
    if not isinstance(info, Mapping):
        raise BadEnvironment(f"{where} returned an info that is {_show(info)}, not a dict")
    return observation, reward, terminated, truncated, info


def check_reward(reward: Any, where: str) -> float:
    """``reward`` as a float; every numeric type will do, an array of one number without a shape too."""
    array = np.asarray(reward)
    if array.shape != () or array.dtype.kind not in "fiub":
        raise BadEnvironment(f"{where}: the reward is {_show(reward)}, not a number")
    if np.isnan(array):
        raise BadEnvironment(f"{where}: the reward is NaN")
    return float(array)


def check_flag(flag: Any, name: str, where: str) -> bool:
    """``flag`` as a bool; numpy's, and 0 and 1, will do."""
    array = np.asarray(flag)
    if array.shape != () or array.dtype.kind not in "biu" or array not in (0, 1):
        raise BadEnvironment(f"{where}: {name} is {_show(flag)}, not True or False")
    return bool(array)


def check_space(now: Any, announced: Space, name: str, where: str) -> None:
    """Raises :class:`BadEnvironment` when an env's ``name`` (``"observation_space"``) is not what it was."""
    if now is not announced and now != announced:
        raise BadEnvironment(f"{where}: {name} was {announced} and is now {now}: it must stay what it is")


def _wrong(where: str, name: str, observation: Any, space: Space) -> BadEnvironment:
    return BadEnvironment(f"{where}: {name} is {_show(observation)}, but its space is {space}")


def _show(value: Any) -> str:
    """A value in a few words: type and shape, and the value itself where it is short."""
    if isinstance(value, np.ndarray):
        text = f"an array of type {value.dtype} and shape {value.shape}"
        return text if value.size > 8 else f"{text}, {value.tolist()}"
    if isinstance(value, np.generic):
        return f"{value} ({value.dtype})"
    text = repr(value)
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return short if value is None or isinstance(value, bool) else f"{short} ({type(value).__name__})"
