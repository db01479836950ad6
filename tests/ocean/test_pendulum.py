"""Pendulum against Gymnasium's Pendulum-v1, step by step, and against the conservation of energy."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from ocean_numba import palette
from ocean_numba.pendulum import MAX_SPEED, UPRIGHT, Pendulum, scripted
from ocean_numba.testing import compare_with_python, random_actions


def put(env: Pendulum, theta: float, theta_dot: float) -> None:
    env.states["theta"], env.states["theta_dot"] = theta, theta_dot


@pytest.mark.parametrize("gravity", [10.0, 3.7])
def test_every_step_equals_gymnasiums(gravity):
    reference = gymnasium.make("Pendulum-v1", g=gravity).unwrapped
    reference.reset(seed=0)
    env = Pendulum(gravity=gravity)
    env.reset(0)
    generator = np.random.default_rng(0)
    for _ in range(300):
        state = np.float32(generator.uniform(-1, 1, 2) * (np.pi, MAX_SPEED))
        torque = np.float32(generator.uniform(-2, 2, 1))
        reference.state = state.astype(float)
        put(env, *state)
        env.states["episode_length"] = 0
        expected, reward, *_ = reference.step(torque)
        observations, rewards, terminals, truncations, _ = env.step(torque[None])
        np.testing.assert_allclose(observations[0], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(rewards[0], reward, rtol=1e-5, atol=1e-5)
        assert not (terminals | truncations).any()


def test_the_cost_by_hand():
    env = Pendulum()
    env.reset(0)
    put(env, -0.5, 2.0)
    assert env.step([[1.0]])[1][0] == pytest.approx(-(0.25 + 0.4 + 0.001))
    put(env, np.pi, 8.0)
    assert env.step([[2.0]])[1][0] == pytest.approx(-16.2736, abs=1e-3)


def test_energy_of_the_undriven_pendulum_is_conserved():
    """Per moment of inertia: v²/2 + 15 cos(angle). The method is symplectic: an error, but no drift."""
    env = Pendulum(num_envs=64, max_steps=100_000)
    env.reset(0)
    env.states["theta_dot"] = 0
    still = np.zeros((64, 1), np.float32)

    def energy() -> np.ndarray:
        return 0.5 * env.states["theta_dot"] ** 2 + 15 * np.cos(env.states["theta"])

    energies = [energy()]
    for _ in range(3000):
        env.step(still)
        energies.append(energy())
    history = np.array(energies)
    swing = np.abs(history - history[0])
    assert swing.max() < 0.1 * 30  # of the range from hanging to upright
    early, late = history[:1000].mean(0), history[-1000:].mean(0)
    np.testing.assert_allclose(late, early, atol=0.25)


def test_angle_and_speed_stay_in_their_ranges_and_the_angle_wraps():
    env = Pendulum(num_envs=2)
    env.reset(0)
    env.states["theta"], env.states["theta_dot"] = [3.1, -3.1], [8.0, -8.0]
    env.step(np.float32([[2.0], [-2.0]]))
    np.testing.assert_allclose(env.states["theta"], [3.5 - 2 * np.pi, 2 * np.pi - 3.5], atol=1e-5)
    np.testing.assert_array_equal(env.states["theta_dot"], [8.0, -8.0])
    np.testing.assert_array_equal(env.states["torque"], [2.0, -2.0])


def test_random_play_stays_in_the_observation_space():
    env = Pendulum(num_envs=64, max_steps=300)
    env.reset(0)
    generator = np.random.default_rng(0)
    for _ in range(299):
        observations, rewards, *_ = env.step(random_actions(env, generator))
        assert all(env.observation_space.contains(row) for row in observations[:4])
        assert (np.abs(observations) <= [1, 1, 8]).all()
        assert (rewards <= 0).all()
        assert (rewards >= -16.28).all()
        assert (np.abs(env.states["theta"]) <= np.float32(np.pi)).all()
        np.testing.assert_allclose(np.hypot(observations[:, 0], observations[:, 1]), 1, atol=1e-6)


def test_the_score_is_the_share_of_upright_steps():
    env = Pendulum(max_steps=10)
    env.reset(0)
    for step in range(1, 11):
        put(env, 0.0 if step <= 4 else UPRIGHT + 0.1, 0.0)
        *_, truncations, infos = env.step([[0.0]])
        assert truncations[0] == (step == 10)
    assert infos[0]["score"] == pytest.approx(0.4)
    assert infos[0]["episode_length"] == 10


def test_starting_states():
    env = Pendulum(5000)
    env.reset(0)
    theta, theta_dot = env.states["theta"], env.states["theta_dot"]
    for values, bound in ((theta, np.pi), (theta_dot, 1.0)):
        assert -bound <= values.min() < -0.99 * bound
        assert 0.99 * bound < values.max() <= bound
        assert abs(values.mean()) < 0.05 * bound


def test_the_script_swings_up_and_random_play_does_not():
    scores = {}
    for name in ("random", "scripted"):
        env = Pendulum(64)
        env.reset(0)
        generator = np.random.default_rng(0)
        for _ in range(200):
            *_, infos = env.step(scripted(env) if name == "scripted" else random_actions(env, generator))
        scores[name] = np.mean([info["score"] for info in infos])
        assert len(infos) == 64
    assert scores["random"] < 0.1
    assert scores["scripted"] > 0.7


@pytest.mark.parametrize("params", [{}, {"gravity": 1.6, "max_steps": 40}])
def test_compiled_equals_python(params):
    compare_with_python(Pendulum, steps=150, num_envs=4, **params)


def test_the_picture_shows_the_rod_where_it_is():
    env = Pendulum()
    env.reset(0)
    put(env, np.pi / 2, 0.0)  # counterclockwise: to the left
    picture = env.render()
    assert picture.shape == (320, 320, 3)
    assert tuple(picture[170, 70]) == palette.ORANGE
    assert tuple(picture[170, 250]) == palette.NIGHT
    put(env, 0.0, 0.0)
    assert tuple(env.render()[80, 160]) == palette.SKY_BLUE
