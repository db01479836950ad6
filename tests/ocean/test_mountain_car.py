"""MountainCar against Gymnasium's MountainCar-v0 and MountainCarContinuous-v0, step by step."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.mountain_car import (
    GOAL_X,
    MAX_SPEED,
    MAX_X,
    MIN_X,
    NEAR_GOAL_X,
    MountainCar,
    MountainCarContinuous,
    energy,
    scripted,
)
from ocean_numba.testing import compare_with_python, random_actions


def put(env: MountainCar, x: float, velocity: float) -> None:
    env.states["x"], env.states["velocity"] = x, velocity


@pytest.mark.parametrize("name", ["MountainCar-v0", "MountainCarContinuous-v0"])
def test_every_step_equals_gymnasiums(name):
    reference = gymnasium.make(name).unwrapped
    reference.reset(seed=0)
    continuous = "Continuous" in name
    goal = NEAR_GOAL_X if continuous else GOAL_X
    env = MountainCarContinuous() if continuous else MountainCar()
    env.reset(0)
    generator = np.random.default_rng(0)
    ends = walls = 0
    for _ in range(1500):
        x, velocity = np.float32(generator.uniform((MIN_X, -MAX_SPEED), (MAX_X, MAX_SPEED)))
        if x >= goal:
            continue
        action = generator.uniform(-1, 1, 1).astype(np.float32) if continuous else int(generator.integers(3))
        reference.state = np.array([x, velocity])
        put(env, x, velocity)
        env.states["episode_length"] = 0
        expected, reward, terminated, *_ = reference.step(action)
        if abs(expected[0] - goal) < 1e-6:
            continue  # rounding decides
        observations, rewards, terminals, truncations, _ = env.step(np.array([action]))
        assert terminals[0] == terminated
        assert not truncations[0]
        np.testing.assert_allclose(rewards[0], reward, rtol=1e-5, atol=1e-5)
        if not terminated:
            np.testing.assert_allclose(observations[0], expected, atol=1e-6)
        ends += terminated
        walls += expected[0] == np.float32(MIN_X)
    assert ends > 5
    assert walls > 3


@pytest.mark.parametrize(("game", "steps"), [(MountainCar, 200), (MountainCarContinuous, 999)])
def test_truncation_equals_gymnasiums_time_limit(game, steps):
    env = game(2)
    env.reset(0)
    action = np.full(2, 1) if game is MountainCar else np.zeros((2, 1), np.float32)
    for step in range(1, steps + 1):
        *_, terminals, truncations, infos = env.step(action)
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == steps)
    assert infos[0]["episode_length"] == steps
    assert infos[0]["episode_return"] == (-200 if game is MountainCar else 0)
    assert infos[0]["score"] == 0


def test_the_wall_on_the_left_stops_the_car():
    env = MountainCar()
    env.reset(0)
    put(env, -1.19, -0.05)
    observations, *_ = env.step([0])
    np.testing.assert_array_equal(observations[0], np.float32([MIN_X, 0.0]))


def test_reaching_the_flag_ends_the_episode_with_score_one():
    env = MountainCar()
    env.reset(0)
    put(env, 0.44, 0.065)
    _, rewards, terminals, truncations, infos = env.step([2])
    assert (rewards[0], terminals[0], truncations[0]) == (-1, True, False)
    assert infos[0]["score"] == 1
    assert -0.6 <= env.states["x"][0] <= -0.4  # the next episode
    assert env.states["score"][0] == 0
    expensive = MountainCarContinuous()
    expensive.reset(0)
    put(expensive, 0.44, 0.06)
    assert expensive.step([[0.5]])[1][0] == pytest.approx(100 - 0.025)


def test_energy_is_what_the_car_can_climb():
    assert energy(-np.pi / 6, 0.0) == pytest.approx(0.0)  # the bottom
    assert energy(np.pi / 6, 0.0) == pytest.approx(1.0)  # the top
    # Without engine the car rolls up to the same height again and again.
    env = MountainCar()
    env.reset(0)
    put(env, 0.0, 0.0)
    places = []
    for _ in range(190):
        places.append(env.step([1])[0][0, 0])
    assert max(places[80:]) == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("game", [MountainCar, MountainCarContinuous])
def test_shaping_pays_the_energy_gained(game):
    plain, shaped = game(8), game(8, shaping=50.0)
    plain.reset(0), shaped.reset(0)
    generator = np.random.default_rng(0)
    total = np.zeros(8)
    start = energy_of(plain)
    for _ in range(100):
        actions = random_actions(plain, generator)
        total += shaped.step(actions)[1] - plain.step(actions)[1]
        np.testing.assert_array_equal(plain.observations, shaped.observations)
    np.testing.assert_allclose(total, 50 * (energy_of(plain) - start), atol=1e-2)


def energy_of(env: MountainCar) -> np.ndarray:
    return np.array([energy(float(s["x"]), float(s["velocity"])) for s in env.states])


@pytest.mark.parametrize("game", [MountainCar, MountainCarContinuous])
def test_random_play_stays_in_the_observation_space(game):
    env = game(32)
    env.reset(0)
    generator = np.random.default_rng(0)
    for _ in range(300):
        observations, *_ = env.step(random_actions(env, generator))
        assert all(env.observation_space.contains(row) for row in observations)


def test_starting_states():
    env = MountainCar(5000)
    observations, _ = env.reset(0)
    assert np.float32(-0.6) <= observations[:, 0].min() < -0.599
    assert -0.401 < observations[:, 0].max() < -0.4
    assert not observations[:, 1].any()


@pytest.mark.parametrize("game", [MountainCar, MountainCarContinuous])
def test_the_script_arrives_and_random_play_does_not(game):
    by_chance, by_hand = random_and_scripted(game(32, max_steps=200), scripted, steps=200)
    assert (by_chance, by_hand) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("game", "params"),
    [(MountainCar, {}), (MountainCar, {"shaping": 20.0, "max_steps": 50}), (MountainCarContinuous, {})],
)
def test_compiled_equals_python(game, params):
    compare_with_python(game, steps=150, num_envs=4, **params)


def test_the_picture_shows_hill_flag_and_car():
    env = MountainCar()
    env.reset(0)
    put(env, -np.pi / 6, 0.0)
    picture = env.render()
    assert picture.shape == (290, 400, 3)
    assert tuple(picture[280, 200]) == palette.SLATE
    assert tuple(picture[257, int((-np.pi / 6 - MIN_X) / 1.8 * 400)]) == palette.SKY_BLUE
    assert (picture == palette.YELLOW).all(axis=2).sum() > 100
    put(env, 0.2, 0.03)
    assert (env.render() != picture).any()
