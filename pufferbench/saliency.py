"""Why did it do that: which numbers of an observation a policy's decision hangs on.

Two answers, which need not agree:

gradient
    How fast the log probability of the action that was taken changes with each number (Simonyan et al., 2014,
    https://arxiv.org/abs/1312.6034), times how much that number varies in the episode: a number that never
    changes explains nothing. Needs observations that are numbers.
occlusion
    How far the policy's distribution moves when a number, or a patch of a picture, is replaced by its median in the
    episode (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901). Needs nothing, and asks the policy once
    for every number or patch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from pufferbench import recurrent
from pufferbench.decisions import Thinker, distribution
from pufferbench.episodes import Episode, EpisodeError
from pufferbench.errors import did_you_mean
from pufferbench.labels import leaves
from pufferbench.pytorch import log_prob_entropy
from pufferbench.spaces import FlatBox

METHODS = ("occlusion", "gradient")
PATCHES = 12  # along the longer side of a picture
AT_ONCE = 512  # changed observations per question


class Saliency:
    """Of every step of a judged episode, worked out when asked.

    Args:
        episode: from :func:`pufferbench.record_episode` with a policy, or ``episode.judged_by(policy)``.
    """

    def __init__(self, episode: Episode) -> None:
        if episode.policy is None:
            raise EpisodeError("why needs a policy to ask: episode.judged_by(policy)")
        self.episode, self.policy = episode, episode.policy
        space = episode.observation_space
        if space is None:
            raise EpisodeError(
                "why needs to know the observations' parts: episode.observation_space = env.observation_space"
            )
        # Bytes of a Dict: its parts lie in them as anything from flags to doubles
        self.parts = None if not isinstance(space, FlatBox) or space.is_float32 else _byte_parts(space)
        self._states: list[recurrent.State] = []
        self._median = np.median(episode.observations[:-1], axis=(0, 1)).astype(episode.observations.dtype)
        self._spread = np.std(episode.observations[:-1].astype(np.float64), axis=(0, 1)).astype(np.float32)

    def __call__(self, step: int, agent: int = 0, method: str = "occlusion") -> np.ndarray:
        """float32 ``[numbers]``, 0 .. 1, one for each of :func:`pufferbench.labels.observation_numbers`.

        1 is the number that the decision hangs on most. All are 0 when it hangs on none.

        Raises:
            ValueError: another method, or observations that have no gradient.
        """
        if method not in METHODS:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}, not {method!r}{did_you_mean(str(method), METHODS)}"
            )
        work = self._gradient if method == "gradient" else self._occlusion
        found = work(step, agent)
        return found / found.max() if found.max() > 0 else found

    def _gradient(self, step: int, agent: int) -> np.ndarray:
        episode = self.episode
        if self.parts is not None:
            raise ValueError("observations made of several parts have no gradient: take method='occlusion'")
        seen = torch.tensor(episode.observations[step, agent : agent + 1], dtype=torch.float32)
        seen.requires_grad_(True)
        logits = self._logits(seen, step, agent)
        legal = None if episode.legal is None else torch.tensor(episode.legal[step, agent : agent + 1])
        actions = torch.tensor(episode.actions[step, agent : agent + 1])
        actions = actions.flatten(1) if isinstance(episode.action_space, spaces.Box) else actions.long()
        chance = log_prob_entropy(logits, actions, legal)[0].sum()
        gradient = torch.autograd.grad(chance, seen, allow_unused=True)[0] if chance.requires_grad else None
        if gradient is None:
            raise ValueError(
                "this policy takes its observations for kinds of things, not for numbers, so there is no gradient: "
                "take method='occlusion'"
            )
        return gradient[0].abs().numpy().ravel() * self._spread.ravel()

    def _occlusion(self, step: int, agent: int) -> np.ndarray:
        episode = self.episode
        seen = episode.observations[step, agent]
        groups = self._groups(seen.shape)
        before = self._distribution(seen[None], step, agent)[0]
        moved = np.zeros(len(groups), np.float32)
        for start in range(0, len(groups), AT_ONCE):
            some = groups[start : start + AT_ONCE]
            changed = np.repeat(seen[None], len(some), 0)
            for row, group in zip(changed, some, strict=True):
                row.reshape(-1)[group] = self._median.reshape(-1)[group]
            after = self._distribution(changed, step, agent)
            moved[start : start + AT_ONCE] = np.abs(after - before).sum(1)
        if self.parts is not None:
            return np.repeat(moved, [count for _, count in self.parts])
        result = np.zeros(seen.size, np.float32)
        for group, value in zip(groups, moved, strict=True):
            result[group] = value
        return result

    def _groups(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """Indices, into the flat row, of what is replaced together."""
        size = int(np.prod(shape))
        if self.parts is not None:
            return [group for group, _ in self.parts]
        if len(shape) not in (2, 3):
            return [np.array([index]) for index in range(size)]
        # A picture, channels first or last: the two neighbours that are height and width, in square patches
        indices = np.arange(size).reshape(shape)
        if len(shape) == 3:
            indices = indices if shape[0] <= shape[2] else np.moveaxis(indices, 2, 0)
        else:
            indices = indices[None]
        side = max(1, round(max(indices.shape[1:]) / PATCHES))
        return [
            indices[:, top : top + side, left : left + side].ravel()
            for top in range(0, indices.shape[1], side)
            for left in range(0, indices.shape[2], side)
        ]

    @torch.no_grad()
    def _distribution(self, observations: np.ndarray, step: int, agent: int) -> np.ndarray:
        legal = None
        if self.episode.legal is not None:
            legal = torch.tensor(np.repeat(self.episode.legal[step, agent][None], len(observations), 0))
        return distribution(self._logits(torch.tensor(observations), step, agent), legal).numpy()

    def _logits(self, observations: Tensor, step: int, agent: int) -> Any:
        if not recurrent.is_recurrent(self.policy):
            return self.policy(observations)[0]
        state = tuple(
            part[agent : agent + 1].expand(len(observations), *part.shape[1:]).clone()
            for part in self._state_before(step)
        )
        return recurrent.step(self.policy, observations, state)[0]

    def _state_before(self, step: int) -> recurrent.State:
        """What a recurrent policy remembered before ``step``: it sees the episode again, once."""
        episode = self.episode
        if not self._states:
            thinker = Thinker(self.policy, episode.action_space)
            fresh = recurrent.initial_state(self.policy, episode.num_agents)
            for t in range(len(episode)):
                self._states.append(thinker.state or fresh)
                legal = None if episode.legal is None else episode.legal[t]
                thinker.decide(episode.observations[t], legal, episode.masks[t])
                thinker.forget(episode.terminals[t] | episode.truncations[t])
        return self._states[step]


def _byte_parts(space: FlatBox) -> list[tuple[np.ndarray, int]]:
    """For each part of a Dict or Tuple: the bytes of a row that are its own, and how many numbers it has."""
    dtype = space.layout.dtype
    parts = []
    for name in dtype.names or ():
        part, offset = dtype.fields[name][:2]  # type: ignore[index]
        numbers = sum(math.prod(shape) for _, shape in leaves(part))
        parts.append((np.arange(offset, offset + part.itemsize), numbers))
    return parts or [(np.arange(dtype.itemsize), sum(math.prod(shape) for _, shape in leaves(dtype)))]
