"""Hints name the lines where float32 turns into float64, and only those."""

import math

import numpy as np
from ocean.games import Nim, Parts

from ocean_numba import Box, Discrete, OceanEnv, f32, i32
from ocean_numba.cartpole import CartPole


class Promoting(OceanEnv):
    observation = Box(-np.inf, np.inf, (1,), np.float32)
    action = Discrete(2)

    class State:
        x: f32
        n: i32

    def reset(s):
        s.x = 1.0

    def step(s, action):
        a = 2 * s.x  # integer times float32
        b = 2.0 * s.x
        c = math.pi * s.x  # math.pi is a float64
        d = a * a + b  # only follows from the first
        e = s.n / 3  # integers divided
        return a + b + c + d + e, False, False

    def observe(s, obs):
        obs[0] = s.x


def test_hints_name_the_lines():
    hints = Promoting().hints()
    assert [hint.partition(": ")[2] for hint in hints] == [
        "a = 2 * s.x  # integer times float32",
        "c = math.pi * s.x  # math.pi is a float64",
        "e = s.n / 3  # integers divided",
    ]
    assert hints[0].startswith("Promoting.step computes in float64, line ")


def test_no_hints_where_there_is_nothing_to_say():
    assert CartPole().hints() == []


def test_games_with_parts_and_with_legal_actions_have_hints_too():
    assert any("obs.wide" in hint for hint in Parts().hints())
    assert Nim().hints() == []
