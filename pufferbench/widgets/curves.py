"""Line charts that follow a training while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style
from pufferbench.widgets.history import History

COLOURS = ("blue", "orange", "green", "red", "purple", "sky", "grey")


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        key: the entry of the metrics record that it shows.
        label: its name in the legend.
        colour: one of :data:`COLOURS`.
        faint: thin and pale, for the noisy values behind a mean.
    """

    key: str
    label: str = ""
    colour: str = "blue"
    faint: bool = False

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise ValueError(f"colour must be one of {', '.join(COLOURS)}, not {self.colour!r}")


@dataclass(frozen=True)
class Chart:
    """One chart: a title, the unit of its y axis, lines, and a sentence for the tooltip.

    ``low`` and ``high`` cut the y axis where values beyond would flatten all others. ``marked``: the marks of
    :class:`Curves` are drawn in it.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    help: str = ""
    low: float | None = None
    high: float | None = None
    marked: bool = False


class Curves(anywidget.AnyWidget):
    """Charts over environment steps, drawn from a :class:`History`.

    :meth:`append` a record after each update; :meth:`flush` sends what is new. Hovering, or the arrow
    keys on a focused chart, reads out the values.

    Args:
        charts: what to draw.
        history: where the numbers are; None makes one with the columns that the charts need.
        height: of each chart's drawing area, pixels.
        columns: charts side by side; in a narrow place there are fewer.

    Attributes:
        marks: what happened at which step, ``{"x": global_step, "text": words}``, the earliest first.
    """

    _esm = script("curves.js")
    _css = style("curves.css")

    charts = traitlets.List(traitlets.Dict()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    height = traitlets.Int(120).tag(sync=True)
    columns = traitlets.Int(1).tag(sync=True)
    marks = traitlets.List(traitlets.Dict()).tag(sync=True)
    epoch = traitlets.Int(0).tag(sync=True)
    points = traitlets.Bytes(b"").tag(sync=True)  # the whole table; its value is made in get_state()

    def __init__(
        self,
        charts: Sequence[Chart],
        history: History | None = None,
        height: int = 120,
        columns: int = 1,
        **kwargs: Any,
    ) -> None:
        self.history = History(curve_keys(charts)) if history is None else history
        missing = set(curve_keys(charts)) - set(self.history.columns)
        if missing:
            raise ValueError(f"the history lacks columns that the charts need: {', '.join(sorted(missing))}")
        self._sent = (self.history.epoch, len(self.history))
        super().__init__(
            charts=[asdict(chart) for chart in charts],
            names=self.history.columns,
            height=height,
            columns=columns,
            **kwargs,
        )
        self.on_msg(self._on_message)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one metrics record. It is drawn at the next :meth:`flush`."""
        self.history.append(record)

    def flush(self) -> None:
        """Send the rows that the browser does not have yet."""
        epoch, start = self._sent
        if epoch != self.history.epoch:
            start = 0
        if (self.history.epoch, len(self.history)) != (epoch, start):
            self._send_rows(start)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The widget's state, with the whole table: a page that is loaded again gets all curves at once."""
        state = super().get_state(key=key, drop_defaults=drop_defaults)
        if "points" in state:
            state["points"] = self.history.rows().tobytes()
            state["epoch"] = self.history.epoch
        return state

    def _send_rows(self, start: int) -> None:
        epoch, rows = self.history.epoch, self.history.rows(start)
        self._sent = (epoch, start + len(rows))
        self.send({"epoch": epoch, "start": start}, [rows.tobytes()])

    def _on_message(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        if content.get("kind") == "all":  # a message was missed, e.g. while the page was loading
            self._send_rows(0)


def curve_keys(charts: Sequence[Chart]) -> list[str]:
    """Columns of the table behind ``charts``: the x axis, the update's number, and every line's key."""
    keys = ["global_step", "update"]
    for chart in charts:
        keys += [line.key for line in chart.lines if line.key not in keys]
    return keys
