"""What is imported when: a notebook cell, a worker process or ``puffer --help`` must start at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "numba", "gymnasium", "numpy", "rich", "tyro", "matplotlib", "ipywidgets", "jupyterlab"}


def imported_by(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after ``code``."""
    report = f"{code}\nimport sys; print(*({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import pufferbench", set()),
        ("import pufferbench; pufferbench.list_envs(); dir(pufferbench)", set()),
        ("import pufferbench; pufferbench.budget(full=2, fast=1); pufferbench.cores()", set()),
        ("from pufferbench import PufferEnv", {"numpy", "gymnasium"}),
        ("import pufferbench.vector; dir(pufferbench.vector)", set()),
        ("from pufferbench.vector import Serial, Threads, Multiprocessing", {"numpy", "gymnasium"}),
        (
            "import pufferbench as pb; pb.emulate, pb.Wrapper, pb.wrappers, pb.check_env, pb.as_gymnasium",
            {"numpy", "gymnasium"},
        ),
        ("import pufferbench.config; pufferbench.config.describe(pufferbench.config.TrainConfig)", set()),
        ("from pufferbench.cli import main; main(['--help'])", set()),
        ("import pufferbench.cli.lab", {"tyro", "rich", "numpy"}),
        ("import pufferbench; pufferbench.make('ocean-cartpole')", {"numpy", "gymnasium", "numba"}),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, allowed: set[str]) -> None:
    assert imported_by(code) <= allowed


def test_the_arrows_point_down() -> None:
    """import-linter's contracts (pyproject.toml) hold; CI shows its report in full."""
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_everything_public_exists() -> None:
    import pufferbench

    for name in pufferbench.__all__:
        assert getattr(pufferbench, name) is not None
    with pytest.raises(AttributeError, match="did you mean 'PuffeRL'"):
        pufferbench.PufferRL  # noqa: B018
