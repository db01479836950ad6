"""Tetris' rules: pieces, turns, landing, full lines, the bag, putting aside, and that cells and lines add up."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba import palette
from ocean_numba.testing import compare_with_python
from ocean_numba.tetris import (
    CELLS_OF,
    COLUMNS,
    HARD_DROP,
    HOLD,
    KINDS,
    LANDED,
    LEFT,
    NOTHING,
    RIGHT,
    ROTATE,
    ROWS,
    SOFT_DROP,
    Tetris,
    scripted,
)

I, O, T, S, Z, J, L = range(KINDS)  # noqa: E741 -- the names of the pieces


def game(kind: int = O, rows: tuple[str, ...] = (), **params: int) -> Tetris:
    """One game whose falling piece is of this kind, with these rows at the bottom of the pit (# is full)."""
    env = Tetris(num_envs=1, **params)
    env.reset(0)
    column = 4 if kind == O else 3
    for field, value in {"kind": kind, "turns": 0, "row": 0, "column": column, "wait": 6}.items():
        env.states[field] = value
    for i, row in enumerate(rows):
        first = (ROWS - len(rows) + i) * COLUMNS
        env.states["cells"][0, first : first + COLUMNS] = [cell == "#" for cell in row]
    return env


def pit(env: Tetris, index: int = 0) -> list[str]:
    """The pit as text, without its empty rows at the top."""
    rows = env.states["cells"][index].reshape(ROWS, COLUMNS) != 0
    text = ["".join(".#"[int(cell)] for cell in row) for row in rows]
    return text[int(rows.any(axis=1).argmax()) :] if rows.any() else []


def test_the_interface_is_what_the_page_says():
    env = Tetris(num_envs=3)
    observations, _ = env.reset(0)
    assert observations.shape == (3, 234)
    assert observations.dtype == np.float32
    assert env.action_space.n == 7


@pytest.mark.parametrize(
    ("kind", "pictures"),
    [
        (I, ["/####", "..#/..#/..#/..#", "//####", ".#/.#/.#/.#"]),
        (O, ["##/##", "##/##", "##/##", "##/##"]),
        (T, [".#/###", ".#/.##/.#", "/###/.#", ".#/##/.#"]),
        (S, [".##/##", ".#/.##/..#", "/.##/##", "#/##/.#"]),
        (Z, ["##/.##", "..#/.##/.#", "/##/.##", ".#/##/#"]),
        (J, ["#/###", ".##/.#/.#", "/###/..#", ".#/.#/##"]),
        (L, ["..#/###", ".#/.#/.##", "/###/#", "##/.#/.#"]),
    ],
)
def test_pieces_and_their_turns(kind, pictures):
    for turns, picture in enumerate(pictures):
        cells = [[r, c] for r, row in enumerate(picture.split("/")) for c, x in enumerate(row) if x == "#"]
        assert CELLS_OF[kind, turns].tolist() == cells


def test_every_number_of_the_observation():
    env = game(T, rows=("#........#",), gravity=6)
    for field, value in {"next": L, "later": I, "held": S, "may_hold": False, "score": 20}.items():
        env.states[field] = value
    seen = env.step([RIGHT])[0][0]
    board = np.zeros((ROWS, COLUMNS))
    board[19, [0, 9]] = 1
    board[0, 5] = board[1, 4] = board[1, 5] = board[1, 6] = -1
    np.testing.assert_array_equal(seen[:200], board.reshape(-1))
    np.testing.assert_allclose(seen[200:206], [0, 0.4, 0, 5 / 6, 4 / 6, 0], atol=1e-6)
    np.testing.assert_array_equal(seen[206:].reshape(4, KINDS), np.eye(KINDS)[[T, L, I, S]])
    env.states["held"] = -1
    env.states["may_hold"] = True
    seen = env.step([ROTATE])[0][0]
    np.testing.assert_allclose(seen[200:206], [0, 0.4, 1 / 3, 4 / 6, 4 / 6, 1], atol=1e-6)
    np.testing.assert_array_equal(seen[227:], 0)


def test_a_piece_moves_between_the_walls():
    env = game(T, gravity=100)
    env.states["wait"] = 100
    for action, end in ((LEFT, 0), (RIGHT, 7)):
        for _ in range(10):
            env.step([action])
        assert env.states["column"][0] == end
    env = game(I, gravity=100)
    env.states["wait"] = 100
    env.step([ROTATE])
    for action, end in ((LEFT, -2), (RIGHT, 7)):  # upright, its box juts out
        for _ in range(10):
            env.step([action])
        assert env.states["column"][0] == end
    env.step([ROTATE])  # lying, it would stick in the wall
    assert env.states["turns"][0] == 1


def test_pieces_do_not_move_or_turn_into_the_stack():
    env = game(O, rows=["####..####"] * 20)
    for action in (LEFT, RIGHT):
        env.step([action])
        assert env.states["column"][0] == 4
    env = game(I, rows=["##########"] * 17)
    env.step([ROTATE])
    assert env.states["turns"][0] == 0


def test_it_falls_by_itself_every_gravity_steps_and_lands_when_it_cannot():
    env = game(O, gravity=3)
    env.states["wait"] = 3
    rows = []
    for _ in range(9):
        env.step([NOTHING])
        rows.append(int(env.states["row"][0]))
    assert rows == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    env.states["row"] = 18
    for _ in range(2):
        assert env.step([NOTHING])[1][0] == 0
    assert env.step([NOTHING])[1][0] == pytest.approx(LANDED)
    assert pit(env) == ["....##....", "....##...."]
    assert env.states["row"][0] == 0


def test_down_by_one_row_and_drop():
    env = game(O)
    env.step([SOFT_DROP])
    assert env.states["row"][0] == 1
    assert env.states["wait"][0] == 6
    env.states["row"] = 18
    env.step([SOFT_DROP])
    assert pit(env) == ["....##....", "....##...."]
    env.states["kind"], env.states["column"] = O, 4
    env.step([HARD_DROP])
    assert pit(env) == ["....##...."] * 4
    assert env.states["pieces"][0] == 2


def test_ten_lines_make_it_fall_faster():
    env = game(O)
    for lines, wait in ((9, 6), (10, 5), (39, 3), (50, 1), (500, 1)):
        env.states["score"], env.states["row"] = lines, 0
        env.step([SOFT_DROP])
        assert env.states["wait"][0] == wait


@pytest.mark.parametrize(
    ("kind", "turns", "rows", "lines", "left"),
    [
        (O, 0, ("####..####",), 1, ["....##...."]),
        (O, 0, ("####..####", "####..####"), 2, []),
        (O, 0, ("#.........", "####..####", ".###..####"), 1, ["#.........", ".#########"]),
        (I, 1, ("#####.####",) * 4, 4, []),
        (I, 1, ("#####.####", ".####.####", "#####.####", "#####.####"), 3, [".#########"]),
    ],
)
def test_full_lines_disappear(kind, turns, rows, lines, left):
    env = game(kind, rows)
    env.states["turns"] = turns
    env.states["column"] = 4 if kind == O else 3
    _, rewards, *_ = env.step([HARD_DROP])
    assert pit(env) == left
    assert env.states["score"][0] == lines
    assert rewards[0] == pytest.approx((0, 1, 3, 5, 8)[lines] + LANDED)


def test_each_kind_comes_once_in_seven_pieces():
    env = Tetris(num_envs=50)
    env.reset(0)
    seen = [env.states["kind"].copy()]
    for _ in range(13):
        env.states["cells"] = 0
        env.step(np.full(50, HARD_DROP))
        seen.append(env.states["kind"].copy())
    first, second = np.array(seen).reshape(2, 7, 50)
    for bag in (first, second):
        np.testing.assert_array_equal(np.sort(bag, axis=0), np.arange(7)[:, None].repeat(50, axis=1))
    assert len({tuple(bag) for bag in first.T}) > 40  # in many orders
    assert (first != second).any(axis=0).all()


def test_a_piece_is_put_aside_once():
    env = game(O)
    env.states["next"], env.states["later"] = T, S
    env.step([HOLD])
    state = env.states[0]
    assert (state["kind"], state["next"], state["held"], state["may_hold"]) == (T, S, O, False)
    env.step([HOLD])
    assert (state["kind"], state["held"]) == (T, O)
    env.step([HARD_DROP])
    assert (state["kind"], state["may_hold"]) == (S, True)
    env.step([SOFT_DROP])
    env.step([HOLD])
    assert (state["kind"], state["held"], state["row"], state["column"]) == (O, S, 0, 4)


def test_the_game_is_over_when_the_next_piece_has_no_room():
    env = game(O, rows=["####..###."] + ["#########."] * 17)
    env.states["next"] = O
    *_, terminals, truncations, infos = env.step([HARD_DROP])
    assert terminals[0]
    assert not truncations[0]
    assert infos[0]["score"] == 0
    assert pit(env) == []  # a new game


def test_a_long_game_is_truncated_with_what_was_seen_last():
    env = Tetris(num_envs=2, max_steps=5)
    env.reset(0)
    for step in range(1, 6):
        *_, terminals, truncations, infos = env.step([SOFT_DROP, SOFT_DROP])
        assert truncations.all() == (step == 5)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [5, 5]
    np.testing.assert_allclose(env.final_observations[:, 200], 5 / 20)
    np.testing.assert_allclose(env.observations[:, 200], 0)


@pytest.mark.parametrize("player", ["random", "scripted"])
def test_lines_and_cells_add_up(player):
    """Every piece brings four cells, every line takes ten; the falling piece is never in the stack."""
    env = Tetris(num_envs=8, gravity=3, max_steps=2000)
    env.reset(4)
    random = np.random.default_rng(0)
    lines = 0
    for _ in range(200 if player == "scripted" else 1500):
        chance = random.choice(7, 8, p=[0.1, 0.2, 0.2, 0.1, 0.1, 0.2, 0.1])
        observations, rewards, *_ = env.step(scripted(env) if player == "scripted" else chance)
        state = env.states
        full = (state["cells"] != 0).sum(axis=1)
        np.testing.assert_array_equal(full, 4 * state["pieces"] - 10 * state["score"])
        assert env.observation_space.contains(observations[0])
        assert (np.abs(observations) <= 1).all()
        np.testing.assert_array_equal((observations[:, :200] == -1).sum(axis=1), 4)
        np.testing.assert_array_equal((observations[:, :200] == 1).sum(axis=1), full)
        assert not (state["cells"].reshape(8, ROWS, COLUMNS) != 0).all(axis=2).any()
        lines += int((rewards >= 1).sum())
    assert (lines > 20) == (player == "scripted")


def test_the_seed_decides_the_pieces():
    env = Tetris(num_envs=100)
    first = env.reset(0)[0].copy()
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any()


def test_the_scripted_player_survives_and_chance_does_not():
    lines, alive = {}, {}
    for name in ("random", "scripted"):
        env = Tetris(num_envs=8)
        env.reset(0)
        random, ended = np.random.default_rng(0), 0
        total = 0.0
        for _ in range(250):
            before = env.states["score"].copy()
            *_, infos = env.step(scripted(env) if name == "scripted" else random.integers(0, 7, 8))
            total += np.maximum(env.states["score"].astype(int) - before, 0).sum()
            ended += len(infos)
        lines[name], alive[name] = total, ended == 0
    assert lines["scripted"] > 50 > 5 > lines["random"]
    assert alive == {"random": False, "scripted": True}


@pytest.mark.parametrize("params", [{}, {"gravity": 1, "max_steps": 70}])
def test_compiled_equals_python(params):
    compare_with_python(Tetris, steps=150, num_envs=4, **params)


def test_the_picture_shows_stack_piece_and_lines():
    env = game(T, rows=("#.........",))
    picture = env.render()
    assert picture.shape == (420, 320, 3)
    assert tuple(picture[10 + 30, 10 + 4 * 20 + 10]) == palette.PURPLE  # the middle of the T
    assert tuple(picture[400, 15]) == palette.mix(palette.SKY_BLUE, palette.NIGHT, 0.25)
    assert tuple(picture[400, 200]) == palette.NIGHT
    env.states["score"] = 3
    assert (env.render()[:60, 220:] != picture[:60, 220:]).any()
