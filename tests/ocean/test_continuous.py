"""Continuous: steps have the size of the action, and being near enough is the end."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.continuous import REACH, SPEED, Continuous, scripted
from ocean_numba.testing import compare_with_python, random_actions


def placed(x: float, y: float, target_x: float, target_y: float, **params) -> Continuous:
    env = Continuous(**params)
    env.reset(0)
    values = {"x": x, "y": y, "target_x": target_x, "target_y": target_y}
    for field, value in values.items():
        env.states[field] = value
    return env


def test_every_number_of_a_step():
    env = placed(0.2, -0.3, 0.8, 0.5)  # 1.0 away: 0.6 right, 0.8 down
    observations, rewards, terminals, truncations, _ = env.step([[0.6, 0.8]])  # a step of 0.1 straight to it
    np.testing.assert_allclose(observations[0], [0.54, 0.72, 0.26, -0.22], atol=1e-6)
    assert rewards[0] == pytest.approx(0.1, abs=1e-6)
    assert not terminals[0] and not truncations[0]
    env = placed(0.2, -0.3, 0.8, 0.5)
    assert env.step([[-0.6, -0.8]])[1][0] == pytest.approx(-0.1, abs=1e-6)
    assert env.step([[0.0, 0.0]])[1][0] == 0


def test_walls_stop_it():
    env = placed(0.95, -0.95, 0.0, 0.0)
    observations = env.step([[1.0, -1.0]])[0]
    np.testing.assert_allclose(observations[0], [-1, 1, 1, -1], atol=1e-6)
    np.testing.assert_allclose(env.step([[1.0, 0.5]])[0][0, 2:], [1, -0.95], atol=1e-6)


def test_the_target_is_reached_within_its_radius():
    env = placed(0.0, 0.0, SPEED + REACH + 0.001, 0.0)
    _, rewards, terminals, *_ = env.step([[1.0, 0.0]])
    assert rewards[0] == pytest.approx(SPEED, abs=1e-6)
    assert not terminals[0]
    env = placed(0.0, 0.0, SPEED + REACH - 0.001, 0.0)
    _, rewards, terminals, truncations, infos = env.step([[1.0, 0.0]])
    assert rewards[0] == pytest.approx(1 + SPEED, abs=1e-6)
    assert terminals[0] and not truncations[0]
    assert infos[0]["score"] == 1
    env = placed(0.0, 0.0, 0.04, 0.0)
    assert not env.step([[1.0, 0.0]])[2][0]  # past the target: there is no reaching it on the way


def test_it_is_truncated_when_time_is_up():
    env = placed(-0.5, 0.0, 0.5, 0.0, max_steps=3)
    env.step([[0.0, 0.0]])
    env.step([[0.0, 0.0]])
    _, _, terminals, truncations, infos = env.step([[1.0, 0.0]])
    assert truncations[0] and not terminals[0]
    np.testing.assert_allclose(env.final_observations[0], [0.9, 0.0, -0.4, 0.0], atol=1e-6)
    assert infos[0]["score"] == 0
    assert infos[0]["episode_return"] == pytest.approx(0.1, abs=1e-6)


def test_actions_beyond_the_box_are_refused():
    from pufferbench.errors import InvalidAction

    env = Continuous()
    env.reset(0)
    with pytest.raises(InvalidAction, match="1.5"):
        env.step([[0.0, 1.5]])


def test_random_play_keeps_the_bounds_and_returns_add_up():
    env, generator = Continuous(num_envs=64), np.random.default_rng(0)
    env.reset(0)
    total, before = np.zeros(64), None
    for _ in range(300):
        states = env.states
        distance = np.hypot(states["target_x"] - states["x"], states["target_y"] - states["y"])
        start = distance if before is None else np.where(ended, distance, start)
        observations, rewards, terminals, truncations, infos = env.step(random_actions(env, generator))
        ended = terminals | truncations
        total += rewards
        assert (observations >= env.observation_space.low).all()
        assert (observations <= env.observation_space.high).all()
        now = np.hypot(observations[:, 0], observations[:, 1])
        # Until the end the rewards add up to the way that was won.
        np.testing.assert_allclose(total[~ended], (start - now)[~ended], atol=1e-5)
        total[ended], before = 0, observations
    assert len(infos) >= 0


def test_starts_are_uniform():
    env = Continuous(num_envs=5000)
    env.reset(0)
    for field in ("x", "y", "target_x", "target_y"):
        values = np.sort(env.states[field])
        np.testing.assert_allclose(values, np.linspace(-1, 1, 5000), atol=0.06)


def test_scripted_play_always_arrives_and_random_play_hardly_ever():
    scores = {}
    for name in ("random", "scripted"):
        env, generator, found = Continuous(num_envs=200), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(100):
            *_, infos = env.step(random_actions(env, generator) if name == "random" else scripted(env))
            found += [info["score"] for info in infos]
        scores[name] = np.mean(found)
    assert scores["scripted"] == 1
    assert scores["random"] < 0.1


@pytest.mark.parametrize("params", [{"max_steps": 20}])
def test_compiled_equals_python(params):
    compare_with_python(Continuous, steps=150, num_envs=4, **params)


def test_the_picture_shows_point_and_target():
    from ocean_numba import palette

    picture = placed(-0.5, 0.0, 0.5, 0.5).render()
    assert picture.shape == (340, 340, 3)
    assert tuple(picture[170, 93]) == palette.SKY_BLUE
    assert tuple(picture[247, 247]) == palette.YELLOW
