"""Spaces: every part of the observation, every question, every answer."""

import numpy as np
import pytest

from ocean_numba.spaces import Spaces, scripted
from ocean_numba.testing import compare_with_python

PARTS = ("picture", "numbers", "flags", "card", "pair")


def shown(picture=0.1, numbers=(1, 2, -2, 0, 0), flags=(1, 1, 1, 0, 0), card=2, pair=(1, 1)):
    """One game in this state."""
    env = Spaces()
    env.reset(0)
    env.states["picture"] = picture
    env.states["numbers"], env.states["flags"] = numbers, flags
    env.states["card"], env.states["pair"] = card, pair
    return env


def test_the_observation_shows_every_part():
    env = Spaces(50)
    env.reset(0)
    for row in range(50):
        sample = env.observation_space.layout.read(env.observations[row])
        assert env.source_observation_space.contains(sample)
        for part in PARTS:
            np.testing.assert_array_equal(sample[part], env.states[part][row])
    for part in ("numbers", "flags", "card", "pair"):  # all values occur
        space = env.source_observation_space[part]
        low = env.states[part].min()
        assert low == (-9 if part == "numbers" else 0), space
    assert set(env.states["card"].tolist()) == {0, 1, 2, 3}


RIGHT = (1, 1, 1, 2, 1)


@pytest.mark.parametrize(
    ("state", "right"),
    [
        ({}, RIGHT),
        ({"picture": -0.1}, (0, 1, 1, 2, 1)),
        ({"picture": 0.0}, (0, 1, 1, 2, 1)),
        ({"numbers": (9, -9, 0, 0, 0)}, (1, 0, 1, 2, 1)),
        ({"numbers": (9, 9, 9, -9, -9)}, RIGHT),
        ({"flags": (1, 0, 1, 0, 0)}, (1, 1, 0, 2, 1)),
        ({"card": 0}, (1, 1, 1, 0, 1)),
        ({"pair": (2, 1)}, (1, 1, 1, 2, 0)),
    ],
)
def test_one_fifth_for_each_right_answer_and_the_metrics_say_for_which(state, right):
    _, rewards, terminals, _, infos = shown(**state).step([right])
    assert rewards[0] == pytest.approx(1.0)
    assert terminals[0]
    assert infos[0]["episode_length"] == 1
    for question, part in enumerate(PARTS):
        wrong = list(right)
        wrong[question] = (wrong[question] + 1) % (4 if part == "card" else 2)
        _, rewards, _, _, infos = shown(**state).step([wrong])
        assert rewards[0] == pytest.approx(0.8)
        assert infos[0]["score"] == pytest.approx(0.8)
        assert [infos[0][f"{name}_read"] for name in PARTS] == [name != part for name in PARTS]


def test_another_episode_begins_at_once():
    env = shown()
    before = env.observations.copy()
    env.step([RIGHT])
    assert (env.observations != before).any()
    assert env.states["episode_length"][0] == 0


def test_compiled_is_the_same_game_as_python():
    compare_with_python(Spaces, steps=100, num_envs=3)


def test_reading_beats_guessing():
    env = Spaces(2000)
    env.reset(0)
    score = env.step(scripted(env))[4].records["score"].mean()
    assert score > 0.999
    env.action_space.seed(0)
    guessed = env.step([env.action_space.sample() for _ in range(2000)])[4].records["score"].mean()
    assert guessed == pytest.approx(0.45, abs=0.03)


def test_its_picture_shows_the_state():
    env = shown()
    picture = env.render()
    env.states["card"] = 0
    assert (env.render() != picture).any()
