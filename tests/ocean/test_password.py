"""Password: only the whole code opens the door."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.password import Password, digit, scripted
from ocean_numba.testing import compare_with_python, random_actions


def test_the_digits_of_a_code():
    assert [digit(2718, place) for place in range(5)] == [8, 1, 7, 2, 0]


@pytest.mark.parametrize(
    ("code", "length", "digits"), [(271, 3, [2, 7, 1]), (271, 2, [7, 1]), (42, 4, [0, 0, 4, 2])]
)
def test_the_code_opens_the_door(code, length, digits):
    env = Password(code=code, length=length)
    observations, _ = env.reset(0)
    for typed, number in enumerate(digits):
        np.testing.assert_array_equal(observations[0], np.eye(length)[typed])
        assert scripted(env)[0] == number
        observations, rewards, terminals, truncations, infos = env.step([number])
        last = typed == length - 1
        assert rewards[0] == terminals[0] == last
        assert not truncations[0]
    assert infos[0] == {"episode_return": 1.0, "episode_length": length, "score": 1}
    np.testing.assert_array_equal(observations[0], np.eye(length)[0])


@pytest.mark.parametrize("right", range(3))
def test_every_wrong_digit_ends_it_without_reward(right):
    code = [2, 7, 1]
    for wrong in set(range(10)) - {code[right]}:
        env = Password()
        env.reset(0)
        for number in code[:right]:
            assert not env.step([number])[2][0]
        _, rewards, terminals, _, infos = env.step([wrong])
        assert terminals[0]
        assert rewards[0] == 0
        assert infos[0] == {"episode_return": 0.0, "episode_length": right + 1, "score": 0}


def test_chance_opens_one_door_in_ten_to_the_length():
    env, generator = Password(num_envs=4096, length=2), np.random.default_rng(0)
    env.reset(0)
    opened = episodes = 0
    for _ in range(50):
        *_, infos = env.step(random_actions(env, generator))
        opened += int(infos.records["score"].sum())
        episodes += len(infos)
    assert opened / episodes == pytest.approx(0.01, rel=0.1)
    env.reset(0)
    assert [int(env.step(scripted(env))[1].sum()) for _ in range(4)] == [0, 4096, 0, 4096]


def test_the_longest_code():
    env = Password(num_envs=3, length=9, code=2_147_483_647)  # the largest parameter: its last nine digits
    env.reset(0)
    for _ in range(8):
        assert not env.step(scripted(env))[2].any()
    assert (env.step(scripted(env))[1] == 1).all()


def test_compiled_equals_python():
    compare_with_python(Password, steps=150, num_envs=4, length=1, code=3)
    compare_with_python(Password, steps=150, num_envs=4, length=2, code=5)


def test_the_picture_shows_the_key_and_the_digits():
    from ocean_numba import palette

    env = Password()
    env.reset(0)
    assert tuple(env.render()[236, 50]) == palette.SLATE
    env.step([2])
    env.step([7])
    picture = env.render()
    assert picture.shape == (340, 260, 3)
    assert tuple(picture[236, 50]) == palette.SKY_BLUE  # the key 7
    assert (picture[16:62] == palette.YELLOW).all(axis=2).any()
