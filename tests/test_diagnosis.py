"""Each rule finds its fault in a history made by hand and in a real training that has it; a healthy run has none."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pufferbench
from pufferbench.diagnosis import RULES, diagnose

HEALTHY = {
    "global_step": 1000, "total_timesteps": 10**6, "episodes": 5, "approx_kl": 0.005, "clip_fraction": 0.05,
    "entropy": 0.6, "explained_variance": 0.8, "value_loss": 2.0, "update_epochs": 1,
    "time_env": 0.3, "time_train": 0.7,
}  # fmt: skip


def history(count=30, **faults):
    """Records of a good training, but for ``faults``: a value, or a function of the update's number."""
    records = []
    for update in range(1, count + 1):
        record = {**HEALTHY, "update": update, "global_step": 1000 * update, "episode_return": 2.0 * update}
        record |= {name: fault(update) if callable(fault) else fault for name, fault in faults.items()}
        records.append(record | {"episode_return_100": record["episode_return"]})
    return records


def names(records):
    return [finding.rule for finding in diagnose(records)]


@pytest.mark.parametrize(
    ("rule", "faults", "words"),
    [
        ("KL divergence", {"approx_kl": 0.3}, "KL 0.3 at update 30: the step is too big; try a third"),
        ("Clip fraction", {"clip_fraction": 0.6, "update_epochs": 4}, "60% .* clipped .*; try 2 epochs"),
        ("Clip fraction", {"clip_fraction": 0.6}, "try half the learning rate"),
        ("Value loss", {"value_loss": lambda u: 10.0**u, "explained_variance": -3.0}, "runs away"),
        ("Explained variance", {"explained_variance": -0.4}, "-0.4 .* worse than a constant"),
        ("Entropy", {"entropy": lambda u: 0.69 * (u < 3), "episode_return": 9.0}, "decided too early"),
        ("Small steps", {"approx_kl": 1e-9, "episode_return": 9.0}, "KL 1e-09.* hardly moves"),
        ("Reward", {"episode_return": 0.0}, "no reward in 30 updates"),
        ("Reward", {"episode_return": 1e-6}, "returns of 1e-06.* drown"),
        ("Reward", {"value_loss": 1e12, "explained_variance": 0.0}, "off by 1,414,214 and explains 0%"),
        ("Observation scale", {"observation_max": 5000.0}, "reach 5,000, and this policy does not normalise"),
        ("Idle learner", {"time_env": 9.3}, "environment takes 93% of the time: the learner waits"),
        ("Idle environment", {"time_train": 30.0, "update_epochs": 8}, "learning takes 99%.*try 4 epochs"),
    ],
)  # fmt: skip
def test_a_history_with_one_fault(rule, faults, words):
    (finding,) = diagnose(history(**faults))
    assert finding.rule == rule
    assert re.search(words, str(finding)), str(finding)


def test_episodes_that_never_end():
    records = [{k: v for k, v in r.items() if "return" not in k} | {"episodes": 0} for r in history(30)]
    assert "no episode has ended in 30 updates (29,000 steps)" in str(diagnose(records)[0])
    assert diagnose(records[:29]) == []  # an episode may be long


def test_a_good_history_has_no_finding_and_neither_has_a_solved_or_a_young_one():
    assert diagnose([]) == []
    for count in (1, 2, 5, 30, 300):
        assert names(history(count)) == []
    assert names(history(entropy=lambda u: 0.69 / u**2)) == []  # sure, and better all the time
    assert names(history(2, approx_kl=5.0)) == []
    assert names(history(approx_kl=lambda u: 0.5 * (u == 30))) == []  # one odd update


def test_what_was_before_the_last_change_is_not_held_against_it():
    records = history(20, approx_kl=lambda u: 0.3 if u < 19 else 0.004)
    assert names(records) == ["KL divergence"]
    records[17]["changes"] = {"learning_rate": {"old": 0.3, "new": 0.1}}
    assert names(records) == []


def test_a_remedy_stays_within_the_option_s_bounds_and_is_a_round_number():
    (steps,) = diagnose(history(approx_kl=0.3))
    assert (steps.option, steps.change(3e-3)) == ("learning_rate", 1e-3)
    assert steps.change(1e-7) == 1e-7
    (clipped,) = diagnose(history(clip_fraction=0.6, update_epochs=5))
    assert (clipped.option, clipped.change(5), clipped.change(1)) == ("update_epochs", 2, 1)
    (dead,) = diagnose(history(entropy=lambda u: 0.69 * (u < 3), episode_return=9.0))
    assert (dead.option, dead.change(0.0), dead.change(0.5)) == ("ent_coef", 0.02, 1.0)
    (episodes,) = diagnose(history(observation_max=1e4))
    assert episodes.option == ""


# -- real trainings -------------------------------------------------------------------------------


class Line(pufferbench.PufferEnv):
    """Eight steps; the right action is the parity of the time."""

    def __init__(self, buf=None, reward=1.0, growth=1.0, observation=1.0, ends=True, pause=0.0):
        super().__init__(buf)
        self.observation_space = self.make_space((2,))
        self.action_space = self.make_discrete(2)
        self.reward, self.growth, self.observation, self.ends, self.pause = (
            reward,
            growth,
            observation,
            ends,
            pause,
        )
        self.reset()

    def reset(self, seed=None):
        self.time = 0
        return self.see()

    def see(self):
        return self.observation * np.array([self.time / 8, 1], np.float32)

    def step(self, action):
        time.sleep(self.pause)
        self.time += 1
        done = self.ends and self.time == 8
        self.reward *= self.growth if done else 1.0
        return self.see(), self.reward * float(action == self.time % 2), done, {}


class Plain(nn.Module):
    """A small network that normalises nothing; its values are ``loud`` times what its last layer says."""

    def __init__(self, env, loud=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(env.observation_space.shape[0], 32), nn.Tanh())
        self.policy, self.value = nn.Linear(32, int(env.action_space.n)), nn.Linear(32, 1)
        self.loud = loud

    def forward(self, observations):
        hidden = self.body(observations)
        return self.policy(hidden), self.loud * self.value(hidden)


def trained(env, policy=None, updates=12, **config):
    """The rules that speak at the end of a training."""
    defaults = {"bptt_horizon": 32, "total_timesteps": 10**7, "learning_rate": 3e-3}
    with env, pufferbench.PuffeRL(env=env, policy=policy, **defaults | config) as trainer:
        records = [record for record, _ in zip(trainer.steps(), range(updates), strict=False)]
    return names(records)


def cartpole():
    return pufferbench.make("ocean-cartpole", num_envs=32)


def line(num_envs=16, **options):
    return pufferbench.emulate(lambda: Line(**options), num_envs=num_envs)


@pytest.mark.parametrize(
    ("rule", "config"),
    [
        ("KL divergence", {"learning_rate": 0.3, "update_epochs": 4, "updates": 8}),
        ("Clip fraction", {"clip_coef": 0.01, "learning_rate": 0.01, "update_epochs": 8, "updates": 6}),
        ("Entropy", {"learning_rate": 1.0, "ent_coef": 0.0, "updates": 20}),
        ("Small steps", {"learning_rate": 1e-7}),
        ("Idle environment", {"update_epochs": 24, "learner": "autograd", "updates": 4}),
    ],
)
def test_cartpole_with_a_wrong_option(rule, config):
    assert rule in trained(cartpole(), **config)


def test_a_value_function_that_does_not_learn():
    env = cartpole()
    assert "Explained variance" in trained(env, Plain(env, loud=1000), vf_coef=0.0)


@pytest.mark.parametrize(
    ("rule", "faults", "config"),
    [
        ("Value loss", {"growth": 1.3}, {"updates": 15}),
        ("Episodes", {"ends": False}, {"updates": 32, "bptt_horizon": 8}),
        ("Reward", {"reward": 0.0}, {"updates": 16}),
        ("Reward", {"reward": 1e-5}, {"updates": 16}),
        ("Reward", {"reward": 1e5}, {"updates": 16}),
        ("Observation scale", {"observation": 1000.0}, {"updates": 4}),
        ("Idle learner", {"pause": 1e-3}, {"updates": 4}),
    ],
)
def test_an_environment_with_a_fault(rule, faults, config):
    env = line(**{"num_envs": 4, **faults})
    assert rule in trained(env, Plain(env), **config)


def test_a_healthy_training_is_left_alone_from_the_first_update_to_the_last():
    records = []
    env = pufferbench.make("ocean-cartpole", num_envs=64)
    sizes = {"bptt_horizon": 32, "minibatch_size": 512, "total_timesteps": 200_000}
    with env, pufferbench.PuffeRL(env=env, learning_rate=0.01, **sizes) as trainer:
        for record in trainer.steps():
            records.append({key: value for key, value in record.items() if not key.startswith("time_")})
            assert diagnose(records) == []
    assert record["episode_return_100"] > 200


def test_every_rule_is_tested_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(source.count(f'("{name}"') + source.count(f'"{name}" in') >= 1 for name in RULES)
