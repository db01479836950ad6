"""Acrobot against Gymnasium's Acrobot-v1, step by step (Runge-Kutta of order 4)."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.acrobot import CENTER, GRAVITY, MAX_SPEED_1, MAX_SPEED_2, Acrobot, scripted
from ocean_numba.testing import compare_with_python, random_actions

FIELDS = ("theta_1", "theta_2", "speed_1", "speed_2")


def put(env: Acrobot, *state: float) -> None:
    for name, value in zip(FIELDS, state, strict=True):
        env.states[name] = value


def height(state: np.ndarray) -> float:
    return -np.cos(state[0]) - np.cos(state[0] + state[1])


@pytest.mark.parametrize(("mode", "tolerance"), [("python", 1e-6), ("compiled", 1e-5)])
def test_every_step_equals_gymnasiums(mode, tolerance):
    reference = gymnasium.make("Acrobot-v1").unwrapped
    reference.reset(seed=0)
    env = Acrobot(mode=mode)
    env.reset(0)
    generator = np.random.default_rng(0)
    ends = 0
    for _ in range(300):
        state = np.float32(generator.uniform(-1, 1, 4) * (np.pi, np.pi, 6, 9))
        if height(state) > 1:
            continue
        action = int(generator.integers(3))
        reference.state = state.astype(float)
        put(env, *state)
        env.states["episode_length"] = 0
        expected, reward, terminated, *_ = reference.step(action)
        if abs(height(reference.state) - 1) < 1e-4:
            continue  # rounding decides
        observations, rewards, terminals, truncations, _ = env.step([action])
        assert (terminals[0], rewards[0]) == (terminated, reward)
        assert not truncations[0]
        if not terminated:
            np.testing.assert_allclose(observations[0], expected, rtol=tolerance, atol=tolerance)
        ends += terminated
    assert 10 < ends < 250


def test_speeds_are_cut_and_angles_wrapped_as_gymnasium_does():
    reference = gymnasium.make("Acrobot-v1").unwrapped
    reference.reset(seed=0)
    env = Acrobot()
    env.reset(0)
    state = np.array([3.0, -3.0, 12.0, 28.0])
    reference.state = state.copy()
    put(env, *state)
    expected, *_ = reference.step(2)
    observations, *_ = env.step([2])
    assert abs(expected[5]) == pytest.approx(MAX_SPEED_2)
    np.testing.assert_allclose(observations[0], expected, atol=1e-3)  # chaos: 28 rad/s in steps of 0.2 s
    assert np.abs(env.states["theta_1"][0]) <= np.float32(np.pi)
    assert np.abs(env.states["theta_2"][0]) <= np.float32(np.pi)


def test_energy_without_torque_is_conserved():
    """But for Runge-Kutta's error: 1 % of what it takes to stand upright, in 200 steps of small swings."""
    env = Acrobot(16)
    env.reset(0)
    env.states["theta_1"] = np.linspace(-1, 1, 16)

    def energy() -> np.ndarray:
        a, b, u, v = (env.states[name].astype(float) for name in FIELDS)
        d1 = 2 * CENTER**2 + 1 + 2 * CENTER * np.cos(b) + 2
        d2 = CENTER**2 + CENTER * np.cos(b) + 1
        kinetic = 0.5 * d1 * u**2 + d2 * u * v + 0.5 * (CENTER**2 + 1) * v**2
        return kinetic - GRAVITY * ((CENTER + 1) * np.cos(a) + CENTER * np.cos(a + b))

    start = energy()
    for _ in range(200):
        env.step(np.ones(16, np.int32))
    np.testing.assert_allclose(energy(), start, atol=0.01 * 4 * GRAVITY)


def test_the_line_ends_the_episode_and_is_worth_a_point():
    env = Acrobot()
    env.reset(0)
    put(env, np.pi, 0.0, 0.0, 0.0)  # straight up
    _, rewards, terminals, truncations, infos = env.step([1])
    assert (rewards[0], terminals[0], truncations[0]) == (0, True, False)
    assert infos[0]["score"] == 1
    assert (np.abs([env.states[name][0] for name in FIELDS]) <= 0.1).all()  # the next episode


def test_truncation_equals_gymnasiums_time_limit():
    env = Acrobot(2)
    env.reset(0)
    for step in range(1, 501):
        *_, terminals, truncations, infos = env.step([1, 1])
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == 500)
    assert [info["episode_return"] for info in infos] == [-500, -500]
    assert [info["score"] for info in infos] == [0, 0]


def test_random_play_stays_in_the_observation_space():
    env = Acrobot(32)
    env.reset(0)
    generator = np.random.default_rng(0)
    for _ in range(300):
        observations, *_ = env.step(random_actions(env, generator))
        assert all(env.observation_space.contains(row) for row in observations)
    assert np.abs(observations[:, 4]).max() < MAX_SPEED_1


def test_starting_states():
    env = Acrobot(5000)
    env.reset(0)
    for name in FIELDS:
        assert np.float32(-0.1) <= env.states[name].min() < -0.099
        assert 0.099 < env.states[name].max() < 0.1


def test_the_script_gets_above_the_line_and_random_play_hardly_ever():
    by_chance, by_hand = random_and_scripted(Acrobot(32, max_steps=300), scripted, steps=300)
    assert by_chance < 0.2
    assert by_hand > 0.95


@pytest.mark.parametrize("params", [{}, {"max_steps": 30}])
def test_compiled_equals_python(params):
    compare_with_python(Acrobot, steps=150, num_envs=4, **params)


def test_the_picture_shows_both_rods_and_the_line():
    env = Acrobot()
    env.reset(0)
    put(env, 0.0, np.pi / 2, 0.0, 0.0)  # down, then to the right
    picture = env.render()
    assert picture.shape == (320, 320, 3)
    assert tuple(picture[172 + 32, 160]) == palette.SKY_BLUE
    assert tuple(picture[172 + 64, 160 + 40]) == palette.ORANGE
    assert tuple(picture[172 - 64, 4]) == palette.YELLOW
