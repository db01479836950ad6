"""check_policy finds the usual mistakes, names them, and leaves good policies in peace."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from torch.distributions import Normal

import pufferbench
from pufferbench.policies import MLP, check_policy
from tests.envs import Bandit, TwoBandits


class Mine(nn.Module):
    """A policy without mistakes; the subclasses have one each."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.hidden = nn.Linear(observation_space.shape[0], 16)
        self.actor, self.critic = nn.Linear(16, int(action_space.n)), nn.Linear(16, 1)

    def encode(self, x):
        return torch.tanh(self.hidden(x))

    def forward(self, observations):
        h = self.encode(observations)
        return self.actor(h), self.critic(h)


class Unused(Mine):
    def __init__(self, *spaces):
        super().__init__(*spaces)
        self.spare = nn.Linear(3, 3)


class Detached(Mine):
    def forward(self, observations):
        h = self.encode(observations)
        return self.actor(h), self.critic(h).detach()


class Batch(Mine):
    def encode(self, x):
        return super().encode(x - x.mean(0))


class Attends(Mine):
    """Softmax over the wrong dimension."""

    def forward(self, observations):
        h = self.encode(observations)
        return self.actor(h).softmax(0), self.critic(h)


class Squeezes(Mine):
    def forward(self, observations):
        logits, value = super().forward(observations)
        return logits.squeeze(), value


class Drops(Mine):
    def encode(self, x):
        return nn.functional.dropout(super().encode(x), 0.5)


class Nan(Mine):
    def forward(self, observations):
        logits, value = super().forward(observations)
        return logits, value - value.abs().mul(0).log().mul(0)


class Steep(Mine):
    """Finite itself, but the root's slope at 0 is not."""

    def forward(self, observations):
        logits, value = super().forward(observations)
        return logits, value + (value - value).square().sqrt()


class Blind(Mine):
    def encode(self, x):
        return super().encode(x * 0)


class Dead(Mine):
    def encode(self, x):
        return super().encode(x).sub(5).relu() + x.sum(1, keepdim=True)


class WrongShape(Mine):
    def forward(self, observations):
        logits, value = super().forward(observations)
        return logits[:, :2], value


class ThreeOutputs(Mine):
    def forward(self, observations):
        return *super().forward(observations), None


class Raises(Mine):
    def forward(self, observations):
        return super().forward(observations[:, :2])


@pytest.mark.parametrize(
    ("kind", "level", "what"),
    [
        (Unused, "error", "no gradient reaches spare.weight, spare.bias"),
        (Detached, "error", "no gradient goes through its value"),
        (Batch, "error", "depends on the other rows"),
        (Attends, "error", "depends on the other rows"),
        (
            Squeezes,
            "error",
            r"with a single row: for Discrete\(4\) the logits must have shape \[1, 4\], not \[4\]",
        ),
        (Drops, "error", "the same observations give different answers"),
        (Nan, "error", "its value has NaN"),
        (Steep, "error", "the gradient of hidden.weight, hidden.bias, critic.weight, critic.bias has NaN"),
        (Blind, "warning", "the same for all observations"),
        (Dead, "warning", "the gradient of hidden.weight, hidden.bias is 0 everywhere"),
        (WrongShape, "error", r"logits must have shape \[16, 4\], not \[16, 2\]"),
        (ThreeOutputs, "error", r"must return \(logits, value\)"),
        (Raises, "error", "RuntimeError: mat1 and mat2"),
    ],
)
def test_mistakes_are_found(kind, level, what):
    torch.manual_seed(0)
    report = check_policy(kind, Bandit())
    assert report.name == kind.__name__
    assert report.of(level)
    assert any(re.search(what, finding.what) for finding in report.of(level)), report
    assert report.ok == (level == "warning")
    assert "->" in str(report)


@pytest.mark.parametrize("name", ["MLP", "ResidualMLP", "MultiInput"])
@pytest.mark.parametrize("env", [Bandit, TwoBandits])
def test_policies_of_the_house_are_fine(name, env):
    report = check_policy(name, env())
    assert report.ok, report
    assert not report.of("warning"), report


@pytest.mark.parametrize(
    ("name", "env"), [("CNN", "ocean-squared"), ("MLP", "ocean-pendulum"), ("MLP", "ocean-tic-tac-toe")]
)
def test_policies_of_the_house_in_games(name, env):
    report = check_policy(name, pufferbench.make(env, num_envs=4))
    assert report.ok, report
    assert not report.of("warning"), report


def test_a_policy_of_ones_own_is_fine_and_stays_as_it_is():
    env = Bandit()
    policy = Mine(env.observation_space, env.action_space)
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    state = torch.get_rng_state()
    report = check_policy(policy, env)
    assert torch.equal(torch.get_rng_state(), state)
    assert report.ok, report
    assert [finding.where for finding in report.findings] == ["parameters"]
    assert report.findings[0].what == "165 numbers to learn"
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())
    assert all(parameter.grad is None for parameter in policy.parameters())
    assert not env.closed


def test_frozen_parameters_are_told():
    env = Bandit()
    policy = Mine(env.observation_space, env.action_space)
    policy.hidden.requires_grad_(False)
    report = check_policy(policy, env)
    assert report.ok
    assert report.of("note")[0].what == "frozen: hidden.weight, hidden.bias"


def test_the_envs_own_nan_is_told_apart():
    class Broken(Bandit):
        def look(self):
            super().look()
            self.observations[0] = np.nan

    report = check_policy(Mine, Broken())
    assert "but so do the env's observations" in report.of("error")[0].what


def test_names_and_one_row():
    report = check_policy("MLPs", Bandit())
    assert "did you mean 'MLP'" in str(report)
    assert check_policy(MLP, Bandit(1)).ok


def test_deviations_need_gradients_too():
    class Fixed(MLP):
        def decode(self, hidden):
            normal, value = super().decode(hidden)
            return Normal(normal.loc, normal.scale.detach()), value

    report = check_policy(Fixed, pufferbench.make("ocean-pendulum", num_envs=2))
    assert "no gradient goes through its deviation" in str(report)
    assert isinstance(pufferbench.make("ocean-pendulum").action_space, spaces.Box)
