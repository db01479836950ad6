"""The generator inside a game's state, and its twin in Python."""

import math
from types import SimpleNamespace

import numba
import numpy as np
import pytest

from ocean_numba import rng

RECORD = np.dtype([("rng", np.uint64)])


def compiled_draws(name, arguments, seed, count):
    """``count`` results of the compiled function, and the generator's state afterwards."""
    draw = rng.compiled()[name]
    states = np.array([(seed,)], RECORD)

    @numba.njit
    def draws(states, count):
        out = np.empty(count, np.float64)
        for i in range(count):
            out[i] = draw(states[0], *arguments)
        return out

    return draws(states, count), int(states["rng"][0])


@pytest.mark.parametrize(
    ("name", "arguments"), [("uniform", (-2.0, 3.0)), ("uniform", (0, 1)), ("randint", (7,)), ("normal", ())]
)
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_compiled_and_python_draw_the_same(name, arguments, seed):
    values, state = compiled_draws(name, arguments, seed, 300)
    s = SimpleNamespace(rng=seed)
    expected = [getattr(rng, name)(s, *arguments) for _ in range(300)]
    assert s.rng == state
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=2e-6)
    if name == "randint":
        assert values.tolist() == expected


def test_the_bits_are_splitmix64s():
    """The published reference: seed 1234567 of Vigna's splitmix64.c."""
    s = SimpleNamespace(rng=1234567)
    assert [rng.next_bits(s) for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_distributions():
    s = SimpleNamespace(rng=1)
    floats = np.array([rng.uniform(s, 2.0, 4.0) for _ in range(20_000)])
    assert 2.0 <= floats.min() < 2.001
    assert 3.999 < floats.max() < 4.0
    assert abs(floats.mean() - 3.0) < 0.02
    counts = np.bincount([rng.randint(s, 5) for _ in range(20_000)], minlength=5)
    assert len(counts) == 5
    assert abs(counts - 4000).max() < 250
    normals = np.array([rng.normal(s) for _ in range(20_000)])
    assert abs(normals.mean()) < 0.03
    assert abs(normals.std() - 1) < 0.02
    assert abs((np.abs(normals) < 1).mean() - math.erf(1 / math.sqrt(2))) < 0.01


def test_games_of_one_batch_draw_different_numbers():
    assert len(np.unique(rng.seeds(0, 0, 100_000))) == 100_000
    assert not set(rng.seeds(0, 0, 1000).tolist()) & set(rng.seeds(1, 0, 1000).tolist())
