"""The corridor of switched actions: its moves, the best coin, and what deterministic policies get."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocean_numba.stochastic import LEFT, RIGHT, Stochastic, best_coin, expected_steps, scripted
from ocean_numba.testing import compare_with_python


@pytest.mark.parametrize(
    ("cell", "action", "following"),
    [(0, LEFT, 0), (0, RIGHT, 1), (1, LEFT, 2), (1, RIGHT, 0), (2, LEFT, 1), (2, RIGHT, 3), (4, RIGHT, 5)],
)
def test_every_move(cell, action, following):
    env = Stochastic()
    env.reset(0)
    env.states["cell"] = cell
    observations, rewards, terminals, truncations, _ = env.step([action])
    assert env.states["cell"][0] == following
    assert rewards[0] == -1
    assert observations[0] == 1  # it is dark
    assert not terminals[0] and not truncations[0]


def test_the_exit():
    env = Stochastic(length=3)
    env.reset(0)
    for action in (RIGHT, LEFT):
        assert not env.step([action])[2][0]
    _, rewards, terminals, truncations, infos = env.step([RIGHT])
    assert terminals[0] and not truncations[0]
    assert rewards[0] == -1
    assert infos[0] == {"episode_return": -3.0, "episode_length": 3}
    assert env.states["cell"][0] == 0


def test_a_corridor_of_two_cells_ends_with_a_switched_step():
    env = Stochastic(length=2)
    env.reset(0)
    env.step([RIGHT])
    assert env.step([LEFT])[2][0]


@pytest.mark.parametrize("action", [LEFT, RIGHT])
def test_no_deterministic_policy_gets_out(action):
    env = Stochastic()
    env.reset(0)
    for step in range(1, 201):
        *_, terminals, truncations, infos = env.step([action])
        assert not terminals[0]
        assert truncations[0] == (step == 200)
    assert infos[0]["episode_return"] == -200


def test_the_best_coin_of_the_book():
    """Sutton and Barto, example 13.1: right with probability 2 - sqrt(2), worth -11.66."""
    assert best_coin(3) == pytest.approx(2 - math.sqrt(2), abs=0.001)
    assert expected_steps(3, 2 - math.sqrt(2)) == pytest.approx(2 + 4 * math.sqrt(2) + 4, abs=0.01)
    assert expected_steps(3, 0.05) == pytest.approx(82, abs=1)  # "epsilon-greedy left", their figure
    assert expected_steps(3, 0.95) == pytest.approx(44, abs=1)  # "epsilon-greedy right"


@pytest.mark.parametrize(("length", "right"), [(6, 0.76), (6, 0.5), (4, 0.7)])
def test_expected_steps_are_what_the_game_takes(length, right):
    env, generator = Stochastic(num_envs=1500, length=length, max_steps=2000), np.random.default_rng(0)
    env.reset(0)
    lengths = []
    for _ in range(400):
        *_, infos = env.step((generator.random(1500) < right).astype(np.int32))
        lengths += [info["episode_length"] for info in infos]
    # Long walks are still under way at the end: count every step and every exit instead of averaging.
    assert 400 * 1500 / len(lengths) == pytest.approx(expected_steps(length, right), rel=0.05)


def test_scripted_play_throws_the_best_coin():
    assert best_coin(6) == pytest.approx(0.76, abs=0.001)
    assert expected_steps(6, best_coin(6)) == pytest.approx(20.27, abs=0.01)
    assert expected_steps(6, 0.5) == pytest.approx(42)
    env = Stochastic(num_envs=1000)
    env.reset(0)
    exits = sum(len(env.step(scripted(env))[-1]) for _ in range(400))
    assert 400_000 / exits < 23


@pytest.mark.parametrize("params", [{}, {"length": 2, "max_steps": 10}])
def test_compiled_equals_python(params):
    compare_with_python(Stochastic, steps=150, num_envs=4, **params)


def test_the_picture_shows_the_agent_and_its_wish():
    from ocean_numba import palette

    env = Stochastic()
    env.reset(0)
    first = env.render()
    assert first.shape == (150, 480, 3)
    env.step([RIGHT])
    second = env.render()
    assert (first[60:110, 68:137] == palette.SKY_BLUE).all(axis=2).sum() == 0
    assert (second[60:110, 68:137] == palette.SKY_BLUE).all(axis=2).sum() > 300
