"""The policies that have a name, for runs, presets and checkpoints."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from torch import nn

from pufferbench.env import PufferEnv
from pufferbench.errors import did_you_mean
from pufferbench.policies.attention import Attention
from pufferbench.policies.cnn import CNN
from pufferbench.policies.independent import Independent
from pufferbench.policies.mlp import MLP
from pufferbench.policies.multi_input import MultiInput
from pufferbench.policies.recurrent import GRU, LSTM
from pufferbench.policies.residual import ResidualMLP

POLICIES: dict[str, type[nn.Module]] = {
    "MLP": MLP,
    "LSTM": LSTM,
    "GRU": GRU,
    "CNN": CNN,
    "ResidualMLP": ResidualMLP,
    "MultiInput": MultiInput,
    "Attention": Attention,
    "Independent": Independent,
}

_DRAWING = threading.Lock()


def make(name: str, observation_space: spaces.Space, action_space: spaces.Space, **kwargs: Any) -> nn.Module:
    """The policy called ``name``. Names are all that runs and presets know: nothing is ever imported by path.

    Raises:
        ValueError: no policy has this name; one of your own has to be passed as an object.
        TypeError: it has no such option.
    """
    if name not in POLICIES:
        raise ValueError(
            f"unknown policy {name!r}{did_you_mean(name, POLICIES)} (known: {', '.join(POLICIES)}; "
            "a policy of your own is passed as an object: policy=MyPolicy(...))"
        )
    return POLICIES[name](observation_space, action_space, **kwargs)


def from_preset(policy: str | None, preset: Mapping[str, Any], env: PufferEnv, seed: int) -> nn.Module:
    """The policy called ``policy`` (None: the preset's, or an MLP), with the same weights for the same seed."""
    if policy is not None and not isinstance(policy, str):
        raise TypeError(
            "policy must be a torch module such as MyPolicy(env.observation_space, env.action_space), "
            f"or the name of one, not {policy!r}"
        )
    arguments = dict(preset)
    name = arguments.pop("name", "MLP")
    if policy not in (None, name):
        name, arguments = policy, {}
    # One thread at a time: layers draw from torch's global generator, which all threads share
    with _DRAWING, torch.random.fork_rng(devices=[]):  # torch's global generator stays where it was
        torch.manual_seed(seed)
        return make(name, env.observation_space, env.action_space, **arguments)


def name_of(policy: nn.Module) -> str:
    """The name that :func:`make` knows the policy by, "" for one of the user's own."""
    if isinstance(policy, Independent) and not name_of(policy.policies[0]):
        return ""
    return next((name for name, known in POLICIES.items() if type(policy) is known), "")
