import time

import numpy as np
import pytest
import torch

from pufferbench.recurrent import Player
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.viewer import LiveAgent, to_jpeg

from .conftest import wait_for


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
    assert view.frame.startswith(b"\xff\xd8")  # JPEG
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


def test_a_slow_first_picture_does_not_stop_the_others(agent, view, monkeypatch):
    """The first one may compile for seconds; then the rest must not wait 1 / CPU_SHARE times as long."""
    env = agent.trainer.env.respawn(1)
    render, shown = env.render, []

    def slow_at_first():
        if not shown:
            end = time.thread_time() + 0.5
            while time.thread_time() < end:
                pass
        shown.append(1)
        drawn(view)
        return render()

    monkeypatch.setattr(env, "render", slow_at_first)
    monkeypatch.setattr(agent.trainer.env, "respawn", lambda num_envs: env)
    agent.enabled = True
    look(view)
    wait_for(lambda: len(shown) >= 4, "four pictures")


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


def test_jpeg_of_a_picture():
    image = np.zeros((40, 60, 3), np.uint8)
    import io

    from PIL import Image

    assert Image.open(io.BytesIO(to_jpeg(image))).size == (60, 40)
