"""Tic-tac-toe: both seats, the ends, and three opponents held to what is known of the game."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ocean.play import mean_score, random_legal

from ocean_numba.testing import compare_with_python
from ocean_numba.tic_tac_toe import (
    BEST,
    FULL,
    GREEDY,
    LINES,
    PERFECT,
    RANDOM,
    TERNARY,
    TicTacToe,
    minimax,
    scripted,
    wins,
)


def bits(*squares: int) -> int:
    return sum(1 << square for square in squares)


def position(first=(), second=(), turn=0, **params) -> TicTacToe:
    """One game in which seat 0 has marked ``first`` and seat 1 ``second``."""
    env = TicTacToe(num_envs=1, **params)
    env.reset(0)
    env.states["marks"][0] = bits(*first), bits(*second)
    env.states["turn"] = turn
    if env.num_agents == 2:
        env.masks[:] = [turn == 0, turn == 1]
    return env


def test_two_seats_move_in_turn():
    env = position(players=2)
    for move, (square, turn) in enumerate([(4, 0), (0, 1), (8, 0)]):
        np.testing.assert_array_equal(env.masks, [turn == 0, turn == 1])
        actions = np.array([7, 7])
        actions[turn] = square
        observations, rewards, terminals, _, _ = env.step(actions)
        assert not rewards.any() and not terminals.any()
        assert observations.sum() == 2 * (move + 1)
    np.testing.assert_array_equal(observations[0].reshape(2, 9), [[0, 0, 0, 0, 1, 0, 0, 0, 1], [1] + [0] * 8])
    np.testing.assert_array_equal(observations[1], observations[0, ::-1])
    np.testing.assert_array_equal(env.action_masks[1], [0, 1, 1, 1, 0, 1, 1, 1, 0])


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("seat", [0, 1])
def test_every_line_wins_for_either_seat(line, seat):
    others = [k for k in range(9) if k not in line]
    loser = next(pair for pair in itertools.combinations(others, 2) if not wins(bits(*pair)))
    marks = [line[:2], loser] if seat == 0 else [loser, line[:2]]
    env = position(*marks, turn=seat, players=2)
    _, rewards, terminals, truncations, infos = env.step(np.full(2, line[2]))
    assert rewards[seat] == 1.0 and rewards[1 - seat] == -1.0
    assert terminals.all() and not truncations.any()
    assert [info["score"] for info in infos] == [1.0]  # of the one who has acted
    assert env.states["marks"].sum() == 0  # a new game


def test_a_full_board_is_a_draw():
    env = position((0, 2, 3, 7), (1, 4, 5, 6), players=2)
    _, rewards, terminals, _, infos = env.step(np.array([8, 0]))
    assert terminals.all() and not rewards.any()
    assert [info["score"] for info in infos] == [0.0]


@pytest.mark.parametrize("seat", [0, 1])
def test_an_illegal_move_loses(seat):
    env = position((0,), (4,), turn=seat, players=2)
    _, rewards, terminals, _, _ = env.step(np.full(2, 4))
    assert rewards[seat] == -1.0 and rewards[1 - seat] == 1.0 and terminals.all()


def test_the_game_is_a_draw():
    assert minimax(0, 0) == 0
    assert minimax.cache_info().currsize == 5478  # positions that can be reached (a known number)


def test_the_table_of_best_moves():
    assert BEST[0] == FULL  # from the empty board every move draws
    assert BEST[TERNARY[0] + 2 * TERNARY[bits(0)]] == bits(4)  # only the middle answers a corner
    assert BEST[TERNARY[bits(4)] + 2 * TERNARY[bits(1)]] & bits(1, 4) == 0
    assert BEST[TERNARY[bits(0, 1)] + 2 * TERNARY[bits(3, 4)]] == bits(2)  # wins at once


def test_nobody_beats_the_perfect_opponent():
    env = TicTacToe(num_envs=64, opponent=PERFECT)
    env.reset(1)
    random, scores = np.random.default_rng(0), []
    for step in range(150):
        actions = random_legal(env, random) if step % 2 else scripted(env)
        scores += [info["score"] for info in env.step(actions)[4]]
    assert len(scores) > 1000 and max(scores) == 0.0


def test_two_perfect_players_draw():
    env = TicTacToe(num_envs=64, opponent=PERFECT)

    def perfect(env):
        best = BEST[TERNARY[env.states["marks"][:, 0]] + 2 * TERNARY[env.states["marks"][:, 1]]]
        return np.array([int(moves).bit_length() - 1 for moves in best])

    assert mean_score(env, perfect, 60) == 0.0


@pytest.mark.parametrize(("marks", "reply"), [(((0, 8), (3, 4)), 5), (((0, 4), (1, 7)), 8)])
def test_the_greedy_opponent_wins_or_else_prevents(marks, reply):
    """It could win on 5, or must prevent a win on 8; seat 0 plays 2 or 3 first, which changes neither."""
    own = {5: 2, 8: 3}[reply]
    env = position(*marks, opponent=GREEDY)
    env.step([own])
    won = reply == 5
    assert env.terminals[0] == won and env.rewards[0] == (-1.0 if won else 0.0)
    if not won:
        assert env.states["marks"][0, 1] >> reply & 1 or env.states["marks"][0, 1] >> 5 & 1


def test_either_seat_begins():
    env = TicTacToe(num_envs=200)
    observations, _ = env.reset(0)
    begun = observations.sum((1, 2, 3))
    assert set(begun) == {0, 1} and 60 < begun.sum() < 140


def test_opponents_are_of_different_strength():
    random = np.random.default_rng(0)
    scores = [
        mean_score(TicTacToe(num_envs=64, opponent=o), lambda env: random_legal(env, random), 60)
        for o in (RANDOM, GREEDY, PERFECT)
    ]
    assert scores[0] > scores[1] + 0.3 > scores[2] + 0.3
    assert mean_score(TicTacToe(num_envs=64), scripted, 60) > scores[1] + 0.6


@pytest.mark.parametrize("params", [{"players": 2}, {"opponent": 0}, {"opponent": 1}, {"opponent": 2}])
def test_compiled_equals_python(params):
    compare_with_python(TicTacToe, steps=100, num_envs=4, **params)


def test_the_picture_shows_the_marks():
    from ocean_numba import palette

    picture = position((0,), (4,)).render()
    assert tuple(picture[24 + 50, 50]) == palette.SKY_BLUE
    assert tuple(picture[24 + 150, 150 + 28]) == palette.ORANGE
