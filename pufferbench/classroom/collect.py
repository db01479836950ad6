"""What students handed in, copied into the course directory, where nbgrader looks for it.

A folder of submissions has a folder for each student. In it lie the notebooks, each alone or in a folder of its own::

    submissions/anna/bandit.ipynb
    submissions/anna/project/project.ipynb
    submissions/anna/project/run/          the training of the project: config.toml, metrics.jsonl, checkpoints/

Only these are taken. Whatever else lies there stays there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from pufferbench.classroom.course import Course, CourseError
from pufferbench.classroom.untrusted import Refused, read
from pufferbench.records import write_atomic

NOTEBOOK_MB = 10.0
RUN = "run"
# Of a run folder: pattern -> the largest file, MB
RUN_FILES = {"config.toml": 1.0, "metrics.jsonl": 50.0}
CHECKPOINT_MB = 50.0
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
                found.append(_take(course, folder, place, Submission(home.name, assignment)))
    if not found:
        raise CourseError(
            f"{folder} has no submission: expected {folder}/STUDENT/{released[0]}.ipynb "
            f"(released: {', '.join(released)})"
        )
    return found


def _take(course: Course, folder: Path, place: Path, submission: Submission) -> Submission:
    """Copy one submission, file by file."""
    target = course.root / "submitted" / submission.student / submission.assignment
    name = f"{submission.assignment}.ipynb"
    try:
        data = read(place / name, folder, NOTEBOOK_MB)
        _check_notebook(name, data)
    except Refused as refused:
        submission.problems.append(str(refused))
        return submission
    submission.taken = True
    submission.changed = _put(target / name, data)
    limits = {place / RUN / part: megabytes for part, megabytes in RUN_FILES.items()}
    checkpoints = sorted((place / RUN / "checkpoints").glob("*.safetensors"))
    limits |= dict.fromkeys(checkpoints[-1:], CHECKPOINT_MB)  # the latest one is the agent
    for path, megabytes in limits.items():
        if path.exists() or path.is_symlink():
            try:
                submission.changed |= _put(target / path.relative_to(place), read(path, folder, megabytes))
            except Refused as refused:
                submission.problems.append(f"run: {refused}")
    for old in (target / RUN / "checkpoints").glob("*"):
        if not any(old.name == path.name for path in checkpoints[-1:]):
            old.unlink()
    return submission


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
