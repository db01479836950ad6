"""The MLP, sampling, and the checks of what a policy returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.distributions import Normal

from pufferbench import policies
from pufferbench.policies import MLP, check_outputs
from pufferbench.pytorch import draw_noise, layer_init, sample, sample_logits, torch_threads
from pufferbench.spaces import flatten_observations

BOX = spaces.Box(-1, 1, (4,), np.float32)


def test_layer_init_is_orthogonal_with_its_gain():
    layer = layer_init(torch.nn.Linear(6, 3), std=2.0, bias=0.5)
    torch.testing.assert_close(layer.weight @ layer.weight.T, 4 * torch.eye(3), atol=1e-5, rtol=0)
    assert layer.bias.tolist() == [0.5] * 3


@pytest.mark.parametrize(
    "action_space",
    [spaces.Discrete(3), spaces.MultiDiscrete([2, 3]), spaces.Box(-2, 2, (2,)), spaces.Box(-2, 2, (2, 2))],
)
@pytest.mark.parametrize(
    "observation_space",
    [
        BOX,
        spaces.Box(0, 255, (3, 3), np.uint8),
        spaces.Box(-5, 5, (2, 2), np.int16),
        spaces.Box(0, 1, (), np.float64),
        spaces.Box(0, 1, (3,), np.bool_),
        spaces.Discrete(7),
        spaces.MultiDiscrete([[3, 4], [2, 5]]),
        flatten_observations(spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(0, 9, (2, 2), np.uint16))),
        flatten_observations(spaces.Sequence(spaces.Text(4)), max_length=3),
    ],
)
def test_mlp_sees_any_space_and_acts_in_any_space(observation_space, action_space):
    policy = MLP(observation_space, action_space, hidden_size=8)
    observations = torch.from_numpy(np.stack([observation_space.sample() for _ in range(5)]))
    outputs = policy(observations)
    check_outputs(outputs, action_space, 5)
    actions, logprobs, entropy = sample_logits(outputs[0])
    assert logprobs.shape == entropy.shape == (5,)
    assert actions.shape == (5, *(() if isinstance(action_space, spaces.Discrete) else (len(policy.sizes),)))


def test_mlp_starts_nearly_uniform():
    logits, _ = MLP(BOX, spaces.Discrete(4))(torch.randn(100, 4))
    assert (logits.softmax(1) - 0.25).abs().max() < 0.03


def test_mlp_box_output_covers_the_bounds():
    space = spaces.Box(np.array([0, -1], np.float32), np.array([10, np.inf], np.float32))
    policy = MLP(BOX, space)
    with torch.no_grad():
        policy.heads.weight.zero_()
        policy.heads.bias[:2] = 1.0
    normal, _ = policy(torch.zeros(1, 4))
    assert normal.loc.tolist() == [[10.0, 1.0]]  # the upper bound; and no bounds, no scaling
    assert normal.scale.tolist() == [[5.0, 1.0]]


def test_statistics_are_those_of_everything_seen():
    generator = np.random.default_rng(0)
    seen = generator.normal(50, 7, (9001, 4)).astype(np.float32)
    policy = MLP(BOX, spaces.Discrete(2))
    for part in (seen[:1], seen[1:20], seen[20:20], seen[20:]):
        policy.update_statistics(torch.from_numpy(part))
    np.testing.assert_allclose(policy.observation_mean, seen.mean(0), rtol=1e-5)
    np.testing.assert_allclose(policy.observation_var, seen.var(0), rtol=1e-4)


def test_normalised_policy_does_not_care_about_units():
    torch.manual_seed(0)
    unbounded = spaces.Box(-np.inf, np.inf, (4,), np.float32)
    policy, other = MLP(unbounded, spaces.Discrete(2)), MLP(unbounded, spaces.Discrete(2))
    other.load_state_dict(policy.state_dict())
    seen = torch.randn(500, 4)
    policy.update_statistics(seen)
    other.update_statistics(seen * 1000 + 5)
    torch.testing.assert_close(policy(seen)[0], other(seen * 1000 + 5)[0], atol=1e-4, rtol=1e-3)


def test_what_is_scaled_already_is_not_blown_up():
    """Four features that hardly ever change; the first two are declared within -1..1."""
    space = spaces.Box(np.float32([0, -1, 0, -2]), np.float32([1, 1, 5, 2]))
    policy = MLP(space, spaces.Discrete(2))
    policy.update_statistics(torch.ones(500, 4))
    with torch.no_grad():
        policy.hidden.weight.copy_(torch.eye(128, 4))
        seen = []
        policy.hidden.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
        policy(torch.zeros(1, 4))
    np.testing.assert_allclose(seen[0], [[-1, -1, -10, -10]], atol=1e-5)


def test_value_scale_follows_the_returns():
    policy = MLP(BOX, spaces.Discrete(2))
    policy.update_value_scale(torch.tensor([90.0, 110.0]))
    assert (policy.value_mean.item(), policy.value_std.item()) == (100, 10)
    for _ in range(100):
        policy.update_value_scale(torch.tensor([3.0, 5.0]))
    assert policy.value_mean.item() == pytest.approx(4, abs=0.1)
    assert policy.value_std.item() == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "big"])
def test_impossible_hidden_size(bad):
    with pytest.raises(ValueError, match="hidden_size"):
        MLP(BOX, spaces.Discrete(2), hidden_size=bad)


@pytest.mark.parametrize(
    "space", [spaces.Discrete(3, start=1), spaces.MultiBinary(3), spaces.Box(0, 5, (2,), np.int32)]
)
def test_actions_no_policy_has(space):
    with pytest.raises(TypeError, match="actions"):
        MLP(BOX, space)


# -- sampling -----------------------------------------------------------------------------------


def test_samples_have_the_probabilities_of_the_logits():
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    rows = 20_000
    generator = torch.Generator().manual_seed(0)
    noise = draw_noise(spaces.Discrete(4), (rows,), generator)
    actions, logprobs = sample(probabilities.log().expand(rows, 4), noise)
    counts = torch.bincount(actions, minlength=4) / rows
    assert (counts - probabilities).abs().max() < 0.015
    torch.testing.assert_close(logprobs, probabilities.log()[actions])


@pytest.mark.parametrize("extreme", [0.0, 1 - 2**-24])
def test_illegal_actions_are_never_drawn_not_even_at_the_ends(extreme):
    legal = torch.tensor([[False, True, False], [False, False, True], [True, False, False]])
    actions, logprobs = sample(torch.randn(3, 3), torch.full((3,), extreme), legal)
    assert actions.tolist() == [1, 2, 0]
    assert logprobs.tolist() == [0, 0, 0]


def test_masked_entropy_is_finite_and_counts_legal_actions_only():
    legal = torch.tensor([[True, True, False]])
    _, _, entropy = sample_logits(torch.zeros(1, 3), action_masks=legal)
    assert entropy.item() == pytest.approx(np.log(2))


def test_multi_discrete_sums_over_choices_and_splits_the_mask():
    logits = (torch.zeros(4, 2), torch.zeros(4, 3))
    legal = torch.tensor([[True, False, False, False, True]]).expand(4, 5)
    actions, logprobs, entropy = sample_logits(logits, action_masks=legal)
    assert actions.tolist() == [[0, 2]] * 4
    assert logprobs.tolist() == entropy.tolist() == [0] * 4
    _, logprobs, entropy = sample_logits(logits, actions=actions)
    assert logprobs[0].item() == pytest.approx(-np.log(6))
    assert entropy[0].item() == pytest.approx(np.log(6))


def test_normal_equals_torch_distributions():
    normal = Normal(torch.randn(6, 3), torch.rand(6, 3) + 0.1)
    actions, logprobs, entropy = sample_logits(normal)
    torch.testing.assert_close(logprobs, normal.log_prob(actions).sum(1))
    torch.testing.assert_close(entropy, normal.entropy().sum(1))


def test_deterministic_takes_the_most_probable():
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    assert sample_logits(logits, deterministic=True)[0].tolist() == [1]
    legal = torch.tensor([[True, False, True]])
    assert sample_logits(logits, action_masks=legal, deterministic=True)[0].tolist() == [2]
    assert sample_logits((logits, -logits), deterministic=True)[0].tolist() == [[1, 0]]
    normal = Normal(torch.tensor([[0.5]]), torch.tensor([[9.0]]))
    assert sample_logits(normal, deterministic=True)[0].tolist() == [[0.5]]


def test_noise_decides_everything():
    noise = draw_noise(spaces.Discrete(3), (10,), torch.Generator().manual_seed(1))
    logits = torch.randn(10, 3)
    torch.manual_seed(1)
    first = sample(logits, noise)[0]
    torch.manual_seed(2)
    assert torch.equal(first, sample(logits, noise)[0])


def test_torch_threads_are_put_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


# -- names and checks ---------------------------------------------------------------------------


def test_policies_are_made_by_name():
    policy = policies.make("MLP", BOX, spaces.Discrete(2), hidden_size=16)
    assert policies.name_of(policy) == "MLP"
    assert policy.arguments == {"hidden_size": 16}
    with pytest.raises(ValueError, match="did you mean 'MLP'"):
        policies.make("MLPs", BOX, spaces.Discrete(2))


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (torch.zeros(3, 2), r"\(logits, value\), not \[3, 2\]"),
        ((torch.zeros(3, 2), torch.zeros(3), None), r"\(logits, value\)"),
        ((torch.zeros(3, 2), torch.zeros(3, 2)), r"value must have shape \[3\] or \[3, 1\], not \[3, 2\]"),
        ((torch.zeros(3, 4), torch.zeros(3)), r"logits must have shape \[3, 2\], not \[3, 4\]"),
        ((Normal(torch.zeros(3, 2), 1.0), torch.zeros(3)), r"logits must have shape \[3, 2\], not Normal"),
    ],
)
def test_wrong_outputs_are_explained(outputs, message):
    with pytest.raises(ValueError, match=message):
        check_outputs(outputs, spaces.Discrete(2), 3)


def test_wrong_outputs_for_other_spaces_are_explained():
    with pytest.raises(ValueError, match="Normal with loc"):
        check_outputs((torch.zeros(3, 2), torch.zeros(3)), spaces.Box(-1, 1, (2,)), 3)
    with pytest.raises(ValueError, match="tuple of tensors"):
        check_outputs((torch.zeros(3, 5), torch.zeros(3)), spaces.MultiDiscrete([2, 3]), 3)


def test_a_picture_is_not_all_white_before_any_was_seen():
    """Inputs of 0..255 are cut off at 10 unless the space's own range is the first guess."""
    policy = MLP(spaces.Box(0, 255, (6, 6), np.uint8), spaces.Discrete(2))
    seen: list = []
    policy.hidden.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    policy(torch.tensor([0, 64, 255], dtype=torch.uint8)[:, None, None].expand(3, 6, 6))
    torch.testing.assert_close(seen[0][:, 0], torch.tensor([-1.0, 64 / 127.5 - 1, 1.0]))
    pictures = torch.randint(0, 50, (1000, 6, 6), dtype=torch.uint8)
    policy.update_statistics(pictures)  # of which nothing is left once there is something to count
    torch.testing.assert_close(policy.observation_mean, pictures.float().mean(0).ravel())


def test_wide_and_endless_ranges_to_begin_with():
    high = np.array([1.0, 20.0, np.inf, np.finfo(np.float32).max], np.float32)
    policy = MLP(spaces.Box(-high, high), spaces.Discrete(2))
    assert policy.observation_mean.tolist() == [0, 0, 0, 0]
    assert policy.observation_var.tolist() == [1, 400, 1, 1]


@pytest.mark.parametrize(
    "action_space", [spaces.Discrete(3), spaces.MultiDiscrete([2, 3]), spaces.Box(-2, 2, (2,))]
)
def test_a_frozen_policy_says_what_it_said_when_it_was_frozen(action_space):
    policy = MLP(spaces.Box(-99, 99, (5,), np.int16), action_space)
    policy.update_statistics(torch.randint(-99, 99, (64, 5), dtype=torch.int16))
    seen = torch.randint(-99, 99, (7, 5), dtype=torch.int16)
    before, frozen = policy(seen)[0], policy.frozen()
    if not isinstance(action_space, spaces.Box):  # a Box' is the policy itself
        torch.nn.init.zeros_(policy.hidden.weight)
        policy.update_statistics(seen)
    torch.testing.assert_close(*(_numbers(logits) for logits in (frozen(seen), before)))


def _numbers(logits):
    return (logits.loc, logits.scale) if isinstance(logits, Normal) else logits
