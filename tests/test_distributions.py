"""Squashed Gaussians against torch's own transformed distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.distributions import AffineTransform, Independent, Normal, TanhTransform, TransformedDistribution

from pufferbench import PuffeRL
from pufferbench.distributions import SquashedNormal, like
from pufferbench.policies import LSTM, MLP, check_outputs
from pufferbench.pytorch import draw_noise, log_prob_entropy, sample, sample_logits
from pufferbench.recurrent import _pick
from tests.envs import Aim

MIDDLE, HALF = torch.tensor([0.5, -10.0, 100.0]), torch.tensor([0.5, 3.0, 50.0])
BOX = spaces.Box(np.float32([0, -13, 50]), np.float32([1, -7, 150]))


def squashed(rows=2000, widest=2.0):
    torch.manual_seed(0)
    loc = torch.randn(rows, 3, requires_grad=True)
    scale = (0.05 + widest * torch.rand(rows, 3)).requires_grad_()
    return SquashedNormal(loc, scale, MIDDLE, HALF)


def torchs(normal):
    transforms = [TanhTransform(), AffineTransform(MIDDLE, HALF)]
    return Independent(TransformedDistribution(Normal(normal.loc, normal.scale), transforms), 1)


def test_log_prob_is_that_of_torch():
    normal = squashed()
    actions, logprobs, _ = sample_logits(normal, actions=normal.sample())
    assert (actions >= MIDDLE - HALF).all()
    assert (actions <= MIDDLE + HALF).all()
    exact = torchs(squashed())
    u = normal.unsquash(actions)
    inside = (u.abs() < 4).all(1)  # further out, float32 actions say little about u, whoever computes it
    assert inside.float().mean() > 0.9
    torch.testing.assert_close(logprobs[inside], exact.log_prob(actions)[inside], rtol=1e-3, atol=2e-2)
    left = torch.autograd.grad(logprobs[inside].sum(), normal.loc)[0]
    expected = Normal(normal.loc, normal.scale).log_prob(u).sum(1)[inside].sum()
    torch.testing.assert_close(left, torch.autograd.grad(expected, normal.loc)[0])


def test_the_density_is_one():
    """In one dimension the probabilities of all actions add up to 1, in the units of the actions."""
    normal = SquashedNormal(torch.tensor([[0.3]]), torch.tensor([[0.8]]), MIDDLE[2:], HALF[2:])
    actions = torch.linspace(50.001, 149.999, 200_000).unsqueeze(1)
    density = like(normal, normal.loc.expand(len(actions), 1), normal.scale.expand(len(actions), 1)).log_prob(
        actions
    )
    assert torch.trapezoid(density.exp().flatten(), actions.flatten()).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("widest", [0.5, 2.0])
def test_entropy_is_the_mean_surprise_and_has_its_gradient(widest):
    normal = squashed(20, widest)
    _, entropy = log_prob_entropy(normal, normal.sample())
    noise = torch.randn(20_000, 1, 3)
    u = normal.loc + normal.scale * noise
    surprise = -(Normal(normal.loc, normal.scale).log_prob(u) - normal.log_slope(u)).sum(2).mean(0)
    torch.testing.assert_close(entropy, surprise, atol=0.06, rtol=0)
    inputs = (normal.loc, normal.scale)
    for found, expected in zip(
        torch.autograd.grad(entropy.sum(), inputs),
        torch.autograd.grad(surprise.sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, atol=0.15, rtol=0.1)


def test_actions_on_the_bounds_have_finite_numbers():
    normal = SquashedNormal(
        torch.full((2, 3), 40.0).requires_grad_(), torch.full((2, 3), 0.01).requires_grad_(), MIDDLE, HALF
    )
    actions, logprobs, entropy = sample_logits(normal)
    assert logprobs.isfinite().all()
    assert entropy.isfinite().all()
    (logprobs.sum() + entropy.sum()).backward()
    assert normal.loc.grad.isfinite().all()
    assert torch.equal(actions, (MIDDLE + HALF).expand(2, 3))


def test_what_was_drawn_is_looked_up_with_the_same_log_prob():
    """Or the first ratio of PPO would not be 1."""
    normal = squashed()
    actions, logprobs = sample(normal, draw_noise(BOX, (2000,), torch.Generator().manual_seed(1)))
    assert torch.equal(log_prob_entropy(normal, actions)[0], logprobs)


def test_policies_squash():
    space = spaces.Box(-1, 1, (4,))
    for policy in (MLP(space, BOX, squash=True), LSTM(space, BOX, squash=True)):
        assert policy.arguments == {"hidden_size": 128, "squash": True}
        outputs = policy(torch.randn(5, 4))[:2]
        check_outputs(outputs, BOX, 5)
        assert isinstance(outputs[0], SquashedNormal)
        best = sample_logits(outputs[0], deterministic=True)[0]
        torch.testing.assert_close(best, MIDDLE.expand(5, 3), rtol=0.1, atol=0.05)
    free = MLP(space, BOX, log_std="state", squash=True)
    assert free.arguments == {"hidden_size": 128, "log_std": "state", "squash": True}
    assert isinstance(_pick([free(torch.randn(2, 4))[0]], torch.ones(1, 2, dtype=torch.bool)), SquashedNormal)
    for wrong in (spaces.Box(-np.inf, 1, (2,)), spaces.Discrete(2)):
        with pytest.raises(ValueError, match="squash=True is for actions that are a Box with bounds"):
            MLP(space, wrong, squash=True)


@pytest.mark.learn
@pytest.mark.parametrize("log_std", ["parameter", "state"])
def test_it_learns_to_aim(log_std):
    torch.manual_seed(1)
    env = Aim(32, low=-3.0, high=1.0)
    policy = MLP(env.observation_space, env.action_space, 32, log_std=log_std, squash=True)
    trainer = PuffeRL(
        env,
        policy,
        total_timesteps=100_000,
        gamma=0.0,
        learning_rate=5e-3,
        ent_coef=0.0,
        batch_size=1024,
        seed=1,
    )
    records = list(trainer.steps())
    assert records[0]["episode_return"] < 5  # of 8
    assert records[-1]["episode_return"] > 7.5
    assert records[0]["approx_kl"] < 0.1
