"""From a game to machine code: the three kernels as plain callables."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ocean_numba import cache
from ocean_numba.checks import check
from ocean_numba.codegen import KERNELS_VERSION, action_bounds, kernel_text
from ocean_numba.errors import GameError
from ocean_numba.explain import compile_error
from ocean_numba.functions import Converter, fingerprint, reachable, uses_double
from ocean_numba.game import Layout

# Without Numba's runtime (NRT), which counts who still uses an array, slices of arrays cost nothing to hand over:
# Pong ran three times as fast. A game that makes arrays, as np.sort does, needs it: it is compiled again with it.
#
# No fastmath: with it, LLVM rounds the same source differently in different places, and a kernel fresh from
# the compiler played other games than the same kernel from the cache. CartPole ran 15 % faster, nothing else.


@dataclass
class Kernels:
    """``step_rows(states, observations, ..., start, stop)`` and ``reset_rows(...)`` of one game.

    Attributes:
        dispatchers: Numba's objects for the two; () in Python mode.
        name: equal exactly when the machine code is, in any process; "" in Python mode.
        allocates: whether they need Numba's runtime.
    """

    step_rows: Callable[..., int]
    reset_rows: Callable[..., None]
    dispatchers: tuple[Any, ...] = ()
    name: str = ""
    allocates: bool = False

    @property
    def cache_hits(self) -> int:
        """How many of the kernels came from the disk cache (all of them: nothing was compiled)."""
        return sum(sum(d.stats.cache_hits.values()) for d in self.dispatchers)


def kernel_file(layout: Layout, debug: bool) -> tuple[Any, str]:
    """``(path, text)`` of the generated module; the path's hash covers all that the kernels depend on."""
    import numba

    text = kernel_text(layout)
    low, high = action_bounds(layout.action_space)
    parts = [
        f"kernels {KERNELS_VERSION}, numba {numba.__version__}, debug {debug}",
        text,
        *fingerprint(layout.game.compiled),
        repr(np.lib.format.dtype_to_descr(layout.record)),
        repr(layout.record.fields),
        repr(layout.ended),
        f"{layout.observation_space.shape} {layout.observation_space.dtype}",
        repr(layout.observation_record and layout.observation_record.fields),
        f"{layout.action_space.shape} {layout.action_space.dtype} {low.tobytes().hex()} {high.tobytes().hex()}",
    ]
    return cache.kernel_path(layout.game.name, parts), text


def with_runtime(path: Path) -> Path:
    """The file of the same kernels where they make arrays."""
    return path.with_name(f"{path.stem}_allocates.py")


def python_kernels(layout: Layout) -> Kernels:
    """The same text, run by Python: for debugging, and to compare with."""
    low, high = action_bounds(layout.action_space)
    namespace: dict[str, Any] = {
        **dict.fromkeys(("kernel", "inner"), lambda function: function),
        "ACTION_LOW": low,
        "ACTION_HIGH": high,
        **{f"game_{key}": function for key, function in layout.game.compiled.items()},
    }
    exec(compile(kernel_text(layout), f"<{layout.game.name} kernels>", "exec"), namespace)
    return Kernels(namespace["step_rows"], namespace["reset_rows"])


_loaded: dict[Any, Kernels] = {}
_loading = threading.RLock()


def compiled_kernels(layout: Layout, step_arguments: tuple, reset_arguments: tuple, debug: bool) -> Kernels:
    """Machine code for arguments of these types, from this process or the disk when it is there."""
    path, text = kernel_file(layout, debug)
    with _loading:
        if path not in _loaded:
            _loaded[path] = _load(layout, path, text, step_arguments, reset_arguments, debug)
        return _loaded[path]


def _load(
    layout: Layout,
    path: Path,
    text: str,
    step_arguments: tuple,
    reset_arguments: tuple,
    debug: bool,
    allocates: bool = False,
) -> Kernels:
    from numba.core.errors import NumbaError

    arguments = text, step_arguments, reset_arguments, debug
    allocating = with_runtime(path)
    if not allocates and allocating.exists():
        return _load(layout, allocating, *arguments, allocates=True)
    try:
        if not path.exists():  # otherwise the game was checked already, here or in another process
            check(layout)
            cache.write(path, text)
        return _compile(layout, path, *arguments, allocates, cached=True)
    except GameError:
        raise
    except NumbaError as error:
        cache.remove(path)
        if not allocates and "NRT" in str(error):
            return _load(layout, allocating, *arguments, allocates=True)
        functions = [function for function, _ in reachable(layout.game.compiled)]
        raise compile_error(layout.game.name, functions, error) from None
    except (
        Exception
    ) as error:  # damaged files (any unpickling error), a full disk: the game must run all the same
        warnings.warn(
            f"kernel cache {path.parent} is not usable, compiling without it: {error!r}", stacklevel=2
        )
        cache.remove(path)
        return _compile(layout, path, *arguments, allocates, cached=False)


def _compile(
    layout: Layout,
    path: Path,
    text: str,
    step_arguments: tuple,
    reset_arguments: tuple,
    debug: bool,
    allocates: bool,
    cached: bool,
) -> Kernels:
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": debug, "_nrt": allocates}

    def jit(function: Any, inline: bool) -> Any:
        return numba.njit(inline="always" if inline else "never", **options)(function)

    # Numba's cache looks its functions' module up by name, so it must be one that is imported.
    module = ModuleType(f"_ocean_kernels_{path.stem}")
    double = uses_double({**layout.game.state, **layout.game.params})
    converter = Converter(jit, double, module.__name__)
    low, high = action_bounds(layout.action_space)
    vars(module).update(
        __file__=str(path),
        kernel=numba.njit(cache=cached, **options),
        inner=numba.njit(**options),
        ACTION_LOW=low,
        ACTION_HIGH=high,
        **{f"game_{key}": converter.convert(function) for key, function in layout.game.compiled.items()},
    )
    sys.modules[module.__name__] = module
    exec(compile(text, str(path), "exec"), vars(module))
    step, reset = module.step_rows, module.reset_rows
    entries = _entry(step, step_arguments), _entry(reset, reset_arguments)
    return Kernels(*entries, (step, reset), path.stem, allocates)


def _entry(dispatcher: Any, arguments: tuple) -> Callable[..., Any]:
    """The compiled function itself: calling it skips Numba's look-up of argument types (5 us per call)."""
    import numba

    signature = tuple(numba.typeof(argument) for argument in arguments)
    dispatcher.compile(signature)
    return dispatcher.get_overload(signature)
