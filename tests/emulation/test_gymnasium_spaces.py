"""Gymnasium envs with spaces of every kind, and with legal actions."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence

from pufferbench.emulation import GymnasiumEnv
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.errors import InvalidAction
from pufferbench.spaces import FlatBox
from pufferbench.vector import Multiprocessing, Serial

OBSERVATIONS = {
    "dict": spaces.Dict(image=spaces.Box(0, 255, (3, 3), np.uint8), speed=spaces.Box(-1, 1, (), np.float64)),
    "float32": spaces.Tuple((spaces.Box(-1, 1, (2,)), spaces.Box(0, 5, (2, 2)))),
    "text": spaces.Text(5),
    "bits": spaces.MultiBinary((2, 3)),
    "sequence": spaces.Sequence(spaces.Dict(kind=spaces.Discrete(3, start=1), size=spaces.Box(0, 1))),
    "shifted": spaces.Discrete(5, start=-2),
    "table": spaces.MultiDiscrete([[2, 3], [4, 5]]),
}
ACTIONS = {
    "dict": spaces.Dict(jump=spaces.Discrete(2), legs=spaces.MultiDiscrete([3, 4], start=[1, 1])),
    "boxes": spaces.Tuple((spaces.Box(-1, 1, (2,), np.float64), spaces.Box(0, 3, (1,)))),
    "bits": spaces.MultiBinary(4),
    "mixed": spaces.Dict(steer=spaces.Box(-1, 1, (1,)), gear=spaces.Discrete(3)),
    "table": spaces.MultiDiscrete([[2, 3], [4, 5]]),
}


class Random(gymnasium.Env):
    """Samples of its space, remembered; episodes are cut after 5 steps, each third ends instead."""

    def __init__(self, observation_space, action_space=None):
        self.observation_space, self.action_space = observation_space, action_space or spaces.Discrete(2)
        self.episodes, self.cuts, self.seen, self.actions = 0, 0, [], []

    def look(self):
        self.seen.append(self.observation_space.sample())
        return self.seen[-1]

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.observation_space.seed(seed)
        self.steps, self.episodes = 0, self.episodes + 1
        return self.look(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.actions.append(action)
        self.steps += 1
        end, cut = self.steps == 5, self.episodes % 3 > 0
        self.cuts += end and cut
        return self.look(), 1.0, end and not cut, end and cut, {}


@pytest.mark.parametrize("kind", OBSERVATIONS)
def test_observations_of_every_kind_arrive_whole(kind):
    raw = Random(OBSERVATIONS[kind])
    env = GymnasiumEnv(raw, max_length=40)

    def same(row, sample):
        if isinstance(env.observation_space, FlatBox):
            return data_equivalence(env.observation_space.layout.read(row), sample)
        return np.array_equal(row + raw.observation_space.start, sample)

    env.reset(4)
    assert same(env.observations[0], raw.seen[-1])
    cuts = 0
    for _ in range(40):
        _, _, terminals, truncations, infos = env.step(env.actions)
        assert same(env.observations[0], raw.seen[-1])
        if truncations[0]:
            assert same(env.final_observations[0], raw.seen[-2])
            cuts += 1
        if terminals[0] or truncations[0]:
            assert infos[0] == {"episode_return": 5.0, "episode_length": 5}
    assert cuts == raw.cuts > 0
    assert env.source_observation_space is raw.observation_space


@pytest.mark.parametrize("kind", ACTIONS)
def test_actions_of_every_kind_reach_the_env(kind):
    raw = Random(spaces.Discrete(2), ACTIONS[kind])
    env = GymnasiumEnv(raw)
    env.reset(0)
    env.action_space.seed(1)
    for _ in range(20):
        env.step(np.asarray(env.action_space.sample())[None])
    assert len({str(action) for action in raw.actions}) > 5
    assert env.source_action_space is raw.action_space


def test_actions_that_there_are_not_name_the_env():
    env = GymnasiumEnv(Random(spaces.Discrete(2), ACTIONS["dict"]))
    env.reset(0)
    with pytest.raises(InvalidAction, match=r"Random: the action \[0 3 0\] is not in MultiDiscrete"):
        env.step(np.array([[0, 3, 0]]))


def test_a_vector_env_has_the_original_spaces_too():
    with Multiprocessing(lambda: Random(OBSERVATIONS["shifted"], ACTIONS["dict"]), 2, 2) as env:
        assert (env.source_observation_space, env.source_action_space) == (
            OBSERVATIONS["shifted"],
            ACTIONS["dict"],
        )
        env.reset(0)
        env.step(env.actions)


def test_many_of_them_in_one_batch():
    with Serial(lambda: Random(OBSERVATIONS["dict"]), 3) as env:
        env.reset(1)
        for _ in range(6):
            env.step(env.actions)
        last = [env.observation_space.layout.read(row) for row in env.observations]
        assert all(data_equivalence(now, m.env.seen[-1]) for now, m in zip(last, env.members, strict=True))
        assert env.source_observation_space == OBSERVATIONS["dict"]


# -- legal actions ------------------------------------------------------------------------------


class Masked(gymnasium.Env):
    """Shows the legal actions in its observation, or tells them in its infos; ends after 3 steps."""

    def __init__(self, masks, actions=None, inside=True, board=None):
        self.action_space = actions or spaces.Discrete(3)
        self.masks, self.inside, self.clock = masks, inside, 0
        n = len(
            np.concatenate([np.ravel(part) for part in masks[0]]) if isinstance(masks[0], tuple) else masks[0]
        )
        mask_space = spaces.Box(0, 1, (n,), np.int8)
        if isinstance(masks[0], tuple):
            mask_space = spaces.Tuple([spaces.MultiBinary(len(part)) for part in masks[0]])
        board = board or {"observation": spaces.Box(0, 9, (2,), np.int8)}
        self.observation_space = spaces.Dict({**board, "action_mask": mask_space} if inside else board)

    def look(self):
        mask = self.masks[self.clock % len(self.masks)]
        board = {key: part.sample() for key, part in self.observation_space.spaces.items()}
        if self.inside:
            return board | {"action_mask": mask}, {}
        return board, {} if mask is None else {"action_mask": mask}

    def reset(self, *, seed=None, options=None):
        self.clock = 0
        return self.look()

    def step(self, action):
        self.clock += 1
        observation, info = self.look()
        return observation, 0.0, False, self.clock == 3, info


A, B = np.array([1, 0, 1], np.int8), np.array([0, 1, 0], np.int8)


@pytest.mark.parametrize("inside", [True, False])
def test_masks_become_the_buffer(inside):
    with Serial(lambda: Masked([A, B], inside=inside), 2) as env:
        assert env.num_action_masks == 3
        env.reset(0)
        assert env.action_masks.tolist() == [A.astype(bool).tolist()] * 2
        env.step([0, 2])
        assert env.action_masks.tolist() == [B.astype(bool).tolist()] * 2
        env.step([1, 1])
        assert env.step([0, 0])[3].all()
        assert env.action_masks.tolist() == [A.astype(bool).tolist()] * 2  # of the next episode


def test_workers_give_the_same_observations_and_masks():
    def creator():
        board = {"observation": spaces.Discrete(9), "score": spaces.Box(0, 1, (2,), np.float64)}
        return Seeded([A, B], inside=False, board=board)

    seen = []
    for env in (Serial(creator, 4), Multiprocessing(creator, 4, 2)):
        with env:
            env.reset(5)
            rows = []
            for _ in range(8):
                env.step(np.zeros(4, np.int32))
                rows.append(np.concatenate([env.observations.ravel(), env.action_masks.ravel()]))
            seen.append(np.array(rows))
    assert np.array_equal(*seen)
    assert len(np.unique(seen[0], axis=0)) == 8


class Seeded(Masked):
    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.observation_space.seed(seed)
        return super().reset()


def test_the_mask_leaves_the_observation():
    env = GymnasiumEnv(Masked([A]))
    assert env.observation_space == spaces.Box(0, 9, (2,), np.int8)
    assert "action_mask" in env.source_observation_space.spaces
    both = {"observation": spaces.Discrete(3), "score": spaces.Discrete(4)}
    assert list(GymnasiumEnv(Masked([A], board=both)).observation_space.source.spaces) == [
        "observation",
        "score",
    ]


def test_masks_of_several_choices_lie_side_by_side():
    masks = [(np.array([1, 0], np.int8), np.array([0, 0, 1], np.int8))]
    env = GymnasiumEnv(Masked(masks, spaces.MultiDiscrete([2, 3])))
    env.reset(0)
    assert env.action_masks.tolist() == [[True, False, False, False, True]]
    masks = [(np.array([1, 0], np.int8), np.array([0, 0, 0], np.int8))]
    with pytest.raises(
        BadEnvironment, match=r"Masked: reset\(\): the action mask forbids every action of choice 1"
    ):
        GymnasiumEnv(Masked(masks, spaces.MultiDiscrete([2, 3]))).reset(0)


def test_infos_without_a_mask_allow_everything():
    env = GymnasiumEnv(Masked([A, None], inside=False))
    env.reset(0)
    env.step([0])
    assert env.action_masks.all()


def test_a_mask_for_continuous_actions_is_an_observation_as_any_other():
    env = GymnasiumEnv(Masked([A], spaces.Box(-1, 1, (3,))))
    assert env.action_masks is None
    assert "action_mask" in env.observation_space.source.spaces


@pytest.mark.parametrize("inside", [True, False])
def test_bad_masks(inside):
    env = GymnasiumEnv(Masked([A, np.zeros(3, np.int8)], inside=inside))
    env.reset(0)
    with pytest.raises(
        BadEnvironment, match=r"Masked: step\(\): the action mask forbids every action; one must be"
    ):
        env.step([0])
    with pytest.raises(
        BadEnvironment, match=r"Masked: reset\(\): the action mask has 2 values .* there are 3 actions"
    ):
        GymnasiumEnv(Masked([A[:2]], inside=inside)).reset(0)
