"""What an installation holds, and that the pinned versions are the ones we ask for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all files in a wheel built from this clone."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("folder", ["pufferbench", "ocean_numba"])
def test_the_wheel_has_every_file_of_the_packages(folder: str, wheel: set[str]) -> None:
    kinds = {".py", ".toml", ".js", ".css", ".typed"}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.suffix in kinds}
    files |= {f"{folder}/py.typed"}
    assert files <= wheel


def test_the_wheel_has_the_lessons_where_they_are_looked_for(wheel: set[str]) -> None:
    for path in (ROOT / "tutorials").rglob("*.ipynb"):  # the solutions too
        if ".ipynb_checkpoints" not in path.parts:
            assert f"pufferbench/_tutorials/{path.relative_to(ROOT / 'tutorials').as_posix()}" in wheel


def test_the_wheel_has_the_course_directory_where_it_is_looked_for(wheel: set[str]) -> None:
    files = list((ROOT / "notebooks" / "assignments" / "source").rglob("*.ipynb"))
    files += [
        ROOT / "notebooks" / "assignments" / name
        for name in ("nbgrader_config.py", "leaderboard.toml", "README.md")
    ]
    for path in files:
        assert (
            f"pufferbench/_assignments/{path.relative_to(ROOT / 'notebooks/assignments').as_posix()}" in wheel
        )


def test_the_wheel_has_nothing_else(wheel: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"pufferbench", "ocean_numba"}
    assert not [name for name in wheel if "__pycache__" in name or ".ipynb_checkpoints" in name]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_the_pinned_versions_satisfy_the_ranges() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {canonicalize_name(name): version for name, version in pins().items()}
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["test"], *extras["class"], *extras["docs"]]:
        requirement = Requirement(text)
        if requirement.name == "pufferbench":
            continue  # an extra that includes another one
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text
    assert pinned["torch"] == "2.13.0"


def test_the_pins_are_plain() -> None:
    """No local version (it names one machine's build), no index: pip's own settings decide where from."""
    for name, version in pins().items():
        assert re.fullmatch(r"[\d.]+(?:(?:a|b|rc|post)\d+)?", version), f"{name}=={version}"


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_ci_runs_what_people_are_told_to_run(file: str) -> None:
    assert 'pip install -c constraints.txt -e ".[test]"' in (ROOT / file).read_text(encoding="utf-8").replace(
        "pip install --quiet", "pip install"
    )
