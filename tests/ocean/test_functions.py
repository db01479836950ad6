"""Constants become float32, so that one literal does not turn a whole expression into float64."""

import math

import numba
import numpy as np
import pytest

from ocean_numba import Box, Discrete, OceanEnv, f32, f64
from ocean_numba.functions import Converter, as_float32, fingerprint

GRAVITY = 9.8
TABLE = (0.5, 1.5)
ARRAY = np.array([0.1, 0.2])


def helper(x, factor=1.5):
    return x * factor


def in_closure():
    amount = 0.7

    def inner(x):
        return x * amount

    return inner


def convert(function):
    converter = Converter(lambda function, inline: numba.njit(function), double=False, module=__name__)
    return converter.convert(function)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 0.3 + 0.1,
        lambda x: x * GRAVITY,
        lambda x: x * TABLE[1],
        lambda x: x + ARRAY[0],
        lambda x: helper(x),
        lambda x: max(x, 0.0) / 3.0,
        lambda x: math.sin(x) if x > 0.5 else -1.5,
        lambda x: f32(x),
        in_closure(),
    ],
)
def test_float32_stays_float32(function):
    dispatcher = convert(function)
    value = dispatcher(np.float32(0.6))
    assert dispatcher.nopython_signatures[0].return_type == numba.float32
    assert value == pytest.approx(function(0.6), rel=1e-6)


def test_other_values_are_left_alone():
    assert as_float32((1, True, "x", None)) == (1, True, "x", None)
    assert isinstance(as_float32((0.5, 1))[0], np.float32)


def test_a_game_with_double_precision_keeps_it():
    class Precise(OceanEnv):
        observation = Box(-np.inf, np.inf, (1,), np.float64)
        action = Discrete(2)

        class State:
            x: f64

        def reset(s):
            s.x = 0.0

        def step(s, action):
            s.x += 0.1
            return s.x, False, False

        def observe(s, obs):
            obs[0] = s.x

    env = Precise()
    env.reset(0)
    assert env.step([0])[0][0, 0] == 0.1


def test_the_fingerprint_follows_helpers_and_constants_only():
    def make(constant, other):
        namespace = {"LEVEL": constant, "x": other}
        exec("def inner(v):\n    return v * LEVEL\ndef game(s):\n    return inner(s.x)", namespace)
        return fingerprint({"step": namespace["game"]})

    assert make(1.0, 0) == make(1.0, "a global with an attribute's name")
    assert make(1.0, 0) != make(2.0, 0)
    assert make(1, 0) != make(1.0, 0)
