"""Flappy's rules: falling and flapping, pipes, crashes, and what the bird sees."""

from __future__ import annotations

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.flappy import (
    BESIDE,
    BIRD_X,
    FLAP,
    GRAVITY,
    HEIGHT,
    HIGHEST,
    LOWEST,
    MAX_FALL,
    RADIUS,
    SCROLL,
    SPACING,
    Flappy,
    scripted,
)
from ocean_numba.testing import compare_with_python

NOTHING, FLAPPING = 0, 1


def game(**state: float) -> Flappy:
    env = Flappy(num_envs=1)
    env.reset(0)
    for field, value in state.items():
        env.states[field] = value
    return env


def test_the_interface_is_what_the_page_says():
    env = Flappy(num_envs=3)
    observations, _ = env.reset(0)
    assert observations.shape == (3, 5)
    assert observations.dtype == np.float32
    assert env.action_space.n == 2
    np.testing.assert_allclose(observations[:, :3], [[0, 0, 1]] * 3)


def test_every_number_of_the_observation():
    env = game(y=4.0, vy=0.1, pipe=7.0, gap_y=5.0, later_y=8.5)
    seen = env.step([NOTHING])[0][0]
    y = 4.0 + 0.13
    expected = [y / 6 - 1, 0.13 / MAX_FALL, (7.0 - SCROLL - BIRD_X) / SPACING, (5 - y) / 6, (8.5 - y) / 6]
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_the_bird_falls_faster_and_faster_and_a_flap_lifts_it():
    env = game(y=2.0)
    heights = []
    for _ in range(10):
        env.step([NOTHING])
        heights.append(float(env.states["y"][0]))
    np.testing.assert_allclose(np.diff([2.0, *heights]), GRAVITY * np.arange(1, 11), atol=1e-5)
    env.states["vy"] = 0.49
    env.step([NOTHING])
    env.step([NOTHING])
    assert env.states["vy"][0] == MAX_FALL
    y = env.states["y"][0]
    env.step([FLAPPING])
    assert env.states["vy"][0] == pytest.approx(FLAP)
    assert env.states["y"][0] == pytest.approx(y + FLAP, abs=1e-5)
    for _ in range(10):
        env.step([NOTHING])
    assert y - env.states["y"][0] == pytest.approx(1.98, abs=1e-4)  # the top of its way


@pytest.mark.parametrize(("offset", "crashed"), [(-1.26, True), (-1.24, False), (1.24, False), (1.26, True)])
def test_the_gap_lets_it_through_and_the_pipe_does_not(offset, crashed):
    env = game(pipe=BIRD_X + 0.5, gap_y=6.0, vy=-GRAVITY, y=6.0 + offset)  # it stays at this height
    _, rewards, terminals, truncations, infos = env.step([NOTHING])
    assert terminals[0] == crashed
    assert rewards[0] == (-1 if crashed else 0)
    assert not truncations[0]
    assert len(infos) == crashed


@pytest.mark.parametrize("side", [-1, 1])
def test_the_pipe_counts_only_while_the_bird_is_beside_it(side):
    env = game(pipe=BIRD_X + SCROLL + side * (BESIDE - 0.01), gap_y=3.0, y=9.0, vy=-GRAVITY)
    assert env.step([NOTHING])[2][0]
    env = game(pipe=BIRD_X + SCROLL + side * (BESIDE + 0.01), gap_y=3.0, y=9.0, vy=-GRAVITY)
    assert not env.step([NOTHING])[2][0]


def test_a_passed_pipe_is_a_point_and_the_next_one_follows():
    env = game(pipe=BIRD_X - BESIDE + 0.1, gap_y=6.0, later_y=7.5, y=6.0, vy=0.0)
    _, rewards, terminals, *_ = env.step([NOTHING])
    assert rewards[0] == 1
    assert not terminals[0]
    state = env.states[0]
    assert state["score"] == 1
    assert state["pipe"] == pytest.approx(BIRD_X - BESIDE + 0.1 - SCROLL + SPACING)
    assert (state["passed"], state["gap_y"]) == (6.0, 7.5)
    assert HIGHEST <= state["later_y"] <= LOWEST


def test_a_pipe_passed_while_crashing_is_no_point():
    env = game(pipe=BIRD_X - BESIDE + 0.1, gap_y=9.0, y=HEIGHT - RADIUS - 0.01)
    _, rewards, terminals, _, infos = env.step([NOTHING])
    assert rewards[0] == -1
    assert terminals[0]
    assert infos[0]["score"] == 0


@pytest.mark.parametrize("y", [RADIUS + 0.01, HEIGHT - RADIUS - 0.01])
def test_ceiling_and_ground_kill(y):
    env = game(y=y, vy=0.0)
    _, rewards, terminals, *_ = env.step([FLAPPING if y < 6 else NOTHING])
    assert terminals[0]
    assert rewards[0] == -1
    assert env.states["y"][0] == 6.0  # the next episode


def test_a_long_flight_is_truncated_with_what_was_seen_last():
    env = Flappy(num_envs=2, max_steps=4)
    env.reset(0)
    for step in range(1, 5):
        *_, terminals, truncations, infos = env.step([NOTHING, NOTHING])
        assert truncations.all() == (step == 4)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [4, 4]
    np.testing.assert_allclose(env.final_observations[:, 1], 4 * GRAVITY / MAX_FALL, atol=1e-6)
    np.testing.assert_allclose(env.observations[:, 1], 0)


def test_play_keeps_the_rules():
    env = Flappy(num_envs=64, max_steps=400)
    env.reset(3)
    random = np.random.default_rng(0)
    passed = 0
    for _ in range(800):
        actions = np.where(np.arange(64) < 32, random.random(64) < 0.08, scripted(env)).astype(np.int32)
        observations, rewards, terminals, *_ = env.step(actions)
        state = env.states
        assert (np.abs(observations) <= [1, 1, 1.001, 2, 2]).all()
        assert (state["y"] >= RADIUS).all()
        assert (state["y"] <= HEIGHT - RADIUS).all()
        for gap in ("gap_y", "later_y"):
            assert ((state[gap] >= HIGHEST) & (state[gap] <= LOWEST)).all()
        beside = np.abs(state["pipe"] - BIRD_X) < BESIDE
        inside = np.abs(state["y"] - state["gap_y"]) <= 1.6 - RADIUS + 1e-5
        assert inside[beside].all()
        assert ((rewards == -1) == terminals).all()
        passed += (rewards == 1).sum()
    assert passed > 200


def test_the_seed_decides_the_gaps():
    env = Flappy(num_envs=50)
    first = env.reset(0)[0].copy()
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert len(np.unique(first[:, 3])) == 50
    assert (env.reset(1)[0][:, 3] != first[:, 3]).all()


def test_the_scripted_bird_flies_and_chance_does_not():
    by_chance, by_hand = random_and_scripted(Flappy(num_envs=64, max_steps=500), scripted, steps=1000)
    assert by_chance < 0.1
    assert by_hand > 5


@pytest.mark.parametrize("params", [{}, {"gap": 5.0, "max_steps": 25}])
def test_compiled_equals_python(params):
    compare_with_python(Flappy, steps=150, num_envs=4, **params)


def test_the_picture_shows_bird_pipes_and_points():
    env = game(y=5.0, pipe=8.0, gap_y=6.0, later_y=4.0)
    picture = env.render()
    assert picture.shape == (360, 360, 3)
    assert tuple(picture[150, 85]) == palette.YELLOW
    assert tuple(picture[int((6 - 1.6) * 30) - 7, 240]) == palette.GREEN
    assert tuple(picture[180, 240]) == palette.NIGHT
    env.states["score"] = 5
    assert (env.render()[:30, :30] != picture[:30, :30]).any()
