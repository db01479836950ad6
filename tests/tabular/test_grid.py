"""The grid: drawing, editing, rules, and the way to the Ocean game and back."""

import numpy as np
import pytest

import pufferbench
from pufferbench.tabular import PRESETS, Grid, GridError


def test_rules_of_a_drawn_map_are_those_of_the_game():
    """Every table entry against ocean-gridworld's own tables, rewards on the floor included."""
    grid = Grid("S..# .#PG ...S", slip=0.3, step_reward=-0.1, goal_reward=5, pit_reward=-2)
    grid.set_reward(2, 0, 0.7)
    env = grid.env(4)
    tables, ours = env.tables(), grid.model().tables
    np.testing.assert_allclose(ours.transitions, tables.transitions, atol=1e-7)
    np.testing.assert_allclose(ours.rewards, tables.rewards, atol=1e-6)
    np.testing.assert_array_equal(ours.terminals, tables.terminals)


def test_the_game_pays_what_the_grid_says():
    grid = Grid("SG ..")
    grid.set_reward(1, 0, 0.5)
    env = grid.env(1)
    env.reset(0)
    assert env.step([1])[1][0] == np.float32(0.5)  # down, on the floor that pays
    assert env.step([3])[1][0] == 0.0
    _, rewards, terminals, _, _ = env.step([2])
    assert (rewards[0], terminals[0]) == (1.0, True)


@pytest.mark.parametrize("name", ["ocean-gridworld", "ocean-frozen-lake"])
def test_a_game_becomes_a_grid(name):
    env = pufferbench.make(name, num_envs=2)
    grid = Grid.of(env, gamma=0.95)
    np.testing.assert_array_equal(grid.kinds, env.kinds)
    np.testing.assert_allclose(grid.model().tables.transitions, env.tables().transitions, atol=1e-7)
    np.testing.assert_allclose(grid.model().tables.rewards, env.tables().rewards, atol=1e-7)
    assert grid.gamma == 0.95


def test_only_a_gridworld_becomes_a_grid():
    with pytest.raises(GridError, match="Squared is no gridworld"):
        Grid.of(pufferbench.make("ocean-squared"))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole_worlds(name):
    grid = Grid.preset(name)
    transitions = grid.model().tables.transitions
    np.testing.assert_allclose(transitions.sum(axis=2), 1.0)
    assert len(grid.starts) == 1 and len(grid.model().decisions) > 8


def test_editing_and_undo():
    grid = Grid.preset("4x3")
    grid.put(1, 1, "floor")
    grid.put(0, 0, "start")
    grid.set_reward(2, 2, 3.0)
    assert grid.map == "S..G\n...P\n...."
    assert grid.rewards[2, 2] == 3.0
    assert grid.undo() and grid.undo() and grid.undo()
    assert not grid.undo()
    assert grid.map == "...G\n.#.P\nS..."
    assert grid.rewards[2, 2] == 0.0


def test_a_wall_over_one_of_two_starts_leaves_the_other():
    grid = Grid("SS.G")
    grid.put(0, 0, "wall")
    assert grid.map == "#S.G"


def test_a_map_survives_its_own_text():
    grid = Grid("S..# .#PG")
    assert Grid(grid.map).map == grid.map
    assert "S..#" in repr(grid)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: Grid("S.X"), "row 0: 'X' is none of S, ., #, G, P"),
        (lambda: Grid("S.. ."), "row 1 has 1 cells, row 0 has 3"),
        (lambda: Grid("...G"), "no start"),
        (lambda: Grid(" "), "empty"),
        (lambda: Grid("S" + "." * 400), "401 cells; at most 400"),
        (lambda: Grid("S.G", slip=1.5), "slip must be a number from 0 to 1, not 1.5"),
        (lambda: Grid.preset("clif"), "did you mean 'cliff'"),
        (lambda: Grid("S.G").put(0, 0, "wall"), "the start is in row 0, column 0"),
        (lambda: Grid("S.G").put(0, 3, "wall"), "no cell in row 0, column 3: the grid is 1 x 3"),
        (lambda: Grid("S.G").put(0, 1, "wal"), "did you mean 'wall'"),
        (lambda: Grid("S#G").set_reward(0, 1, 1.0), "is a wall"),
        (lambda: Grid("S.G").set_reward(0, 1, float("nan")), "finite number, not nan"),
    ],
)
def test_mistakes_are_named(mistake, words):
    with pytest.raises(GridError, match=words):
        mistake()


def test_show_has_the_form_of_the_grid():
    assert Grid("S# .G").show([1, 2, -3.25, 4], decimals=1) == " 1.0     #\n-3.2   4.0"
