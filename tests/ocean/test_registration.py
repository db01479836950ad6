"""The games' names and presets."""

import inspect
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

import pufferbench
from ocean_numba.registration import GAMES
from pufferbench.config import TrainConfig
from pufferbench.registry import spec


@pytest.mark.parametrize("name", GAMES)
def test_a_game_is_made_by_name_and_plays(name):
    assert name in pufferbench.list_envs("ocean-")
    env = pufferbench.make(name, num_envs=2)
    observations, _ = env.reset(0)
    assert observations.shape == (env.num_agents, *env.observation_space.shape)
    env.step(np.stack([env.action_space.sample() for _ in range(env.num_agents)]))
    assert env.spec.id == name
    assert len(type(env).__doc__) > 200  # the docstring is the game's page


@pytest.mark.parametrize("name", GAMES)
def test_presets_fit_their_game_and_the_trainer(name):
    preset = spec(name).preset()
    assert set(preset) - {"solve"} == {"env", "policy", "train"}
    for sections in (preset, preset.get("solve", {})):
        assert set(sections.get("env", {})) <= set(inspect.signature(spec(name).creator()).parameters)
        assert set(sections.get("train", {})) <= {field.name for field in fields(TrainConfig)}


def test_listing_imports_neither_numba_nor_games():
    program = "import sys, pufferbench; assert 'ocean-cartpole' in pufferbench.list_envs(); print(sorted(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    for module in ("numba", "torch", "numpy", "ocean_numba.cartpole"):
        assert f"'{module}'" not in output
