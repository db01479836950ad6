"""What finds no memory says what it is for, how big it is, and what to make smaller."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from envs import Bandit, TwoBandits
from training import run

import pufferbench
from pufferbench import PuffeRL, fused_kernels, kernels
from pufferbench.errors import PufferBenchError
from pufferbench.out_of_memory import OutOfMemory, room_for
from pufferbench.policies import MLP
from pufferbench.pytorch import draw_noise
from pufferbench.rollout import Rollout

CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB"


def test_the_first_buffer_of_a_huge_batch_says_its_name_and_size():
    """The real thing: torch refuses 128 TB on every machine."""
    with pytest.raises(PufferBenchError) as caught:
        PuffeRL(Bandit(16), bptt_horizon=10**12)
    assert str(caught.value) == (
        "out of memory: the actions of an update (1,000,000,000,000 steps x 16 agents x [] int64, on cpu) need "
        "128,000.00 GB more; take a smaller batch_size (or bptt_horizon), or fewer num_envs"
    )


@pytest.mark.parametrize(
    ("place", "name", "shape"),
    [
        (0, "actions", r"4 steps x 8 agents x \[2\] int64"),
        (1, "observations", r"4 steps x 8 agents x \[5\] float32"),
        (2, "log probabilities", "float32"),
        (3, "values", r"5 steps x 8 agents"),
        (4, "rewards", "float32"),
        (5, "terminals", "bool"),
        (6, "truncations", "bool"),
        (7, "masks", "bool"),
    ],
)
def test_every_buffer_of_the_rollout_says_its_name(monkeypatch, place, name, shape):
    env, zeros, calls = TwoBandits(8), torch.zeros, []

    def short(*args, **kwargs):
        calls.append(args)
        if len(calls) > place:
            raise torch.OutOfMemoryError(CUDA)
        return zeros(*args, **kwargs)

    monkeypatch.setattr(torch, "zeros", short)
    with pytest.raises(
        OutOfMemory, match=rf"the {name} of an update \(.*{shape}.* need 20.00 GiB more; take"
    ):
        Rollout(env, 8, 4, torch.device("cpu"))


class Hungry(MLP):
    """Its layers do not fit: on the way there, on the way back, or when it is tried first."""

    when = ""

    def encode(self, x):
        if (self.when == "gradient" and torch.is_grad_enabled()) or self.when == "first":
            raise torch.OutOfMemoryError(CUDA)
        return super().encode(x)


@pytest.mark.parametrize("learner", ["autograd", "recurrent"])
def test_a_minibatch_too_large_for_its_gradient(learner):
    policy = Hungry(Bandit().observation_space, Bandit().action_space, hidden_size=16)
    wrapped = pufferbench.pytorch.LSTMWrapper(policy, 16, 16) if learner == "recurrent" else policy
    trainer = PuffeRL(Bandit(16), policy=wrapped, bptt_horizon=8, minibatch_size=64)
    assert trainer.learner.name == learner
    policy.when = "gradient"
    words = r"numbers of 64 steps, kept for the gradient, need 20.00 GiB more; set max_minibatch_size"
    with pytest.raises(OutOfMemory, match=words):
        run(trainer, 1)
    policy.when = ""
    assert run(trainer, 1)["gradient_steps"] == 2  # it stays usable


def test_a_policy_too_large_for_a_step_of_all():
    policy = Hungry(Bandit().observation_space, Bandit().action_space)
    policy.when = "first"
    with pytest.raises(OutOfMemory, match="numbers for 16 agents need 20.00 GiB more; take fewer num_envs"):
        PuffeRL(Bandit(16), policy=policy)


def test_arrays_of_compiled_code(monkeypatch):
    def refuse(*_, **__):
        raise np._core._exceptions._ArrayMemoryError((1024, 10**9), np.dtype(np.float32))

    trainer = PuffeRL(Bandit(16), bptt_horizon=8)
    trainer.evaluate()
    with monkeypatch.context() as patch:
        patch.setattr(kernels.np, "zeros", refuse)
        with pytest.raises(
            OutOfMemory, match="the advantages of an update need 3.73 TiB more; take a smaller"
        ):
            trainer.train()
    monkeypatch.setattr(fused_kernels, "work", refuse)
    with pytest.raises(
        OutOfMemory, match="the fused learner's arrays need 3.73 TiB more; take a smaller hidden"
    ):
        PuffeRL(Bandit(16), bptt_horizon=8)


def test_random_numbers_of_a_huge_batch():
    with pytest.raises(OutOfMemory, match="the random numbers of an update need 64,000.00 GB more"):
        draw_noise(Bandit().action_space, (10**12, 16))


def test_other_errors_are_let_through():
    with pytest.raises(RuntimeError, match="shapes"), room_for("some", "less"):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    with pytest.raises(OutOfMemory, match="out of memory: some do not fit; less"), room_for("some", "less"):
        raise MemoryError
