"""Names of actions and observations, as the games' pages have them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from my_package.simple import SimpleTask

import pufferbench
from pufferbench.labels import action_parts, observation_numbers, observation_parts
from pufferbench.wrappers import FrameStack


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ocean-breakout", ("stay", "left", "right")),
        ("ocean-cartpole", ("pushes left", "pushes right")),
        ("ocean-acrobot", ("-1 N m", "none", "+1 N m")),
        ("ocean-lunar-lander", ("none", "left", "main", "right")),
        ("ocean-frozen-lake-8x8", ("left", "down", "right", "up")),  # from the game that it is a variant of
        ("ocean-bandit", tuple("0123456789")),
        ("gym-CartPole-v1", ("0", "1")),
    ],
)
def test_actions(name: str, options: tuple[str, ...]) -> None:
    (part,) = action_parts(pufferbench.make(name, num_envs=1))
    assert part.options == options and part.name == ""


def test_actions_of_several_parts_and_of_none() -> None:
    turn, pedal = action_parts(pufferbench.make("ocean-target", num_envs=1))
    assert (turn.name, len(turn.options), pedal.name, len(pedal.options)) == ("turn", 9, "pedal", 5)
    (torque,) = action_parts(pufferbench.make("ocean-pendulum", num_envs=1))
    assert (torque.low, torque.high, torque.options) == (-2, 2, ())


def test_observations() -> None:
    (part,) = observation_parts(pufferbench.make("ocean-breakout", num_envs=1))
    assert part.names[7] == "lives left, as a share of those at the start"
    assert part.names[4] == part.names[5] and "velocity" in part.names[4]
    (grid,) = observation_parts(pufferbench.make("ocean-squared", num_envs=1))
    assert grid.is_picture and grid.shape == (11, 11)
    stacked = FrameStack(pufferbench.make("ocean-cartpole", num_envs=1), 2)
    assert not any(
        name for part in observation_parts(stacked) for name in part.names
    )  # others than the page's
    assert observation_parts(pufferbench.emulate(SimpleTask, num_envs=1))


def test_a_dict_is_numbers_part_by_part() -> None:
    env = pufferbench.make("ocean-spaces", num_envs=1)
    row = env.reset(3)[0][0]
    parts = {part.name: part for part in observation_parts(env)}
    numbers = observation_numbers(env.observation_space, row)
    assert sum(part.size for part in parts.values()) == len(numbers)
    sample = env.observation_space.layout.read(row.copy())
    offset = 0
    for name, part in parts.items():
        np.testing.assert_allclose(numbers[offset : offset + part.size], np.ravel(sample[name]), rtol=1e-6)
        offset += part.size


def test_atari_says_what_its_actions_mean() -> None:
    class Meaningful(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 1, (2,))
        action_space = gymnasium.spaces.Discrete(2)

        def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
            return np.zeros(2, np.float32), {}

        def get_action_meanings(self) -> list[str]:
            return ["NOOP", "FIRE"]

    (part,) = action_parts(pufferbench.emulate(Meaningful(), num_envs=1))
    assert part.options == ("noop", "fire")
