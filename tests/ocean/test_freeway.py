"""Freeway's rules: traffic, walking, being hit, crossings, and what the chicken sees."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba import palette
from ocean_numba.freeway import (
    CAR_LENGTH,
    CAR_SPEEDS,
    CARS,
    CHICKEN_X,
    DOWN,
    GOAL,
    LANES,
    LOOP,
    NOTHING,
    SLIDE,
    SPEEDS,
    START,
    STUN,
    TOUCH,
    UP,
    WALK,
    Freeway,
    scripted,
)
from ocean_numba.testing import compare_with_python

BESIDE = CHICKEN_X + 0.5 * CAR_LENGTH  # a car here is right on the chicken's way
FAR = BESIDE + 0.45 * LOOP


def game(y: float, frameskip: int = 1, **params: int) -> Freeway:
    """One game with the chicken at ``y`` and all cars far away."""
    env = Freeway(num_envs=1, frameskip=frameskip, **params)
    env.reset(0)
    env.states["y"] = y
    env.states["cars"] = FAR
    return env


def car(env: Freeway, lane: int, x: float) -> None:
    """Put one car of this lane where its middle is ``x`` after the next frame."""
    env.states["cars"][0, lane * CARS] = x + 0.5 * CAR_LENGTH - SPEEDS[lane]


def test_the_interface_is_what_the_page_says():
    env = Freeway(num_envs=3)
    observations, _ = env.reset(0)
    assert observations.shape == (3, 34)
    assert observations.dtype == np.float32
    assert env.action_space.n == 3
    np.testing.assert_allclose(observations[:, :4], [[-1, 0.5, 0, 0]] * 3)


def test_every_number_of_the_observation():
    env = Freeway(num_envs=20, max_steps=10_000)
    env.reset(0)
    random = np.random.default_rng(0)
    for _ in range(300):
        env.step(random.choice([UP, NOTHING, DOWN], 20, p=[0.8, 0.1, 0.1]))
    seen = 0
    for state, row in zip(env.states, env.observations, strict=True):
        y, own = float(state["y"]), int(np.clip(np.floor(state["y"]), 0, LANES - 1))
        middle = 0.5 * (START + GOAL)
        expected = [(y - middle) / (GOAL - middle), y % 1, state["crossed"] / 10, state["stun"] / STUN]
        np.testing.assert_allclose(row[:4], expected, atol=1e-5)
        for k in range(LANES):
            lane = (own + k) % LANES
            # Frames until each car has passed, and since it touches: by driving there, round and round.
            x, speed = state["cars"][lane * CARS : (lane + 1) * CARS].astype(float), float(SPEEDS[lane])
            way = ((BESIDE - x) * np.sign(speed) + TOUCH) % LOOP
            if way.min() < 1e-3 or way.max() > LOOP - 1e-3:
                continue  # just passing: rounding decides on which side
            passed, _, _ = np.sort(way / abs(speed) / 100)
            comes, second, _ = np.sort((way - 2 * TOUCH) / abs(speed) / 100)
            np.testing.assert_allclose(
                row[4 + 3 * k : 7 + 3 * k], np.minimum([comes, passed, second], 1), atol=1e-4
            )
            seen += comes < 0
    assert seen > 10


def test_the_chicken_walks_and_stays_on_the_road():
    env = game(0.5)
    env.step([UP])
    assert env.states["y"][0] == pytest.approx(0.5 + WALK)
    env.step([NOTHING])
    assert env.states["y"][0] == pytest.approx(0.5 + WALK)
    env.step([DOWN])
    assert env.states["y"][0] == pytest.approx(0.5)
    for _ in range(40):
        env.step([DOWN])
    assert env.states["y"][0] == START


def test_cars_drive_round_in_their_direction():
    env = game(START)
    before = env.states["cars"][0].copy()
    env.step([NOTHING])
    np.testing.assert_allclose(env.states["cars"][0], before + CAR_SPEEDS, atol=1e-5)
    assert (CAR_SPEEDS[: 5 * CARS] > 0).all()
    assert (CAR_SPEEDS[5 * CARS :] < 0).all()
    env.states["cars"][0, 0], env.states["cars"][0, -1] = LOOP - 0.01, 0.01
    env.step([NOTHING])
    np.testing.assert_allclose(env.states["cars"][0, [0, -1]], [0.02, LOOP - 0.02], atol=1e-5)


@pytest.mark.parametrize("lane", [0, 4, 9])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_car_hits_the_chicken_when_it_touches_it(lane, side):
    env = game(lane + 0.5)
    car(env, lane, CHICKEN_X + side * (TOUCH + 0.01))
    env.step([NOTHING])
    assert env.states["stun"][0] == 0
    car(env, lane, CHICKEN_X + side * (TOUCH - 0.01))
    env.step([NOTHING])
    assert env.states["stun"][0] == STUN


def test_cars_of_other_lanes_do_not_hit_it():
    env = game(3.5)
    car(env, 2, CHICKEN_X)
    car(env, 4, CHICKEN_X)
    env.step([NOTHING])
    assert env.states["stun"][0] == 0


def test_who_is_hit_slides_back_and_cannot_act_or_be_hit_again():
    env = game(5.5)
    car(env, 5, CHICKEN_X)
    env.step([NOTHING])
    for frame in range(1, STUN + 1):
        env.states["cars"] = BESIDE if frame < STUN else FAR
        env.step([UP])
        assert env.states["stun"][0] == STUN - frame
        assert env.states["y"][0] == pytest.approx(5.5 - frame * SLIDE, abs=1e-4)
    assert env.states["y"][0] == pytest.approx(4.0, abs=1e-4)
    env.step([UP])
    assert env.states["y"][0] == pytest.approx(4.0 + WALK, abs=1e-4)


def test_each_lane_is_paid_for_once_and_a_crossing_is_worth_one():
    env = game(START)
    total, lanes = 0.0, []
    for _ in range(500):
        env.states["cars"] = FAR
        down = env.states["y"][0] > 3.2 and len(lanes) < 300 and env.states["crossed"][0] == 3
        _, rewards, *_ = env.step([DOWN if down and len(lanes) % 2 else UP])
        total += rewards[0]
        lanes.append(int(env.states["crossed"][0]))
        if env.states["score"][0]:
            break
    assert env.states["score"][0] == 1
    assert total == pytest.approx(1.0, abs=1e-5)
    assert env.states["y"][0] == START
    assert env.states["crossed"][0] == 0
    assert max(lanes) == LANES


def test_the_game_is_truncated_when_time_is_up():
    env = Freeway(num_envs=2, max_steps=6)
    env.reset(0)
    for step in range(1, 7):
        *_, terminals, truncations, infos = env.step([UP, UP])
        assert truncations.all() == (step == 6)
        assert not terminals.any()
    assert [info["episode_length"] for info in infos] == [6, 6]
    assert (env.final_observations[:, 0] > -1).all()
    np.testing.assert_allclose(env.observations[:, 0], -1)


def test_four_frames_are_four_steps_of_one_frame():
    slow, fast = Freeway(num_envs=16, frameskip=1), Freeway(num_envs=16, frameskip=4)
    slow.reset(5)
    fast.reset(5)
    for _ in range(60):
        total = np.zeros(16, np.float32)
        for _ in range(4):
            total += slow.step(np.full(16, UP))[1]
        np.testing.assert_allclose(fast.step(np.full(16, UP))[1], total, atol=1e-6)
        for field in ("y", "stun", "cars", "score"):
            np.testing.assert_allclose(slow.states[field], fast.states[field], atol=1e-4)
    assert (fast.states["stun"] > 0).any()


def test_random_play_keeps_the_rules():
    env = Freeway(num_envs=64, max_steps=300)
    env.reset(3)
    random = np.random.default_rng(0)
    for step in range(700):
        actions = np.where(np.arange(64) < 32, random.integers(0, 3, 64), UP)
        observations, rewards, *_ = env.step(actions)
        assert (np.abs(observations) <= 1 + 1e-6).all()
        assert (rewards >= 0).all()
        state = env.states
        assert (state["y"] >= START).all()
        assert (state["y"] < GOAL).all()
        assert (state["cars"] >= 0).all()
        assert (state["cars"] <= np.float32(LOOP)).all()
        if step % 50 == 0:  # cars of a lane never touch
            x = np.sort(state["cars"].reshape(64, LANES, CARS), axis=2)
            gaps = np.append(np.diff(x, axis=2), x[..., :1] + LOOP - x[..., -1:], axis=2)
            assert (gaps > CAR_LENGTH).all()


def test_the_seed_decides_the_traffic():
    env = Freeway(num_envs=30)
    env.reset(0)
    first = env.states["cars"].copy()
    env.reset(0)
    np.testing.assert_array_equal(env.states["cars"], first)
    env.reset(1)
    assert (env.states["cars"] != first).all()


def test_looking_out_for_cars_beats_walking_on_and_chance():
    scores = {}
    for name in ("random", "up", "scripted"):
        env = Freeway(num_envs=16, max_steps=400)
        env.reset(0)
        random = np.random.default_rng(0)
        for _ in range(400):
            actions = {"random": random.integers(0, 3, 16), "up": np.full(16, UP)}.get(name)
            *_, infos = env.step(scripted(env) if actions is None else actions)
        scores[name] = np.mean([info["score"] for info in infos])
    assert scores["random"] < 0.5
    assert scores["scripted"] > 1.6 * scores["up"] > 2


@pytest.mark.parametrize("params", [{"max_steps": 70}, {"frameskip": 7}])
def test_compiled_equals_python(params):
    compare_with_python(Freeway, steps=100, num_envs=3, **params)


def test_the_picture_shows_chicken_cars_and_crossings():
    env = game(4.5)
    env.states["cars"] = 16.5  # middle at 16
    picture = env.render()
    assert picture.shape == (300, 600, 3)
    assert tuple(picture[300 - 25 - int(4.5 * 25), 6 * 25]) == palette.SNOW
    assert tuple(picture[300 - 25 - int(2.5 * 25), 16 * 25]) == palette.CYCLE[2]
    env.states["stun"] = 5
    assert (env.render() != picture).any()
    env.states["score"] = 5
    assert (env.render()[:20] != picture[:20]).any()
