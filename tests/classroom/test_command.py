"""``puffer class`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pufferbench.classroom.course import CourseError, new
from pufferbench.cli import main
from pufferbench.cli.classroom import COMMANDS

pytestmark = pytest.mark.classroom


def test_help_names_every_command(capsys: pytest.CaptureFixture) -> None:
    assert main(["class"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["class", command, "--help"])
    assert ending.value.code == 0
    assert f"puffer class {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["relase"], "no command 'relase'; did you mean 'release'?"),
        (["release"], "is not a course directory"),
        (["release", "bandid", "--course", "course"], "no assignment 'bandid'; did you mean 'bandit'?"),
        (["grade", "submissions", "--course", "course"], "is released yet: puffer class release"),
        (["report", "--course", "course"], "is graded yet: puffer class grade SUBMISSIONS"),
        (["new", "course"], "is there already, and not empty"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    new(tmp_path / "course")
    monkeypatch.chdir(tmp_path)
    assert main(["class", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_without_nbgrader_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = new(tmp_path / "course")
    monkeypatch.setitem(__import__("sys").modules, "nbgrader", None)
    with pytest.raises(CourseError, match=r"pip install 'pufferbench\[class\]'"):
        course.api()
