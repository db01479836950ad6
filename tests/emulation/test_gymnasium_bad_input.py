"""Environments that break their word: each mistake is one error that names the env, the field and the value."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pufferbench.emulation import GymnasiumEnv
from pufferbench.emulation.checks import (
    CHECKED_STEPS,
    BadEnvironment,
    check_flag,
    check_observation,
    check_reward,
)

BOX = spaces.Box(-1, 1, (2,), np.float32)
GOOD = np.zeros(2, np.float32)


class Careless(gymnasium.Env):
    """Right in everything but what it is given. ``first`` and ``later`` are observations."""

    def __init__(self, space=BOX, first=GOOD, later=GOOD, reset=None, step=None, when=1, actions=None):
        self.observation_space, self.action_space = space, actions or spaces.Box(-1, 1, (1,))
        self.first, self.later, self.bad_reset, self.bad_step, self.when = first, later, reset, step, when
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return (self.first, {}) if self.bad_reset is None else self.bad_reset(self)

    def step(self, action):
        self.steps += 1
        if self.steps < self.when:
            return self.first, 0.0, False, False, {}
        result = (self.later, 1.0, False, False, {})
        return result if self.bad_step is None else self.bad_step(self, result)


def play(steps=1, **arguments):
    env = GymnasiumEnv(Careless(**arguments))
    env.reset(0)
    for _ in range(steps):
        env.step(env.actions)


def dies(env):
    raise KeyError("level 7")


def change_space(env, result):
    env.observation_space = spaces.Box(-2, 2, (2,), np.float32)
    return result


def change_actions(env, result):
    env.action_space = spaces.Discrete(2)
    return result


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": None}, r"reset\(\): the observation is None, but its space is Box\(-1.0, 1.0, \(2,\)"),
        ({"later": None}, r"step\(\): the observation is None, but its space is Box"),
        (
            {"later": np.float32([0, 3])},
            r"the observation is 3.0 at \[1\], which is not within -1.0 .. 1.0 of its",
        ),
        ({"later": np.float32([0, np.nan])}, "the observation contains NaN"),
        ({"later": np.zeros(3, np.float32)}, r"the observation is an array of type float32 and shape \(3,\)"),
        ({"later": np.array(["a", "b"])}, "the observation is an array of type <U1"),
        ({"later": "up"}, r"the observation is 'up' \(str\), but its space is Box"),
        ({"reset": lambda env: None}, r"reset\(\) returned None; it must return \(observation, info\)"),
        ({"reset": lambda env: GOOD}, r"reset\(\) returned an array.*must return \(observation, info\)"),
        ({"reset": lambda env: (GOOD, None)}, r"reset\(\) returned an info that is None"),
        ({"reset": dies}, r"reset\(seed=\d+\) raised KeyError: 'level 7'"),
        ({"step": lambda env, r: None}, r"step\(\) returned None; it must return \(observation, reward"),
        ({"step": lambda env, r: r[:4]}, r"step\(\) returned 4 values.*four are the old gym's.*LegacyEnv"),
        ({"step": lambda env, r: (*r[:4], None)}, r"step\(\) returned an info that is None, not a dict"),
        ({"step": lambda env, r: (r[0], None, *r[2:])}, "the reward is None, not a number"),
        ({"step": lambda env, r: (r[0], "1", *r[2:])}, r"the reward is '1' \(str\), not a number"),
        ({"step": lambda env, r: (r[0], [1, 2], *r[2:])}, r"the reward is \[1, 2\] \(list\), not a number"),
        ({"step": lambda env, r: (r[0], np.nan, *r[2:])}, "the reward is NaN"),
        ({"step": lambda env, r: (*r[:2], None, *r[3:])}, "terminated is None, not True or False"),
        ({"step": lambda env, r: (*r[:3], "no", r[4])}, r"truncated is 'no' \(str\), not True or False"),
        ({"step": change_space}, r"observation_space was Box\(-1.0.* and is now Box\(-2.0"),
        ({"step": change_actions}, r"action_space was Box.* and is now Discrete\(2\)"),
    ],
)
def test_what_is_wrong_is_said(arguments, message):
    with pytest.raises(BadEnvironment, match=f"^Careless: .*{message}"):
        play(**arguments)


NESTED = spaces.Dict(
    image=spaces.Box(0, 255, (2, 2), np.uint8),
    words=spaces.Tuple((spaces.Text(3, charset="ab"), spaces.Discrete(3, start=1))),
    flags=spaces.MultiBinary(2),
    items=spaces.Sequence(spaces.MultiDiscrete([2, 2])),
)


def nested(**changes):
    good = {"image": np.zeros((2, 2), np.uint8), "words": ("a", 1), "flags": np.ones(2, np.int8), "items": ()}
    return good | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image": np.zeros((2, 2))},
            r"at \['image'\] is an array of type float64 and shape \(2, 2\).*uint8",
        ),
        ({"image": np.full((2, 2), 256)}, r"at \['image'\] is 256 at \[0, 0\], which is not within 0 .. 255"),
        ({"words": ("a",)}, r"at \['words'\] is \('a',\) \(tuple\), but its space is Tuple"),
        ({"words": ("c", 1)}, r"at \['words'\]\[0\] is 'c' \(str\), but its space is Text"),
        ({"words": ("abab", 1)}, r"at \['words'\]\[0\] is 'abab'"),
        ({"words": ("a", 0)}, r"at \['words'\]\[1\] is 0, which is not within 1 .. 3"),
        ({"words": ("a", 1.0)}, r"at \['words'\]\[1\] is 1.0 \(float\), but its space is Discrete"),
        ({"flags": np.array([0, 2])}, r"at \['flags'\] is 2 at \[1\], which is not within 0 .. 1"),
        ({"items": ([0, 1], [0, 2])}, r"at \['items'\]\[1\] is 2 at \[1\], which is not within 0 .. 1"),
        ({"items": 5}, r"at \['items'\] is 5 \(int\), but its space is Sequence"),
        ({"extra": 1}, "has the key 'extra'; its space has 'image', 'words', 'flags', 'items'"),
    ],
)
def test_the_wrong_part_is_named(changes, message):
    with pytest.raises(BadEnvironment, match=f"^here: the observation.*{message}"):
        check_observation(NESTED, nested(**changes), "here")
    check_observation(NESTED, nested(), "here")


def test_a_missing_part_is_named():
    with pytest.raises(BadEnvironment, match="here: the observation lacks the key 'image'"):
        check_observation(NESTED, {"words": ("a", 1), "flags": [0, 1], "items": ()}, "here")


@pytest.mark.parametrize(
    ("space", "observation"),
    [
        (BOX, [0, 1]),
        (BOX, (0.5, np.float64(1) + 1e-12)),  # 1.0 as a float32
        (spaces.Box(0, 255, (2,), np.uint8), [0, 255]),
        (spaces.Box(0, 1, (2,), np.float32), np.array([True, False])),
        (spaces.Discrete(2), True),
        (spaces.Discrete(2), np.array(1)),
        (spaces.MultiBinary(2), [True, False]),
    ],
)
def test_plain_python_values_and_other_sizes_will_do(space, observation):
    check_observation(space, observation, "here")


@pytest.mark.parametrize(
    "reward", [1, True, 1.5, np.float16(1), np.int8(1), np.bool_(True), np.array(1.5), np.array(2, np.uint8)]
)
def test_rewards_of_every_numeric_type(reward):
    env = GymnasiumEnv(Careless(step=lambda env, r: (r[0], reward, *r[2:])))
    env.reset(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(CHECKED_STEPS + 2):
            assert env.step(env.actions)[1].tolist() == [float(reward)]
    assert check_reward(reward, "here") == float(reward)


@pytest.mark.parametrize("flag", [True, False, np.bool_(True), 0, 1, np.array(True)])
def test_flags_of_every_kind(flag):
    assert check_flag(flag, "done", "here") is bool(flag)


def test_only_the_first_steps_are_looked_at():
    outside = np.float32([0, 3])
    play(later=outside, when=CHECKED_STEPS + 1, steps=CHECKED_STEPS + 3)
    with pytest.raises(BadEnvironment, match="3.0"):
        play(later=outside, when=CHECKED_STEPS, steps=CHECKED_STEPS)


def test_or_all_of_them_for_who_asks():
    env = GymnasiumEnv(Careless(later=np.float32([0, 3]), when=2 * CHECKED_STEPS))
    env.reset(0)
    for _ in range(CHECKED_STEPS + 1):
        env.step(env.actions)
    env.look_at_every_step()
    with pytest.raises(BadEnvironment, match="3.0"):
        for _ in range(CHECKED_STEPS):
            env.step(env.actions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"later": np.zeros(3, np.float32)}, r"the observation is an array of type float32 and shape \(3,\)"),
        ({"step": lambda env, r: None}, r"step\(\) returned None"),
        ({"step": lambda env, r: (r[0], None, *r[2:])}, "the reward is None"),
        ({"space": NESTED, "first": nested(), "later": nested(words="a")}, r"at \['words'\] is 'a'"),
        (
            {"space": NESTED, "first": nested(), "later": nested(items=[[0, 0]] * 9)},
            "has 9 items.*max_length=4",
        ),
        (
            {"step": lambda env, r: (np.zeros(3), 0, False, True, {})},
            r"the observation is an array of type float64 and shape \(3,\)",
        ),
    ],
)
def test_what_cannot_be_written_is_said_later_too(arguments, message):
    env = GymnasiumEnv(Careless(when=CHECKED_STEPS + 1, **arguments), max_length=4)
    env.reset(0)
    for _ in range(CHECKED_STEPS):
        env.step(env.actions)
    with pytest.raises(BadEnvironment, match=f"^Careless: .*{message}"):
        env.step(env.actions)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (spaces.Sequence(BOX), "Careless: the space Sequence.* has no bound.*max_length=16"),
        (spaces.Graph(BOX, None), "Careless: the space Graph.* cannot be flattened"),
    ],
)
def test_spaces_without_a_bound(space, message):
    with pytest.raises(TypeError, match=message):
        GymnasiumEnv(Careless(space))


def test_observations_that_the_env_uses_again_are_copied():
    shared = np.zeros(2, np.float32)

    def step(env, result):
        shared[:] = env.steps / 10
        return shared, 0.0, False, env.steps == 3, {}

    env = GymnasiumEnv(Careless(first=shared, later=shared, step=step))
    env.reset(0)
    seen = [env.step(env.actions)[0].copy() for _ in range(3)]
    shared[:] = 9
    assert [row.tolist() for row in env.final_observations] == [pytest.approx([0.3, 0.3])]
    assert [round(float(row[0, 0]), 1) for row in seen[:2]] == [0.1, 0.2]
    assert env.observations.max() < 1
