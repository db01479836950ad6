"""PuffeRL learns other people's games of several agents: at once and in turns (seconds, fixed seeds)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pettingzoo_games import Lights

import pufferbench
from pufferbench import PuffeRL
from pufferbench.pytorch import sample_logits

pytestmark = pytest.mark.learn


def test_two_agents_learn_to_answer_each_other():
    """Chance earns 1.1 of 10."""
    trainer = PuffeRL(pufferbench.vector.Serial(Lights, 16), seed=1, total_timesteps=60_000)
    records = list(trainer.steps())
    assert records[0]["episode_return_100"] < 2
    assert records[-1]["episode_return_100"] > 7


def test_a_speaker_and_a_listener():
    """A game of PettingZoo's (MPE) whose two agents see and do different things, in rows that are alike.

    The return is minus the squared distance to the goal, summed up.
    """
    env = pufferbench.make("pettingzoo-simple-speaker-listener", num_envs=16)
    trainer = PuffeRL(env, seed=1, total_timesteps=120_000)
    records = list(trainer.steps())
    assert records[3]["episode_return_100"] < -25  # 160 episodes have ended by then
    assert records[-1]["episode_return_100"] > -20


def test_self_play_beats_a_random_player_at_connect_four():
    """Both seats are rows, one policy plays both; PettingZoo's game makes 10,000 turns per second."""
    env = pufferbench.make("pettingzoo-connect-four", num_envs=32)
    trainer = PuffeRL(env, seed=1, total_timesteps=200_000)
    untrained = wins_against_random(trainer.policy, games=200)
    for _ in trainer.steps():
        pass
    trained = wins_against_random(trainer.policy, games=300)
    assert sum(untrained) / 2 < 0.6
    assert sum(trained) / 2 > 0.7
    assert min(trained) > 0.6  # from either seat


def wins_against_random(policy: torch.nn.Module, games: int) -> list[float]:
    """The share of connect four games won by ``policy`` from the first and from the second seat, sampling."""
    count = 20
    env = pufferbench.make("pettingzoo-connect-four", num_envs=count)
    observations, _ = env.reset(seed=1000)
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    first = 2 * np.arange(count)  # row of each game's first player
    seats = np.arange(count) % 2  # the policy's
    won: list[list[bool]] = [[], []]
    while sum(map(len, won)) < games:
        with torch.inference_mode():
            logits, _ = policy(torch.from_numpy(observations))
            noise = torch.rand(2 * count, generator=generator)
            actions = sample_logits(logits, action_masks=torch.from_numpy(env.action_masks), noise=noise)[0]
        actions = actions.numpy()
        others = first + 1 - seats
        actions[others] = (rng.random((count, 7)) * env.action_masks[others]).argmax(1)
        observations, rewards, terminals, _, _ = env.step(actions)
        for game in np.flatnonzero(terminals[first]):
            won[seats[game]].append(rewards[first[game] + seats[game]] > 0)
            seats[game] = 1 - seats[game]
    return [sum(part) / len(part) for part in won]
