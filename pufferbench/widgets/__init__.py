"""What moves in a notebook: the training panel, and the views that it is made of.

Python side here, browser side in the ``.js`` and ``.css`` files beside it (anywidget: no build step,
nothing from the net).
"""

from pufferbench.widgets.curves import Chart, Curves, Line
from pufferbench.widgets.explain_gae import ExplainGAE, explain_gae
from pufferbench.widgets.explain_lstm import ExplainLSTM, explain_lstm
from pufferbench.widgets.explain_ppo import ExplainPPO, explain_ppo
from pufferbench.widgets.explain_vector import ExplainVector, explain_vector
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.gridworld import Gridworld, gridworld
from pufferbench.widgets.panel import TrainerPanel
from pufferbench.widgets.policy_graph import PolicyGraph, policy_graph
from pufferbench.widgets.session import Session
from pufferbench.widgets.viewer import LiveAgent
from pufferbench.widgets.what_if import WhatIf, what_if

__all__ = [
    "Chart",
    "Curves",
    "ExplainGAE",
    "ExplainLSTM",
    "ExplainPPO",
    "ExplainVector",
    "FrameView",
    "Gridworld",
    "Line",
    "LiveAgent",
    "PolicyGraph",
    "Session",
    "TrainerPanel",
    "WhatIf",
    "explain_gae",
    "explain_lstm",
    "explain_ppo",
    "explain_vector",
    "gridworld",
    "policy_graph",
    "what_if",
]
