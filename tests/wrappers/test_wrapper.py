"""Wrapper: around single envs, native batches and vectorizers, and inside of them."""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from my_package.simple import SimpleTask

import pufferbench
from pufferbench import Wrapper
from pufferbench.env import Buffers
from pufferbench.vector import Multiprocessing, Serial


class Changed(Wrapper):
    """Everything is something else: halves as observations, a tenth of the reward, the other action."""

    def __init__(self, env: Any, scale: float = 0.1) -> None:
        super().__init__(env)
        self.scale = scale
        shape = self.env.observation_space.shape
        self.observation_space = spaces.Box(-np.inf, np.inf, (2, *shape), np.float64)

    def observation(self, observations: np.ndarray) -> np.ndarray:
        return np.stack([observations / 2, np.ones_like(observations)], axis=1)

    def reward(self, rewards: np.ndarray) -> np.ndarray:
        return self.scale * rewards

    def action(self, actions: np.ndarray) -> np.ndarray:
        return 1 - actions


class Nothing(Wrapper):
    pass


def pendulum_like() -> gymnasium.Env:
    return gymnasium.make("CartPole-v1", max_episode_steps=12)


BATCHES = {
    "native": lambda: pufferbench.make("ocean-cartpole", num_envs=4, max_steps=12),
    "native, threads": lambda: pufferbench.make(
        "ocean-cartpole", num_envs=4, max_steps=12, backend="threads", num_workers=2
    ),
    "serial": lambda: Serial(pendulum_like, 4),
    "workers": lambda: Multiprocessing(pendulum_like, 4, num_workers=2),
    "one": lambda: pufferbench.emulate(pendulum_like),
    "a raw env": pendulum_like,
    "simple": lambda: pufferbench.emulate(SimpleTask),
}


@pytest.mark.parametrize("batch", BATCHES)
def test_what_is_overridden_is_changed_and_nothing_else(batch):
    with BATCHES[batch]() as inner, Changed(BATCHES[batch]()) as env:
        raw = pufferbench.emulation.as_puffer(inner)
        np.testing.assert_array_equal(env.reset(seed=3)[0][:, 0], raw.reset(seed=3)[0] / 2)
        rows, cut = env.num_agents, 0
        for t in range(40):
            actions = (np.arange(rows) + t // 2) % 2
            observations, rewards, terminals, truncations, infos = env.step(actions)
            seen = raw.step(1 - actions)
            np.testing.assert_array_equal(observations[:, 0], seen[0] / 2)
            assert (observations[:, 1] == 1).all()
            np.testing.assert_array_equal(rewards, np.float32(0.1) * seen[1])
            np.testing.assert_array_equal(terminals, seen[2])
            np.testing.assert_array_equal(truncations, seen[3])
            assert list(infos) == list(seen[4])
            last = raw.final_observations[truncations]
            np.testing.assert_array_equal(env.final_observations[truncations, 0], last / 2)
            cut += int(truncations.sum())
            for name, array in zip(("observations", "rewards"), (observations, rewards), strict=True):
                assert array is getattr(env, name)
        assert cut > 0 or batch == "simple"


def test_arrays_that_are_not_changed_are_the_envs_own():
    env = Nothing(pufferbench.make("ocean-cartpole", num_envs=4))
    for name, array in env.buffers.arrays().items():
        assert array is getattr(env.env.buffers, name)


@pytest.mark.parametrize(
    "vectorize", [Serial, partial(Multiprocessing, num_workers=2)], ids=["serial", "workers"]
)
def test_inside_of_a_vectorizer(vectorize):
    member = lambda: Changed(pufferbench.make("ocean-cartpole", num_envs=2, max_steps=12))  # noqa: E731
    outside = Changed(pufferbench.make("ocean-cartpole", num_envs=4, max_steps=12))
    with vectorize(member, num_envs=2) as env:
        np.testing.assert_array_equal(env.reset(seed=3)[0], outside.reset(seed=3)[0])
        for t in range(30):
            actions = (np.arange(4) + t // 2) % 2
            for mine, expected in zip(env.step(actions)[:4], outside.step(actions)[:4], strict=True):
                np.testing.assert_array_equal(mine, expected)
            rows = outside.truncations
            np.testing.assert_array_equal(env.final_observations[rows], outside.final_observations[rows])


def test_it_moves_into_other_arrays():
    env = Changed(Nothing(pufferbench.make("ocean-cartpole", num_envs=2)))
    env.reset(seed=1)
    before = env.step(np.zeros(2, int))[0].copy()
    arrays = Buffers.allocate(2, env.observation_space, env.action_space)
    env.use_buffers(arrays)
    np.testing.assert_array_equal(arrays.observations, before)
    env.step(np.ones(2, int))
    assert (arrays.observations != before).any()
    assert (arrays.rewards == np.float32(0.1)).all()
    assert arrays.actions.tolist() == [1, 1]
    arrays.actions[:] = 0
    env.step(arrays.actions)  # as a vectorizer does
    assert env.env.actions.tolist() == [1, 1]


def test_the_rest_of_the_env_is_reached_through_it():
    env = Nothing(pufferbench.make("ocean-breakout"))
    assert env.fps == env.env.fps
    assert env.params["frameskip"] == 4
    assert env.render().shape == env.env.render().shape
    assert env.source_observation_space == env.observation_space
    for way_past in ("step_rows", "send", "recv", "async_reset"):
        assert not hasattr(env, way_past)
    with pytest.raises(AttributeError, match="nothing_such"):
        env.nothing_such  # noqa: B018


def test_respawn_makes_the_same_wrappers():
    env = Changed(Nothing(pufferbench.make("ocean-cartpole", num_envs=4)), scale=3.0)
    other = env.respawn(1)
    assert (type(other), type(other.env), other.scale, other.num_envs) == (Changed, Nothing, 3.0, 1)
    np.testing.assert_array_equal(other.reset(seed=2)[0][0], env.reset(seed=2)[0][0])


def test_rows_that_change_places_are_refused():
    with (
        Multiprocessing(pendulum_like, 4, num_workers=4, mode="async", surplus_envs=2) as env,
        pytest.raises(
            ValueError, match=r"Nothing: the rows .* change places.*Multiprocessing\(lambda: Nothing"
        ),
    ):
        Nothing(env)


def test_other_wrappers_state_is_refused():
    with pytest.raises(ValueError, match="of an env with other wrappers .mean."):
        Nothing(pendulum_like()).load_state_dict({"mean": np.zeros(4)})


def test_what_a_run_says_of_its_wrappers():
    by_hand = Changed(Nothing(pufferbench.make("ocean-cartpole")))
    assert by_hand.added_wrappers == ["Changed", "Nothing"]
    assert by_hand.spec.id == "ocean-cartpole"
    pufferbench.register(
        "test-wrapped", lambda num_envs=1: Nothing(pufferbench.make("ocean-cartpole", num_envs))
    )
    assert pufferbench.make("test-wrapped").added_wrappers == []
    assert Changed(pufferbench.make("test-wrapped", num_envs=2)).added_wrappers == ["Changed"]
    assert pufferbench.make("test-wrapped", num_envs=3).num_envs == 3
