"""The live agent in environments that are not ours, and within wrappers."""

import numpy as np
import pytest
from my_package.simple import SimpleTask

import pufferbench
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.viewer import LiveAgent
from pufferbench.wrappers import FrameStack, NormalizeObservation

from .conftest import wait_for

ENVS = {
    "simple style": lambda: pufferbench.emulate(SimpleTask, num_envs=4),
    "an instance": lambda: pufferbench.emulate(SimpleTask()),
    "wrapped": lambda: FrameStack(NormalizeObservation(pufferbench.emulate(SimpleTask, num_envs=4)), 2),
    "wrapped inside": lambda: pufferbench.emulate(lambda: FrameStack(SimpleTask(), 2), num_envs=4),
}


@pytest.mark.parametrize("name", ENVS)
def test_it_is_watched(name):
    trainer = pufferbench.PuffeRL(env=ENVS[name](), bptt_horizon=8, minibatch_size=8)
    agent = LiveAgent(trainer, view := FrameView())
    try:
        agent.enabled = True
        view._handle_custom_msg({"kind": "visible", "view": "a", "visible": True}, [])
        wait_for(lambda: view.frame or agent.error, "the first frame")
        assert agent.error is None
        assert agent.last_frame.dtype == np.uint8
    finally:
        agent.close()
