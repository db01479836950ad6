"""as_puffer: who is what, and what is imported for it."""

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from my_package.envs import MyTask

from pufferbench.emulation import LegacyEnv, as_puffer
from pufferbench.emulation.gymnasium import GymnasiumEnv
from pufferbench.emulation.pettingzoo_aec import PettingZooAEC
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.emulation.vector import ThirdPartyVector


class Space:
    observation_space = spaces.Box(-1, 1, (2,))
    action_space = spaces.Discrete(2)

    def reset(self) -> Any:
        return np.zeros(2, np.float32)

    def step(self, action: Any) -> Any:
        return np.zeros(2, np.float32), 0.0, False, {}


class Batch(Space):
    num_envs = 3


class Parallel:
    """A parallel game by its methods only."""

    possible_agents = agents = ("a", "b")

    def observation_space(self, agent: str) -> Any:
        return Space.observation_space

    def action_space(self, agent: str) -> Any:
        return Space.action_space

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return dict.fromkeys("ab", np.zeros(2, np.float32)), {"a": {}, "b": {}}

    def step(self, actions: Any) -> Any:
        raise AssertionError


@pytest.mark.parametrize(
    ("env", "adapter"),
    [
        (MyTask(), MyTask),
        (gymnasium.make("CartPole-v1"), GymnasiumEnv),
        (gymnasium.make_vec("CartPole-v1", num_envs=2), ThirdPartyVector),
        (Batch(), ThirdPartyVector),
        (Space(), LegacyEnv),
        (Parallel(), PettingZooParallel),
    ],
)
def test_who_is_what(env, adapter):
    assert type(as_puffer(env)) is adapter


def test_pettingzoo_is_known_by_its_class():
    pytest.importorskip("pygame")
    from pettingzoo.classic import tictactoe_v3

    assert type(as_puffer(tictactoe_v3.env())) is PettingZooAEC


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (3, "expected an environment .*, not int: 3"),
        (MyTask, r"expected an environment .*make one of it first, or use pufferbench.emulate\(\)"),
        (
            type("Half", (), {"reset": 1, "step": 1})(),
            r"Half has reset\(\) and step\(\), but no action_space",
        ),
    ],
)
def test_what_is_no_environment(env, message):
    with pytest.raises(TypeError, match=message):
        as_puffer(env)


def test_only_what_is_needed_is_imported():
    code = (
        "import sys, gymnasium; from pufferbench.emulation import as_puffer;"
        "as_puffer(gymnasium.make('CartPole-v1')); print(*{'torch', 'pettingzoo', 'numba'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert result.stdout.split() == []
