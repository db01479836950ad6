"""From annotations to memory: the aligned numpy record that holds one game.

``class State: x: f32; board: u8["size", "size"]`` becomes a numpy record like a C struct. Numba reads and
writes its fields in place, and a batch of games is one array of such records.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ocean_numba.errors import GameError
from pufferbench.errors import did_you_mean


@dataclass(frozen=True)
class Kind:
    """The type of a State or Params field: a number (``f32``) or an array of them (``f32[4, "agents"]``).

    A Params field may say which values make sense, and others are then refused: ``i32.at_least(1)``,
    ``f32.between(0, 1)``. Both bounds count as allowed.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | str, ...] = ()
    low: float | None = None
    high: float | None = None

    def at_least(self, low: float) -> Kind:
        """The same type for values from ``low`` up."""
        return replace(self, low=low)

    def between(self, low: float, high: float) -> Kind:
        """The same type for values from ``low`` to ``high``."""
        return replace(self, low=low, high=high)

    def __getitem__(self, shape: int | str | tuple[int | str, ...]) -> Kind:
        """An array of this type; a dimension is a number or the name of an integer Params field."""
        dims = shape if isinstance(shape, tuple) else (shape,)
        if self.shape:
            raise TypeError(f"{self} is an array already")
        for dim in dims:
            if not isinstance(dim, (int, str)) or (isinstance(dim, int) and dim < 1):
                raise TypeError(
                    f"{self.name}[{dim!r}]: a dimension is a number of at least 1 or a Params name"
                )
        return replace(self, shape=dims)

    def __call__(self, value: Any) -> Any:
        """``f32(0.5)`` in a game: the value rounded (or cut) to this type."""
        return self.dtype.type(value).item()

    def __repr__(self) -> str:
        return f"{self.name}[{', '.join(map(repr, self.shape))}]" if self.shape else self.name


f32, f64 = Kind("f32", np.dtype(np.float32)), Kind("f64", np.dtype(np.float64))
i8, i16 = Kind("i8", np.dtype(np.int8)), Kind("i16", np.dtype(np.int16))
i32, i64 = Kind("i32", np.dtype(np.int32)), Kind("i64", np.dtype(np.int64))
u8, u16 = Kind("u8", np.dtype(np.uint8)), Kind("u16", np.dtype(np.uint16))
u32, u64 = Kind("u32", np.dtype(np.uint32)), Kind("u64", np.dtype(np.uint64))
boolean = Kind("boolean", np.dtype(np.bool_))

# Fields that the framework keeps in every record. Games may read episode_length; the rest is private.
RESERVED = ("rng", "episode_length", "episode_return", "agent_returns", "agent_lengths")


def read_fields(owner: type | None, where: str) -> dict[str, Kind]:
    """The annotated fields of a ``State`` or ``Params`` class, its base classes' first.

    Args:
        owner: the nested class; None stands for one without fields.
        where: how errors call it, e.g. ``"CartPole.State"``.
    """
    fields: dict[str, Kind] = {}
    for part in reversed(owner.__mro__ if owner is not None else ()):
        if part is object:
            continue
        for name, kind in _annotations(part, where).items():
            if not isinstance(kind, Kind):
                raise GameError(
                    f"{where}.{name} is annotated {kind!r}; use a type of ocean_numba such as f32 or u8[3]"
                )
            if where.endswith(".State") and kind.low is not None:
                raise GameError(
                    f"{where}.{name} has a range; only Params fields do (the game sets the State itself)"
                )
            if kind.shape and kind.dtype.kind == "b":
                raise GameError(
                    f"{where}.{name} is an array of booleans, which Numba cannot keep in a record: "
                    f"use u8[{', '.join(map(repr, kind.shape))}] with 0 and 1"
                )
            if name in RESERVED or name.startswith("_"):
                raise GameError(f"{where}.{name}: this name belongs to the framework; choose another")
            fields[name] = kind
    return fields


def _annotations(owner: type, where: str) -> dict[str, Any]:
    try:
        return inspect.get_annotations(owner, eval_str=True)
    except NameError as error:
        known = ["f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "boolean"]
        hint = did_you_mean(getattr(error, "name", None) or "", known)
        raise GameError(f"{where}: {error}{hint} (types are {', '.join(known)})") from None


def resolve_shape(kind: Kind, sizes: Mapping[str, Any], where: str) -> tuple[int, ...]:
    """``u8["size", 3]`` with ``size=11`` gives ``(11, 3)``."""
    shape = []
    for dim in kind.shape:
        if isinstance(dim, str):
            if dim not in sizes:
                hint = did_you_mean(dim, sizes)
                raise GameError(f"{where} has the dimension {dim!r}, which is no Params field{hint}")
            if sizes[dim] < 1:
                raise ValueError(f"{where} has the dimension {dim} = {sizes[dim]}, which must be at least 1")
            dim = sizes[dim]
        shape.append(dim)
    return tuple(shape)


def record_dtype(fields: Mapping[str, Kind], sizes: Mapping[str, Any], where: str) -> np.dtype:
    """The aligned record with these fields, in this order."""
    return np.dtype(
        [(name, kind.dtype, resolve_shape(kind, sizes, f"{where}.{name}")) for name, kind in fields.items()],
        align=True,
    )


def as_records(rows: np.ndarray, record: np.dtype | None) -> np.ndarray:
    """Flat observations as what ``observe`` writes into: records where the space is a Dict, else themselves.

    Args:
        rows: contiguous ``[n, *shape]``.
        record: of one row, or None.
    """
    return rows if record is None else rows.view(record).reshape(len(rows))
