"""Playing whole episodes with a finished policy, and filming them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import pufferbench
from pufferbench import play
from pufferbench.emulation.masks import sample_legal
from pufferbench.env import EpisodeInfos, PufferEnv
from pufferbench.errors import PufferBenchError


class Clock(PufferEnv):
    """Row i's episodes last i + 1 steps; every step earns 1. Keeps statistics of its own, or none."""

    def __init__(self, rows: int = 4, own_statistics: bool = False) -> None:
        super().__init__()
        self.observation_space, self.action_space = self.make_space((1,)), self.make_discrete(2)
        self.num_agents = self.num_envs = rows
        self.own_statistics = own_statistics
        self.time = np.zeros(rows, int)

    def reset(self, seed: int | None = None) -> Any:
        self.time[:] = 0
        return self.observations, []

    def step(self, actions: Any) -> Any:
        self.load_actions(actions)
        self.time += 1
        self.rewards[:] = 1
        self.terminals[:] = self.time == np.arange(self.num_agents) + 1
        infos: Any = []
        if self.own_statistics and self.terminals.any():
            records = np.zeros(self.terminals.sum(), [("episode_return", "f4"), ("score", "f4")])
            records["episode_return"], records["score"] = self.time[self.terminals], 7
            infos = EpisodeInfos(records)
        self.time[self.terminals] = 0
        return self.observations, self.rewards, self.terminals, self.truncations, infos

    def render(self) -> np.ndarray:
        return np.full((20, 31, 3), 40 * self.time[0], np.uint8)


def idle(observations: np.ndarray) -> np.ndarray:
    return np.zeros(len(observations), int)


@pytest.mark.parametrize("own_statistics", [False, True])
@pytest.mark.parametrize("episodes", [1, 3, 4, 6, 9])
def test_short_episodes_are_not_favoured(episodes: int, own_statistics: bool) -> None:
    found = play.play_episodes(Clock(4, own_statistics), idle, episodes)
    expected = sorted(row % 4 + 1 for row in range(episodes))  # every row in turn, however long it takes
    assert found["episode_return"].tolist() == expected, "in the order of the rows"
    assert ("score" in (found.dtype.names or ())) == own_statistics


def test_counts_what_the_games_count() -> None:
    env = pufferbench.make("ocean-squared", num_envs=8)
    own = play.play_episodes(env, play.random_actions(env, seed=1), 20, seed=3)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], ())  # type: ignore[method-assign]
    counted = play.play_episodes(env, play.random_actions(env, seed=1), 20, seed=3)
    np.testing.assert_allclose(own["episode_return"], counted["episode_return"], rtol=1e-5)
    np.testing.assert_array_equal(own["episode_length"], counted["episode_length"])


def test_frames_end_with_the_episode() -> None:
    pictures = list(play.frames(Clock(rows=1), idle))
    assert len(pictures) == 1, "an episode of one step is seen once: the next picture is another episode's"


def test_frames_have_a_limit() -> None:
    env = pufferbench.make("ocean-breakout", num_envs=1)
    assert len(list(play.frames(env, idle, limit=7))) == 7


@pytest.mark.parametrize("ending", [".gif", ".mp4", ".GIF", ".webp"])
def test_films_can_be_read_back(ending: str, tmp_path: Path) -> None:
    import imageio

    pictures = [np.full((21, 33, 3), 20 * i, np.uint8) for i in range(10)]  # odd sizes, as encoders dislike
    path = tmp_path / f"film{ending}"
    assert play.write_video(path, iter(pictures), fps=30) == 10
    film = imageio.mimread(path)
    assert len(film) == 10
    assert film[9].mean() > film[0].mean() + 100


def test_a_gif_in_memory() -> None:
    data = play.gif(iter([np.full((8, 8, 3), 60 * i, np.uint8) for i in range(4)]), fps=30)
    assert data[:6] == b"GIF89a"


def test_playing_leaves_the_policy_alone() -> None:
    env = pufferbench.make("ocean-cartpole", num_envs=2)
    policy = pufferbench.policies.MLP(env.observation_space, env.action_space).train()
    play.play_episodes(env, play.policy_actions(env, policy), 2)
    assert policy.training


def test_another_ending_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(PufferBenchError, match=r"ends in .gif, .mp4, .webp, not in '.avi'"):
        play.write_video(tmp_path / "x.avi", iter([]), 30)


def test_a_film_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(PufferBenchError, match="cannot write"):
        play.write_video(tmp_path / "file" / "x.gif", iter([np.zeros((8, 8, 3), np.uint8)]), 30)


def test_actions_of_a_continuous_policy_stay_in_the_box() -> None:
    env = pufferbench.make("ocean-cartpole-continuous", num_envs=64)
    policy = pufferbench.policies.MLP(env.observation_space, env.action_space)
    act = play.policy_actions(env, policy)
    observations, _ = env.reset(0)
    actions = act(observations)
    assert all(env.action_space.contains(action) for action in actions)
    greedy = play.policy_actions(env, policy, greedy=True)
    np.testing.assert_array_equal(greedy(observations), greedy(observations))


@pytest.mark.parametrize("name", ["ocean-tic-tac-toe", "pettingzoo-tictactoe"])
def test_only_legal_actions_are_played(name: str) -> None:
    env = pufferbench.make(name, num_envs=8)
    policy = pufferbench.policies.MLP(env.observation_space, env.action_space)
    rows = np.arange(env.num_agents)
    players = [
        play.random_actions(env, 1),
        play.policy_actions(env, policy),
        play.policy_actions(env, policy, True),
    ]
    for act in players:
        observations, _ = env.reset(0)
        for _ in range(30):
            actions = act(observations)
            assert env.action_masks is not None and env.action_masks[rows, actions].all()
            observations, *_ = env.step(actions)
        assert not env.action_masks.all()


def test_random_legal_actions_of_several_choices() -> None:
    masks = np.array([[True, False, False, True, True], [False, True, False, False, True]])
    rng, space = np.random.default_rng(0), gymnasium.spaces.MultiDiscrete([2, 3])
    drawn = [sample_legal(masks, space, rng) for _ in range(50)]
    assert {tuple(row) for row, _ in drawn} == {(0, 1), (0, 2)} and {tuple(row) for _, row in drawn} == {
        (1, 2)
    }
