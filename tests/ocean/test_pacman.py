"""Pac-Man's rules: moving, eating, how each ghost chooses, fright, and the ends."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.pacman import (
    AMBUSHER,
    CHASER,
    COLUMN,
    DOWN,
    FLANKER,
    FRIGHTENED,
    HOME,
    HUNTING,
    LEFT,
    NEXT,
    PICKUP,
    PICKUPS,
    RETURNING,
    RIGHT,
    ROW,
    SHY,
    START,
    UP,
    PacMan,
    maze,
    scripted,
)
from ocean_numba.testing import compare_with_python

ASLEEP = 10_000


def scene(cell=None, heading=LEFT, ghosts=(), **params) -> PacMan:
    """Pac-Man on ``cell`` (row, column); ghosts are ``(number, (row, column), heading)``, the others asleep at home."""
    env = PacMan(num_envs=1, **params)
    env.reset(0)
    state = env.states[0]
    state["cell"] = START if cell is None else maze.cell(*cell)
    state["heading"] = heading
    state["ghost_delay"][:] = ASLEEP
    state["scattering"] = False
    state["mood_left"] = ASLEEP
    for number, place, direction in ghosts:
        state["ghost_cell"][number] = maze.cell(*place)
        state["ghost_heading"][number] = direction
        state["ghost_delay"][number] = 0
    return env


def where(cell) -> tuple[int, int]:
    return int(ROW[cell]), int(COLUMN[cell])


def test_the_maze_is_sound():
    assert PICKUPS == 244
    assert (np.sort(PICKUP[PICKUP >= 0]) == np.arange(244)).all()
    assert maze.steps_to(START).max() < len(ROW)  # every cell can be reached
    assert ((NEXT >= 0).sum(1) >= 2).all()  # no dead end: a ghost never has to turn back
    for d in range(4):
        there = NEXT[:, d]
        open_ = there >= 0
        np.testing.assert_array_equal(NEXT[there[open_], d ^ 1], np.flatnonzero(open_))


@pytest.mark.parametrize(
    ("cell", "heading", "action", "goal"),
    [
        ((19, 13), LEFT, LEFT, (19, 12)),
        ((19, 13), LEFT, RIGHT, (19, 14)),
        ((19, 13), LEFT, UP, (19, 12)),  # a wall: on as before
        ((1, 1), LEFT, UP, (1, 1)),  # a wall there too
        ((10, 0), LEFT, LEFT, (10, 26)),  # the tunnel
        ((4, 10), RIGHT, UP, (4, 11)),
        ((4, 4), RIGHT, DOWN, (5, 4)),
    ],
)
def test_moving(cell, heading, action, goal):
    env = scene(cell, heading)
    env.step([action])
    assert where(env.states["cell"][0]) == goal


def test_eating_a_dot_once():
    env = scene((19, 13))
    _, rewards, *_ = env.step([LEFT])
    assert (rewards[0], env.states["score"][0], env.states["pickups"][0].sum()) == (1.0, 1, 243)
    env.step([RIGHT])
    assert env.step([LEFT])[1][0] == 0.0


@pytest.mark.parametrize(
    ("ghost", "cell", "heading", "at", "came", "goes"),
    [
        # at the crossing (4, 4), coming from the left: up is a wall, so on or down
        (CHASER, (4, 20), LEFT, (4, 4), RIGHT, RIGHT),
        (CHASER, (19, 4), LEFT, (4, 4), RIGHT, DOWN),
        (AMBUSHER, (4, 2), RIGHT, (4, 4), RIGHT, RIGHT),  # aims four cells ahead of you: on its other side
    ],
)
def test_how_a_hunting_ghost_chooses(ghost, cell, heading, at, came, goes):
    env = scene(cell, heading, [(ghost, at, came)])
    env.step([heading])
    assert env.states["ghost_heading"][0][ghost] == goes


def best(at, came, target) -> int:
    """What the page says: the direction that is nearest to the target, never back."""
    cell = maze.cell(*at)
    options = [d for d in range(4) if d != came ^ 1 and NEXT[cell, d] >= 0]
    return min(
        options,
        key=lambda d: (ROW[NEXT[cell, d]] - target[0]) ** 2 + (COLUMN[NEXT[cell, d]] - target[1]) ** 2,
    )


@pytest.mark.parametrize("at", [(4, 4), (7, 10), (13, 7), (10, 4), (19, 13), (4, 22), (13, 19)])
@pytest.mark.parametrize("came", [UP, DOWN, LEFT, RIGHT])
@pytest.mark.parametrize("ghost", [CHASER, AMBUSHER, FLANKER, SHY])
def test_targets(ghost, at, came):
    env = scene((13, 13), RIGHT, [(ghost, at, came)])
    env.step([RIGHT])
    row, column = 13, 14
    chaser = where(maze.cell(*at)) if ghost == CHASER else where(HOME)
    target = {
        CHASER: (row, column),
        AMBUSHER: (row, column + 4),
        FLANKER: (2 * row - chaser[0], 2 * (column + 2) - chaser[1]),
        SHY: (row, column) if (at[0] - row) ** 2 + (at[1] - column) ** 2 > 64 else (maze.height, 0),
    }[ghost]
    assert env.states["ghost_heading"][0][ghost] == best(at, came, target)


def test_moods_alternate_and_ghosts_turn_round():
    env = scene((19, 13), LEFT, [(CHASER, (1, 6), RIGHT)], scatter=5, chase=7)
    env.states["mood_left"] = 1
    env.step([LEFT])
    state = env.states[0]
    assert bool(state["scattering"]) and state["mood_left"] == 5
    assert (state["ghost_heading"][CHASER], where(state["ghost_cell"][CHASER])) == (LEFT, (1, 5))
    for _ in range(5):
        env.step([LEFT])
    assert not state["scattering"] and state["mood_left"] == 7


def test_a_pellet_frightens_and_frightened_ghosts_are_slow():
    env = scene((5, 1), UP, [(CHASER, (1, 6), RIGHT)], fright=6)
    state = env.states[0]
    env.step([UP])
    assert state["ghost_mode"][CHASER] == FRIGHTENED
    assert env.observations[0, 10] == 1.0
    places = []
    for left in (6, 5, 4, 3, 2, 1):
        assert (state["fright_left"], state["ghost_mode"][CHASER]) == (left, FRIGHTENED)
        places.append(int(state["ghost_cell"][CHASER]))
        env.step([UP])
    moved = [here != there for here, there in zip(places, places[1:], strict=False)]
    assert moved in ([True, False] * 2 + [True], [False, True] * 2 + [False])  # every other step
    assert state["ghost_mode"][CHASER] == HUNTING


def test_an_eaten_ghost_goes_home_and_hunts_again():
    env = scene((1, 5), LEFT, [(CHASER, (1, 4), RIGHT)])
    state = env.states[0]
    state["ghost_mode"][CHASER], state["fright_left"] = FRIGHTENED, 30
    state["episode_length"] = 1  # so that it moves in this step
    _, rewards, terminals, *_ = env.step([LEFT])
    assert (rewards[0], terminals[0], state["ghosts_eaten"]) == (4.0, False, 1)  # and the dot
    assert state["ghost_mode"][CHASER] == RETURNING
    steps = maze.steps_to(HOME)[state["ghost_cell"][CHASER]]
    for _ in range(steps):
        assert state["ghost_mode"][CHASER] == RETURNING
        env.step([LEFT])
    assert (state["ghost_mode"][CHASER], state["ghost_cell"][CHASER]) == (HUNTING, HOME)


@pytest.mark.parametrize(("me", "ghost"), [((19, 10), (19, 8)), ((19, 10), (19, 9))])
def test_caught_when_met_or_passed(me, ghost):
    """From two cells away both come to the same cell; from one they pass through each other."""
    env = scene(me, LEFT, [(CHASER, ghost, RIGHT)])
    _, rewards, terminals, truncations, infos = env.step([LEFT])
    assert (rewards[0], terminals[0], truncations[0], infos[0]["score"]) == (1.0, True, False, 1)


def test_the_last_dot_wins():
    env = scene((19, 13))
    state = env.states[0]
    state["pickups"][:] = 0
    state["pickups"][PICKUP[maze.cell(19, 12)]] = 1
    state["score"] = PICKUPS - 1
    _, rewards, terminals, _, infos = env.step([LEFT])
    assert (rewards[0], terminals[0], infos[0]["score"]) == (1.0, True, PICKUPS)


def test_time_runs_out():
    env = scene((19, 13), max_steps=2)
    env.step([LEFT])
    *_, terminals, truncations, _ = env.step([LEFT])
    assert (terminals[0], truncations[0]) == (False, True)


def test_every_number_of_the_observation():
    env = scene((19, 13), LEFT, [(SHY, (1, 6), RIGHT)])
    seen = env.step([LEFT])[0][0]
    state = env.states[0]
    np.testing.assert_allclose(seen[:11], [12 / 26, 19 / 20, 0, 0, 1, 0, 0, 0, 1, 1, 0], atol=1e-6)
    for g in range(4):
        row, column = where(state["ghost_cell"][g])
        heading = np.eye(4)[state["ghost_heading"][g]]
        expected = [(column - 12) / 26, (row - 19) / 20, *heading, 1, 0, 0]
        np.testing.assert_allclose(seen[11 + 9 * g : 20 + 9 * g], expected, atol=1e-6)
    np.testing.assert_array_equal(seen[47:], state["pickups"])
    assert seen[47:].sum() == 243


def test_random_play_keeps_the_rules():
    env, random = PacMan(num_envs=32), np.random.default_rng(0)
    env.reset(1)
    for _ in range(400):
        observations, _, terminals, _, _ = env.step(random.integers(0, 4, 32))
        assert np.abs(observations).max() <= 1.0
        going_on = ~terminals
        eaten = PICKUPS - env.states["pickups"].sum(1)
        np.testing.assert_array_equal(eaten[going_on], env.states["score"][going_on])


def test_looking_ahead_beats_chance():
    scores = {}
    for name in ("random", "scripted"):
        env, random, ended = PacMan(num_envs=32), np.random.default_rng(0), []
        env.reset(0)
        for _ in range(400):
            actions = scripted(env) if name == "scripted" else random.integers(0, 4, 32)
            ended += [info["score"] for info in env.step(actions)[4]]
        scores[name] = np.mean(ended)
    assert scores["scripted"] > 3 * scores["random"] > 0


@pytest.mark.parametrize("params", [{}, {"fright": 3, "scatter": 2, "chase": 5, "max_steps": 40}])
def test_compiled_equals_python(params):
    compare_with_python(PacMan, steps=150, num_envs=3, **params)


def test_the_picture_shows_player_and_ghosts():
    from ocean_numba import palette

    env = scene((19, 13), LEFT, [(CHASER, (1, 6), RIGHT)])
    picture = env.render()
    assert picture.shape == (360, 432, 3)
    assert tuple(picture[24 + 19 * 16 + 8, 13 * 16 + 14]) == palette.YELLOW
    assert tuple(picture[24 + 16 + 12, 6 * 16 + 8]) == palette.VERMILLION
