"""What a course's leaderboard.toml says: which agents are played, in which game, for how long."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from pufferbench.classroom.course import LEADERBOARD as SETTINGS
from pufferbench.classroom.course import Course, CourseError
from pufferbench.registry import spec


@dataclass(frozen=True)
class Rules:
    """What leaderboard.toml says; see there."""

    assignment: str
    env: str
    episodes: int
    seed: int
    seconds: int
    megabytes: int


def rules(course: Course) -> Rules:
    """What leaderboard.toml says.

    Raises:
        CourseError: it is missing or damaged.
    """
    path = course.root / SETTINGS
    try:
        said = Rules(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise CourseError(f"{path} cannot be used: {error}") from error
    numbers = {name: getattr(said, name) for name in ("episodes", "seed", "seconds", "megabytes")}
    for name, value in numbers.items():
        if not isinstance(value, int) or value < (0 if name == "seed" else 1):
            raise CourseError(f"{path}: {name} must be a whole number above 0, not {value!r}")
    spec(said.env)  # the teacher's typing mistake is told before anything is played
    return said
