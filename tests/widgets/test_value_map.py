"""value_map(): a perfect policy agrees with value iteration, and heat maps show what the policy says."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from torch import nn

import pufferbench
from pufferbench import policies
from pufferbench.explain import values
from pufferbench.tabular import Grid, ValueIteration
from pufferbench.tabular.grid import GOAL
from pufferbench.tabular.model import ACTIONS
from pufferbench.widgets import value_map
from pufferbench.widgets.svg import number


class Table(nn.Module):
    """The solution itself, as a policy."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        solver = ValueIteration(grid).run()
        self.q = nn.Parameter(torch.tensor(solver.q, dtype=torch.float32))
        self.value = nn.Parameter(torch.tensor(solver.values, dtype=torch.float32))

    def forward(self, observations):
        one_hot = observations.float()
        return 100 * one_hot @ self.q, one_hot @ self.value


@pytest.mark.parametrize("name", ["ocean-gridworld", "ocean-frozen-lake"])
def test_the_best_policy_agrees_everywhere_and_a_spoilt_one_does_not(name):
    env = pufferbench.make(name, num_envs=2)
    policy = Table(Grid.of(env, 0.99))
    found = values.grid_values(policy, env)
    decide = found.grid.model().decisions
    assert found.agrees[decide].all() and found.agrees.sum() == len(decide)
    assert found.error < 1e-4
    with torch.no_grad():
        worst = int(policy.q[decide[0]].argmin())
        policy.q[decide[0]] = 0.0
        policy.q[decide[0], worst] = 1.0
        policy.value[decide[0]] += 3.0
    spoilt = values.grid_values(policy, env)
    assert not spoilt.agrees[decide[0]] and spoilt.agrees.sum() == len(decide) - 1
    assert spoilt.error == pytest.approx(3 / math.sqrt(len(decide)), abs=1e-3)
    view = value_map(policy, env)
    assert f"in {len(decide) - 1} of {len(decide)} cells" in view.describe()
    assert "In 1 cell the policy would do something else." in view.svg()
    ET.fromstring(view.svg())
    cell = int(decide[0])
    row, column = divmod(cell, found.grid.shape[1])
    view.drawing._handle_custom_msg({"kind": "press", "pick": str(cell)}, [])
    assert view.words.value.startswith(f"Row {row}, column {column}: the policy expects ")
    assert f"{ACTIONS[worst]} 100%" in view.words.value
    assert f"The best one gets {number(found.true_values[cell])}, and goes " in view.words.value
    end = int(np.flatnonzero(found.grid.kinds == GOAL)[0])
    view.drawing._handle_custom_msg({"kind": "press", "pick": str(end)}, [])
    assert "goal. Nobody decides anything there." in view.words.value
    view.close()


def test_a_trainer_brings_its_env_and_its_discount():
    trainer = pufferbench.PuffeRL(env=pufferbench.make("ocean-gridworld", num_envs=8), gamma=0.9)
    view = value_map(trainer)
    assert view.data.grid.gamma == 0.9
    assert "a discount of 0.9" in view.words.value
    view.close()
    trainer.close()


class Sum(nn.Module):
    """Its value is the position plus ten times the velocity; it goes where the velocity points."""

    def forward(self, observations):
        return torch.stack([-observations[:, 1], 0 * observations[:, 1], observations[:, 1]], 1), (
            observations[:, 0] + 10 * observations[:, 1]
        )


def test_a_heat_map_is_what_the_policy_says():
    env = pufferbench.make("ocean-mountain-car", num_envs=2)
    view = value_map(Sum(), env, x_range=(-1.2, 0.6), y_range=(-0.07, 0.07))
    data = view.data
    assert data.names == ("position", "velocity")
    expected = data.xs[None, :] + 10 * data.ys[:, None]
    np.testing.assert_allclose(data.values, expected, atol=1e-5)
    assert (data.actions[0] == 0).all() and (data.actions[-1] == 2).all()
    assert len(data.visited) > 100
    ET.fromstring(view.svg())
    view.drawing._handle_custom_msg({"kind": "press", "pick": "0"}, [])
    assert "value \N{MINUS SIGN}1.90, action accelerates to the left" in view.words.value
    view.close()


def test_the_other_dimensions_are_held_or_made():
    env = pufferbench.make("ocean-pendulum")
    policy = policies.MLP(env.observation_space, env.action_space)
    held = value_map(policy, env, x=0, y=2)
    assert list(held.data.held) == ["sine of the angle"]
    assert "Held at its median: sine of the angle" in held.words.value
    made = value_map(
        policy, env, x_range=(-3, 3), y_range=(-8, 8), names=("angle, rad", "velocity, rad/s"),
        observe=lambda angle, velocity: (math.cos(angle), math.sin(angle), velocity),
    )  # fmt: skip
    assert made.data.held == {} and made.data.choices == ()
    ET.fromstring(made.svg())
    for view in (held, made):
        view.close()


def test_mistakes_are_named():
    policy = Sum()
    for arguments, words in (
        ({"x": 2}, "x=2: the observation has numbers 0 .. 1"),
        ({"x": 1}, "x and y are both 1"),
        ({"observe": lambda a, b: (a, b)}, "observe= needs x_range= and y_range="),
    ):
        with pytest.raises(ValueError, match=words):
            value_map(policy, "ocean-mountain-car", **arguments)
    with pytest.raises(ValueError, match="a vector, not Box"):
        value_map(policy, "ocean-snake")
    with pytest.raises(ValueError, match="needs the environment"):
        value_map(policy)
