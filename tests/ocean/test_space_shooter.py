"""Space shooter's rules: how ship, raider, bullet and bomb move, and what a hit is."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.space_shooter import (
    BOMB_SPEED,
    BULLET_SPEED,
    CEILING,
    DESCENT,
    DOWN,
    FASTEST,
    FIRE,
    LEFT,
    NO_BULLET,
    RAIDER_SPEED,
    RIGHT,
    SHIP_SPEED,
    SIZE,
    STAY,
    UP,
    SpaceShooter,
    scripted,
)
from ocean_numba.testing import compare_with_python

CALM = {"x": 0.0, "y": 0.9, "raider_x": -0.5, "raider_y": -0.7, "raider_speed": 0.02}


def scene(**fields) -> SpaceShooter:
    """One game in a known state, in which raiders drop no bombs unless asked to."""
    env = SpaceShooter(num_envs=1, bombs=fields.pop("bombs", 0.0), lives=fields.pop("lives", 3))
    env.reset(0)
    for name, value in {**CALM, **fields}.items():
        env.states[name] = value
    return env


@pytest.mark.parametrize(
    ("action", "dx", "dy"),
    [(STAY, 0, 0), (LEFT, -1, 0), (RIGHT, 1, 0), (UP, 0, -1), (DOWN, 0, 1), (FIRE, 0, 0)],
)
def test_the_ship_moves(action, dx, dy):
    env = scene(y=0.7)
    env.step([action])
    assert env.states["x"][0] == pytest.approx(dx * SHIP_SPEED)
    assert env.states["y"][0] == pytest.approx(0.7 + dy * SHIP_SPEED)


@pytest.mark.parametrize(
    ("action", "field", "wall"), [(LEFT, "x", -1), (RIGHT, "x", 1), (UP, "y", CEILING), (DOWN, "y", 1)]
)
def test_walls_stop_the_ship(action, field, wall):
    env = scene()
    for _ in range(20):
        env.step([action])
    assert env.states[field][0] == pytest.approx(wall)


def test_the_raider_turns_round_one_row_lower():
    env = scene(raider_x=0.97, raider_speed=0.05)
    env.step([STAY])
    state = env.states[0]
    assert (state["raider_x"], state["raider_y"]) == (1.0, pytest.approx(-0.7 + DESCENT))
    assert state["raider_speed"] == pytest.approx(-0.05)
    env.step([STAY])
    assert state["raider_x"] == pytest.approx(0.95)


def test_one_bullet_at_a_time():
    env = scene()
    env.step([FIRE])
    assert env.states["bullet"][0] and env.states["bullet_y"][0] == pytest.approx(0.9)
    env.step([FIRE])
    assert env.states["bullet_y"][0] == pytest.approx(0.9 - BULLET_SPEED)
    for _ in range(15):
        env.step([STAY])
    assert not env.states["bullet"][0]  # it has left the sky: 0.9 + 1 is less than 17 flights


def test_a_hit_scores_and_a_faster_raider_comes():
    env = scene(bullet=True, bullet_x=-0.48, bullet_y=-0.7 + BULLET_SPEED)
    _, rewards, terminals, _, _ = env.step([STAY])
    state = env.states[0]
    assert (rewards[0], state["score"], bool(state["bullet"]), terminals[0]) == (1.0, 1, False, False)
    assert abs(state["raider_x"]) == 1.0 and -0.9 <= state["raider_y"] <= -0.5
    assert state["raider_x"] * state["raider_speed"] < 0  # it flies inwards
    assert abs(state["raider_speed"]) > RAIDER_SPEED


@pytest.mark.parametrize(("dx", "hit"), [(0.9 * SIZE, True), (1.1 * SIZE, False)])
def test_near_misses(dx, hit):
    env = scene(raider_speed=0.0, bullet=True, bullet_x=-0.5 + dx, bullet_y=-0.7 + BULLET_SPEED)
    assert env.step([STAY])[1][0] == (1.0 if hit else 0.0)


def test_a_bullet_cannot_fly_through_a_raider():
    for start in np.linspace(0.0, BULLET_SPEED, 13):
        env = scene(raider_speed=0.0, bullet=True, bullet_x=-0.5, bullet_y=-0.3 + start)
        assert sum(env.step([STAY])[1][0] for _ in range(8)) == 1.0


def test_bombs_fall_from_above_the_ship_only():
    env = scene(raider_x=0.5, bombs=1.0)
    env.step([STAY])
    assert not env.states["bomb"][0]
    env = scene(raider_x=0.0, raider_speed=0.0, bombs=1.0)
    env.step([STAY])
    assert env.states["bomb"][0] and env.states["bomb_y"][0] == pytest.approx(-0.7)
    env.step([STAY])
    assert env.states["bomb_y"][0] == pytest.approx(-0.7 + BOMB_SPEED)


def test_a_bomb_and_a_landing_cost_a_life_each():
    env = scene(bomb=True, bomb_x=0.02, bomb_y=0.8)
    _, rewards, terminals, _, _ = env.step([STAY])
    assert (rewards[0], env.states["lives_left"][0], terminals[0]) == (-1.0, 2, False)
    assert not env.states["bomb"][0]
    env = scene(raider_x=0.99, raider_speed=0.05, raider_y=0.75)
    assert env.step([STAY])[1][0] == -1.0
    assert env.states["raider_y"][0] <= -0.5  # a new one


def test_the_last_life():
    env = scene(bomb=True, bomb_x=0.0, bomb_y=0.85, lives=1, score=4)
    _, rewards, terminals, truncations, infos = env.step([STAY])
    assert (rewards[0], terminals[0], truncations[0]) == (-1.0, True, False)
    assert infos[0]["score"] == 4
    assert env.states["lives_left"][0] == 1


def test_time_runs_out():
    env = SpaceShooter(num_envs=1, max_steps=2, bombs=0.0)
    env.reset(0)
    assert not env.step([STAY])[3][0]
    assert env.step([STAY])[3][0]


def test_every_number_of_the_observation():
    env = scene(raider_x=0.3, raider_speed=0.045, lives_left=2)
    np.testing.assert_allclose(
        env.step([RIGHT])[0][0],
        [0.06, 0.9, 0.345 - 0.06, -1.6, 0.045 / FASTEST, 2 / 3, 0, NO_BULLET, 0, -NO_BULLET],
        atol=1e-6,
    )
    for name, value in {
        "bullet": True,
        "bullet_x": 0.1,
        "bullet_y": 0.5,
        "bomb": True,
        "bomb_x": 0.2,
        "bomb_y": 0.1,
    }.items():
        env.states[name] = value
    seen = env.step([STAY])[0][0]
    np.testing.assert_allclose(seen[6:8], [0.1 - 0.39, 0.5 - BULLET_SPEED + 0.7], atol=1e-6)
    np.testing.assert_allclose(seen[8:], [0.2 - 0.06, 0.1 + BOMB_SPEED - 0.9], atol=1e-6)


def scores(policy) -> float:
    env, random, ended = SpaceShooter(num_envs=32), np.random.default_rng(0), []
    env.reset(0)
    for _ in range(1000):
        observations, _, _, _, infos = env.step(policy(env, random))
        assert env.observation_space.low.min() <= observations.min() <= observations.max() <= 2.0
        ended += [info["score"] for info in infos]
    return float(np.mean(ended))


def test_aiming_beats_chance():
    chance = scores(lambda env, random: random.integers(0, 6, env.num_agents))
    assert scores(lambda env, random: scripted(env)) > 4 * chance > 0


@pytest.mark.parametrize("params", [{}, {"bombs": 1.0, "lives": 1, "max_steps": 60}])
def test_compiled_equals_python(params):
    compare_with_python(SpaceShooter, steps=300, num_envs=4, **params)


def test_the_picture_shows_ship_and_raider():
    from ocean_numba import palette

    env = scene(raider_x=0.5, raider_y=-0.5)
    picture = env.render()
    assert tuple(picture[180 + 135, 180]) == palette.SKY_BLUE
    assert tuple(picture[180 - 75 + 2, 180 + 75]) == palette.ORANGE
