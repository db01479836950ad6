"""The working copy of the lessons: made once, never overwritten, restored when asked, nothing lost."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pufferbench import lessons, notebooks
from pufferbench.cli import UsageError, lab, main
from pufferbench.lessons import UnknownLesson


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    (folder / "pictures").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "solutions").mkdir()
    (folder / "solutions" / "01_environments.ipynb").write_text("solution", encoding="utf-8")
    for name in ("00_quickstart.ipynb", "01_environments.ipynb", "02_entropy.ipynb", "pictures/panel.png"):
        (folder / name).write_text(f"shipped {name}", encoding="utf-8")
    (folder / ".ipynb_checkpoints" / "00_quickstart-checkpoint.ipynb").write_text("", encoding="utf-8")
    return folder


@pytest.fixture
def copy(tmp_path: Path, origin: Path) -> Path:
    folder = tmp_path / "copy"
    lessons.working_copy(folder, origin)
    return folder


def test_copies_everything_but_solutions_and_jupyters_own_files(copy: Path) -> None:
    found = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    assert found == ["00_quickstart.ipynb", "01_environments.ipynb", "02_entropy.ipynb", "pictures/panel.png"]


def test_a_learners_work_is_never_overwritten(copy: Path, origin: Path) -> None:
    mine = copy / "00_quickstart.ipynb"
    mine.write_text("mine", encoding="utf-8")
    assert lessons.working_copy(copy, origin) == []
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_new_lesson_appears_beside_the_learners_work(copy: Path, origin: Path) -> None:
    (origin / "03_new.ipynb").write_text("new", encoding="utf-8")
    assert lessons.working_copy(copy, origin) == ["03_new.ipynb"]


def test_reset_restores_and_keeps_the_old_one(copy: Path, origin: Path) -> None:
    mine = copy / "00_quickstart.ipynb"
    for number in (1, 2):
        mine.write_text(f"mine {number}", encoding="utf-8")
        name, kept = lessons.reset(copy, "00", origin)
        assert (name, mine.read_text(encoding="utf-8")) == (mine.name, "shipped 00_quickstart.ipynb")
        assert kept == copy / f"my-00_quickstart-{number}.ipynb"
        assert kept.read_text(encoding="utf-8") == f"mine {number}"
    assert lessons.lessons(copy) == lessons.lessons(origin), "what was kept is not taken for a lesson"


def test_reset_of_an_unchanged_or_missing_lesson_keeps_nothing(copy: Path, origin: Path) -> None:
    assert lessons.reset(copy, "00", origin) == ("00_quickstart.ipynb", None)
    (copy / "01_environments.ipynb").unlink()
    assert lessons.reset(copy, "01", origin) == ("01_environments.ipynb", None)
    assert (copy / "01_environments.ipynb").exists()


def test_a_solution_is_put_beside_the_lesson_and_never_over_a_file(copy: Path, origin: Path) -> None:
    path, new = lessons.solution("1", copy, origin)
    assert (path, new) == (copy / "solution-01_environments.ipynb", True)
    assert path.read_text(encoding="utf-8") == "solution"
    path.write_text("mine", encoding="utf-8")
    assert lessons.solution("01", copy, origin) == (path, False)
    assert path.read_text(encoding="utf-8") == "mine"
    assert lessons.lessons(copy) == lessons.lessons(origin), "it is not taken for a lesson"


def test_a_lesson_without_exercises(copy: Path, origin: Path) -> None:
    with pytest.raises(UnknownLesson, match=r"00_quickstart.ipynb has no solutions \(these have: 01_env"):
        lessons.solution("00", copy, origin)


def test_the_command_finds_the_learners_copy(
    tmp_path: Path, origin: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(lessons, "source", lambda: origin)
    for folder, expected in (
        (tmp_path, "pufferbench-lab/solution-01_environments.ipynb"),  # where `puffer lab` was started
        (copy, "solution-01_environments.ipynb"),  # a terminal of JupyterLab opens in the copy
        (origin, "pufferbench-lab/solution-01_environments.ipynb"),  # what was shipped stays clean
    ):
        monkeypatch.chdir(folder)
        assert main(["notebooks", "solution", "01"]) == 0
        assert Path(capsys.readouterr().out.strip()) == Path(expected)
        assert (folder / expected).read_text(encoding="utf-8") == "solution"
    assert main(["notebooks", "solution", "01"]) == 0
    assert "is as you left it" in capsys.readouterr().out


def test_no_link_is_dead_in_a_learners_copy(tmp_path: Path) -> None:
    """The copy has no repository around it, and a solution is then beside its lesson."""
    lessons.working_copy(tmp_path)
    for name in lessons.lessons(tmp_path):
        if (lessons.source() / lessons.SOLUTIONS / name).exists():
            lessons.solution(name, tmp_path)
    for path in tmp_path.rglob("*.ipynb"):
        assert [problem for problem in notebooks.check(path) if "link" in problem] == [], path.name
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert notebooks.dead_links(readme, tmp_path) == []


@pytest.mark.parametrize("name", ["1", "01", "01_env", "environments", "env", "01_environments.ipynb"])
def test_find_by_number_or_name(origin: Path, name: str) -> None:
    assert lessons.find(name, origin) == "01_environments.ipynb"


def test_unknown_and_ambiguous_lessons(origin: Path) -> None:
    with pytest.raises(UnknownLesson, match="'quikstart' does not exist; did you mean 'quickstart'"):
        lessons.find("quikstart", origin)
    with pytest.raises(UnknownLesson, match="ambiguous"):
        lessons.find("e", origin)


def test_this_installation_has_the_quickstart() -> None:
    assert "00_quickstart.ipynb" in lessons.lessons()


def test_the_map_has_a_row_for_every_lesson() -> None:
    text = (lessons.source() / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert [row.split("](")[1].split(")")[0] for row in rows] == lessons.lessons()


def test_every_lesson_was_measured_and_keeps_its_promise() -> None:
    """TIMES.md is written by `puffer notebooks run tutorials/*.ipynb --table tutorials/TIMES.md`."""
    text = (lessons.source() / "TIMES.md").read_text(encoding="utf-8")
    seconds = dict(re.findall(r"^\| \[.+\]\((.+)\) \| (\d+) \|", text, re.MULTILINE))
    assert sorted(seconds) == lessons.lessons()
    assert max(map(int, seconds.values())) <= 180, "no lesson computes for more than three minutes"


def test_every_solution_is_one_of_a_lesson() -> None:
    found = sorted(path.name for path in (lessons.source() / lessons.SOLUTIONS).glob("*.ipynb"))
    assert found and set(found) <= set(lessons.lessons())


@pytest.mark.parametrize(
    "path", sorted((lessons.source() / lessons.SOLUTIONS).glob("*.ipynb")), ids=lambda path: path.stem
)
def test_a_lesson_says_how_to_get_its_solutions(path: Path) -> None:
    cells = notebooks.read(lessons.source() / path.name)["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert f"puffer notebooks solution {path.name[:2]}" in text


@pytest.mark.parametrize(
    "path", sorted((lessons.source() / lessons.SOLUTIONS).glob("*.ipynb")), ids=lambda path: path.stem
)
def test_solutions_work_wherever_they_are_put(path: Path) -> None:
    """They take functions from their lesson: from ``lessons.source()``, since "../" is right in one place only."""
    code = ["".join(cell["source"]) for cell in notebooks.read(path)["cells"] if cell["cell_type"] == "code"]
    assert "../" not in "".join(code)


def test_an_unknown_lesson_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownLesson):
        lab.prepare(tmp_path / "copy", "77", None)
    assert not (tmp_path / "copy").exists()


def test_prepare_copies_then_resets(
    tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(lessons, "source", lambda: origin)
    assert lab.prepare(tmp_path / "copy", "00", None) == "00_quickstart.ipynb"
    (tmp_path / "copy" / "02_entropy.ipynb").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert lab.prepare(tmp_path / "copy", "00", "02") == "02_entropy.ipynb"
    assert "yours is now my-02_entropy-1.ipynb" in capsys.readouterr().out


def test_the_next_free_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="--port"):
            lab.free_port(port, tries=1)
        assert lab.free_port(port) > port


def test_lab_serves_the_lesson_at_the_printed_address(
    tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson = notebooks.clean({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    notebooks.write(origin / "00_quickstart.ipynb", lesson)
    start = (
        "import sys; from pathlib import Path; from pufferbench import lessons; from pufferbench.cli import main; "
        f"lessons.source = lambda: Path({str(origin)!r}); sys.exit(main(sys.argv[1:]))"
    )
    own = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    server = subprocess.Popen(
        [sys.executable, "-c", start, "lab", "--no-browser", "--folder", str(tmp_path / "lab")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=os.environ | own,
    )
    try:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        address = next(line.split()[1] for line in lines if line.startswith("JupyterLab: http://127.0.0.1:"))
        contents = address.replace("/lab/tree/", "/api/contents/")
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(contents, timeout=10) as answer:
                    found = json.load(answer)
                break
            except urllib.error.URLError:
                assert server.poll() is None, server.communicate()
                assert time.monotonic() < deadline, "JupyterLab does not answer"
                time.sleep(0.2)
        news = address.replace(
            "/lab/tree/00_quickstart.ipynb", "/lab/api/settings/@jupyterlab/apputils-extension:notification"
        )
        with urllib.request.urlopen(news, timeout=10) as answer:
            settings = json.load(answer)
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert found["name"] == "00_quickstart.ipynb"
    defaults = settings["schema"]["properties"]
    assert defaults["fetchNews"]["default"] == "false"  # nobody is asked about news
    assert defaults["checkForUpdates"]["default"] is False
    assert (tmp_path / "lab" / "pictures" / "panel.png").exists()
