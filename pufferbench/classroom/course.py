"""A course directory: ``nbgrader_config.py``, ``source/``, and what nbgrader makes of them."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Any

from pufferbench import lessons
from pufferbench.errors import PufferBenchError, did_you_mean

CONFIG = "nbgrader_config.py"
LEADERBOARD = "leaderboard.toml"
SHIPPED = (CONFIG, LEADERBOARD, "README.md", "source")


class CourseError(PufferBenchError):
    """A course directory is missing, damaged, or in the way."""


def shipped() -> Path:
    """The course directory that comes with the package."""
    return lessons.shipped("_assignments", "notebooks/assignments")


def new(folder: Path) -> Course:
    """Copy the shipped course directory to ``folder``, which must be new or empty.

    Raises:
        CourseError: something is there already: it may hold a class's grades.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is there already, and not empty: choose a new folder for the course")
    origin = shipped()
    for name in SHIPPED:
        if (origin / name).is_dir():
            shutil.copytree(origin / name, folder / name, ignore=_left_behind)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin / name, folder / name)
    _draw_seed(folder / LEADERBOARD)
    return Course(folder)


def _draw_seed(leaderboard: Path) -> None:
    """A seed that nobody else knows, in place of the shipped one."""
    text = leaderboard.read_text(encoding="utf-8")
    seed = f"seed = {secrets.randbelow(2**31)} "
    leaderboard.write_text(text.replace("seed = 0 ", seed, 1), encoding="utf-8", newline="\n")


def _left_behind(_folder: str, names: list[str]) -> list[str]:
    """What working on an assignment leaves beside it."""
    return [name for name in names if name in ("run", "__pycache__", ".ipynb_checkpoints")]


class Course:
    """A teacher's course directory.

    Attributes:
        root: the folder, absolute.

    Raises:
        CourseError: it is none, or nbgrader is not installed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not (self.root / CONFIG).is_file():
            raise CourseError(
                f"{root} is not a course directory (it has no {CONFIG}); make one with: puffer class new FOLDER"
            )

    def config(self) -> Any:
        """nbgrader's settings, a traitlets Config: what nbgrader_config.py says."""
        _nbgrader()
        from traitlets.config.loader import PyFileConfigLoader

        return PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()

    def api(self) -> Any:
        """nbgrader's Python interface for this course, ``nbgrader.apps.NbGraderAPI``."""
        _nbgrader()
        from nbgrader.apps import NbGraderAPI

        return NbGraderAPI(config=self.config())

    def gradebook(self) -> Any:
        """The database of assignments, students and grades: ``with course.gradebook() as gradebook``."""
        return self.api().gradebook

    def assignments(self) -> list[str]:
        """Names of the assignments in ``source/``."""
        return sorted(path.parent.name for path in self.root.glob("source/*/*.ipynb"))

    def released(self) -> list[str]:
        """Names of those that have a student version."""
        return sorted({path.parent.name for path in self.root.glob("release/*/*.ipynb")})

    def choose(self, names: list[str]) -> list[str]:
        """``names``, each checked to be an assignment of this course; all of them for an empty list."""
        known = self.assignments()
        for name in names:
            if name not in known:
                raise CourseError(
                    f"no assignment {name!r}{did_you_mean(name, known)} (source has: {', '.join(known) or 'none'})"
                )
        return names or known

    def release(self, name: str) -> Path:
        """Write the student version, without solutions and hidden tests, and note its points in the gradebook.

        Returns:
            Its folder, ``release/NAME``.
        """
        outcome = self.api().generate_assignment(name)
        if not outcome["success"]:
            raise CourseError(f"nbgrader cannot release {name}:\n{what_went_wrong(outcome)}")
        return self.root / "release" / name


def what_went_wrong(outcome: dict[str, Any]) -> str:
    """The lines of nbgrader's log that say why a step failed; all of it where none says so."""
    log = (outcome.get("log") or "") + (outcome.get("error") or "")
    loud = [line for line in log.splitlines() if line.startswith(("[ERROR]", "[CRITICAL]"))]
    return "\n".join(loud) or log


def _nbgrader() -> None:
    """Raise :class:`CourseError` when nbgrader is not there."""
    try:
        import nbgrader  # noqa: F401
    except ImportError as error:
        raise CourseError(
            f"this needs nbgrader, which is not installed ({error}): pip install 'pufferbench[class]'"
        ) from error
