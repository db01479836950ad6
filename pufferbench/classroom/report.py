"""One page about a class: points, tasks that were hard, cells that are slow, the leaderboard, runs that look alike."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from pufferbench import notebooks
from pufferbench.classroom.course import Course, CourseError
from pufferbench.classroom.curves import CAUTION, alike
from pufferbench.classroom.leaderboard import Entry
from pufferbench.records import write_atomic

REPORT = "report.html"
SLOWEST = 10


@dataclass(frozen=True)
class Task:
    """A graded cell.

    Attributes:
        got: points of each student who handed in, as far as they are known.
        unread: answers that wait for a reader.
    """

    assignment: str
    name: str
    possible: float
    got: list[float]
    unread: int


@dataclass(frozen=True)
class Slow:
    """A cell, and how long it took when it was graded, s."""

    assignment: str
    cell: str
    median: float
    longest: float
    student: str


def points(course: Course) -> dict[str, tuple[float, list[float]]]:
    """assignment -> (points possible, the points of everybody who handed in)."""
    with course.gradebook() as gradebook:
        return {
            assignment.name: (
                assignment.max_score,
                [submission.score for submission in assignment.submissions],
            )
            for assignment in sorted(gradebook.assignments, key=lambda assignment: assignment.name)
        }


def tasks(course: Course) -> list[Task]:
    """Every graded cell of every assignment that somebody handed in."""
    found: dict[tuple[str, str], Task] = {}
    with course.gradebook() as gradebook:
        for assignment in sorted(gradebook.assignments, key=lambda assignment: assignment.name):
            grades = (g for s in assignment.submissions for notebook in s.notebooks for g in notebook.grades)
            for grade in grades:
                key = (assignment.name, grade.name)
                task = found.setdefault(key, Task(*key, grade.max_score, [], 0))
                if grade.needs_manual_grade:
                    found[key] = Task(*key, task.possible, task.got, task.unread + 1)
                else:
                    task.got.append(grade.score)
    return list(found.values())


def slowest(course: Course) -> list[Slow]:
    """The cells that took longest, by the median of the class: what to make cheaper next year."""
    took: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for path in sorted(course.root.glob("autograded/*/*/*.ipynb")):
        for cell in notebooks.read(path)["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id") or cell.get("id", "")
            seconds = _seconds(cell["metadata"].get("execution", {}))
            if seconds is not None and name:
                took.setdefault((path.parent.name, name), []).append((seconds, path.parent.parent.name))
    found = [Slow(*key, statistics.median(s for s, _ in times), *max(times)) for key, times in took.items()]
    return sorted(found, key=lambda slow: -slow.median)[:SLOWEST]


def _seconds(execution: Mapping[str, str]) -> float | None:
    try:
        start, stop = (
            datetime.fromisoformat(execution[name]) for name in ("iopub.execute_input", "shell.execute_reply")
        )
    except KeyError:  # it was not run
        return None
    return (stop - start).total_seconds()


def write(course: Course, entries: list[Entry]) -> Path:
    """Write ``report.html``: one file, which needs nothing else, not even the net.

    Raises:
        CourseError: nothing has been graded.
    """
    graded = {name: both for name, both in points(course).items() if both[1]}
    if not graded:
        raise CourseError(f"nothing of {course.root} is graded yet: puffer class grade SUBMISSIONS")
    rows = [
        (name, len(got), f"{highest:g}", f"{statistics.fmean(got):.1f}", f"{statistics.median(got):.1f}")
        for name, (highest, got) in graded.items()
    ]
    hard = [
        (
            task.assignment,
            task.name,
            f"{task.possible:g}",
            f"{statistics.fmean(task.got) / task.possible:.0%}" if task.got and task.possible else "",
            task.unread or "",
        )
        for task in tasks(course)
    ]
    slow = [(s.assignment, s.cell, f"{s.median:.1f}", f"{s.longest:.1f}", s.student) for s in slowest(course)]
    parts = [
        "<h1>The class</h1><h2>Points</h2>",
        _picture(graded),
        _table(("assignment", "handed in", "possible", "mean", "median"), rows),
        "<h2>Tasks</h2><p>Where many lost points there is something to explain again.</p>",
        _table(("assignment", "task", "possible", "got, of the possible", "unread"), hard),
        "<h2>Slowest cells</h2><p>Seconds on the machine that graded, while others were graded too. They count in no"
        " grade.</p>",
        _table(("assignment", "cell", "median, s", "longest, s", "whose"), slow),
    ]
    if entries:
        parts += [_leaderboard(entries), _alike(entries)]
    page = _PAGE.format(body="\n".join(parts))
    write_atomic(course.root / REPORT, page.encode("utf-8"))
    return course.root / REPORT


def _leaderboard(entries: list[Entry]) -> str:
    places = [
        (place, entry.student, f"{entry.mean:.1f} ± {entry.error:.1f}", f"{entry.steps:,}", "")
        if not entry.refused
        else ("", entry.student, "", "", entry.refused)
        for place, entry in enumerate(entries, 1)
    ]
    return (
        "<h2>Leaderboard</h2><p>Mean score on games with secret seeds, and its standard error: who is nearer than twice"
        " that is not told apart. The steps are what the run says of itself; the weights do not show them. Points for"
        " the budget were given for training again.</p>"
        + _table(("place", "student", "score", "steps (as the run says)", "not played, because"), places)
    )


def _alike(entries: list[Entry]) -> str:
    pairs = [
        (
            pair.first,
            pair.second,
            f"{pair.difference:.1%}",
            "equal" if pair.same_weights else "differ",
            "equal, seed too" if pair.same_settings else "differ",
        )
        for pair in alike(entries)
    ]
    found = (
        _table(("student", "student", "curves differ by", "weights", "settings"), pairs)
        if pairs
        else "<p>None.</p>"
    )
    return (
        f"<h2>Runs that look alike</h2><p><strong>No proof of anything.</strong> {escape(CAUTION)}</p>{found}"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """HTML; everything in it is escaped: names and reasons come from students."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"


def _picture(graded: Mapping[str, tuple[float, list[float]]]) -> str:
    """A strip for each assignment: every student a dot, their median a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.9 + 0.4 * len(graded)), layout="constrained")
    axes = figure.subplots()
    for row, (highest, got) in enumerate(graded.values()):
        shares = sorted(100 * score / highest for score in got)
        # Equal scores beside each other, so that they can be counted
        above = [shares[:number].count(share) for number, share in enumerate(shares)]
        axes.plot(
            shares, [row + 0.12 * (n % 5) - 0.2 for n in above], "o", color="#0072B2", markersize=5, alpha=0.7
        )
        axes.plot([statistics.median(shares)] * 2, [row - 0.35, row + 0.35], color="#D55E00", linewidth=2)
    axes.set(
        xlim=(-3, 103), ylim=(len(graded) - 0.5, -0.5), xlabel="points, % of the possible (line: median)"
    )
    axes.set_yticks(range(len(graded)), list(graded))
    axes.grid(axis="x", alpha=0.3)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    image = base64.b64encode(file.getvalue()).decode()
    alt = "Points of every student, a row of dots for each assignment; the numbers are in the table below"
    return f'<img alt="{alt}" src="data:image/png;base64,{image}">'


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The class</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: left; padding: 0.25rem 0.8rem; border-bottom: 1px solid #8885; vertical-align: top; }}
img {{ max-width: 100%; background: white; }}
</style></head><body>
{body}
</body></html>
"""
