"""Compile games before they are played: a process that does so for each name that it reads.

    python -m ocean_numba.warmup          one class per line of standard input: ocean_numba.squared:Squared

Whatever it compiles lies in the kernel cache afterwards, for every process of this user.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module

from ocean_numba.compile import kernel_file
from ocean_numba.ocean_env import OceanEnv


def game_class(entry_point: str) -> type[OceanEnv]:
    """The class that ``"ocean_numba.squared:Squared"`` names."""
    module, _, name = entry_point.partition(":")
    return getattr(import_module(module), name)


def is_compiled(entry_point: str) -> bool:
    """Whether this game, with its default parameters, is in the cache."""
    path, _ = kernel_file(game_class(entry_point)()._layout, debug=False)
    return path.exists() and any(path.parent.glob(f"__pycache__/{path.stem}.*.nbc"))


def compile_game(entry_point: str) -> float:
    """Make the kernels of this game, with its default parameters, and draw it once; returns the seconds."""
    began = time.perf_counter()
    env = game_class(entry_point)()
    env.reset(0)
    assert env._game is not None
    if "draw" in env._game.functions:
        env.render()
    return time.perf_counter() - began


def main() -> None:
    """Answer each line of standard input with a line of JSON: ``{"seconds": 1.2}`` or ``{"error": "..."}``."""
    for line in sys.stdin:
        try:
            answer: dict[str, object] = {"seconds": compile_game(line.strip())}
        except Exception as error:  # one game at fault must not keep the others from being compiled
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
