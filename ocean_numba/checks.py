"""Mistakes found before compiling, in milliseconds.

Numba would print dozens of lines about generated code for some of them and run others silently: an index
out of range, a variable without a value, ``np.random``. So first the bytecode is read, then the game
plays a few steps in Python mode.
"""

from __future__ import annotations

import builtins
import dis
import math
import random
import time
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary

from ocean_numba import rng
from ocean_numba.codegen import action_bounds
from ocean_numba.errors import GameError
from ocean_numba.explain import run_error, source
from ocean_numba.functions import ALLOWED_BUILTINS, code_of, is_constant, is_math, reachable
from ocean_numba.game import Layout
from ocean_numba.layout import Kind, as_records
from ocean_numba.python_mode import ArrayProxy, RecordsProxy, proxy
from pufferbench.errors import did_you_mean

_LIST = "makes a list; declare an array in State instead"
_TEXT = "makes text; a compiled game works with numbers only"
_FORBIDDEN = {
    "BUILD_LIST": _LIST,
    "BUILD_MAP": "makes a dict; use numbers and arrays of State",
    "BUILD_CONST_KEY_MAP": "makes a dict; use numbers and arrays of State",
    "BUILD_SET": "makes a set; use a tuple or arrays of State",
    "FORMAT_VALUE": _TEXT,
    "FORMAT_SIMPLE": _TEXT,
    "FORMAT_WITH_SPEC": _TEXT,
    "BUILD_STRING": _TEXT,
    "IMPORT_NAME": "imports something; import at the top of the file",
    "LOAD_ASSERTION_ERROR": "has an assert; a compiled game cannot raise exceptions",
    "RAISE_VARARGS": "raises an exception; a compiled game cannot",
    "PUSH_EXC_INFO": "has try or with; a compiled game cannot raise exceptions",
    "MAKE_FUNCTION": "defines a function (or lambda, comprehension) inside; write it outside of the class",
    "YIELD_VALUE": "is a generator; use return",
    "STORE_GLOBAL": "writes a global variable; keep it in State",
    "STORE_DEREF": "writes a variable of an inner function; keep it in State",
}
_ALLOCATE = (
    "array", "arange", "copy", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like",
    "zeros", "zeros_like",
)  # fmt: skip
_USE_OURS = "use uniform(s, low, high), randint(s, n) or normal(s): their generator belongs to the game"
TRIAL_STEPS = 50
TRIAL_SECONDS = 0.04


def check(layout: Layout) -> None:
    """Raise one GameError for the first mistake found in the game."""
    found = list(reachable(layout.game.compiled))
    for function, names in found:
        _check_code(layout.game.name, function, names)
    _check_returns(layout)
    try:
        _trial(layout)
    except GameError:
        raise
    except Exception as error:
        raise run_error(layout.game.name, [function for function, _ in found], error) from None


# -- bytecode -----------------------------------------------------------------------------------


def _instructions(function: FunctionType) -> Iterator[tuple[dis.Instruction, int | None]]:
    line = None
    for instruction in dis.get_instructions(function.__code__):
        if instruction.positions is not None and instruction.positions.lineno is not None:
            line = instruction.positions.lineno
        yield instruction, line


def _check_code(game: str, function: FunctionType, names: dict[str, Any]) -> None:
    def fail(message: str, line: int | None) -> None:
        raise GameError(f"{game}.{function.__name__} {message} ({source(function.__code__, line)})")

    owner: Any = None  # the module whose attribute the next instruction reads
    for instruction, line in _instructions(function):
        name, operation = instruction.argval, instruction.opname
        if operation in _FORBIDDEN:
            fail(_FORBIDDEN[operation], line)
        if operation == "LOAD_CONST" and isinstance(name, str):
            fail("uses text; a compiled game works with numbers only", line)
        if owner is not None and operation in ("LOAD_ATTR", "LOAD_METHOD"):
            problem = _attribute_problem(owner, str(name))
            if problem:
                fail(problem, line)
            value = getattr(owner, str(name))
            owner = value if isinstance(value, ModuleType) else None
        elif operation in ("LOAD_GLOBAL", "LOAD_DEREF") and name in names:
            problem = _global_problem(name, names[name])
            if problem:
                fail(problem, line)
            owner = names[name] if isinstance(names[name], ModuleType) else None
        elif operation not in ("PUSH_NULL", "PRECALL", "CACHE"):
            owner = None


def _attribute_problem(owner: ModuleType, name: str) -> str:
    dotted = f"{owner.__name__}.{name}"
    if not hasattr(owner, name):
        return f"uses {dotted}, which does not exist{did_you_mean(name, dir(owner))}"
    if dotted == "numpy.random":
        return f"uses np.random; {_USE_OURS}"
    if owner is np and name in _ALLOCATE:
        return (
            f"makes an array with np.{name} (slow, in every step); declare it in State, e.g. {name}: f32[10]"
        )
    return ""


def _global_problem(name: str, value: Any) -> str:
    if value is random or getattr(value, "__module__", None) == "random":
        return f"uses {name} of Python's random module; {_USE_OURS}"
    if getattr(builtins, name, None) is value:
        if name == "print":
            return 'prints; that only works in mode="python"'
        if name in ALLOWED_BUILTINS:
            return ""
        return f"uses {name}(), which a compiled game does not have (it has {', '.join(ALLOWED_BUILTINS)})"
    if isinstance(value, ModuleType):
        if value in (math, np):
            return ""
        return (
            f"uses the module {name}: only math and numpy work; import the functions and constants that you need "
            f"by name (from {value.__name__} import ...)"
        )
    if value in rng.FUNCTIONS if isinstance(value, FunctionType) else isinstance(value, Kind):
        return ""
    if code_of(value) is not None or is_constant(value) or is_math(value):
        return ""
    kind = type(value).__name__
    advice = (
        "make it a tuple of numbers or a numpy array" if kind in ("list", "dict", "set") else "use numbers"
    )
    return f"uses {name}, a {kind} from outside; {advice}"


def _check_returns(layout: Layout) -> None:
    """step must return a tuple of the right length at every return (falling off its end returns None)."""
    step = layout.game.functions["step"]
    wanted = ("terminated", "truncated") if layout.game.several else ("reward", "terminated", "truncated")
    previous: dis.Instruction | None = None
    for instruction, line in _instructions(step):
        present: Any = None
        if instruction.opname == "RETURN_CONST":
            present = instruction
        elif instruction.opname == "RETURN_VALUE" and previous is not None:
            present = previous
        if present is not None:
            number: int | None = len(wanted)
            if present.opname == "BUILD_TUPLE":
                number = present.arg
            elif present.opname in ("LOAD_CONST", "RETURN_CONST"):
                number = len(present.argval) if isinstance(present.argval, tuple) else None
            if number != len(wanted):
                what = (
                    "nothing" if present.argval is None else f"{number or 'one'} value{'s' if number else ''}"
                )
                raise GameError(
                    f"{layout.game.name}.step must return {', '.join(wanted)}, "
                    f"but returns {what} ({source(step.__code__, line)})"
                )
        previous = instruction


# -- a few steps in Python mode -----------------------------------------------------------------


def _trial(layout: Layout) -> None:
    game = layout.game
    states = np.zeros(1, layout.record)
    for key, value in layout.params.items():
        states[key] = value
    states["rng"] = rng.seeds(0, 0, 1)
    s = RecordsProxy(states)[0]
    masks = np.ones(layout.agents, np.bool_)
    chance = np.random.default_rng(0)
    _reset(layout, s, masks)
    _check_observation(layout, states, s)
    deadline = time.perf_counter() + TRIAL_SECONDS
    for number in range(TRIAL_STEPS):
        actions = _random_actions(layout, chance)
        if game.has_legal:
            legal = _legal(layout, s, masks)
            if number % 4:  # and now and then any action: a game must stand them all
                actions = legal_actions(layout.action_space, legal, chance)
        s.episode_length += 1
        if _step(layout, s, actions, masks):
            _observe(layout, s, 0)  # the final observation must work too
            for key in (*game.state, "episode_length"):
                states[key] = 0
            masks[:] = True
            _reset(layout, s, masks)
        for agent in range(min(layout.agents, 4)):
            _observe(layout, s, agent)
        if time.perf_counter() > deadline:
            break
    _check_observation(layout, states, s)


def _reset(layout: Layout, s: Any, masks: np.ndarray) -> None:
    layout.game.functions["reset"](s, *[ArrayProxy(masks)] * layout.game.resets_masks)


def _legal(layout: Layout, s: Any, masks: np.ndarray) -> np.ndarray:
    """The legal actions of every agent, bool ``[agents, actions]``: all written, and none without any."""
    name, several = layout.game.name, layout.game.several
    found = np.ones((layout.agents, layout.num_action_masks), np.bool_)
    for agent in range(layout.agents):
        other = ~found[agent]
        for mask in (found[agent], other):
            layout.game.functions["legal"](s, *[agent] * several, ArrayProxy(mask))
        if len(unwritten := np.argwhere(found[agent] != other)):
            raise GameError(
                f"{name}.legal must write every element, but leaves mask[{unwritten[0][0]}] as it was"
            )
        start = 0
        for choice, n in enumerate(sizes_of(layout.action_space)):
            if masks[agent] and not found[agent, start : start + n].any():
                who = f" to agent {agent}" if several else ""
                what = f" for choice {choice}" if layout.action_space.shape else ""
                raise GameError(
                    f"{name}.legal leaves no legal action{what}{who}; one that acts needs at least one"
                )
            start += n
    return found


def sizes_of(space: Any) -> list[int]:
    """How many actions each choice of a Discrete or MultiDiscrete space has."""
    return np.ravel(getattr(space, "nvec", getattr(space, "n", 0))).tolist()


def legal_actions(space: Any, masks: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """A random legal action, int32, for each row of ``masks`` (bool ``[rows, actions]``)."""
    score = np.where(masks, chance.random(masks.shape), -1.0)
    choices, start = [], 0
    for n in sizes_of(space):
        choices.append(score[:, start : start + n].argmax(1))
        start += n
    picked = np.stack(choices, 1).reshape(len(masks), *(space.shape or ())) + space.start
    return picked.astype(np.int32)


def _random_actions(layout: Layout, chance: np.random.Generator) -> np.ndarray:
    space, shape = layout.action_space, (layout.agents, *(layout.action_space.shape or ()))
    low, high = (bound.reshape(space.shape or ()) for bound in action_bounds(space))
    if np.issubdtype(space.dtype, np.floating):
        return chance.uniform(np.maximum(low, -1e3), np.minimum(high, 1e3), shape).astype(space.dtype)
    return chance.integers(low, high, shape, endpoint=True).astype(np.int32)


def _step(layout: Layout, s: Any, actions: np.ndarray, masks: np.ndarray) -> bool:
    """One step of the game; whether it ended. ``masks`` stay as the game leaves them."""
    step, name = layout.game.functions["step"], layout.game.name
    if not layout.game.several:
        action = ArrayProxy(actions)[0]
        result, number = step(s, action), 3
    else:
        agents = layout.agents
        rewards, terminals = np.zeros(agents, np.float32), np.zeros(agents, np.bool_)
        arrays = [actions, rewards, terminals] + [masks] * layout.game.uses_masks
        result, number = step(s, *map(ArrayProxy, arrays)), 2
        if np.isnan(rewards).any():
            raise GameError(f"{name}.step gives agent {int(np.isnan(rewards).argmax())} the reward nan")
    if not isinstance(result, tuple) or len(result) != number:
        names = "reward, terminated, truncated" if number == 3 else "terminated, truncated"
        raise GameError(f"{name}.step must return {names}, but returns {result!r}")
    *reward, terminated, truncated = result
    if reward and (not isinstance(reward[0], (int, float, np.number)) or math.isnan(reward[0])):
        raise GameError(f"{name}.step must return a number as reward, not {reward[0]!r}")
    for word, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, (bool, np.bool_)):
            raise GameError(f"{name}.step must return True or False as {word}, not {flag!r}")
    return bool(terminated or truncated)


def _observe(layout: Layout, s: Any, agent: int, fill: float = 0) -> dict[str, np.ndarray]:
    """What ``observe`` writes over numbers that are ``fill``: name -> array, of a Dict one for each part."""
    space, record = layout.observation_space, layout.observation_record
    rows = np.zeros((1, *space.shape), space.dtype)
    seen = as_records(rows, record)
    parts = {f"obs.{name}": seen[name][0, ...] for name in record.names or ()} if record else {"obs": rows[0]}
    for part in parts.values():
        part[...] = fill
    observation = proxy(seen, "obs")[0]
    arguments = (agent, observation) if layout.game.several else (observation,)
    layout.game.functions["observe"](s, *arguments)
    return parts


def _check_observation(layout: Layout, states: np.ndarray, s: Any) -> None:
    """observe must write every element: two observations over different old contents must be equal."""
    name = layout.game.name
    for agent in range(min(layout.agents, 2)):
        before = states.copy()
        first = _observe(layout, s, agent, 0)
        states[:] = before  # observe may use the generator
        second = _observe(layout, s, agent, 1)
        states[:] = before
        for part, values in first.items():
            unwritten = np.argwhere((values == 0) & (second[part] == 1))
            if len(unwritten):
                raise GameError(
                    f"{name}.observe leaves {len(unwritten)} of {values.size} elements unwritten, "
                    f"the first is {part}{_index(unwritten)}"
                )
            if values.dtype.kind == "f" and len(found := np.argwhere(np.isnan(values))):
                raise GameError(f"{name}.observe writes nan into {part}{_index(found)}")
            choices = _choices(layout, part)
            if choices is not None and len(found := np.argwhere((values < 0) | (values >= choices))):
                value = values[tuple(found[0])]
                raise GameError(
                    f"{name}.observe writes {value} into {part}{_index(found)}, which is 0 .. "
                    f"{np.broadcast_to(choices, values.shape)[tuple(found[0])] - 1}"
                )


def _choices(layout: Layout, part: str) -> Any:
    """How many values the numbers of this part of a Dict may have, None for those of a Box."""
    if layout.observation_record is None:
        return None
    space = layout.observation_space.source[part.removeprefix("obs.")]  # type: ignore[attr-defined]
    if isinstance(space, MultiBinary):
        return 2
    return getattr(space, "nvec", getattr(space, "n", None))


def _index(found: np.ndarray) -> str:
    """``"[3, 1]"`` for the first of these, "" for a single number."""
    return f"[{', '.join(map(str, found[0]))}]" if found.shape[1] else ""
