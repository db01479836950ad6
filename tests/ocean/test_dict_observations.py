"""Dict observations: observe writes the fields of a record, which is one flat row outside."""

import re

import numpy as np
import pytest
from ocean.games import Counter, Parts

from ocean_numba import Box, Dict, Discrete, GameError, MultiBinary
from ocean_numba.testing import _differences, compare_with_python
from pufferbench.spaces import FlatBox, flatten_observations
from pufferbench.vector import Multiprocessing
from pufferbench.vector.threads import Threads


@pytest.mark.parametrize("mode", ["compiled", "python", "debug"])
def test_every_part_of_every_row(mode):
    env = Parts(3, mode=mode)
    assert isinstance(env.observation_space, FlatBox)
    assert env.observations.shape == (6, env.observation_space.layout.dtype.itemsize)
    env.reset(0)
    for step in range(1, 9):
        env.step(np.zeros(6, np.int32))
        for row in range(6):
            game, agent = divmod(row, 2)
            level, shift = int(env.states["level"][game]), env.states["shift"][game]
            sample = env.observation_space.layout.read(env.observations[row])
            assert env.source_observation_space.contains(sample)
            expected = 0.1 * np.add.outer(np.arange(2), np.arange(3)) * shift
            np.testing.assert_allclose(sample["image"], expected, atol=1e-6)
            assert sample["counts"].tolist() == [10 * level, agent]
            assert sample["wide"] == pytest.approx(1 / (1 + level))
            assert sample["flags"].tolist() == [level % 3 == i for i in range(3)]
            assert sample["level"] == level
            assert sample["pair"].tolist() == [level % 3, level + agent]
            assert bool(env.truncations[row]) == (step == 7)
            if step == 7:  # level is still that of the episode that was cut
                final = env.observation_space.layout.read(env.final_observations[row])
                assert final["counts"][1] == agent


def test_compiled_is_the_same_game_as_python():
    compare_with_python(Parts, steps=60, num_envs=3, size=4, agents=3)


def test_the_comparison_sees_every_part(monkeypatch):
    function = Parts._game.functions["observe"]

    def wrong(s, i, obs):
        function(s, i, obs)
        obs.pair[1] = 0

    with monkeypatch.context() as patch:
        patch.setitem(Parts._game.functions, "observe", wrong)
        python = Parts(2, mode="python")
        python.reset(0)
    env = Parts(2)
    env.reset(0)
    message = _differences(env, python, 1e-5)[0]
    assert re.fullmatch(r"observations\.pair\[1, 1\] is .*1.*, in Python mode .*0.*", message)


def test_only_float32_parts_stay_float32():
    class Game(Counter):
        observation = Dict({"a": Box(-1, 99, (1,), np.float32), "b": Box(-5, 5, (1,), np.float32)})

        def observe(s, obs):
            obs.a[0] = s.count
            obs.b[0] = s.x

    env = Game(2)
    env.reset(0)
    assert env.observations.dtype == np.float32
    assert env.observations[:, 0].tolist() == [0, 0]
    np.testing.assert_array_equal(env.observations[:, 1], env.states["x"])
    compare_with_python(Game, steps=20, num_envs=2)


def make_parts():
    return Parts(2)


def test_threads_and_workers():
    whole, threads = Parts(4), Threads(Parts(4), 2)
    workers = Multiprocessing(make_parts, 2, num_workers=2)
    with whole, threads, workers:
        for env in (whole, threads, workers):
            env.reset(0)
            for _ in range(5):
                env.step(np.zeros(8, np.int32))
        assert (threads.observations == whole.observations).all()
        assert (workers.observations == whole.observations).all()


def variant(**body):
    return type("Game", (Counter,), body)


def one_part(space):
    return Dict({"a": space, "b": Box(-1, 1, (2,), np.float32)})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Dict({}), "Game.observation is a Dict without any part"),
        (Dict({"my part": Discrete(2)}), "has the part 'my part'; .* must be a plain name"),
        (
            one_part(Dict({"c": Discrete(2)})),
            r"Game.observation\['a'\] is Dict.*; a part of a Dict is one of Box",
        ),
        (one_part(Box(0, 1, (1,), np.float16)), "float16, use float32"),
        (one_part(Discrete(3, start=1)), "not counted from 0"),
        (MultiBinary(2), r"Game.observation must be a Box or Dict"),
    ],
)
def test_spaces_that_cannot_be_are_named(space, message):
    with pytest.raises(GameError, match=message):
        variant(observation=space)()


def observe_unknown(s, obs):
    obs.a = 0
    obs.c = 1.0


def observe_half(s, obs):
    obs.a = 1
    obs.b[0] = 0.5


def observe_whole_array(s, obs):
    obs.a = 0
    obs.b = 1.0


def observe_as_array(s, obs):
    obs[0] = 1.0


def observe_nothing_of_a(s, obs):
    obs.b[:] = 0.0


def observe_outside(s, obs):
    obs.a = 3 + s.count
    obs.b[:] = 0.0


@pytest.mark.parametrize(
    ("observe", "message"),
    [
        (
            observe_unknown,
            r"observation has no part 'c'.*it has a, b \(observe_unknown, line \d+: obs\.c = 1\.0",
        ),
        (observe_half, r"leaves 1 of 2 elements unwritten, the first is obs\.b\[1\]"),
        (observe_nothing_of_a, r"leaves 1 of 1 elements unwritten, the first is obs\.a$"),
        (observe_whole_array, r"b is an array: write its elements, obs\.b\[i\] = \.\.\."),
        (observe_as_array, r"obs has no elements but fields: write obs\.a = \.\.\."),
        (observe_outside, r"Game\.observe writes 3 into obs\.a, which is 0 \.\. 2"),
    ],
)
def test_mistakes_in_observe(observe, message):
    with pytest.raises(GameError, match=message):
        variant(observation=one_part(Discrete(3)), observe=observe)().reset(0)


def test_the_layout_is_that_of_everyone_else():
    env = Parts()
    assert env.observation_space == flatten_observations(env.source_observation_space)
