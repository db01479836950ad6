"""PettingZoo's own environments by name: ``"pettingzoo-connect-four"``, ``"pettingzoo-pistonball_v6"``."""

from __future__ import annotations

import inspect
import pkgutil
import re
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pufferbench.emulation.multi_agent import MultiAgentEnv
from pufferbench.emulation.pettingzoo_aec import adapt_aec
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.errors import PufferBenchError, did_you_mean
from pufferbench.registry import UnknownEnv

PREFIX = "pettingzoo-"
# package -> what pip installs for its games (MPE has left PettingZoo for a package of its own)
PACKAGES = {
    "pettingzoo.butterfly": "pettingzoo[butterfly]",
    "pettingzoo.classic": "pettingzoo[classic]",
    "pettingzoo.sisl": "pettingzoo[sisl]",
    "pettingzoo.atari": "pettingzoo[atari]",
    "mpe2": "mpe2",
}
OPTIONS = ("max_agents", "max_length", "observation_space", "action_space")  # the adapter's, not the game's


class MissingDependency(PufferBenchError, ImportError):
    """A game needs a package that is not installed."""


def games() -> dict[str, str]:
    """Name with version (``connect_four_v3``) -> package, of all that are installed. Imports none of them."""
    found = {}
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is not None:
            for module in pkgutil.iter_modules(spec.submodule_search_locations):
                if re.search(r"_v\d+$", module.name):
                    found[module.name] = package
    return found


def find_game(name: str) -> str:
    """``"pettingzoo-connect-four"`` -> ``"connect_four_v3"``: the latest version, where it does not say one.

    Raises:
        UnknownEnv: there is none of this name; the message says the nearest one.
    """
    known = games()
    wanted = name.removeprefix(PREFIX).replace("-", "_")
    if wanted in known:
        return wanted
    base = _base(wanted)
    versions = [game for game in known if _base(game) == base]
    if versions and base == wanted:
        return max(versions, key=lambda game: int(game.rpartition("_v")[2]))
    if versions:
        raise UnknownEnv(
            f"unknown environment {name!r}: installed is {', '.join(PREFIX + v for v in versions)}"
        )
    spellings = [spelling for game in known for spelling in (_base(game), _base(game).replace("_", "-"))]
    hint = did_you_mean(name, [PREFIX + spelling for spelling in spellings])
    raise UnknownEnv(f"unknown environment {name!r}{hint} (PettingZoo has {', '.join(sorted(known))})")


def make_pettingzoo(game: str, **kwargs: Any) -> MultiAgentEnv:
    """A game of :func:`find_game` as a PufferEnv: all agents at once where it can, else in turns.

    It can be rendered where the game can draw.

    Args:
        kwargs: the game's own options, e.g. ``max_cycles=100``; ``max_agents`` and the others of
            :class:`MultiAgentEnv` are the adapter's.

    Raises:
        MissingDependency: with the command that installs what is missing.
        TypeError: the game has no such option.
    """
    package = games()[game]
    options = {name: kwargs.pop(name) for name in OPTIONS if name in kwargs}
    try:
        with warnings.catch_warnings():  # PettingZoo would rather have its games made by its own make()
            warnings.simplefilter("ignore", DeprecationWarning)
            module = import_module(f"{package}.{game}")
        parallel = hasattr(module, "parallel_env")
        creator = module.parallel_env if parallel else module.env
        raw = getattr(module, "raw_env", None)
        if "rgb_array" in getattr(raw, "metadata", {}).get("render_modes", ()):
            kwargs.setdefault("render_mode", "rgb_array")
        _check_options(game, raw, kwargs)
        env = creator(**kwargs)
    except ImportError as error:  # some games import what they need only when they are made
        raise MissingDependency(
            f"{PREFIX}{game} needs a package that is missing ({error}): pip install {PACKAGES[package]!r}"
        ) from error
    return PettingZooParallel(env, **options) if parallel else adapt_aec(env, **options)


def _check_options(game: str, raw: Any, kwargs: dict[str, Any]) -> None:
    """Raises TypeError for an option that the game has not; all of them take ``**kwargs`` at first."""
    parameters = inspect.signature(raw).parameters if inspect.isclass(raw) else {}
    if not parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in kwargs:
        if name not in parameters:
            known = [*parameters, *OPTIONS[:2]]
            raise TypeError(
                f"{PREFIX}{game} has no option {name!r}{did_you_mean(name, known)} (it has: {', '.join(known)})"
            )


def _base(game: str) -> str:
    return re.sub(r"_v\d+$", "", game)
