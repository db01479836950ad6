"""Connect four: known numbers of positions, wins against a plain search for lines, both seats, the opponents."""

from __future__ import annotations

import numpy as np
import pytest
from ocean.play import mean_score, random_legal

from ocean_numba.connect_four import (
    COLUMNS,
    FULL,
    GREEDY,
    RANDOM,
    ROWS,
    SEARCH,
    WIN,
    ConnectFour,
    place,
    scripted,
    wins,
)
from ocean_numba.testing import compare_with_python

# Positions that can arise after n half-moves (Tromp, "John's Connect Four Playground"; OEIS A212693)
POSITIONS = [1, 7, 49, 238, 1120, 4263, 16422, 54859, 184275]


def board_of(discs: int) -> np.ndarray:
    """``[row from the bottom, column]``."""
    return np.array([[discs >> 7 * c + r & 1 for c in range(COLUMNS)] for r in range(ROWS)])


def has_four(board: np.ndarray) -> bool:
    for r in range(ROWS):
        for c in range(COLUMNS):
            for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
                places = [(r + k * dr, c + k * dc) for k in range(4)]
                if all(0 <= y < ROWS and 0 <= x < COLUMNS and board[y, x] for y, x in places):
                    return True
    return False


def game(*columns: int, **params) -> ConnectFour:
    """One game with two seats after these moves, the first by seat 0."""
    env = ConnectFour(num_envs=1, players=2, **params)
    env.reset(0)
    env.states["turn"] = 0
    env.masks[:] = [True, False]
    for column in columns:
        env.step(np.full(2, column))
    return env


def test_the_number_of_positions_is_the_published_one():
    """Every legal move from every position, by the game's own functions on whole arrays."""
    own, other = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for expected in POSITIONS[1:]:
        moved = []
        for column in range(COLUMNS):
            bit = place(own | other, column)
            there = bit != 0
            moved.append(np.stack([other[there], own[there] | bit[there]]))  # the other one is next
        own, other = np.unique(np.concatenate(moved, axis=1), axis=1)
        assert len(own) == expected
        going_on = ~wins(other)
        own, other = own[going_on], other[going_on]


def test_wins_against_a_plain_search_for_lines():
    random = np.random.default_rng(0)
    found = 0
    for _ in range(2000):
        discs = sum(1 << 7 * c + r for c in range(COLUMNS) for r in range(ROWS) if random.random() < 0.4)
        assert wins(discs) == has_four(board_of(discs))
        found += wins(discs)
    assert 200 < found < 1800


def test_discs_fall_and_seats_take_turns():
    env = game(3, 3, 2)
    np.testing.assert_array_equal(env.masks, [False, True])
    mine, theirs = env.observations
    expected = np.zeros((6, 7))
    expected[5, 3], expected[4, 3], expected[5, 2] = 1, -1, 1
    np.testing.assert_array_equal(mine, expected)
    np.testing.assert_array_equal(theirs, -expected)


@pytest.mark.parametrize(
    "columns",
    [
        (0, 1, 0, 1, 0, 1, 0),
        (0, 0, 1, 1, 2, 2, 3),
        (0, 1, 1, 2, 2, 3, 2, 3, 3, 6, 3),
        (3, 2, 2, 1, 1, 0, 1, 0, 0, 6, 0),
    ],
)
def test_lines_up_along_rising_and_falling(columns):
    env = game(*columns[:-1])
    assert not env.terminals.any()
    _, rewards, terminals, _, infos = env.step(np.full(2, columns[-1]))
    np.testing.assert_array_equal(rewards, [1, -1])
    assert terminals.all()
    assert [info["score"] for info in infos] == [1, -1]


def test_the_second_seat_wins_too():
    env = game(0, 1, 0, 1, 0, 1, 6)
    np.testing.assert_array_equal(env.step(np.full(2, 1))[1], [-1, 1])


def test_full_columns_are_illegal_and_lose():
    env = game(2, 2, 2, 2, 2, 2)
    np.testing.assert_array_equal(env.action_masks, np.tile([1, 1, 0, 1, 1, 1, 1], (2, 1)))
    _, rewards, terminals, _, _ = env.step(np.full(2, 2))
    np.testing.assert_array_equal(rewards, [-1, 1])
    assert terminals.all()


def test_a_full_board_is_a_draw():
    order = [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 2, 3, 2, 3, 3, 2, 3, 2, 2, 3, 2, 3]
    order += [4, 5, 4, 5, 5, 4, 5, 4, 4, 5, 4, 5, 6, 6, 6, 6, 6, 6]
    env = game(*order[:-1])
    assert env.states["discs"].sum() == FULL - (1 << 7 * 6 + 5)
    _, rewards, terminals, _, infos = env.step(np.full(2, 6))
    assert terminals.all() and not rewards.any() and [info["score"] for info in infos] == [0, 0]


def negamax(own: int, other: int, depth: int, sooner: int = 0) -> int:
    """The plain search that the opponent's loop must agree with."""
    values = []
    for column in range(COLUMNS):
        bit = place(own | other, column)
        if bit == 0:
            continue
        if wins(own | bit):
            values.append(WIN - sooner)
        elif depth == 1 or own | other | bit == FULL:
            values.append(0)
        else:
            values.append(-negamax(other, own | bit, depth - 1, sooner + 1))
    return max(values)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_search_finds_what_plain_negamax_finds(depth):
    """In positions of random games the opponent's move must have the value of the best one."""
    from ocean_numba.connect_four import search

    env = ConnectFour(num_envs=1, mode="python", opponent=RANDOM, depth=depth)
    env.reset(0)
    random = np.random.default_rng(depth)
    from ocean_numba.python_mode import RecordsProxy

    for _ in range(25 if depth < 4 else 6):
        own = other = 0
        for _ in range(int(random.integers(4, 16))):
            bit = place(own | other, int(random.integers(7)))
            if bit and not wins(own | bit):
                own, other = other, own | bit
        value = negamax(own, other, depth)
        column = search(RecordsProxy(env.states)[0], own, other)
        bit = place(own | other, column)
        after = WIN if wins(own | bit) else 0
        if not after and depth > 1 and own | other | bit != FULL:
            after = -negamax(other, own | bit, depth - 1, 1)
        assert after == value


def test_the_opponents_answers():
    for opponent in (GREEDY, SEARCH):
        env = ConnectFour(num_envs=1, opponent=opponent)
        env.reset(0)
        env.states["discs"][0] = [sum(1 << 7 * c for c in (0, 1)), sum(1 << 7 * c for c in (4, 5)) | 2 << 28]
        env.states["turn"] = 0
        env.step([2])  # three in a row: 3 must be closed, and three of its own do not wait
        assert env.states["discs"][0, 1] >> 7 * 3 & 1
        env.states["discs"][0] = [
            sum(1 << 7 * c for c in (0, 1)) | 1 << 1,
            sum(1 << 7 * c for c in (3, 4, 5)),
        ]
        env.states["turn"] = 0
        assert env.step([0])[1][0] == -1.0  # it wins instead


def test_opponents_are_of_different_strength():
    random = np.random.default_rng(0)
    scores = [
        mean_score(ConnectFour(num_envs=32, opponent=o), scripted, 40) for o in (RANDOM, GREEDY, SEARCH)
    ]
    assert scores[0] > scores[1] + 0.3 > scores[2] + 0.6
    assert mean_score(ConnectFour(num_envs=32), lambda env: random_legal(env, random), 40) < scores[1] - 0.6


@pytest.mark.parametrize(
    "params", [{"players": 2}, {"opponent": 0}, {"opponent": 1}, {"opponent": 2, "depth": 3}]
)
def test_compiled_equals_python(params):
    compare_with_python(ConnectFour, steps=60, num_envs=2, **params)


def test_the_picture_shows_the_discs():
    from ocean_numba import palette

    picture = game(0, 6).render()
    assert tuple(picture[24 + 324 - 27, 27]) == palette.YELLOW
    assert tuple(picture[24 + 324 - 27 - 15, 378 - 27]) == palette.VERMILLION
