"""Reinforcement learning games at C speed, one readable Python file each.

Importing this package costs nothing: its names load at first use, Numba when the first game compiles.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "OceanEnv": "ocean_numba.ocean_env",
    "GameError": "ocean_numba.errors",
    "inline": "ocean_numba.functions",
    **dict.fromkeys(("Box", "Dict", "Discrete", "MultiBinary", "MultiDiscrete"), "gymnasium.spaces"),
    **dict.fromkeys(("uniform", "randint", "normal"), "ocean_numba.rng"),
    **dict.fromkeys(
        ("f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "boolean"), "ocean_numba.layout"
    ),
}

__all__ = sorted(_HOME)  # noqa: PLE0605

if TYPE_CHECKING:
    from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

    from ocean_numba.errors import GameError
    from ocean_numba.functions import inline
    from ocean_numba.layout import boolean, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64
    from ocean_numba.ocean_env import OceanEnv
    from ocean_numba.rng import normal, randint, uniform


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        from pufferbench.errors import did_you_mean

        raise AttributeError(f"module 'ocean_numba' has no attribute {name!r}{did_you_mean(name, _HOME)}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
