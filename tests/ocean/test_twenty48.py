"""2048's rules: sliding and merging against a plain oracle, new tiles, legal actions, the end."""

from __future__ import annotations

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.testing import compare_with_python
from ocean_numba.twenty48 import DOWN, LEFT, POINT, RIGHT, UP, Twenty48, find_legal, scripted, slide

ACTIONS = (UP, DOWN, LEFT, RIGHT)


class Board:
    """What slide() and find_legal() need of a state."""

    def __init__(self, tiles: np.ndarray) -> None:
        self.board, self.can, self.highest = tiles.reshape(-1).tolist(), [0] * 4, 0


def merged(row: list[int]) -> tuple[list[int], int]:
    """The rule, as one would tell it: a row slid to the left, and its points."""
    tiles, done, points = [tile for tile in row if tile], [], 0
    while tiles:
        tile = tiles.pop(0)
        if tiles and tiles[0] == tile:
            tiles.pop(0)
            tile += 1
            points += 2**tile
        done.append(tile)
    return done + [0] * (4 - len(done)), points


def moved(board: np.ndarray, action: int) -> tuple[np.ndarray, int]:
    """The same for a whole board, turned so that every action is to the left."""
    turns = {LEFT: 0, UP: 1, RIGHT: 2, DOWN: 3}[action]
    rows = [merged(row) for row in np.rot90(board, turns).tolist()]
    return np.rot90(np.array([row for row, _ in rows]), -turns), sum(points for _, points in rows)


def game(rows: list[list[int]]) -> Twenty48:
    env = Twenty48(num_envs=1)
    env.reset(0)
    put(env, np.array(rows, np.uint8))
    return env


def put(env: Twenty48, board: np.ndarray) -> None:
    oracle = Board(board)
    find_legal(oracle)
    env.states["board"][0], env.states["can"][0] = board.reshape(-1), oracle.can


def test_the_interface_is_what_the_page_says():
    env = Twenty48(num_envs=50)
    observations, _ = env.reset(0)
    assert observations.shape == (50, 4, 4)
    assert observations.dtype == np.uint8
    assert env.action_space.n == 4
    assert ((observations > 0).sum(axis=(1, 2)) == 2).all()
    assert set(np.unique(observations)) == {0, 1, 2}
    np.testing.assert_array_equal(observations.reshape(50, 16), env.states["board"])


@pytest.mark.parametrize(
    ("row", "after", "points"),
    [
        ([1, 1, 1, 1], [2, 2, 0, 0], 8),
        ([1, 1, 1, 0], [2, 1, 0, 0], 4),
        ([1, 0, 0, 1], [2, 0, 0, 0], 4),
        ([2, 1, 1, 0], [2, 2, 0, 0], 4),  # the new 4 is not merged again
        ([0, 0, 3, 4], [3, 4, 0, 0], 0),
        ([10, 10, 0, 0], [11, 0, 0, 0], 2048),
        ([1, 2, 3, 4], [1, 2, 3, 4], 0),
    ],
)
def test_rows_known_by_heart(row, after, points):
    assert merged(row) == (after, points)  # the oracle knows them too
    board = Board(np.array([row, [0] * 4, [0] * 4, [0] * 4], np.uint8))
    assert slide(board, 0, LEFT) == points
    assert board.board[:4] == after


def test_a_game_is_what_the_oracle_says():
    """Each step: the slid board plus one new tile, or nothing when the action is not legal."""
    env = Twenty48(num_envs=12)
    env.reset(1)
    random = np.random.default_rng(0)
    illegal = 0
    fours, new_tiles = 0, 0
    for _ in range(250):
        before = env.states["board"].reshape(12, 4, 4).copy()
        masks, scores = env.action_masks.copy(), env.states["score"].copy()
        actions = random.integers(0, 4, 12)
        _, rewards, terminals, truncations, _ = env.step(actions)
        for i, action in enumerate(actions):
            assert masks[i].tolist() == [bool((moved(before[i], a)[0] != before[i]).any()) for a in ACTIONS]
            expected, points = moved(before[i], action)
            assert rewards[i] == pytest.approx(POINT * points)
            assert not truncations[i]
            if terminals[i]:
                continue
            board = env.states["board"][i].reshape(4, 4)
            assert env.states["score"][i] == scores[i] + points
            new = board.astype(int) - expected
            if not masks[i, action]:
                illegal += 1
                assert (new == 0).all()
                continue
            place = np.argwhere(new)
            assert len(place) == 1
            assert expected[tuple(place[0])] == 0
            assert new[tuple(place[0])] in (1, 2)
            fours += new[tuple(place[0])] == 2
            new_tiles += 1
    assert illegal > 100
    assert 0.06 < fours / new_tiles < 0.14


def test_sums_and_points_add_up():
    """Tiles only come in as 2 and 4; a tile 2^n made of twos is worth (n - 1) 2^n points."""
    env = Twenty48(num_envs=32)
    env.reset(2)
    for _ in range(120):
        _, _, terminals, *_ = env.step(scripted(env))
        tiles = env.states["board"].astype(int)
        most = np.where(tiles > 0, (tiles - 1) * 2**tiles, 0).sum(axis=1)
        alive = ~terminals
        assert (env.states["score"] <= most)[alive].all()
        assert (env.states["highest"] == 2 ** tiles.max(axis=1))[alive].all()
        assert env.observation_space.contains(env.observations[0])
    assert (env.states["score"] > 500).any()


def test_an_illegal_action_does_nothing():
    env = game([[1, 2, 3, 4], [0] * 4, [0] * 4, [0] * 4])
    generator = env.states["rng"].copy()
    _, rewards, terminals, *_ = env.step([LEFT])
    assert rewards[0] == 0
    assert not terminals[0]
    assert env.observations[0].reshape(-1).tolist() == [1, 2, 3, 4] + [0] * 12
    assert env.states["rng"] == generator
    env.step([UP])
    assert (env.observations > 0).sum() == 4


def test_the_game_is_over_when_nothing_is_legal():
    # After this move there is one empty cell; whichever tile comes there, 2 or 4, has no equal beside it.
    env = game([[1, 2, 1, 2], [2, 1, 2, 1], [7, 8, 9, 10], [5, 5, 3, 4]])
    assert not env.step([UP])[2][0]  # not legal: nothing happens
    _, rewards, terminals, truncations, infos = env.step([RIGHT])
    assert rewards[0] == pytest.approx(POINT * 64)
    assert terminals[0]
    assert not truncations[0]
    assert infos[0]["score"] == 64
    assert {"score", "highest"} <= set(infos[0])
    assert (env.observations > 0).sum() == 2  # a new game


def test_a_long_game_is_truncated():
    env = Twenty48(num_envs=2, max_steps=5)
    env.reset(0)
    for step in range(1, 6):
        *_, terminals, truncations, infos = env.step(scripted(env))
        assert truncations.all() == (step == 5)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [5, 5]
    assert ((env.final_observations > 0).sum(axis=(1, 2)) > 2).all()


def test_the_seed_decides_the_tiles():
    env = Twenty48(num_envs=30)
    first = env.reset(0)[0].copy()
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert len({board.tobytes() for board in first}) > 20
    assert (env.reset(1)[0] != first).any()


def test_keeping_to_a_corner_beats_chance():
    by_chance, by_hand = random_and_scripted(Twenty48(num_envs=64), scripted, steps=700)
    assert by_hand > 1.7 * by_chance > 0


@pytest.mark.parametrize("params", [{}, {"max_steps": 30}])
def test_compiled_equals_python(params):
    compare_with_python(Twenty48, steps=150, num_envs=4, **params)


def test_the_picture_shows_tiles_and_points():
    env = game([[1, 0, 0, 0], [0] * 4, [0] * 4, [0, 0, 0, 11]])
    picture = env.render()
    assert picture.shape == (360, 320, 3)
    assert tuple(picture[40 + 40, 120]) == palette.SLATE
    assert tuple(picture[40 + 70, 40]) != palette.SLATE
    put(env, np.array([[2, 0, 0, 0], [0] * 4, [0] * 4, [0, 0, 0, 11]], np.uint8))
    assert (env.render()[40:120, :80] != picture[40:120, :80]).any()
    env.states["score"] = 5
    assert (env.render()[:40] != picture[:40]).any()
