"""Python mode: the same game on proxies of its record, for debugging and as the oracle of the compiled one.

The proxies give plain Python numbers, whose arithmetic never wraps around as numpy's small integers
would, and name the field or the index when something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ocean_numba.layout import RESERVED
from pufferbench.errors import PufferBenchError, did_you_mean


class UnknownField(PufferBenchError, AttributeError):
    """A game reads or writes a field that its State and Params, or its observation, do not have."""


class WrapsAround(PufferBenchError, ArithmeticError):
    """Integer arithmetic that gives another result in compiled code."""


class Unsigned(int):
    """The value of an unsigned field. Numba computes unsigned with unsigned as uint64: 3 - 5 is 2**64 - 2."""

    __slots__ = ()

    def __sub__(self, other: Any) -> Any:
        result = int.__sub__(self, other)
        if type(other) is not Unsigned:
            return result
        if result < 0:
            raise WrapsAround(
                f"{int(self)} - {int(other)} of two unsigned numbers is below 0: compiled code would wrap around; "
                "use a signed type such as i16 or i32"
            )
        return Unsigned(result)

    def __add__(self, other: Any) -> Any:
        result = int.__add__(self, other)
        return Unsigned(result) if type(other) is Unsigned else result


def _number(column: np.ndarray, index: int) -> Any:
    value = column.item(index)
    return Unsigned(value) if column.dtype.kind == "u" else value


class ArrayProxy:
    """An array (a field, an observation) whose elements are plain Python numbers."""

    __slots__ = ("array",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __getitem__(self, index: Any) -> Any:
        value = self.array[index]
        if isinstance(value, np.ndarray):
            return ArrayProxy(value)
        return Unsigned(value) if value.dtype.kind == "u" else value.item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[index] = value.array if isinstance(value, ArrayProxy) else value

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __getattr__(self, name: str) -> Any:  # shape, size, sum, ...
        return getattr(self.array, name)

    def __repr__(self) -> str:
        return repr(self.array)


class RecordProxy:
    """One game's record: ``s.x`` reads a field, ``s.x = 1.0`` writes it, any other name is an error.

    Args:
        columns: name -> that field of all records.
        index: which of them this is.
        name: what games call it: ``s``, or ``obs`` for a row of a Dict observation.
    """

    __slots__ = ("_columns", "_index", "_name")

    def __init__(self, columns: dict[str, np.ndarray], index: int, name: str = "s") -> None:
        object.__setattr__(self, "_columns", columns)
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_name", name)

    def __getattr__(self, name: str) -> Any:
        column = self._column(name)
        if column.ndim == 1:
            return _number(column, self._index)
        return ArrayProxy(column[self._index])

    def __setattr__(self, name: str, value: Any) -> None:
        column = self._column(name)
        if column.ndim > 1:
            array = f"{self._name}.{name}"
            raise TypeError(
                f"{name} is an array: write its elements, {array}[i] = ..., or all of them, {array}[:] = 0"
            )
        column[self._index] = value

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            f"{self._name} has no elements but fields: write {self._name}.{next(iter(self._columns))} = ... or "
            f"{self._name}.{next(iter(self._columns))}[i] = ..."
        )

    def _column(self, name: str) -> np.ndarray:
        try:
            return self._columns[name]
        except KeyError:
            pass
        if self._name == "obs":
            known, what = list(self._columns), "observation has no part"
        else:
            known = [field for field in self._columns if field not in RESERVED] + ["episode_length"]
            what = "State has no field"
        raise UnknownField(f"{what} {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}")

    def __repr__(self) -> str:
        return repr({name: column[self._index].tolist() for name, column in self._columns.items()})


class RecordsProxy:
    """An array of records: ``states[i]`` is a :class:`RecordProxy`."""

    __slots__ = ("_columns", "_name")

    def __init__(self, records: np.ndarray, name: str = "s") -> None:
        self._columns = {name: records[name] for name in records.dtype.names or ()}
        self._name = name

    def __getitem__(self, index: int) -> RecordProxy:
        return RecordProxy(self._columns, index, self._name)


def proxy(array: np.ndarray, name: str = "s") -> RecordsProxy | ArrayProxy:
    """The proxy for an argument of the kernels."""
    return RecordsProxy(array, name) if array.dtype.names else ArrayProxy(array)
