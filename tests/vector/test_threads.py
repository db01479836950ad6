"""Threads: the same bits as one thread, errors in the caller, no thread left behind."""

import gc
import threading
import time

import gymnasium
import numpy as np
import pytest

from ocean_numba.breakout import Breakout
from ocean_numba.cartpole import CartPole
from ocean_numba.target import Target
from pufferbench.emulation import GymnasiumEnv
from pufferbench.env import Buffers
from pufferbench.errors import InvalidAction
from pufferbench.vector import Threads


def threads_of_ours():
    return [t for t in threading.enumerate() if t.name.startswith("pufferbench rows")]


@pytest.mark.parametrize("num_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("make", [lambda: Breakout(num_envs=7), lambda: Target(num_envs=7, agents=3)])
def test_any_number_of_threads_gives_the_same_bits(make, num_threads):
    plain = make()
    with Threads(make(), num_threads) as split:
        assert (plain.reset(4)[0] == split.reset(4)[0]).all()
        rng, episodes = np.random.default_rng(0), 0
        for _ in range(1000):
            # Breakout has three actions
            actions = rng.integers(0, getattr(plain.action_space, "nvec", 3), plain.actions.shape)
            expected, result = plain.step(actions), split.step(actions)
            for mine, other in zip(result[:4], expected[:4], strict=True):
                assert mine.tobytes() == other.tobytes()
            assert list(result[4]) == list(expected[4])
            assert split.final_observations.tobytes() == plain.final_observations.tobytes()
            episodes += len(expected[4])
        assert episodes > 7


def test_there_are_never_more_threads_than_games():
    with Threads(CartPole(num_envs=2), 5) as env:
        assert env.num_threads == 2 and len(threads_of_ours()) == 1


def test_what_the_env_has_is_reached_through_it():
    with Threads(CartPole(num_envs=4, max_steps=9), 2) as env:
        assert env.params["max_steps"] == 9
        assert env.states.shape == (4,) and env.fps == 50
        assert env.render().shape == env.render(index=3).shape
        assert env.respawn(3).num_envs == 3
        with pytest.raises(AttributeError, match="no_such_thing"):
            env.no_such_thing  # noqa: B018


@pytest.mark.parametrize("row", [0, 3])
def test_an_error_in_any_slice_comes_to_the_caller_and_the_env_goes_on(row):
    with Threads(CartPole(num_envs=4), 2) as env:
        env.reset(0)
        actions = np.zeros(4, np.int32)
        actions[row] = 5
        with pytest.raises(InvalidAction, match=f"agent {row} has the action 5"):
            env.step(actions)
        assert env.step(np.zeros(4, np.int32))[1].tolist() == [1, 1, 1, 1]
        with pytest.raises(InvalidAction, match="shape"):
            env.step(np.zeros(3, np.int32))


def test_an_exception_of_a_game_comes_to_the_caller():
    class Dying(CartPole):
        def step_rows(self, start, stop):
            if start > 0:
                raise ZeroDivisionError("in the second half")
            return super().step_rows(start, stop)

    with Threads(Dying(num_envs=4), 2) as env:
        env.reset(0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="in the second half"):
                env.step(np.zeros(4, np.int32))


def test_ctrl_c_while_waiting_loses_nothing(monkeypatch):
    class Slow(CartPole):
        def step_rows(self, start, stop):
            if start:
                time.sleep(0.02)  # longer than what the caller does meanwhile
            return super().step_rows(start, stop)

    with Threads(Slow(num_envs=4), 2) as env, Threads(CartPole(num_envs=4), 2) as other:
        env.reset(0), other.reset(0)
        actions = np.zeros(4, np.int32)

        def interrupted():
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(env._helpers[0], "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                env.step(actions)
        other.step(actions)
        for _ in range(3):
            assert (env.step(actions)[0] == other.step(actions)[0]).all()


def test_closing_twice_ends_the_threads():
    env = Threads(CartPole(num_envs=4), 3)
    assert len(threads_of_ours()) == 2
    env.close()
    env.close()
    assert not threads_of_ours()
    with pytest.raises(RuntimeError, match="this Threads is closed"):
        env.reset(0)


def test_an_env_that_is_forgotten_leaves_no_threads():
    env = Threads(CartPole(num_envs=4), 2)
    env.reset(0)
    del env
    gc.collect()
    assert not threads_of_ours()


def test_it_can_be_placed_in_other_arrays():
    memory = Buffers.allocate(6, *(getattr(CartPole(), f"{s}_space") for s in ("observation", "action")))
    with Threads(CartPole(num_envs=4), 2) as env:
        env.use_buffers(memory.slice(2, 6))
        env.reset(0)
        env.step(np.ones(4, np.int32))
        assert memory.rewards.tolist() == [0, 0, 1, 1, 1, 1]


def test_python_envs_are_refused():
    with pytest.raises(TypeError, match=r"GymnasiumEnv cannot be stepped in parts .* use Multiprocessing"):
        Threads(GymnasiumEnv(gymnasium.make("CartPole-v1")), 2)
