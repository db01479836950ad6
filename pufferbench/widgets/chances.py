"""Bars for what a policy would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from pufferbench.labels import ActionPart
from pufferbench.widgets.assets import script, style


class Chances(anywidget.AnyWidget):
    """The probability of every action, and which was taken; of a continuous action, where it lies.

    Args:
        parts: of the action, see :func:`pufferbench.labels.action_parts`.
    """

    _esm = script("chances.js")
    _css = style("chances.css")

    title = traitlets.Unicode("What it would do").tag(sync=True)
    help = traitlets.Unicode("Probability of each action; ▸ marks the one that was taken.").tag(sync=True)
    parts = traitlets.List(traitlets.Dict()).tag(sync=True)
    distribution = traitlets.List(traitlets.Float()).tag(sync=True)
    done = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, parts: Sequence[ActionPart], **kwargs: Any) -> None:
        told = [
            {"name": part.name, "options": list(part.options)}
            | {end: getattr(part, end) for end in ("low", "high") if math.isfinite(getattr(part, end))}
            for part in parts
        ]
        super().__init__(parts=told, **kwargs)

    def show(self, distribution: np.ndarray | None, action: np.ndarray | None) -> None:
        """One agent's distribution ``[k]`` (:class:`pufferbench.decisions.Decision`) and what it did; None: nothing."""
        with self.hold_sync():
            self.distribution = [] if distribution is None else np.round(distribution, 4).tolist()
            self.done = [] if action is None else np.ravel(action).astype(float).tolist()
