"""Other people's vector environments, step by step against ours."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import pufferbench
from pufferbench.emulation import as_puffer
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.env import game_seed


def cartpoles(mode: AutoresetMode, n: int = 3) -> SyncVectorEnv:
    make = lambda: gymnasium.make("CartPole-v1", max_episode_steps=12)  # noqa: E731
    return SyncVectorEnv([make] * n, autoreset_mode=mode)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_every_step_is_that_of_our_own_batch(mode):
    theirs = as_puffer(cartpoles(mode))
    ours = pufferbench.make("gym-CartPole-v1", num_envs=3, max_episode_steps=12)
    np.testing.assert_array_equal(theirs.reset(4)[0], ours.reset(4)[0])
    cut = ended = 0
    for t in range(60):
        actions = np.array([1, t % 2, t // 2 % 2])
        got, expected = theirs.step(actions), ours.step(actions)
        for mine, other in zip(got[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(mine, other)
        assert list(got[4]) == list(expected[4])
        rows = theirs.truncations
        np.testing.assert_array_equal(theirs.final_observations[rows], ours.final_observations[rows])
        cut, ended = cut + rows.sum(), ended + theirs.terminals.sum()
    assert cut > 0
    assert ended > 0


def test_a_step_spent_on_a_reset_is_no_decision():
    """NEXT_STEP: the row that is reset does not act, and its episodes are as long as anybody's."""
    env = as_puffer(cartpoles(AutoresetMode.NEXT_STEP))
    env.reset(4)
    np.testing.assert_array_equal(env.masks, True)
    told = []
    for t in range(60):
        waits = ~env.masks
        _, rewards, terminals, truncations, infos = env.step(np.array([1, t % 2, t // 2 % 2]))
        assert (rewards[waits] == 0).all()
        assert not (terminals | truncations)[waits].any()
        np.testing.assert_array_equal(env.masks, ~(terminals | truncations))
        np.testing.assert_array_equal(env.final_observations[truncations], env.observations[truncations])
        told += list(infos)
    assert len(told) > 4
    for info in told:
        assert info["episode_return"] == info["episode_length"] <= 12


class PaysForResets(SyncVectorEnv):
    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = super().step(actions)
        return observations, rewards + 5, *rest


def test_what_is_paid_for_a_reset_is_left_out():
    env = as_puffer(PaysForResets([lambda: gymnasium.make("CartPole-v1", max_episode_steps=2)] * 2))
    env.reset(0)
    paid = [env.step(np.array([t % 2, 1]))[1].tolist() for t in range(4)]
    assert paid == [[6, 6], [6, 6], [0, 0], [6, 6]]


class Old:
    """In the manner of older vector envs (procgen, Stable-Baselines3): 4 values, infos a list."""

    num_envs = 2
    observation_space = spaces.Dict(rgb=spaces.Box(0, 255, (2, 2, 3), np.uint8))
    action_space = spaces.Discrete(3)

    def __init__(self) -> None:
        self.clock, self.seeds = 0, []
        self.cut = True

    def seed(self, seed: int) -> None:
        self.seeds.append(seed)

    def look(self) -> Any:
        return {"rgb": np.full((2, 2, 2, 3), self.clock, np.uint8)}

    def reset(self) -> Any:
        self.clock = 0
        return self.look()

    def step(self, actions: np.ndarray) -> Any:
        assert actions.tolist() == [1, 2]
        self.clock += 1
        done = np.array([self.clock % 3 == 0, self.clock % 4 == 0])
        infos: list[dict] = [{}, {}]
        if done[0] and self.cut:
            last = {"rgb": np.full((2, 2, 3), 99, np.uint8)}
            infos[0] = {"TimeLimit.truncated": True, "terminal_observation": last}
        return self.look(), np.array([1.0, 2.0]), done, infos

    def render(self) -> Any:
        return np.zeros((4, 4, 3), np.uint8)

    def close(self) -> None:
        self.closed = True


def test_old_vector_envs():
    raw = Old()
    env = as_puffer(raw)
    assert (env.num_envs, env.num_agents, env.observations.shape) == (2, 2, (2, 12))
    env.reset(seed=3)
    assert raw.seeds == [game_seed(3, 0) % 2**31]
    told = []
    for clock in range(1, 5):
        observations, rewards, terminals, truncations, infos = env.step(np.array([1, 2]))
        assert (observations == clock).all()
        assert rewards.tolist() == [1, 2]
        assert terminals.tolist() == [False, clock == 4]
        assert truncations.tolist() == [clock == 3, False]
        told += list(infos)
        if clock == 3:
            assert (env.final_observations[0] == 99).all()
    assert told == [
        {"episode_return": 3, "episode_length": 3},
        {"episode_return": 8, "episode_length": 4},
    ]
    assert env.render().shape == (4, 4, 3)
    env.close()
    assert raw.closed


class Bad(Old):
    def __init__(self, **wrong: Any) -> None:
        super().__init__()
        self.wrong = wrong

    def step(self, actions: np.ndarray) -> Any:
        observations, rewards, done, infos = super().step(actions)
        values = {"observations": observations, "rewards": rewards, "done": done, "infos": infos}
        if "values" in self.wrong:
            return self.wrong["values"]
        return tuple({**values, **self.wrong}.values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"values": None}, r"Bad: step\(\) must return 4 or 5 values, not None"),
        ({"rewards": np.array([1.0])}, r"Bad: step\(\) returned rewards of type float64 and shape \(1,\)"),
        ({"rewards": np.array([1.0, np.nan])}, "Bad: the reward of game 1 is NaN"),
        ({"done": [None, True]}, "Bad: .*returned terminals of type object"),
        ({"observations": None}, r"Bad: step\(\) returned observations that are not 2 of its space"),
        ({"observations": {"rgb": np.full((2, 2, 2, 3), 300)}}, r"Bad, game 0: .*\['rgb'\] is 300"),
        (
            {"done": [True, True], "infos": [{"TimeLimit.truncated": True}] * 2},
            "game 0 was truncated, but infos",
        ),
    ],
)
def test_what_is_wrong_is_named(wrong, message):
    env = as_puffer(Bad(**wrong))
    env.reset()
    with pytest.raises(BadEnvironment, match=message):
        env.step(np.array([1, 2]))


class Tuples(gymnasium.Env):
    """Spaces that are neither arrays nor counted from 0."""

    observation_space = spaces.Tuple((spaces.Discrete(3, start=2), spaces.Box(-1, 1, (2,))))
    action_space = spaces.Dict(a=spaces.Discrete(2, start=5), b=spaces.MultiBinary(2))

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return (2, np.zeros(2, np.float32)), {}

    def step(self, action: Any) -> Any:
        assert action["a"] == 6
        assert action["b"].tolist() == [0, 1]
        return (4, np.ones(2, np.float32)), 1.0, False, False, {}


def test_any_space():
    env = as_puffer(SyncVectorEnv([Tuples] * 2))
    env.reset()
    space = env.observation_space
    env.step(np.array([[1, 0, 1]] * 2))
    number, pair = space.layout.read(env.observations[1])
    assert number == 4
    assert pair.tolist() == [1, 1]


def test_it_is_respawned_and_trained():
    env = pufferbench.emulate(gymnasium.make_vec("CartPole-v1", num_envs=4))
    assert env.respawn(2).num_envs == 2
    trainer = pufferbench.PuffeRL(env=env, bptt_horizon=32)
    trainer.evaluate()
    trainer.train()
