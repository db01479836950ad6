"""Legal actions, as environments tell them: in a Dict observation or in the infos, under ``action_mask``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.emulation.checks import BadEnvironment
from pufferbench.env import Space

KEY = "action_mask"


def number_of_choices(action_space: Space) -> int:
    """Choices of a flat action space in all, side by side: the length of a row's mask. 0 for a Box."""
    if isinstance(action_space, spaces.Discrete):
        return int(action_space.n)
    if isinstance(action_space, spaces.MultiDiscrete):
        return int(action_space.nvec.sum())
    return 0


def without_mask(observation_space: Space, action_space: Space) -> tuple[Space, bool]:
    """What is left of ``observation_space`` when its action mask is taken out, and whether it had one.

    When only a part called ``observation`` is left, that part itself (PettingZoo's board games are so).

    Args:
        action_space: the flat one. A Box has no mask: then a part of that name is an observation as any other.
    """
    if (
        not isinstance(observation_space, spaces.Dict)
        or KEY not in observation_space.spaces
        or not number_of_choices(action_space)
    ):
        return observation_space, False
    rest = {key: part for key, part in observation_space.spaces.items() if key != KEY}
    if list(rest) == ["observation"]:
        return rest["observation"], True
    return spaces.Dict(rest), True


def split_mask(observation: Mapping[str, Any]) -> tuple[Any, Any]:
    """``(observation, mask)`` of an observation with a mask, as :func:`without_mask` splits the space."""
    rest = {key: part for key, part in observation.items() if key != KEY}
    return rest["observation"] if list(rest) == ["observation"] else rest, observation[KEY]


def write_mask(mask: Any, row: np.ndarray, action_space: Space, where: str) -> None:
    """Put ``mask`` into ``row``, bool ``[choices]``.

    Args:
        mask: an array; a tuple, list or dict of arrays, one for each choice (as Gymnasium's ``sample(mask)``
            takes them); or None: everything is legal.
        action_space: the flat one.

    Raises:
        BadEnvironment: it has another length, or nothing legal to choose.
    """
    if mask is None:
        row[:] = True
        return
    flat = _flat(mask)
    if flat.dtype.kind not in "biuf" or len(flat) != len(row):
        raise BadEnvironment(
            f"{where}: the action mask has {len(flat)} values of type {flat.dtype}, but there are {len(row)} actions"
        )
    row[:] = flat != 0
    if isinstance(action_space, spaces.MultiDiscrete):
        firsts = np.cumsum(action_space.nvec) - action_space.nvec
        possible = np.logical_or.reduceat(row, firsts)
    else:
        possible = np.array([row.any()])
    if not possible.all():
        which = f" of choice {int(possible.argmin())}" if len(possible) > 1 else ""
        raise BadEnvironment(f"{where}: the action mask forbids every action{which}; one must be legal")


def _flat(mask: Any) -> np.ndarray:
    if isinstance(mask, Mapping):
        mask = list(mask.values())
    if isinstance(mask, (tuple, list)) and mask and not np.isscalar(mask[0]):
        return np.concatenate([_flat(part) for part in mask])
    return np.asarray(mask).ravel()


def sample_legal(action_masks: np.ndarray, action_space: Space, rng: np.random.Generator) -> np.ndarray:
    """Random legal actions, every one equally likely: ``[rows]``, or ``[rows, choices]`` for MultiDiscrete.

    Args:
        action_masks: bool ``[rows, n]``, all choices side by side.
        action_space: one agent's, flat.
    """
    score = np.where(action_masks, rng.random(action_masks.shape), -1.0)
    if isinstance(action_space, spaces.MultiDiscrete):
        parts = np.split(score, np.cumsum(action_space.nvec)[:-1], axis=1)
        return np.stack([part.argmax(1) for part in parts], 1)
    return score.argmax(1)
