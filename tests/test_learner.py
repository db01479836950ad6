"""The two learners do the same sums: autograd, and the fused one for the standard MLP."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from gymnasium import spaces

import pufferbench
from pufferbench import PuffeRL
from pufferbench.config import ConfigError
from pufferbench.fused import Fused, misfit
from pufferbench.kernels import Objective
from pufferbench.learner import Autograd, minibatches
from pufferbench.policies import MLP
from pufferbench.pytorch import draw_noise, in_bfloat16

NUMBERS = {n: spaces.Box(-np.inf, np.inf, (n,), np.float32) for n in (4, 28, 118)}
BOARD = spaces.Box(0, 2, (11, 11), np.uint8)
CASES = {
    "cartpole": (NUMBERS[4], spaces.Discrete(2), False),
    "breakout": (NUMBERS[118], spaces.Discrete(3), False),
    "squared": (BOARD, spaces.Discrete(5), False),
    "illegal actions": (NUMBERS[118], spaces.Discrete(7), True),
    "several choices": (NUMBERS[28], spaces.MultiDiscrete([9, 5]), False),
    "several choices, illegal ones": (NUMBERS[4], spaces.MultiDiscrete([3, 2, 4]), True),
    "one choice only": (NUMBERS[4], spaces.Discrete(1), False),
}
ROWS = 2700  # many whole chunks, and one that is not full


def policy_for(observation_space, action_space, rows=ROWS):
    """A policy in the middle of its training, and ``rows`` observations."""
    torch.manual_seed(1)
    policy = MLP(observation_space, action_space, hidden_size=32)
    if observation_space.dtype == np.uint8:
        observations = torch.randint(0, 3, (rows, *observation_space.shape), dtype=torch.uint8)
    else:
        observations = 3 * torch.randn(rows, *observation_space.shape) + 1
    policy.update_statistics(observations)
    policy.update_value_scale(5 * torch.randn(rows) + 2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return policy, observations


def legal_actions(policy, masked):
    if not masked:
        return None
    legal = torch.rand(ROWS, sum(policy.sizes)) < 0.6
    start = 0
    for size in policy.sizes:  # at least one of each choice
        legal[torch.arange(ROWS), start + torch.randint(0, size, (ROWS,))] = True
        start += size
    return legal


def batch_for(policy, observations, legal):
    noise = draw_noise(policy.action_space, (len(observations),), torch.Generator().manual_seed(2))
    with torch.inference_mode():
        actions, logprobs, values = Autograd(policy, policy).act(observations, noise, legal)
    batch = {
        "observations": observations,
        "actions": actions.clone(),
        "logprobs": logprobs
        + 0.3 * torch.randn(len(observations)),  # of an older policy: some ratios are clipped
        "values": values.clone(),
        "advantages": 2 * torch.randn(len(observations)) + 0.5,
        "returns": 5 * torch.randn(len(observations)),
    }
    if legal is not None:
        batch["action_masks"] = legal
    return {name: tensor.clone() for name, tensor in batch.items()}


@pytest.mark.parametrize("case", CASES)
def test_they_act_alike(case):
    observation_space, action_space, masked = CASES[case]
    policy, observations = policy_for(observation_space, action_space)
    legal = legal_actions(policy, masked)
    noise = draw_noise(action_space, (ROWS,), torch.Generator().manual_seed(0))
    with torch.inference_mode():
        actions, logprobs, values = Autograd(policy, policy).act(observations, noise, legal)
        fused = Fused(policy).act(observations, noise, legal)
    assert fused[0].shape == actions.shape and fused[0].dtype == actions.dtype
    same = (fused[0] == actions).reshape(ROWS, -1).all(1)
    assert same.float().mean() > 0.999  # rounding may decide for the next action
    torch.testing.assert_close(fused[1][same], logprobs[same], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fused[2], values, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(Fused(policy).values(observations), values, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_agree(case, normalize):
    observation_space, action_space, masked = CASES[case]
    policy, observations = policy_for(observation_space, action_space)
    batch = batch_for(policy, observations, legal_actions(policy, masked))
    index = torch.randperm(ROWS)[:1357]
    results = []
    for learner in (Autograd(policy, policy), Fused(policy)):
        loss, statistics = learner.gradients(batch, index, Objective(0.2, 0.7, 0.02, normalize))
        results.append((loss, statistics, [parameter.grad.clone() for parameter in policy.parameters()]))
    (loss, statistics, gradients), (fused_loss, fused_statistics, fused_gradients) = results
    assert statistics[4] > 0.01 or action_space == spaces.Discrete(1)  # clipped ratios are among them
    torch.testing.assert_close(fused_loss, loss, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(fused_statistics, statistics, atol=2e-6, rtol=1e-5)
    for gradient, fused_gradient in zip(gradients, fused_gradients, strict=True):
        scale = gradient.abs().max().clamp(min=1e-3)
        torch.testing.assert_close(fused_gradient / scale, gradient / scale, atol=5e-6, rtol=0)


def one_pass(policy, batch, parts, fused):
    """Of Adam, gradients clipped at 0.5: weights, the optimizer's memory, and the sums of the statistics."""
    optimizer = torch.optim.Adam(policy.parameters(), 0.01, eps=1e-5, fused=True)
    objective, learner = Objective(0.2, 0.7, 0.02), Fused(policy) if fused else Autograd(policy, policy)
    totals = learner.epoch(batch, parts, objective, optimizer, 0.5) if fused else torch.zeros(6)
    for part in () if fused else parts:
        _, statistics = learner.gradients(batch, part, objective)
        norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), 0.5)
        optimizer.step()
        totals += torch.cat([statistics, norm.detach().view(1)])
    memory = [kept[name] for kept in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq", "step")]
    return [*policy.parameters(), *memory, totals]


@pytest.mark.parametrize("case", CASES)
def test_many_small_steps_in_one_call_are_those_of_torch(case):
    observation_space, action_space, masked = CASES[case]
    policy, observations = policy_for(observation_space, action_space)
    batch = batch_for(policy, observations, legal_actions(policy, masked))
    parts = torch.randperm(ROWS)[:451].tensor_split(7)
    expected = one_pass(copy.deepcopy(policy), batch, parts, fused=False)
    for number, found in enumerate(one_pass(policy, batch, parts, fused=True)):
        scale = expected[number].detach().abs().max().clamp(min=1e-6)
        torch.testing.assert_close(found / scale, expected[number] / scale, atol=2e-5, rtol=0)


@pytest.mark.parametrize("where", ["observations", "returns"])
def test_no_bad_step_is_taken_among_many(where):
    policy, observations = policy_for(*CASES["cartpole"][:2])
    batch = batch_for(policy, observations, None)
    batch[where].view(-1)[0] = float("nan")
    optimizer = torch.optim.Adam(policy.parameters(), 0.01)
    before = copy.deepcopy(policy.state_dict())
    totals = Fused(policy).epoch(
        batch, torch.arange(128).split(64), Objective(0.2, 0.7, 0.02), optimizer, 0.5
    )
    assert totals.isnan().all()
    assert all(torch.equal(weight, before[name]) for name, weight in policy.state_dict().items())


def test_other_optimizers_take_their_own_steps():
    policy, observations = policy_for(*CASES["cartpole"][:2], rows=64)
    batch, parts = batch_for(policy, observations, None), (torch.arange(64),)
    for optimizer in (
        torch.optim.SGD(policy.parameters(), 0.01),
        torch.optim.Adam(policy.parameters(), 0.01, weight_decay=0.1),
        torch.optim.Adam(policy.hidden.parameters(), 0.01),
    ):
        assert Fused(policy).epoch(batch, parts, Objective(0.2, 0.7, 0.02), optimizer, 0.5) is None


def test_ratios_at_the_edge_of_the_clip():
    """Advantages of both signs, ratios inside, outside on either side, and exactly one."""
    policy, observations = policy_for(*CASES["cartpole"][:2], rows=12)
    batch = batch_for(policy, observations, None)
    fresh = Autograd(policy, policy)
    logits = policy(observations)[0].log_softmax(1).gather(1, batch["actions"][:, None])[:, 0].detach()
    batch["logprobs"] = logits - torch.tensor([0.0, 0.1, -0.1, 0.5, -0.5, 0.0] * 2)
    batch["advantages"] = torch.tensor([1.0] * 6 + [-1.0] * 6)
    gradients = []
    for learner in (fresh, Fused(policy)):
        learner.gradients(batch, torch.arange(12), Objective(0.2, 0.0, 0.0, False))
        gradients.append(policy.hidden.weight.grad.clone())
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-6, rtol=1e-5)


def trained(learner, updates=1, **options):
    env = pufferbench.make("ocean-cartpole", num_envs=64)
    with PuffeRL(
        env=env, learner=learner, batch_size=64 * 32, minibatch_size=1024, seed=3, **options
    ) as trainer:
        for _ in range(updates):
            trainer.evaluate()
            trainer.train()
            record = trainer.mean_and_log()
        return trainer.learner.name, trainer.policy.state_dict(), record


def test_a_whole_update_agrees():
    name, weights, record = trained("autograd")
    fused_name, fused_weights, fused_record = trained("auto")
    assert (name, fused_name) == ("autograd", "fused")
    for key in ("policy_loss", "value_loss", "entropy", "grad_norm", "approx_kl"):
        assert fused_record[key] == pytest.approx(record[key], abs=1e-4, rel=1e-3), key
    for key, weight in weights.items():
        torch.testing.assert_close(fused_weights[key], weight, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("case", ["cartpole", "breakout"])
@pytest.mark.parametrize("where", ["observations", "advantages", "returns", "weights"])
def test_nan_is_not_lost_on_the_way(where, case):
    """The trainer takes no step when the loss is NaN: no clamp and no maximum may make a number of it."""
    policy, observations = policy_for(*CASES[case][:2])
    batch = batch_for(policy, observations, None)
    spoilt = policy.hidden.weight.detach() if where == "weights" else batch[where]
    spoilt.view(-1)[7] = float("nan")
    for learner in (Autograd(policy, policy), Fused(policy)):
        assert learner.gradients(batch, torch.arange(ROWS), Objective(0.2, 0.5, 0.01))[0].isnan()


def test_one_thread_and_two_give_the_same_bits():
    policy, observations = policy_for(NUMBERS[118], spaces.Discrete(3), rows=9000)
    batch = batch_for(policy, observations, None)
    index, found = torch.randperm(9000), []
    for threads in (1, 2, 2):
        loss, statistics = Fused(policy, threads).gradients(batch, index, Objective(0.2, 0.5, 0.01))
        found.append([loss, statistics, *(parameter.grad.clone() for parameter in policy.parameters())])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_fresh_and_cached_kernels_give_the_same_bits(tmp_path):
    """A run in a new process that compiles the kernels, and one that finds them in the cache."""
    program = (
        "import hashlib, pufferbench\n"
        "from pufferbench import PuffeRL\n"
        "trainer = PuffeRL(env=pufferbench.make('ocean-cartpole', num_envs=64), batch_size=4096, learner='fused')\n"
        "for _ in range(3): trainer.evaluate(); trainer.train()\n"
        "weights = b''.join(w.numpy().tobytes() for w in trainer.policy.state_dict().values())\n"
        "print(hashlib.sha256(weights).hexdigest())\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


class Own(MLP):
    pass


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (lambda: Own(NUMBERS[4], spaces.Discrete(2)), "not those of Own"),
        (lambda: MLP(NUMBERS[4], NUMBERS[4]), "actions are Box"),
        (lambda: MLP(spaces.Discrete(16), spaces.Discrete(2)), "not plain numbers"),
    ],
)
def test_what_only_autograd_can_do(policy, reason):
    assert reason in misfit(policy(), torch.device("cpu"))
    assert "not for cuda" in misfit(MLP(NUMBERS[4], spaces.Discrete(2)), torch.device("cuda"))


def test_the_run_says_which_learner_it_had(tmp_path):
    for asked, used in (("auto", "fused"), ("autograd", "autograd")):
        with PuffeRL(env="ocean-cartpole", run_dir=tmp_path / asked, learner=asked) as trainer:
            assert trainer.run.config["learner"] == trainer.learner.name == used


def test_a_learner_that_cannot_be():
    env = pufferbench.make("ocean-cartpole-continuous", num_envs=4)
    with pytest.raises(ConfigError, match=r"learner='fused' cannot be: actions are Box.*use learner='auto'"):
        PuffeRL(env=env, learner="fused")
    assert PuffeRL(env=env).learner.name == "autograd"


# -- bfloat16 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MLP", "ResidualMLP", "LSTM"])
def test_bfloat16_differs_by_a_percent_and_keeps_what_is_stored_in_float32(name):
    env = pufferbench.make("ocean-cartpole", num_envs=64)
    found = {}
    for precision in ("float32", "bfloat16"):
        with PuffeRL(env, policy=name, bptt_horizon=8, precision=precision, learner="autograd") as made:
            made.evaluate()
            batch, _ = made._batch()
            index = minibatches(batch, len(batch["returns"]), made.generator)[0]
            _, logits, values = made.learner.again(batch, index)
            made.learner.gradients(batch, index, Objective(0.2, 0.5, 0.01, True))
            grads = [parameter.grad for parameter in made.policy.parameters()]
            assert {tensor.dtype for tensor in (logits, values, *grads)} == {torch.float32}
            assert {part.dtype for part in made.rollout.memory.now} <= {torch.float32}
            seen = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
            found[precision] = made.learner.values(seen, *made.rollout.memory.start)
    difference = (found["float32"] - found["bfloat16"]).abs().max() / found["float32"].abs().max()
    assert 1e-5 < difference < 0.03


def test_bfloat16_in_a_users_own_policy_comes_back_in_float32():
    policy = torch.nn.Linear(4, 6)

    def forward(observations):
        outputs = policy(observations)
        assert outputs.dtype == torch.bfloat16
        return (outputs[:, :2], torch.distributions.Normal(outputs[:, 2:4], outputs[:, 4:5].exp())), outputs[
            :, 5
        ]

    (logits, normal), value = in_bfloat16(forward, "cpu")(torch.randn(3, 4))
    assert {part.dtype for part in (logits, normal.loc, normal.scale, value)} == {torch.float32}


def test_bfloat16_is_not_for_the_fused_learner():
    with pytest.raises(ConfigError, match="precision='bfloat16' asks for torch's code"):
        PuffeRL("ocean-cartpole", learner="fused", precision="bfloat16")
