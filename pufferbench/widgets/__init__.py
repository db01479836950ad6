"""What moves in a notebook: the training panel, and the views that it is made of.

Python side here, browser side in the ``.js`` and ``.css`` files beside it (anywidget: no build step,
nothing from the net).
"""

from pufferbench.widgets.curves import Chart, Curves, Line
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.gridworld import Gridworld, gridworld
from pufferbench.widgets.panel import TrainerPanel
from pufferbench.widgets.session import Session
from pufferbench.widgets.viewer import LiveAgent
from pufferbench.widgets.what_if import WhatIf, what_if

__all__ = [
    "Chart",
    "Curves",
    "FrameView",
    "Gridworld",
    "Line",
    "LiveAgent",
    "Session",
    "TrainerPanel",
    "WhatIf",
    "gridworld",
    "what_if",
]
