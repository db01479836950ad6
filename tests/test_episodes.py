"""One episode, kept: what is recorded, judged and saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import pufferbench
from pufferbench.decisions import Thinker
from pufferbench.episodes import Episode, EpisodeError
from pufferbench.games import Game
from pufferbench.labels import observation_numbers
from pufferbench.policies import LSTM, MLP

GAMES = {
    "ocean-breakout": MLP,
    "ocean-target": MLP,  # eight agents, two choices each, always truncated
    "ocean-cartpole-continuous": MLP,
    "ocean-memory": LSTM,
    "ocean-connect-four": MLP,  # legal actions
    "ocean-spaces": MLP,  # a Dict
    "gym-CartPole-v1": MLP,
    "pettingzoo-tictactoe": MLP,  # one waits for the other
}


def policy_for(name: str, kind: Any = MLP) -> tuple[Any, Any]:
    env = pufferbench.make(name, num_envs=2)
    torch.manual_seed(0)
    return kind(env.observation_space, env.action_space), env


@pytest.mark.parametrize("name", GAMES)
def test_recorded_twice_saved_and_read_back_it_is_the_same(name: str, tmp_path: Path) -> None:
    policy, env = policy_for(name, GAMES[name])
    episode = pufferbench.record_episode(policy, env, seed=5, limit=40)
    again = pufferbench.record_episode(policy, name, seed=5, limit=40)
    read = Episode.load(episode.save(tmp_path / "episode.npz"))
    for other in (again, read):
        for field in dataclasses.fields(Episode):
            mine, theirs = getattr(episode, field.name), getattr(other, field.name)
            if isinstance(mine, np.ndarray):
                np.testing.assert_array_equal(mine, theirs)
            elif field.name not in ("policy", "action_space", "observation_space"):
                assert mine == theirs, field.name
    seen = episode.observations[0, 0]
    np.testing.assert_array_equal(
        observation_numbers(read.observation_space, seen), observation_numbers(env.observation_space, seen)
    )
    assert len(episode.frames) == len(episode) <= 40
    others = [pufferbench.record_episode(policy, env, seed=seed, limit=3) for seed in range(8)]
    assert any(not np.array_equal(each.observations[0], others[0].observations[0]) for each in others) or (
        name in ("ocean-connect-four", "pettingzoo-tictactoe")  # all begin with an empty board
    )


@pytest.mark.parametrize("words", [False, True], ids=["as data", "with a text"])
def test_parts_of_observations_are_read_back_where_a_file_can_describe_them(
    words: bool, tmp_path: Path
) -> None:
    class Parts(pufferbench.PufferEnv):
        def __init__(self, buf: Any = None) -> None:
            super().__init__(buf)
            parts = {"n": spaces.Discrete(3, start=1), "a": spaces.Tuple([spaces.MultiBinary(2)])}
            self.observation_space = spaces.Dict(parts | ({"words": spaces.Text(4)} if words else {}))
            self.action_space = self.make_discrete(2)

        def reset(self) -> dict[str, Any]:
            seen = {"n": 2, "a": (np.array([0, 1], np.int8),)}
            return seen | ({"words": "ab"} if words else {})

        def step(self, action: int) -> tuple[Any, float, bool, dict[str, Any]]:
            return self.reset(), 1.0, True, {}

    episode = pufferbench.record_episode(None, pufferbench.emulate(Parts, num_envs=1), limit=3)
    read = Episode.load(episode.save(tmp_path / "episode.npz"))
    if words:
        assert read.observation_space is None
    else:
        seen = read.observation_space.layout.read(read.observations[0, 0])
        assert seen["n"] == 2
        assert seen["a"][0].tolist() == [0, 1]


@pytest.mark.parametrize("name", ["ocean-breakout", "ocean-memory", "pettingzoo-tictactoe"])
def test_judged_afterwards_it_says_what_it_said_while_it_played(name: str) -> None:
    policy, env = policy_for(name, GAMES[name])
    said = []
    with Game(env, policy, seed=1) as game:
        while not game.over and game.steps < 30:
            said.append(game.decide())
            game.step()
        episode = game.episode()
    assert episode.values is not None and episode.distribution is not None
    np.testing.assert_allclose(episode.values[:-1], np.stack([each.values for each in said]), rtol=1e-5)
    np.testing.assert_allclose(
        episode.distribution, np.stack([each.distribution for each in said]), rtol=1e-5, atol=1e-7
    )


def test_advantages_are_those_of_the_definition() -> None:
    policy, env = policy_for("ocean-breakout")
    episode = pufferbench.record_episode(policy, env, limit=200)
    assert episode.terminals[-1, 0] and episode.values is not None
    gamma, gae_lambda = 0.97, 0.8
    found, value, advantage = episode.advantages(gamma, gae_lambda)[:, 0], 0.0, 0.0
    for t in reversed(range(len(episode))):
        delta = episode.rewards[t, 0] + gamma * value - episode.values[t, 0]
        advantage = delta + gamma * gae_lambda * advantage
        value = episode.values[t, 0]
        assert found[t] == pytest.approx(advantage, rel=1e-4, abs=1e-5)


def test_a_cut_episode_goes_on_in_its_value() -> None:
    policy, _ = policy_for("ocean-cartpole")
    env = pufferbench.make("ocean-cartpole", num_envs=1, max_steps=5)
    episode = pufferbench.record_episode(policy, env)
    assert episode.truncations[-1, 0] and episode.cut_values is not None and episode.values is not None
    with torch.no_grad():
        value = policy(torch.tensor(episode.cut_observations))[1]
    assert episode.cut_values[0] == pytest.approx(float(value))
    last = episode.advantages(0.9, 0.95)[-1, 0]
    assert last == pytest.approx(1 + 0.9 * float(value) - episode.values[-2, 0], rel=1e-5)


def test_who_waits_has_no_advantage_and_random_play_is_judged_by_nobody() -> None:
    policy, env = policy_for("pettingzoo-tictactoe")
    episode = pufferbench.record_episode(policy, env)
    np.testing.assert_array_equal(np.isnan(episode.advantages(0.99, 0.95)), ~episode.masks[:-1])
    random = pufferbench.record_episode(None, env, frames=False)
    assert not random.frames and random.values is None
    with pytest.raises(EpisodeError, match="judged_by"):
        random.advantages(0.99, 0.95)
    assert random.judged_by(policy).values is not None


def test_files_that_are_no_episodes(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(EpisodeError, match="cannot read"):
        Episode.load(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(EpisodeError, match="not a usable episode"):
        Episode.load(path)
    np.savez(path, header=np.array([Evil()], object))  # a pickle: never opened
    with pytest.raises(EpisodeError, match="not a usable episode.*pickle"):
        Episode.load(path)
    assert not Evil.ran
    policy, env = policy_for("ocean-cartpole")
    episode = pufferbench.record_episode(policy, env, limit=5)
    dataclasses.replace(episode, actions=episode.actions[1:]).save(path)
    with pytest.raises(EpisodeError, match=r"actions has shape \(4, 1\)"):
        Episode.load(path)


class Evil:
    ran = False

    def __reduce__(self) -> Any:
        return (setattr, (Evil, "ran", True))


def test_thinking_leaves_policy_and_torch_alone() -> None:
    policy, env = policy_for("ocean-memory", LSTM)
    before = torch.get_rng_state()
    policy.train()
    thinker = Thinker(policy, env.action_space)
    observations, _ = env.reset(0)
    state = thinker.state
    thinker.values(observations)
    thinker.values(observations)
    assert all(bool((part == 0).all()) for part in thinker.state) and state == ()
    thinker.decide(observations)
    assert any(bool((part != 0).any()) for part in thinker.state)
    assert torch.equal(torch.get_rng_state(), before) and policy.training
