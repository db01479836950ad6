"""Memory: the shape is seen once, and nothing of it is left when the question comes."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.memory import Memory, scripted
from ocean_numba.testing import compare_with_python, random_actions


@pytest.mark.parametrize(("delay", "cues"), [(4, 2), (1, 3), (7, 10)])
def test_the_shape_is_shown_once_and_the_question_comes_after_the_delay(delay, cues):
    env = Memory(num_envs=50, delay=delay, cues=cues)
    observations, _ = env.reset(0)
    cue = env.states["cue"].copy()
    blank = np.zeros((50, cues + 1))
    np.testing.assert_array_equal(observations, np.hstack([np.eye(cues)[cue], blank[:, :1]]))
    for time in range(1, delay + 1):
        observations, rewards, terminals, truncations, _ = env.step(np.zeros(50, int))
        expected = blank.copy()
        expected[:, -1] = time == delay
        np.testing.assert_array_equal(observations, expected)  # the same for every shape
        assert not (rewards.any() or terminals.any() or truncations.any())
    _, rewards, terminals, truncations, infos = env.step(np.zeros(50, int))
    assert terminals.all() and not truncations.any()
    np.testing.assert_array_equal(rewards, cue == 0)
    np.testing.assert_array_equal(infos.records["score"], cue == 0)
    assert (infos.records["episode_length"] == delay + 1).all()


def test_without_delay_shape_and_question_come_together():
    env = Memory(num_envs=100, delay=0)
    observations, _ = env.reset(0)
    for _ in range(20):
        np.testing.assert_array_equal(observations[:, 2], 1)
        np.testing.assert_array_equal(observations[:, :2].sum(axis=1), 1)
        observations, rewards, terminals, *_ = env.step(observations[:, 1].astype(int))
        assert terminals.all()
        assert (rewards == 1).all()


def test_answers_before_the_question_do_not_count():
    env = Memory(num_envs=200, delay=2)
    env.reset(1)
    cue = env.states["cue"].copy()
    env.step(1 - cue)
    env.step(1 - cue)
    assert (env.step(cue)[1] == 1).all()


def test_all_shapes_are_equally_likely_in_every_episode():
    env = Memory(num_envs=5000, delay=0, cues=5)
    env.reset(0)
    first = env.states["cue"].copy()
    env.step(np.zeros(5000, int))
    second = env.states["cue"]
    for cues in (first, second):
        np.testing.assert_allclose(np.bincount(cues, minlength=5) / 5000, 0.2, atol=0.025)
    assert np.mean(first == second) == pytest.approx(0.2, abs=0.025)  # the next one is independent


def test_scripted_play_knows_and_chance_is_one_half():
    scores = {}
    for name in ("random", "scripted"):
        env, generator, found = Memory(num_envs=500), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(25):
            *_, infos = env.step(random_actions(env, generator) if name == "random" else scripted(env))
            found += [info["score"] for info in infos]
        assert len(found) == 2500
        scores[name] = np.mean(found)
    assert scores["scripted"] == 1
    assert scores["random"] == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("params", [{}, {"delay": 0, "cues": 10}, {"delay": 1, "cues": 3}])
def test_compiled_equals_python(params):
    compare_with_python(Memory, steps=150, num_envs=4, **params)


def test_the_picture_hides_the_shape_after_the_first_step():
    env = Memory(num_envs=20)
    env.reset(0)
    one, other = (int(np.argmax(env.states["cue"] == cue)) for cue in (0, 1))
    assert (env.render(one) != env.render(other)).any()
    for _ in range(4):
        env.step(np.zeros(20, int))
        np.testing.assert_array_equal(env.render(one), env.render(other))
    env.step(np.zeros(20, int))
    many = Memory(num_envs=40, cues=10)
    many.reset(0)
    seen = {many.states["cue"][i]: many.render(i)[40:210].tobytes() for i in range(40)}
    assert len(set(seen.values())) == len(seen) > 5  # no two shapes look alike
