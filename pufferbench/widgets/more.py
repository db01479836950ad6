"""What a panel has below its knobs: who changed what, the game's own metrics, a branch, and other runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ipywidgets

from pufferbench import runs
from pufferbench.errors import PufferBenchError
from pufferbench.widgets.branching import Branches
from pufferbench.widgets.charts import metric_charts
from pufferbench.widgets.controls import LABELS
from pufferbench.widgets.curves import Curves
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.log import TrainingLog
from pufferbench.widgets.session import Session
from pufferbench.widgets.table import Table


class Timeline(Table):
    """Which hyperparameter was changed when, by whom."""

    def __init__(self) -> None:
        super().__init__(
            caption="Changes of hyperparameters, the newest first",
            empty="No hyperparameter has been changed. Move a slider: what you do is noted here.",
        )
        self._shown = 0

    def follow(self, log: TrainingLog) -> None:
        if len(log.changes) != self._shown:
            self._shown = len(log.changes)
            self.show([row_of(change) for change in reversed(log.changes)])


def row_of(change: runs.Change) -> dict[str, Any]:
    """A change as a row of the timeline."""
    return {
        "update": change.update,
        "step": change.global_step,
        "hyperparameter": LABELS.get(change.option, change.option),
        "from": change.old,
        "to": change.new,
        "by": change.by,
    }


class Metrics(ipywidgets.VBox):
    """Curves of the environment's own episode metrics, once it is known which it has."""

    def __init__(self) -> None:
        self._none = ipywidgets.HTML("This environment has reported no metrics of its own yet.")
        self.curves: Curves | None = None
        super().__init__([self._none])

    def follow(self, log: TrainingLog) -> None:
        if log.metric_history is None:
            return
        if self.curves is None or self.curves.history is not log.metric_history:
            old, self.curves = self.curves, Curves(metric_charts(log.metrics), log.metric_history, 110, 4)
            answer_during_cells(self.curves)
            self.children = (self.curves,)
            if old is not None:
                old.close()
        self.curves.flush()


class Runs(ipywidgets.VBox):
    """The run folders beside this training's, read when the table is opened or refreshed."""

    def __init__(self, trainer: Any) -> None:
        self._folder = trainer.run.path.parent if trainer.run is not None else Path(runs.FOLDER)
        self._own = None if trainer.run is None else trainer.run.path.name
        self.table = Table(caption=f"Runs in {self._folder}", empty="")
        self.button = ipywidgets.Button(
            description="Refresh",
            icon="refresh",
            tooltip="Read the run folders again",
            layout={"width": "auto"},
        )
        self.button.on_click(lambda _: self.refresh())
        super().__init__([self.button, self.table])

    def refresh(self) -> None:
        """Read the folders again."""
        try:
            found = runs.list(self._folder)
        except PufferBenchError:
            found = []
        self.table.empty = (
            f"No runs in {self._folder}: PuffeRL(..., run_dir='{self._folder / 'first'}') writes one."
        )
        if found:
            rows = runs.table(found)
            self.table.show(rows, ["var(--pb-blue)" if row["run"] == self._own else "" for row in rows])


class More(ipywidgets.Tab):
    """The four of them as tabs.

    Attributes:
        timeline, metrics, branching, runs: what is in them.
    """

    def __init__(self, session: Session) -> None:
        self.timeline, self.metrics = Timeline(), Metrics()
        self.branching, self.runs = Branches(session), Runs(session.trainer)
        parts = {
            "Timeline": self.timeline,
            "Episode metrics": self.metrics,
            "Branch, A/B": self.branching,
            "Runs": self.runs,
        }
        super().__init__(list(parts.values()), titles=list(parts), selected_index=0)
        self.add_class("pb-more")
        self.observe(self._opened, names="selected_index")

    def follow(self, log: TrainingLog) -> None:
        """After updates, once in a while."""
        self.timeline.follow(log)
        self.metrics.follow(log)

    def leave(self) -> None:
        """The panel goes off the page."""
        self.branching.leave()

    def _opened(self, change: dict[str, Any]) -> None:
        if (
            self.children[change["new"] or 0] is self.runs
        ):  # files of many megabytes, maybe: not in this thread
            threading.Thread(target=self.runs.refresh, name="pufferbench-runs", daemon=True).start()
