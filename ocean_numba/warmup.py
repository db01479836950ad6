"""Compile games before they are played.

Whatever it compiles lies in the kernel cache afterwards, for every process of this user.
"""

from __future__ import annotations

import time
from importlib import import_module

from ocean_numba.compile import kernel_file, with_runtime
from ocean_numba.ocean_env import OceanEnv


def game_class(entry_point: str) -> type[OceanEnv]:
    """The class that ``"ocean_numba.squared:Squared"`` names."""
    module, _, name = entry_point.partition(":")
    return getattr(import_module(module), name)


def is_compiled(entry_point: str) -> bool:
    """Whether this game, with its default parameters, is in the cache."""
    path, _ = kernel_file(game_class(entry_point)()._layout, debug=False)
    return path.exists() and any(path.parent.glob(f"__pycache__/{path.stem}.*.nbc"))


def kernel_name(entry_point: str) -> str:
    """The name of a compiled game's machine code, see :class:`ocean_numba.ocean_env.CompiledStep`."""
    path, _ = kernel_file(game_class(entry_point)()._layout, debug=False)
    allocates = with_runtime(path)
    return (allocates if allocates.exists() else path).stem


def compile_game(entry_point: str) -> float:
    """Make the kernels of this game, with its default parameters, and draw it once; returns the seconds."""
    began = time.perf_counter()
    env = game_class(entry_point)()
    env.reset(0)
    assert env._game is not None
    if "draw" in env._game.functions:
        env.render()
    return time.perf_counter() - began
