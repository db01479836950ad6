"""The PufferEnv contract: spaces, buffers, actions, seeds."""

import numpy as np
import pytest
from gymnasium import spaces

from pufferbench.env import Buffers, EpisodeInfos, PufferEnv, game_seed, mix
from pufferbench.errors import InvalidAction


class Counter(PufferEnv):
    """Two agents; spaces are set after ``super().__init__``, as students write it."""

    def __init__(self, buf=None):
        super().__init__(buf)
        self.observation_space = self.make_space((3,))
        self.action_space = self.make_discrete(4)
        self.num_agents = 2

    def reset(self, seed=None):
        self.observations[:] = 0
        return self.observations, ()

    def step(self, actions):
        self.load_actions(actions)
        self.observations[:, 0] = self.actions
        return self.observations, self.rewards, self.terminals, self.truncations, ()


def test_buffers_are_made_at_first_use_and_written_in_place():
    env = Counter()
    observations, infos = env.reset()
    assert observations is env.observations
    assert observations.shape == (2, 3) and observations.dtype == np.float32
    assert len(infos) == 0
    env.step(np.array([3, 1]))
    assert observations[:, 0].tolist() == [3, 1]


def test_buffers_of_a_vectorizer_are_used():
    buffers = Buffers.allocate(2, spaces.Box(-1, 1, (3,), np.float32), spaces.Discrete(4))
    env = Counter(buffers)
    env.step([1, 2])
    assert buffers.observations[:, 0].tolist() == [1, 2]
    assert env.rewards is buffers.rewards


def test_buffer_types_follow_the_contract():
    buffers = Buffers.allocate(5, spaces.Box(0, 255, (4, 4), np.uint8), spaces.MultiDiscrete([3, 2]), 5)
    assert buffers.observations.shape == (5, 4, 4) and buffers.observations.dtype == np.uint8
    assert buffers.final_observations.shape == (5, 4, 4)
    assert buffers.actions.shape == (5, 2) and buffers.actions.dtype == np.int32
    assert buffers.rewards.dtype == np.float32
    for flags in (buffers.terminals, buffers.truncations, buffers.masks):
        assert flags.shape == (5,) and flags.dtype == np.bool_
    assert buffers.masks.all() and not buffers.terminals.any()
    assert buffers.action_masks.shape == (5, 5) and buffers.action_masks.all()


def test_fields_are_what_allocate_makes():
    for masks in (0, 3):
        of = (5, spaces.Box(0, 255, (4, 4), np.uint8), spaces.Discrete(3), masks)
        made = {name: (array.shape, array.dtype) for name, array in Buffers.allocate(*of).arrays().items()}
        assert Buffers.fields(*of) == made
        assert ("action_masks" in made) == bool(masks)


def test_a_slice_is_a_view():
    buffers = Buffers.allocate(5, spaces.Box(-1, 1, (3,), np.float32), spaces.Discrete(4), 4)
    part = buffers.slice(1, 3)
    part.observations[:] = 1
    part.action_masks[:] = False
    assert buffers.observations[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert buffers.action_masks[:, 0].tolist() == [True, False, False, True, True]
    assert Buffers.allocate(1, spaces.Discrete(2), spaces.Discrete(2)).slice(0, 1).action_masks is None


def test_other_buffers_take_over_what_is_there():
    env, used = Counter(), Counter()
    used.step([3, 1])
    for each in (env, used):
        memory = Buffers.allocate(2, each.observation_space, each.action_space)
        memory.masks[:] = False  # as in fresh shared memory
        memory.observations[:] = 9
        each.use_buffers(memory)
        assert each.buffers is memory and memory.masks.all()
    assert not env.observations.any()
    assert used.observations[:, 0].tolist() == [3, 1]


def test_wrong_buffers_are_refused():
    env = Counter()
    with pytest.raises(ValueError, match=r"Counter: buf.observations is float32 \(3, 3\), but must be"):
        env.use_buffers(Buffers.allocate(3, env.observation_space, env.action_space))
    memory = Buffers.allocate(2, env.observation_space, env.action_space)
    memory.observations = np.zeros((2, 6), np.float32)[:, ::2]
    with pytest.raises(ValueError, match=r"non-contiguous float32 \(2, 3\), but must be contiguous"):
        env.use_buffers(memory)
    with pytest.raises(ValueError, match="differ in action_masks"):
        env.use_buffers(Buffers.allocate(2, env.observation_space, env.action_space, 4))


def test_a_space_that_is_not_flat_is_refused():
    with pytest.raises(TypeError, match="Box, Discrete or MultiDiscrete"):
        Buffers.allocate(1, spaces.Dict(), spaces.Discrete(2))


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros(3, np.int64), r"shape \(3,\), expected \(2,\)"),
        (np.zeros((2, 1), np.int64), r"shape \(2, 1\), expected \(2,\)"),
        (np.zeros(2, np.float32), "type float32, expected int32"),
        (["left", "right"], "expected int32"),
        (np.array([1, 2**32 + 1]), r"agent 1 is 4294967297, outside Discrete\(4\)"),
    ],
)
def test_wrong_actions_are_refused(actions, message):
    with pytest.raises(InvalidAction, match=message):
        Counter().step(actions)


def test_make_space_bounds_and_dicts():
    env = PufferEnv()
    assert env.make_space((4,)) == spaces.Box(-np.inf, np.inf, (4,), np.float32)
    assert env.make_space(4).shape == (4,)
    assert env.make_space((2, 2), dtype=np.uint8) == spaces.Box(0, 255, (2, 2), np.uint8)
    assert env.make_space((1,), low=-1, high=1) == spaces.Box(-1, 1, (1,), np.float32)
    image = env.make_space({"image": (84, 84, 3), "vector": (10,)})
    assert isinstance(image, spaces.Dict) and image["image"].shape == (84, 84, 3)
    assert env.make_multi_discrete([3, 3]) == spaces.MultiDiscrete([3, 3])
    with pytest.raises(TypeError, match="float or integer dtype"):
        env.make_space((1,), dtype=np.complex64)


def test_single_spaces_are_aliases():
    env = Counter()
    assert env.single_observation_space is env.observation_space
    assert env.single_action_space is env.action_space


def test_episode_infos_are_dicts_on_demand():
    records = np.zeros(3, [("episode_return", "f4"), ("episode_length", "i4")])
    records["episode_length"] = [5, 6, 7]
    infos = EpisodeInfos(records)
    assert len(infos) == 3
    assert infos[1] == {"episode_return": 0.0, "episode_length": 6}
    assert [info["episode_length"] for info in infos] == [5, 6, 7]
    assert len(infos[1:]) == 2
    with pytest.raises(IndexError):
        infos[3]


def test_mix_is_splitmix64():
    # First outputs of the reference splitmix64.c (Vigna, 2015) for the state 0: mix(0), mix(gamma), ...
    gamma = 0x9E3779B97F4A7C15
    assert [mix(k * gamma & (1 << 64) - 1) for k in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


def test_neighbouring_seeds_share_no_game():
    seeds = {game_seed(seed, index) for seed in range(4) for index in range(1000)}
    assert len(seeds) == 4000
    assert game_seed(7, 3) == game_seed(7, 3)
    assert game_seed(-1, 0) != game_seed(1, 0)
