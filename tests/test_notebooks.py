"""The rules for notebooks, on small ones made here and on every one that is committed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pufferbench import notebooks
from pufferbench.cli import main
from pufferbench.notebooks import CHECKED, WIDGET_VIEW, budget, check, clean, dead_links, find, read, write

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("tutorials", "notebooks")
COMMITTED = find([ROOT / folder for folder in FOLDERS])


def code(source: str, outputs: list | None = None, count: int | None = 1, **metadata: object) -> dict:
    return {
        "cell_type": "code",
        "id": "a",
        "source": source,
        "outputs": outputs or [],
        "execution_count": count,
        "metadata": metadata,
    }


def notebook(*cells: dict, **metadata: object) -> dict:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def saved(tmp_path: Path, *cells: dict, **metadata: object) -> Path:
    path = tmp_path / "lesson.ipynb"
    write(path, notebook(*cells, **metadata))
    return path


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_committed_notebook(path: Path) -> None:
    assert check(path) == []
    text = path.read_bytes()
    assert (
        text == (json.dumps(clean(read(path)), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    ), f"clean it: puffer notebooks clean {path.relative_to(ROOT)}"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_assert_is_skipped_in_fast_mode(path: Path) -> None:
    """An assert is never inside an ``if`` that depends on a budget or on the environment variable."""
    for cell in read(path)["cells"]:
        lines = "".join(cell["source"]).splitlines() if cell["cell_type"] == "code" else []
        for line in lines:
            assert not (line.lstrip().startswith("if ") and ("FAST" in line or "budget(" in line)), line


@pytest.mark.parametrize(
    ("value", "expected"), [("1", "short"), ("yes", "short"), ("0", "long"), ("", "long")]
)
def test_budget_reads_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, expected: str) -> None:
    monkeypatch.setenv("PUFFERBENCH_FAST", value)
    assert budget(full="long", fast="short") == expected


def test_budget_is_the_readers_when_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUFFERBENCH_FAST")
    assert budget(full=100, fast=1) == 100


def test_clean_keeps_what_a_reader_sees() -> None:
    picture = {
        "image/png": "aGVsbG8/tmp/x=",
        "text/html": '<img alt="Breakout">',
        WIDGET_VIEW: {"model_id": "1"},
    }
    outputs = [
        {"output_type": "display_data", "data": picture, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": ["saved /home/anna/pb/runs/one.safetensors\n"]},
    ]
    lesson = notebook(
        code("run()", outputs, count=17, execution={"iopub.execute_input": "2026"}, tags=["keep"]),
        widgets={"application/vnd.jupyter.widget-state+json": {}},
    )
    cell = clean(lesson)["cells"][0]
    assert cell["outputs"][0]["data"] == {"image/png": "aGVsbG8/tmp/x=", "text/html": '<img alt="Breakout">'}
    assert cell["outputs"][1]["text"] == ["saved one.safetensors\n"]
    assert cell["metadata"] == {"tags": ["keep"]}
    assert cell["execution_count"] == 1
    assert "widgets" not in lesson["metadata"]


def test_clean_leaves_web_addresses_alone() -> None:
    text = "see https://example.org/home/page and a/tmp/b"
    lesson = notebook(code("x", [{"output_type": "stream", "name": "stdout", "text": text}]))
    assert clean(lesson)["cells"][0]["outputs"][0]["text"] == text


def test_strip_leaves_no_output() -> None:
    cell = clean(notebook(code("1", [{"output_type": "stream", "name": "stdout", "text": "1"}])), strip=True)[
        "cells"
    ][0]
    assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_cleaning_twice_is_cleaning_once() -> None:
    output = {
        "output_type": "execute_result",
        "data": {"text/plain": "/tmp/a/b"},
        "metadata": {},
        "execution_count": 5,
    }
    once = clean(notebook(code("x", [output], count=5)))
    assert json.dumps(clean(json.loads(json.dumps(once)))) == json.dumps(once)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (code("import os; os.environ['PUFFERBENCH_FAST']"), "use budget"),
        (code("# NBVAL_CHECK_OUTPUT\n1"), "give the cell the tag"),
        (code("1", count=None, tags=[CHECKED]), "never compare"),
        (code("budget(full=1, fast=2)", tags=[CHECKED]), "differs under test"),
        (code("open('/home/anna/x')"), "path of one machine"),
        (code("1", execution={"iopub.status.busy": "2026"}), "timings"),
        (
            code("1", [{"output_type": "error", "ename": "E", "evalue": "bad", "traceback": []}]),
            "ends in an error",
        ),
        (
            code("1", [{"output_type": "display_data", "data": {WIDGET_VIEW: {}}, "metadata": {}}]),
            "live widget",
        ),
        (code("1", [{"output_type": "stream", "name": "stdout", "text": "/tmp/abc/x"}]), "output has a path"),
        (
            code("1", [{"output_type": "stream", "name": "stdout", "text": "x" * notebooks.MAX_BYTES}]),
            "bytes",
        ),
    ],
)
def test_check_finds(tmp_path: Path, cell: dict, problem: str) -> None:
    assert problem in "\n".join(check(saved(tmp_path, cell)))


def test_check_finds_a_half_run_notebook(tmp_path: Path) -> None:
    assert "1 of 2 code cells were not run" in check(saved(tmp_path, code("1"), code("2", count=None)))[0]


def test_a_lesson_is_committed_with_outputs_and_a_lab_without(tmp_path: Path) -> None:
    printed = {"output_type": "stream", "name": "stdout", "text": "1"}
    for folder, right, wrong, problem in (
        ("tutorials", code("1"), code("1", count=None), "1 of 1 code cells were not run"),
        ("notebooks", code("1", count=None), code("1", [printed]), "labs are committed without outputs"),
        ("notebooks/tutorials", code("1"), code("1", count=None), "not run"),  # the innermost folder counts
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        assert check(saved(tmp_path / folder, right)) == []
        assert problem in check(saved(tmp_path / folder, wrong))[0]
    assert check(saved(tmp_path, code("1", count=None))) == [], "elsewhere both are fine"


def test_dead_links(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(b"")
    alive = """[web](https://example.org/x) [here](#title) [file](a%20b.png#x "title") ![](data:image/png;base64,)
    <img src="a%20b.png" alt=""> `[code](not.md)` [mail](mailto:a@example.org) f[i](x y)
```python
a[0](gone.py)
```
"""
    assert dead_links(alive, tmp_path) == []
    dead = '[x](gone.md#part) ![](<gone.png>) <a href="gone.html">x</a> [absolute](/etc/passwd)'
    assert dead_links(dead, tmp_path) == ["gone.md#part", "gone.png", "gone.html", "/etc/passwd"]
    text = {"cell_type": "markdown", "id": "b", "source": ["see [x]", "(gone.md)"], "metadata": {}}
    assert check(saved(tmp_path, text)) == ["cell 0: a link leads nowhere: gone.md"]


TEXTS = [p for p in sorted(ROOT.rglob("*.md")) if not any(n[0] == "." for n in p.relative_to(ROOT).parts)]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_text_of_this_repository_has_a_dead_link(path: Path) -> None:
    assert dead_links(path.read_text(encoding="utf-8"), path.parent) == []


def test_some_outputs_are_compared() -> None:
    """nbval compares what is tagged, and nothing else; without any tag it would prove no output at all."""
    cells = [cell for path in COMMITTED for cell in read(path)["cells"]]
    assert sum(CHECKED in cell["metadata"].get("tags", []) for cell in cells) >= 20


def test_pytest_collects_every_notebook(pytestconfig: pytest.Config) -> None:
    """As `pytest` alone would: by our own settings, without what this run was given."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *FOLDERS]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120)
    collected = {line.split("::")[0] for line in listed.stdout.splitlines() if "::" in line}
    missing = {path.relative_to(ROOT).as_posix() for path in COMMITTED} - collected
    assert not missing, listed.stdout[-2000:] + listed.stderr[-2000:]
    assert set(FOLDERS) <= set(pytestconfig.getini("testpaths"))


def test_an_expected_error_is_fine(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "bad", "traceback": []}
    assert check(saved(tmp_path, code("1", [error], tags=["raises-exception"]))) == []


def test_command_cleans_in_place(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = saved(tmp_path, code("1", execution={"x": 1}))
    assert main(["notebooks", "check", str(tmp_path)]) == 1
    assert "timings" in capsys.readouterr().out
    assert main(["notebooks", "clean", str(path)]) == 0
    assert main(["notebooks", "check", str(path)]) == 0
    assert "1 notebooks, 1 in order" in capsys.readouterr().out


def test_clean_of_a_lab_drops_its_outputs(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    path = saved(
        tmp_path / "notebooks", code("1", [{"output_type": "stream", "name": "stdout", "text": "1"}])
    )
    assert main(["notebooks", "clean", str(tmp_path)]) == 0
    assert read(path)["cells"][0]["outputs"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clean", "x.ipynb"], "is not a notebook"),
        (["run", "gone.ipynb"], "gone.ipynb does not exist"),
        (["check", "empty"], "no notebook in empty"),
        (["solution", "99"], "lesson '99' does not exist"),
    ],
)
def test_a_mistake_on_the_command_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.ipynb").write_text("{]", encoding="utf-8")
    assert main(["notebooks", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "x.ipynb").read_text(encoding="utf-8") == "{]"


def test_run_executes_cleans_and_says_what_it_took(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    source = (
        "import os; print(6 * 7, os.environ.get('PUFFERBENCH_' + 'FAST')); x = bytearray(300_000_000); del x"
    )
    path = saved(tmp_path, code(source, count=None))
    table = tmp_path / "TIMES.md"
    assert main(["notebooks", "run", str(tmp_path), "--table", str(table)]) == 0
    (cell,) = read(path)["cells"]
    assert "".join(cell["outputs"][0]["text"]) == "42 None\n", "a reader's budgets, also among the tests"
    assert check(path) == []
    assert path.stat().st_size < 2_000
    name, _, cpu, memory, size = table.read_text(encoding="utf-8").splitlines()[-1].strip("| ").split(" | ")
    assert (name, size) == ("[lesson](lesson.ipynb)", "1")
    assert int(memory) > 300
    assert int(cpu) < 60
    said = capfd.readouterr()
    assert "CPU, s" in said.out
    assert said.err == "", "the kernel's own warnings"


def test_a_notebook_that_fails_is_not_saved(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = saved(tmp_path, code("1 / 0", count=None))
    before = path.read_bytes()
    assert main(["notebooks", "run", str(path), "--table", str(tmp_path / "TIMES.md")]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert not (tmp_path / "TIMES.md").exists()
