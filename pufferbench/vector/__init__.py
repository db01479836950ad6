"""Many environments in one set of flat arrays.

``Serial`` steps them one after the other, ``Multiprocessing`` in worker processes, ``Threads`` steps one
native env's rows on threads. Loaded at first use, so that a worker process imports only what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Serial": "pufferbench.vector.serial",
    "Threads": "pufferbench.vector.threads",
    "Multiprocessing": "pufferbench.vector.multiprocessing",
    "WorkerError": "pufferbench.vector.errors",
    "VectorEnv": "pufferbench.vector.base",
    "autotune": "pufferbench.vector.tuning",
}

__all__ = sorted(_HOME)  # noqa: PLE0605

if TYPE_CHECKING:
    from pufferbench.vector.base import VectorEnv
    from pufferbench.vector.errors import WorkerError
    from pufferbench.vector.multiprocessing import Multiprocessing
    from pufferbench.vector.serial import Serial
    from pufferbench.vector.threads import Threads
    from pufferbench.vector.tuning import autotune


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from pufferbench.errors import did_you_mean

        hint = did_you_mean(name, _HOME)
        raise AttributeError(f"module 'pufferbench.vector' has no attribute {name!r}{hint}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
