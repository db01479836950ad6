"""A whole class graded: what is right scores full, nothing scores nothing, typical mistakes cost what they should."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from classroom.answers import cells, reference, scores, submit, wrong

from pufferbench import notebooks
from pufferbench.classroom import report
from pufferbench.classroom.course import Course, shipped
from pufferbench.classroom.grading import GRADES, Graded, grade
from pufferbench.classroom.leaderboard import Entry
from pufferbench.cli import main

pytestmark = pytest.mark.classroom
NAMES = sorted(path.parent.name for path in shipped().glob("source/*/*.ipynb"))
QUICK = "bandit"  # graded in every run of the tests; the others are slow
TESTED = [pytest.param(name, marks=[] if name == QUICK else [pytest.mark.slow]) for name in NAMES]


@pytest.fixture(scope="module")
def graded(course: Course, tmp_path_factory: pytest.TempPathFactory):
    """assignment -> the class of that assignment, graded when it is first asked for."""
    done: dict[str, list[Graded]] = {}

    def of(assignment: str) -> list[Graded]:
        if assignment not in done:
            folder = tmp_path_factory.mktemp(assignment)
            right = reference(course, assignment)
            tests = {name: "pass" for name in scores_possible(course, assignment) if name not in right}
            submit(course, folder, "reference", assignment, right)
            submit(course, folder, "blank", assignment, {})
            submit(course, folder, "tampered", assignment, tests)
            for name, (changed, _) in wrong(assignment).items():
                submit(course, folder, name, assignment, right | changed)
            done[assignment] = grade(course, folder)[1]
        return done[assignment]

    return of


def scores_possible(course: Course, assignment: str) -> dict[str, float]:
    """Points of each graded cell of the source."""
    source = cells(notebooks.read(course.root / "source" / assignment / f"{assignment}.ipynb"))
    return {
        name: c["metadata"]["nbgrader"]["points"]
        for name, c in source.items()
        if c["metadata"]["nbgrader"]["grade"]
    }


@pytest.mark.parametrize("assignment", TESTED)
def test_scores(course: Course, graded, assignment: str) -> None:
    assert [one.error for one in graded(assignment) if one.error] == []
    possible = scores_possible(course, assignment)
    words = set(reference(course, assignment)) & set(possible)  # read by a person
    automatic = {name: points for name, points in possible.items() if name not in words}
    nothing = dict.fromkeys(automatic, 0.0)

    def got(student: str) -> dict[str, float]:
        return {
            name: score for name, score in scores(course, assignment, student).items() if name in automatic
        }

    assert got("reference") == automatic
    assert got("blank") == nothing
    assert got("tampered") == nothing
    assert len(wrong(assignment)) >= 2
    for student, (_, costs) in wrong(assignment).items():
        assert set(costs) <= set(automatic), f"{student}: no such test"
        assert got(student) == {name: points - costs.get(name, 0) for name, points in automatic.items()}, (
            student
        )


@pytest.mark.parametrize("assignment", TESTED)
def test_a_tampered_test_is_put_back(course: Course, graded, assignment: str) -> None:
    graded(assignment)
    source = cells(notebooks.read(course.root / "source" / assignment / f"{assignment}.ipynb"))
    run = cells(notebooks.read(course.root / "autograded" / "tampered" / assignment / f"{assignment}.ipynb"))
    for name, cell in source.items():
        if cell["metadata"]["nbgrader"]["grade"] and cell["cell_type"] == "code":
            assert "".join(run[name]["source"]) == "".join(cell["source"])


def test_feedback_says_what_was_wrong(course: Course, graded) -> None:
    graded(QUICK)
    page = (course.root / "feedback" / "a constant step" / QUICK / f"{QUICK}.html").read_text(
        encoding="utf-8"
    )
    assert "the hundredth reward counts as much as the first" in page


def test_grades(course: Course, graded) -> None:
    graded(QUICK)
    rows = {row["student"]: row for row in csv.DictReader((course.root / GRADES).open(encoding="utf-8"))}
    assert rows["(points possible)"][QUICK] == "13"
    assert (rows["reference"][QUICK], rows["blank"][QUICK]) == ("10", "0")
    assert rows["a constant step"]["unread"] == "1", "the answer in words waits for a reader"
    assert rows["blank"]["unread"] == "0", "there is nothing to read"


def test_what_is_unchanged_is_not_run_again(course: Course, graded, tmp_path: Path, capsys) -> None:
    graded(QUICK)
    submit(course, tmp_path, "blank", QUICK, {})
    before = (course.root / "autograded" / "blank" / QUICK / f"{QUICK}.ipynb").stat().st_mtime_ns
    (tmp_path / "dora").mkdir()
    (tmp_path / "dora" / f"{QUICK}.ipynb").write_text("not a notebook", encoding="utf-8")
    assert main(["class", "grade", str(tmp_path), "--course", str(course.root)]) == 1, (
        "not all could be graded"
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "blank │ bandit │ as before" in said
    assert "dora, bandit: bandit.ipynb is not a notebook" in said
    assert (course.root / "autograded" / "blank" / QUICK / f"{QUICK}.ipynb").stat().st_mtime_ns == before


def test_the_report_is_one_page_in_which_nothing_of_a_student_is_html(course: Course, graded) -> None:
    graded(QUICK)
    entries = [
        Entry("anna", [10.0, 20.0], steps=1_000_000, digest="a", settings={"seed": "0"}),
        Entry("ben", [20.0, 10.0], steps=1_000_000, digest="a", settings={"seed": "0"}),
        Entry("mallory", refused="<script>alert(1)</script>"),
    ]
    assert main(["class", "report", "--course", str(course.root)]) == 0
    assert "Leaderboard" not in (course.root / report.REPORT).read_text(encoding="utf-8"), (
        "nobody handed in a run"
    )
    page = report.write(course, entries).read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "15.0 ± 5.0" in page
    assert "No proof of anything" in page and "equal, seed too" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page), "it needs nothing from elsewhere"
    row, *_ = re.findall(r"<tr><td>bandit</td><td>test_running_mean</td>.*?</tr>", page)
    assert "<td>40%</td>" in row, "two of five have the mean right"
    names = [slow.cell for slow in report.slowest(course)]
    assert "test_night" in names and "words" not in names
