"""Charts over the steps of one episode: value, entropy, reward, as it goes on or to scrub through."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anywidget
import numpy as np
import traitlets

from pufferbench.widgets.assets import script, style


@dataclass(frozen=True)
class Trace:
    """One chart.

    Attributes:
        title, unit: above it.
        help: what it is, for a tooltip.
        colour: blue, orange, green, red, purple, sky or grey.
        bars: a bar for each step instead of a line.
        low, high: the axis reaches at least so far; None: as the numbers do, with 0.
    """

    title: str
    unit: str = ""
    help: str = ""
    colour: str = "blue"
    bars: bool = False
    low: float | None = None
    high: float | None = None


class Traces(anywidget.AnyWidget):
    """Charts one above the other. A number for each step; NaN is a gap.

    Args:
        traces: the charts.
        cursor: step that is marked; -1: the newest, and nobody can move it.
        steps: the axis reaches at least so far; 0: as far as there are steps.
        height: of each chart, pixels.
    """

    _esm = script("traces.js")
    _css = style("curves.css", "traces.css")

    series = traitlets.List(traitlets.Dict()).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    cursor = traitlets.Int(-1).tag(sync=True)
    steps = traitlets.Int(0).tag(sync=True)
    height = traitlets.Int(76).tag(sync=True)

    def __init__(self, traces: Sequence[Trace], **kwargs: Any) -> None:
        told = [{k: v for k, v in vars(trace).items() if v is not None} for trace in traces]
        self._lock = threading.Lock()
        self._rows: list[Sequence[float]] = []
        self._sent = 0
        super().__init__(series=told, **kwargs)
        self.on_msg(lambda *_: self._deliver(0))  # a new view asks for everything

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, *values: float) -> None:
        """One more step: a number for each chart. :meth:`flush` shows it."""
        self._rows.append(values)

    def flush(self) -> None:
        """Send what is new."""
        if self._sent < len(self._rows):
            self._deliver(self._sent)

    def replace(self, *columns: np.ndarray) -> None:
        """Other numbers: a column for each chart."""
        self._rows = list(np.stack(columns, 1)) if len(columns) else []
        self._deliver(0)

    def clear(self) -> None:
        """No steps."""
        self._rows = []
        self._deliver(0)

    def _deliver(self, start: int) -> None:
        with self._lock:
            rows = np.array(self._rows[start:], np.float32)
            self._sent = len(self._rows)
            self.send({"kind": "points", "start": start}, [rows.tobytes()])
