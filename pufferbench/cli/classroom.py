"""``puffer class``: a course directory for nbgrader, and a whole class graded in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pufferbench.classroom.course import Course, new
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.errors import did_you_mean

Positional = tyro.conf.Positional


@dataclass
class NewOptions:
    """Make a course directory of your own: all assignments with their solutions, and nbgrader's settings."""

    folder: Annotated[Path, Positional] = Path("rl-course")
    """Where; it must be new or empty."""


@dataclass
class ReleaseOptions:
    """Write the students' versions, without solutions and hidden tests, to COURSE/release."""

    assignments: Annotated[list[str], Positional] = field(default_factory=list)
    """Which; default: all."""
    course: Path = Path()
    """The course directory; default: this folder."""


@dataclass
class GradeOptions:
    """Collect what students handed in, run their notebooks with all tests, write feedback and COURSE/grades.csv.

    Only what is new is run again. Notebooks of students are programs: they run with your rights, so grade on a machine
    or account that holds nothing else (the README of the course directory says how).
    """

    submissions: Annotated[Path, Positional]
    """A folder with a folder for each student: submissions/anna/bandit.ipynb"""
    course: Path = Path()
    """The course directory; default: this folder."""


@dataclass
class ReportOptions:
    """Play every submitted agent for the leaderboard, and write COURSE/report.html and COURSE/leaderboard.csv.

    Points, tasks that were hard, slow cells, the leaderboard, and runs that look alike. What is played and for how long
    says COURSE/leaderboard.toml.
    """

    course: Path = Path()
    """The course directory; default: this folder."""


def main(arguments: list[str]) -> int:
    """``puffer class new | release | grade | report``; grade says by its status whether all were graded."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        if arguments:
            raise SystemExit(0)
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        raise UsageError(
            f"no command {command!r}{did_you_mean(command, COMMANDS)} (it has: {', '.join(COMMANDS)})"
        )
    return COMMANDS[command](rest)


def _help() -> str:
    lines = "\n".join(f"  {name:<9}{(run.__doc__ or '').splitlines()[0]}" for name, run in COMMANDS.items())
    needs = "For teachers; it needs nbgrader: pip install 'pufferbench[class]'"
    return f"usage: puffer class COMMAND ...\n\n{needs}\n\n{lines}"


def _new(arguments: list[str]) -> int:
    """a course directory of your own, from the shipped one"""
    options = tyro.cli(NewOptions, args=arguments, prog="puffer class new")
    course = new(options.folder)
    screen = console()
    found = f"{options.folder} holds {len(course.assignments())} assignments. In it:"
    screen.print(found, highlight=False, soft_wrap=True)
    for line, what in (
        ("puffer class release", "students' versions, to be handed out: release/"),
        ("puffer class grade SUBMISSIONS", "points, feedback/, grades.csv"),
        ("README.md", "the teacher's guide"),
    ):
        screen.print(f"  {line:<32}{what}", highlight=False, soft_wrap=True)
    return 0


def _release(arguments: list[str]) -> int:
    """students' versions, without solutions and hidden tests"""
    options = tyro.cli(ReleaseOptions, args=arguments, prog="puffer class release")
    course = Course(options.course)
    screen = console()
    for name in course.choose(options.assignments):
        with screen.status(name):
            folder = course.release(name)
        screen.print(f"{name:<16} {folder}", highlight=False, soft_wrap=True)
    return 0


def _grade(arguments: list[str]) -> int:
    """collect, run the tests, write feedback and grades"""
    from pufferbench.classroom import grading

    options = tyro.cli(GradeOptions, args=arguments, prog="puffer class grade")
    course = Course(options.course)
    screen = console()
    with _progress(screen, "grading") as told:
        submissions, graded = grading.grade(course, options.submissions, told)
    table = Table(title=f"{len(graded)} submissions")
    for column in ("student", "assignment", "", "s"):
        table.add_column(column, justify="right" if column == "s" else "left")
    for one in graded:
        done = "[red]failed[/]" if one.error else "graded" if one.again else "as before"
        table.add_row(escape(one.student), one.assignment, done, f"{one.seconds:.1f}")
    screen.print(table)
    failed = [one for one in graded if one.error]
    for submission in submissions:
        for problem in submission.problems:
            screen.print(
                f"{submission.student}, {submission.assignment}: {problem}", style="yellow", markup=False
            )
    for one in failed:
        screen.print(f"{one.student}, {one.assignment}: {one.error}", style="red", markup=False)
    where = f"Points: {course.root / grading.GRADES}\nFeedback: {course.root / 'feedback'}"
    screen.print(where, highlight=False, soft_wrap=True)
    return 1 if failed or not all(submission.taken for submission in submissions) else 0


def _report(arguments: list[str]) -> int:
    """a page about the class, and the leaderboard of the project"""
    from pufferbench.classroom import leaderboard, report

    options = tyro.cli(ReportOptions, args=arguments, prog="puffer class report")
    course = Course(options.course)
    screen = console()
    with _progress(screen, "playing submitted agents") as told:
        entries = leaderboard.leaderboard(course, told)
    if entries:
        table = Table(title=f"Leaderboard: {leaderboard.rules(course).env}")
        for column in ("place", "student", "score", "not played, because"):
            table.add_column(column)
        for place, entry in enumerate(entries, 1):
            played = (str(place), escape(entry.student), f"{entry.mean:.1f} ± {entry.error:.1f}", "")
            table.add_row(
                *(("", escape(entry.student), "", escape(entry.refused)) if entry.refused else played)
            )
        screen.print(table)
        if not all(entry.cut or entry.refused for entry in entries):
            screen.print(
                "This system did not cut the network of the players; Python alone refused it.", style="yellow"
            )
    screen.print(f"Report: {report.write(course, entries)}", highlight=False, soft_wrap=True)
    return 0


@contextmanager
def _progress(screen: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with the count and the time so far; call what it yields with (done, of)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "new": _new,
    "release": _release,
    "grade": _grade,
    "report": _report,
}
