"""Serial: rows in order, infos in order, calls in order."""

import gymnasium
import numpy as np
import pytest

import pufferbench
from ocean_numba import Box
from ocean_numba.breakout import Breakout
from ocean_numba.squared import Squared
from ocean_numba.target import Target
from pufferbench.env import Buffers, EpisodeInfos, PufferEnv
from pufferbench.errors import InvalidAction
from pufferbench.vector import Serial
from pufferbench.vector.base import join_infos


def cartpole():
    return gymnasium.make("CartPole-v1")


def test_it_is_one_env_with_the_rows_of_all():
    with Serial(lambda: Target(num_envs=2, agents=3), num_envs=4) as vec:
        assert isinstance(vec, PufferEnv)
        assert (vec.num_envs, vec.num_agents) == (8, 24)
        assert vec.observation_space == vec.single_observation_space == Target(agents=3).observation_space
        observations, infos = vec.reset(0)
        assert observations.shape[0] == 24 and len(infos) == 0
        assert all(np.shares_memory(member.observations, observations) for member in vec.members)


def test_recv_gives_views_and_the_rows_numbers():
    vec = Serial(cartpole, 3)
    vec.async_reset(5)
    observations, *flags, infos, agent_ids, masks = vec.recv()
    assert len(flags) == 3 and len(infos) == 0
    assert observations is vec.observations and masks is vec.masks
    assert agent_ids.tolist() == [0, 1, 2] and masks.all()
    vec.send(np.array([0, 1, 0]))
    stepped = vec.recv()
    assert stepped[0] is observations and stepped[1].tolist() == [1, 1, 1]
    assert vec.deterministic


def test_a_wrong_order_of_calls_says_the_right_one():
    vec = Serial(cartpole, 2)
    actions = np.zeros(2, np.int32)
    with pytest.raises(RuntimeError, match=r"call reset\(\) or async_reset\(\) before the first send\(\)"):
        vec.step(actions)
    with pytest.raises(RuntimeError, match=r"before the first recv\(\)"):
        vec.recv()
    vec.reset(0)
    with pytest.raises(RuntimeError, match=r"recv\(\) without send\(\)"):
        vec.recv()
    vec.send(actions)
    with pytest.raises(RuntimeError, match=r"send\(\) again before recv\(\)"):
        vec.send(actions)
    vec.async_reset(0)  # always possible
    vec.recv()
    vec.close()
    vec.close()
    with pytest.raises(RuntimeError, match="this Serial is closed"):
        vec.reset()


def test_wrong_actions_are_refused_and_the_next_right_ones_taken():
    vec = Serial(cartpole, 2)
    vec.reset(0)
    with pytest.raises(InvalidAction, match=r"shape \(3,\), expected \(2,\)"):
        vec.step(np.zeros(3, np.int32))
    vec.step(np.zeros(2, np.int32))


def test_members_must_be_alike_and_those_already_made_are_closed():
    made = []

    class Closing(Squared):
        def close(self):
            made.remove(self)

    def creator():
        made.append(Closing(size=5 if len(made) < 2 else 7))
        return made[-1]

    with pytest.raises(ValueError, match="the observation space of env 2 is Box.*7, 7.*that of env 0 is Box"):
        Serial(creator, 3)
    assert not made


@pytest.mark.parametrize(
    ("creator", "message"),
    [
        (cartpole(), "env_creator must be a class or function"),
        (lambda: "CartPole-v1", "env_creator, call 0: expected an environment .a PufferEnv, .*, not str"),
    ],
)
def test_a_wrong_creator_is_named(creator, message):
    with pytest.raises(TypeError, match=message):
        Serial(creator, 2)


@pytest.mark.parametrize("count", [0, -2, 1.5, True])
def test_num_envs_must_be_a_number(count):
    with pytest.raises(ValueError, match="num_envs must be an integer of at least 1"):
        Serial(cartpole, count)


def test_infos_of_all_members_come_in_order():
    vec = Serial(lambda: Squared(num_envs=2, size=5), 2)
    whole = Squared(num_envs=4, size=5)
    vec.reset(1), whole.reset(1)
    rng, episodes = np.random.default_rng(0), 0
    for _ in range(200):
        actions = rng.integers(0, whole.action_space.n, 4)
        infos, expected = vec.step(actions)[4], whole.step(actions)[4]
        assert list(infos) == list(expected)
        assert isinstance(infos, EpisodeInfos) or len(infos) == 0
        episodes += len(infos)
    assert episodes > 4


def test_infos_of_different_kinds_become_a_list():
    short = EpisodeInfos(np.array([(1.0,)], [("score", np.float32)]))
    assert join_infos([(), [], short]) is short
    assert join_infos([]) == ()
    assert join_infos([short, [{"won": True}]]) == [{"score": 1.0}, {"won": True}]


def test_it_can_be_placed_in_other_arrays():
    vec = Serial(lambda: Breakout(num_envs=2), 2)
    vec.reset(3)
    before = vec.observations.copy()
    memory = Buffers.allocate(8, vec.observation_space, vec.action_space)
    outer = memory.slice(4, 8)
    vec.use_buffers(outer)
    assert (memory.observations[4:] == before).all()
    vec.step(np.zeros(4, np.int32))
    assert (memory.observations[4:] != before).any() and not memory.observations[:4].any()


def test_arrays_of_another_size_are_refused():
    vec = Serial(cartpole, 2)
    wrong = Buffers.allocate(3, vec.observation_space, vec.action_space)
    with pytest.raises(ValueError, match=r"Serial: buf.observations is float32 \(3, 4\), but must be"):
        vec.use_buffers(wrong)
    with_masks = Buffers.allocate(2, vec.observation_space, vec.action_space, 2)
    with pytest.raises(ValueError, match="differ in action_masks"):
        vec.use_buffers(with_masks)


def test_action_masks_are_the_members():
    class OnlyFirst(PufferEnv):
        num_action_masks = 2

        def __init__(self):
            super().__init__()
            self.observation_space, self.action_space = Box(0, 1, (1,)), self.make_discrete(2)

        def reset(self, seed=None):
            self.action_masks[:] = [True, False]
            return self.observations, ()

    vec = Serial(OnlyFirst, 2)
    vec.reset(0)
    assert vec.action_masks.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("creator", [cartpole, lambda: Breakout(num_envs=2)])
def test_respawn_gives_as_many_games_as_wanted(creator, count):
    vec = Serial(creator, 2)
    view = vec.respawn(count)
    assert view.num_envs == count
    assert not np.shares_memory(view.observations, vec.observations)
    view.reset(0)


def test_a_step_that_was_interrupted_does_not_stand_in_the_way():
    vec = Serial(cartpole, 2)
    vec.reset(0)
    _, second = vec._steps

    def interrupted(actions):
        vec._steps[1] = second
        raise KeyboardInterrupt

    vec._steps[1] = (interrupted, None)
    with pytest.raises(KeyboardInterrupt):
        vec.step(np.zeros(2, np.int32))
    vec.step(np.zeros(2, np.int32))
    vec.send(np.zeros(2, np.int32))
    vec.recv()


class Fragile(Squared):
    closed = 0

    def close(self):
        Fragile.closed += 1
        if Fragile.closed == 2:
            raise OSError("a window that is gone")


def test_one_that_cannot_be_closed_does_not_keep_the_others_open():
    vec = Serial(lambda: Fragile(size=5), 3)
    with pytest.raises(OSError, match="a window that is gone"):
        vec.close()
    assert Fragile.closed == 3


def test_what_a_member_raises_comes_out_and_the_vector_env_goes_on():
    env = pufferbench.make("gym-CartPole-v1", num_envs=2)
    env.reset(0)
    with pytest.raises(InvalidAction, match="the action 2 is not in"):
        env.step(np.array([0, 2]))
    assert env.step(np.array([0, 1]))[1].tolist() == [1, 1]
