"""Random numbers whose generator lives in the game's own state (``s.rng``, a 64-bit splitmix64).

So a game can be copied, saved, split over workers, and always plays on in the same way. Each function
here is what Python mode calls; :func:`compiled` gives the same thing for Numba, with the same bits.
Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_UNIT = 1.0 / (1 << 24)  # floats get 24 bits: all of them fit into a float32 exactly


def next_bits(s: Any) -> int:
    """The next 64 random bits of game ``s``."""
    s.rng = z = (s.rng + _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * _MIX_1) & _MASK
    z = ((z ^ (z >> 27)) * _MIX_2) & _MASK
    return z ^ (z >> 31)


def uniform(s: Any, low: float, high: float) -> float:
    """A float of at least ``low`` and below ``high``."""
    return low + (high - low) * ((next_bits(s) >> 40) * _UNIT)


def randint(s: Any, n: int) -> int:
    """An integer 0 .. n-1 (n below 2**32)."""
    if n < 1:
        raise ValueError(f"randint(s, {n}): n must be at least 1")
    return ((next_bits(s) >> 32) * n) >> 32


def normal(s: Any) -> float:
    """A float from the normal distribution with mean 0 and standard deviation 1 (Box and Muller, 1958)."""
    radius = 1.0 - (next_bits(s) >> 40) * _UNIT  # in (0, 1]: its logarithm is finite
    angle = (next_bits(s) >> 40) * _UNIT
    return math.sqrt(-2.0 * math.log(radius)) * math.cos(2.0 * math.pi * angle)


FUNCTIONS = {function: function.__name__ for function in (next_bits, uniform, randint, normal)}


def compiled() -> dict[str, Any]:
    """New Numba versions of the functions above, by name.

    New ones for each game: Numba would let two games share one when the record of the first is the
    beginning of the other's, and warn about it.
    """
    import numba

    jit = numba.njit(nogil=True, error_model="numpy")
    gamma, mix_1, mix_2 = np.uint64(_GAMMA), np.uint64(_MIX_1), np.uint64(_MIX_2)
    s27, s30, s31, s32, s40 = (np.uint64(n) for n in (27, 30, 31, 32, 40))
    unit, zero, one, two = np.float32(_UNIT), np.float32(0), np.float32(1), np.float32(2)
    turn = np.float32(2 * math.pi)

    @jit
    def next_bits(s):
        z = s.rng + gamma
        s.rng = z
        z = (z ^ (z >> s30)) * mix_1
        z = (z ^ (z >> s27)) * mix_2
        return z ^ (z >> s31)

    @jit
    def unit_float(s):
        return np.float32(np.int32(next_bits(s) >> s40)) * unit

    @jit
    def uniform(s, low, high):
        return np.float32(low) + (np.float32(high) - np.float32(low)) * unit_float(s)

    @jit
    def randint(s, n):
        return np.int64(((next_bits(s) >> s32) * np.uint64(n)) >> s32)

    @jit
    def normal(s):
        radius = one - unit_float(s)
        angle = unit_float(s)
        return math.sqrt(-two * math.log(radius)) * math.cos(turn * angle) + zero

    return {"next_bits": next_bits, "uniform": uniform, "randint": randint, "normal": normal}


def seeds(seed: int, first: int, count: int) -> np.ndarray:
    """``[game_seed(seed, first + i) for i in range(count)]`` (see pufferbench.env) as one uint64 array."""
    from pufferbench.env import mix

    z = np.arange(first, first + count, dtype=np.uint64) + np.uint64(mix(seed & _MASK)) + np.uint64(_GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_MIX_1)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_MIX_2)
    return z ^ (z >> np.uint64(31))
