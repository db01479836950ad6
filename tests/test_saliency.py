"""What a decision hangs on, where that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pufferbench
from pufferbench.episodes import EpisodeError
from pufferbench.labels import observation_numbers
from pufferbench.saliency import Saliency


class LooksAt(nn.Module):
    """Looks at one number of its observation and at no other."""

    def __init__(self, index: int, actions: int) -> None:
        super().__init__()
        self.index = index
        self.weight = nn.Parameter(torch.linspace(-1, 1, actions))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        number = observations.flatten(1).float()[:, self.index : self.index + 1]
        return number * self.weight, number[:, 0]


@pytest.mark.parametrize("method", ["occlusion", "gradient"])
def test_the_one_number_that_counts_is_found(method: str) -> None:
    episode = pufferbench.record_episode(LooksAt(3, 3), "ocean-breakout", limit=50)
    why = Saliency(episode)(20, method=method)
    assert why.shape == (118,) and why[3] == 1 and np.count_nonzero(why) == 1


def test_a_patch_of_a_picture_is_found() -> None:
    episode = pufferbench.record_episode(LooksAt(11 * 5 + 5, 5), "ocean-squared", limit=30)
    saliency = Saliency(episode)
    found = [why for t in range(len(episode)) if (why := saliency(t)).any()]
    assert found, "the agent starts there"
    for why in found:
        assert why.reshape(11, 11)[5, 5] == 1 and np.count_nonzero(why) == 1


def test_parts_of_a_dict_have_no_gradient_but_an_occlusion() -> None:
    env = pufferbench.make("ocean-spaces", num_envs=8)
    episode = pufferbench.record_episode(
        pufferbench.policies.MLP(env.observation_space, env.action_space), env
    )
    saliency = Saliency(episode)
    numbers = observation_numbers(episode.observation_space, episode.observations[0, 0])
    assert saliency(0).shape == numbers.shape
    with pytest.raises(ValueError, match="occlusion"):
        saliency(0, method="gradient")
    with pytest.raises(ValueError, match="did you mean 'occlusion'"):
        saliency(0, method="oclusion")


def test_a_recurrent_policy_is_asked_with_what_it_remembers() -> None:
    env = pufferbench.make("ocean-memory", num_envs=4)
    policy = pufferbench.policies.LSTM(env.observation_space, env.action_space)
    episode = pufferbench.record_episode(policy, env)
    saliency = Saliency(episode)
    assert episode.distribution is not None
    for t in range(len(episode)):
        asked = saliency._distribution(episode.observations[t], t, 0)
        np.testing.assert_allclose(asked[0], episode.distribution[t, 0], rtol=1e-5)


def test_without_a_policy_there_is_no_why() -> None:
    episode: Any = pufferbench.record_episode(None, "ocean-cartpole", limit=3)
    with pytest.raises(EpisodeError, match="judged_by"):
        Saliency(episode)
