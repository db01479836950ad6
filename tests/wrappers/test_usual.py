"""The usual wrappers, worked out by hand or compared with Gymnasium's."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from envs import Bandit, TestEnv, Truncated
from my_package.simple import SimplePair
from PIL import Image

import pufferbench
from pufferbench.emulation import as_puffer
from pufferbench.env import EpisodeInfos, PufferEnv
from pufferbench.vector import Serial
from pufferbench.wrappers import (
    ActionRepeat,
    ClipAction,
    EpisodeStatistics,
    FrameStack,
    Grayscale,
    Resize,
    ShapeReward,
    TimeLimit,
)


class Clock(PufferEnv):
    """Row i shows its clock, earns it, and ends after ``lengths[i]`` steps: terminal, or cut when ``cut``."""

    def __init__(self, lengths: tuple[int, ...], cut: bool = False, games: int | None = None) -> None:
        super().__init__()
        self.observation_space, self.action_space = self.make_space((1,)), self.make_discrete(2)
        self.num_agents = len(lengths)
        self.num_envs = games or len(lengths)
        self.lengths, self.cut = np.array(lengths), cut
        self.clock = np.zeros(len(lengths), int)
        self.resets = 0

    def reset(self, seed: Any = None) -> Any:
        self.resets += 1
        self.clock[:] = 0
        self.observations[:] = 0
        self.terminals[:] = self.truncations[:] = False
        return self.observations, ()

    def step(self, actions: Any) -> Any:
        self.load_actions(actions)
        self.clock += 1
        self.rewards[:] = self.clock
        ended = self.clock == self.lengths
        (self.truncations if self.cut else self.terminals)[:] = ended
        if self.cut:
            self.final_observations[ended, 0] = self.clock[ended]
        records = np.zeros(ended.sum(), [("episode_return", "f4"), ("episode_length", "i4"), ("row", "i4")])
        records["episode_return"] = (self.clock * (self.clock + 1) / 2)[ended]
        records["episode_length"], records["row"] = self.clock[ended], np.flatnonzero(ended)
        self.clock[ended] = 0
        self.observations[:, 0] = self.clock
        return self.observations, self.rewards, self.terminals, self.truncations, EpisodeInfos(records)


def act(env: PufferEnv) -> Any:
    return env.step(np.zeros(env.actions.shape, env.actions.dtype))


def test_frame_stack_in_a_batch():
    env = FrameStack(Clock((4, 3), cut=True), n=3)
    assert env.observation_space.shape == (3, 1)
    assert env.reset()[0].tolist() == [[[0], [0], [0]]] * 2
    seen = [act(env)[0][:, :, 0].tolist() for _ in range(2)]
    assert seen == [[[0, 0, 1]] * 2, [[0, 1, 2]] * 2]
    observations, _, _, truncations, _ = act(env)
    assert observations[:, :, 0].tolist() == [[1, 2, 3], [0, 0, 0]]
    assert truncations.tolist() == [False, True]
    assert env.final_observations[1, :, 0].tolist() == [1, 2, 3]
    observations, *_ = act(env)
    assert observations[:, :, 0].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert env.final_observations[0, :, 0].tolist() == [2, 3, 4]
    assert env.reset()[0].max() == 0


def test_frame_stack_is_gymnasiums():
    ours = FrameStack(pufferbench.make("gym-CartPole-v1", max_episode_steps=9), 4)
    theirs = gymnasium.wrappers.FrameStackObservation(gymnasium.make("CartPole-v1", max_episode_steps=9), 4)
    seed = pufferbench.env.game_seed(0, 0) % 2**31
    np.testing.assert_array_equal(ours.reset(0)[0][0], theirs.reset(seed=seed)[0])
    for t in range(20):
        seen, _, terminated, truncated, _ = theirs.step(t % 2)
        ours.step(np.array([t % 2]))
        if truncated:
            np.testing.assert_array_equal(ours.final_observations[0], seen)
        if terminated or truncated:
            seen, _ = theirs.reset()
        np.testing.assert_array_equal(ours.observations[0], seen)


def test_action_repeat_stops_where_the_episode_ends():
    env = ActionRepeat(Clock((6,)), n=4)
    env.reset()
    _, rewards, terminals, *_ = act(env)
    assert (rewards.tolist(), terminals.tolist()) == ([1 + 2 + 3 + 4], [False])
    observations, rewards, terminals, _, infos = act(env)
    assert (rewards.tolist(), terminals.tolist(), observations.tolist()) == ([5 + 6], [True], [[0]])
    assert list(infos) == [{"episode_return": 21, "episode_length": 6, "row": 0}]


def test_action_repeat_in_a_batch_loses_no_reward():
    env = ActionRepeat(Clock((6, 5), cut=True), n=4)
    env.reset()
    act(env)
    observations, rewards, _, truncations, infos = act(
        env
    )  # row 1 ends one step before row 0, and it stops there
    assert truncations.tolist() == [True, True]
    assert rewards.tolist() == [5 + 6, 5]
    assert env.final_observations[:, 0].tolist() == [6, 5]
    assert observations[:, 0].tolist() == [0, 1]
    assert [info["row"] for info in infos] == [0, 1]  # row 1 ended first, but rows come in order
    _, rewards, *_ = act(env)
    assert rewards.tolist() == [1 + 2 + 3 + 4, 1 + 2 + 3 + 4 + 5]  # the 1 from before


def test_time_limit_cuts_and_begins_anew():
    inner = Clock((5, 5), games=1)
    env = TimeLimit(EpisodeStatistics(inner), 3)
    env.reset()
    for _ in range(2):
        assert not act(env)[3].any()
    observations, rewards, terminals, truncations, infos = act(env)
    assert (terminals.tolist(), truncations.tolist()) == ([False] * 2, [True] * 2)
    assert env.final_observations[:, 0].tolist() == [3, 3]
    assert observations[:, 0].tolist() == [0, 0]
    assert rewards.tolist() == [3, 3]
    assert list(infos) == [{"episode_return": 6, "episode_length": 3}] * 2
    assert inner.resets == 2
    assert not act(env)[3].any()
    assert env.observations[:, 0].tolist() == [1, 1]


def test_time_limit_leaves_the_envs_own_ends_alone():
    env = TimeLimit(Clock((3, 3), games=1), 4)
    env.reset()
    ends = [act(env)[2:4] for _ in range(7)]
    assert env.clock.tolist() == [1, 1]  # 3 + 3 + 1
    assert not ends[-1][1].any()


def test_time_limit_of_a_game_that_an_agent_has_left():
    """SimplePair: "b" leaves in step 3. Only "a", who is still there, is cut in step 4."""
    env = TimeLimit(as_puffer(SimplePair()), 4)
    env.reset(seed=0)
    for step in range(1, 5):
        _, _, terminals, truncations, infos = act(env)
        assert terminals.tolist() == [False, step == 3]
        assert truncations.tolist() == [step == 4, False]
    assert [info["episode_length"] for info in infos] == [4]
    assert env.masks.all()


def test_time_limit_of_a_batch_says_where_it_belongs():
    with pytest.raises(ValueError, match=r"one game, not a batch of 2.*Serial\(lambda: TimeLimit"):
        TimeLimit(Clock((3, 3)), 2)
    env = Serial(lambda: TimeLimit(Clock((9,)), 2), 3)
    env.reset()
    assert [act(env)[3].tolist() for _ in range(2)] == [[False] * 3, [True] * 3]


class Uncounted(Bandit):
    """Reports nothing of its episodes."""

    def step(self, actions: Any) -> Any:
        return *super().step(actions)[:4], ()


def test_episode_statistics_for_an_env_that_does_not_count():
    counted, plain = EpisodeStatistics(Uncounted()), Bandit()
    counted.reset(seed=0)
    plain.reset(seed=0)
    for _ in range(16):
        told = list(act(counted)[4])
        expected = [{k: v for k, v in info.items() if k != "score"} for info in act(plain)[4]]
        assert told == expected
    assert len(told) == 16


def test_episode_statistics_of_agents_that_leave_before_the_others():
    """What an agent misses while it is away is no part of its next episode."""
    env = EpisodeStatistics(as_puffer(SimplePair()))
    env.reset(seed=0)
    lengths = [info["episode_length"] for _ in range(10) for info in act(env)[4]]
    assert lengths == [3, 5, 3, 5]


def test_episode_statistics_keep_what_else_is_told():
    env = EpisodeStatistics(ShapeReward(Clock((2,)), lambda rewards, *_: -rewards))
    env.reset()
    act(env)
    assert list(act(env)[4]) == [{"episode_return": -3, "episode_length": 2, "row": 0}]


def test_shape_reward_sees_what_the_agents_saw():
    seen = []

    def shape(rewards: np.ndarray, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        seen.append((rewards.tolist(), observations[:, 0].tolist(), actions.tolist()))
        return rewards + 10 * observations[:, 0]

    env = ShapeReward(Clock((2, 9)), shape)
    env.reset()
    shaped = [env.step(np.array([0, 1]))[1].tolist() for _ in range(3)]
    assert seen == [([1, 1], [0, 0], [0, 1]), ([2, 2], [1, 1], [0, 1]), ([1, 3], [0, 2], [0, 1])]
    assert shaped == [[1, 1], [12, 12], [1, 23]]


def test_shape_reward_needs_one_for_each_row():
    env = ShapeReward(Clock((2, 9)), lambda *_: 1.0)
    env.reset()
    with pytest.raises(ValueError, match=r"rewards of shape \(\), not \(2,\)"):
        act(env)


def test_clip_action():
    env = ClipAction(pufferbench.make("gym-Pendulum-v1"))  # -2 .. 2
    raw = pufferbench.make("gym-Pendulum-v1")
    env.reset(0)
    raw.reset(0)
    assert np.isinf(env.action_space.high).all()
    for action in (5.0, -7.0, 1.0):
        seen = env.step(np.array([[action]], np.float32))[0]
        np.testing.assert_array_equal(seen, raw.step(np.array([[np.clip(action, -2, 2)]], np.float32))[0])


class Pictures(TestEnv):
    """Random pictures."""

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.uint8) -> None:
        super().__init__(3)
        self.observation_space, self.action_space = (
            self.make_space(shape, 0, 255, dtype),
            self.make_discrete(2),
        )

    def look(self) -> None:
        self.observations[:] = self.generator.integers(0, 256, self.observations.shape)


@pytest.mark.parametrize("shape", [(21, 16, 3), (21, 16)])
def test_resize_takes_means_of_areas(shape):
    env = Resize(Pictures(shape), 7, 5)
    assert env.observation_space.shape == (7, 5, *shape[2:])
    small, _ = env.reset(seed=0)
    assert small.dtype == np.uint8
    for picture, result in zip(env.env.observations, small, strict=True):
        expected = np.asarray(Image.fromarray(picture).resize((5, 7), Image.Resampling.BOX))
        # Pillow counts whole pixels where we count parts of them; it is exact in height, 21 -> 7
        assert np.abs(result.astype(int) - expected).mean() < 25
        np.testing.assert_allclose(result.mean((0, 1)), picture.mean((0, 1)), atol=0.5)


def test_resize_by_a_whole_factor_is_pillows():
    env = Resize(Pictures((20, 12, 3)), 5, 4)
    small, _ = env.reset(seed=0)
    expected = np.asarray(Image.fromarray(env.env.observations[1]).resize((4, 5), Image.Resampling.BOX))
    assert np.abs(small[1].astype(int) - expected).max() <= 1


def test_grayscale_is_pillows():
    env = Grayscale(Pictures((6, 5, 3)))
    grey, _ = env.reset(seed=0)
    assert grey.shape == (3, 6, 5)
    expected = np.asarray(Image.fromarray(env.env.observations[2]).convert("L"))
    assert np.abs(grey[2].astype(int) - expected).max() <= 1


def test_float_pictures_stay_floats():
    env = Grayscale(Resize(Pictures((8, 8, 3), np.float32), 4, 4))
    grey, _ = env.reset(seed=0)
    assert grey.dtype == np.float32
    assert (grey != np.rint(grey)).any()


def test_the_pipeline_of_atari():
    env = FrameStack(ActionRepeat(Resize(Grayscale(Pictures((30, 20, 3))), 10, 10), 4), 4)
    env.reset(seed=0)
    assert act(env)[0].shape == (3, 4, 10, 10)
    assert env.observation_space.dtype == np.uint8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrameStack(Truncated(), 0), "FrameStack: n must be a whole number of at least 1, not 0"),
        (lambda: FrameStack(as_puffer(SimplePair())), "FrameStack needs observations that are a Box"),
        (lambda: ActionRepeat(Truncated(), 1.5), "ActionRepeat: n must be .*, not 1.5"),
        (lambda: TimeLimit(Clock((3,)), 0), "TimeLimit: max_steps must be .*, not 0"),
        (lambda: Resize(Truncated(), 4, 4), "Resize needs pictures"),
        (lambda: Resize(Pictures((4, 4)), 0, 4), "Resize: height must be .*, not 0"),
        (
            lambda: Grayscale(Pictures((4, 4, 1))),
            r"Grayscale needs pictures \[height, width, 3\], not \(4, 4, 1\)",
        ),
        (lambda: ClipAction(Truncated()), "ClipAction needs actions that are a Box, not Discrete"),
        (
            lambda: ShapeReward(Truncated(), 0.1),
            "must be a function of rewards, observations and actions, not 0.1",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()
