"""Frozen lake against Gymnasium's: its transition table, its limits, its known values."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from ocean_numba.frozen_lake import FrozenLake, FrozenLake8x8, scripted
from ocean_numba.tabular import value_iteration
from ocean_numba.testing import compare_with_python, random_actions

LAKES = [(FrozenLake, "FrozenLake-v1"), (FrozenLake8x8, "FrozenLake8x8-v1")]


def gymnasiums_tables(name: str, slippery: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = gymnasium.make(name, is_slippery=slippery).unwrapped.P
    states = len(table)
    transitions, rewards = np.zeros((2, states, 4, states))
    ends = np.zeros(states, bool)
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for chance, following, reward, terminated in outcomes:
                transitions[state, action, following] += chance
                rewards[state, action, following] = reward
                ends[following] |= terminated
    return transitions, rewards, ends


@pytest.mark.parametrize(("lake", "name"), LAKES)
@pytest.mark.parametrize("slippery", [True, False])
def test_the_tables_are_gymnasiums(lake, name, slippery):
    transitions, rewards, ends = gymnasiums_tables(name, slippery)
    tables = lake(slip=2 / 3 if slippery else 0.0).tables()
    np.testing.assert_allclose(tables.transitions, transitions, atol=1e-12)
    np.testing.assert_array_equal(tables.rewards, rewards)
    np.testing.assert_array_equal(tables.terminals, ends)


@pytest.mark.parametrize(("lake", "name"), LAKES)
def test_what_happens_is_gymnasiums_table(lake, name):
    """Every cell and action on the real ice, 2,000 times each."""
    transitions, rewards, ends = gymnasiums_tables(name, True)
    env = lake(num_envs=2000)
    for cell in np.flatnonzero(~ends):
        for action in range(4):
            env.reset(int(cell))
            env.states["cell"] = cell
            _, given, terminals, *_ = env.step(np.full(2000, action))
            expected = transitions[cell, action]
            there = env.states["cell"][~terminals]  # the others have begun a new episode
            shares = np.bincount(there, minlength=len(ends)) / 2000
            np.testing.assert_allclose(shares, expected * ~ends, atol=0.045)
            assert given.mean() == pytest.approx((expected * rewards[cell, action]).sum(), abs=0.045)
            assert set(given.tolist()) <= set(rewards[cell, action, expected > 0].tolist())


@pytest.mark.parametrize(("lake", "name"), LAKES)
def test_the_defaults_are_gymnasiums(lake, name):
    spec = gymnasium.spec(name)
    env = lake(num_envs=2)
    observations, _ = env.reset(0)
    assert env.params["max_steps"] == spec.max_episode_steps
    assert env.observation_space.shape == (gymnasium.make(name).observation_space.n,)
    assert env.action_space.n == 4
    np.testing.assert_array_equal(observations.argmax(axis=1), 0)
    assert (observations.sum(axis=1) == 1).all()


def test_known_optimal_values():
    """The best policy crosses the small lake 14 times in 17, and the large one always, given enough time."""
    small = value_iteration(FrozenLake().tables(), gamma=1.0)
    assert small[0] == pytest.approx(14 / 17, abs=1e-6)
    assert value_iteration(FrozenLake().tables(), gamma=0.99)[0] == pytest.approx(0.5420, abs=1e-4)
    large = value_iteration(FrozenLake8x8().tables(), gamma=1.0, tolerance=1e-7)
    assert large[0] == pytest.approx(1.0, abs=1e-3)
    # Without slipping it is a matter of the discount: 6 and 14 steps.
    assert value_iteration(FrozenLake(slip=0.0).tables(), 0.9)[0] == pytest.approx(0.9**5)
    assert value_iteration(FrozenLake8x8(slip=0.0).tables(), 0.9)[0] == pytest.approx(0.9**13)


def test_holes_give_nothing_and_the_goal_gives_one():
    env = FrozenLake(slip=0.0)
    env.reset(0)
    env.states["cell"] = 4
    _, rewards, terminals, _, infos = env.step([2])
    assert terminals[0] and rewards[0] == 0 and infos[0]["score"] == 0
    env.states["cell"] = 14
    _, rewards, terminals, _, infos = env.step([2])
    assert terminals[0] and rewards[0] == 1 and infos[0]["score"] == 1


def test_scripted_play_crosses_and_random_play_does_not():
    scores = {}
    for name in ("random", "scripted"):
        env, generator, found = FrozenLake(num_envs=500), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(200):
            *_, infos = env.step(random_actions(env, generator) if name == "random" else scripted(env))
            found += [info["score"] for info in infos]
        scores[name] = np.mean(found)
    assert scores["scripted"] > 0.65
    assert scores["random"] < 0.05


@pytest.mark.parametrize("lake", [FrozenLake, FrozenLake8x8])
def test_compiled_equals_python(lake):
    compare_with_python(lake, steps=150, num_envs=4)


def test_the_picture_is_of_the_lake():
    env = FrozenLake8x8()
    env.reset(0)
    picture = env.render()
    assert picture.shape == (400, 400, 3)
    np.testing.assert_array_equal(picture[25, 25], FrozenLake.colors["agent"])
    np.testing.assert_array_equal(picture[10, 60], FrozenLake.colors["floor"])
    np.testing.assert_array_equal(picture[125, 175], FrozenLake.colors["pit"])
    np.testing.assert_array_equal(picture[375, 375], FrozenLake.colors["goal"])
