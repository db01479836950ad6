"""A game as its class body declares it, checked when the class is defined."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

from ocean_numba.errors import GameError
from ocean_numba.layout import Kind, read_fields, record_dtype, resolve_shape
from pufferbench.errors import did_you_mean

NEEDED = ("reset", "step", "observe")
FUNCTIONS = (*NEEDED, "legal", "draw")
DECLARATIONS = ("observation", "action", "agents", "metrics", "State", "Params")


@dataclass
class Game:
    """What the class body of a game says, apart from any parameter values.

    ``several`` is True where the functions have the form for several agents:
    ``step(s, actions, rewards, terminals[, masks])`` and ``observe(s, i, obs)``; ``uses_masks`` and
    ``resets_masks`` tell whether step and reset take ``masks``.
    """

    name: str
    functions: dict[str, FunctionType]
    state: dict[str, Kind]
    params: dict[str, Kind]
    defaults: dict[str, Any]
    observation: Any
    action: Any
    agents: int | str = 1
    metrics: tuple[str, ...] = ()
    several: bool = False
    uses_masks: bool = False
    resets_masks: bool = False

    @property
    def has_legal(self) -> bool:
        """Whether ``legal`` says which actions are allowed."""
        return "legal" in self.functions

    @property
    def compiled(self) -> dict[str, FunctionType]:
        """The functions that become machine code: all but ``draw``."""
        return {key: function for key, function in self.functions.items() if key != "draw"}


@dataclass
class Layout:
    """A game with its parameter values: everything whose size is fixed when it is compiled.

    Attributes:
        observation_space: one agent's flat space; a Dict becomes a :class:`pufferbench.spaces.FlatBox`.
        observation_record: where the parts of a Dict lie in a flat row; None for a Box.
        record: one game's State, Params and private fields.
        ended: what is reported of an episode.
        agent_metrics: the metrics that have a value for each agent.
        num_action_masks: how many flags ``legal`` writes, 0 without it.
    """

    game: Game
    params: dict[str, Any]
    agents: int
    observation_space: Box
    action_space: Discrete | MultiDiscrete | Box
    record: np.dtype
    ended: np.dtype
    agent_metrics: frozenset[str] = field(default_factory=frozenset)
    num_action_masks: int = 0
    observation_record: np.dtype | None = None


def read_game(cls: type, parent: Game | None) -> Game | None:
    """The game that ``cls`` declares; what it leaves out comes from ``parent``.

    None when the body declares nothing of a game: an abstract base, or a class that cloudpickle is just
    about to fill. Takes the game's functions out of ``cls``, so that they do not hide ``env.reset(seed)``.
    """
    body = dict(cls.__dict__)
    if not any(name in body for name in (*FUNCTIONS, *DECLARATIONS)):
        return parent
    name = cls.__name__
    functions = dict(parent.functions) if parent else {}
    for key in FUNCTIONS:
        if key in body:
            function = inspect.unwrap(
                body[key].__func__ if isinstance(body[key], staticmethod) else body[key]
            )
            if not isinstance(function, FunctionType):
                raise GameError(f"{name}.{key} must be a function, not {body[key]!r}")
            functions[key] = function
            delattr(cls, key)
    inherited = vars(parent) if parent else {}
    game = Game(
        name=name,
        functions=functions,
        state=read_fields(cls.State, f"{name}.State") if hasattr(cls, "State") else {},
        params=read_fields(cls.Params, f"{name}.Params") if hasattr(cls, "Params") else {},
        defaults={},
        observation=body.get("observation", inherited.get("observation")),
        action=body.get("action", inherited.get("action")),
        agents=body.get("agents", inherited.get("agents", 1)),
        metrics=body.get("metrics", inherited.get("metrics", ())),
    )
    _check_functions(game)
    _check_declarations(game, getattr(cls, "Params", None))
    return game


def _check_functions(game: Game) -> None:
    for key in NEEDED:
        if key not in game.functions:
            raise GameError(
                f"{game.name} has no function {key}(...); a game needs reset(s), step(s, action) and observe(s, obs)"
            )
    count = {key: function.__code__.co_argcount for key, function in game.functions.items()}
    game.several = count["step"] in (4, 5)
    game.uses_masks = count["step"] == 5
    game.resets_masks = game.uses_masks and count["reset"] == 2
    forms = {
        "reset": {1: "reset(s)", 2: "reset(s, masks)"} if game.uses_masks else {1: "reset(s)"},
        "step": {
            2: "step(s, action)",
            4: "step(s, actions, rewards, terminals)",
            5: "step(s, actions, rewards, terminals, masks)",
        },
        "observe": {3: "observe(s, i, obs)"} if game.several else {2: "observe(s, obs)"},
        "legal": {3: "legal(s, i, mask)"} if game.several else {2: "legal(s, mask)"},
        "draw": {2: "draw(s, canvas)"},
    }
    for key, number in count.items():
        if number not in forms[key]:
            code = game.functions[key].__code__
            present = f"{key}({', '.join(code.co_varnames[:number])})"
            kind = " for several agents" if game.several and key in ("observe", "legal") else ""
            raise GameError(
                f"{game.name}.{present} (line {code.co_firstlineno}) must have the form{kind} "
                f"{' or '.join(forms[key].values())}"
            )


def _check_declarations(game: Game, params: type | None) -> None:
    name = game.name
    for key in ("observation", "action"):
        if getattr(game, key) is None:
            raise GameError(
                f"{name} has no {key}; write e.g. {key} = Discrete(2) or Box(-1, 1, (4,), np.float32)"
            )
    clash = sorted(set(game.state) & set(game.params))
    if clash:
        raise GameError(f"{name}: {clash[0]!r} is a field of both State and Params")
    for key, kind in game.params.items():
        if kind.shape:
            raise GameError(f"{name}.Params.{key} is {kind}; a parameter is a single number")
        if not hasattr(params, key):
            raise GameError(f"{name}.Params.{key} has no default; write {key}: {kind} = 1")
        game.defaults[key] = check_value(name, key, kind, getattr(params, key))
    for key in vars(params) if params is not None else ():
        if not key.startswith("__") and key not in game.params:
            raise GameError(f"{name}.Params.{key} has no type; write {key}: f32 = {getattr(params, key)!r}")
    if isinstance(game.metrics, str):
        raise GameError(f"{name}.metrics is a string; write metrics = ({game.metrics!r},)")
    for metric in game.metrics:
        if metric not in game.state:
            hint = did_you_mean(str(metric), game.state)
            raise GameError(
                f"{name}.metrics names {metric!r}, which is no State field{hint} (they are {', '.join(game.state)})"
            )
    if isinstance(game.agents, str):
        if game.agents not in game.params or game.params[game.agents].dtype.kind not in "iu":
            raise GameError(f"{name}.agents = {game.agents!r} must name an integer Params field")
    elif isinstance(game.agents, bool) or not isinstance(game.agents, int) or game.agents < 1:
        raise GameError(
            f"{name}.agents = {game.agents!r} must be an integer of at least 1, or the name of a Params field"
        )
    if game.agents != 1 and not game.several:
        raise GameError(
            f"{name} has agents = {game.agents!r}, so its step must have the form step(s, actions, rewards, terminals)"
        )


def check_value(name: str, key: str, kind: Kind, value: Any) -> bool | int | float:
    """``value`` as a plain Python number that fits parameter ``key``, or one clear TypeError/ValueError."""
    if isinstance(value, np.generic):
        value = value.item()
    code = kind.dtype.kind
    if code == "b":
        if not isinstance(value, bool):
            raise TypeError(f"{name}: {key} must be True or False, not {value!r}")
    elif code == "f":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name}: {key} must be a number, not {value!r}")
        value = float(value)
        if not np.isfinite(kind.dtype.type(value)):
            raise ValueError(f"{name}: {key} must be a finite number, not {value!r}")
    else:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name}: {key} must be an integer, not {value!r}")
        limits = np.iinfo(kind.dtype)
        if not limits.min <= value <= limits.max:
            raise ValueError(f"{name}: {key} must be {limits.min} .. {limits.max}, not {value!r}")
    if kind.low is not None and value < kind.low:
        raise ValueError(f"{name}: {key} must be at least {kind.low:g}, not {value!r}")
    if kind.high is not None and value > kind.high:
        raise ValueError(f"{name}: {key} must be at most {kind.high:g}, not {value!r}")
    return value


def signature(game: Game) -> inspect.Signature:
    """What ``inspect.signature(Breakout)`` shows: num_envs, buf, mode and the game's own parameters."""
    plain = {"b": bool, "f": float, "i": int, "u": int}
    Parameter = inspect.Parameter
    parameters = [
        Parameter("num_envs", Parameter.POSITIONAL_OR_KEYWORD, default=1, annotation=int),
        Parameter("buf", Parameter.POSITIONAL_OR_KEYWORD, default=None),
        Parameter("mode", Parameter.POSITIONAL_OR_KEYWORD, default="compiled", annotation=str),
    ]
    for key, kind in game.params.items():
        annotation = plain[kind.dtype.kind]
        default = game.defaults[key]
        parameters.append(Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return inspect.Signature(parameters)


def build_layout(game: Game, values: dict[str, Any]) -> Layout:
    """Fix every size of ``game`` for these parameter values (over the defaults).

    Raises:
        TypeError: no such parameter, or one of the wrong type.
        ValueError: a value out of range.
    """
    params = dict(game.defaults)
    for key, value in values.items():
        if key not in params:
            hint = did_you_mean(key, params)
            known = ", ".join(params) or "none"
            raise TypeError(f"{game.name} has no parameter {key!r}{hint} (parameters: {known})")
        params[key] = check_value(game.name, key, game.params[key], value)
    agents = params[game.agents] if isinstance(game.agents, str) else game.agents
    if agents < 1:
        raise ValueError(f"{game.name}: {game.agents} must be at least 1, not {agents}")
    observation_space, observation_record = _flat(game, _space(game, "observation", params, (Box, Dict)))
    action_space = _space(game, "action", params, (Discrete, MultiDiscrete, Box))

    integers = {key: params[key] for key, kind in game.params.items() if kind.dtype.kind in "iu"}
    private = {
        "rng": Kind("u64", np.dtype(np.uint64)),
        "episode_length": Kind("i32", np.dtype(np.int32)),
    }
    if game.several:
        private["agent_returns"] = Kind("f32", np.dtype(np.float32), (agents,))
        private["agent_lengths"] = Kind("i32", np.dtype(np.int32), (agents,))
    else:
        private["episode_return"] = Kind("f32", np.dtype(np.float32))
    ended: list[tuple[str, Any]] = [("episode_return", np.float32), ("episode_length", np.int32)]
    per_agent = set()
    for metric in game.metrics:
        shape = resolve_shape(game.state[metric], integers, f"{game.name}.State.{metric}")
        if shape == (agents,) and game.several:
            per_agent.add(metric)
        elif shape:
            raise GameError(
                f"{game.name}.metrics names {metric!r} of shape {shape}; a metric is one number (per agent)"
            )
        ended.append((metric, game.state[metric].dtype))
    return Layout(
        game=game,
        params=params,
        agents=agents,
        observation_space=observation_space,
        action_space=action_space,
        record=record_dtype({**private, **game.state, **game.params}, integers, game.name),
        ended=np.dtype(ended, align=True),
        agent_metrics=frozenset(per_agent),
        num_action_masks=_num_action_masks(game, action_space) if game.has_legal else 0,
        observation_record=observation_record,
    )


PARTS = (Box, Discrete, MultiDiscrete, MultiBinary)  # of a Dict observation


def _flat(game: Game, space: Box | Dict) -> tuple[Box, np.dtype | None]:
    """The flat observation space and, for a Dict, the record that a row is."""
    if isinstance(space, Box):
        return space, None
    from pufferbench.spaces import FlatBox, flatten_observations

    name = f"{game.name}.observation"
    if not space.spaces:
        raise GameError(f"{name} is a Dict without any part")
    for key, part in space.spaces.items():
        if not isinstance(key, str) or not key.isidentifier() or key.startswith("_"):
            raise GameError(
                f"{name} has the part {key!r}; observe writes obs.NAME, so it must be a plain name"
            )
        if not isinstance(part, PARTS):
            kinds = ", ".join(kind.__name__ for kind in PARTS)
            raise GameError(f"{name}[{key!r}] is {part}; a part of a Dict is one of {kinds}")
        if part.dtype == np.float16 or np.any(getattr(part, "start", 0)):
            what = "float16, use float32" if part.dtype == np.float16 else "not counted from 0"
            raise GameError(f"{name}[{key!r}] is {part}, {what}")
    flat = flatten_observations(space)
    assert isinstance(flat, FlatBox)
    return flat, flat.layout.dtype


def _num_action_masks(game: Game, space: Discrete | MultiDiscrete | Box) -> int:
    """How many flags ``legal`` writes: one per action, those of several choices side by side."""
    if isinstance(space, Box):
        raise GameError(
            f"{game.name} has legal, which is for Discrete and MultiDiscrete actions, not {space}"
        )
    return int(space.n) if isinstance(space, Discrete) else int(np.sum(space.nvec))


def _space(game: Game, key: str, params: dict[str, Any], allowed: tuple[type, ...]) -> Any:
    declared: Callable[..., Any] | Any = getattr(game, key)
    space = declared(SimpleNamespace(**params)) if callable(declared) else declared
    if not isinstance(space, allowed):
        names = " or ".join(kind.__name__ for kind in allowed)
        raise GameError(
            f"{game.name}.{key} must be a {names} (or a function of the parameters giving one), not {space!r}"
        )
    return space
