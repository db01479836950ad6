"""PufferBench: learn, teach and do reinforcement learning at the speed of PufferLib, in Python only.

Everything here is loaded at first use: ``import pufferbench`` itself imports neither torch, numba nor
gymnasium, so a notebook, a worker process or ``puffer --help`` starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> the module that defines it
_HOME = {
    "PufferEnv": "pufferbench.env",
    "Wrapper": "pufferbench.wrappers.base",
    "make": "pufferbench.vector.make",
    "emulate": "pufferbench.vector.emulate",
    "as_pettingzoo": "pufferbench.pettingzoo_view",
    "as_gymnasium": "pufferbench.gymnasium_view",
    "check_env": "pufferbench.check",
    "register": "pufferbench.registry",
    "list_envs": "pufferbench.registry",
    "cores": "pufferbench.system",
    "PuffeRL": "pufferbench.trainer",
    "TrainConfig": "pufferbench.config",
    "NoLogger": "pufferbench.loggers",
    "budget": "pufferbench.notebooks",
    "Episode": "pufferbench.episodes",
    "record_episode": "pufferbench.games",
}
_MODULES = {"pytorch", "policies", "runs", "vector", "widgets", "wrappers"}

__all__ = ["__version__", *sorted(_HOME), *sorted(_MODULES)]  # noqa: PLE0604

if TYPE_CHECKING:
    from pufferbench import policies, pytorch, runs, vector, widgets, wrappers
    from pufferbench.check import check_env
    from pufferbench.config import TrainConfig
    from pufferbench.env import PufferEnv
    from pufferbench.episodes import Episode
    from pufferbench.games import record_episode
    from pufferbench.gymnasium_view import as_gymnasium
    from pufferbench.loggers import NoLogger
    from pufferbench.notebooks import budget
    from pufferbench.pettingzoo_view import as_pettingzoo
    from pufferbench.registry import list_envs, register
    from pufferbench.system import cores
    from pufferbench.trainer import PuffeRL
    from pufferbench.vector.emulate import emulate
    from pufferbench.vector.make import make
    from pufferbench.wrappers.base import Wrapper


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"pufferbench.{name}")
    else:
        from pufferbench.errors import did_you_mean

        hint = did_you_mean(name, [*_HOME, *_MODULES])
        raise AttributeError(f"module 'pufferbench' has no attribute {name!r}{hint}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
