"""The explainers: their controls change the picture and the words, and what they say is true."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET

import pytest
import torch
from torch import nn

import pufferbench
from pufferbench import policies
from pufferbench.widgets import explain_gae, explain_lstm, explain_ppo, explain_vector, policy_graph


def check(view):
    """What every explainer must have: a picture that is XML, with words for who cannot see it, live and saved."""
    picture = ET.fromstring(view.svg())
    assert picture.get("aria-label") == view.describe() == view.drawing.alt
    assert view.meaning()
    assert "var(" not in re.sub(r"<style>.*</style>", "", view.picture()[0].decode(), flags=re.S)
    assert html.escape(view.describe(), quote=True) in view.snapshot_html()
    assert 'title="' not in view.svg()  # tooltips are <title> elements


def test_ppo_says_when_the_gradient_ends():
    view = explain_ppo()
    check(view)
    assert "gradient of 1.00, until" in view.words.value
    before = view.drawing.svg
    view.ratio.value = 1.5
    assert "gradient is 0" in view.words.value and "1.20 times" in view.words.value
    assert view.drawing.svg != before
    view.advantage.value = -1.0
    assert "the wrong way" in view.words.value
    view.advantage.value = 0.0
    assert "nothing to learn" in view.words.value
    view.close()


def test_gae_follows_the_end_of_the_episode():
    view = explain_gae()
    check(view)
    before = view._episode().advantages
    view.end.value = "terminal"
    view.at.value = 5
    after = view._episode().advantages
    assert (before[:6] != after[:6]).all() and (before[6:] == after[6:]).all()
    assert "worth 0" in view.words.value
    view.end.value = "truncation"
    assert "value of what was seen last" in view.words.value
    check(view)
    view.close()


def test_lstm_shows_that_episodes_leak_without_resets():
    view = explain_lstm(steps=15)
    check(view)
    assert "15 steps with 3 episode ends; it is reset" in view.describe()
    kept = view.trace.states
    view.forget.value = "go on"
    assert "remembered where it is wrong" in view.words.value
    assert abs(view.trace.states[5:] - kept[5:]).max() > 1e-3
    view.close()
    with pytest.raises(TypeError, match="MLP has no memory"):
        env = pufferbench.make("ocean-memory")
        explain_lstm(policies.MLP(env.observation_space, env.action_space), env)


def test_an_explainer_leaves_torchs_generator_alone():
    state = torch.get_rng_state()
    explain_lstm(steps=5).close()
    explain_ppo().close()
    assert torch.equal(torch.get_rng_state(), state)


def test_vector_measures_in_a_thread_and_can_be_closed_meanwhile():
    view = explain_vector(num_envs=4, num_workers=2)
    assert "measuring" in view.svg()  # and we are here already
    view.close()
    assert not view._thread.is_alive()
    assert view.error is None


def test_vector_says_what_went_wrong():
    view = explain_vector(num_envs=2, num_workers=4)
    assert view.wait(60)
    assert "num_workers is 4" in view.meaning() and "num_workers is 4" in view.svg()
    assert not view.button.disabled
    view.close()


def test_a_policy_is_drawn_at_work():
    env = pufferbench.make("ocean-memory", num_envs=4)
    policy = policies.LSTM(env.observation_space, env.action_space, hidden_size=8)
    view = policy_graph(policy, env)
    check(view)
    total = sum(parameter.numel() for parameter in policy.parameters())
    assert f"{total:,} parameters" in view.describe()
    assert "LSTMCell" in view.svg() and "relu" in view.svg()
    seen = view.layers[0].activations
    view.step()
    assert (view.layers[0].activations != seen).any()
    check(view)
    view.close()


def test_any_module_is_drawn():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    view = policy_graph(net, observation=torch.zeros(3, 8, 8))
    check(view)
    assert "4 \N{MULTIPLICATION SIGN} 6 \N{MULTIPLICATION SIGN} 6" in view.svg()
    view.close()
    with pytest.raises(ValueError, match="Sequential does not say what it sees: pass env=, or observation="):
        policy_graph(net)
    known = policies.MLP(
        pufferbench.make("ocean-cartpole").observation_space, pufferbench.make("ocean-cartpole").action_space
    )
    policy_graph(known).close()
