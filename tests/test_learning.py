"""The presets learn what they promise, from a fixed seed and within a step budget (seconds)."""

from __future__ import annotations

import pytest
import torch

import pufferbench
from pufferbench import PuffeRL
from pufferbench.pytorch import sample_logits

pytestmark = pytest.mark.learn


def greedy_return(trainer: PuffeRL, episodes: int) -> float:
    """Mean return of the policy's most probable actions, over at least so many new episodes."""
    env = trainer.env.respawn(num_envs=episodes)
    observations, _ = env.reset(seed=1000)
    returns: list[float] = []
    low, high = getattr(env.action_space, "low", None), getattr(env.action_space, "high", None)
    while len(returns) < episodes:
        with torch.inference_mode():
            logits, _ = trainer.policy(torch.from_numpy(observations))
            actions = sample_logits(logits, deterministic=True)[0].numpy()
        if low is not None:
            actions = actions.clip(low, high).astype(env.action_space.dtype)
        observations, _, _, _, infos = env.step(actions)
        returns += [info["episode_return"] for info in infos]
    return sum(returns) / len(returns)


@pytest.mark.parametrize(
    ("name", "untrained", "solved", "steps"),
    [
        ("ocean-cartpole", 60, 475, 2_000_000),  # of 500
        ("ocean-cartpole-continuous", 60, 475, 2_000_000),
        ("ocean-squared", 0, 0.95, 2_000_000),  # of 1
    ],
)
def test_the_preset_solves_its_game(name, untrained, solved, steps):
    trainer = PuffeRL(name, seed=1, total_timesteps=steps)
    records = list(trainer.steps())
    assert records[0]["episode_return_100"] < untrained
    assert records[-1]["episode_return_100"] >= solved
    assert greedy_return(trainer, 100) >= solved


def test_a_few_games_are_enough():
    """64 games on any laptop: half a million steps."""
    env = pufferbench.make("ocean-cartpole", num_envs=64)
    trainer = PuffeRL(env, batch_size=4096, minibatch_size=1024, seed=0, total_timesteps=500_000)
    assert list(trainer.steps())[-1]["episode_return_100"] >= 475


def test_the_same_seed_gives_the_same_training():
    first, second = (
        list(PuffeRL("ocean-cartpole", seed=7, total_timesteps=200_000).steps()) for _ in range(2)
    )
    for name in ("episode_return", "policy_loss", "value_loss", "entropy", "grad_norm"):
        assert [record[name] for record in first] == [record[name] for record in second]
