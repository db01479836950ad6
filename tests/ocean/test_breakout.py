"""Breakout's rules: physics against a slow reference, the score and its maximum, how episodes end."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocean_numba import breakout
from ocean_numba.breakout import BRICKS, COLUMNS, HEIGHT, PADDLE_Y, RADIUS, WIDTH, Breakout
from ocean_numba.testing import compare_with_python

POINTS = np.repeat([7, 7, 4, 4, 1, 1], COLUMNS)
STAY, LEFT, RIGHT = 0, 1, 2


def follow(env: Breakout) -> np.ndarray:
    """Actions that keep the paddle under the ball."""
    offset = env.states["x"] - env.states["paddle"]
    return np.where(offset > 0.6, RIGHT, np.where(offset < -0.6, LEFT, STAY)).astype(np.int32)


def overlapped(x: np.ndarray, y: np.ndarray, bricks: np.ndarray, slack: float) -> np.ndarray:
    """For each game, whether the ball is more than ``slack`` inside a brick that stands."""
    places = np.arange(BRICKS)
    left, top = places % COLUMNS, breakout.WALL_TOP + places // COLUMNS * 0.5
    wide = np.minimum(x[:, None] + RADIUS, left + 1) - np.maximum(x[:, None] - RADIUS, left)
    high = np.minimum(y[:, None] + RADIUS, top + 0.5) - np.maximum(y[:, None] - RADIUS, top)
    return ((np.minimum(wide, high) > slack) & (bricks != 0)).any(axis=1)


def place_ball(env: Breakout, x: float, y: float, vx: float, vy: float) -> None:
    for field, value in (("x", x), ("y", y), ("vx", vx), ("vy", vy), ("speed", math.hypot(vx, vy))):
        env.states[field] = value


def test_the_interface_is_what_the_page_says():
    env = Breakout(num_envs=3)
    observations, _ = env.reset(0)
    assert observations.shape == (3, 118)
    assert observations.dtype == np.float32
    assert env.action_space.n == 3
    for row in observations:
        assert row[0] == pytest.approx(0.0, abs=1e-6)
        assert row[6] == pytest.approx(0.2 / 0.35)
        assert row[7] == 1.0
        assert row[8] == 0.0
        assert row[9] == 1.0
        assert (row[10:] == 1.0).all()
    env.step(np.full(3, RIGHT))
    state = env.states[0]
    assert env.observations[0, 0] == pytest.approx(4 * breakout.MOVES[RIGHT] / 9, abs=1e-6)
    np.testing.assert_allclose(env.observations[0, 1:3], [state["x"] / 9 - 1, state["y"] / 8 - 1], atol=1e-6)
    np.testing.assert_allclose(env.observations[0, 3], (state["x"] - state["paddle"]) / 9, atol=1e-6)
    np.testing.assert_allclose(env.observations[0, 4:6], [state["vx"] / 0.35, state["vy"] / 0.35], atol=1e-6)


@pytest.mark.parametrize("speed", [0.2, 0.9, 4.0])
def test_every_step_keeps_the_rules(speed):
    """Random play and good play, slow balls and absurdly fast ones."""
    env = Breakout(num_envs=64, frameskip=1, ball_speed=speed, max_ball_speed=1.5 * speed, max_steps=100_000)
    env.reset(3)
    random = np.random.default_rng(0)
    for _ in range(1500):
        before = env.states.copy()
        actions = follow(env)
        actions[:16] = random.integers(0, 3, 16)
        observations, rewards, terminals, truncations, _ = env.step(actions)
        now, on = env.states, ~terminals & ~truncations
        assert env.observation_space.contains(observations[5])
        assert (np.abs(observations) <= 2.0).all()

        fallen = (before["bricks"] != 0) & (now["bricks"] == 0)
        rebuilt = on & (before["standing"] == 0) & (now["standing"] == BRICKS)
        assert (fallen.sum(axis=1)[on] <= 1).all()  # one frame, one brick at most
        risen = (before["bricks"] == 0) & (now["bricks"] != 0)
        assert not risen[on & ~rebuilt].any()
        np.testing.assert_array_equal(rewards[on & ~rebuilt], (fallen @ POINTS)[on & ~rebuilt])

        score = 432 * now["walls"] + (now["bricks"] == 0) @ POINTS
        same_wall = now["standing"] > 0  # an empty wall is counted in walls already
        np.testing.assert_array_equal(now["score"][same_wall], score[same_wall])
        np.testing.assert_array_equal(now["standing"], (now["bricks"] != 0).sum(axis=1))

        assert (now["x"] >= RADIUS).all()
        assert (now["x"] <= np.float32(WIDTH - RADIUS)).all()
        assert (now["y"] >= RADIUS).all()
        assert (now["y"] <= HEIGHT).all()
        assert not overlapped(now["x"], now["y"], now["bricks"], slack=2e-3).any()
        np.testing.assert_allclose(np.hypot(now["vx"], now["vy"]), now["speed"], rtol=1e-4)
        assert (np.abs(now["vy"]) >= 0.5 * now["speed"]).all()  # no endless way from side to side


def test_the_ball_breaks_the_brick_that_it_touches_first():
    """first_brick() against a ball that creeps along in 1000 tiny steps."""
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(1500):
        bricks = (random.random(BRICKS) < random.choice([0.1, 0.5])).astype(np.uint8)
        x, y = random.uniform(RADIUS, WIDTH - RADIUS), random.uniform(1.0, 6.0)
        if overlapped(np.array([x]), np.array([y]), bricks[None], 0.0)[0]:
            continue
        angle, length = random.uniform(0, 2 * math.pi), random.choice([0.3, 1.0, 4.0])
        dx, dy = length * math.cos(angle), length * math.sin(angle)
        creep = np.linspace(0.0, 1.0, 1000)
        at_x, at_y = x + creep * dx, y + creep * dy
        touching = overlapped(at_x, at_y, np.broadcast_to(bricks, (1000, BRICKS)), 0.0)
        brick, share, from_side = breakout.first_brick(bricks, x, y, dx, dy)
        if not touching.any():
            assert brick == -1
            continue
        first = min(int(touching.argmax()), 998)
        assert brick >= 0
        assert share == pytest.approx(creep[first], abs=1.5 / 1000)
        # Taking that brick away must free the ball there, or leave it in the other one that it met as well.
        alone = np.zeros((1, BRICKS), np.uint8)
        alone[0, brick] = 1
        assert overlapped(at_x[[first + 1]], at_y[[first + 1]], alone, -1e-2).all()
        # The side that was hit is the one whose edges coincide at the moment of contact.
        row, column = divmod(brick, COLUMNS)
        ball_x, ball_y = x + share * dx, y + share * dy
        gap_x = abs(abs(ball_x - column - 0.5) - 0.5 - RADIUS)
        gap_y = abs(abs(ball_y - breakout.WALL_TOP - row * 0.5 - 0.25) - 0.25 - RADIUS)
        assert (gap_x if from_side else gap_y) < 1e-9
        hits += 1
    assert hits > 150


@pytest.mark.parametrize("speed", [0.5, 3.0, 9.0])
def test_nothing_passes_through_a_whole_wall(speed):
    env = Breakout(num_envs=1, frameskip=1, max_ball_speed=10.0)
    for aim in np.linspace(-0.8, 0.8, 33):
        env.reset(0)
        place_ball(env, 9.0 + 5 * aim, 5.0 + RADIUS + 0.01, speed * aim, -speed * math.sqrt(1 - aim * aim))
        _, rewards, *_ = env.step([STAY])
        assert rewards[0] == 1.0  # a brick of the lowest row
        assert env.states["y"][0] == pytest.approx(5.0 + RADIUS, abs=1e-5)
        assert env.states["vy"][0] > 0
        env.step([STAY])
        assert env.states["standing"][0] == BRICKS - 1


def test_a_brick_can_be_hit_from_its_side_and_from_above():
    env = Breakout(num_envs=1, frameskip=1)
    env.reset(0)
    env.states["bricks"] = 0
    env.states["bricks"][0, 2 * COLUMNS + 5] = 1  # x 5..6, y 3..3.5
    env.states["standing"] = 2  # one more than there is: the wall does not count as cleared
    place_ball(env, 4.6, 3.25, 0.3, -0.1)
    _, rewards, *_ = env.step([STAY])
    assert rewards[0] == 4.0
    np.testing.assert_allclose(env.states[0][["x", "vx", "vy"]].tolist(), [4.8, -0.3, -0.1], atol=1e-5)

    env.states["bricks"][0, 2 * COLUMNS + 5] = 1
    place_ball(env, 5.5, 2.7, 0.05, 0.3)
    _, rewards, *_ = env.step([STAY])
    assert rewards[0] == 4.0
    np.testing.assert_allclose(env.states[0][["y", "vx", "vy"]].tolist(), [2.8, 0.05, -0.3], atol=1e-5)


def test_the_highest_score_is_864_and_is_reached_by_clearing_two_walls():
    assert breakout.WALLS * POINTS.sum() == breakout.MAX_SCORE == 864
    # A paddle as wide as the arena never loses the ball: the games must end by themselves, with all points.
    env = Breakout(num_envs=8, paddle_width=WIDTH, max_steps=100_000)
    env.reset(1)
    ended = []
    for _ in range(10_000):
        *_, truncations, infos = env.step(np.zeros(8, np.int32))
        assert not truncations.any()
        ended += list(infos)
        if len(ended) >= 8:
            break
    assert len(ended) >= 8
    assert {info["score"] for info in ended} == {864}
    assert {info["episode_return"] for info in ended} == {864.0}


def test_the_second_wall_appears_when_the_ball_is_back_at_the_paddle():
    env = Breakout(num_envs=1, frameskip=1)
    env.reset(0)
    env.states["bricks"] = 0
    env.states["bricks"][0, 0] = 1
    env.states["standing"] = 1
    place_ball(env, 0.5, 2.75, 0.0, -0.2)
    _, rewards, terminals, *_ = env.step([STAY])
    assert (rewards[0], terminals[0]) == (7.0, False)
    assert (env.states["standing"][0], env.states["walls"][0]) == (0, 1)
    for _ in range(3):
        env.step([STAY])
    assert env.states["standing"][0] == 0
    place_ball(env, env.states["paddle"][0], PADDLE_Y - RADIUS - 0.1, 0.0, 0.2)
    env.step([STAY])
    assert env.states["standing"][0] == BRICKS
    assert env.states["bricks"].all()

    env.states["bricks"] = 0  # the last brick of the second wall ends the game
    env.states["bricks"][0, 0] = 1
    env.states["standing"] = 1
    place_ball(env, 0.5, 2.75, 0.0, -0.2)
    *_, terminals, truncations, infos = env.step([STAY])
    assert terminals[0]
    assert not truncations[0]
    assert infos[0]["score"] == 14


def test_lives_are_lost_at_the_floor_and_the_last_one_ends_the_game():
    env = Breakout(num_envs=1, frameskip=1, lives=3)
    env.reset(0)
    for left in (2, 1, 0):
        place_ball(env, 1.0, HEIGHT - 0.1, 0.0, 0.2)
        _, rewards, terminals, *_, infos = env.step([STAY])
        assert rewards[0] == 0.0
        assert terminals[0] == (left == 0)
        if left:
            assert env.states["balls"][0] == left
            assert env.states["y"][0] == pytest.approx(8.0)
            assert env.states["vy"][0] > 0
    assert len(infos) == 1
    assert env.states["balls"][0] == 3  # the next episode


def test_a_long_game_is_truncated_with_what_was_seen_last():
    env = Breakout(num_envs=2, max_steps=20)
    env.reset(0)
    for step in range(1, 21):
        *_, terminals, truncations, infos = env.step(np.array([LEFT, LEFT]))
        assert truncations.all() == (step == 20)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [20, 20]
    left_end = 1.2 / 9 - 1
    np.testing.assert_allclose(env.final_observations[:, 0], left_end, atol=1e-6)
    np.testing.assert_allclose(env.observations[:, 0], 0.0, atol=1e-6)


def test_where_the_paddle_is_hit_sets_the_angle_and_each_hit_makes_the_ball_faster():
    env = Breakout(num_envs=1, frameskip=1)
    env.reset(0)
    for offset in (-1.3, -0.7, 0.0, 0.7, 1.3):
        place_ball(env, 9.0 + offset, PADDLE_Y - RADIUS - 0.1, 0.0, 0.2)
        env.states["paddle"] = 9.0
        env.step([STAY])
        state = env.states[0]
        assert state["vy"] < 0
        assert state["vx"] / state["speed"] == pytest.approx(0.85 * offset / 1.4, abs=breakout.JITTER + 1e-5)
        assert state["speed"] == pytest.approx(0.206)
    place_ball(env, 9.0 + 1.5, PADDLE_Y - RADIUS - 0.1, 0.0, 0.2)  # beside the paddle
    env.step([STAY])
    assert env.states["vy"][0] > 0
    for _ in range(60):
        place_ball(env, 9.0, PADDLE_Y - RADIUS - 0.1, 0.0, env.states["speed"][0])
        env.step([STAY])
    assert env.states["speed"][0] == pytest.approx(0.35)


def test_the_paddle_moves_and_stops_at_the_walls():
    env = Breakout(num_envs=1)
    env.reset(0)
    env.step([RIGHT])
    assert env.states["paddle"][0] == pytest.approx(10.2)
    env.step([STAY])
    assert env.states["paddle"][0] == pytest.approx(10.2)
    for action, end in ((LEFT, 1.2), (RIGHT, WIDTH - 1.2)):
        for _ in range(20):
            env.step([action])
        assert env.states["paddle"][0] == pytest.approx(end)


def test_four_frames_are_four_steps_of_one_frame():
    slow, fast = Breakout(num_envs=16, frameskip=1), Breakout(num_envs=16, frameskip=4)
    slow.reset(5)
    fast.reset(5)
    random, alive, seen = np.random.default_rng(1), np.ones(16, bool), 0
    for _ in range(60):
        actions = random.integers(0, 3, 16)
        total = np.zeros(16)
        for _ in range(4):
            total += slow.step(actions)[1]
        rewards = fast.step(actions)[1]
        alive &= (fast.states["balls"] == 5) & (slow.states["balls"] == 5)  # a lost ball ends its step early
        np.testing.assert_array_equal(total[alive], rewards[alive])
        for field in ("paddle", "x", "y", "vx", "vy", "bricks"):
            np.testing.assert_array_equal(slow.states[field][alive], fast.states[field][alive])
        seen += alive.sum()
    assert seen > 300


def test_balls_start_in_many_ways_and_the_seed_decides_which():
    env = Breakout(num_envs=200)
    env.reset(0)
    first = env.states[["x", "vx"]].tolist()
    assert len(set(first)) == 200
    assert np.ptp(env.states["x"]) > 10
    assert np.ptp(env.states["vx"] / env.states["speed"]) > 1.0
    env.reset(0)
    assert env.states[["x", "vx"]].tolist() == first
    env.reset(1)
    assert not set(env.states[["x", "vx"]].tolist()) & set(first)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"frameskip": 1, "ball_speed": 0.9, "max_ball_speed": 2.0, "lives": 2},
        {"paddle_width": 18.0, "max_steps": 150},
    ],
)
def test_compiled_equals_python(params):
    compare_with_python(Breakout, steps=200, num_envs=4, **params)


def test_the_picture_shows_bricks_ball_paddle_and_score():
    from ocean_numba import palette

    env = Breakout(num_envs=2)
    env.reset(0)
    picture = env.render(1)
    assert picture.shape == (324, 324, 3)
    unit, top = 18, 36
    assert tuple(picture[top + 2 * unit + 4, 9]) == palette.PURPLE
    state = env.states[1]
    assert tuple(picture[int(top + state["y"] * unit), int(state["x"] * unit)]) == palette.SNOW
    assert tuple(picture[int(top + (PADDLE_Y + 0.2) * unit), 162]) == palette.SKY_BLUE
    env.states["bricks"][1, 0] = 0
    changed = env.render(1)
    assert tuple(changed[top + 2 * unit + 4, 9]) == palette.NIGHT
    env.states["score"][1] = 7
    assert (env.render(1)[:top] != changed[:top]).any()


def test_following_the_ball_is_far_better_than_chance():
    """The game can be played well with what is observed, and not by luck."""
    scores = {}
    for name in ("random", "follow"):
        env = Breakout(num_envs=64, max_steps=600)
        env.reset(0)
        random = np.random.default_rng(0)
        ended = []
        for _ in range(600):
            *_, infos = env.step(follow(env) if name == "follow" else random.integers(0, 3, 64))
            ended += [info["score"] for info in infos]
        scores[name] = np.mean(ended)
    assert scores["random"] < 20
    assert scores["follow"] > 5 * scores["random"]
