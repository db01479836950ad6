"""Pong's rules: walls, paddles, points, the computer's paddle, self-play as seen from both sides."""

from __future__ import annotations

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette
from ocean_numba.pong import (
    HALF_PADDLE,
    HEIGHT,
    JITTER,
    MAX_SPEED,
    RADIUS,
    REACH,
    STEEPEST,
    WIDTH,
    Pong,
    scripted,
)
from ocean_numba.testing import compare_with_python

STAY, UP, DOWN = 0, 1, 2
RIGHT, LEFT = 0, 1


def place(env: Pong, **values: float) -> None:
    for field, value in values.items():
        env.states[field] = value


def alone(players: int = 1, frameskip: int = 1, **params: float) -> Pong:
    env = Pong(num_envs=1, players=players, frameskip=frameskip, **params)
    env.reset(0)
    return env


def test_the_interface_is_what_the_page_says():
    env = Pong(num_envs=3)
    observations, _ = env.reset(0)
    assert observations.shape == (3, 8)
    assert observations.dtype == np.float32
    assert env.action_space.n == 3
    assert Pong(num_envs=3, players=2).num_agents == 6


def test_every_number_of_the_observation():
    env = alone(players=2, points=10)
    place(env, paddle=[6.0, 20.0], x=30.0, y=12.0, vx=0.8, vy=-0.35, won=[3, 5])
    env.step([STAY, STAY])
    x, y = 30.8, 11.65
    expected = [6 / 15 - 1, 20 / 15 - 1, x / 20 - 1, y / 15 - 1, 0.8 / MAX_SPEED, -0.5, 0.3, 0.5]
    np.testing.assert_allclose(env.observations[RIGHT], expected, atol=1e-6)
    mirrored = [20 / 15 - 1, 6 / 15 - 1, 1 - x / 20, y / 15 - 1, -0.8 / MAX_SPEED, -0.5, 0.5, 0.3]
    np.testing.assert_allclose(env.observations[LEFT], mirrored, atol=1e-6)


def test_paddles_move_and_stop_at_the_walls():
    env = alone(players=2, frameskip=4)
    env.step([UP, DOWN])
    np.testing.assert_allclose(env.states["paddle"][0], [15 - 1.6, 15 + 1.6], atol=1e-5)
    for _ in range(10):
        place(env, x=20.0, y=15.0)  # the ball stays out of it
        env.step([UP, DOWN])
    np.testing.assert_allclose(env.states["paddle"][0], [HALF_PADDLE, HEIGHT - HALF_PADDLE])


def test_the_ball_bounces_off_both_walls():
    env = alone()
    place(env, x=20.0, y=0.7, vx=0.8, vy=-0.5)
    env.step([STAY])
    assert env.states["y"][0] == pytest.approx(2 * RADIUS - 0.2)
    assert env.states["vy"][0] == 0.5
    place(env, y=HEIGHT - 0.7, vy=0.5)
    env.step([STAY])
    assert env.states["y"][0] == pytest.approx(HEIGHT - 0.8)
    assert env.states["vy"][0] == -0.5
    assert env.states["vx"][0] == pytest.approx(0.8)


@pytest.mark.parametrize("seat", [RIGHT, LEFT])
@pytest.mark.parametrize("offset", [-2.7, -1.0, 0.0, 1.0, 2.7])
def test_where_the_paddle_is_hit_sets_the_angle_and_each_hit_makes_the_ball_faster(seat, offset):
    env = alone(players=2)
    toward = 1.0 if seat == RIGHT else -1.0
    end = WIDTH - RADIUS if seat == RIGHT else RADIUS
    place(env, paddle=12.0, x=end - 0.3 * toward, y=12.0 + offset, vx=0.8 * toward, vy=0.0)
    _, rewards, *_ = env.step([STAY, STAY])
    state = env.states[0]
    assert state["x"] == end
    assert state["vx"] == pytest.approx(-1.05 * 0.8 * toward)
    assert state["vy"] == pytest.approx(STEEPEST * offset / REACH, abs=JITTER + 1e-6)
    assert abs(state["vy"]) <= np.float32(STEEPEST)
    np.testing.assert_array_equal(rewards, 0)


def test_the_ball_never_flies_faster_than_twice_its_first_speed():
    env = alone(players=2)
    for _ in range(20):
        place(env, paddle=15.0, x=WIDTH - 1.0, y=15.0, vx=abs(env.states["vx"][0]))
        env.step([STAY, STAY])
    assert env.states["vx"][0] == pytest.approx(-MAX_SPEED)


@pytest.mark.parametrize("loser", [RIGHT, LEFT])
def test_a_missed_ball_is_a_point_for_the_other_side(loser):
    env = alone(players=2)
    toward = 1.0 if loser == RIGHT else -1.0
    end = WIDTH - RADIUS if loser == RIGHT else RADIUS
    place(env, paddle=12.0, x=end - 0.3 * toward, y=12.0 + REACH + 0.1, vx=0.8 * toward, vy=0.0)
    _, rewards, terminals, *_ = env.step([STAY, STAY])
    assert rewards[loser] == -1
    assert rewards[1 - loser] == 1
    assert not terminals.any()
    state = env.states[0]
    assert state["won"][1 - loser] == 1
    assert state["won"][loser] == 0
    assert state["score"][1 - loser] == 1
    assert state["score"][loser] == -1
    assert state["x"] == WIDTH / 2  # a new ball
    assert abs(state["vx"]) == np.float32(0.8)


@pytest.mark.parametrize(("winner", "reward"), [(RIGHT, 1), (LEFT, -1)])
def test_the_last_point_ends_the_game(winner, reward):
    env = alone(points=5)
    place(env, won=[2, 2])
    env.states["won"][0, winner] = 4
    toward = 1.0 if winner == LEFT else -1.0
    place(env, paddle=5.0, x=20 + 19.4 * toward, y=25.0, vx=0.8 * toward)
    _, rewards, terminals, truncations, infos = env.step([STAY])
    assert rewards[0] == reward
    assert terminals[0]
    assert not truncations[0]
    assert infos[0]["score"] == (3 if winner == RIGHT else -3)
    np.testing.assert_array_equal(env.states["won"][0], 0)


def test_the_computers_paddle_follows_the_ball_at_its_own_speed():
    env = alone(opponent_speed=0.25)
    place(env, x=20.0, y=10.0, vx=0.8, vy=0.0)
    env.step([STAY])
    assert env.states["paddle"][0, LEFT] == pytest.approx(14.75)
    place(env, y=14.85)
    env.step([STAY])
    assert env.states["paddle"][0, LEFT] == pytest.approx(14.85)
    assert env.states["paddle"][0, RIGHT] == 15.0


def test_a_long_game_is_truncated_for_both_sides():
    env = Pong(num_envs=2, players=2, max_steps=7)
    env.reset(0)
    for step in range(1, 8):
        place(env, x=20.0, vx=0.8)
        *_, terminals, truncations, infos = env.step([UP, DOWN] * 2)
        assert truncations.all() == truncations.any() == (step == 7)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [7] * 4
    assert (env.final_observations[::2, 0] < -0.5).all()
    np.testing.assert_allclose(env.observations[:, 0], 0.0)


def test_four_frames_are_four_steps_of_one_frame():
    slow, fast = Pong(num_envs=32, frameskip=1), Pong(num_envs=32, frameskip=4)
    slow.reset(5)
    fast.reset(5)
    random, alive, seen = np.random.default_rng(1), np.ones(32, bool), 0
    for _ in range(40):
        actions = random.integers(0, 3, 32)
        lost = np.zeros(32, bool)
        for _ in range(4):
            lost |= slow.step(actions)[1] != 0
        alive &= ~lost & (fast.step(actions)[1] == 0)  # a point ends its step early
        for field in ("paddle", "x", "y", "vx", "vy"):
            np.testing.assert_array_equal(slow.states[field][alive], fast.states[field][alive])
        seen += alive.sum()
    assert seen > 300


@pytest.mark.parametrize("players", [1, 2])
def test_random_play_keeps_the_rules(players):
    env = Pong(num_envs=64, players=players, points=3)
    env.reset(3)
    random = np.random.default_rng(0)
    ended = []
    for _ in range(1000):
        before = env.states["won"].copy()
        observations, rewards, terminals, _, infos = env.step(random.integers(0, 3, env.num_agents))
        assert (np.abs(observations) <= 1.0 + 1e-6).all()
        state, points = env.states, rewards.reshape(64, players)
        assert (np.abs(state["vx"]) >= np.float32(0.8)).all()  # no ball hangs in the air
        assert (np.abs(state["vx"]) <= np.float32(MAX_SPEED)).all()
        on = ~terminals.reshape(64, players)[:, 0]
        gained = (state["won"] - before)[on]
        np.testing.assert_array_equal(points[on, 0], gained[:, RIGHT] - gained[:, LEFT])
        if players == 2:
            np.testing.assert_array_equal(points.sum(axis=1), 0)
        ended += [(info["score"], info["episode_return"]) for info in infos]
    assert len(ended) > 50
    assert all(score == total and 1 <= abs(score) <= 3 for score, total in ended)


def test_balls_start_in_many_ways_and_the_seed_decides_which():
    env = Pong(num_envs=200)
    env.reset(0)
    first = env.states[["y", "vx", "vy"]].tolist()
    assert len(set(first)) == 200
    assert 60 < (env.states["vx"] > 0).sum() < 140
    env.reset(0)
    assert env.states[["y", "vx", "vy"]].tolist() == first
    env.reset(1)
    assert not set(env.states[["y", "vx", "vy"]].tolist()) & set(first)


def test_the_scripted_player_beats_the_computer_and_chance_does_not():
    by_chance, by_hand = random_and_scripted(Pong(num_envs=32, points=5), scripted, steps=600)
    assert by_chance < -2
    assert by_hand > 4


@pytest.mark.parametrize(
    "params", [{"points": 2}, {"players": 2, "points": 2}, {"frameskip": 1, "max_steps": 60}]
)
def test_compiled_equals_python(params):
    compare_with_python(Pong, steps=150, num_envs=4, **params)


def test_the_picture_shows_ball_paddles_and_points():
    env = alone()
    place(env, paddle=[6.0, 20.0], x=10.0, y=10.0, vx=-0.8)
    picture = env.render()
    assert picture.shape == (330, 400, 3)
    unit, top = 9.5, 330 - 30 * 9.5
    assert tuple(picture[int(top + 10 * unit), int(10 + 10 * unit)]) == palette.SNOW
    assert tuple(picture[int(top + 6 * unit), 393]) == palette.SKY_BLUE
    assert tuple(picture[int(top + 20 * unit), 6]) == palette.ORANGE
    env.states["won"] = [0, 7]
    assert (env.render()[: int(top)] != picture[: int(top)]).any()
