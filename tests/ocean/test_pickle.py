"""Environments travel with their states and play on."""

import copy
import pickle

import numpy as np
import pytest
from ocean.games import Arena, Everything

import pufferbench
from ocean_numba.cartpole import CartPole


@pytest.mark.parametrize(
    "make", [lambda: CartPole(3, max_steps=9), lambda: Arena(2), lambda: Everything(2, size=3)]
)
@pytest.mark.parametrize("transport", [lambda env: pickle.loads(pickle.dumps(env)), copy.deepcopy])
def test_a_copy_plays_on_like_the_original(make, transport):
    env = make()
    env.reset(4)
    for _ in range(3):
        env.step(np.ones(env.actions.shape, int))
    other = transport(env)
    assert not np.shares_memory(env.observations, other.observations)
    np.testing.assert_array_equal(env.observations, other.observations)
    assert other.params == env.params
    for _ in range(12):
        env.step(np.ones(env.actions.shape, int))
        other.step(np.ones(env.actions.shape, int))
        np.testing.assert_array_equal(env.observations, other.observations)
        np.testing.assert_array_equal(env.terminals, other.terminals)
    assert (env.states == other.states).all()


def test_an_env_that_was_never_reset_pickles():
    env = pickle.loads(pickle.dumps(CartPole(2)))
    np.testing.assert_array_equal(env.reset(1)[0], CartPole(2).reset(1)[0])


def test_the_registry_entry_travels_too():
    env = pickle.loads(pickle.dumps(pufferbench.make("ocean-cartpole", num_envs=2)))
    assert env.spec.id == "ocean-cartpole"
    assert env.respawn().num_envs == 1
