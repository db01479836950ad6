"""What moves in a notebook: the training panel, and the views that it is made of.

Python side here, browser side in the ``.js`` and ``.css`` files beside it (anywidget: no build step,
nothing from the net).
"""

from pufferbench.widgets.ab import ABPanel
from pufferbench.widgets.comparison import Comparison, compare
from pufferbench.widgets.curves import Chart, Curves, Line
from pufferbench.widgets.explain_gae import ExplainGAE, explain_gae
from pufferbench.widgets.explain_lstm import ExplainLSTM, explain_lstm
from pufferbench.widgets.explain_ppo import ExplainPPO, explain_ppo
from pufferbench.widgets.explain_vector import ExplainVector, explain_vector
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.gridworld import Gridworld, gridworld
from pufferbench.widgets.panel import TrainerPanel
from pufferbench.widgets.playing import Play, play
from pufferbench.widgets.policy_graph import PolicyGraph, policy_graph
from pufferbench.widgets.profile import ProfileView, profile
from pufferbench.widgets.replaying import Replay, replay
from pufferbench.widgets.session import Session
from pufferbench.widgets.strips import FilmStrip, film_strip
from pufferbench.widgets.value_map import value_map
from pufferbench.widgets.viewer import LiveAgent
from pufferbench.widgets.watching import Watch, watch
from pufferbench.widgets.what_if import WhatIf, what_if
from pufferbench.widgets.workbench import Workbench

__all__ = [
    "ABPanel",
    "Chart",
    "Comparison",
    "Curves",
    "ExplainGAE",
    "ExplainLSTM",
    "ExplainPPO",
    "ExplainVector",
    "FilmStrip",
    "FrameView",
    "Gridworld",
    "Line",
    "LiveAgent",
    "Play",
    "PolicyGraph",
    "ProfileView",
    "Replay",
    "Session",
    "TrainerPanel",
    "Watch",
    "WhatIf",
    "Workbench",
    "compare",
    "explain_gae",
    "explain_lstm",
    "explain_ppo",
    "explain_vector",
    "film_strip",
    "gridworld",
    "play",
    "policy_graph",
    "profile",
    "replay",
    "value_map",
    "watch",
    "what_if",
]
