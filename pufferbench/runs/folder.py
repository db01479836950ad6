"""The runs in a folder, as plain data."""

from __future__ import annotations

import builtins
import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pufferbench.errors import did_you_mean
from pufferbench.records import Record, RunError, RunFolder

FOLDER = "runs"  # where `puffer train` puts them
WRITING = 30.0  # s since the last record after which an unfinished run no longer counts as being written


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        name: of its folder.
        path: the folder; None for a run that only exists in memory.
        config: what was trained, with which options, by section (config.toml).
        records: one metrics record per update, see :meth:`pufferbench.PuffeRL.mean_and_log`.
    """

    name: str
    path: Path | None
    config: dict[str, Any]

    @cached_property
    def records(self) -> Sequence[Record]:
        return RunFolder(self.path, self.config).records if self.path is not None else []

    @property
    def env(self) -> str:
        """The environment's name, "" where none is known."""
        return str(self.config.get("env", {}).get("id", ""))

    @property
    def seed(self) -> int | None:
        return self.config.get("train", {}).get("seed")

    @property
    def state(self) -> str:
        """``"finished"``, ``"training"`` (its last record is seconds old), ``"stopped"`` or ``"empty"``."""
        if not self.records:
            return "empty"
        last = self.records[-1]
        if last.get("global_step", 0) >= last.get("total_timesteps", float("inf")):
            return "finished"
        age = float("inf")
        if self.path is not None:
            age = time.time() - (self.path / "metrics.jsonl").stat().st_mtime
        return "training" if age < WRITING else "stopped"

    def last(self, metric: str) -> float | None:
        """The newest value of ``metric``, None when no record has it."""
        return next((r[metric] for r in reversed(self.records) if r.get(metric) is not None), None)

    def best(self, metric: str) -> float | None:
        """The highest value of ``metric``, None when no record has it."""
        return max((r[metric] for r in self.records if r.get(metric) is not None), default=None)

    def metrics(self) -> builtins.list[str]:
        """Names of the numbers in the records, in order of appearance."""
        names = {name: 0 for record in self.records for name, value in record.items() if _is_number(value)}
        return builtins.list(names)

    def __repr__(self) -> str:
        return f"Run({self.name}, {self.state}, {len(self.records)} updates)"


def list(folder: str | os.PathLike[str] = FOLDER) -> builtins.list[Run]:
    """All runs in ``folder``, the oldest first. A damaged one is left out, with a warning that says why.

    Raises:
        RunError: there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise RunError(
            f"there is no folder {place} (looked in {Path.cwd()}); trainings write one with "
            "PuffeRL(..., run_dir='runs/first') or puffer train"
        )
    found = []
    for config in place.glob("*/config.toml"):
        try:
            run = load(config.parent)
            len(run.records)  # a damaged line is found here, not later in the middle of a figure
        except RunError as error:
            warnings.warn(f"left out {config.parent}: {error}", stacklevel=2)
        else:
            found.append((config.stat().st_mtime_ns, run.name, run))
    return [run for _, _, run in sorted(found, key=lambda each: each[:2])]


def load(run: Any) -> Run:
    """A run, from its folder, its name in ``runs/``, a RunFolder, or a trainer that writes one.

    Raises:
        RunError: there is none.
    """
    if isinstance(run, Run):
        return run
    if isinstance(run, RunFolder):
        return Run(run.path.name, run.path, run.config)
    if hasattr(run, "mean_and_log"):
        if run.run is None:
            raise RunError(
                "this trainer writes no run folder: make it with PuffeRL(..., run_dir='runs/first')"
            )
        return load(run.run)
    path = Path(run)
    for place in (path, Path(FOLDER) / path):
        if (place / "config.toml").exists():
            return load(RunFolder.open(place))
    raise RunError(f"there is no run {str(run)!r}{_nearest(path)}")


def load_all(runs: Any) -> builtins.list[Run]:
    """Several runs: a folder of runs, or any mix of what :func:`load` takes.

    Raises:
        RunError: there is none, or two of them are the same.
    """
    if isinstance(runs, (str, os.PathLike)) and not (Path(runs) / "config.toml").exists():
        loaded = list(runs) if Path(runs).is_dir() else [load(runs)]
    elif isinstance(runs, (str, os.PathLike, Run, RunFolder)) or hasattr(runs, "mean_and_log"):
        loaded = [load(runs)]
    else:
        loaded = [load(run) for run in runs]
    if not loaded:
        raise RunError(f"no runs to compare{f' in {runs}' if isinstance(runs, (str, os.PathLike)) else ''}")
    for number, run in enumerate(loaded):
        if run.path is not None and any(run.path == other.path for other in loaded[:number]):
            raise RunError(f"run {run.path} is named twice")
    return loaded


def _nearest(path: Path) -> str:
    """What the folder around ``path`` has instead."""
    for place in (path.parent, Path(FOLDER)):
        names = sorted(config.parent.name for config in place.glob("*/config.toml"))
        if names:
            few = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            return f"{did_you_mean(path.name, names)} ({place} has {few})"
    return f" (looked in {Path.cwd()}, and in {FOLDER} there)"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
