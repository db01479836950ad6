"""Names for environments: ``"ocean-breakout"``, ``"gym-CartPole-v1"``, and those of other packages.

Other packages add theirs with an entry point in the group ``pufferbench.envs``. It names a function of
one argument, which gets :func:`register` to call; it runs when the first name is looked up.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pufferbench.errors import PufferBenchError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from pufferbench.env import PufferEnv


class UnknownEnv(PufferBenchError, KeyError):
    """No environment has this name."""

    def __str__(self) -> str:  # KeyError would show the repr, quotes and all
        return str(self.args[0])


@dataclass(frozen=True)
class EnvSpec:
    """A registered environment and the keyword arguments it is made with.

    Attributes:
        limits: ``max_agents``, ``max_length``: what :func:`pufferbench.emulation.as_puffer` must be told.
    """

    id: str
    entry_point: str | Callable[..., PufferEnv]
    kwargs: dict[str, Any] = field(default_factory=dict)
    preset_file: str | None = None
    limits: dict[str, int] = field(default_factory=dict)

    def creator(self) -> Callable[..., PufferEnv]:
        """The class or function behind the entry point (imported now, not at registration)."""
        if callable(self.entry_point):
            return self.entry_point
        module, _, attribute = self.entry_point.partition(":")
        return getattr(import_module(module), attribute)

    @property
    def holds_many(self) -> bool:
        """Whether one env can hold many games: the entry point has a parameter ``num_envs``."""
        return "num_envs" in inspect.signature(self.creator()).parameters

    def make(self, **kwargs: Any) -> PufferEnv:
        """A new env; ``kwargs`` go over the registered ones and must be ones the entry point takes."""
        creator = self.creator()
        merged = {**self.kwargs, **kwargs}
        parameters = inspect.signature(creator).parameters
        # A Gymnasium env can only be drawn when it was made for it
        if "render_mode" in parameters and "rgb_array" in _metadata(creator).get("render_modes", ()):
            merged.setdefault("render_mode", "rgb_array")
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            for name in merged:
                if name not in parameters:
                    known = [p for p in parameters if p != "buf"]
                    hint = did_you_mean(name, known)
                    raise TypeError(f"{self.id} has no option {name!r}{hint} (it has: {', '.join(known)})")
        # by name: the adapters lie above the registry
        as_puffer = import_module("pufferbench.emulation").as_puffer
        env = as_puffer(creator(**merged), **self.limits)
        env.spec = replace(self, kwargs=merged)
        return env

    def preset(self) -> dict[str, dict[str, Any]]:
        """Settings that train this env, by section (``env``, ``policy``, ``train``); empty when none."""
        if self.preset_file is None:
            return {}
        import tomllib

        package, _, path = self.preset_file.partition(":")
        return tomllib.loads((files(package) / path).read_text(encoding="utf-8"))


def _metadata(creator: Callable[..., Any]) -> dict[str, Any]:
    """What a Gymnasium class says of itself; nothing for other creators."""
    metadata = getattr(creator, "metadata", None)
    return metadata if isinstance(metadata, dict) else {}


_specs: dict[str, EnvSpec] = {}


def register(
    id: str,
    entry_point: str | Callable[..., PufferEnv],
    kwargs: dict[str, Any] | None = None,
    preset: str | None = None,
) -> None:
    """Give an environment a name that :func:`pufferbench.make` and the command line understand.

    Args:
        id: the name, e.g. ``"my-env"``. Registering it again replaces it (as re-running a cell does).
        entry_point: a class or function, or ``"package.module:name"``, imported only when made. What it makes
            may be anything that :func:`pufferbench.emulate` understands. With a parameter ``num_envs`` it makes
            that many games at once.
        kwargs: keyword arguments it is made with; those given to ``make`` go over them.
        preset: ``"package:path/to/preset.toml"`` with the settings that train it.
    """
    if not isinstance(entry_point, str) and not callable(entry_point):
        raise TypeError(
            f"entry_point must be a class, a function or 'package.module:name', not {entry_point!r}"
        )
    if isinstance(entry_point, str) and not all(entry_point.partition(":")):
        raise ValueError(f"entry_point must look like 'package.module:name', not {entry_point!r}")
    _specs[id] = EnvSpec(id, entry_point, dict(kwargs or {}), preset)


@cache
def _load_entry_points() -> None:
    for entry in entry_points(group="pufferbench.envs"):
        try:
            entry.load()(register)
        except Exception as error:  # one broken package must not take away the environments of the others
            warnings.warn(f"environments of {entry.value!r} are missing: {error!r}", stacklevel=2)


def list_envs(prefix: str = "") -> list[str]:
    """Names of all registered environments that begin with ``prefix``, sorted."""
    _load_entry_points()
    return sorted(name for name in _specs if name.startswith(prefix))


def spec(name: str) -> EnvSpec:
    """The registry entry of ``name``. ``"breakout"`` finds ``"ocean-breakout"`` when nothing else fits.

    ``"gym-CartPole-v1"`` is Gymnasium's ``"CartPole-v1"``; so are all its others. ``"pettingzoo-chess"`` is
    the latest version of PettingZoo's.

    Raises:
        UnknownEnv: no such name; the message says the nearest one.
    """
    _load_entry_points()
    if name in _specs:
        return _specs[name]
    if name.startswith("gym-"):
        return _gymnasium_spec(name)
    if name.startswith("pettingzoo-"):
        return _pettingzoo_spec(name)
    endings = [known for known in _specs if known.partition("-")[2] == name]
    if len(endings) == 1:
        return _specs[endings[0]]
    if endings:
        raise UnknownEnv(f"environment {name!r} is ambiguous: {', '.join(sorted(endings))}")
    hint = did_you_mean(name, [*_specs, *(known.partition("-")[2] for known in _specs)])
    raise UnknownEnv(f"unknown environment {name!r}{hint} (all of them: pufferbench.list_envs())")


def _gymnasium_spec(name: str) -> EnvSpec:
    import gymnasium

    env_id = name.removeprefix("gym-")
    try:
        gymnasium.spec(env_id)
    except (gymnasium.error.Error, ImportError) as error:  # ImportError: "module:id" imports the module
        hint = did_you_mean(name, [f"gym-{known}" for known in gymnasium.registry])
        raise UnknownEnv(f"unknown environment {name!r}{hint} (Gymnasium: {error})") from None
    # by name: the adapter lies above the registry
    adapter = import_module("pufferbench.emulation").make_gymnasium
    return EnvSpec(name, partial(adapter, env_id))


def _pettingzoo_spec(name: str) -> EnvSpec:
    names = import_module("pufferbench.emulation.pettingzoo_names")
    return EnvSpec(name, partial(names.make_pettingzoo, names.find_game(name)))
