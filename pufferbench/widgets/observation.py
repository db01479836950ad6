"""What an agent sees, as a person can see it: numbers with names, or a picture."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from pufferbench.labels import ObservationPart
from pufferbench.widgets.assets import script, style


class Observation(anywidget.AnyWidget):
    """One agent's observation: a table with a bar for each number, a picture where it is one.

    Args:
        parts: of the observation, see :func:`pufferbench.labels.observation_parts`.
    """

    _esm = script("observation.js")
    _css = style("chances.css", "observation.css")

    title = traitlets.Unicode("What the agent sees").tag(sync=True)
    help = traitlets.Unicode("The observation: all that a policy gets to decide by.").tag(sync=True)
    parts = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, parts: Sequence[ObservationPart], **kwargs: Any) -> None:
        told = [
            {
                "name": p.name,
                "shape": list(p.shape),
                "size": p.size,
                "names": list(p.names),
                "picture": p.is_picture,
            }
            for p in parts
        ]
        self._lock = threading.Lock()
        self._shown: list[bytes] = []
        super().__init__(parts=told, **kwargs)
        self.on_msg(lambda *_: self._deliver())

    def show(self, numbers: np.ndarray, why: np.ndarray | None = None) -> None:
        """Numbers ``[n]`` of :func:`pufferbench.labels.observation_numbers`; ``why [n]``, 0 .. 1, marks them."""
        self._shown = [np.asarray(each, np.float32).tobytes() for each in (numbers, why) if each is not None]
        self._deliver()

    def _deliver(self) -> None:
        with self._lock:
            if self._shown:
                self.send({"kind": "numbers"}, self._shown)
