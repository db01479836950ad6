"""Several runs as one curve with a band, and as one number with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pufferbench.errors import did_you_mean
from pufferbench.records import RunError
from pufferbench.runs.folder import Run, load_all
from pufferbench.runs.scores import Scores, bootstrap, iqm
from pufferbench.runs.settings import groups

METRIC = "episode_return_100"
AXES = {"global_step": "environment steps", "elapsed": "training time, s"}
POINTS = 200


@dataclass(frozen=True)
class Curve:
    """The runs of one group, brought to common points of the x axis.

    Attributes:
        label: what tells the group from the others.
        by: the x axis, ``"global_step"`` or ``"elapsed"`` (s).
        x, value, low, high: ``[points]``: the interquartile mean of the runs, and its 95 % bootstrap interval. With one
            run, low and high are its value.
        count: ``[points]``: how many runs have got there. Where it falls, a run had ended before.
        runs: their names.
    """

    label: str
    by: str
    x: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """What the runs of one group reached.

    Attributes:
        label: what tells the group from the others.
        value: the interquartile mean over all of its runs.
        low, high: its 95 % stratified bootstrap interval.
        scores: of the runs, by environment.
    """

    label: str
    value: float
    low: float
    high: float
    scores: Scores


def aggregate(runs: Any, metric: str = METRIC, by: str = "global_step", points: int = POINTS) -> list[Curve]:
    """One curve per group of runs that differ in nothing but their seed.

    Args:
        runs: a folder of runs, or a list of what :func:`pufferbench.runs.load` takes.
        metric: a key of the metrics record.
        by: ``"global_step"``, or ``"elapsed"`` for seconds of training.
        points: how many points of the x axis.

    Raises:
        RunError: no such run, or none of them has the metric.
        ValueError: ``by`` is something else.
    """
    if by not in AXES:
        raise ValueError(f"by must be one of {', '.join(AXES)}, not {by!r}{did_you_mean(by, AXES)}")
    found = groups(measured(runs, metric))
    return [_curve(label, members, metric, by, points) for label, members in found.items()]


def compare_scores(runs: Any, metric: str = METRIC) -> list[Score]:
    """The interquartile mean of the last ``metric`` of each group's runs, with its interval.

    Where the runs are of several environments, a group has runs of all of them, and the scores of each environment are
    brought to 0 (its worst run) .. 1 (its best).

    Raises:
        RunError: no such run, or none of them has the metric.
    """
    loaded = measured(runs, metric)
    envs = {run.env for run in loaded}
    score = {id(run): float(run.last(metric)) for run in loaded}  # type: ignore[arg-type]
    if len(envs) > 1:
        for env in envs:
            own = [run for run in loaded if run.env == env]
            worst, best = min(score[id(run)] for run in own), max(score[id(run)] for run in own)
            score |= {id(run): (score[id(run)] - worst) / ((best - worst) or 1.0) for run in own}
    result = []
    for label, members in groups(loaded, across_envs=True).items():
        by_env: dict[str, list[float]] = {}
        for run in members:
            by_env.setdefault(run.env, []).append(score[id(run)])
        low, high = bootstrap(by_env)
        everything = [value for values in by_env.values() for value in values]
        result.append(Score(label, float(iqm(everything)), float(low), float(high), by_env))
    return result


def measured(runs: Any, metric: str) -> list[Run]:
    """Those of ``runs`` that have the metric; RunError when none has."""
    loaded = load_all(runs)
    having = [run for run in loaded if run.last(metric) is not None]
    if not having:
        known = {name: 0 for run in loaded for name in run.metrics()}
        if not known:
            raise RunError("none of these runs has finished an update yet")
        raise RunError(f"no run has {metric!r}{did_you_mean(metric, known)} (they have {', '.join(known)})")
    return having


def _curve(label: str, runs: Sequence[Run], metric: str, by: str, points: int) -> Curve:
    lines = [_line(run.records, metric, by) for run in runs]
    x = np.linspace(min(line[0][0] for line in lines), max(line[0][-1] for line in lines), points)
    # Beyond its own end a run has no value: NaN, not its last one for ever
    values = np.stack([np.interp(x, *line, left=np.nan, right=np.nan) for line in lines])  # [runs, points]
    there = np.isfinite(values)
    value, low, high = (np.full(points, np.nan) for _ in range(3))
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        if pattern.any():
            place = which.ravel() == number
            own = values[pattern][:, place]
            value[place] = iqm(own, axis=0)
            low[place], high[place] = (
                bootstrap({"": own}, repetitions=500) if len(own) > 1 else (own[0], own[0])
            )
    return Curve(label, by, x, value, low, high, there.sum(axis=0), tuple(run.name for run in runs))


def _line(records: Sequence[Mapping[str, Any]], metric: str, by: str) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(r[by], r[metric]) for r in records if r.get(metric) is not None and r.get(by) is not None]
    x, y = np.array(pairs, np.float64).T
    return x, y
