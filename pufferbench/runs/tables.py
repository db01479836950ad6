"""Runs as rows: how far they got, what they reached, in what they differ; and CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pufferbench.runs.aggregate import Curve
from pufferbench.runs.folder import load_all
from pufferbench.runs.settings import differences

METRIC = "episode_return_100"


def table(runs: Any, metric: str = METRIC) -> list[dict[str, Any]]:
    """One row per run: ``run, state, env, seed, updates, steps, seconds, last, best``.

    ``seconds`` are of training; ``last`` and ``best`` are of ``metric``.
    Then come the :func:`differences`. None stands for what a run does not have.
    """
    loaded = load_all(runs)
    differing = differences(loaded)
    rows = []
    for number, run in enumerate(loaded):
        row = {
            "run": run.name,
            "state": run.state,
            "env": run.env,
            "seed": run.seed,
            "updates": run.last("update"),
            "steps": run.last("global_step"),
            "seconds": run.last("elapsed"),
            "last": run.last(metric),
            "best": run.best(metric),
        }
        rows.append(row | {name: values[number] for name, values in differing.items() if name != "env"})
    return rows


def csv_of_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV text, the first line with the names."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def csv_of_curves(curves: Sequence[Curve]) -> str:
    """Curves as CSV text in long form: ``group, <axis>, value, low, high, runs``."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["group", curves[0].by, "value", "low", "high", "runs"])
    for curve in curves:
        for point in zip(curve.x, curve.value, curve.low, curve.high, curve.count, strict=True):
            writer.writerow([curve.label, *(f"{number:.10g}" for number in point)])
    return file.getvalue()
