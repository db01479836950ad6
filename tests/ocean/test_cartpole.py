"""CartPole against Gymnasium's CartPole-v1, translating states and comparing step by step."""

import gymnasium
import numpy as np
import pytest

from ocean_numba.cartpole import CartPole, CartPoleContinuous

FIELDS = ("x", "x_dot", "theta", "theta_dot")


def put(env, state):
    for name, value in zip(FIELDS, state, strict=True):
        env.states[name] = value


@pytest.mark.parametrize("seed", range(5))
def test_every_step_equals_gymnasiums(seed):
    reference = gymnasium.make("CartPole-v1").unwrapped
    reference.reset(seed=seed)
    env = CartPole(max_steps=10_000)
    env.reset(seed)
    generator = np.random.default_rng(seed)
    ends = 0
    for _ in range(300):
        state = generator.uniform(-1, 1, 4) * (2.4, 3, 0.21, 3)
        reference.state, reference.steps_beyond_terminated = np.float32(state).astype(float), None
        put(env, np.float32(state))
        env.states["episode_length"] = 0
        action = int(generator.integers(2))
        expected, reward, terminated, _, _ = reference.step(action)
        _, rewards, terminals, truncations, _ = env.step([action])
        assert terminals[0] == terminated
        assert not truncations[0]
        assert rewards[0] == reward == 1.0
        if not terminated:
            np.testing.assert_allclose(env.observations[0], expected, rtol=1e-5, atol=1e-5)
        ends += terminated
    assert 10 < ends < 290


def test_truncation_equals_gymnasiums_time_limit():
    reference = gymnasium.make("CartPole-v1")
    reference.reset(seed=0)
    env = CartPole()
    env.reset(0)
    assert reference.spec is not None
    for step in range(1, 501):
        reference.unwrapped.state = np.zeros(4)
        put(env, np.zeros(4))
        *_, terminated, truncated, _ = reference.step(step % 2)
        _, _, terminals, truncations, infos = env.step([step % 2])
        assert (terminals[0], truncations[0]) == (terminated, truncated)
        assert truncated == (step == 500)
    assert infos[0]["episode_length"] == infos[0]["episode_return"] == 500


def test_a_full_continuous_push_is_a_discrete_one():
    one, two = CartPole(8), CartPoleContinuous(8)
    one.reset(3), two.reset(3)
    np.testing.assert_array_equal(one.observations, two.observations)
    actions = np.random.default_rng(0).integers(0, 2, (20, 8))
    for action in actions:
        one.step(action)
        two.step(np.float32(action * 2 - 1)[:, None])
        np.testing.assert_allclose(one.observations, two.observations, atol=1e-6)
        two.states[:] = one.states


def test_starting_states_are_uniform():
    env = CartPole(5000)
    observations, _ = env.reset(0)
    assert -0.05 <= observations.min() < -0.049
    assert 0.049 < observations.max() < 0.05
    np.testing.assert_allclose(observations.mean(0), 0, atol=0.002)
