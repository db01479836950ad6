"""A course directory, made as a teacher makes it."""

from __future__ import annotations

import pytest

from pufferbench.classroom.course import Course, new


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A fresh course in which everything is released."""
    made = new(tmp_path_factory.mktemp("class") / "course")
    for name in made.assignments():
        made.release(name)
    return made
