"""What a recurrent policy remembers, step by step, and that it forgets when an episode ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from pufferbench.pytorch import draw_noise, sample
from pufferbench.recurrent import Memory, initial_state, is_recurrent, one_by_one, step


@dataclass(frozen=True)
class Trace:
    """Some steps of one row.

    Attributes:
        states: the first part of the policy's state after each step, before any reset, ``[T, units]``.
        observations: ``[T, features]``.
        rewards: ``[T]``.
        ended: bool ``[T]``, whether the step ended an episode.
        values: what the policy expected, ``[T]``.
        replayed: how much the values differ, at most, when the learner goes through the same steps again.
    """

    states: np.ndarray
    observations: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray
    values: np.ndarray
    replayed: float


@torch.no_grad()
def trace(policy: nn.Module, env: Any, steps: int = 40, reset: bool = True, seed: int = 0) -> Trace:
    """Play ``steps`` steps with ``policy`` in the first row of ``env`` and watch its state.

    Args:
        reset: whether the state starts anew when an episode ends, as it should.

    Raises:
        TypeError: the policy has no state.
    """
    if not is_recurrent(policy):
        raise TypeError(
            f"{type(policy).__name__} has no memory: it needs initial_state(), as policies.LSTM and LSTMWrapper have"
        )
    generator = torch.Generator().manual_seed(seed)
    observations, _ = env.reset(seed=seed)
    rows = env.num_agents
    memory = Memory(initial_state(policy, rows))
    start = tuple(part.clone() for part in memory.now)
    seen, states, values, rewards, ends = [], [], [], [], []
    for _ in range(steps):
        now = torch.from_numpy(np.array(observations))
        logits, value, memory.now = step(policy, now, memory.now)
        seen.append(now)
        states.append(memory.now[0][0].flatten().numpy().copy())
        values.append(value.flatten())
        legal = None if env.action_masks is None else torch.from_numpy(env.action_masks.copy())
        actions = sample(logits, draw_noise(env.action_space, (rows,), generator), legal)[0].numpy()
        observations, reward, terminals, truncations, _ = env.step(actions)
        rewards.append(float(reward[0]))
        ended = torch.from_numpy(terminals | truncations)
        ends.append(ended)
        if reset:
            memory.forget(slice(None), ended)
    forgets = torch.stack(ends) if reset else torch.zeros(steps, rows, dtype=torch.bool)
    used = torch.ones(steps, rows, dtype=torch.bool)
    again = getattr(policy, "sequence", None) or (lambda *parts: one_by_one(policy, *parts))
    _, replayed = again(torch.cat(seen), used, forgets, start)
    played = torch.cat(values)
    return Trace(
        np.stack(states),
        np.stack([observation[0].flatten().numpy() for observation in seen]).astype(float),
        np.array(rewards),
        torch.stack(ends)[:, 0].numpy(),
        torch.stack(values)[:, 0].numpy(),
        float((replayed.flatten() - played).abs().max()),
    )
