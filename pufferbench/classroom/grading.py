"""Autograde and feedback for a whole class, and the grades.

Each submission is graded in a process of its own, several at once: nbgrader starts a kernel in it, which runs the
student's notebook with the tests put back as they were. The gradebook is a database; who finds it busy waits.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from pufferbench.classroom.children import python
from pufferbench.classroom.collect import Submission, collect
from pufferbench.classroom.course import Course, what_went_wrong
from pufferbench.records import write_atomic
from pufferbench.system import cores

GRADES = "grades.csv"
LONGEST = 1800.0  # s for one notebook; nbgrader itself stops each cell that takes too long


@dataclass(frozen=True)
class Graded:
    """One submission after grading.

    Attributes:
        again: whether its notebook was run; else it was as before, and only its feedback was written anew.
        seconds: wall time.
        error: why it could not be graded, "" when it was.
    """

    student: str
    assignment: str
    again: bool
    seconds: float
    error: str = ""


def grade(
    course: Course, folder: Path, progress: Callable[[int, int], object] = lambda done, of: None
) -> tuple[list[Submission], list[Graded]]:
    """Collect, autograde what is new, write everybody's feedback and ``grades.csv``.

    Feedback is written again for all, because a person may have read a reflection since.
    """
    submissions = collect(course, folder)
    jobs = [(submission, _is_new(course, submission)) for submission in submissions if submission.taken]
    graded = []
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        waiting = [pool.submit(_grade_in_child, course, submission, again) for submission, again in jobs]
        for job in as_completed(waiting):
            graded.append(job.result())
            progress(len(graded), len(jobs))
    write_atomic(course.root / GRADES, grades_csv(course).encode("utf-8"))
    return submissions, sorted(graded, key=lambda one: (one.student, one.assignment))


def _is_new(course: Course, submission: Submission) -> bool:
    done = course.root / "autograded" / submission.student / submission.assignment
    return submission.changed or not any(done.glob("*.ipynb"))


def _grade_in_child(course: Course, submission: Submission, again: bool) -> Graded:
    start = time.monotonic()
    names = (submission.assignment, submission.student)
    command = python(
        "pufferbench.classroom.grading", str(course.root), *names, "again" if again else "feedback"
    )
    try:
        child = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LONGEST, check=False)
        error = (
            json.loads(child.stdout)
            if child.returncode == 0
            else f"its process failed:\n{child.stderr[-2000:]}"
        )
    except subprocess.TimeoutExpired:
        error = f"it took more than {LONGEST / 60:.0f} minutes, and was stopped"
    return Graded(submission.student, submission.assignment, again, time.monotonic() - start, error)


def main(arguments: Sequence[str]) -> None:
    """The child: ``COURSE ASSIGNMENT STUDENT again|feedback``. Prints what went wrong, "" for nothing, as JSON."""
    root, assignment, student, what = arguments
    outcome = {"success": True}
    with contextlib.redirect_stdout(sys.stderr):  # the answer alone goes to the standard output
        api = Course(Path(root)).api()
        if what == "again":
            outcome = api.autograde(assignment, student, force=True, create=True)
        if outcome["success"]:
            outcome = api.generate_feedback(assignment, student, force=True)
    print(json.dumps("" if outcome["success"] else what_went_wrong(outcome)))


def grades_csv(course: Course) -> str:
    """A row for each student: points for each assignment (empty: not handed in), their sum, answers still unread."""
    with course.gradebook() as gradebook:
        assignments = sorted(gradebook.assignments, key=lambda assignment: assignment.name)
        rows: list[list[object]] = [["student", *(a.name for a in assignments), "total", "unread"]]
        highest = [a.max_score for a in assignments]
        rows.append(["(points possible)", *map(_number, highest), _number(sum(highest)), ""])
        scores = {(s.student.id, s.assignment.name): s for a in assignments for s in a.submissions}
        for student in sorted(gradebook.students, key=lambda student: student.id):
            own = [scores.get((student.id, assignment.name)) for assignment in assignments]
            total = sum(submission.score for submission in own if submission is not None)
            cells = ["" if submission is None else _number(submission.score) for submission in own]
            unread = sum(_unread(submission) for submission in own if submission is not None)
            rows.append([student.id, *cells, _number(total), unread])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _unread(submission: object) -> int:
    return sum(grade.needs_manual_grade for notebook in submission.notebooks for grade in notebook.grades)  # type: ignore[attr-defined]


def _number(value: float) -> str:
    return f"{value:g}"
