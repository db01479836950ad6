"""Observations in parts, and as features, in torch."""

from __future__ import annotations

import shutil
import sys

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import pufferbench
from pufferbench import PuffeRL, features
from pufferbench.emulation import GymnasiumEnv
from pufferbench.features import Features
from pufferbench.pytorch import unflatten_observations
from pufferbench.spaces import FlatBox, flatten_observations
from pufferbench.vector import Serial

NESTED = spaces.Dict(
    image=spaces.Box(0, 255, (2, 3), np.uint8),
    speed=spaces.Box(-1, 1, (), np.float64),
    half=spaces.Box(-1, 1, (2,), np.float16),
    words=spaces.Tuple((spaces.Text(4), spaces.Discrete(3, start=1))),
    flags=spaces.MultiBinary((2, 2)),
    items=spaces.Sequence(spaces.Dict(kind=spaces.Discrete(3), place=spaces.Box(-1, 1, (2,)))),
    nothing=spaces.Tuple(()),
)
FLOATS = spaces.Tuple((spaces.Box(-1, 1, (2, 2)), spaces.Dict(x=spaces.Box(0, 5, ()))))


def rows_of(space, count=5):
    space.seed(3)
    flat = flatten_observations(space, max_length=6)
    samples = [flat.layout.shorten(space.sample()) for _ in range(count)]
    rows = np.zeros((count, *flat.shape), flat.dtype)
    for sample, row in zip(samples, rows, strict=True):
        flat.layout.write(sample, row)
    return flat, samples, torch.from_numpy(rows)


def tensors(parts):
    if isinstance(parts, dict):
        parts = tuple(parts.values())
    return [leaf for part in parts for leaf in tensors(part)] if isinstance(parts, tuple) else [parts]


def test_the_parts_are_views_of_the_right_types():
    flat, samples, rows = rows_of(NESTED)
    parts = unflatten_observations(rows, flat)
    assert list(parts) == list(NESTED.spaces)
    assert (parts["speed"].dtype, parts["half"].dtype, parts["flags"].dtype) == (
        torch.float64,
        torch.float16,
        torch.int8,
    )
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(parts["image"][i], sample["image"])
        np.testing.assert_array_equal(parts["half"][i], sample["half"])
        np.testing.assert_array_equal(parts["flags"][i], sample["flags"])
        assert parts["speed"][i].item() == sample["speed"]
        text, choice = parts["words"]
        characters = sorted(NESTED["words"][0].character_set)
        assert "".join(characters[code - 1] for code in text[i].tolist() if code) == sample["words"][0]
        assert choice[i] == sample["words"][1] - 1
        items = sample["items"]
        assert parts["items"]["length"][i] == len(items)
        assert parts["items"]["items"]["place"].shape == (5, 6, 2)
        for k, item in enumerate(items):
            np.testing.assert_array_equal(parts["items"]["items"]["place"][i, k], item["place"])
            assert parts["items"]["items"]["kind"][i, k] == item["kind"]
    storage = rows.untyped_storage().data_ptr()
    assert all(leaf.untyped_storage().data_ptr() == storage for leaf in tensors(parts))


def test_float32_parts_are_views_too():
    flat, samples, rows = rows_of(FLOATS)
    box, rest = unflatten_observations(rows, flat)
    np.testing.assert_array_equal(box, np.stack([sample[0] for sample in samples]))
    np.testing.assert_array_equal(rest["x"], np.stack([sample[1]["x"] for sample in samples]))
    box[0, 0, 0] = 7
    assert rows[0, 0] == 7


def test_rows_out_of_a_larger_tensor():
    flat, samples, rows = rows_of(NESTED)
    storage = torch.zeros(3, 5, *flat.shape, dtype=torch.uint8)
    storage[1] = rows
    speeds = [sample["speed"] for sample in samples]
    assert unflatten_observations(storage[1], flat)["speed"].tolist() == speeds
    assert unflatten_observations(storage[1, 2:4], flat)["speed"].tolist() == speeds[2:4]
    assert unflatten_observations(storage[1][[4, 0]], flat)["speed"].tolist() == [speeds[4], speeds[0]]


def test_what_was_not_flattened_has_no_parts():
    rows = torch.zeros(3, 4)
    assert unflatten_observations(rows, spaces.Box(-1, 1, (4,))) is rows


def test_bytes_that_were_made_floats_are_refused():
    flat, _, rows = rows_of(NESTED)
    with pytest.raises(
        TypeError, match=r"are torch.uint8 in memory, not torch.float32: unflatten them first"
    ):
        unflatten_observations(rows.float(), flat)


@pytest.mark.parametrize("space", [NESTED, FLOATS])
def test_torch_traces_it_without_a_break(space):
    """aot_eager: the graph that torch.compile makes, without the machine code, which takes seconds."""
    flat, _, rows = rows_of(space)
    compiled = torch.compile(lambda x: unflatten_observations(x, flat), backend="aot_eager", fullgraph=True)
    plain, traced = unflatten_observations(rows, flat), compiled(rows)
    for left, right in zip(tensors(plain), tensors(traced), strict=True):
        assert left.dtype == right.dtype
        assert torch.equal(left, right)


@pytest.mark.slow  # the machine code alone takes 10 s
@pytest.mark.skipif(
    sys.platform != "linux" or not (shutil.which("g++") or shutil.which("c++")),
    reason="torch.compile needs a C++ compiler for the CPU (found on Linux only)",
)
def test_features_work_compiled():
    flat, _, rows = rows_of(spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(-1, 1, (2,), np.float64)))
    module = Features(flat)
    torch.testing.assert_close(torch.compile(module, fullgraph=True)(rows), module(rows))


# -- features -----------------------------------------------------------------------------------


def test_numbers_are_themselves():
    space = spaces.Box(np.float32([-1, -5]), np.float32([1, 5]))
    module = Features(space)
    rows = torch.randn(3, 2)
    assert torch.equal(module(rows), rows)
    assert module(rows).data_ptr() == rows.data_ptr()  # not even copied
    assert module.scaled.tolist() == [True, False]


@pytest.mark.parametrize(
    ("space", "values", "expected"),
    [
        (spaces.Discrete(3), [2, 0], [[0, 0, 1], [1, 0, 0]]),
        (spaces.MultiDiscrete([2, 3]), [[1, 0], [0, 2]], [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]),
        (spaces.MultiDiscrete([[1], [2]]), [[[0], [1]]], [[1, 0, 1]]),
        (spaces.Box(0, 1, (2,), np.bool_), [[True, False]], [[1, 0]]),
        (spaces.Box(0, 9, (2, 1), np.uint16), [[[3], [9]]], [[3, 9]]),
    ],
)
def test_choices_are_flags(space, values, expected):
    dtype = space.dtype if isinstance(space, spaces.Box) else np.int32
    found = Features(space)(torch.from_numpy(np.array(values, dtype)))
    assert found.dtype == torch.float32
    assert found.tolist() == expected


def test_parts_lie_side_by_side():
    space = spaces.Dict(
        a=spaces.Discrete(2, start=5),
        b=spaces.Text(2, charset="xy"),
        c=spaces.Sequence(spaces.Discrete(2)),
        d=spaces.MultiBinary(2),
        e=spaces.Box(0, 9, (1,), np.uint8),
    )
    flat = flatten_observations(space, max_length=2)
    row = np.zeros(flat.shape, np.uint8)
    flat.layout.write({"a": 6, "b": "y", "c": (1,), "d": [0, 1], "e": [7]}, row)
    module = Features(flat)
    expected = [
        *[0, 1],  # which of a
        *[0, 1, 0, 0],  # the first character of b, and no second
        *[0, 1, 0, 0, 0.5],  # the first item of c, no second, half full
        *[0, 1],
        7,
    ]
    assert module(torch.from_numpy(row)[None]).tolist() == [expected]
    assert module.scaled.tolist() == [True] * 13 + [False]


def test_too_many_choices_become_numbers(monkeypatch):
    monkeypatch.setattr(features, "MOST_FLAGS", 10)
    assert Features(spaces.MultiDiscrete([5, 5])).size == 10
    module = Features(spaces.MultiDiscrete([5, 6]))
    assert module(torch.tensor([[4, 0]])).tolist() == [[1, 0]]
    module = Features(flatten_observations(spaces.Discrete(2**40)))
    assert module.size == 1


def test_spaces_without_features():
    with pytest.raises(TypeError, match=r"one flat array, not Dict.*pufferbench.emulate\(\) flattens"):
        Features(spaces.Dict(a=spaces.Discrete(2)))
    with pytest.raises(ValueError, match="nothing to see"):
        Features(spaces.Box(0, 1, (0,)))


# -- through the trainer ------------------------------------------------------------------------


class Riddle(gymnasium.Env):
    """The answer is in one part of the observation; right answers earn 1. Ten questions."""

    action_space = spaces.Discrete(3)

    def __init__(self, space, answer):
        self.observation_space, self.answer = space, answer

    def ask(self):
        self.shown = self.observation_space.sample()
        return self.shown

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.observation_space.seed(seed)
        self.asked = 0
        return self.ask(), {}

    def step(self, action):
        reward = float(action == self.answer(self.shown))
        self.asked += 1
        return self.ask(), reward, self.asked == 10, False, {}


RIDDLES = {
    "dict": (
        lambda: spaces.Dict(answer=spaces.Discrete(3), noise=spaces.Box(-1, 1, (2,), np.float64)),
        lambda shown: shown["answer"],
    ),
    "discrete": (lambda: spaces.Discrete(6, start=3), lambda shown: (shown - 3) % 3),
    "text": (lambda: spaces.Text(1, charset="abc"), lambda shown: "abc".index(shown)),
}


@pytest.mark.learn
@pytest.mark.parametrize("kind", RIDDLES)
def test_an_mlp_learns_from_any_observation(kind):
    space, answer = RIDDLES[kind]
    env = Serial(lambda: Riddle(space(), answer), 16)
    trainer = PuffeRL(
        env, seed=0, total_timesteps=20_000, batch_size=1024, minibatch_size=256, learning_rate=3e-3
    )
    records = list(trainer.steps())
    assert records[0]["episode_return"] < 5  # of 10; a guess is right in 3.3
    assert records[-1]["episode_return"] > 9


class OwnPolicy(torch.nn.Module):
    """Looks at one part only, as a user would write it."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.space = observation_space
        self.heads = torch.nn.Linear(3, int(action_space.n) + 1)

    def forward(self, observations):
        answer = unflatten_observations(observations, self.space)["answer"]
        out = self.heads(torch.nn.functional.one_hot(answer.long(), 3).float())
        return out[:, :-1], out[:, -1]


@pytest.mark.learn
def test_a_policy_of_ones_own_learns_from_the_parts():
    space, answer = RIDDLES["dict"]
    env = Serial(lambda: Riddle(space(), answer), 16)
    torch.manual_seed(0)  # the policy's first weights
    policy = OwnPolicy(env.observation_space, env.action_space)
    trainer = PuffeRL(env, policy, seed=0, total_timesteps=20_000, batch_size=1024, learning_rate=3e-2)
    assert list(trainer.steps())[-1]["episode_return"] > 8.5  # of 10; 9.04 to 9.24 with seeds 0 to 5


def test_the_rollout_keeps_bytes_and_choices_as_they_are():
    env = GymnasiumEnv(Riddle(*(part() if i == 0 else part for i, part in enumerate(RIDDLES["dict"]))))
    assert isinstance(env.observation_space, FlatBox)
    assert PuffeRL(env, bptt_horizon=4).rollout.observations.dtype == torch.uint8
    env = pufferbench.make("gym-FrozenLake-v1")
    assert PuffeRL(env, bptt_horizon=4).rollout.observations.dtype == torch.int32


@pytest.mark.learn
def test_cartpole_of_gymnasium_is_solved():
    env = pufferbench.make("gym-CartPole-v1", num_envs=16)
    records = list(PuffeRL(env, seed=1, total_timesteps=300_000).steps())
    assert records[0]["episode_return_100"] < 60
    assert records[-1]["episode_return_100"] >= 475  # of 500; 160,000 to 190,000 steps, whatever the seed
