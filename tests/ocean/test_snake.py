"""Snake's rules: how snakes move, grow, die and start again, and that no two ever share a cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.snake import BODY, DOWN, EMPTY, FOOD, HEAD, LEFT, RIGHT, UP, VISION, WALL, Snake, scripted
from ocean_numba.testing import compare_with_python

STEPS = {UP: (-1, 0), DOWN: (1, 0), LEFT: (0, -1), RIGHT: (0, 1)}


def empty_board(snakes: int = 1, **params: int) -> Snake:
    """A board of 8 x 12 free cells without food; tests lay their snakes on it."""
    env = Snake(num_envs=1, snakes=snakes, food=0, rows=18, columns=22, **params)
    env.reset(0)
    grid = env.states["grid"][0]
    grid[grid != WALL] = EMPTY
    return env


def lay(env: Snake, i: int, cells: list[tuple[int, int]]) -> None:
    """Snake ``i`` lies on these cells, from its tail to its head (rows and columns without the wall)."""
    state = env.states[0]
    cells = [(row + VISION, column + VISION) for row, column in cells]
    for (row, column), after in zip(cells, cells[1:], strict=False):
        state["grid"][row, column] = BODY
        direction = next(d for d, (y, x) in STEPS.items() if (row + y, column + x) == after)
        state["way"][row, column] = state["direction"][i] = direction
    state["grid"][cells[-1]] = HEAD
    state["tail_row"][i], state["tail_column"][i] = cells[0]
    state["head_row"][i], state["head_column"][i] = cells[-1]
    state["length"][i] = len(cells)


def put_food(env: Snake, row: int, column: int) -> None:
    env.states["grid"][0, row + VISION, column + VISION] = FOOD
    env.states["meals"] += 1


def cells_of(state: np.void, i: int) -> list[tuple[int, int]]:
    """The cells of snake ``i`` from its tail to its head."""
    row, column = int(state["tail_row"][i]), int(state["tail_column"][i])
    cells = [(row, column)]
    for _ in range(state["length"][i] - 1):
        down, right = STEPS[int(state["way"][row, column])]
        row, column = row + down, column + right
        cells.append((row, column))
    return cells


def check_board(state: np.void) -> None:
    """The grid is exactly: the wall, the snakes, each cell in one of them only, and the food."""
    expected = np.full_like(state["grid"], WALL)
    expected[VISION:-VISION, VISION:-VISION] = EMPTY
    for i in range(len(state["length"])):
        cells = cells_of(state, i)
        assert cells[-1] == (state["head_row"][i], state["head_column"][i])
        for cell in cells:
            assert expected[cell] == EMPTY, f"snake {i} is on {cell} with another one, itself or the wall"
            expected[cell] = BODY
        expected[cells[-1]] = HEAD
    food = state["grid"] == FOOD
    assert food.sum() == state["meals"]
    assert (expected[food] == EMPTY).all()
    expected[food] = FOOD
    np.testing.assert_array_equal(state["grid"], expected)


def test_the_interface_is_what_the_page_says():
    env = Snake(num_envs=3)
    observations, _ = env.reset(0)
    assert env.num_agents == 48
    assert observations.shape == (48, 11, 11)
    assert observations.dtype == np.uint8
    assert env.action_space.n == 4
    assert (observations[:, VISION, VISION] == HEAD).all()
    for state in env.states:
        check_board(state)
        assert state["meals"] == 96


def test_every_number_of_the_observation():
    env = empty_board(snakes=2)
    lay(env, 0, [(0, 0), (0, 1), (1, 1)])
    lay(env, 1, [(3, 4)])
    put_food(env, 2, 0)
    first, second = env.step([RIGHT, LEFT])[0]
    padded = np.full((18, 22), WALL)  # drawn by hand: the 8 x 12 free cells lie within the wall
    padded[5:13, 5:17] = EMPTY
    padded[5, 6] = padded[6, 6] = BODY
    padded[6, 7] = padded[8, 8] = HEAD
    padded[7, 5] = FOOD
    np.testing.assert_array_equal(first, padded[1:12, 2:13])
    np.testing.assert_array_equal(second, padded[3:14, 3:14])


@pytest.mark.parametrize("direction", STEPS)
def test_a_snake_moves_with_its_tail_behind_it(direction):
    env = empty_board()
    lay(env, 0, [(4, 5)])
    _, rewards, terminals, *_ = env.step([direction])
    down, right = STEPS[direction]
    assert cells_of(env.states[0], 0) == [(9 + down, 10 + right)]
    assert rewards[0] == 0
    assert not terminals[0]
    check_board(env.states[0])


def test_eating_makes_it_one_longer_and_new_food_appears():
    env = empty_board()
    lay(env, 0, [(4, 4), (4, 5)])
    put_food(env, 4, 6)
    env.states["food"] = 1
    _, rewards, *_ = env.step([RIGHT])
    assert rewards[0] == 1
    assert cells_of(env.states[0], 0) == [(9, 9), (9, 10), (9, 11)]
    assert env.states["meals"][0] == 1
    check_board(env.states[0])
    env.step([UP])
    assert env.states["length"][0] == 3


def test_straight_back_is_straight_on():
    env = empty_board()
    lay(env, 0, [(4, 4), (4, 5)])
    env.step([LEFT])
    assert cells_of(env.states[0], 0) == [(9, 10), (9, 11)]
    lay(empty := empty_board(), 0, [(4, 4)])  # a single cell has no back
    empty.states["direction"] = RIGHT
    empty.step([LEFT])
    assert cells_of(empty.states[0], 0) == [(9, 8)]


def death(env: Snake, actions: list[int], i: int = 0) -> Any:
    _, rewards, terminals, truncations, infos = env.step(actions)
    assert rewards[i] == -1
    assert terminals[i]
    assert not truncations.any()
    assert env.states["length"][0, i] == 1
    check_board(env.states[0])
    return infos


def test_the_wall_kills_and_every_second_cell_becomes_food():
    env = empty_board()
    lay(env, 0, [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)])
    infos = death(env, [LEFT])
    assert infos[0]["score"] == 5
    food = np.argwhere(env.states["grid"][0] == FOOD) - VISION
    assert food.tolist() == [[1, 0], [3, 0]]
    assert env.states["meals"][0] == 2


def test_the_own_body_kills_the_tip_of_the_tail_too():
    env = empty_board()
    square = [(2, 2), (2, 3), (3, 3), (3, 2)]
    lay(env, 0, square)
    assert death(env, [UP])[0]["score"] == 4


def test_when_two_want_the_same_cell_the_second_one_dies():
    env = empty_board(snakes=2)
    lay(env, 0, [(4, 2), (4, 3)])
    lay(env, 1, [(4, 6), (4, 5)])
    infos = death(env, [RIGHT, LEFT], i=1)
    assert len(infos) == 1
    assert cells_of(env.states[0], 0) == [(9, 8), (9, 9)]


def test_dead_snakes_report_their_length_and_others_play_on():
    env = empty_board(snakes=2, max_steps=6)
    lay(env, 0, [(0, 0), (0, 1), (0, 2)])
    lay(env, 1, [(5, 3)])
    ended = list(death(env, [UP, RIGHT]))
    lay(env, 0, [(2, 2)])
    check = env.states["grid"][0]
    check[check == FOOD] = EMPTY
    env.states["meals"] = 0
    for step in range(2, 7):
        *_, truncations, infos = env.step([DOWN if step % 2 else UP, RIGHT])
        ended += list(infos)
        assert truncations.all() == truncations.any() == (step == 6)
    assert [(info["score"], info["episode_length"]) for info in ended] == [(3, 1), (1, 5), (1, 6)]


@pytest.mark.parametrize(
    "params",
    [{}, {"snakes": 64, "rows": 24, "columns": 24, "food": 30}, {"snakes": 40, "rows": 18, "columns": 18}],
)
def test_snakes_never_overlap(params):
    """Random play and greedy play, on a wide board and on crowded ones: the grid is what the snakes say."""
    env = Snake(num_envs=2, max_steps=150, **params)
    env.reset(1)
    random = np.random.default_rng(0)
    lengths, dead = 0, 0
    for step in range(400):
        actions = scripted(env)
        chance = random.random(env.num_agents) < 0.1
        actions[chance] = random.integers(0, 4, chance.sum())
        observations, rewards, terminals, *_ = env.step(actions)
        assert observations.max() <= HEAD
        assert (observations[:, VISION, VISION] == HEAD).all()
        assert ((rewards == -1) == terminals).all()
        dead += terminals.sum()
        lengths = max(lengths, int(env.states["length"].max()))
        if step % 5 == 0:
            for state in env.states:
                check_board(state)
                assert state["meals"] >= min(state["food"], (state["grid"] == EMPTY).sum())
    assert dead > 50
    assert lengths > 3


def test_return_and_score_fit_together():
    env = Snake(num_envs=4)
    env.reset(3)
    ended = []
    for _ in range(300):
        _, _, terminals, _, infos = env.step(scripted(env))
        assert len(infos) == terminals.sum()
        ended += [(info["score"], info["episode_return"]) for info in infos]
    assert len(ended) > 100
    assert all(total == score - 2 for score, total in ended)  # it began with 1, and death costs 1


def test_a_full_board_has_no_room_for_food_and_the_game_goes_on():
    env = Snake(num_envs=1, snakes=1, food=1000, rows=18, columns=18)
    env.reset(0)
    assert env.states["meals"][0] == 63
    env.step([UP])
    check_board(env.states[0])


def test_the_seed_decides_where_things_are():
    env = Snake(num_envs=20)
    first = env.reset(0)[0].copy()
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any(axis=(1, 2)).all()


def test_the_scripted_snakes_grow_far_longer_than_by_chance():
    by_chance, by_hand = random_and_scripted(Snake(num_envs=4), scripted, steps=400)
    assert by_hand > 5 * by_chance


@pytest.mark.parametrize("params", [{"max_steps": 60}, {"snakes": 40, "rows": 18, "columns": 18, "food": 30}])
def test_compiled_equals_python(params):
    compare_with_python(Snake, steps=100, num_envs=1, **params)


def test_the_picture_shows_snakes_and_food():
    env = Snake(num_envs=1, snakes=1, food=0)
    env.reset(0)
    env.states["grid"][0][env.states["grid"][0] == HEAD] = EMPTY
    lay(env, 0, [(3, 3), (3, 4), (3, 5)])
    put_food(env, 8, 8)
    picture = env.render()
    assert picture.shape == (360, 640, 3)
    assert tuple(picture[35, 38]) == palette.SKY_BLUE
    assert tuple(picture[85, 85]) == palette.YELLOW
    assert tuple(picture[105, 105]) == palette.NIGHT
    assert tuple(picture[35, 55]) == palette.NIGHT  # the mark on its head
