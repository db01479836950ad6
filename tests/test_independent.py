"""Agents with numbers, and policies that have weights of their own for each."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

import pufferbench
from pufferbench import PuffeRL, policies
from pufferbench.policies import MLP, Independent, check_policy
from pufferbench.pytorch import unflatten_observations
from pufferbench.spaces import flatten_observations
from pufferbench.wrappers import AgentID
from tests.envs import TestEnv

AGENTS = 3


class Roles(TestEnv):
    """Three agents that see the same: each must do what its number says, but nobody tells it."""

    def __init__(self, num_envs=8, space=None, buf=None):
        super().__init__(AGENTS * num_envs, buf)
        self.num_envs = num_envs
        self.observation_space = self.make_space((2,)) if space is None else space
        self.action_space = self.make_discrete(AGENTS)

    def look(self):
        rows = [self.observation_space.sample() for _ in range(self.num_agents)]
        self.observations[:] = np.stack(rows)

    def earn(self):
        self.rewards[:] = self.actions == np.arange(self.num_agents) % AGENTS


SPACES = [
    spaces.Box(-1, 1, (2,)),
    spaces.Box(0, 255, (5, 3), np.uint8),
    spaces.Discrete(5),
    spaces.MultiDiscrete([3, 4]),
    flatten_observations(spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Box(-1, 1, (3,)))),
    flatten_observations(spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Text(3), c=spaces.MultiBinary(3))),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_observations_say_whose_they_are_and_stay_what_they_were(space):
    env = AgentID(Roles(4, space))
    env.reset(seed=0)
    observations = torch.from_numpy(env.step(np.zeros(12, np.int64))[0])
    assert env.agents == AGENTS
    parts = unflatten_observations(observations, env.observation_space)
    assert parts["agent"].tolist() == [0, 1, 2] * 4
    policy = Independent(env.observation_space, env.action_space, hidden_size=8)
    assert policy.seen_space == space
    inner = torch.from_numpy(env.env.observations)
    assert torch.equal(policy._seen(observations).to(inner.dtype), inner)
    assert policy(observations)[0].shape == (12, AGENTS)


@pytest.mark.parametrize("name", ["MLP", "LSTM"])
def test_each_row_is_answered_by_its_agents_policy(name):
    env = AgentID(Roles(5))
    policy = Independent(env.observation_space, env.action_space, policy=name, hidden_size=8)
    observations = torch.from_numpy(env.reset(seed=0)[0].copy())[torch.randperm(15)]
    agents = unflatten_observations(observations, env.observation_space)["agent"]
    seen = policy._seen(observations)
    state = () if name == "MLP" else (policy.initial_state(15),)
    logits, value, *after = policy(observations, *state)
    for row in range(15):
        own = policy.policies[agents[row]]
        one = () if name == "MLP" else (own.initial_state(1),)
        expected = own(seen[row : row + 1], *one)
        torch.testing.assert_close(logits[row], expected[0][0])
        torch.testing.assert_close(value[row], expected[1][0])
        if after:
            torch.testing.assert_close(after[0][0][row], expected[2][0][0])
    assert policy(observations[:0], *(() if name == "MLP" else (policy.initial_state(0),)))[0].shape == (0, 3)


def test_continuous_actions_of_independent_agents():
    space, box = AgentID(Roles(2)).observation_space, spaces.Box(-2, 2, (2,))
    policy = Independent(space, box, squash=True)
    observations = torch.from_numpy(AgentID(Roles(2)).reset(seed=0)[0])
    normal, value = policy(observations)
    policies.check_outputs((normal, value), box, 6)
    assert type(normal).__name__ == "SquashedNormal"


@pytest.mark.parametrize("name", ["MLP", "LSTM", "ResidualMLP"])
def test_check_policy_finds_nothing(name):
    env = AgentID(Roles(8))
    report = check_policy(Independent(env.observation_space, env.action_space, policy=name), env)
    assert report.ok, str(report)
    assert [finding for finding in report.findings if finding.level == "warning"] == []


def test_statistics_are_of_the_own_agent():
    env = AgentID(Roles(200))
    policy = Independent(env.observation_space, env.action_space)
    observations = env.reset(seed=0)[0].copy()
    inner = env.env.observations
    policy.update_statistics(torch.from_numpy(observations))
    for agent, own in enumerate(policy.policies):
        expected = torch.from_numpy(inner[agent::AGENTS]).mean(0)
        torch.testing.assert_close(own.observation_mean, expected)
    policy.update_value_scale(torch.arange(10.0))
    assert {float(own.value_mean) for own in policy.policies} == {4.5}


def test_it_needs_to_know_the_agent():
    with pytest.raises(TypeError, match=r"env = pufferbench\.wrappers\.AgentID\(env\)"):
        Independent(spaces.Box(-1, 1, (2,)), spaces.Discrete(2))


def test_games_must_have_the_same_number_of_agents():
    env = Roles(2)
    env.num_envs = 4
    with pytest.raises(ValueError, match="6 agents in 4 games"):
        AgentID(env)


def test_by_name_and_from_a_checkpoint(tmp_path):
    env = AgentID(Roles(4))
    trainer = PuffeRL(env, "Independent", bptt_horizon=8, total_timesteps=96)
    list(trainer.steps())
    loaded = policies.load(trainer.save_checkpoint(tmp_path / "it"), env.observation_space, env.action_space)
    observations = torch.from_numpy(env.observations)
    assert torch.equal(loaded(observations)[0], trainer.policy(observations)[0])
    assert policies.name_of(trainer.policy) == "Independent"

    class Mine(nn.Module):
        def __init__(self, observation_space, action_space):
            super().__init__()
            self.layer = nn.Linear(2, 4)

        def forward(self, observations):
            out = self.layer(observations)
            return out[:, :3], out[:, 3]

    own = Independent(env.observation_space, env.action_space, policy=Mine)
    assert policies.name_of(own) == ""
    assert check_policy(own, env).ok


def test_the_numbers_of_a_real_game():
    env = AgentID(pufferbench.make("ocean-target", num_envs=3))
    agents = env.num_agents // 3
    observations = torch.from_numpy(env.reset(seed=0)[0])
    found = unflatten_observations(observations, env.observation_space)["agent"].tolist()
    assert found == [*range(agents)] * 3
    env.close()


@pytest.mark.learn
@pytest.mark.parametrize("kind", ["Independent", "shared", "shared without numbers"])
def test_roles_are_learned(kind):
    env = Roles(16) if kind == "shared without numbers" else AgentID(Roles(16))
    trainer = PuffeRL(
        env,
        "Independent" if kind == "Independent" else "MLP",
        seed=1,
        total_timesteps=40_000,
        batch_size=48 * 32,
        gamma=0.0,
        learning_rate=5e-3,
    )
    last = list(trainer.steps())[-1]["episode_return"]
    if kind == "shared without numbers":
        assert last < 4  # of 8: one in three is right
    else:
        assert last > 7.5
    assert isinstance(trainer.policy, MLP) == (kind != "Independent")
