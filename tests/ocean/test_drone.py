"""Drone's rules: how it hovers, falls, tilts and spins (against a slow reference), what it sees, waypoints, ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ocean.play import random_and_scripted

from ocean_numba import drone, palette
from ocean_numba.drone import (
    AIR,
    ARM,
    GRAVITY,
    INERTIA_XY,
    INERTIA_Z,
    MASS,
    MAX_THRUST,
    REACH,
    SPIN_AIR,
    SUBSTEPS,
    TIME_STEP,
    YAW,
    Drone,
    scripted,
)
from ocean_numba.testing import compare_with_python, random_actions

PLACE, SPEED, SPIN, ATTITUDE = (
    ("x", "y", "z"),
    ("vx", "vy", "vz"),
    ("wx", "wy", "wz"),
    ("qw", "qx", "qy", "qz"),
)


def level(num_envs: int = 1, **params: int) -> Drone:
    """Drones that hover in the middle, their waypoint far away."""
    env = Drone(num_envs, **params)
    env.reset(0)
    put(env, PLACE, (0, 0, 5))
    env.states["goal"], env.states["next_goal"] = (8, 8, 8), (-8, -8, 2)
    return env


def put(env: Drone, names: tuple[str, ...], values: tuple[float, ...]) -> None:
    for name, value in zip(names, values, strict=True):
        env.states[name] = value


def get(env: Drone, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([env.states[name] for name in names], axis=-1).astype(float)


def rotation(q: np.ndarray) -> np.ndarray:
    """The matrix of a unit quaternion: its columns are the drone's axes in the world."""
    w, v = q[0], q[1:]
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def fly_slowly(state: np.ndarray, command: np.ndarray, small: float) -> list[np.ndarray]:
    """The equations of motion in matrices and cross products, in steps of ``small`` seconds, in float64."""
    place, v, spin, q = (
        np.array([state[n] for n in names], float) for names in (PLACE, SPEED, SPIN, ATTITUDE)
    )
    motor, wanted = state["motor"].astype(float), 0.5 + 0.5 * command
    places = np.array([[ARM, -ARM, 0], [-ARM, -ARM, 0], [-ARM, ARM, 0], [ARM, ARM, 0]])
    inertia = np.array([INERTIA_XY, INERTIA_XY, INERTIA_Z])
    for _ in range(round(SUBSTEPS * TIME_STEP / small)):
        motor = wanted + (motor - wanted) * math.exp(-small / 0.05)
        thrust = MAX_THRUST * motor**2
        torque = np.cross(places, thrust[:, None] * [0, 0, 1]).sum(0)
        torque += [0, 0, YAW * (thrust[0] - thrust[1] + thrust[2] - thrust[3])] - SPIN_AIR * spin
        spin = spin + small * (torque - np.cross(spin, inertia * spin)) / inertia
        w, u = q[0], q[1:]
        q = q + 0.5 * small * np.array([-u @ spin, *(w * spin + np.cross(u, spin))])
        q /= np.linalg.norm(q)
        force = rotation(q) @ [0, 0, thrust.sum()] - AIR * v
        v = v + small * (force / MASS - [0, 0, GRAVITY])
        place = place + small * v
    return [place, v, spin, q, motor]


def test_at_half_speed_it_hovers():
    env = level()
    for _ in range(50):
        env.step(np.zeros((1, 4), np.float32))
    np.testing.assert_allclose(get(env, PLACE)[0], [0, 0, 5], atol=1e-4)
    np.testing.assert_allclose(get(env, ATTITUDE)[0], [1, 0, 0, 0], atol=1e-6)


def test_without_motors_it_falls():
    env = level()
    env.states["motor"] = 0
    for _ in range(5):
        env.step(-np.ones((1, 4), np.float32))
    assert env.states["vz"][0] == pytest.approx(-GRAVITY * 10 * TIME_STEP, rel=0.03)  # a little air
    assert env.states["vx"][0] == 0


@pytest.mark.parametrize(("small", "tolerance"), [(TIME_STEP, 1e-3), (TIME_STEP / 20, 0.05)])
def test_every_step_follows_newton_and_euler(small, tolerance):
    """With our own step but for when the attitude's length is mended, and nearly with a step 20 times as fine."""
    env = level(num_envs=60)
    generator = np.random.default_rng(0)
    attitude = generator.normal(size=(60, 4))
    attitude /= np.linalg.norm(attitude, axis=1, keepdims=True)
    put(env, ATTITUDE, tuple(attitude.T))
    put(env, SPEED, tuple(generator.uniform(-5, 5, (3, 60))))
    put(env, SPIN, tuple(generator.uniform(-3, 3, (3, 60))))
    env.states["motor"] = generator.uniform(0, 1, (60, 4))
    before = env.states.copy()
    commands = generator.uniform(-1, 1, (60, 4)).astype(np.float32)
    env.step(commands)
    for game in range(60):
        expected = fly_slowly(before[game], commands[game].astype(float), small)
        actual = [get(env, names)[game] for names in (PLACE, SPEED, SPIN, ATTITUDE)]
        for one, other, scale in zip(
            [*actual, env.states["motor"][game].astype(float)], expected, (1, 5, 10, 1, 1), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=scale * tolerance)


@pytest.mark.parametrize(
    ("faster", "axis", "sign"), [((2, 3), "wx", 1), ((1, 2), "wy", 1), ((0, 2), "wz", 1), ((0, 3), "wy", -1)]
)
def test_what_each_pair_of_motors_turns(faster, axis, sign):
    env = level()
    command = np.zeros((1, 4), np.float32)
    command[0, list(faster)] = 0.2
    env.step(command)
    for name in SPIN:
        assert np.sign(env.states[name][0].round(6)) == (sign if name == axis else 0)


def test_leaning_ahead_it_flies_ahead():
    env = level()
    angle = 0.3  # about its y, to the left: the nose goes down
    put(env, ATTITUDE, (math.cos(angle / 2), 0, math.sin(angle / 2), 0))
    for _ in range(10):
        env.step(np.zeros((1, 4), np.float32))
    assert env.states["vx"][0] == pytest.approx(GRAVITY * math.sin(angle) * 0.4, rel=0.1)
    assert env.states["vy"][0] == 0


def test_every_number_of_the_observation():
    env = Drone(16, hold=10)
    env.reset(0)
    generator = np.random.default_rng(1)
    for _ in range(12):
        env.step(generator.uniform(-0.3, 0.3, (16, 4)).astype(np.float32))
    env.states["held"] = 4
    env.step(np.zeros((16, 4), np.float32))
    for game, s in enumerate(env.states):
        axes = rotation(
            np.array([s[n] for n in ATTITUDE], float)
        ).T  # from the world's directions to the drone's
        place, speed = np.array([s[n] for n in PLACE]), np.array([s[n] for n in SPEED])
        goal, after = axes @ (s["goal"] - place), axes @ (s["next_goal"] - place)
        expected = [
            *(axes @ speed / 10), s["wx"] / 10, s["wy"] / 10, s["wz"] / 10, *(axes @ [0, 0, 1]), *s["motor"],
            *(goal / 10), *np.clip(goal, -1, 1), *(after / 10), s["x"] / 10, s["y"] / 10, s["z"] / 5 - 1,
            s["held"] / 10,
        ]  # fmt: skip
        np.testing.assert_allclose(env.observations[game], expected, atol=2e-5)


def test_coming_nearer_pays_and_reaching_pays_one_more():
    env = level()
    put(env, SPEED, (3, 0, 0))
    env.states["goal"] = (4, 0, 5)
    total, reached = 0.0, []
    for _ in range(60):
        before = env.states["goal"][0].copy()
        _, rewards, *_ = env.step(np.zeros((1, 4), np.float32))
        total += rewards[0]
        if env.states["score"][0]:
            reached = get(env, PLACE)[0]
            break
    distance = np.linalg.norm(before - reached)
    assert distance < REACH
    assert total == pytest.approx(1 + 0.1 * (4 - distance), abs=1e-4)
    np.testing.assert_array_equal(
        env.states["goal"][0], np.float32([-8, -8, 2])
    )  # it was the next one before
    assert (np.abs(env.states["next_goal"][0]) <= 8).all()


def test_hold_asks_for_hovering():
    env = level(hold=5)
    env.states["goal"] = (0.1, 0, 5)
    scores = []
    for _ in range(5):
        observations, *_ = env.step(np.zeros((1, 4), np.float32))
        scores.append((int(env.states["score"][0]), round(float(observations[0, 25]), 3)))
    assert scores == [(0, 0.2), (0, 0.4), (0, 0.6), (0, 0.8), (1, 0.0)]
    env.states["goal"] = (0.1, 0, 5)
    env.step(np.zeros((1, 4), np.float32))
    env.states["x"] = 3  # away for one step: from the beginning
    env.step(np.zeros((1, 4), np.float32))
    assert env.states["held"][0] == 0


@pytest.mark.parametrize(
    ("place", "speed"),
    [
        ((9.99, 0, 5), (2, 0, 0)),
        ((0, -9.99, 5), (0, -2, 0)),
        ((0, 0, 0.01), (0, 0, -2)),
        ((0, 0, 9.99), (0, 0, 2)),
    ],
)
def test_leaving_the_arena_ends_the_episode(place, speed):
    env = level()
    put(env, PLACE, place)
    put(env, SPEED, speed)
    _, rewards, terminals, truncations, infos = env.step(np.zeros((1, 4), np.float32))
    assert terminals[0]
    assert not truncations[0]
    assert rewards[0] == pytest.approx(-1, abs=0.05)
    assert infos[0]["score"] == 0


def test_a_long_flight_is_truncated():
    env = level(2, max_steps=20)
    for step in range(1, 21):
        *_, terminals, truncations, infos = env.step(np.zeros((2, 4), np.float32))
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == 20)
    assert [info["episode_length"] for info in infos] == [20, 20]


def test_random_play_keeps_the_rules():
    env = Drone(64)
    env.reset(0)
    generator = np.random.default_rng(0)
    for _ in range(300):
        observations, rewards, *_ = env.step(random_actions(env, generator))
        np.testing.assert_allclose(np.linalg.norm(get(env, ATTITUDE), axis=1), 1, atol=1e-5)
        assert (env.states["motor"] >= 0).all()
        assert (env.states["motor"] <= 1).all()
        assert (np.abs(get(env, SPIN)) <= drone.MAX_SPIN).all()
        assert (np.abs(get(env, PLACE)) <= 10).all()
        assert (np.abs(observations[:, 6:13]) <= 1.0001).all()
        assert (np.abs(observations[:, 16:19]) <= 1).all()
        assert (np.abs(rewards) < 1.2).all()


def test_starts_differ_and_the_seed_decides_them():
    env = Drone(200)
    first = env.reset(0)[0].copy()
    assert len(np.unique(first[:, 22])) == 200
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any(axis=1).all()
    np.testing.assert_array_equal(first[:, 9:13], 0.5)


def test_the_script_reaches_waypoints_and_random_play_does_not():
    by_chance, by_hand = random_and_scripted(Drone(32, max_steps=300), scripted, steps=300)
    assert by_chance < 0.1
    assert by_hand > 3


@pytest.mark.parametrize("params", [{}, {"hold": 5, "max_steps": 60}])
def test_compiled_equals_python(params):
    compare_with_python(Drone, steps=150, num_envs=4, policy=scripted, **params)


def test_the_picture_shows_drone_and_waypoint():
    env = level()
    picture = env.render()
    assert picture.shape == (330, 420, 3)
    unit = 0.031 * 420
    x, y = 210.0, 0.66 * 330 - unit * 0.8 * 4
    assert tuple(picture[int(y) + 2, int(x)]) == palette.SNOW
    assert (picture == palette.YELLOW).all(axis=2).sum() > 20
    put(env, PLACE, (3, 0, 5))
    assert (env.render() != picture).any()
