"""Reading what trainings left behind, and saying honestly what a few of them show.

::

    from pufferbench import runs

    runs.list("runs")                       # every run folder there, the oldest first
    run = runs.load("runs/ocean-breakout-20260131-142500")
    runs.table(runs.list())                 # one row per run: where it got to, and what differs
    runs.changes(run.records)               # who changed which hyperparameter when
    runs.aggregate(runs.list())             # curves with bands over seeds
    runs.compare_scores(runs.list())        # interquartile means with intervals, performance profiles
    runs.figure(runs.list())                # all of it as one matplotlib figure

Nothing here needs torch, and a run that is still being written, or that was killed, is read as far as it goes.
"""

from pufferbench.runs.aggregate import Curve, Score, aggregate, compare_scores
from pufferbench.runs.changes import Change, changes
from pufferbench.runs.figure import figure
from pufferbench.runs.folder import FOLDER, Run, list, load
from pufferbench.runs.scores import bootstrap, iqm, performance_profile
from pufferbench.runs.tables import csv_of_curves, csv_of_table, differences, table

__all__ = [
    "FOLDER",
    "Change",
    "Curve",
    "Run",
    "Score",
    "aggregate",
    "bootstrap",
    "changes",
    "compare_scores",
    "csv_of_curves",
    "csv_of_table",
    "differences",
    "figure",
    "iqm",
    "list",
    "load",
    "performance_profile",
    "table",
]
