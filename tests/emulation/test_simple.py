"""PufferEnvs in the simple style: values returned, dicts per agent, 4 or 5 values."""

import random
import threading
import time
from typing import Any

import numpy as np
import pytest
from my_package.envs import MyTask
from my_package.simple import SimplePair, SimpleTask

import pufferbench
from pufferbench import PufferEnv
from pufferbench.emulation import as_puffer
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.emulation.simple import is_simple
from pufferbench.env import game_seed
from pufferbench.pytorch import unflatten_observations
from pufferbench.vector import Serial


class Returns(PufferEnv):
    """Returns from ``reset`` and ``step`` what it was given."""

    def __init__(self, reset: Any, step: Any = None) -> None:
        super().__init__()
        self.observation_space = self.make_space((2,), -1, 1)
        self.action_space = self.make_discrete(2)
        self.returned = reset, step

    def reset(self) -> Any:
        return self.returned[0]

    def step(self, action: Any) -> Any:
        return self.returned[1]


ZEROS = np.zeros(2, np.float32)


def test_one_row_plays_what_the_env_plays():
    """Also: numpy.random in the env is its own, seeded by reset."""
    env = as_puffer(SimpleTask())
    observations, infos = env.reset(seed=3)
    assert observations.shape == (1, 4)
    assert len(infos) == 0
    raw, before = SimpleTask(), np.random.get_bit_generator()
    np.random.set_bit_generator(np.random.MT19937(game_seed(3, 0) % 2**31))
    try:
        seen = raw.reset()
        np.testing.assert_array_equal(env.observations[0], seen)
        total = 0.0
        for t in range(1, 25):
            if t % 10 == 1:
                total = 0.0
            seen, reward, done, _ = raw.step(t % 4)
            total += reward
            observations, rewards, terminals, truncations, infos = env.step(np.array([t % 4]))
            assert (rewards[0], terminals[0], truncations[0]) == (reward, done, False)
            if done:
                assert list(infos) == [{"episode_return": total, "episode_length": 10}]
                seen = raw.reset()
            np.testing.assert_array_equal(observations[0], seen)
    finally:
        np.random.set_bit_generator(before)


def test_the_process_randomness_is_left_alone():
    np.random.seed(5)
    expected = np.random.random(3)
    raw = SimpleTask()
    np.random.seed(5)
    env = as_puffer(raw)
    env.reset(seed=1)
    env.step(np.array([0]))
    np.testing.assert_array_equal(np.random.random(3), expected)


class Yielding(Returns):
    """Lets other threads run between its draws."""

    def reset(self) -> Any:
        seen = []
        for _ in range(2):
            time.sleep(0.0001)
            seen.append(np.random.uniform())
        return np.array(seen, np.float32)

    def step(self, action: Any) -> Any:
        return self.reset(), 0.0, False, {}


def test_envs_in_threads_do_not_mix_their_randomness():
    """As a panel plays beside the training."""

    def play(seen: list) -> None:
        env = as_puffer(Yielding(None))
        env.reset(seed=3)
        for _ in range(20):
            seen.append(env.step(np.array([0]))[0].tolist())

    before = np.random.get_bit_generator()
    alone: list = []
    play(alone)
    together: list[list] = [[], [], []]
    threads = [threading.Thread(target=play, args=(seen,)) for seen in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [alone] * 3
    assert np.random.get_bit_generator() is before


class OwnGenerators(Returns):
    """Randomness in attributes, made without a seed."""

    def __init__(self) -> None:
        super().__init__(None)
        self.observation_space = self.make_space((4,))
        self.new, self.twin = np.random.default_rng(), np.random.default_rng()
        self.old, self.plain = np.random.RandomState(), random.Random()

    def reset(self) -> Any:
        all_of_them = (self.new, self.twin, self.old, self.plain)
        return np.array([generator.random() for generator in all_of_them], np.float32)


def test_generators_in_attributes_are_seeded():
    one, other = as_puffer(OwnGenerators()), as_puffer(OwnGenerators())
    first = one.reset(seed=1)[0].copy()
    np.testing.assert_array_equal(first, other.reset(seed=1)[0])
    assert len(set(first[0].tolist())) == 4
    assert not (first == one.reset(seed=2)[0]).any()
    assert not (first == one.reset()[0]).any()


class Seeded(Returns):
    def reset(self, seed: Any = None) -> Any:
        self.seed_got = seed
        return ZEROS, {}


class SeedMethod(Returns):
    def seed(self, seed: int) -> None:
        self.seed_got = seed


@pytest.mark.parametrize("env", [Seeded(None), SeedMethod(ZEROS)])
def test_an_env_that_takes_a_seed_gets_it(env):
    as_puffer(env).reset(seed=7)
    assert env.seed_got == game_seed(7, 0) % 2**31


def test_in_place_envs_are_left_as_they_are():
    for env in (MyTask(), pufferbench.make("ocean-cartpole"), Serial(SimpleTask, 2), as_puffer(SimpleTask())):
        assert not is_simple(env)
        assert as_puffer(env) is env


def test_tuple_of_five_truncates():
    env = as_puffer(Returns(ZEROS, (ZEROS + 0.5, 1, False, True, {})))
    env.reset()
    env.step(np.array([0]))
    assert (env.terminals[0], env.truncations[0]) == (False, True)
    np.testing.assert_array_equal(env.final_observations[0], [0.5, 0.5])
    np.testing.assert_array_equal(env.observations[0], [0, 0])


def test_time_limit_in_the_info_of_four():
    env = as_puffer(Returns(ZEROS, (ZEROS, 1, True, {"TimeLimit.truncated": True})))
    env.reset()
    env.step(np.array([0]))
    assert (env.terminals[0], env.truncations[0]) == (False, True)


def test_dict_observations_are_flattened_and_come_back():
    env = as_puffer(SimplePair())
    env.reset(seed=0)
    env.step(np.ones((2, 2), int))
    parts = unflatten_observations(__import__("torch").from_numpy(env.observations), env.observation_space)
    assert parts["image"].shape == (2, 2, 3, 1)
    assert parts["image"].unique().tolist() == [1.0]
    assert parts["vector"].tolist() == [[1, 0], [1, 1]]
    assert set(env.source_observation_space) == {"image", "vector"}


@pytest.mark.parametrize("values", [4, 5])
def test_agents_come_as_dicts_and_leave_before_the_others(values):
    env = as_puffer(SimplePair(values=values))
    assert env.num_agents == 2
    env.reset(seed=0)
    told = []
    for step in range(1, 6):
        _, rewards, terminals, truncations, infos = env.step(np.array([[1, 2], [0, 2]]))
        told += list(infos)
        assert not truncations.any()
        assert terminals.tolist() == [step == 5, step == 3]
        assert rewards.tolist() == [3 + 10 * (step == 5), 2 * (step <= 3)]
        # "b" is away from its end until the game begins anew
        assert env.masks.tolist() == [True, step not in (3, 4)]
    assert told == [
        {"episode_return": 6, "episode_length": 3},
        {"episode_return": 25, "episode_length": 5},
    ]


class AllAtOnce(SimplePair):
    """One flag for everybody; an agent without an observation has left."""

    def step(self, action: Any) -> Any:
        observations, rewards, *_ = super().step(action)
        return observations, rewards, {"__all__": self.steps == 4}, {}


def test_a_flag_for_all():
    env = as_puffer(AllAtOnce())
    env.reset()
    ends = []
    for _ in range(4):
        ends.append(env.step(np.zeros((2, 2), int))[2].tolist())
    assert ends == [[False, False]] * 3 + [[True, True]]


@pytest.mark.parametrize(
    ("reset", "step", "message"),
    [
        (None, None, r"Returns: reset\(\) returned None"),
        (ZEROS, None, r"Returns: step\(\) returned None; it must return observation, reward, done, info"),
        (ZEROS, (ZEROS, 1, False), r"Returns: step\(\) returned 3 values"),
        (ZEROS, (ZEROS, 1, False, None), r"the last value of step\(\) is the info, a dict, not None"),
        (ZEROS, (ZEROS, "much", False, {}), "Returns: .*the reward is 'much'"),
        (ZEROS, (ZEROS, 1, "no", {}), "Returns: .*done is 'no'"),
        (ZEROS, (ZEROS + 3, 1, False, {}), r"Returns: .*the observation is 3.0 at \[0\]"),
        (ZEROS + 3, None, r"Returns: .*the observation is 3.0 at \[0\]"),
    ],
)
def test_what_is_wrong_is_named(reset, step, message):
    with pytest.raises(BadEnvironment, match=message):
        env = as_puffer(Returns(reset, step))
        env.reset()
        env.step(np.array([0]))


def test_an_env_without_spaces():
    class Bare(PufferEnv):
        def reset(self) -> Any:
            return ZEROS

    with pytest.raises(TypeError, match="Bare has no observation_space: set it in __init__"):
        as_puffer(Bare())


def test_writing_in_place_needs_a_seed():
    class NoSeed(MyTask):
        def reset(self) -> Any:  # type: ignore[override]
            return super().reset()

    with pytest.raises(
        BadEnvironment, match=r"its reset\(\) takes no seed: write def reset\(self, seed=None\)"
    ):
        as_puffer(NoSeed())


def test_a_mistake_in_reset_is_shown_with_its_place():
    class Broken(SimpleTask):
        def __init__(self) -> None:
            PufferEnv.__init__(self)
            self.observation_space, self.action_space = self.make_space((2,)), self.make_discrete(2)

        def reset(self) -> Any:
            return 1 + "1"  # type: ignore[operator]

    with pytest.raises(
        BadEnvironment, match=r"Broken: reset\(\) raised TypeError: unsupported operand"
    ) as caught:
        Serial(Broken, 2)
    assert isinstance(caught.value.__cause__, TypeError)


def test_unknown_agents_are_named():
    class Third(SimplePair):
        def step(self, action: Any) -> Any:
            observations, *rest = super().step(action)
            return {**observations, "c": observations["a"]}, *rest

    env = as_puffer(Third())
    env.reset()
    with pytest.raises(BadEnvironment, match=r"the agent 'c', who is none of \['a', 'b'\]"):
        env.step(np.zeros((2, 2), int))


def test_it_is_drawn_and_respawned():
    env = pufferbench.emulate(SimpleTask, num_envs=3)
    env.reset(seed=0)
    env.step(np.zeros(3, int))
    assert env.render()[0, 0, 0] == 1
    other = env.respawn(1)
    np.testing.assert_array_equal(other.reset(seed=0)[0][0], env.reset(seed=0)[0][0])


def test_it_trains():
    trainer = pufferbench.PuffeRL(env=pufferbench.emulate(SimplePair, num_envs=4), bptt_horizon=10)
    trainer.evaluate()
    trainer.train()
    assert trainer.mean_and_log()["episodes"] == 2 * 4 * 2
