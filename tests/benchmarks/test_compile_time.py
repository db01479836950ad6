"""What compiling each game costs, cold and from the cache: at most 4 s and 1 s / number of games are wanted.

pytest tests/benchmarks/test_compile_time.py --benchmark-enable
"""

from __future__ import annotations

import pytest

from ocean_numba import compile as compiler
from ocean_numba.registration import GAMES
from ocean_numba.warmup import compile_game


@pytest.mark.parametrize("name", GAMES)
def test_cold(name: str, benchmark, tmp_path, monkeypatch) -> None:
    compile_game(GAMES["ocean-squared"][0])  # Numba itself is imported by now
    monkeypatch.setenv("PUFFERBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "_loaded", {})
    benchmark.pedantic(compile_game, (GAMES[name][0],), rounds=1)


@pytest.mark.parametrize("name", GAMES)
def test_warm(name: str, benchmark, monkeypatch) -> None:
    compile_game(GAMES[name][0])

    def forget() -> None:
        monkeypatch.setattr(compiler, "_loaded", {})

    benchmark.pedantic(compile_game, (GAMES[name][0],), setup=forget, rounds=3)
