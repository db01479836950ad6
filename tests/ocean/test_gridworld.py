"""Gridworld: the book's values, tables that are what happens, and maps drawn by hand."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap

import cloudpickle
import numpy as np
import pytest

from ocean_numba import GameError
from ocean_numba.gridworld import DOWN, LEFT, RIGHT, UP, Gridworld, read_map, scripted
from ocean_numba.tabular import action_values, value_iteration
from ocean_numba.testing import compare_with_python, random_actions

START, WALL, GOAL, PIT = 8, 5, 3, 7


class Maze(Gridworld):
    map = """
        S..#
        .#PG
        ...S
    """


def at(cell: int, world: type[Gridworld] = Gridworld, num_envs: int = 1, **params) -> Gridworld:
    env = world(num_envs=num_envs, **params)
    env.reset(0)
    env.states["cell"] = cell
    return env


@pytest.mark.parametrize(
    ("cell", "action", "there"),
    [
        (8, LEFT, 8), (8, DOWN, 8), (8, RIGHT, 9), (8, UP, 4),  # a corner: two edges
        (4, RIGHT, 4), (9, UP, 9), (1, DOWN, 1), (6, LEFT, 6),  # the wall, from all sides
        (6, DOWN, 10), (10, UP, 6), (11, LEFT, 10), (0, RIGHT, 1), (4, UP, 0),
    ],
)  # fmt: skip
def test_a_step_without_slipping(cell, action, there):
    env = at(cell, slip=0.0)
    observations, rewards, terminals, truncations, _ = env.step([action])
    np.testing.assert_array_equal(observations[0], np.eye(12)[there])
    assert rewards[0] == np.float32(-0.04)
    assert not terminals[0] and not truncations[0]


@pytest.mark.parametrize(("cell", "action", "reward", "score"), [(2, RIGHT, 0.96, 1), (6, RIGHT, -1.04, 0)])
def test_goal_and_pit_end_it(cell, action, reward, score):
    env = at(cell, slip=0.0)
    observations, rewards, terminals, truncations, infos = env.step([action])
    assert rewards[0] == pytest.approx(reward)
    assert terminals[0] and not truncations[0]
    assert infos[0]["score"] == score
    np.testing.assert_array_equal(observations[0], np.eye(12)[START])


def test_it_is_truncated_when_time_is_up():
    env = at(START, slip=0.0, max_steps=3)
    for step in range(1, 4):
        _, _, terminals, truncations, infos = env.step([UP if step == 3 else LEFT])
        assert truncations[0] == (step == 3) and not terminals[0]
    np.testing.assert_array_equal(env.final_observations[0], np.eye(12)[4])
    assert infos[0]["episode_return"] == pytest.approx(-0.12)
    assert infos[0]["score"] == 0


def test_value_iteration_gives_the_values_and_the_policy_of_the_book():
    """Russell and Norvig print these utilities and this policy for a reward of -0.04 and no discount."""
    tables = Gridworld().tables()
    values = value_iteration(tables, gamma=1.0)
    expected = [[0.812, 0.868, 0.918, 0], [0.762, 0, 0.660, 0], [0.705, 0.655, 0.611, 0.388]]
    np.testing.assert_allclose(values.reshape(3, 4), expected, atol=6e-4)
    best = action_values(tables, values, gamma=1.0).argmax(axis=1)
    book = {0: RIGHT, 1: RIGHT, 2: RIGHT, 4: UP, 6: UP, 8: UP, 9: LEFT, 10: LEFT, 11: LEFT}
    assert {cell: int(best[cell]) for cell in book} == book


def test_without_slipping_values_count_the_steps_to_the_goal():
    values = value_iteration(
        Gridworld(slip=0.0, step_reward=-1.0, goal_reward=0.0, pit_reward=-99.0).tables(), 1.0
    )
    steps = [[3, 2, 1, 0], [4, 0, 2, 0], [5, 4, 3, 4]]
    np.testing.assert_allclose(values.reshape(3, 4), -np.array(steps))


@pytest.mark.parametrize(("world", "params"), [(Gridworld, {}), (Maze, {"slip": 0.5, "pit_reward": -2.0})])
def test_the_tables_are_what_happens(world, params):
    """Every cell and action, 3,000 times each."""
    tables = world(**params).tables()
    cells = len(tables.terminals)
    np.testing.assert_allclose(tables.transitions.sum(axis=2), 1)
    env = world(num_envs=3000, **params)
    for cell in range(cells):
        for action in range(4):
            if tables.terminals[cell] or env.kinds.ravel()[cell] == 1:
                assert tables.transitions[cell, action, cell] == 1
                assert not tables.rewards[cell, action].any()
                continue
            env.reset(cell)
            env.states["cell"] = cell
            env.states["score"] = -1
            _, rewards, terminals, *_ = env.step(np.full(3000, action))
            outcomes, chances = np.unique(rewards, return_counts=True)
            # Where an episode ended the cell is already a new one: those are told by their rewards.
            there = env.states["cell"][~terminals]
            shares = np.bincount(there, minlength=cells) / 3000
            going_on = tables.transitions[cell, action] * ~tables.terminals
            np.testing.assert_allclose(shares, going_on, atol=0.035)
            np.testing.assert_array_equal(
                rewards[~terminals], tables.rewards[cell, action, there].astype(np.float32)
            )
            for reward, count in zip(outcomes, chances, strict=True):
                expected = tables.transitions[cell, action][
                    np.isclose(tables.rewards[cell, action], reward)
                ].sum()
                assert count / 3000 == pytest.approx(expected, abs=0.035)


def test_a_slip_is_a_quarter_turn_to_either_side():
    env = at(9, num_envs=20_000)
    env.step(np.full(20_000, RIGHT))  # up is a wall, down the edge: both slips stay
    assert (env.states["cell"] == 10).mean() == pytest.approx(0.8, abs=0.01)
    env = at(4, num_envs=20_000)
    env.step(np.full(20_000, RIGHT))
    shares = [(env.states["cell"] == cell).mean() for cell in (0, 4, 8)]
    np.testing.assert_allclose(shares, [0.1, 0.8, 0.1], atol=0.01)


def test_a_map_of_ones_own():
    env = Maze(num_envs=2000)
    observations, _ = env.reset(0)
    assert observations.shape == (2000, 12)
    assert env.size == (400, 300)
    starts = observations.argmax(axis=1)
    assert set(starts) == {0, 11}  # both are equally likely
    assert (starts == 0).mean() == pytest.approx(0.5, abs=0.04)
    env = at(2, Maze, slip=0.0)
    assert env.step([RIGHT])[0][0].argmax() == 2  # a wall
    assert env.step([DOWN])[1][0] == pytest.approx(-1.04)  # the pit
    assert at(11, Maze, slip=0.0).step([UP])[1][0] == pytest.approx(0.96)
    assert at(START, Gridworld, slip=0.0).step([RIGHT])[0].shape == (1, 12)  # the parent is as it was


def test_a_subclass_without_a_map_keeps_it_and_may_change_the_numbers():
    class Cheap(Maze):
        class Params(Gridworld.Params):
            step_reward = -0.5

    env = at(0, Cheap, slip=0.0)
    assert env.step([RIGHT])[1][0] == -0.5
    assert at(0, Maze, slip=0.0).step([RIGHT])[1][0] == np.float32(-0.04)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S.\n.X", r"Wrong.map, row 1: 'X' is none of S, \., F, #, G, P, H"),
        ("S..\n.G", "Wrong.map: row 1 has 2 cells, row 0 has 3"),
        ("..\n.G", "Wrong.map has no start; write S in at least one cell"),
        ("", "Wrong.map has no start"),
    ],
)
def test_mistakes_in_a_map_are_named(text, message):
    with pytest.raises(GameError, match=message):
        type("Wrong", (Gridworld,), {"map": text})


def test_read_map():
    kinds, starts = read_map("SG#\nPFS")
    np.testing.assert_array_equal(kinds, [[0, 2, 1], [3, 0, 0]])
    np.testing.assert_array_equal(starts, [0, 5])


def test_a_map_from_a_notebook_travels_to_another_process(tmp_path):
    source = """
        import sys, cloudpickle
        from ocean_numba.gridworld import Gridworld
        class Mine(Gridworld):
            map = '''
                S.G
            '''
        env = Mine(num_envs=2, slip=0.0)
        env.reset(0)
        with open(sys.argv[1], "wb") as file:
            cloudpickle.dump(env, file)
    """
    file = tmp_path / "env.pickle"
    subprocess.run([sys.executable, "-c", textwrap.dedent(source), str(file)], check=True)
    env = pickle.loads(file.read_bytes())
    assert env.step([RIGHT, LEFT])[0].argmax(axis=1).tolist() == [1, 0]
    np.testing.assert_array_equal(env.kinds, [[0, 0, 2]])
    again = pickle.loads(cloudpickle.dumps(env))
    assert again.step([RIGHT, LEFT])[2].tolist() == [True, False]


def test_scripted_play_is_optimal_and_random_play_is_not():
    returns = {}
    for name in ("random", "scripted"):
        env, generator, found = Gridworld(num_envs=300), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(120):
            *_, infos = env.step(random_actions(env, generator) if name == "random" else scripted(env))
            found += [info["episode_return"] for info in infos]
        returns[name] = np.mean(found)
    assert returns["scripted"] == pytest.approx(0.705, abs=0.03)
    assert returns["random"] < -1


@pytest.mark.parametrize("world", [Gridworld, Maze])
def test_compiled_equals_python(world):
    compare_with_python(world, steps=150, num_envs=4, max_steps=40)


def test_the_picture_shows_every_kind_of_cell():
    from ocean_numba import palette

    picture = at(START).render()
    assert picture.shape == (300, 400, 3)
    colors = {"agent": (250, 50), "floor": (10, 10), "goal": (50, 350), "pit": (150, 350), "rim": (150, 385)}
    for name, (y, x) in colors.items():
        wanted = picture[y, x] if name == "rim" else np.array(Gridworld.colors[name])
        np.testing.assert_array_equal(picture[y, x], wanted, err_msg=name)
    assert tuple(picture[116, 125]) == palette.FOG  # the wall
