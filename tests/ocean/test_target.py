"""Target's rules: how agents drive, what they see, who gets a goal, when it is over."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocean_numba.target import ACCELERATION, MAX_SPEED, REACH, WIDTH, Target
from ocean_numba.testing import compare_with_python

STRAIGHT, KEEP = 4, 2


def actions(env: Target, turn: int = STRAIGHT, pedal: int = KEEP) -> np.ndarray:
    return np.tile(np.array([turn, pedal], np.int32), (env.num_agents, 1))


def place(env: Target, agent: int, x: float, y: float, angle: float, speed: float = 0.0) -> None:
    state = env.states[0]
    values = {"x": x, "y": y, "ahead_x": math.cos(angle), "ahead_y": math.sin(angle), "speed": speed}
    for field, value in values.items():
        state[field][agent] = value


def hunter(env: Target) -> np.ndarray:
    """Every agent turns towards its nearest goal and speeds up when it is ahead."""
    goals = env.observations[:, : 2 * env.params["goals"]].reshape(env.num_agents, -1, 2)
    nearest = goals[np.arange(env.num_agents), np.hypot(goals[..., 0], goals[..., 1]).argmin(axis=1)]
    angle = np.arctan2(nearest[:, 1], nearest[:, 0])
    turn = np.clip(np.round(angle / (2 * math.atan(0.05))), -4, 4) + 4
    return np.stack([turn, np.where(np.abs(angle) < 0.7, 4, 1)], axis=1).astype(np.int32)


def test_the_interface_is_what_the_page_says():
    env = Target(num_envs=3)
    observations, _ = env.reset(0)
    assert env.num_agents == 24
    assert observations.shape == (24, 28)
    assert observations.dtype == np.float32
    assert env.action_space.nvec.tolist() == [9, 5]
    other = Target(num_envs=2, agents=3, goals=5)
    assert other.reset(0)[0].shape == (6, 2 * 5 + 2 * 2 + 6)


def test_every_number_of_the_observation():
    env = Target(num_envs=1)
    env.reset(0)
    random = np.random.default_rng(0)
    for _ in range(50):
        _, rewards, *_ = env.step(np.stack([random.integers(0, 9, 8), random.integers(0, 5, 8)], axis=1))
    state = env.states[0]
    for i in range(8):
        ahead = np.array([state["ahead_x"][i], state["ahead_y"][i]])
        right = np.array([-ahead[1], ahead[0]])  # y points down
        own = np.array([state["x"][i], state["y"][i]])
        goals = np.stack([state["goal_x"], state["goal_y"]], axis=1) - own
        others = np.stack([np.roll(state["x"], -i), np.roll(state["y"], -i)], axis=1)[1:] - own
        goals = np.roll(goals, -np.hypot(*goals.T).argmin(), axis=0)  # the nearest one comes first
        seen = np.concatenate([goals, others])
        expected = np.stack([seen @ ahead, seen @ right], axis=1).reshape(-1)
        rest = [*own, *ahead, state["speed"][i] / MAX_SPEED, rewards[i]]
        np.testing.assert_allclose(env.observations[i], [*expected, *rest], atol=1e-5)


def test_the_nearest_goal_ahead_and_another_to_the_right():
    env = Target(num_envs=1, agents=1, goals=2)
    env.reset(0)
    place(env, 0, 0.0, 0.0, math.pi / 2)  # looks down
    env.states["goal_x"][0], env.states["goal_y"][0] = [-0.6, 0.0], [0.0, 0.5]
    observation = env.step(actions(env))[0][0]
    np.testing.assert_allclose(observation[:4], [0.5, 0.0, 0.0, 0.6], atol=1e-6)


def test_turns_and_pedals():
    env = Target(num_envs=1, agents=9, goals=1)
    env.reset(0)
    start = np.linspace(-0.8, 0.0, 9)  # side by side, out of each other's way
    for i in range(9):
        place(env, i, start[i], start[i], 0.3)
    env.states["goal_x"], env.states["goal_y"] = 0.9, 0.9
    turns = np.arange(9)
    env.step(np.stack([turns, np.full(9, 3)], axis=1))
    state = env.states[0]
    expected = 0.3 + 2 * np.arctan(0.05 * (turns - 4))
    np.testing.assert_allclose(np.arctan2(state["ahead_y"], state["ahead_x"]), expected, atol=1e-6)
    np.testing.assert_allclose(state["speed"], ACCELERATION, atol=1e-7)
    np.testing.assert_allclose(state["x"], start + ACCELERATION * np.cos(expected), atol=1e-6)
    np.testing.assert_allclose(state["y"], start + ACCELERATION * np.sin(expected), atol=1e-6)
    for _ in range(5):
        env.step(actions(env, pedal=4))
    np.testing.assert_allclose(state["speed"], MAX_SPEED)
    env.step(actions(env, pedal=1))
    np.testing.assert_allclose(state["speed"], MAX_SPEED - ACCELERATION)
    for _ in range(3):
        env.step(actions(env, pedal=0))
    np.testing.assert_array_equal(state["speed"], 0.0)  # nobody drives backwards


def test_agents_push_each_other_apart_and_not_through_walls():
    env = Target(num_envs=1, agents=4, goals=1)
    env.reset(0)
    env.states["goal_x"], env.states["goal_y"] = 0.9, 0.9
    place(env, 0, 0.0, 0.0, 0.0)
    place(env, 1, 0.6 * WIDTH, 0.0, 0.0)
    place(env, 2, -1.0, -1.0, 0.0)
    place(env, 3, -1.0, -1.0 + 0.5 * WIDTH, 0.0)
    env.step(actions(env))
    np.testing.assert_allclose(env.states["x"][0], [-0.2 * WIDTH, 0.8 * WIDTH, -1, -1], atol=1e-6)
    np.testing.assert_allclose(env.states["y"][0], [0, 0, -1, -1 + 0.75 * WIDTH], atol=1e-6)


def test_a_reached_goal_gives_one_point_and_moves():
    env = Target(num_envs=1, agents=3, goals=1)
    env.reset(0)
    place(env, 0, -0.9, -0.9, 0.0)
    place(env, 1, 0.5 - REACH - 0.01, 0.5, 0.0, speed=0.02)
    place(env, 2, 0.5, 0.5 + 0.9 * REACH, 0.0)  # no farther, but number 1 is asked first
    env.states["goal_x"], env.states["goal_y"] = 0.5, 0.5
    observations, rewards, terminals, truncations, _ = env.step(actions(env))
    np.testing.assert_array_equal(rewards, [0, 1, 0])
    assert not terminals.any()
    assert not truncations.any()
    assert (env.states["goal_x"][0, 0], env.states["goal_y"][0, 0]) != (0.5, 0.5)
    assert env.states["score"][0] == pytest.approx(1 / 3)
    np.testing.assert_array_equal(observations[:, -1], [0, 1, 0])
    _, rewards, *_ = env.step(actions(env))
    np.testing.assert_array_equal(rewards, 0)


def test_a_goal_just_out_of_reach_gives_nothing():
    env = Target(num_envs=1, agents=1, goals=1)
    env.reset(0)
    place(env, 0, 0.0, 0.0, 0.0)
    env.states["goal_x"], env.states["goal_y"] = REACH + 1e-4, 0.0
    assert env.step(actions(env))[1][0] == 0
    env.states["goal_x"] = REACH - 1e-4
    assert env.step(actions(env))[1][0] == 1


def test_random_play_keeps_the_rules():
    env = Target(num_envs=32, max_steps=1000)
    env.reset(2)
    random = np.random.default_rng(0)
    total = np.zeros(32)
    for _ in range(999):
        drawn = np.stack([random.integers(0, 9, 256), random.integers(0, 5, 256)], axis=1)
        observations, rewards, terminals, truncations, infos = env.step(drawn)
        total += rewards.reshape(32, 8).sum(axis=1)
        state = env.states
        for field in ("x", "y", "goal_x", "goal_y"):
            assert (np.abs(state[field]) <= 1.0).all()
        assert (state["speed"] >= 0).all()
        assert (state["speed"] <= np.float32(MAX_SPEED)).all()
        assert (np.abs(observations[:, :22]) <= 2.83).all()
        assert (np.abs(observations[:, 22:]) <= [1.0, 1.0, 1.001, 1.001, 1.001, 4.0]).all()
        assert not (terminals | truncations).any()
        assert len(infos) == 0
    np.testing.assert_allclose(np.hypot(state["ahead_x"], state["ahead_y"]), 1.0, atol=1e-4)
    np.testing.assert_allclose(8 * state["score"], total, rtol=1e-4)
    assert total.sum() > 0


def test_the_game_is_truncated_for_all_agents_at_once():
    env = Target(num_envs=2, max_steps=10)
    env.reset(0)
    for step in range(1, 11):
        before = env.states.copy()
        *_, terminals, truncations, infos = env.step(actions(env, pedal=4))
        assert not terminals.any()
        assert truncations.all() == truncations.any() == (step == 10)
    assert [info["episode_length"] for info in infos] == [10] * 16
    assert all("score" in info for info in infos)
    np.testing.assert_array_equal(env.observations[:, -2], 0.0)  # a new game starts at rest
    np.testing.assert_allclose(env.final_observations[:, -2], 1.0, atol=1e-6)
    np.testing.assert_allclose(env.final_observations[:8, 24], before["ahead_x"][0], atol=1e-6)


def test_starts_differ_and_the_seed_decides_them():
    env = Target(num_envs=50)
    first = env.reset(0)[0].copy()
    assert len(np.unique(first[:, 22])) == 400
    np.testing.assert_array_equal(env.reset(0)[0], first)
    assert (env.reset(1)[0] != first).any(axis=1).all()


def test_a_hunter_finds_far_more_than_chance():
    returns = {}
    for name in ("random", "hunter"):
        env = Target(num_envs=32)
        env.reset(0)
        random, total = np.random.default_rng(0), 0.0
        for _ in range(256):
            drawn = np.stack([random.integers(0, 9, 256), random.integers(0, 5, 256)], axis=1)
            total += env.step(hunter(env) if name == "hunter" else drawn)[1].sum()
        returns[name] = total / env.num_agents
    assert returns["hunter"] > 5 * returns["random"] > 0


@pytest.mark.parametrize("params", [{"max_steps": 60}, {"agents": 2, "goals": 9}, {"agents": 1, "goals": 1}])
def test_compiled_equals_python(params):
    compare_with_python(Target, steps=150, num_envs=2, **params)


def test_the_picture_shows_agents_and_goals():
    from ocean_numba import palette

    env = Target(num_envs=2)
    env.reset(0)
    place(env, 0, 0.0, 0.0, 0.0)
    env.states["goal_x"][0, 0], env.states["goal_y"][0, 0] = 0.5, 0.5
    picture = env.render()
    assert picture.shape == (400, 400, 3)
    assert tuple(picture[200, 203]) == palette.SKY_BLUE
    assert tuple(picture[293, 293]) == palette.YELLOW
    assert (env.render(1) != picture).any()
