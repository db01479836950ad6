"""Commons' rules: who eats, what grows back, when the meadow is dead."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.commons import DOWN, FOOD, LEFT, OTHERS, REACH, RIGHT, STAY, UP, Commons, scripted
from ocean_numba.testing import compare_with_python


def meadow(food=(), agents=((0, 0),), **params) -> Commons:
    """One game with food and agents at these cells and nowhere else, in which nothing grows unless asked for."""
    env = Commons(num_envs=1, agents=len(agents), **{"growth": 0.0, "size": 8, **params})
    env.reset(0)
    state = env.states[0]
    for field in ("food", "neighbors", "taken"):
        state[field][:] = 0
    for i, (row, column) in enumerate(agents):
        state["row"][i], state["column"][i] = row, column
        state["taken"][row, column] = 1
    for row, column in food:
        state["food"][row, column] = 1
    state["neighbors"][:] = count_neighbors(state["food"])
    state["cells"] = len(food)
    return env


def count_neighbors(food: np.ndarray) -> np.ndarray:
    shifts = [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c]
    return sum(np.roll(food, shift, (0, 1)) for shift in shifts)


def test_the_interface_is_what_the_page_says():
    env = Commons(num_envs=3)
    observations, _ = env.reset(0)
    assert (env.num_agents, observations.shape, observations.dtype) == (48, (48, 2, 7, 7), np.uint8)
    assert env.action_space.n == 5
    assert env.params == {
        "size": 16,
        "agents": 16,
        "growth": pytest.approx(0.008),
        "shared": 0.0,
        "max_steps": 500,
    }


@pytest.mark.parametrize(
    ("action", "cell"), [(STAY, (3, 3)), (UP, (2, 3)), (DOWN, (4, 3)), (LEFT, (3, 2)), (RIGHT, (3, 4))]
)
def test_moves_and_meals(action, cell):
    env = meadow(food=[cell, (0, 0)] if action else [(0, 0)], agents=[(3, 3)])
    _, rewards, terminals, _, _ = env.step([action])
    state = env.states[0]
    assert (state["row"][0], state["column"][0]) == cell
    assert rewards[0] == (1.0 if action else 0.0)
    assert not terminals[0]
    assert state["cells"] == 1
    assert state["food"].sum() == state["cells"]
    assert state["food"][cell] == 0


def test_the_meadow_has_no_border():
    env = meadow(food=[(7, 0), (3, 3)], agents=[(0, 0)])
    assert env.step([UP])[1][0] == 1.0
    assert env.step([LEFT])[1][0] == 0.0
    assert (env.states["row"][0, 0], env.states["column"][0, 0]) == (7, 7)


def test_nobody_enters_a_taken_cell_and_low_numbers_go_first():
    env = meadow(food=[(3, 4), (0, 0)], agents=[(3, 3), (3, 5)])
    rewards = env.step([RIGHT, LEFT])[1]
    np.testing.assert_array_equal(rewards, [1, 0])
    np.testing.assert_array_equal(env.states["column"][0], [4, 5])
    rewards = env.step([LEFT, LEFT])[1]  # the first has gone when the second comes
    np.testing.assert_array_equal(env.states["column"][0], [3, 4])


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_shared_rewards(shared):
    env = meadow(food=[(3, 4), (0, 0)], agents=[(3, 3), (5, 5), (6, 1), (1, 6)], shared=shared)
    rewards = env.step([RIGHT, STAY, STAY, STAY])[1]
    others = shared * 0.25
    np.testing.assert_allclose(rewards, [1 - shared + others, others, others, others])


def test_what_an_agent_sees():
    env = meadow(food=[(1, 1), (7, 7), (4, 4)], agents=[(0, 0), (3, 3), (0, 4)])
    seen = env.step([STAY] * 3)[0][0]
    expected = np.zeros((2, 7, 7))
    expected[FOOD, REACH + 1, REACH + 1] = 1
    expected[FOOD, REACH - 1, REACH - 1] = 1  # across the border; (4, 4) is too far
    expected[OTHERS, REACH + 3, REACH + 3] = 1
    np.testing.assert_array_equal(seen, expected)


def test_an_eaten_meadow_is_dead():
    env = meadow(food=[(3, 4)], agents=[(3, 3), (6, 6)], growth=0.015)
    _, rewards, terminals, truncations, infos = env.step([RIGHT, STAY])
    np.testing.assert_array_equal(rewards, [1, 0])
    assert terminals.all() and not truncations.any()
    assert [(info["score"], info["food_left"], info["episode_length"]) for info in infos] == [(0.5, 0, 1)] * 2
    assert env.states["cells"][0] > 10  # a new one


def test_time_runs_out_for_all_at_once():
    env = Commons(num_envs=2, max_steps=3)
    env.reset(0)
    for step in (1, 2, 3):
        _, _, terminals, truncations, infos = env.step(np.zeros(env.num_agents, np.int32))
        assert truncations.all() == truncations.any() == (step == 3) and not terminals.any()
    assert len(infos) == 32


def test_food_grows_as_often_as_the_page_says():
    growth, steps = 0.01, 4000
    grown = np.zeros((8, 8))
    env = meadow(food=[(4, 4)], agents=[(0, 0)], growth=growth, max_steps=10**6)
    start = env.states[0].copy()
    for _ in range(steps):
        env.step([STAY])
        grown += env.states[0]["food"]
        for field in ("food", "neighbors", "cells"):
            env.states[0][field] = start[field]
    grown[4, 4] = 0
    around = grown[3:6, 3:6].sum()
    assert grown.sum() == grown[2:7, 2:7].sum() < 1.1 * around  # next to food, be it food of this very step
    assert around / steps / 8 == pytest.approx(growth, rel=0.15)


def test_random_play_keeps_the_books():
    env = Commons(num_envs=8, agents=12)
    env.reset(3)
    random = np.random.default_rng(0)
    for _ in range(300):
        observations = env.step(random.integers(0, 5, env.num_agents))[0]
        assert observations.max() <= 1
        for state in env.states[:2]:
            np.testing.assert_array_equal(state["neighbors"], count_neighbors(state["food"]))
            assert state["food"].sum() == state["cells"]
            assert state["taken"].sum() == 12
            assert not (state["food"] & state["taken"]).any()
            assert (state["taken"][state["row"], state["column"]] == 1).all()


def greedy(env, random):
    food = env.observations[:, FOOD]
    around = np.array([food[:, REACH + r, REACH + c] for r, c in ((-1, 0), (1, 0), (0, -1), (0, 1))])
    return np.where(around.any(0), around.argmax(0) + 1, random.integers(1, 5, env.num_agents))


def test_sparing_pays_and_greed_does_not():
    scores = {}
    for name in ("random", "greedy", "scripted"):
        env, random, ended = Commons(num_envs=16), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(500):
            actions = {
                "random": lambda e, r: r.integers(0, 5, e.num_agents),
                "greedy": greedy,
                "scripted": lambda e, r: scripted(e),
            }[name](env, random)
            ended += [info["score"] for info in env.step(actions)[4]]
        scores[name] = np.mean(ended)
    assert scores["scripted"] > 1.3 * scores["random"] > 3 * scores["greedy"]


@pytest.mark.parametrize("params", [{}, {"size": 8, "agents": 3, "shared": 0.5, "max_steps": 30}])
def test_compiled_equals_python(params):
    compare_with_python(Commons, steps=60, num_envs=2, **params)


def test_the_picture_shows_food_and_agents():
    from ocean_numba import palette

    env = meadow(food=[(0, 0)], agents=[(4, 4)])
    picture = env.render()
    assert picture.shape == (408, 384, 3)
    assert tuple(picture[24 + 24, 24]) == palette.GREEN
    assert tuple(picture[24 + 4 * 48 + 24, 4 * 48 + 24]) == palette.CYCLE[0]
