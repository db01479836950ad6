"""Words for numbers: what the actions of an environment are called, and the numbers of its observations.

The page of a game, its class docstring, says both, in a form that ``tests/ocean/test_every_game.py`` holds
(``0 stay, 1 left``; a table ``| index | meaning |``). They are read from there. Other environments may have
``get_action_meanings()``, as Atari's do; the rest have numbers, and the keys of their Dict.
"""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.spaces import FlatBox

LONGEST = 30  # characters of an action's name; the rest of a sentence is cut


@dataclass(frozen=True)
class ActionPart:
    """One choice of an action, or one of its dimensions.

    Attributes:
        name: "" where there is only one part.
        options: what can be chosen; empty for a dimension of a Box, which is any number from ``low`` to ``high``.
    """

    name: str
    options: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class ObservationPart:
    """One array of an observation.

    Attributes:
        name: "" where there is only one part.
        shape: of the array. With two or three dimensions it is a picture.
        names: what each number is, in C order, "" where nobody says; empty for pictures.
    """

    name: str
    shape: tuple[int, ...]
    names: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_picture(self) -> bool:
        return len(self.shape) in (2, 3)


def action_parts(env: Any) -> list[ActionPart]:
    """The parts of one agent's action, in the order in which a policy's distribution has them."""
    space = env.action_space
    if isinstance(space, spaces.Discrete):
        return [ActionPart("", _option_names(env, int(space.n)))]
    page = _section(env, "Action")
    if isinstance(space, spaces.MultiDiscrete):
        names = [name for name, _ in re.findall(r"\| *([a-z][\w ]*), (\d+) \.\. \d+ *\|", page)]
        if len(names) != len(space.nvec):
            names = [f"part {index}" for index in range(len(space.nvec))]
        return [
            ActionPart(name, tuple(map(str, range(int(count)))))
            for name, count in zip(names, space.nvec, strict=True)
        ]
    low, high = space.low.ravel(), space.high.ravel()
    names = [""] if len(low) == 1 else [f"dimension {index}" for index in range(len(low))]
    return [ActionPart(name, (), float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)]


def observation_parts(env: Any) -> list[ObservationPart]:
    """The arrays of one agent's observation, in the order of :func:`observation_numbers`."""
    space = env.observation_space
    if isinstance(space, FlatBox):
        return [ObservationPart(".".join(path), shape) for path, shape in leaves(space.layout.dtype)]
    shape = tuple(space.shape)
    if len(shape) in (2, 3):
        return [ObservationPart("", shape)]
    return [ObservationPart("", shape, _number_names(env, math.prod(shape)))]


def observation_numbers(space: spaces.Space, row: np.ndarray) -> np.ndarray:
    """One agent's observation as float32 ``[n]``: the numbers of its parts one after the other."""
    if not isinstance(space, FlatBox):
        return np.asarray(row, np.float32).ravel()
    place = (
        np.array(row).reshape(-1).view(np.dtype([("sample", space.layout.dtype)], align=True))["sample"][0]
    )
    found = []
    for path, _ in leaves(space.layout.dtype):
        part = place
        for name in path:
            part = part[name]
        found.append(np.asarray(part, np.float32).ravel())
    return np.concatenate(found)


def source_of(env: Any) -> Any:
    """The environment within wrappers and adapters: the one whose class has the page."""
    while (inner := getattr(env, "env", None)) is not None and inner is not env:
        env = inner
    return getattr(env, "unwrapped", env)


# -- the page -----------------------------------------------------------------------------------


def _section(env: Any, title: str) -> str:
    """The paragraph and table of the page that begin with ``title``, "" where there is none."""
    for ancestor in type(source_of(env)).__mro__:
        page = inspect.cleandoc(ancestor.__dict__.get("__doc__") or "")
        found = re.search(rf"^{title}\b.*?(?=\n\n(?!\|)|\Z)", page, re.DOTALL | re.MULTILINE)
        if found:
            return found.group(0)
    return ""


def _option_names(env: Any, count: int) -> tuple[str, ...]:
    """Names of a Discrete's actions; their numbers where not every one has a name."""
    meanings = getattr(source_of(env), "get_action_meanings", None)
    if meanings is not None and len(meanings()) == count:
        return tuple(str(name).lower() for name in meanings())
    text = _section(env, "Action")
    rows = dict(re.findall(r"^\| *(\d+) *\| *([^|]*?) *\|", text, re.MULTILINE))
    prose = " ".join(text.split("``:", 1)[-1].split())
    names = []
    for index in range(count):
        listed = re.search(rf"(?:^|[,:;] ){index}:? ([^,.;|]+)", prose)
        name = rows.get(str(index)) or (listed.group(1) if listed else "")
        if not name:
            return tuple(map(str, range(count)))
        names.append(_short(name))
    return tuple(names)


def _number_names(env: Any, count: int) -> tuple[str, ...]:
    """What an observation's numbers are, from the table of indices: "" where it does not say."""
    names = [""] * count
    inner = source_of(env)
    if getattr(inner, "observation_space", env.observation_space) != env.observation_space:
        return tuple(names)  # a wrapper made other observations of it
    rows = re.findall(r"^\| *([\d., ]*\d) *\| *([^|]*?) *\|", _section(env, "Observation"), re.MULTILINE)
    for where, meaning in rows:
        indices: list[int] = []
        for piece in where.split(","):
            ends = [int(end) for end in piece.split("..")]
            indices += range(ends[0], ends[-1] + 1)
        for index in indices:
            if index < count:
                names[index] = meaning.replace("`", "").strip()
    return tuple(names)


def _short(text: str) -> str:
    text = text.replace("`", "").strip()
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rsplit(" ", 1)[0].rstrip(" ,:;") + " …"


def leaves(dtype: np.dtype, shape: tuple[int, ...] = ()) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """The arrays of numbers in a structured type: the names that lead to each, and its shape."""
    if dtype.subdtype is not None:
        base, inner = dtype.subdtype
        return leaves(base, (*shape, *inner))
    if dtype.fields is None:
        return [((), shape)]
    return [
        ((name, *path), below)
        for name in dtype.names or ()
        for path, below in leaves(dtype.fields[name][0], shape)
    ]
