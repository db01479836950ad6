"""The way of the data on a GPU, gone through without one (fake_cuda.py), and what guards it on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from pufferbench import PuffeRL
from pufferbench.policies import POLICIES, Misfit
from pufferbench.spaces import flatten_observations
from pufferbench.wrappers import AgentID
from tests.envs import TestEnv
from tests.fake_cuda import DEVICE, fake_cuda

PIXELS = spaces.Box(0, 255, (8, 8, 3), np.uint8)
SEEN = {
    "CNN": PIXELS,
    "MultiInput": flatten_observations(spaces.Dict(camera=PIXELS, kind=spaces.Discrete(3))),
    "Attention": spaces.Box(-9, 9, (4, 3)),
}
ACTIONS = {
    "discrete": spaces.Discrete(3),
    "several": spaces.MultiDiscrete([2, 3]),
    "box": spaces.Box(-2, 2, (2,)),
}


class Cut(TestEnv):
    """Any observations and actions; episodes are cut, some actions illegal, and now and then a row waits."""

    length = 3

    def __init__(self, observation_space, action_space, legal=True, num_envs=8):
        super().__init__(num_envs)
        self.observation_space, self.action_space = observation_space, action_space
        choices = isinstance(action_space, (spaces.Discrete, spaces.MultiDiscrete))
        self.num_action_masks = int(np.sum(getattr(action_space, "nvec", 3))) if choices and legal else None

    def look(self):
        rows = [self.observation_space.sample() for _ in range(self.num_agents)]
        self.observations[:] = np.stack(rows)
        self.masks[0] = self.clock != 1

    def end(self, ended):
        self.truncations[:] = ended
        self.final_observations[:] = self.observations


def train(env, policy, **options):
    trainer = PuffeRL(
        env, policy, device=DEVICE, bptt_horizon=6, minibatch_size=12, update_epochs=2, **options
    )
    for _ in range(2):
        trainer.evaluate()
        trainer.train()
        trainer.mean_and_log()
    return trainer


# Each policy with one kind of action, and each kind with and without a memory
CASES = [*zip(POLICIES, [*ACTIONS] * len(POLICIES), strict=False)]
CASES += [(name, actions) for name in ("MLP", "LSTM") for actions in ACTIONS if (name, actions) not in CASES]


@pytest.mark.parametrize(("name", "actions"), CASES)
def test_no_policy_mixes_devices(name, actions):
    with fake_cuda():
        env = Cut(SEEN.get(name, spaces.Box(-1, 1, (4,))), ACTIONS[actions])
        trainer = train(AgentID(env) if name == "Independent" else env, name)
        rollout = trainer.rollout
        placed = [
            rollout.observations,
            rollout.actions,
            rollout.logprobs,
            rollout.values,
            *rollout.memory.now,
        ]
        placed += [*trainer.policy.state_dict().values()]
        assert {str(tensor.device) for tensor in placed} == {DEVICE}
        assert trainer.learner.name != "fused"
        assert {weight.device.type for weight in trainer.snapshot.weights.values()} == {"cpu"}


@pytest.mark.parametrize("name", ["MLP", "LSTM", "CNN"])
def test_observations_may_wait_on_the_cpu(name):
    with fake_cuda():
        env = Cut(SEEN.get(name, spaces.Box(-1, 1, (4,))), ACTIONS["discrete"])
        rollout = train(env, name, cpu_offload=True).rollout
        assert rollout.observations.device.type == "cpu"
        assert rollout.values.device.type == "cuda"


def test_a_training_moves_to_the_gpu():
    with fake_cuda():
        trainer = PuffeRL(
            Cut(spaces.Box(-1, 1, (4,)), ACTIONS["box"]), "LSTM", bptt_horizon=6, learner="autograd"
        )
        assert trainer.rollout.values.device.type == "cpu"
        trainer.request(device=DEVICE)
        for _ in range(2):
            trainer.evaluate()
            trainer.train()
        placed = [trainer.rollout.values, *trainer.rollout.memory.now, *trainer.policy.state_dict().values()]
        assert {str(tensor.device) for tensor in placed} == {DEVICE}


SWITCHES = [
    {"advantage": "puff", "prioritize": True},
    {"optimizer": "muon", "max_minibatch_size": 12, "vf_clip_coef": 0.2, "target_kl": 2.0},
]


@pytest.mark.parametrize("options", SWITCHES, ids=str)
@pytest.mark.parametrize("name", ["MLP", "LSTM"])
def test_no_switch_mixes_devices(name, options):
    with fake_cuda():
        train(Cut(spaces.Box(-1, 1, (4,)), ACTIONS["discrete"]), name, **options)


class Forgetful(nn.Module):
    """A user's own, with a mistake that only a GPU shows."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.offsets = torch.arange(4.0)  # not a buffer: it stays where it is

    def forward(self, observations):
        out = self.layer(observations + self.offsets)
        return out[:, :3], out[:, 3]


def test_a_mistake_is_found():
    with fake_cuda(), pytest.raises(Misfit, match=r"cuda:0.* and cpu"):
        train(Cut(spaces.Box(-1, 1, (4,)), ACTIONS["discrete"]), Forgetful())


@pytest.mark.parametrize(("name", "actions"), [("MLP", "discrete"), ("LSTM", "box")])
def test_compiled_policies_train_as_others_do(name, actions, monkeypatch):
    """aot_eager: the graphs that torch.compile makes, forwards and backwards, without the machine code, which takes
    seconds. Minibatches of two sizes, and all rows at once for playing."""
    torch.compiler.reset()
    real, calls = torch.compile, []
    monkeypatch.setattr(
        torch, "compile", lambda policy: calls.append(policy) or real(policy, backend="aot_eager")
    )
    weights = []
    for options in ({"compile": True}, {"learner": "autograd"}):
        env = Cut(SEEN.get(name, spaces.Box(-1, 1, (4,), seed=0)), ACTIONS[actions])
        env.observation_space.seed(0)
        trainer = PuffeRL(env, name, bptt_horizon=6, minibatch_size=16, seed=3, **options)
        for _ in range(2):
            trainer.evaluate()
            trainer.train()
        weights.append(trainer.policy.state_dict())
    assert len(calls) == 1
    for key, weight in weights[0].items():
        torch.testing.assert_close(weight, weights[1][key], rtol=1e-3, atol=1e-4)
