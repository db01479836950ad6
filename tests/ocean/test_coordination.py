"""Coordination: one reward for all, when all point at the same mark, each counting from its own seat."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.coordination import Coordination, scripted
from ocean_numba.testing import compare_with_python, random_actions


def seated(*seats: int, **params) -> Coordination:
    env = Coordination(agents=len(seats), **params)
    env.reset(0)
    env.states["seat"] = seats
    return env


def test_agreement_is_counted_from_each_seat():
    env = seated(0, 1, 3)
    _, rewards, terminals, truncations, _ = env.step([2, 1, 3])  # all at mark 2
    np.testing.assert_allclose(rewards, 1 / 16)
    assert not terminals.any() and not truncations.any()
    np.testing.assert_array_equal(env.states["pointed"], [[2, 2, 2]])
    for actions in ([2, 1, 2], [2, 2, 2], [3, 1, 3]):
        np.testing.assert_array_equal(env.step(actions)[1], 0)
    np.testing.assert_allclose(env.step([0, 3, 1])[1], 1 / 16)  # mark 0


def test_what_each_agent_sees():
    env = seated(3, 1)
    observations = env.step([2, 1])[0]  # marks 1 and 2
    # From seat 3 the marks come in the order 3, 0, 1, 2; from seat 1: 1, 2, 3, 0.
    np.testing.assert_allclose(observations[0], [0, 0, 0, 1, 0, 0, 0.5, 0.5])
    np.testing.assert_allclose(observations[1], [0, 1, 0, 0, 0.5, 0.5, 0, 0])
    observations = env.step([0, 2])[0]  # both at mark 3
    np.testing.assert_allclose(observations[0], [0, 0, 0, 1, 1, 0, 0, 0])
    np.testing.assert_allclose(observations[1], [0, 1, 0, 0, 0, 0, 1, 0])


def test_agents_sit_side_by_side_from_any_seat():
    env = Coordination(num_envs=4000)
    observations, _ = env.reset(0)
    seats = observations[:, :4].argmax(axis=1).reshape(4000, 3)
    np.testing.assert_array_equal(seats, (seats[:, :1] + np.arange(3)) % 4)
    np.testing.assert_allclose(np.bincount(seats[:, 0]) / 4000, 0.25, atol=0.025)
    np.testing.assert_array_equal(observations[:, 4:], 0)
    np.testing.assert_array_equal(observations[:, :4].sum(axis=1), 1)


def test_the_episode_ends_for_all_and_the_score_is_the_share_of_agreement():
    env = Coordination(num_envs=2, rounds=4)
    env.reset(0)
    for step in range(4):
        actions = scripted(env)
        if step == 1:
            actions[0] = (actions[0] + 1) % 4  # one of the first game's agents points elsewhere
        _, _, terminals, truncations, infos = env.step(actions)
        assert terminals.all() == terminals.any() == (step == 3)
        assert not truncations.any()
    np.testing.assert_allclose(infos.records["score"], [0.75] * 3 + [1.0] * 3)
    np.testing.assert_allclose(infos.records["episode_return"], [0.75] * 3 + [1.0] * 3)


def test_more_agents_than_seats_share_them():
    env = Coordination(agents=6, marks=4)
    observations, _ = env.reset(0)
    seats = observations[:, :4].argmax(axis=1)
    assert seats[4] == seats[0]
    np.testing.assert_allclose(env.step(scripted(env))[1], 1 / 16)


def test_random_play_keeps_the_rules():
    env, generator = Coordination(num_envs=200), np.random.default_rng(0)
    env.reset(0)
    agreed = 0
    for _ in range(100):
        seats = env.states["seat"].copy()
        actions = random_actions(env, generator)
        observations, rewards, *_ = env.step(actions)
        marks = (seats + actions.reshape(200, 3)) % 4
        expected = (marks == marks[:, :1]).all(axis=1)
        np.testing.assert_array_equal(rewards.reshape(200, 3) > 0, np.repeat(expected[:, None], 3, axis=1))
        agreed += expected.sum()
        assert observations.min() >= 0 and observations.max() <= 1
    assert agreed / 20_000 == pytest.approx(1 / 16, rel=0.15)


def test_scripted_play_always_agrees():
    env = Coordination(num_envs=50)
    env.reset(0)
    for _ in range(40):
        assert (env.step(scripted(env))[1] > 0).all()


@pytest.mark.parametrize("params", [{"rounds": 5}, {"agents": 5, "marks": 3}, {"agents": 2, "marks": 2}])
def test_compiled_equals_python(params):
    compare_with_python(Coordination, steps=150, num_envs=3, **params)


def test_the_picture_lights_the_mark_that_all_chose():
    from ocean_numba import palette

    env = seated(0, 1, 2)
    picture = env.render()
    assert picture.shape == (340, 340, 3)
    assert not (picture == palette.YELLOW).all(axis=2).any()
    env.step([0, 3, 2])
    assert (env.render() == palette.YELLOW).all(axis=2).sum() > 400
