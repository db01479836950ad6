"""The lessons' first cell: on Google Colab it installs PufferBench, elsewhere it does nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pufferbench.notebooks import read

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "tutorials").glob("*.ipynb"))
CELL = """\
# On Google Colab this installs PufferBench. Elsewhere it does nothing.
import os

if "COLAB_RELEASE_TAG" in os.environ:
    source = os.environ.get("PUFFERBENCH_SOURCE", "git+{repository}")
    %pip install --quiet {{source}}
"""
RUN = """
import sys

from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell(sys.stdin.read()).raise_error()
shell.run_cell("import pufferbench; print('from', pufferbench.__file__)").raise_error()
"""


def cell() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return CELL.format(repository=project["urls"]["Repository"]).rstrip()


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.name)
def test_every_lesson_begins_with_it(lesson: Path) -> None:
    code = ["".join(one["source"]) for one in read(lesson)["cells"] if one["cell_type"] == "code"]
    assert code[0] == cell()


@pytest.mark.parametrize("colab", [True, False])
def test_it_installs_what_the_variable_names_on_colab_only(colab: bool, tmp_path: Path) -> None:
    """Colab is made believe; pip installs the local checkout, offline, into a folder of its own."""
    installed = tmp_path / "installed"
    installed.mkdir()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLAB_RELEASE_TAG", "PYTHONPATH")
    } | {
        "PUFFERBENCH_SOURCE": str(ROOT),
        "PYTHONPATH": str(installed),  # before the checkout, which may be installed in this environment
        "PIP_TARGET": str(installed),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads a "no" option's value upside down: 0 switches isolation off
        "PIP_CONFIG_FILE": os.devnull,
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    if colab:
        environment["COLAB_RELEASE_TAG"] = "release-colab-test"
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=cell(),
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (str(installed / "pufferbench") in done.stdout) == colab, done.stdout + done.stderr
    assert any(installed.iterdir()) == colab
