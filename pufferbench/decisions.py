"""What a policy says in one step, in numbers to look at: probabilities, value, entropy.

Training asks a policy only for what it needs, fast (learner.py). Here one or a few games are played and looked at.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench import recurrent
from pufferbench.distributions import actions_of
from pufferbench.pytorch import (
    Logits,
    draw_noise,
    greedy,
    log_prob_entropy,
    masked_log_softmax,
    sample,
    split_masks,
)


@dataclass(frozen=True)
class Decision:
    """What a policy says about ``n`` rows of observations.

    Attributes:
        actions: ``[n]`` or ``[n, choices]``, what it does, in the env's own type.
        distribution: float32 ``[n, k]``: of a Discrete the probabilities of its actions; of a MultiDiscrete those of
            its choices side by side; of a Box the medians, then the standard deviations, of its dimensions
            (of a squashed one: half of where the middle 68 % lie).
        values: float32 ``[n]``: the discounted return that it expects, in the unit of the rewards.
        entropy: float32 ``[n]``, nats: how undecided it is.
    """

    actions: np.ndarray
    distribution: np.ndarray
    values: np.ndarray
    entropy: np.ndarray


class Thinker:
    """Decides with a copy of a policy, on the CPU, and remembers for a recurrent one. Torch's generator is left alone.

    Args:
        policy: any, recurrent or not. One that is being trained is not disturbed.
        action_space: one agent's.
        seed: of the actions that are drawn.
        greedy: always the likeliest action instead.
    """

    def __init__(
        self, policy: nn.Module, action_space: spaces.Space, seed: int = 0, greedy: bool = False
    ) -> None:
        self.policy = copy.deepcopy(policy).cpu().eval()
        self.action_space = action_space
        self.greedy = greedy
        self._generator = torch.Generator().manual_seed(seed)
        self._memory: recurrent.Memory | None = None

    def start(self, seed: int | None = None) -> None:
        """All episodes begin anew; with a ``seed``, so do the actions that are drawn."""
        self._memory = None
        if seed is not None:
            self._generator.manual_seed(seed)

    @torch.inference_mode()
    @torch.inference_mode()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Other weights, from the next step on."""
        self.policy.load_state_dict(dict(weights))

    @torch.inference_mode()
    def decide(
        self, observations: np.ndarray, legal: np.ndarray | None = None, acts: np.ndarray | None = None
    ) -> Decision:
        """One step of all rows.

        Args:
            observations: ``[n, *shape]``.
            legal: bool ``[n, actions]``; None: all are.
            acts: bool ``[n]``: rows that wait keep what they remember; None: nobody waits.
        """
        logits, values, state = self._ask(observations)
        if state:
            waits = torch.ones(len(observations), dtype=torch.bool) if acts is None else torch.tensor(acts)
            self._memory.write(slice(None), state, waits)  # type: ignore[union-attr]
        masks = None if legal is None else torch.tensor(legal)
        if self.greedy:
            actions = greedy(logits, masks)
        else:
            actions = sample(
                logits, draw_noise(self.action_space, (len(observations),), self._generator), masks
            )[0]
        entropy = log_prob_entropy(logits, actions, masks)[1]
        return Decision(
            self._in_space(actions.numpy()),
            distribution(logits, masks).numpy(),
            values.numpy(),
            entropy.numpy(),
        )

    @torch.inference_mode()
    def values(self, observations: np.ndarray) -> np.ndarray:
        """What it expects from here, float32 ``[n]``, without moving on."""
        return self._ask(observations)[1].numpy()

    @torch.inference_mode()
    def forget(self, ended: np.ndarray) -> None:
        """New episodes begin in the rows where ``ended [n]``."""
        if self._memory is not None:
            self._memory.forget(slice(None), torch.tensor(ended))

    @property
    def state(self) -> recurrent.State:
        """What a recurrent policy remembers now; () of others, and before the first step."""
        return () if self._memory is None else tuple(part.clone() for part in self._memory.now)

    def _ask(self, observations: np.ndarray) -> tuple[Logits, Tensor, recurrent.State]:
        seen = torch.from_numpy(np.array(observations))
        if not recurrent.is_recurrent(self.policy):
            logits, values = self.policy(seen)
            return logits, values.flatten().float(), ()
        if self._memory is None:
            self._memory = recurrent.Memory(recurrent.initial_state(self.policy, len(seen)))
        logits, values, state = recurrent.step(self.policy, seen, self._memory.now)
        return logits, values.flatten().float(), state

    def _in_space(self, actions: np.ndarray) -> np.ndarray:
        if not isinstance(self.action_space, spaces.Box):
            return actions.astype(np.int32)
        low, high = self.action_space.low.ravel(), self.action_space.high.ravel()
        clipped = np.clip(actions, low, high).astype(self.action_space.dtype)
        return clipped.reshape(len(actions), *self.action_space.shape)


def distribution(logits: Logits, action_masks: Tensor | None = None) -> Tensor:
    """The probabilities, or means and deviations, that ``logits`` stand for: see :attr:`Decision.distribution`."""
    if isinstance(logits, Normal):
        low, middle, high = (actions_of(logits, logits.loc + way * logits.scale) for way in (-1, 0, 1))
        return torch.cat([middle, (high - low) / 2], 1)
    if isinstance(logits, Tensor):
        return masked_log_softmax(logits, action_masks).exp()
    masks = split_masks(action_masks, logits)
    return torch.cat(
        [masked_log_softmax(part, mask).exp() for part, mask in zip(logits, masks, strict=True)], 1
    )
