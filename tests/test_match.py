"""A person at the keyboard, without a browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import pufferbench
from pufferbench.errors import PufferBenchError
from pufferbench.games import Game
from pufferbench.keyboard import Keyboard
from pufferbench.match import Match


def keyboard(name: str) -> Keyboard:
    return Keyboard(pufferbench.make(name, num_envs=1))


def test_keys_of_one_choice() -> None:
    keys = keyboard("ocean-breakout")
    assert keys.action([]) == 0
    assert keys.action(["ArrowLeft"]) == 1
    assert keys.action(["ArrowLeft", "ArrowRight"]) == 2, "the newest"
    assert keys.action(["ArrowRight"], ["ArrowLeft"]) == 1, "a tap counts, however short"
    assert keys.action(["x"]) == 0


def test_without_an_idle_action_it_goes_on_as_before() -> None:
    snake = keyboard("ocean-snake")
    assert snake.action(["ArrowLeft"]) == 2 == snake.action([])
    car = keyboard("ocean-mountain-car")
    assert car.action(["ArrowLeft"]) == 0 and car.action([]) == 1, "the game says what idle is"


def test_keys_together() -> None:
    np.testing.assert_array_equal(keyboard("ocean-target").action(["ArrowLeft", "ArrowDown"]), [1, 0])
    np.testing.assert_array_equal(keyboard("ocean-target").action([]), [4, 2])
    np.testing.assert_array_equal(keyboard("ocean-continuous").action(["ArrowUp", "ArrowRight"]), [1, -1])
    np.testing.assert_allclose(keyboard("ocean-continuous").action(["ArrowUp", "ArrowDown"]), [0, 0])


def test_games_to_think_in_wait_for_a_key() -> None:
    grid = keyboard("ocean-gridworld")
    assert grid.waits and grid.action(["ArrowUp"]) is None and grid.action([], ["ArrowUp"]) == 3
    assert not keyboard("ocean-snake").waits


def test_games_of_others_have_keys_too() -> None:
    assert keyboard("gym-CartPole-v1").action(["ArrowRight"]) == 1
    np.testing.assert_array_equal(keyboard("gym-Pendulum-v1").action(["ArrowLeft"]), [-1])
    assert keyboard("gym-MountainCar-v0").action(["2"]) == 2


def test_a_game_stands_still_until_a_key_is_pressed() -> None:
    match = Match("ocean-cartpole")
    assert not match.advance() and match.mine.steps == 0
    assert match.advance(["ArrowLeft"]) and match.advance() and match.mine.steps == 2
    while match.advance():
        pass
    assert match.over and len(match.episode()) == match.mine.steps == match.scores[0]
    match.start(7)
    assert not match.over and not match.started and match.scores == [0]


def test_pictures_between_two_decisions_are_the_frames_of_the_game() -> None:
    match = Match("ocean-breakout", seed=4)
    assert (match.frames_per_step, match.fps) == (4, 60)
    slow = pufferbench.make("ocean-breakout", num_envs=1, frameskip=1)
    slow.reset(4)
    fast = pufferbench.make("ocean-breakout", num_envs=1)
    fast.reset(4)
    for _ in range(5):
        for frame in range(4):
            assert match.advance(["ArrowRight"])
            slow.step(np.array([2]))
            np.testing.assert_array_equal(read(match.pngs()[0]), slow.render())
            assert match.mine.steps == fast.states["episode_length"][0] + (frame == 3)
        fast.step(np.array([2]))
        np.testing.assert_array_equal(match.mine.env.observations, fast.observations)


def test_the_agent_beside_plays_as_it_would_alone() -> None:
    policy = policy_for("ocean-cartpole")
    match = Match("ocean-cartpole", policy, seed=3)
    while match.advance(["ArrowLeft"]):
        pass
    with Game("ocean-cartpole", policy, seed=3) as alone:
        while alone.steps < match.mine.steps:
            alone.step()
        assert match.theirs is not None
        np.testing.assert_array_equal(match.theirs.env.observations, alone.env.observations)
    episode = match.episode()
    assert (episode.actions == 0).all() and episode.values is not None, "the agent judges the person"


def test_in_the_same_arena_the_person_has_one_seat() -> None:
    match = Match("ocean-pong", policy_for("ocean-pong"), seat=1, players=2)
    assert match.theirs is None
    for _ in range(8):
        match.advance(["ArrowUp"])
    episode = match.episode()
    assert (episode.actions[:, 1] == 1).all() and not (episode.actions[:, 0] == 1).all()
    np.testing.assert_array_equal(match.observation, match.mine.env.observations[1])
    with pytest.raises(PufferBenchError, match=r"seats 0 .. 1, not 2"):
        Match("ocean-pong", seat=2, players=2)


def test_a_policy_for_another_game_is_refused_at_once() -> None:
    with pytest.raises(PufferBenchError, match="this MLP does not fit ocean-pong, whose observations are"):
        Match("ocean-pong", policy_for("ocean-cartpole"))


def test_your_own_env_is_not_touched() -> None:
    env = pufferbench.make("ocean-breakout", num_envs=4)
    env.reset(0)
    before = env.states.copy()
    match = Match(env)
    for _ in range(10):
        match.advance(["ArrowLeft"])
    assert (env.states == before).all()


def policy_for(name: str) -> pufferbench.policies.MLP:
    env = pufferbench.make(name, num_envs=1)
    return pufferbench.policies.MLP(env.observation_space, env.action_space)


def read(png: bytes | None) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png or b"")))
