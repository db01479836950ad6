"""What students handed in, copied into the course directory, where nbgrader looks for it.

A folder of submissions has a folder for each student. In it lie the notebooks, each alone or in a folder of its own::

    submissions/anna/bandit.ipynb
    submissions/anna/project/project.ipynb
    submissions/anna/project/run/          the training of the project: config.toml, metrics.jsonl, checkpoints/

``run`` belongs to the assignment of the leaderboard, beside whose notebook it lies. Only these are taken. Whatever
else lies there stays there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from pufferbench.classroom.course import Course, CourseError
from pufferbench.classroom.rules import rules
from pufferbench.classroom.untrusted import CHECKPOINT_MB, METRICS_MB, Refused, read
from pufferbench.records import write_atomic

NOTEBOOK_MB = 10.0
RUN = "run"
# Of a run folder: pattern -> the largest file, MB
RUN_FILES = {"config.toml": 1.0, "metrics.jsonl": METRICS_MB}
_STUDENT = re.compile(r"\w([\w .@-]*[\w.@-])?")  # it becomes the name of folders


@dataclass
class Submission:
    """What one student handed in for one assignment.

    Attributes:
        changed: whether it differs from what was collected before.
        problems: what was not taken, and why.
        taken: whether there is a notebook to grade.
    """

    student: str
    assignment: str
    changed: bool = False
    problems: list[str] = field(default_factory=list)
    taken: bool = False


def collect(course: Course, folder: Path) -> list[Submission]:
    """Copy what is new in ``folder`` to ``submitted/STUDENT/ASSIGNMENT/``; what is there and unchanged stays.

    Raises:
        CourseError: there is no such folder, nothing in it, or nothing has been released.
    """
    released = course.released()
    if not released:
        raise CourseError(f"no assignment of {course.root} is released yet: puffer class release")
    if not folder.is_dir():
        raise CourseError(f"there is no folder of submissions {folder} (it holds a folder for each student)")
    project = rules(course).assignment
    found = []
    for home in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if not _STUDENT.fullmatch(home.name):
            allowed = "letters, digits, spaces and . _ - @"
            problem = f"{home.name!r} cannot be a student's name here, so nothing was taken; use {allowed}"
            found.append(Submission(home.name, "", problems=[problem]))
            continue
        for assignment in released:
            place = home / assignment if (home / assignment).is_dir() else home
            if (place / f"{assignment}.ipynb").exists() or (place / f"{assignment}.ipynb").is_symlink():
                submission = Submission(home.name, assignment)
                _take_notebook(course, folder, place, submission)
                if submission.taken and assignment == project:
                    _take_run(course, folder, place, submission)
                found.append(submission)
    if not found:
        raise CourseError(
            f"{folder} has no submission: expected {folder}/STUDENT/{released[0]}.ipynb "
            f"(released: {', '.join(released)})"
        )
    return found


def _take_notebook(course: Course, folder: Path, place: Path, submission: Submission) -> None:
    name = f"{submission.assignment}.ipynb"
    try:
        data = read(place / name, folder, NOTEBOOK_MB)
        _check_notebook(name, data)
    except Refused as refused:
        submission.problems.append(str(refused))
    else:
        submission.taken = True
        submission.changed = _put(_target(course, submission) / name, data)


def _take_run(course: Course, folder: Path, place: Path, submission: Submission) -> None:
    """Copy a run folder, file by file; of the checkpoints the latest, which is the agent."""
    target = _target(course, submission)
    limits = {place / RUN / part: megabytes for part, megabytes in RUN_FILES.items()}
    checkpoints = sorted((place / RUN / "checkpoints").glob("*.safetensors"))[-1:]
    limits |= dict.fromkeys(checkpoints, CHECKPOINT_MB)
    for path, megabytes in limits.items():
        if path.exists() or path.is_symlink():
            try:
                submission.changed |= _put(target / path.relative_to(place), read(path, folder, megabytes))
            except Refused as refused:
                submission.problems.append(f"run: {refused}")
    for old in (target / RUN / "checkpoints").glob("*"):
        if old.name not in [path.name for path in checkpoints]:
            old.unlink()


def _target(course: Course, submission: Submission) -> Path:
    return course.root / "submitted" / submission.student / submission.assignment


def _check_notebook(name: str, data: bytes) -> None:
    try:
        contents = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is not a notebook: {error}") from error
    if (
        not isinstance(contents, dict)
        or contents.get("nbformat") != 4
        or not isinstance(contents.get("cells"), list)
    ):
        raise Refused(f"{name} is not a notebook of format 4 (the one that Jupyter writes)")


def _put(path: Path, data: bytes) -> bool:
    """Write the file where it is new; returns whether it was."""
    if path.is_file() and path.read_bytes() == data:
        return False
    write_atomic(path, data)
    return True
