"""What students get: no solution, no hidden test, and nothing that a teacher did not mean to hand out."""

from __future__ import annotations

import re

import pytest
from classroom.answers import cells

from pufferbench import notebooks
from pufferbench.classroom.course import Course, CourseError, new, shipped

pytestmark = pytest.mark.classroom
NAMES = sorted(path.parent.name for path in shipped().glob("source/*/*.ipynb"))


@pytest.mark.parametrize("name", NAMES)
def test_the_students_version_holds_no_solution_and_no_hidden_test(course: Course, name: str) -> None:
    source = cells(notebooks.read(course.root / "source" / name / f"{name}.ipynb"))
    released = notebooks.read(course.root / "release" / name / f"{name}.ipynb")
    text = "\n".join("".join(cell["source"]) for cell in released["cells"])
    assert "SOLUTION" not in text and "HIDDEN" not in text
    removed = 0
    for grade_id, cell in source.items():
        kept = "".join(cells(released)[grade_id]["source"])
        parts = re.findall(
            r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", "".join(cell["source"]), re.DOTALL
        )
        for part in parts:
            removed += 1
            assert part.strip() not in kept
    assert removed >= 8, "the source has solutions and hidden tests to lose"


@pytest.mark.parametrize("name", NAMES)
def test_an_assignment_is_complete(name: str) -> None:
    """Every solution cell is empty in the student's version, every test is worth something, one answer is in words."""
    source = notebooks.read(shipped() / "source" / name / f"{name}.ipynb")
    words = tests = 0
    for grade_id, cell in cells(source).items():
        about, text = cell["metadata"]["nbgrader"], "".join(cell["source"])
        if about["solution"]:
            assert text.count("### BEGIN SOLUTION") == text.count("### END SOLUTION") > 0, grade_id
        if about["grade"]:
            assert about["points"] > 0, grade_id
            words += cell["cell_type"] == "markdown"
            if cell["cell_type"] == "code":
                tests += 1
                assert "### BEGIN HIDDEN TESTS" in text and text.count("assert ") >= 2, grade_id
                measured = ("perf_counter", "process_time", "time.", "cores(", "num_threads")
                assert not [word for word in measured if word in text], "no grade depends on the machine"
                assert text.splitlines()[-1] == "### END HIDDEN TESTS", grade_id
    assert tests >= 3 and words == 1


def test_a_folder_with_something_in_it_is_left_alone(course: Course) -> None:
    with pytest.raises(CourseError, match="not empty"):
        new(course.root)


def test_another_folder_is_no_course(tmp_path) -> None:
    with pytest.raises(CourseError, match="puffer class new FOLDER"):
        Course(tmp_path)


def test_an_unknown_assignment(course: Course) -> None:
    with pytest.raises(CourseError, match="'bandid'; did you mean 'bandit'"):
        course.choose(["bandid"])
