"""The rules for notebooks, on small ones made here and on every one that is committed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pufferbench import notebooks
from pufferbench.notebooks import WIDGET_VIEW, budget, check, clean, main, read, write

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = [p for folder in ("tutorials", "notebooks") for p in sorted((ROOT / folder).rglob("*.ipynb"))]
COMMITTED = [p for p in COMMITTED if ".ipynb_checkpoints" not in p.parts]


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
    ), f"clean it: python -m pufferbench.notebooks clean {path.relative_to(ROOT)}"


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
        (code("# NBVAL_CHECK_OUTPUT\n1", count=None), "never compare"),
        (code("# NBVAL_CHECK_OUTPUT\nbudget(full=1, fast=2)"), "differs under test"),
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
    assert "from top to bottom" in check(saved(tmp_path, code("1"), code("2", count=None)))[0]


def test_an_expected_error_is_fine(tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "bad", "traceback": []}
    assert check(saved(tmp_path, code("1", [error], tags=["raises-exception"]))) == []


def test_command_cleans_in_place(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = saved(tmp_path, code("1", execution={"x": 1}))
    assert main(["check", str(path)]) == 1
    assert "timings" in capsys.readouterr().out
    assert main(["clean", str(path)]) == 0
    assert main(["check", str(path)]) == 0


def test_command_refuses_what_is_not_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "x.ipynb").write_text("{]", encoding="utf-8")
    assert main(["clean", str(tmp_path / "x.ipynb")]) == 1
    assert "is not a notebook" in capsys.readouterr().out
    assert (tmp_path / "x.ipynb").read_text(encoding="utf-8") == "{]"


def test_run_executes_and_cleans(tmp_path: Path) -> None:
    path = saved(tmp_path, code("import os; print(6 * 7)", count=None))
    notebooks.run(path, timeout=60)
    cell = read(path)["cells"][0]
    assert cell["outputs"][0]["text"] in ("42\n", ["42\n"])
    assert check(path) == []
    assert path.stat().st_size < 2_000
