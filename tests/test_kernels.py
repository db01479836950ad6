"""Advantages against a plain loop and by hand; the loss by hand and its gradient by finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Normal

from pufferbench.kernels import LOSS_STATISTICS, advantages, advantages_torch, explained_variance, ppo_loss

KERNELS = [advantages, advantages_torch]


def reference(
    rewards, values, terminals, truncations, final_values, masks, gamma, gae_lambda,
    ratios=None, rho_clip=1.0, c_clip=1.0,
):  # fmt: skip
    """The definition, row by row: cut the row into its decisions, then sum the discounted errors forward."""
    horizon, rows = len(rewards), len(rewards[0])
    result = [[0.0] * rows for _ in range(horizon)]
    used = [[False] * rows for _ in range(horizon)]
    for i in range(rows):
        decisions = []  # (t, reward until the next decision, next value, does the chain go on)
        for t in range(horizon):
            if not masks[t][i]:
                continue
            reward, now, next_value, chained = 0.0, t, None, False
            while True:
                reward += rewards[now][i]
                if terminals[now][i]:
                    next_value = 0.0
                    break
                if truncations[now][i]:
                    next_value = final_values[now][i]
                    break
                now += 1
                if masks[now][i]:
                    next_value, chained = values[now][i], now < horizon
                    break
                if now == horizon:
                    break
            if next_value is not None:
                decisions.append((t, reward + gamma * next_value - values[t][i], chained))
                used[t][i] = True
            else:
                decisions.append((t, None, False))
        for first, (t, _, _) in enumerate(decisions):
            total, weight = 0.0, 1.0
            for now, error, chained in decisions[first:]:
                if error is None:
                    break
                ratio = ratios[now][i] if ratios else 1.0
                total += weight * min(ratio, rho_clip) * error
                weight *= gamma * gae_lambda * min(ratio, c_clip)
                if not chained:
                    break
            result[t][i] = total if used[t][i] else 0.0
    return torch.tensor(result), torch.tensor(used)


def experience(seed: int, horizon: int = 23, rows: int = 7, waiting: float = 0.3):
    generator = torch.Generator().manual_seed(seed)

    def chance(p, n=horizon):
        return torch.rand(n, rows, generator=generator) < p

    def normal(n=horizon):
        return torch.randn(n, rows, generator=generator)

    masks = ~chance(waiting, horizon + 1)
    return normal(), normal(horizon + 1), chance(0.1), chance(0.1), normal(), masks


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("waiting", [0.0, 0.3, 0.9])
def test_advantages_equal_the_definition(kernel, seed, waiting):
    parts = experience(seed, waiting=waiting)
    result, used = kernel(*parts, 0.97, 0.9)
    expected, expected_used = reference(*(part.tolist() for part in parts), 0.97, 0.9)
    assert torch.equal(used, expected_used)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def ratios_like(rewards, seed):
    return torch.randn(rewards.shape, generator=torch.Generator().manual_seed(100 + seed)).exp()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("clips", [(1.0, 1.0), (0.5, 2.0), (math.inf, 0.7), (math.inf, math.inf), (1.0, 0.0)])
def test_puff_advantages_equal_the_definition(kernel, seed, clips):
    parts = experience(seed)
    ratios = ratios_like(parts[0], seed)
    result, used = kernel(*parts, 0.97, 0.9, ratios, *clips)
    expected, expected_used = reference(
        *(part.tolist() for part in parts), 0.97, 0.9, ratios.tolist(), *clips
    )
    assert torch.equal(used, expected_used)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_of_a_policy_that_has_not_changed_puff_and_gae_are_the_same(kernel):
    parts = experience(4)
    puff, _ = kernel(*parts, 0.97, 0.9, torch.ones_like(parts[0]), 1.0, math.inf)
    assert torch.equal(puff, kernel(*parts, 0.97, 0.9)[0])


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_what_the_policy_would_do_less_often_counts_less(kernel):
    parts = one_row([1.0, 1.0], [2.0, 3.0, 4.0])
    result, _ = kernel(*parts, 0.5, 1.0, torch.tensor([[0.25], [8.0]]), 2.0, 1.0)
    last = 2.0 * (1 + 0.5 * 4 - 3)
    assert result.flatten().tolist() == [0.25 * (1 + 0.5 * 3 - 2) + 0.25 * 0.5 * last, last]


def one_row(rewards, values, masks=None, terminal=(), truncated=(), final=0.0):
    steps = len(rewards)
    column = torch.zeros(steps, 1)
    terminals, truncations, finals = column.bool(), column.bool(), column.clone()
    for t in terminal:
        terminals[t] = True
    for t in truncated:
        truncations[t], finals[t] = True, final
    masks = torch.tensor(masks if masks else [True] * (steps + 1))[:, None]
    return (
        torch.tensor(rewards)[:, None],
        torch.tensor(values)[:, None],
        terminals,
        truncations,
        finals,
        masks,
    )


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_a_cut_episode_goes_on_in_its_final_observation(kernel):
    parts = one_row([1.0, 1.0, 1.0], [2.0, 3.0, 4.0, 5.0], truncated=[1], final=10.0)
    result, _ = kernel(*parts, 0.5, 0.5)
    last = 1 + 0.5 * 5 - 4  # the next episode knows nothing of the one before
    cut = 1 + 0.5 * 10 - 3
    first = 1 + 0.5 * 3 - 2 + 0.25 * cut
    assert result.flatten().tolist() == [first, cut, last]


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_an_ended_episode_has_no_future_even_if_it_was_cut_too(kernel):
    parts = one_row([1.0, 7.0], [2.0, 3.0, 100.0], terminal=[1], truncated=[1], final=50.0)
    result, _ = kernel(*parts, 0.5, 1.0)
    assert result.flatten().tolist() == [1 + 0.5 * 3 - 2 + 0.5 * 4, 4.0]


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_the_loser_of_a_board_game_learns_that_it_lost(kernel):
    # It moves at steps 0 and 2, the other at 1 and 3; the other's move at 3 ends the game: reward -1.
    parts = one_row(
        [0.0, 0.25, 0.0, -1.0],
        [0.5, 9.0, 0.75, 9.0, 9.0],
        masks=[True, False, True, False, True],
        terminal=[3],
    )
    result, used = kernel(*parts, 0.5, 1.0)
    second = -1 - 0.75
    first = 0.25 + 0.5 * 0.75 - 0.5 + 0.5 * second  # values of waiting rows (9) are nowhere
    assert used.flatten().tolist() == [True, False, True, False]
    assert result.flatten().tolist() == [first, 0.0, second, 0.0]


@pytest.mark.parametrize("kernel", KERNELS)
def test_by_hand_a_decision_whose_outcome_is_not_known_yet_is_left_out(kernel):
    parts = one_row([1.0, 5.0, 5.0], [2.0, 3.0, 9.0, 9.0], masks=[True, True, False, False])
    result, used = kernel(*parts, 0.5, 1.0)
    assert used.flatten().tolist() == [True, False, False]
    assert result[0].item() == 1 + 0.5 * 3 - 2


def test_loss_by_hand():
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])  # probabilities 1/2 1/2 and 3/4 1/4
    minibatch = {
        "actions": torch.tensor([0, 1]),
        "logprobs": torch.tensor([0.25, 0.5]).log(),  # ratios 2 and 1/2
        "advantages": torch.tensor([1.0, -3.0]),
        "returns": torch.tensor([1.0, 2.0]),
    }
    loss, statistics = ppo_loss(logits, torch.tensor([2.0, 5.0]), minibatch, 0.2, 0.5, 0.1)
    found = dict(zip(LOSS_STATISTICS, statistics.tolist(), strict=True))
    policy_loss = -(1.2 * 1 + 0.8 * -3) / 2  # both clipped
    value_loss = 0.5 * (1 + 9) / 2
    entropy = (math.log(2) - 0.75 * math.log(0.75) - 0.25 * math.log(0.25)) / 2
    assert found["policy_loss"] == pytest.approx(policy_loss)
    assert found["value_loss"] == pytest.approx(value_loss)
    assert found["entropy"] == pytest.approx(entropy)
    assert found["clip_fraction"] == 1
    assert found["approx_kl"] == pytest.approx((1 - math.log(2) - 0.5 + math.log(2)) / 2)
    assert loss.item() == pytest.approx(policy_loss + 0.5 * value_loss - 0.1 * entropy)


def test_the_clipped_value_loss_by_hand():
    minibatch = {
        "actions": torch.zeros(4, dtype=torch.long),
        "logprobs": torch.zeros(4),
        "advantages": torch.zeros(4),
        "values": torch.tensor([0.0, 0.0, 0.0, 0.0]),  # when it played
        "returns": torch.tensor([2.0, 2.0, -2.0, 2.0]),
    }
    now = torch.tensor([1.0, 0.1, 1.0, 3.5], requires_grad=True)
    loss, _ = ppo_loss(torch.zeros(4, 1), now, minibatch, 0.2, 1.0, 0.0, vf_clip=0.5)
    # Towards its goal beyond the clip: the error at the clip, and no gain in going on. Within the clip, and away from
    # the goal: the plain error. Beyond the goal: whichever is larger.
    errors = [-1.5, -1.9, 3.0, 1.5]
    assert loss.item() == pytest.approx(0.5 * sum(error**2 for error in errors) / 4)
    loss.backward()
    assert now.grad.tolist() == pytest.approx([0.0, -1.9 / 4, 3.0 / 4, now.grad[3].item()])


class Tiny(nn.Module):
    """Logits of each kind, in float64."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.outputs = nn.Linear(3, 6, dtype=torch.float64)
        self.log_std = nn.Parameter(torch.full((2,), -0.3, dtype=torch.float64))

    def forward(self, x):
        y = self.outputs(x)
        if self.kind == "discrete":
            return y[:, :5], y[:, 5]
        if self.kind == "multi":
            return (y[:, :2], y[:, 2:5]), y[:, 5]
        return Normal(y[:, :2], self.log_std.exp().expand(len(x), 2)), y[:, 5]


@pytest.mark.parametrize("kind", ["discrete", "masked", "multi", "box"])
def test_gradient_of_the_loss_equals_finite_differences(kind):
    torch.manual_seed(3)
    rows = 40
    policy = Tiny("discrete" if kind == "masked" else kind)
    x = torch.randn(rows, 3, dtype=torch.float64)
    actions = {
        "multi": torch.stack([torch.randint(2, (rows,)), torch.randint(3, (rows,))], 1),
        "box": torch.randn(rows, 2, dtype=torch.float64),
    }.get(kind, torch.randint(5, (rows,)))
    minibatch = {
        "actions": actions,
        "logprobs": torch.randn(rows, dtype=torch.float64) - 1.5,
        "advantages": torch.randn(rows, dtype=torch.float64),
        "returns": torch.randn(rows, dtype=torch.float64),
    }
    if kind == "masked":
        legal = torch.rand(rows, 5) < 0.6
        legal[torch.arange(rows), actions] = True
        minibatch["action_masks"] = legal

    def loss():
        return ppo_loss(*policy(x), minibatch, 0.2, 0.7, 0.05)[0]

    loss().backward()
    step = 1e-6
    for parameter in policy.parameters():
        if parameter.grad is None:
            continue
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            flat[i] += step
            above = loss().item()
            flat[i] -= 2 * step
            below = loss().item()
            flat[i] += step
            assert gradient[i].item() == pytest.approx((above - below) / (2 * step), abs=1e-7, rel=1e-5)


def test_loss_equals_one_written_with_torch_distributions():
    torch.manual_seed(0)
    logits, values = torch.randn(64, 4), torch.randn(64)
    minibatch = {
        "actions": torch.randint(4, (64,)),
        "logprobs": torch.randn(64) - 1.4,
        "advantages": torch.randn(64),
        "returns": torch.randn(64),
    }
    loss, _ = ppo_loss(logits, values, minibatch, 0.3, 0.5, 0.02)
    now = Categorical(logits=logits)
    ratio = (now.log_prob(minibatch["actions"]) - minibatch["logprobs"]).exp()
    gain = torch.min(ratio * minibatch["advantages"], ratio.clamp(0.7, 1.3) * minibatch["advantages"]).mean()
    error = 0.5 * nn.functional.mse_loss(values, minibatch["returns"])
    torch.testing.assert_close(loss, -gain + 0.5 * error - 0.02 * now.entropy().mean())


def test_explained_variance():
    returns = torch.tensor([1.0, 2.0, 3.0])
    assert explained_variance(returns + 5, returns) == pytest.approx(1.0)  # an offset explains all the same
    assert explained_variance(torch.zeros(3), returns) == pytest.approx(0.0)
    assert explained_variance(-returns, returns) == pytest.approx(-3.0)
    assert explained_variance(returns, torch.ones(3)) == 0.0
