"""What a panel remembers of a training, beside the curves: to diagnose it, and to say who changed what."""

from __future__ import annotations

from collections import deque
from typing import Any

from pufferbench.diagnosis import MEMORY
from pufferbench.runs import Change, changes
from pufferbench.widgets.charts import metric_charts, metric_names
from pufferbench.widgets.curves import curve_keys
from pufferbench.widgets.history import History


class TrainingLog:
    """Takes every metrics record; its size is bounded.

    Attributes:
        recent: the newest records.
        changes: of hyperparameters, the oldest first.
        metrics: names of the environment's own episode metrics.
        metric_history: their numbers, None where there are none.
    """

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=MEMORY)
        self.changes: deque[Change] = deque(maxlen=MEMORY)
        self.metrics: list[str] = []
        self.metric_history: History | None = None

    def append(self, record: dict[str, Any]) -> None:
        """One more record."""
        self.recent.append(record)
        self.changes.extend(changes([record]))
        new = [name for name in metric_names(record) if name not in self.metrics]
        if new:
            self.metrics += new
            self.metric_history = History(curve_keys(metric_charts(self.metrics)))
            for each in list(self.recent)[:-1]:
                self.metric_history.append(each)
        if self.metric_history is not None:
            self.metric_history.append(record)
