"""What mybinder.org would build from binder/: the plan that repo2docker makes of it, without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the image, and what builds it, is POSIX")


def requirements() -> list[str]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Dockerfile that repo2docker prints for a copy of binder/ and what is beside it."""
    folder = tmp_path_factory.mktemp("binder") / "clone"
    shutil.copytree(BINDER, folder / "binder")
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy(ROOT / name, folder)
    command = [
        sys.executable,
        "-m",
        "repo2docker",
        "--no-build",
        "--debug",
        "--user-id=1000",
        "--user-name=jovyan",
        ".",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_plan_has_our_python_requirements_post_build_and_start(plan: str) -> None:
    assert re.search(r"python-?=? ?3\.11|py-3\.11", plan), "runtime.txt was not read"
    steps = [
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
    ]
    places = [plan.index(step) for step in steps]
    assert places == sorted(places)
    assert (
        plan.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/") < places[0]
    )  # -c ../constraints.txt must be there
    # nothing beside: with a folder binder/, repo2docker must not install the project by itself
    assert "pip install --no-cache-dir ." not in plan


def test_requirements_are_the_projects_in_the_versions_that_were_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    options = [line for line in requirements() if line.startswith("-")]
    assert [line for line in requirements() if not line.startswith("-")] == project["dependencies"]
    assert options == [
        "-c ../constraints.txt",
        "--extra-index-url https://download.pytorch.org/whl/cpu",  # torch's own: the CPU build
    ]


@pytest.mark.parametrize(("limit", "cores"), [(None, "2"), ("1.5", "1"), ("4", "4"), ("0.5", "1"), ("", "2")])
def test_start_keeps_to_the_cores_of_the_container(limit: str | None, cores: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CPU_LIMIT"}
    if limit is not None:
        environment["CPU_LIMIT"] = limit
    shown = subprocess.run(
        [BINDER / "start", "bash", "-c", 'echo "$OMP_NUM_THREADS $NUMBA_NUM_THREADS" "$@"', "-", "two words"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown == f"{cores} {cores} two words\n"


def test_post_build_compiles_games_that_exist() -> None:
    script = (BINDER / "postBuild").read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", BINDER / "postBuild"], check=True)
    assert os.access(BINDER / "postBuild", os.X_OK)
    [games] = re.findall(r"^puffer warmup (.*)$", script, re.MULTILINE)
    for game in games.split():
        assert (ROOT / "ocean_numba" / f"{game}.py").is_file()


def test_the_badge_opens_the_quickstart_of_this_repository() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    owner_and_name = project["urls"]["Repository"].removeprefix("https://github.com/")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [(where, path)] = re.findall(
        r"https://mybinder\.org/v2/gh/([^/]+/[^/]+)/HEAD\?urlpath=lab/tree/([^)\s]+)", readme
    )
    assert where == owner_and_name
    assert (ROOT / path).is_file()
    assert path.endswith("00_quickstart.ipynb")


@pytest.mark.slow
def test_build_and_session_replayed_without_docker() -> None:
    done = subprocess.run(
        [sys.executable, BINDER / "replay.py"], capture_output=True, text=True, timeout=1800, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "of the 2 GB of mybinder.org" in done.stdout
