"""Minibatches of whole rows: for switches that need a decision's neighbours in time.

A segment is what one row (an agent) did during a rollout. Two of PufferLib's additions to PPO work on them:

- the puff advantage is estimated anew for each minibatch, from how the policy has changed since it played
  (:func:`pufferbench.kernels.advantages`);
- prioritised sampling draws segments that hold large advantages more often (Schaul et al., 2016, "Prioritized
  experience replay", https://arxiv.org/abs/1511.05952).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pufferbench.config import TrainConfig
from pufferbench.kernels import Experience, advantages, normalized

if TYPE_CHECKING:
    from pufferbench.learner import Learner


class Segments:
    """The rows of a rollout.

    Args:
        learner: knows the policy as it is now.
        batch: the decisions; the puff advantage changes its ``advantages`` and ``returns``.
        experience: the rollout's part of the arguments of :func:`pufferbench.kernels.advantages`.
        places: the numbers of the decisions, ``[T, rows]``; -1: none.
    """

    def __init__(
        self, learner: Learner, batch: dict[str, Tensor], experience: Experience, places: Tensor
    ) -> None:
        self.learner, self.batch, self.experience, self.places = learner, batch, experience, places
        self.acting = (places >= 0).any(0).nonzero().squeeze(1)  # rows that did not wait all the time

    def minibatches(
        self, config: TrainConfig, progress: float, generator: torch.Generator
    ) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """A pass over the batch: ``(batch, index)`` of each minibatch, of about ``minibatch_size`` decisions.

        Advantages in that batch are as the loss needs them: normalised, and with their importance weights. To be
        taken one at a time: each depends on what the policy has learned from the one before.

        Args:
            progress: part of the training done, 0 to 1.
        """
        assert config.minibatch_size is not None  # resolved
        count = min(len(self.acting), math.ceil(len(self.batch["returns"]) / config.minibatch_size))
        order = torch.randperm(len(self.acting), generator=generator).to(self.acting.device)
        for part in order.tensor_split(count):
            weights = torch.ones(len(part), device=part.device)
            if config.prioritize:
                part, weights = self.draw(len(part), config, progress, generator)
            rows = self.acting[part]
            places = self.places[:, rows]
            used = places >= 0
            decisions = places[used]
            # A recurrent policy goes through rows; for others the same decisions may come in any order
            index = rows if "places" in self.batch else decisions
            if config.advantage == "puff":
                self.estimate_again(rows, index, config)
            advantage = self.batch["advantages"][decisions]
            if config.normalize_advantages:
                advantage = normalized(advantage)
            advantage = advantage * weights.expand(used.shape)[used]
            whole = self.batch["advantages"].index_copy(0, decisions, advantage)
            yield {**self.batch, "advantages": whole}, index

    def draw(
        self, count: int, config: TrainConfig, progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """``count`` of the acting rows, some of them several times, and their importance weights.

        A row's probability is its priority, to the power ``prio_alpha``; its priority is the sum of the sizes of its
        advantages. The weight of a row is ``(rows x probability) ** -beta``: with beta = 1 the mean of anything over
        the rows that are drawn is, on average, that over all rows. They are not divided by the largest, for the
        same reason.
        """
        places = self.places[:, self.acting]
        sizes = self.batch["advantages"].abs()[places.clamp(min=0)].masked_fill(places < 0, 0.0)
        priorities = sizes.sum(0).cpu()
        priorities = (priorities / (priorities.mean() + 1e-8) + 1e-6) ** config.prio_alpha
        probabilities = priorities / priorities.sum()
        drawn = torch.multinomial(probabilities, count, replacement=True, generator=generator)
        beta = config.prio_beta0 + (1 - config.prio_beta0) * progress
        weights = (len(probabilities) * probabilities[drawn]) ** -beta
        return drawn.to(places.device), weights.to(places.device)

    def estimate_again(self, rows: Tensor, index: Tensor, config: TrainConfig) -> None:
        """The puff advantages of ``rows``, and the returns that go with them, for the policy as it is now."""
        batch, places = self.batch, self.places[:, rows]
        used = places >= 0
        decisions = places[used]
        ratios = torch.ones(used.shape, device=used.device)
        ratios[used] = (self.learner.logprobs(batch, index) - batch["logprobs"][decisions]).exp()
        columns = Experience._make(part[:, rows] for part in self.experience)
        clips = config.rho_clip, config.c_clip
        found, _ = advantages(*columns, config.gamma, config.gae_lambda, ratios, *clips)
        batch["advantages"][decisions] = found[used]
        batch["returns"][decisions] = batch["values"][decisions] + found[used]
