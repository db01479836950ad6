"""The lessons that ship with the package, and the working copy that a learner may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

from pufferbench.errors import PufferBenchError, did_you_mean

FOLDER = "pufferbench-lab"  # the working copy, in the folder where `puffer lab` is started
SOLUTIONS = "solutions"  # beside the lessons; stays behind when they are copied


class UnknownLesson(PufferBenchError):
    """No lesson has this number or name."""


class NoLessons(PufferBenchError):
    """The lessons, or the assignments, were not installed."""


def source() -> Path:
    """Where the lessons come from."""
    return shipped("_tutorials", "tutorials")


def shipped(installed: str, cloned: str) -> Path:
    """A folder that ships with the package: inside an installed one, beside it in a clone.

    Raises:
        NoLessons: it is in neither place.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / installed, package.parent / cloned):
        if folder.is_dir():
            return folder
    raise NoLessons(f"this installation of pufferbench has no {cloned} (looked in and beside {package})")


def lessons(folder: Path | None = None) -> list[str]:
    """File names of the lessons, in their order."""
    return sorted(path.name for path in (folder or source()).glob("[0-9][0-9]_*.ipynb"))


def find(lesson: str, folder: Path | None = None) -> str:
    """The file name of a lesson given by number (``"00"``, ``"0"``) or by any start of its name."""
    names = lessons(folder)
    wanted = lesson.zfill(2) if lesson.isdigit() else lesson
    matches = [name for name in names if name.startswith(wanted)]
    if not matches:
        matches = [name for name in names if name[3:].startswith(wanted)]
    if len(matches) == 1:
        return matches[0]
    hint = did_you_mean(wanted, [part for name in names for part in (name, name[:2], Path(name).stem[3:])])
    problem = "is ambiguous" if matches else "does not exist"
    raise UnknownLesson(f"lesson {lesson!r} {problem}{hint} (there are: {', '.join(matches or names)})")


def working_copy(folder: str | Path, origin: Path | None = None) -> list[str]:
    """Copy into ``folder`` every file of the lessons that it does not have; returns what was copied.

    Solutions of the exercises are not: who wants one must ask for it (:func:`solution`). What is there is never
    overwritten: it may hold a learner's work. So a lesson that came with a newer version appears,
    and one that was changed stays.
    """
    origin = origin or source()
    copied = []
    for path in sorted(origin.rglob("*")):
        relative = path.relative_to(origin)
        hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
        target = Path(folder) / relative
        if hidden or relative.parts[0] == SOLUTIONS or path.is_dir() or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        copied.append(relative.as_posix())
    return copied


def reset(folder: str | Path, lesson: str, origin: Path | None = None) -> tuple[str, Path | None]:
    """Put the lesson back as it was shipped; the learner's is kept beside it under a new name.

    Returns:
        The lesson's file name, and where the old one is now (None when there was none, or it was
        still as shipped).
    """
    origin = origin or source()
    name = find(lesson, origin)
    target, kept = Path(folder) / name, None
    if target.exists() and target.read_bytes() != (origin / name).read_bytes():
        kept = _free_name(target)
        target.rename(kept)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin / name, target)
    return name, kept


def solution(lesson: str, folder: str | Path, origin: Path | None = None) -> tuple[Path, bool]:
    """Put the solutions of a lesson's exercises beside it, as ``solution-03_gridworld.ipynb``.

    Never over a file: what is there may have become a learner's own.

    Returns:
        Where they are now, and whether they were just put there.
    """
    origin = origin or source()
    name = find(lesson, origin)
    shipped, target = origin / SOLUTIONS / name, Path(folder) / f"solution-{name}"
    if not shipped.exists():
        raise UnknownLesson(
            f"lesson {name} has no solutions (these have: {', '.join(lessons(origin / SOLUTIONS))})"
        )
    if target.exists():
        return target, False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shipped, target)
    return target, True


def _free_name(path: Path) -> Path:
    """``my-00_quickstart-1.ipynb``, or the next number that is free (it must not look like a lesson)."""
    number = 1
    while (kept := path.with_name(f"my-{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return kept
