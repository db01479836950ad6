"""The switches of TrainConfig that are not plain PPO: each against what it should do, with every learner."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from envs import Bandit, TwoBandits, Waiting
from gymnasium import spaces
from torch import nn
from training import run, same, weights

import pufferbench
from pufferbench import PuffeRL, TrainConfig
from pufferbench.config import ConfigError
from pufferbench.kernels import advantages
from pufferbench.optimizers import Muon, make_optimizer
from pufferbench.policies import CNN, LSTM, MLP
from pufferbench.pytorch import log_prob_entropy
from pufferbench.records import CheckpointError
from pufferbench.segments import Segments

SIZES = {"bptt_horizon": 16, "minibatch_size": 256, "seed": 3}
ALL = {
    "advantage": "puff",
    "prioritize": True,
    "optimizer": "muon",
    "lr_schedule": "cosine",
    "target_kl": 1.0,
}
LEARNERS = {"fused": ("MLP", "auto"), "autograd": ("MLP", "autograd"), "recurrent": ("LSTM", "auto")}


def made(learner="fused", env=None, **options):
    policy, asked = LEARNERS[learner]
    env = pufferbench.make("ocean-cartpole", num_envs=64) if env is None else env
    trainer = PuffeRL(env, policy=policy, learner=asked, **{**SIZES, **options})
    assert trainer.learner.name == learner
    return trainer


def move(policy, size=0.2):
    """What learning does to a policy, at random."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)


# -- puff advantage -----------------------------------------------------------------------------


@pytest.mark.parametrize("learner", LEARNERS)
def test_puff_advantages_are_those_of_the_policy_as_it_is_now(learner):
    """Against the whole rollout at once, with the policy's ratios: for rows in any order, some of them twice."""
    trainer = made(learner, advantage="puff", rho_clip=0.9, c_clip=1.5)
    run(trainer, 1)
    trainer.evaluate()
    batch, segments = trainer._batch()
    before = {name: tensor.clone() for name, tensor in batch.items()}
    rollout = trainer.rollout
    parts = (rollout.rewards, rollout.values, rollout.terminals, rollout.truncations)
    final_values, masks = segments.experience[4:]
    move(trainer.policy)
    everything = torch.arange(64 if learner == "recurrent" else 16 * 64)
    ratios = (trainer.learner.logprobs(batch, everything).view(16, 64) - rollout.logprobs).exp()
    assert ((ratios < 0.9).any() and (ratios > 1.5).any()) or learner == "recurrent"
    expected, _ = advantages(*parts, final_values, masks, trainer.gamma, trainer.gae_lambda, ratios, 0.9, 1.5)
    rows = torch.tensor([5, 63, 0, 5, 17])
    index = rows if learner == "recurrent" else segments.places[:, rows].flatten()
    segments.estimate_again(rows, index, trainer.config)
    found, returns = batch["advantages"].view(16, 64), batch["returns"].view(16, 64)
    torch.testing.assert_close(found[:, rows], expected[:, rows], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(returns, found + rollout.values[:-1])
    others = sorted(set(range(64)) - set(rows.tolist()))
    assert torch.equal(found[:, others], before["advantages"].view(16, 64)[:, others])


@pytest.mark.parametrize("largest", [None, 100])
@pytest.mark.parametrize("learner", LEARNERS)
def test_log_probabilities_are_those_that_it_played_with(learner, largest):
    trainer = made(learner, max_minibatch_size=largest)
    trainer.evaluate()
    batch, _ = trainer._batch()
    index = torch.arange(64 if learner == "recurrent" else 16 * 64)
    torch.testing.assert_close(
        trainer.learner.logprobs(batch, index), batch["logprobs"], atol=1e-5, rtol=1e-4
    )
    move(trainer.policy)
    now = trainer.learner.logprobs(batch, index)
    assert not torch.allclose(now, batch["logprobs"], atol=0.01)
    if learner == "fused":
        logits, _ = trainer.policy(batch["observations"])
        expected, _ = log_prob_entropy(logits, batch["actions"])
        torch.testing.assert_close(now, expected.detach(), atol=1e-5, rtol=1e-4)


# -- prioritised segments -----------------------------------------------------------------------


def segments_of(sizes, waiting=()):
    """Rows of 2 steps whose advantages are -size and +size; rows that wait all the time among them."""
    rows = len(sizes)
    used = torch.ones(2, rows, dtype=torch.bool)
    used[:, list(waiting)] = False
    places = (used.flatten().cumsum(0).view(2, rows) - 1).masked_fill(~used, -1)
    grid = torch.tensor(sizes) * torch.tensor([[-1.0], [1.0]])
    batch = {"advantages": grid[used], "returns": grid[used]}
    return Segments(None, batch, (), places)


def test_rows_are_drawn_by_their_advantages():
    segments = segments_of([1.0, 100.0, 3.0, 0.0, 6.0], waiting=[1])
    config = TrainConfig(prioritize=True, prio_alpha=0.5, prio_beta0=1.0)
    drawn, weights = segments.draw(100_000, config, 0.0, torch.Generator().manual_seed(0))
    expected = torch.tensor([1.0, 3.0, 0.0, 6.0]).sqrt()  # the row that waits is not among them
    expected /= expected.sum()
    torch.testing.assert_close(drawn.bincount(minlength=4) / 100_000, expected, atol=0.01, rtol=0)
    # With the full correction the mean over what was drawn is that over all rows (but for the one of no advantage)
    values = torch.tensor([2.0, -1.0, 0.0, 7.0])
    assert (weights * values[drawn]).mean().item() == pytest.approx(values.mean().item(), abs=0.05)


def test_the_correction_rises_to_all_of_it():
    segments = segments_of([1.0, 2.0, 4.0])
    config = TrainConfig(prioritize=True, prio_alpha=1.0, prio_beta0=0.2)
    for progress, beta in ((0.0, 0.2), (0.5, 0.6), (1.0, 1.0)):
        drawn, weights = segments.draw(50, config, progress, torch.Generator().manual_seed(0))
        expected = (3 * torch.tensor([1.0, 2.0, 4.0]) / 7) ** -beta
        torch.testing.assert_close(weights, expected[drawn], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{"prio_alpha": 0.0}, {}])
def test_rows_without_advantages_or_priorities_are_drawn_alike(options):
    segments = segments_of([0.0, 0.0, 0.0] if not options else [1.0, 5.0, 0.0])
    config = TrainConfig(prioritize=True, **options)
    drawn, weights = segments.draw(3000, config, 0.3, torch.Generator().manual_seed(0))
    assert (drawn.bincount(minlength=3) > 900).all()
    torch.testing.assert_close(weights, torch.ones(3000))


def test_importance_weights_go_into_the_loss_after_normalising():
    segments = segments_of([1.0, 2.0, 4.0, 8.0])
    config = TrainConfig(prioritize=True, prio_alpha=1.0, prio_beta0=1.0, minibatch_size=4)
    parts = list(segments.minibatches(config, 0.0, torch.Generator().manual_seed(2)))
    assert len(parts) == 2
    for minibatch, index in parts:
        raw = segments.batch["advantages"][index]
        probabilities = raw.abs() / 15
        normal = (raw - raw.mean()) / (raw.std(correction=0) + 1e-8)
        torch.testing.assert_close(
            minibatch["advantages"][index], normal / (4 * probabilities), atol=1e-4, rtol=1e-4
        )
    assert segments.batch["advantages"].abs().max() == 8  # the next minibatch's priorities are not of these


@pytest.mark.parametrize("learner", LEARNERS)
def test_without_priorities_a_pass_has_every_row_once(learner):
    trainer = made(learner, advantage="puff")
    trainer.evaluate()
    _, segments = trainer._batch()
    parts = [index for _, index in segments.minibatches(trainer.config, 0.0, trainer.generator)]
    count = 64 if learner == "recurrent" else 16 * 64
    assert len(parts) == 4 and sorted(torch.cat(parts).tolist()) == list(range(count))


def test_rows_that_wait_are_in_no_segment():
    with PuffeRL(Waiting(8), learning_rate=0.03, **{**SIZES, "minibatch_size": 32}, **ALL) as trainer:
        record = run(trainer, 20)
    assert math.isfinite(record["policy_loss"])


# -- Muon ---------------------------------------------------------------------------------------


def test_muon_has_the_hidden_matrices_and_adamw_the_rest():
    policy = MLP(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), hidden_size=16)
    optimizer = make_optimizer(policy, TrainConfig(optimizer="muon", learning_rate=0.01))
    twin = MLP(spaces.Box(-1, 1, (4,)), spaces.Discrete(2), hidden_size=16)
    twin.load_state_dict(policy.state_dict())
    muon = torch.optim.Muon([twin.hidden.weight], 0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    rest = [twin.hidden.bias, twin.heads.weight, twin.heads.bias]
    adamw = torch.optim.AdamW(rest, 0.01, eps=1e-5, weight_decay=0.0)
    for step in range(4):
        generator = torch.Generator().manual_seed(step)
        for mine, other in zip(policy.parameters(), twin.parameters(), strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        for each in (optimizer, muon, adamw):
            each.step()
    for mine, other in zip(policy.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-6)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in policy.parameters())


def test_muon_of_recurrent_and_convolutional_policies():
    pictures = spaces.Box(0, 255, (3, 36, 36), np.uint8)
    for policy in (LSTM(spaces.Box(-1, 1, (4,)), spaces.Discrete(2)), CNN(pictures, spaces.Discrete(2))):
        optimizer = make_optimizer(policy, TrainConfig(optimizer="muon"))
        ours = [p for part in optimizer.parts for group in part.param_groups for p in group["params"]]
        assert {id(p) for p in ours} == {id(p) for p in policy.parameters()}
        assert all(p.ndim == 2 for p in optimizer.parts[0].param_groups[0]["params"])


class OnlyBiases(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits, self.value = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))

    def forward(self, observations):
        return self.logits.expand(len(observations), 2), self.value.expand(len(observations))


def test_muon_needs_a_matrix():
    with pytest.raises(
        ConfigError, match="'muon' is for hidden matrices, and OnlyBiases has none; use 'adam'"
    ):
        PuffeRL(Bandit(8), policy=OnlyBiases(), optimizer="muon")


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_resumed_run_has_the_optimizers_memory(tmp_path, optimizer):
    options = {**SIZES, **ALL, "optimizer": optimizer, "total_timesteps": 4000}
    first = made(env=Bandit(64), **options)
    run(first, 2)
    path = first.save_checkpoint(tmp_path / "two")
    found = []
    for _ in range(2):
        again = made(env=Bandit(64), **options)
        again.load_checkpoint(path)
        assert again.optimizer.param_groups[0]["lr"] != again.config.learning_rate_at(again.global_step)
        state, own = first.optimizer.state_dict()["state"], again.optimizer.state_dict()["state"]
        assert state.keys() == own.keys() and all(same(state[number], own[number]) for number in own)
        run(again, 2)
        found.append(weights(again))
    assert same(*found)
    other = made(env=Bandit(64), **{**options, "optimizer": "adam" if optimizer == "muon" else "muon"})
    before = weights(other)
    with pytest.raises(CheckpointError, match="another optimizer"):
        other.load_checkpoint(path)
    assert same(before, weights(other))


def test_muons_memory_moves_with_the_policy():
    trainer = made("autograd", optimizer="muon")
    run(trainer, 2)
    kept = trainer.optimizer.state_dict()["state"][0]["momentum_buffer"].clone()
    trainer._move()
    assert isinstance(trainer.optimizer, Muon)
    assert torch.equal(trainer.optimizer.state_dict()["state"][0]["momentum_buffer"], kept)
    run(trainer, 1)


# -- schedules, clips, early stop ---------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_the_schedule_reaches_every_group_of_the_optimizer(optimizer):
    trainer = made(lr_schedule="cosine", learning_rate=0.01, total_timesteps=4 * 16 * 64, optimizer=optimizer)
    rates = []
    for record in trainer.steps():
        rates.append(record["learning_rate"])
        assert {group["lr"] for group in trainer.optimizer.param_groups} == {rates[-1]}
    assert rates == pytest.approx([0.005 * (1 + math.cos(math.pi * part / 4)) for part in range(4)])


def test_value_clipping_is_in_deviations_of_the_returns_and_autograds():
    trainer = made("autograd", vf_clip_coef=0.5)
    seen = []
    gradients = trainer.learner.gradients

    def spy(batch, index, objective):
        seen.append(objective.vf_clip)
        return gradients(batch, index, objective)

    trainer.learner.gradients = spy
    trainer.evaluate()
    returns = trainer._batch()[0]["returns"].clone()
    trainer.train()
    assert seen[0] == pytest.approx(0.5 * returns.std(correction=0).item())
    assert made(vf_clip_coef=0.0).learner.name == "fused"
    with pytest.raises(
        ConfigError, match=r"learner='fused' cannot be: it does not clip values \(vf_clip_coef\)"
    ):
        PuffeRL(Bandit(8), vf_clip_coef=0.2, learner="fused")
    assert PuffeRL(Bandit(8), vf_clip_coef=0.2).learner.name == "autograd"


@pytest.mark.parametrize("learner", LEARNERS)
def test_an_update_ends_when_the_policy_is_far_from_the_one_that_played(learner):
    options = {"update_epochs": 4, "learning_rate": 0.02}
    assert run(made(learner, **options), 1)["gradient_steps"] == 16
    trainer = made(learner, target_kl=0.003, **options)
    record = run(trainer, 1)
    assert 1 <= record["gradient_steps"] < 16
    assert record["approx_kl"] <= 0.003
    trainer.target_kl = 0.0  # a live option
    assert run(trainer, 1)["gradient_steps"] == 16


@pytest.mark.parametrize("learner", ["fused", "autograd"])
def test_without_a_single_step_the_record_is_of_the_minibatch_that_was_too_far(learner):
    trainer = made(learner, target_kl=0.003)
    run(trainer, 1)
    trainer.evaluate()
    move(trainer.policy)  # as if something else had changed it meanwhile
    before = weights(trainer)
    trainer.train()
    record = trainer.mean_and_log()
    assert record["gradient_steps"] == 0 and record["grad_norm"] == 0
    assert record["approx_kl"] > 0.003 and record["value_loss"] > 0 and record["entropy"] > 0
    kept = {name for name, _ in trainer.policy.named_parameters()}
    assert same({name: before[name] for name in kept}, {name: weights(trainer)[name] for name in kept})


def test_rewards_are_clipped_for_learning_only():
    class Rich(Bandit):
        def earn(self):
            super().earn()
            self.rewards[:] = 50 * self.rewards - 20

    trainer = made(env=Rich(64), reward_clip=1.0, gamma=0.0)
    record = run(trainer, 1)
    assert abs(record["episode_return"]) > 8  # 8 steps
    trainer.evaluate()
    assert trainer.rollout.rewards.abs().min() >= 20
    returns = trainer._batch()[0]["returns"]
    assert set(returns.round(decimals=4).unique().tolist()) == {-1.0, 1.0}
    trainer.request(reward_clip=0.0)
    run(trainer, 1)
    trainer.evaluate()
    assert trainer._batch()[0]["returns"].abs().min() >= 19


# -- gradient accumulation ----------------------------------------------------------------------


@pytest.mark.parametrize("learner", ["autograd", "recurrent"])
@pytest.mark.parametrize("largest", [256, 100, 1])
def test_the_gradients_of_the_parts_are_those_of_the_whole(learner, largest):
    found = []
    for size in (None, largest):
        trainer = made(learner, max_minibatch_size=size, minibatch_size=1024, vf_clip_coef=0.3)
        run(trainer, 1)
        trainer.evaluate()
        seen, again = [], trainer.learner.again

        def spy(batch, index, again=again, seen=seen):
            part = again(batch, index)
            seen.append(len(part[0]["returns"]))
            return part

        trainer.learner.again = spy
        trainer.train()
        assert sum(seen) == 1024 and max(seen) <= max(size or 1024, 16 if learner == "recurrent" else 1)
        found.append([parameter.grad.clone() for parameter in trainer.policy.parameters()])
        found.append(
            torch.tensor([trainer._losses[name] for name in ("policy_loss", "value_loss", "entropy")])
        )
    whole, losses, parts, their_losses = found
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(losses, their_losses, atol=1e-5, rtol=1e-4)


# -- together -----------------------------------------------------------------------------------


def test_both_learners_make_the_same_update_with_all_switches():
    found = []
    for learner in ("fused", "autograd"):
        trainer = made(learner, update_epochs=2, reward_clip=0.5, **ALL)
        run(trainer, 2)
        found.append(weights(trainer))
    for name, weight in found[0].items():
        torch.testing.assert_close(weight, found[1][name], atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_same_seed_gives_the_same_numbers_with_all_switches(learner):
    runs = []
    for _ in range(2):
        trainer = made(learner, **ALL)
        run(trainer, 2)
        runs.append(weights(trainer))
    assert same(*runs)


@pytest.mark.parametrize("policy", ["MLP", "LSTM"])
def test_a_memoryless_and_a_recurrent_policy_learn_with_all_switches(policy):
    env = TwoBandits(32)
    with PuffeRL(env, policy=policy, learning_rate=0.02, total_timesteps=40 * 512, **SIZES, **ALL) as trainer:
        first = run(trainer, 1)["episode_return"]
        last = run(trainer, 30)["episode_return"]
    assert last > first + 2


def test_cartpole_is_learned_with_puff_advantage_priorities_muon_and_cosine():
    with PuffeRL(
        pufferbench.make("ocean-cartpole", num_envs=64), batch_size=4096, minibatch_size=1024, update_epochs=2,
        total_timesteps=300_000, learning_rate=0.01, seed=1, advantage="puff", prioritize=True, optimizer="muon",
        lr_schedule="cosine",
    ) as trainer:  # fmt: skip
        records = list(trainer.steps())
    assert records[0]["episode_return"] < 40
    assert records[-1]["episode_return_100"] > 450
