"""Submissions for the tests: a released notebook with other sources in some of its cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pufferbench import notebooks
from pufferbench.classroom.course import Course

WRONG = Path(__file__).parent / "wrong"


def cells(notebook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """grade_id -> cell, of those that nbgrader knows."""
    known = (cell for cell in notebook["cells"] if "nbgrader" in cell["metadata"])
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in known}


def reference(course: Course, assignment: str) -> dict[str, str]:
    """The solutions of the source notebook: grade_id -> source."""
    source = notebooks.read(course.root / "source" / assignment / f"{assignment}.ipynb")
    solutions = {
        name: cell for name, cell in cells(source).items() if cell["metadata"]["nbgrader"]["solution"]
    }
    return {name: "".join(cell["source"]) for name, cell in solutions.items()}


def wrong(assignment: str) -> dict[str, tuple[dict[str, str], dict[str, float]]]:
    """Typical wrong answers: name -> (cells that differ from the reference, points that they lose).

    ``wrong/bandit.py`` holds them as ``# %% name of the answer: cell``, and the first line of each cell says what it
    costs: ``# costs test_running_mean 2``.
    """
    found: dict[str, tuple[dict[str, str], dict[str, float]]] = {}
    text = (WRONG / f"{assignment}.py").read_text(encoding="utf-8")
    for part in re.split(r"^# %% ", text, flags=re.MULTILINE)[1:]:
        title, _, source = part.partition("\n")
        name, _, cell = title.partition(": ")
        changed, costs = found.setdefault(name, ({}, {}))
        changed[cell] = source.strip() + "\n"
        costs.update(
            {
                test: float(points)
                for test, points in re.findall(r"^# costs (\w+) (\d+)$", source, re.MULTILINE)
            }
        )
    return found


def submit(course: Course, folder: Path, student: str, assignment: str, answers: dict[str, str]) -> Path:
    """Write ``folder/STUDENT/ASSIGNMENT.ipynb``: what was released, with these cells."""
    notebook = notebooks.read(course.root / "release" / assignment / f"{assignment}.ipynb")
    known = cells(notebook)
    for name, source in answers.items():
        known[name]["source"] = source
    path = folder / student / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    notebooks.write(path, notebook)
    return path


def scores(course: Course, assignment: str, student: str) -> dict[str, float]:
    """Points of each graded cell, as the gradebook has them."""
    with course.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(assignment, assignment, student)
        return {grade.name: grade.score for grade in notebook.grades}
