"""LunarLander's rules: how it flies, stands, crashes and lands; energy; the ground; what is seen and paid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocean_numba import lunar_lander, palette
from ocean_numba.lunar_lander import (
    FOOT_Y,
    HULL,
    INERTIA,
    LEFT_ENGINE,
    MAIN_ENGINE,
    MAIN_THRUST,
    NOTHING,
    REST_STEPS,
    REST_Y,
    RIGHT_ENGINE,
    SIDE_ABOVE,
    SIDE_THRUST,
    TIME_STEP,
    LunarLander,
    scripted,
)
from ocean_numba.testing import compare_with_python, random_actions


def flat(num_envs: int = 1, **params: float) -> LunarLander:
    """Landers at rest, 5 m above a level ground."""
    env = LunarLander(num_envs, **params)
    env.reset(0)
    env.states["heights"] = 0
    put(env, y=5.0, vx=0.0, vy=0.0)
    return env


def put(env: LunarLander, **values: float) -> None:
    for name, value in values.items():
        env.states[name] = value


def act(env: LunarLander, action: int):
    return env.step(np.full(env.num_envs, action, np.int32))


def test_free_fall_and_the_main_engine():
    env = flat(gravity=4.0)
    for _ in range(20):
        act(env, NOTHING)
    assert env.states["vy"][0] == pytest.approx(-4.0 * 20 * TIME_STEP, rel=1e-5)
    assert env.states["y"][0] == pytest.approx(5 - 4.0 * TIME_STEP**2 * 20 * 21 / 2, rel=1e-5)
    put(env, vy=0.0, angle=0.5)
    act(env, MAIN_ENGINE)
    state = env.states[0]
    assert state["vx"] == pytest.approx(-MAIN_THRUST * math.sin(0.5) * TIME_STEP, rel=1e-5)  # leans left
    assert state["vy"] == pytest.approx((MAIN_THRUST * math.cos(0.5) - 4.0) * TIME_STEP, rel=1e-5)
    assert state["spin"] == 0


@pytest.mark.parametrize(("action", "side"), [(LEFT_ENGINE, 1), (RIGHT_ENGINE, -1)])
def test_side_engines_push_and_turn(action, side):
    env = flat(gravity=0.0)
    act(env, action)
    state = env.states[0]
    assert state["vx"] == pytest.approx(side * SIDE_THRUST * TIME_STEP, rel=1e-5)
    assert state["vy"] == 0
    assert state["spin"] == pytest.approx(-side * SIDE_ABOVE * SIDE_THRUST / INERTIA * TIME_STEP, rel=1e-5)
    assert state["angle"] == pytest.approx(state["spin"] * TIME_STEP, rel=1e-5)


def test_energy_in_free_fall_is_conserved():
    env = flat(gravity=10.0)
    put(env, y=14.0, spin=3.0, vx=2.0)
    energy = [
        0.5 * s["vx"] ** 2 + 0.5 * s["vy"] ** 2 + 0.5 * INERTIA * s["spin"] ** 2 + 10 * s["y"]
        for s in (env.states[0].copy() for _ in range(80) if act(env, NOTHING))
    ]
    # Euler's symplectic method: exact but for half a step's fall.
    np.testing.assert_allclose(energy, energy[0], atol=0.5 * 10 * TIME_STEP * 20)
    assert env.states["spin"][0] == 3.0


def test_it_stands_still_on_its_springs_and_that_is_a_landing():
    env = flat()
    put(env, y=REST_Y)
    steps, rewards = 0, []
    while True:
        _, reward, terminals, truncations, infos = act(env, NOTHING)
        steps += 1
        rewards.append(reward[0])
        if terminals[0]:
            break
        assert not truncations[0]
        assert steps < 200
    assert steps >= REST_STEPS
    assert rewards[-1] == pytest.approx(100, abs=1)
    assert infos[0]["score"] == 1
    # Two springs of SPRING each carry the weight.
    assert pytest.approx(-FOOT_Y - 10 / (2 * lunar_lander.SPRING), abs=1e-3) == REST_Y


def test_landing_beside_the_pad_gives_no_score():
    env = flat()
    put(env, x=5.0, y=REST_Y)
    for _ in range(200):
        *_, terminals, _, infos = act(env, NOTHING)
        if terminals[0]:
            break
    assert infos[0]["score"] == 0
    assert infos[0]["episode_length"] >= REST_STEPS


def test_the_hull_crashes_and_so_does_a_hard_landing():
    env = flat()
    put(env, y=HULL + 0.01, angle=math.pi, vy=-3.0)  # on its head: no leg helps
    _, rewards, terminals, *_, infos = act(env, NOTHING)
    assert terminals[0]
    assert rewards[0] < -90
    assert infos[0]["score"] == 0
    for speed, crash in ((-2.0, False), (-12.0, True)):
        env = flat()
        put(env, y=REST_Y + 0.3, vy=speed)
        ends = [act(env, NOTHING)[2][0] for _ in range(10)]
        assert any(ends) == crash


@pytest.mark.parametrize("where", [{"x": 9.99, "vx": 5.0}, {"x": -9.99, "vx": -5.0}, {"y": 14.99, "vy": 5.0}])
def test_leaving_the_landscape_ends_the_episode(where):
    env = flat()
    put(env, **where)
    _, rewards, terminals, truncations, _ = act(env, NOTHING)
    assert terminals[0]
    assert not truncations[0]
    assert rewards[0] < -50


def test_feet_feel_the_ground_with_friction_along_it():
    env = flat(gravity=0.0)
    put(env, y=REST_Y, vx=1.0)
    observations, *_ = act(env, NOTHING)
    np.testing.assert_array_equal(observations[0, 6:], 1.0)
    assert env.states["vx"][0] < 1.0  # braked
    assert env.states["vy"][0] > 0.0  # pushed out by the springs
    put(env, y=REST_Y, vx=0.0, vy=0.0, spin=0.0, angle=-0.4)  # leans to the right: only that foot is down
    observations, *_ = act(env, NOTHING)
    np.testing.assert_array_equal(observations[0, 6:], [0.0, 1.0])
    assert env.states["spin"][0] > 0  # and it pushes upright again


def test_height_and_slope_of_the_ground():
    env = LunarLander()
    env.reset(3)
    state = env.states[0]
    heights = state["heights"]

    class Game:
        pass

    game = Game()
    game.heights = heights
    for x in np.linspace(-10.5, 10.5, 43):
        height, slope = lunar_lander.ground(game, float(x))
        assert height == pytest.approx(np.interp(x, np.arange(11) * 2.0 - 10, heights), abs=1e-2)
        if -10 < x < 10 and x % 2:
            k = int((x + 10) // 2)
            assert slope == pytest.approx((heights[k + 1] - heights[k]) / 2, abs=1e-5)
    np.testing.assert_array_equal(heights[4:7], 0)
    assert (np.abs(heights) <= np.float32(lunar_lander.ROUGHNESS)).all()


def test_every_number_of_the_observation_and_the_reward():
    env = LunarLander(64)
    env.reset(1)
    generator = np.random.default_rng(0)
    last = None
    for _ in range(100):
        actions = random_actions(env, generator)
        observations, rewards, terminals, _, _ = env.step(actions)
        s = env.states
        expected = np.stack(
            [
                s["x"] / 10, (s["y"] - REST_Y) * 0.15, s["vx"] / 5, s["vy"] * 0.1333, s["angle"], s["spin"] * 0.4,
                s["left_foot"], s["right_foot"],
            ], axis=1,
        )  # fmt: skip
        np.testing.assert_allclose(observations, expected, atol=1e-5)
        o = expected
        potential = 10 * (o[:, 6] + o[:, 7]) - 100 * (
            np.hypot(o[:, 0], o[:, 1]) + np.hypot(o[:, 2], o[:, 3]) + np.abs(o[:, 4])
        )
        fuel = np.choose(actions, [0, 0.03, 0.3, 0.03])
        go_on = ~terminals
        if last is not None:
            gain = (potential - last - fuel)[go_on]
            np.testing.assert_allclose(rewards[go_on], gain, rtol=1e-4, atol=1e-3)
        last = potential  # of a new episode's start, too: what is seen is the state
        assert all(env.observation_space.contains(row) for row in observations[:4])


def test_a_long_flight_is_truncated():
    env = flat(2, gravity=0.0, max_steps=30)
    for step in range(1, 31):
        *_, terminals, truncations, infos = act(env, NOTHING)
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == 30)
    assert [info["episode_length"] for info in infos] == [30, 30]


def test_starts_differ_and_the_seed_decides_them():
    env = LunarLander(200)
    first = env.reset(0)[0].copy()
    assert len(np.unique(first[:, 2])) == 200
    assert np.abs(env.states["vx"]).max() <= 4
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any(axis=1).all()


def test_the_script_lands_and_random_play_crashes():
    results = {}
    for name in ("random", "scripted"):
        env = LunarLander(64)
        env.reset(0)
        generator = np.random.default_rng(0)
        ended = []
        for _ in range(600):
            *_, infos = env.step(scripted(env) if name == "scripted" else random_actions(env, generator))
            ended += list(infos)
        results[name] = [np.mean([info[key] for info in ended]) for key in ("score", "episode_return")]
    assert results["random"][0] < 0.02
    assert results["random"][1] < -100
    assert results["scripted"][0] > 0.9
    assert results["scripted"][1] > 200


@pytest.mark.parametrize("params", [{}, {"gravity": 3.0, "max_steps": 60}])
def test_compiled_equals_python(params):
    compare_with_python(LunarLander, steps=200, num_envs=4, **params)


def test_the_picture_shows_lander_pad_and_flame():
    env = flat()
    picture = env.render()
    assert picture.shape == (330, 400, 3)
    zero = 330 - 84
    assert tuple(picture[zero - 100, 200 - 7]) == palette.SNOW  # the hull, beside its window
    assert tuple(picture[zero, 200]) == palette.YELLOW
    put(env, engine=MAIN_ENGINE)
    assert ((env.render() == palette.ORANGE).all(axis=2)).sum() > 20
    assert not ((picture == palette.ORANGE).all(axis=2)).any()
