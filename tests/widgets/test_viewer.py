import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from pufferbench.recurrent import Player
from pufferbench.widgets import viewer
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.viewer import LiveAgent, to_film

from .conftest import wait_for


@pytest.fixture(autouse=True)
def short_films(monkeypatch):
    monkeypatch.setattr(viewer, "FILM", 0.5)


@pytest.fixture
def films(monkeypatch, view):
    """How many pictures each film has; each is seen at once."""
    lengths = []

    def counted(frames, seconds):
        lengths.append(len(frames))
        threading.Timer(0.05, drawn, [view]).start()
        return to_film(frames, seconds)

    monkeypatch.setattr(viewer, "to_film", counted)
    return lengths


@pytest.fixture
def view():
    return FrameView()


@pytest.fixture
def agent(make_trainer, view):
    agent = LiveAgent(make_trainer(), view)
    yield agent
    agent.close()


def look(view, visible=True):
    view._handle_custom_msg({"kind": "visible", "view": "a", "visible": visible}, [])


def drawn(view):
    view._handle_custom_msg({"kind": "drawn", "view": "a", "visible": True}, [])


def test_it_plays_only_while_somebody_watches(agent, view):
    agent.enabled = True
    assert agent.last_frame is None
    look(view)
    wait_for(lambda: view.frame, "the first frame")
    assert view.frame.startswith(b"\x89PNG")
    assert view.seconds > 0
    assert (view.height, view.width, 3) == agent.last_frame.shape
    assert "weights of update 0" in view.note
    look(view, False)


def test_it_takes_the_newest_snapshot_and_leaves_policy_and_env_alone(agent, view):
    trainer = agent.trainer
    states = trainer.env.states.copy()
    generator = torch.get_rng_state()
    agent.enabled = True
    look(view)
    wait_for(lambda: view.frame, "the first frame")
    assert (trainer.env.states == states).all()
    assert torch.equal(torch.get_rng_state(), generator)
    assert trainer.policy.training
    agent.enabled = False
    next(trainer.steps())
    agent.enabled = True

    def newest():
        drawn(view)
        return "weights of update 1" in view.note

    wait_for(newest, "the new weights")


def test_a_recurrent_policy_plays(make_trainer, view):
    agent = LiveAgent(make_trainer("ocean-memory"), view)
    try:
        agent.enabled = True
        look(view)

        def an_episode_is_over():
            drawn(view)
            return "last episode" in view.note or agent.error

        wait_for(an_episode_is_over, "an episode")
        assert agent.error is None
    finally:
        agent.close()


def test_continuous_actions_stay_in_the_box(make_trainer, view):
    agent = LiveAgent(make_trainer("ocean-cartpole-continuous"), view)
    agent.trainer.policy.log_std.data.fill_(5.0)
    agent.trainer._publish()
    env = agent.trainer.env.respawn(1)
    agent._load(agent.trainer.policy)
    observations, _ = env.reset(seed=0)
    player = Player(agent.trainer.policy)
    for _ in range(50):
        actions = agent._act(player, env, observations, torch.Generator())
        assert env.action_space.contains(np.asarray(actions[0], env.action_space.dtype))
        observations = env.step(actions)[0]


def test_pictures_that_cost_much_are_few(agent, view, films, monkeypatch):
    env = agent.trainer.env.respawn(1)
    render = env.render

    def slow():
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        return render()

    monkeypatch.setattr(env, "render", slow)
    monkeypatch.setattr(agent.trainer.env, "respawn", lambda num_envs: env)
    agent.enabled = True
    look(view)
    wait_for(lambda: len(films) >= 2, "two films")
    assert films[:2] == [0.5 * env.fps, 0.5 * viewer.MIN_FPS]


def test_while_weights_change_the_film_has_fewer_pictures(agent, view, films, monkeypatch):
    monkeypatch.setattr(viewer, "CPU_SHARE", 1e9)
    monkeypatch.setattr(viewer, "agent_fps", lambda elapsed: 4)
    agent.enabled = True
    look(view)
    wait_for(lambda: films, "a film")
    agent.enabled = False
    next(agent.trainer.steps())
    before = len(films)
    agent.enabled = True
    wait_for(lambda: len(films) >= before + 3, "three more films")
    assert 0.5 * 4 in films
    assert films[0] == films[-1] == 0.5 * agent.trainer.env.fps  # before it began, and when it has stopped


def test_a_game_that_cannot_be_drawn_says_so(agent, view, monkeypatch):
    def respawn(num_envs):
        raise TypeError("cannot make another MyGame")

    monkeypatch.setattr(agent.trainer.env, "respawn", respawn)
    agent.enabled = True
    wait_for(lambda: view.note, "the reason")
    assert view.note == "cannot play: cannot make another MyGame"
    assert isinstance(agent.error, TypeError)


def test_closing_ends_the_thread_whether_it_plays_or_waits(make_trainer, view):
    watched = LiveAgent(make_trainer(), view)
    look(view)
    watched.enabled = True
    watched.close()
    watched.close()
    waiting = LiveAgent(make_trainer(), FrameView())
    waiting.enabled = True
    waiting.close()


def test_a_film_plays_once_and_takes_so_long():
    pictures = [np.full((40, 60, 3), shade, np.uint8) for shade in (0, 50, 200, 250)]
    with Image.open(io.BytesIO(to_film(pictures, 2.0))) as film:
        assert (film.size, film.n_frames, film.info["loop"]) == ((60, 40), 4, 1)
        shades, durations = [], []
        for number in range(4):
            film.seek(number)
            shades.append(np.asarray(film.convert("RGB"))[0, 0, 0])
            durations.append(film.info["duration"])
    assert shades == [0, 50, 200, 250]
    assert durations == [500] * 4
