"""The learners' machine code: compiled once on each computer, kept on disk, and announced when it is new.

Numba's own cache compares the file of a function with what it was. It does not see that another file, whose functions
are compiled into it, has changed. So the code is kept under a name that is a hash of all the files it comes from,
beside the games' (see :mod:`ocean_numba.cache`).
"""

from __future__ import annotations

import inspect
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from ocean_numba import cache

NOTICE = "compiling the learner, once on this computer: about 10 s"
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

_kernels: dict[str, list[Any]] = {}  # of each module


def kept(module: str, *others: str) -> Callable[[Any], Any]:
    """``njit`` for the functions of ``module`` (its name), kept on disk.

    Args:
        others: names of the modules whose functions are compiled into them.
    """
    sources = [inspect.getsource(sys.modules[name]) for name in (module, *others)]
    path = cache.kernel_path(module.rpartition(".")[2], [repr(OPTIONS), *sources])
    stored = True
    try:
        if not path.exists():
            cache.write(path, sources[0])  # the same lines, for tracebacks
    except OSError as error:
        warnings.warn(f"kernel cache {path.parent} is not usable: {error!r}", stacklevel=2)
        stored = False

    def compiled(function: Any) -> Any:
        if stored:
            function.__code__ = function.__code__.replace(co_filename=str(path))  # Numba's key
        kernel = njit(cache=stored, **OPTIONS)(function)
        _kernels.setdefault(module, []).append(kernel)
        return kernel

    return compiled


def on_disk(module: str) -> bool:
    """Whether all functions of ``module`` that are kept have been compiled, here or in another process."""
    return all(
        any(Path(kernel.stats.cache_path).glob(f"{_stem(kernel)}.{kernel.__name__}-*.nbc"))
        for kernel in _kernels[module]
    )


def _stem(kernel: Any) -> str:
    return Path(kernel.py_func.__code__.co_filename).stem


# -- who is told --------------------------------------------------------------------------------

_listeners: list[Callable[[str], None]] = []


@contextmanager
def announced(tell: Callable[[str], None]) -> Iterator[None]:
    """Within it, ``tell(NOTICE)`` is called, maybe repeatedly, as soon as a learner is being compiled.

    In the thread that compiles. Where nobody listens, the main thread says it once on standard error; others nothing.
    """
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


class _Announcer(event.Listener):
    """Hears from Numba when it compiles: not when it finds machine code on disk."""

    said = False

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__ not in _kernels:
            return
        for tell in list(_listeners):
            tell(NOTICE)
        if not _listeners and not self.said and threading.current_thread() is threading.main_thread():
            self.said = True
            print(NOTICE, file=sys.stderr, flush=True)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Announcer())
