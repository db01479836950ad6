"""The numbers behind the explainers, against what can be worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import pufferbench
from pufferbench import policies
from pufferbench.explain import gae, memory, network, ppo, workers

# -- ppo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("advantage", [1.0, -2.0])
def test_the_objective_is_the_papers(advantage):
    """Schulman et al., 2017, equation 7 and figure 1."""
    curve = ppo.clip_curve(advantage, 0.2, [0.5, 0.9, 1.0, 1.1, 1.5])
    expected = [min(r * advantage, np.clip(r, 0.8, 1.2) * advantage) for r in curve.ratios]
    np.testing.assert_allclose(curve.objective, expected, atol=1e-12)
    np.testing.assert_allclose(curve.unclipped, curve.ratios * advantage, atol=1e-12)
    flat = curve.ratios > 1.2 if advantage > 0 else curve.ratios < 0.8
    np.testing.assert_allclose(curve.gradient, np.where(flat, 0.0, advantage), atol=1e-12)


def test_learning_again_from_the_same_stops_behind_the_clip():
    up, down = ppo.pushed(1.0, 0.2), ppo.pushed(-1.0, 0.2)
    assert 1.2 < up[-1] < 1.3 and up[-1] == up[-20]
    assert 0.7 < down[-1] < 0.8
    assert ppo.pushed(1.0, 0.5)[-1] > 1.5
    assert ppo.pushed(1.0, ppo.NO_CLIP)[-1] > 2


def test_a_ratio_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="between 0 and 5, not 6"):
        ppo.objective(6, 1.0, 0.2)


# -- gae ----------------------------------------------------------------------------------------


def test_weights_are_powers_of_gamma_lambda_up_to_the_end():
    np.testing.assert_allclose(gae.weights(0.9, 0.5, 6), 0.45 ** np.arange(6), rtol=1e-5)
    for end in ("terminal", "truncation"):
        cut = gae.weights(0.9, 0.5, 6, end, at=2)
        np.testing.assert_allclose(cut, [1, 0.45, 0.2025, 0, 0, 0], rtol=1e-5)


def test_an_end_decides_what_comes_after_the_last_reward():
    rewards, values = np.array([0.0, 1.0, 0.0]), np.array([1.0, 2.0, 3.0, 4.0])
    free = gae.episode(rewards, values, 0.5, 1.0)
    np.testing.assert_allclose(free.deltas, [0.0, 0.5, -1.0])
    np.testing.assert_allclose(free.advantages, [0.0, 0.0, -1.0])
    terminal = gae.episode(rewards, values, 0.5, 1.0, "terminal", 1)
    np.testing.assert_allclose(terminal.deltas, [0.0, -1.0, -1.0])
    np.testing.assert_allclose(terminal.advantages, [-0.5, -1.0, -1.0])
    truncated = gae.episode(rewards, values, 0.5, 1.0, "truncation", 1, final_value=8.0)
    np.testing.assert_allclose(truncated.deltas, [0.0, 3.0, -1.0])


def test_lambda_trades_bias_for_variance():
    found = gae.tradeoff(gamma=0.95, value_error=2.0, episodes=500)
    assert found.bias[0] == pytest.approx(0.95 * 2.0, abs=0.1)  # one reward, then the wrong value
    assert found.bias[-1] == pytest.approx(0.0, abs=0.3)
    assert found.deviation[0] == pytest.approx(1.0, abs=0.1)  # of one reward
    assert found.deviation[-1] > 2
    assert (np.diff(found.deviation) > 0).all()
    best = found.error.argmin()
    assert 0 < best < 20


def test_ends_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="nothing, terminal, truncation, not 'done'"):
        gae.weights(0.9, 0.9, end="done")
    with pytest.raises(ValueError, match="steps 0 .. 15, not 16"):
        gae.weights(0.9, 0.9, end="terminal", at=16)


# -- memory -------------------------------------------------------------------------------------


@pytest.fixture
def lstm():
    env = pufferbench.make("ocean-memory", num_envs=2)
    torch.manual_seed(0)
    return policies.LSTM(env.observation_space, env.action_space, hidden_size=8), env


def test_the_state_begins_anew_with_each_episode(lstm):
    found = memory.trace(*lstm, steps=20)
    assert found.states.shape == (20, 8)
    assert found.ended.nonzero()[0].tolist() == [4, 9, 14, 19]
    assert found.replayed < 1e-5
    cues = found.observations[::5, 0]
    assert 0 < cues.sum() < 4  # both shapes are there
    for first in (5, 10, 15):  # where the same shape is shown, the state is the same as in the first episode
        same = (found.observations[first] == found.observations[0]).all()
        assert np.allclose(found.states[first : first + 5], found.states[:5]) == same


def test_without_resets_an_episode_leaks_into_the_next(lstm):
    kept, leaked = (memory.trace(*lstm, steps=10, reset=reset) for reset in (True, False))
    np.testing.assert_array_equal(kept.states[:5], leaked.states[:5])
    assert np.abs(kept.states[5:] - leaked.states[5:]).max() > 1e-3
    assert leaked.replayed < 1e-5


def test_a_policy_without_memory_is_refused():
    env = pufferbench.make("ocean-memory")
    with pytest.raises(TypeError, match="MLP has no memory"):
        memory.trace(policies.MLP(env.observation_space, env.action_space), env)


# -- workers ------------------------------------------------------------------------------------


def test_timelines_are_of_real_steps():
    """No times are compared: only that steps do not overlap in a worker, and waits and work take turns."""
    found = workers.measure("async: wait for the first 2 of 4", env_steps=24)
    assert len(found.steps) >= 16
    assert {worker for worker, _, _ in found.steps} <= {0, 1, 2, 3}
    for worker in range(4):
        mine = sorted((start, end) for w, start, end in found.steps if w == worker)
        assert all(end <= start for (_, end), (start, _) in zip(mine, mine[1:], strict=False))
    moments = [
        moment for pair in zip(found.waits, found.learns, strict=True) for span in pair for moment in span
    ]
    assert moments == sorted(moments)
    assert 0 < found.busy <= 1


def test_a_measurement_can_be_given_up():
    assert workers.measure("sync: wait for all", going_on=lambda: False).steps == []


# -- network ------------------------------------------------------------------------------------


def test_an_mlps_layers():
    env = pufferbench.make("ocean-cartpole", num_envs=3)
    policy = policies.MLP(env.observation_space, env.action_space, hidden_size=16)
    found = network.layers(policy, torch.zeros(3, 4))
    by_name = {layer.name: (number, layer) for number, layer in enumerate(found)}
    hidden, heads = by_name["hidden"][1], by_name["heads"][1]
    assert (hidden.kind, hidden.shape, hidden.parameters) == ("Linear", (16,), 4 * 16 + 16)
    assert heads.parameters == 16 * 3 + 3
    assert heads.sources == ((by_name["hidden"][0], "relu"),)
    assert [layer.name for layer in found[-2:]] == ["logits", "value"]
    assert {number for number, _ in found[-1].sources} == {by_name["heads"][0]}
    assert sum(layer.parameters for layer in found) == sum(p.numel() for p in policy.parameters())
    assert policy.training


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right, self.both = nn.Linear(2, 3), nn.Linear(2, 4), nn.Linear(7, 1)

    def forward(self, x):
        return self.both(torch.cat([torch.tanh(self.left(x)), self.right(x)], 1))


def test_branches_are_found_through_functions():
    found = network.layers(Branches(), torch.ones(1, 2))
    assert [layer.name for layer in found] == ["observation", "left", "right", "both", "output 0"]
    assert dict(found[3].sources) == {1: "tanh · cat", 2: "cat"}
    assert found[1].sources == ((0, ""),) and found[2].sources == ((0, ""),)


def test_what_goes_around_a_block_is_a_source_too():
    env = pufferbench.make("ocean-pendulum")
    policy = policies.ResidualMLP(env.observation_space, env.action_space, hidden_size=8)
    found = network.layers(policy, torch.zeros(1, 3))
    number = {layer.name: k for k, layer in enumerate(found)}
    after = dict(found[number["blocks.1.norm"]].sources)
    assert set(after) == {number["hidden"], number["blocks.0.second"]}


@pytest.mark.parametrize("name", ["LSTM", "ResidualMLP"])
def test_every_parameter_of_our_policies_is_in_a_layer(name):
    env = pufferbench.make("ocean-pendulum")
    policy = policies.make(name, env.observation_space, env.action_space, hidden_size=8)
    found = network.layers(policy, torch.zeros(1, 3))
    free = sum(p.numel() for n, p in policy.named_parameters() if n.endswith("log_std"))
    assert sum(layer.parameters for layer in found) + free == sum(p.numel() for p in policy.parameters())
    assert [layer.name for layer in found[-3:]] == ["action mean", "deviation", "value"]
    assert found[-2].sources == ()  # a parameter, whatever is seen


def test_observations_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"Branches cannot take observations of shape \(1, 5\)"):
        network.layers(Branches(), torch.ones(1, 5))
