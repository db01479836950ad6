"""Drive's rules: the town, how cars move, follow their routes, see each other, and what an accident is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import palette, town
from ocean_numba.drive import (
    CLEARANCE,
    CURVATURES,
    GRIP,
    LOOKAHEAD,
    NOSE,
    PEDALS,
    RADIUS,
    ROUTE,
    SEEN,
    SIGHT,
    TIME_STEP,
    TOP_SPEED,
    Drive,
    scripted,
    touch,
)
from ocean_numba.testing import compare_with_python, random_actions
from ocean_numba.town import HALF_LANE, POINT_X, POINT_Y, STREET_POINTS, SUCCESSOR_COUNT, SUCCESSORS

STRAIGHT, ROLL, FULL = 3, 2, 4


def actions(env: Drive, steering: int = STRAIGHT, pedal: int = ROLL) -> np.ndarray:
    return np.tile(np.array([steering, pedal], np.int32), (env.num_agents, 1))


def lanes(number: int) -> list[int]:
    """First points of so many lanes that lead to the right, none of them near another."""
    firsts = [
        k for k in range(0, STREET_POINTS, 12) if POINT_Y[k + 1] == POINT_Y[k] and POINT_X[k + 1] > POINT_X[k]
    ]
    return firsts[:number]


def place(env: Drive, car: int, point: int, speed: float = 0.0, aside: float = 0.0) -> None:
    """Put a car on the first point of a lane that leads to the right; its route goes along that lane."""
    state = env.states[0]
    for field, value in {
        "x": POINT_X[point],
        "y": POINT_Y[point] + aside,
        "ahead_x": 1.0,
        "ahead_y": 0.0,
        "speed": speed,
        "aside": aside,
        "goal": ROUTE,
        "score": 0,
        "accident": 0,
        "curvature": 0.0,
    }.items():
        state[field][car] = value
    route = [point]
    for _ in range(ROUTE):
        route.append(int(SUCCESSORS[route[-1], 0]))
    state["route"][car] = route


def three_cars(max_steps: int = 512) -> Drive:
    """Cars far apart, each at the beginning of a lane to the right, at rest."""
    env = Drive(cars=3, max_steps=max_steps)
    env.reset(0)
    for car, point in enumerate(lanes(3)):
        place(env, car, point)
    return env


def test_the_town_is_one_network_of_short_pieces():
    points = len(POINT_X)
    assert STREET_POINTS == 24 * 12
    assert (SUCCESSOR_COUNT >= 1).all()
    assert (SUCCESSOR_COUNT <= 3).all()
    for k in range(points):
        for other in SUCCESSORS[k, : SUCCESSOR_COUNT[k]]:
            gap = math.hypot(POINT_X[other] - POINT_X[k], POINT_Y[other] - POINT_Y[k])
            assert 2.5 < gap < 5.5
    # Every point can be reached from every other: breadth first from one, forwards and backwards.
    edges = [(k, int(o)) for k in range(points) for o in SUCCESSORS[k, : SUCCESSOR_COUNT[k]]]
    for graph in (edges, [(b, a) for a, b in edges]):
        reached, front = {0}, {0}
        while front:
            front = {b for a, b in graph if a in front} - reached
            reached |= front
        assert len(reached) == points


def test_lanes_keep_to_the_right_and_turns_are_smooth():
    for k in range(STREET_POINTS):
        other = SUCCESSORS[k, 0]
        if other >= STREET_POINTS or k % 12 == 11:
            continue
        dx, dy = POINT_X[other] - POINT_X[k], POINT_Y[other] - POINT_Y[k]
        # The middle of the street, on the left of the lane, is a multiple of the block's length.
        middle = (POINT_Y[k] - HALF_LANE * np.sign(dx)) if dx else (POINT_X[k] + HALF_LANE * np.sign(dy))
        assert middle in (-60, 0, 60)
    for k in range(len(POINT_X)):
        for a in SUCCESSORS[k, : SUCCESSOR_COUNT[k]]:
            for b in SUCCESSORS[a, : SUCCESSOR_COUNT[a]]:
                u = np.array([POINT_X[a] - POINT_X[k], POINT_Y[a] - POINT_Y[k]])
                v = np.array([POINT_X[b] - POINT_X[a], POINT_Y[b] - POINT_Y[a]])
                turn = math.acos(np.clip(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1, 1))
                assert turn < math.radians(31)


def test_pedals():
    for pedal, acceleration in enumerate(PEDALS):
        env = three_cars()
        env.states["speed"] = 5.0
        before = env.states["x"][0].copy()
        env.step(actions(env, pedal=pedal))
        speed = 5.0 + TIME_STEP * acceleration
        np.testing.assert_allclose(env.states["speed"][0], speed, rtol=1e-6)
        np.testing.assert_allclose(env.states["x"][0] - before, TIME_STEP * speed, atol=1e-5)
    env.states["speed"] = 0.0
    env.step(actions(env, pedal=0))
    np.testing.assert_array_equal(env.states["speed"], 0.0)  # nobody drives backwards
    env.states["speed"] = TOP_SPEED
    env.step(actions(env, pedal=FULL))
    np.testing.assert_array_equal(env.states["speed"], TOP_SPEED)


@pytest.mark.parametrize("speed", [2.0, 10.0])
def test_steering_and_grip(speed):
    for steering, curvature in enumerate(CURVATURES):
        env = three_cars()
        env.states["speed"] = speed
        env.step(actions(env, steering))
        limit = GRIP / speed**2
        turn = np.clip(curvature, -limit, limit) * speed * TIME_STEP
        state = env.states[0]
        assert math.atan2(state["ahead_y"][0], state["ahead_x"][0]) == pytest.approx(turn, rel=2e-3, abs=1e-6)
        assert state["curvature"][0] == pytest.approx(np.clip(curvature, -limit, limit))


def test_a_car_that_holds_its_wheel_drives_in_a_circle():
    env = three_cars()
    place(env, 0, lanes(1)[0], speed=4.0)
    start, radius = env.states[0].copy(), 1 / CURVATURES[-1]
    for _ in range(8):  # then it has left its lane
        env.step(actions(env, 6))
    state = env.states[0]
    assert not state["accident"][0]
    away = np.array([state["x"][0] - start["x"][0], state["y"][0] - start["y"][0]])
    assert np.linalg.norm(away - [0, radius]) == pytest.approx(radius, rel=0.05)
    assert away[1] > 1.0


def test_passing_points_pays_and_the_twelfth_is_the_goal():
    env = three_cars()
    place(env, 0, lanes(1)[0], speed=4.0)
    total, steps = 0.0, 0
    while env.states["score"][0, 0] == 0:
        _, rewards, terminals, *_ = env.step(scripted(env))
        assert rewards[0] in (0.0, np.float32(1 / 12))
        assert not terminals[0]
        total += rewards[0]
        steps += 1
        assert steps < 300
    assert total == pytest.approx(1.0, abs=1e-5)
    assert env.states["goal"][0, 0] == ROUTE  # the next one


def test_routes_go_on_along_the_lanes():
    env = Drive(num_envs=4)
    env.reset(0)
    for _ in range(200):
        env.step(scripted(env))
        for route in env.states["route"].reshape(-1, ROUTE + 1):
            for a, b in zip(route, route[1:], strict=False):
                assert b in SUCCESSORS[a, : SUCCESSOR_COUNT[a]]


def test_leaving_the_lane_is_an_accident_of_this_car_alone():
    env = three_cars()
    place(env, 0, lanes(2)[0], aside=HALF_LANE + 0.05)
    place(env, 1, lanes(2)[1], aside=HALF_LANE - 0.05)
    env.states["score"][0] = [3, 5, 0]
    observations, rewards, terminals, truncations, infos = env.step(actions(env))
    np.testing.assert_array_equal(rewards, [-1, 0, 0])
    np.testing.assert_array_equal(terminals, [True, False, False])
    assert not truncations.any()
    assert [info["score"] for info in infos] == [3]
    assert observations[0, 2] == 0.0  # a new place, in the middle of its lane
    env.step(actions(env))
    np.testing.assert_array_equal(
        env.states["score"][0], [0, 5, 0]
    )  # a new episode for one, not for the other
    assert env.states["accidents"][0] == 1


def test_two_cars_that_touch_both_have_an_accident():
    env = three_cars()
    first = lanes(3)[0]
    place(env, 0, first)
    place(env, 1, first)
    env.states["x"][0, 1] += 2 * (NOSE + RADIUS) - 0.01
    _, rewards, terminals, *_ = env.step(actions(env))
    np.testing.assert_array_equal(rewards, [-1, -1, 0])
    np.testing.assert_array_equal(terminals, [True, True, False])

    env = three_cars()
    place(env, 0, first)
    place(env, 1, first)
    env.states["x"][0, 1] += 2 * (NOSE + RADIUS) + 0.01
    _, rewards, terminals, *_ = env.step(actions(env))
    assert (rewards >= 0).all()
    assert not terminals.any()


def test_touch_against_circles_drawn_by_hand():
    generator = np.random.default_rng(0)
    both = [0, 0]
    for _ in range(500):
        x, y = generator.uniform(-5, 5, 2)
        one, two = generator.uniform(-math.pi, math.pi, 2)
        circles = [
            [np.array([cx, cy]) + along * np.array([math.cos(a), math.sin(a)]) for along in (-NOSE, NOSE)]
            for cx, cy, a in ((0, 0, one), (x, y, two))
        ]
        gap = min(np.linalg.norm(a - b) for a in circles[0] for b in circles[1])
        expected = bool(gap < 2 * RADIUS)
        assert touch(x, y, math.cos(one), math.sin(one), math.cos(two), math.sin(two)) == expected
        both[expected] += 1
    assert min(both) > 50


def test_new_places_are_on_streets_and_away_from_others():
    env = Drive(num_envs=50)
    env.reset(0)
    close = 0
    for state in env.states:
        for i in range(16):
            assert state["route"][i, 0] < STREET_POINTS
            assert state["x"][i] == POINT_X[state["route"][i, 0]]
            gaps = np.hypot(state["x"] - state["x"][i], state["y"] - state["y"][i])
            close += (np.delete(gaps, i) < CLEARANCE).any()
    assert close < 0.02 * 800
    assert (env.states["speed"] <= 6).all()
    assert len(np.unique(env.states["route"][:, :, 0])) > 200


def test_every_number_of_the_observation():
    env = Drive(num_envs=3)
    env.reset(0)
    generator = np.random.default_rng(0)
    seen = 0
    for step in range(60):
        env.step(scripted(env) if step % 3 else random_actions(env, generator))
    for game, s in enumerate(env.states):
        for i in range(16):
            ahead = np.array([s["ahead_x"][i], s["ahead_y"][i]])
            right = np.array([-ahead[1], ahead[0]])
            own = np.array([s["x"][i], s["y"][i]])

            def local(x, y, ahead=ahead, right=right, own=own):
                away = np.array([x, y]) - own
                return [away @ ahead, away @ right]

            route, goal = s["route"][i], s["goal"][i]
            expected = [
                s["speed"][i] / TOP_SPEED,
                4 * s["curvature"][i],
                s["aside"][i] / HALF_LANE,
                goal / ROUTE,
                *np.divide(local(POINT_X[route[goal]], POINT_Y[route[goal]]), 50),
            ]
            for k in range(1, LOOKAHEAD + 1):
                expected += [*np.divide(local(POINT_X[route[k]], POINT_Y[route[k]]), 20)]
            gaps = np.hypot(s["x"] - own[0], s["y"] - own[1])
            nearest = [j for j in np.argsort(gaps) if j != i and gaps[j] <= SIGHT][:SEEN]
            for j in nearest:
                heading = np.array([s["ahead_x"][j], s["ahead_y"][j]])
                expected += [*np.divide(local(s["x"][j], s["y"][j]), SIGHT), heading @ ahead, heading @ right]
                expected += [s["speed"][j] / TOP_SPEED]
            seen += len(nearest)
            expected += [0.0] * (48 - len(expected))
            np.testing.assert_allclose(env.observations[16 * game + i], expected, atol=1e-5)
    assert seen > 50


def test_random_play_keeps_the_rules():
    env = Drive(num_envs=16, max_steps=1000)
    env.reset(1)
    generator = np.random.default_rng(0)
    accidents = 0
    for _ in range(300):
        observations, rewards, terminals, truncations, infos = env.step(random_actions(env, generator))
        s = env.states
        assert (np.abs(observations[:, 18:]) <= 1.001).all()
        assert (np.abs(observations[:, :6]) <= 1.6).all()
        assert (s["speed"] >= 0).all()
        assert (s["speed"] <= TOP_SPEED).all()
        assert (np.abs(s["aside"]) <= HALF_LANE).all()
        assert (s["goal"] >= 1).all()
        assert (s["goal"] <= ROUTE).all()
        np.testing.assert_array_equal(terminals, rewards == -1)
        np.testing.assert_array_equal(terminals, s["accident"].reshape(-1) == 1)
        assert not truncations.any()
        assert len(infos) == terminals.sum()
        accidents += terminals.sum()
    np.testing.assert_allclose(np.hypot(s["ahead_x"], s["ahead_y"]), 1.0, atol=1e-4)
    assert s["accidents"].sum() == accidents > 100


def test_the_game_is_truncated_for_all_cars_at_once():
    env = three_cars(max_steps=10)
    for step in range(1, 11):
        *_, terminals, truncations, infos = env.step(actions(env))
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == 10)
    assert [info["episode_length"] for info in infos] == [10, 10, 10]


def test_starts_differ_and_the_seed_decides_them():
    env = Drive(num_envs=4)
    first = env.reset(0)[0].copy()
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any(axis=1).all()


def test_the_script_reaches_goals_and_random_play_does_not():
    by_chance, by_hand = random_and_scripted(Drive(num_envs=8, max_steps=300), scripted, steps=300)
    assert by_chance < 0.05
    assert by_hand > 2


@pytest.mark.parametrize("params", [{}, {"cars": 3, "max_steps": 30}])
def test_compiled_equals_python(params):
    compare_with_python(Drive, steps=100, num_envs=2, policy=scripted, **params)


def test_the_picture_shows_streets_cars_and_goals():
    env = three_cars()
    place(env, 0, lanes(1)[0])
    picture = env.render()
    assert picture.shape == (448, 448, 3)
    unit = 448 / town.WIDTH
    x, y = 224 + unit * POINT_X[lanes(1)[0]], 224 + unit * POINT_Y[lanes(1)[0]]
    assert tuple(picture[int(y), int(x - unit)]) == palette.SKY_BLUE
    assert tuple(picture[int(y), int(x + 10 * unit)]) == palette.SLATE
    assert (env.render() == picture).all()
    env.states["x"] += 10
    assert (env.render() != picture).any()
