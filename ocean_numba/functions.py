"""A game's functions made ready for Numba: who calls whom, float32 constants, and a hash of it all.

Numba takes every float literal for a float64, and one of them turns the whole expression into float64
arithmetic (slower by a third on CartPole). So constants, global numbers and defaults become
``np.float32`` in a copy of the function. Source text is never needed: a class that came by cloudpickle
has none.
"""

from __future__ import annotations

import builtins
import dis
import math
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ocean_numba import rng
from ocean_numba.errors import GameError
from ocean_numba.explain import source
from ocean_numba.layout import Kind
from pufferbench.errors import did_you_mean

ALLOWED_BUILTINS = (
    "abs",
    "bool",
    "divmod",
    "enumerate",
    "float",
    "int",
    "len",
    "max",
    "min",
    "pow",
    "range",
    "round",
    "zip",
)


def inline(function: FunctionType) -> FunctionType:
    """Decorator for small helper functions of a hot loop: Numba copies their body to where they are called."""
    function.__ocean_inline__ = True  # type: ignore[attr-defined]
    return function


def code_of(value: Any) -> FunctionType | None:
    """The Python function behind ``value`` (a function, or one compiled by the user with numba.njit)."""
    if isinstance(value, FunctionType):
        return value
    function = getattr(value, "py_func", None)
    return function if isinstance(function, FunctionType) else None


def used_globals(function: FunctionType) -> dict[str, Any]:
    """Global and enclosing-scope names that ``function`` reads, with their values.

    Only LOAD_GLOBAL counts: attribute names in ``co_names`` may equal unrelated globals of a notebook.

    Raises:
        GameError: a name is not defined, with the nearest one that is.
    """
    found = {}
    for instruction in dis.get_instructions(function.__code__):
        if instruction.opname != "LOAD_GLOBAL":
            continue
        name = instruction.argval
        if name in function.__globals__:
            found[name] = function.__globals__[name]
        elif hasattr(builtins, name):
            found[name] = getattr(builtins, name)
        else:
            known = [*function.__globals__, *function.__code__.co_varnames, *ALLOWED_BUILTINS]
            line = instruction.positions.lineno if instruction.positions else None
            place = source(function.__code__, line)
            hint = _missing_import(name) or did_you_mean(name, known)
            raise GameError(f"{function.__qualname__} uses the unknown name {name!r}{hint} ({place})")
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            raise GameError(f"{function.__qualname__} uses {name!r} before it has a value") from None
    return found


def _missing_import(name: str) -> str:
    """What to write at the top of the file, for the names that games use; "" for others."""
    import ocean_numba

    line = {"np": "import numpy as np", "math": "import math"}.get(name, "")
    if name in ocean_numba.__all__:
        line = f"from ocean_numba import {name}"
    return f"; write {line}" if line else ""


def reachable(functions: dict[str, FunctionType]) -> Iterator[tuple[FunctionType, dict[str, Any]]]:
    """Every function that these call, directly or through helpers, once each, with the globals it uses."""
    waiting, seen = [*functions.values()], set()
    while waiting:
        function = waiting.pop(0)
        if id(function) in seen:
            continue
        seen.add(id(function))
        names = used_globals(function)
        yield function, names
        for value in names.values():
            helper = code_of(value)
            if helper is not None and helper not in rng.FUNCTIONS:
                waiting.append(helper)


def uses_double(kinds: dict[str, Kind]) -> bool:
    """A game with an f64 field asks for double precision: its constants stay as they are."""
    return any(kind.dtype == np.float64 for kind in kinds.values())


def as_float32(value: Any) -> Any:
    """``value`` with every float in it as ``np.float32``; anything else unchanged."""
    if isinstance(value, (float, np.float64)):
        return np.float32(value)
    if isinstance(value, tuple):
        return tuple(as_float32(item) for item in value)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


class Converter:
    """Makes the copies that Numba compiles; each function once, so that helpers are shared.

    Args:
        jit: turns a function into a Numba dispatcher; called as ``jit(function, inline=bool)``.
        double: leave floats as float64.
        module: name of the module that the copies belong to. Numba's cache imports it, so it must not
            be the game's own: a class that came by cloudpickle may have none.
    """

    def __init__(self, jit: Callable[..., Any], double: bool, module: str) -> None:
        self._jit = jit
        self._rng: dict[str, Any] = {}
        self._module = module
        self._number = (lambda value: value) if double else as_float32
        self._done: dict[int, Any] = {}
        self._keep: list[FunctionType] = []  # ids in _done stay valid only while the functions live

    def convert(self, function: FunctionType) -> Any:
        """The dispatcher for ``function`` and, through its globals, for all it calls."""
        if id(function) in self._done:
            return self._done[id(function)]
        number, code = self._number, function.__code__
        names = {name: self._value(value) for name, value in used_globals(function).items()}
        closure = tuple(CellType(names.pop(name)) for name in code.co_freevars)
        copy = FunctionType(
            code.replace(co_consts=tuple(number(const) for const in code.co_consts)),
            {"__name__": self._module, "__builtins__": builtins, **names},
            function.__name__,
            number(function.__defaults__),
            closure,
        )
        copy.__qualname__ = function.__qualname__
        dispatcher = self._jit(copy, inline=getattr(function, "__ocean_inline__", False))
        self._done[id(function)] = dispatcher
        self._keep.append(function)
        return dispatcher

    def _value(self, value: Any) -> Any:
        function = code_of(value)
        if function in rng.FUNCTIONS:
            self._rng = self._rng or rng.compiled()
            return self._rng[rng.FUNCTIONS[function]]
        if function is not None:
            return self.convert(function)
        if isinstance(value, Kind):
            return value.dtype.type
        return self._number(value)


def fingerprint(functions: dict[str, FunctionType]) -> list[str]:
    """Text that is equal exactly when the compiled functions would be, in any process."""
    lines = [f"python {sys.version_info[0]}.{sys.version_info[1]}"]
    order: dict[int, int] = {}
    found = list(reachable(functions))
    for number, (function, _) in enumerate(found):
        order[id(function)] = number
    for function, names in found:
        lines.append(f"{function.__name__} {_describe(function.__code__)} {_describe(function.__defaults__)}")
        lines.append(f"inline {getattr(function, '__ocean_inline__', False)}")
        for name in sorted(names):
            helper = code_of(names[name])
            known = helper is not None and id(helper) in order
            lines.append(f"{name} = {f'function {order[id(helper)]}' if known else _describe(names[name])}")
    return lines


def _describe(value: Any) -> str:
    """A value as text that does not depend on the process (no addresses, no hash order)."""
    if isinstance(value, CodeType):
        parts = (value.co_code.hex(), value.co_names, value.co_varnames, value.co_freevars, value.co_argcount)
        # Jumps out of try blocks live in a table of their own; docstrings do not matter, but are cheap to keep.
        table = getattr(value, "co_exceptiontable", b"").hex()
        return f"{parts} {table} {_describe(value.co_consts)}"
    if isinstance(value, tuple):
        return f"({', '.join(_describe(item) for item in value)})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(_describe(item) for item in value))}}}"
    if isinstance(value, np.ndarray):
        return f"array {value.dtype.str} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, np.generic):
        return f"{value.dtype.str} {value.tobytes().hex()}"
    if isinstance(value, ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, Kind):
        return f"kind {value.dtype.str}"
    if isinstance(value, (FunctionType, BuiltinFunctionType, type, np.ufunc)):
        return f"{getattr(value, '__module__', '')}.{value.__name__}"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)) or value is Ellipsis:
        return f"{type(value).__name__} {value!r}"
    return f"unusable {type(value).__name__}"  # the checks refuse it by name


def is_constant(value: Any) -> bool:
    """Whether a compiled game may use this global value: it is frozen into the kernel."""
    if isinstance(value, tuple):
        return all(is_constant(item) for item in value)
    return isinstance(value, (bool, int, float, np.generic, np.ndarray))


def is_math(value: Any) -> bool:
    """Whether ``value`` is a function or type of math or numpy that Numba may know."""
    if isinstance(value, np.ufunc):
        return True
    home = getattr(value, "__module__", None) or ""
    return home.split(".")[0] in ("math", "numpy") or value in (math, np)
