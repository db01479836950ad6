"""Environments in the manner of old gym, without gym."""

from __future__ import annotations

from collections import namedtuple

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pufferbench.emulation import LegacyEnv
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.emulation.legacy import modern_space
from pufferbench.env import game_seed


class OldCartPole:
    """Gymnasium's, with the interface of gym 0.21."""

    metadata = {"video.frames_per_second": 25}  # noqa: RUF012

    def __init__(self, limit=30):
        self.env, self.limit, self.seeds = gymnasium.make("CartPole-v1").unwrapped, limit, []
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space
        self.closed = False

    def seed(self, seed=None):
        self.seeds.append(seed)
        self.env.reset(seed=seed)
        return [seed]

    def reset(self):
        self.length = 0
        return self.env.reset()[0]

    def step(self, action):
        observation, reward, done, _, info = self.env.step(action)
        self.length += 1
        if self.length == self.limit:
            info["TimeLimit.truncated"] = not done
            done = True
        return observation, reward, done, info

    def render(self, mode="human"):
        return np.full((4, 4, 3), 5, np.uint8) if mode == "rgb_array" else None

    def close(self):
        self.closed = True


def test_every_step_is_the_old_environments():
    env, old = LegacyEnv(OldCartPole()), OldCartPole()
    env.reset(7)
    old.seed(game_seed(7, 0) % 2**31)
    observation, ends, cuts = old.reset(), 0, 0
    actions = np.random.default_rng(0).integers(0, 2, 400)
    for action in actions:
        np.testing.assert_array_equal(env.observations[0], observation)
        observation, reward, done, info = old.step(action)
        _, rewards, terminals, truncations, infos = env.step([action])
        cut = done and info.get("TimeLimit.truncated", False)
        assert (rewards[0], terminals[0], truncations[0]) == (reward, done and not cut, cut)
        if done:
            assert infos[0]["episode_length"] == old.length
            if cut:
                np.testing.assert_array_equal(env.final_observations[0], observation)
            observation, ends, cuts = old.reset(), ends + 1, cuts + cut
    assert cuts > 0 and ends > cuts
    assert env.env.old.seeds[-1] == game_seed(7, 0) % 2**31


def test_it_draws_and_closes_and_has_a_speed():
    env = LegacyEnv(OldCartPole())
    assert env.fps == 25
    assert (env.render() == 5).all()
    env.close()
    assert env.env.old.closed
    env.env.old.render = lambda: np.zeros((2, 2, 3), np.uint8)
    assert env.render().shape == (2, 2, 3)


class Plain:
    """The least there can be."""

    Space = namedtuple("Space", "shape dtype low high")
    observation_space = Space((2,), np.float32, -1, 1)
    action_space = namedtuple("Actions", "n")(3)

    def __init__(self, result=None, first=None):
        self.result, self.first = result, np.zeros(2) if first is None else first

    def reset(self):
        return self.first

    def step(self, action):
        return (np.ones(2), 1, False, {}) if self.result is None else self.result


def test_whatever_has_reset_step_and_spaces():
    env = LegacyEnv(Plain())
    assert env.observation_space == spaces.Box(-1, 1, (2,))
    assert env.action_space == spaces.Discrete(3)
    env.reset(0)
    env.step([2])
    assert env.observations.tolist() == [[1, 1]]
    env.close()
    with pytest.raises(TypeError, match="did not come from"):
        env.respawn()


def test_seeds_go_to_reset_where_it_takes_them():
    class New(Plain):
        def __init__(self):
            super().__init__()
            self.seeds = []

        def reset(self, seed=None):
            self.seeds.append(seed)
            return self.first, {"info": 1}

        def step(self, action):
            return np.ones(2), 1, False, True, {}

    env = LegacyEnv(New())
    env.reset(3)
    assert env.env.old.seeds[-1] == game_seed(3, 0) % 2**31
    assert env.step([0])[3].tolist() == [True]  # five values, cut


def test_an_error_in_a_seeded_reset_is_not_hidden():
    class Broken(Plain):
        def reset(self, seed=None):
            raise TypeError("unsupported operand")

    with pytest.raises(BadEnvironment, match=r"Broken: reset\(seed=.*unsupported operand"):
        LegacyEnv(Broken())


def test_an_observation_that_looks_like_one_with_an_info():
    class Pair(Plain):
        observation_space = spaces.Tuple((spaces.Discrete(2), spaces.Dict(a=spaces.Discrete(2))))

    env = LegacyEnv(Pair(result=((1, {"a": 0}), 0, False, {}), first=(0, {"a": 1})))
    observation, _ = env.reset(0)
    assert env.observation_space.layout.read(observation[0]) == (0, {"a": 1})


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (
            (1, 2, 3),
            r"Plain: step\(\) returned 3 values; it must return \(observation, reward, done, info\) or",
        ),
        (5, r"Plain: step\(\) returned 5; it must return"),
        ((np.ones(2), 1, "yes", {}), r"Plain: step\(\): done is 'yes'"),
        ((np.ones(2), 1, False, None), r"Plain: step\(\) returned an info that is None"),
        ((None, 1, False, {}), r"Plain: step\(\): the observation is None"),
    ],
)
def test_bad_steps(result, message):
    env = LegacyEnv(Plain(result))
    env.reset(0)
    with pytest.raises(BadEnvironment, match=message):
        env.step([0])


def test_what_is_no_environment():
    with pytest.raises(TypeError, match=r"int has no reset\(\)"):
        LegacyEnv(3)
    env = Plain()
    env.action_space = None
    with pytest.raises(TypeError, match="Plain has no action_space"):
        LegacyEnv(env)
    env.action_space = "left or right"
    with pytest.raises(TypeError, match=r"Plain: action_space 'left or right' \(str\) is of an unknown kind"):
        LegacyEnv(env)


# -- spaces of old gym, by the names of their classes -------------------------------------------


def old(kind, **fields):
    return type(kind, (), fields)()


BOX = old(
    "Box", shape=(2,), dtype=np.dtype(np.uint8), low=np.zeros(2, np.uint8), high=np.full(2, 9, np.uint8)
)


@pytest.mark.parametrize(
    ("space", "modern"),
    [
        (BOX, spaces.Box(0, 9, (2,), np.uint8)),
        (old("Discrete", n=4, shape=(), dtype=np.int64), spaces.Discrete(4)),
        (old("Discrete", n=4, start=-1), spaces.Discrete(4, start=-1)),
        (old("MultiDiscrete", nvec=np.array([2, 3]), shape=(2,)), spaces.MultiDiscrete([2, 3])),
        (old("MultiBinary", n=3, shape=(3,)), spaces.MultiBinary(3)),
        (
            old("Tuple", spaces=[BOX, old("Discrete", n=2)]),
            spaces.Tuple((spaces.Box(0, 9, (2,), np.uint8), spaces.Discrete(2))),
        ),
        (old("Dict", spaces={"a": old("Discrete", n=2)}), spaces.Dict(a=spaces.Discrete(2))),
        (spaces.Text(3), spaces.Text(3)),
    ],
)
def test_spaces_of_old_gym(space, modern):
    assert modern_space(space) == modern
