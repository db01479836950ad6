"""The compiled kernels against the same game run by Python: one step from the same state."""

from dataclasses import replace

import numpy as np
import pytest
from ocean.games import Arena, Counter, Everything

from ocean_numba import Box, Discrete, OceanEnv, f32, i64
from ocean_numba.cartpole import CartPole, CartPoleContinuous
from ocean_numba.compile import python_kernels
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


class Edge(OceanEnv):
    """It ends above 0.5, and starts a millionth above that."""

    observation = Box(-np.inf, np.inf, (1,), np.float32)
    action = Discrete(2)

    class State:
        x: f32

    def reset(s):
        s.x = 0.500001

    def step(s, action):
        return 1.0, s.x > 0.5, False

    def observe(s, obs):
        obs[0] = s.x


def ends_later(s, action):
    return 1.0, s.x > 0.500003, False


def ends_much_later(s, action):
    return 1.0, s.x > 0.51, False


@pytest.mark.parametrize(("step", "allowed"), [(ends_later, True), (ends_much_later, False)])
def test_only_near_a_threshold_may_an_end_be_different(step, allowed, monkeypatch):
    def other_python(layout):
        functions = {**layout.game.functions, "step": step}
        return python_kernels(replace(layout, game=replace(layout.game, functions=functions)))

    monkeypatch.setattr("ocean_numba.compile.python_kernels", other_python)
    if allowed:
        compare_with_python(Edge, steps=1, num_envs=1)
        with pytest.raises(AssertionError, match="2 steps differ by what depends on a threshold"):
            compare_with_python(Edge, steps=3, num_envs=1)  # once by chance, not always
    else:
        with pytest.raises(AssertionError, match=r"terminals\[0\] is .*True.*, in Python mode .*False"):
            compare_with_python(Edge, steps=1, num_envs=1)


def test_a_policy_plays_every_second_game():
    seen = []

    def right(env):
        seen.append(env.observations.copy())
        return np.ones(env.num_agents, np.int32)

    env = compare_with_python(CartPole, steps=7, num_envs=4, policy=right)
    assert len(seen) == 7
    assert (env.states["x_dot"][[1, 3]] > 1.0).all()  # only ever pushed to the right
