"""compare(): several runs side by side, with what a few seeds can honestly say."""

from __future__ import annotations

import io
import re
from os import PathLike
from pathlib import Path
from typing import Any

import ipywidgets

from pufferbench import runs as reader
from pufferbench.errors import PufferBenchError
from pufferbench.records import write_atomic
from pufferbench.runs.aggregate import AXES, METRIC
from pufferbench.runs.folder import FOLDER, load_all
from pufferbench.widgets.saved import Saved
from pufferbench.widgets.table import Table

# Colours of the figure -> those of the theme, which are lighter on a dark ground
THEME = {
    "#0072b2": "--pb-blue", "#d98a00": "--pb-orange", "#00875f": "--pb-green", "#b0568a": "--pb-purple",
    "#c44e00": "--pb-red", "#3d9fd6": "--pb-sky", "#5c5f66": "--pb-grey", "#1c1c1e": "--pb-text",
    "#5d6067": "--pb-muted", "#eceef1": "--pb-grid", "#000000": "--pb-text",
}  # fmt: skip
FILES = ("comparison.png", "comparison.svg", "comparison.csv", "runs.csv")


class Comparison(Saved):
    """Curves with bands, interquartile means with intervals, performance profiles, and a table of ``runs``.

    Runs that differ in nothing but their seed are one group. See :mod:`pufferbench.runs` for the numbers.

    Args:
        runs: a folder of runs, or a list of what :func:`pufferbench.runs.load` takes.
        metric: a key of the metrics record.
        by: ``"global_step"``, or ``"elapsed"`` for seconds of training.

    Raises:
        RunError: no such run, or none of them has the metric.
    """

    def __init__(self, runs: Any = FOLDER, metric: str = METRIC, by: str = "global_step") -> None:
        self._source = runs
        self._runs = load_all(runs)
        reader.aggregate(self._runs, metric, by, points=2)  # what cannot be shown is said now
        names = sorted({name for run in self._runs for name in run.metrics()} | {metric})
        self.metric = ipywidgets.Dropdown(options=names, value=metric, description="Metric")
        self.axis = ipywidgets.ToggleButtons(
            options=[("Steps", "global_step"), ("Wall clock", "elapsed")],
            value=by,
            tooltips=list(AXES.values()),
        )
        self.axis.style.button_width = "auto"
        self.again = ipywidgets.Button(description="Refresh", icon="refresh", tooltip="Read the runs again")
        self.export = ipywidgets.Button(
            description="Save", icon="save", tooltip=f"Write {', '.join(FILES)} beside the notebook"
        )
        for button in (self.again, self.export):
            button.layout.width = "auto"
        self.note = ipywidgets.Label()
        self.view = ipywidgets.HTML()
        self.table = Table(caption="The runs")
        row = [self.metric, self.axis, self.again, self.export, self.note]
        super().__init__([ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}), self.view, self.table])
        self.add_class("pb-compare")
        for control in (self.metric, self.axis):
            control.observe(lambda _: self._try(self.update), names="value")
        self.again.on_click(lambda _: self._try(self.refresh))
        self.export.on_click(lambda _: self._try(self.save))
        self.update()

    @property
    def figure(self) -> Any:
        """A matplotlib figure of what is shown: ``compare(runs).figure.savefig("runs.pdf")``."""
        return reader.figure(self._runs, self.metric.value, self.axis.value)

    def refresh(self) -> None:
        """Read the runs again: those that train have got further."""
        one_by_one = [run.path or run for run in self._runs]
        self._runs = load_all(self._source if isinstance(self._source, (str, PathLike)) else one_by_one)
        self.update()

    def update(self) -> None:
        """Draw anew."""
        page = reader.figure(self._runs, self.metric.value, self.axis.value, transparent=True)
        self.view.value = as_themed_svg(page, self._alt())
        self.table.show(reader.table(self._runs, self.metric.value))
        self.note.value = ""
        self.keep_picture()

    def save(self, folder: str | PathLike[str] = ".") -> list[Path]:
        """Write the figure (PNG, SVG) and the numbers (CSV: curves, table) to ``folder``. Returns the files."""
        png, svg = io.BytesIO(), io.BytesIO()
        figure = self.figure
        figure.savefig(png, format="png", dpi=200)
        figure.savefig(svg, format="svg")
        curves = reader.aggregate(self._runs, self.metric.value, self.axis.value)
        rows = reader.table(self._runs, self.metric.value)
        texts = (reader.csv_of_curves(curves).encode("utf-8"), reader.csv_of_table(rows).encode("utf-8"))
        paths = [Path(folder) / name for name in FILES]
        for path, data in zip(paths, (png.getvalue(), svg.getvalue(), *texts), strict=True):
            write_atomic(path, data)
        self.note.value = f"Saved {', '.join(FILES)} in {Path(folder).resolve().name}"
        return paths

    def picture(self) -> tuple[bytes | None, str]:
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue(), self._alt()

    def _alt(self) -> str:
        scores = reader.compare_scores(self._runs, self.metric.value)
        words = [f"{s.label} {s.value:.4g} ({s.low:.4g} to {s.high:.4g})" for s in scores]
        return (
            f"Comparison of {len(self._runs)} runs, interquartile mean of {self.metric.value}: "
            + "; ".join(words)
        )

    def _try(self, act: Any) -> None:
        try:
            act()
        except (PufferBenchError, OSError) as error:  # a control has no other place to say it
            self.note.value = str(error)

    def __repr__(self) -> str:
        return f"Comparison({len(self._runs)} runs, {self.metric.value})"


def compare(runs: Any = FOLDER, metric: str = METRIC, by: str = "global_step") -> Comparison:
    """``compare("runs")`` as the last line of a cell. See :class:`Comparison`."""
    return Comparison(runs, metric, by)


def as_themed_svg(page: Any, alt: str) -> str:
    """A figure of :func:`pufferbench.runs.figure` as SVG in the theme's colours, words as words."""
    import html

    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.fonttype": "none"}):
        page.savefig(file, format="svg", transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' width="[\d.]+pt"| height="[\d.]+pt"', "", text, count=2)
    for colour, name in THEME.items():
        text = text.replace(colour, f"var({name})")
    # What has no colour of its own is drawn in black
    label = html.escape(alt, quote=True)
    return text.replace(
        "<svg", f'<svg role="img" aria-label="{label}" style="width:100%;fill:var(--pb-text)"', 1
    )
