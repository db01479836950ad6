"""The compiled kernels against the same game run by Python: one step from the same state."""

import numpy as np
import pytest
from ocean.games import Arena, Counter, Everything

from ocean_numba import Box, Discrete, OceanEnv, i64
from ocean_numba.cartpole import CartPole, CartPoleContinuous
from ocean_numba.squared import Squared
from ocean_numba.testing import compare_with_python


@pytest.mark.parametrize(
    ("game", "params"),
    [
        (CartPole, {"max_steps": 20}),
        (CartPoleContinuous, {}),
        (Squared, {"size": 5}),
        (Counter, {}),
        (Everything, {"size": 6}),
        (Arena, {}),
        (Arena, {"agents": 5, "win": 3, "limit": 9}),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_one_step_from_the_same_state(game, params, seed):
    env = compare_with_python(game, steps=100, num_envs=4, seed=seed, **params)
    assert (env.states["rng"] != game(4, **params).states["rng"]).all()


def test_the_comparison_can_fail():
    class Wraps(OceanEnv):
        """Compiled integers have 64 bits, Python's have no end."""

        observation = Box(-np.inf, np.inf, (1,), np.float32)
        action = Discrete(2)

        class State:
            n: i64

        def reset(s):
            s.n = 8

        def step(s, action):
            return float(s.n * 4611686018427387904), False, False

        def observe(s, obs):
            obs[0] = s.n

    with pytest.raises(
        AssertionError, match=r"rewards\[0\] is .*0\.0.*, in Python mode .*3\.68.*e\+19.*, in step 0"
    ):
        compare_with_python(Wraps, steps=5, num_envs=1)
