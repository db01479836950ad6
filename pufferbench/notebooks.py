"""What keeps lessons short to test and small to read: ``budget()``, and cleaning for the repository.

In a lesson::

    steps = pufferbench.budget(full=3_000_000, fast=200_000)

On the command line::

    python -m pufferbench.notebooks run tutorials/00_quickstart.ipynb     # execute from top to bottom, clean
    python -m pufferbench.notebooks clean tutorials/00_quickstart.ipynb   # keep outputs, drop what is noise
    python -m pufferbench.notebooks clean --strip notebooks/lab.ipynb     # labs are committed without outputs
    python -m pufferbench.notebooks check tutorials/*.ipynb               # what the tests ask of a lesson
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Notebook = dict[str, Any]

MAX_BYTES = 500_000  # a lesson larger than this is slow to show on the web
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_TIMINGS = ("execution", "ExecuteTime", "papermill")
_MACHINE_PATH = re.compile(
    r"(?<![\w.:/])(?:/home/|/Users/|/root/|/tmp/|/work/|/private/var/|[A-Za-z]:\\\\?Users\\)[\w.\-/\\]*"
)
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def budget(*, full: T, fast: T) -> T:
    """``full`` for a reader, ``fast`` when the tests run the lesson (``PUFFERBENCH_FAST=1``).

    The only way in which a lesson may differ under test. A threshold that an assert uses may shrink
    together with its budget, but the fast threshold must still be one that an untrained policy fails.
    """
    return fast if os.environ.get("PUFFERBENCH_FAST", "0") not in ("", "0") else full


def read(path: str | Path) -> Notebook:
    """The notebook as plain dicts and lists; ``ValueError`` when the file is not one (nbformat 4)."""
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a notebook: {error}") from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or "cells" not in notebook:
        raise ValueError(f"{path} is not a notebook of format 4 (the one that Jupyter writes)")
    return notebook


def write(path: str | Path, notebook: Notebook) -> None:
    """Write it as Jupyter does (one space of indent, sorted keys), so that a diff shows only what changed."""
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8", newline="\n")


def clean(notebook: Notebook, strip: bool = False) -> Notebook:
    """Drop widget state, timings and machine paths; keep outputs, or none at all with ``strip``.

    Changes ``notebook`` in place and returns it. A widget's saved picture and its alternative text stay:
    they are what a reader on the web sees.
    """
    metadata = notebook.setdefault("metadata", {})
    metadata.pop("widgets", None)
    metadata.pop("papermill", None)
    metadata["kernelspec"] = dict(_KERNEL)
    metadata["language_info"] = {"name": "python"}
    count = 0
    for cell in notebook["cells"]:
        for key in _TIMINGS:
            cell.get("metadata", {}).pop(key, None)
        if cell["cell_type"] != "code":
            continue
        if strip:
            cell["outputs"], cell["execution_count"] = [], None
        elif cell.get("execution_count") is not None:
            count += 1  # 1, 2, 3, ... whatever order the author's last session ran them in
            cell["execution_count"] = count
        outputs = (_clean_output(output, cell["execution_count"]) for output in cell["outputs"])
        cell["outputs"] = [output for output in outputs if output is not None]
    return notebook


def _clean_output(output: dict[str, Any], execution_count: int | None) -> dict[str, Any] | None:
    if output["output_type"] == "execute_result":
        output["execution_count"] = execution_count
    if "data" in output:
        output["data"].pop(WIDGET_VIEW, None)
        if not output["data"]:
            return None
    for key in ("text", "data", "traceback", "evalue"):
        if key in output:
            output[key] = _without_paths(output[key])
    return output


def _without_paths(value: Any) -> Any:
    """Machine paths in text become their last part; images are left alone."""
    if isinstance(value, str):
        return _MACHINE_PATH.sub(lambda match: re.split(r"[/\\]", match[0].rstrip("/\\"))[-1], value)
    if isinstance(value, list):
        return [_without_paths(part) for part in value]
    if isinstance(value, dict):
        return {
            mime: part if mime.startswith("image/") else _without_paths(part) for mime, part in value.items()
        }
    return value


def check(path: str | Path) -> list[str]:
    """What is wrong with a notebook that is to be committed: one sentence each, empty when all is well."""
    notebook = read(path)
    problems = []
    size = Path(path).stat().st_size
    if size >= MAX_BYTES:
        problems.append(f"{size:,} bytes: keep it under {MAX_BYTES:,}")
    if "widgets" in notebook.get("metadata", {}):
        problems.append("widget state is saved (metadata.widgets): clean it")
    code = [
        cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()
    ]
    executed = [cell for cell in code if cell.get("execution_count") is not None]
    if executed and len(executed) < len(code):
        problems.append("some code cells were run and some were not: run it from top to bottom, or strip it")
    for number, cell in enumerate(notebook["cells"]):
        problems += [f"cell {number}: {problem}" for problem in _check_cell(cell)]
    return problems


def _check_cell(cell: dict[str, Any]) -> list[str]:
    problems = []
    source = "".join(cell["source"])
    if any(key in cell.get("metadata", {}) for key in _TIMINGS):
        problems.append("execution timings are saved: clean it")
    if _MACHINE_PATH.search(source):
        problems.append(f"a path of one machine: {_MACHINE_PATH.search(source)[0]}")  # type: ignore[index]
    if cell["cell_type"] != "code":
        return problems
    if "PUFFERBENCH_FAST" in source:
        problems.append(
            "reads PUFFERBENCH_FAST itself: use budget(full=..., fast=...), which skips no assert"
        )
    if "NBVAL_CHECK_OUTPUT" in source and cell.get("execution_count") is None:
        problems.append("NBVAL_CHECK_OUTPUT on a cell that was not run: nbval would never compare it")
    if "NBVAL_CHECK_OUTPUT" in source and "budget(" in source:
        problems.append("NBVAL_CHECK_OUTPUT on a cell with a budget: its output differs under test")
    may_raise = "raises-exception" in cell.get("metadata", {}).get("tags", [])
    for output in cell["outputs"]:
        if output["output_type"] == "error" and not may_raise:
            problems.append(f"ends in an error: {output.get('ename')}: {output.get('evalue')}")
        if WIDGET_VIEW in output.get("data", {}):
            problems.append("an output is a live widget, which the web cannot show: clean it")
        if _without_paths(output) != output:
            problems.append("an output has a path of one machine: clean it")
    return problems


def run(path: str | Path, timeout: int = 900) -> None:
    """Execute the notebook from top to bottom in a fresh kernel, in its own folder, and save it cleaned.

    Raises nbclient's ``CellExecutionError`` when a cell fails (nothing is saved then).
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(Path(path).resolve().parent)}}
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", resources=where)
    client.execute()
    write(path, clean(json.loads(nbformat.writes(notebook))))


def main(arguments: list[str] | None = None) -> int:
    """``python -m pufferbench.notebooks clean|check|run [--strip] NOTEBOOK ...``; 1 when a check fails."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m pufferbench.notebooks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("command", choices=("clean", "check", "run"))
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--strip", action="store_true", help="clean: drop the outputs too (for labs)")
    options = parser.parse_args(arguments)
    status = 0
    for path in options.notebooks:
        try:
            if options.command == "run":
                run(path)
            elif options.command == "clean":
                write(path, clean(read(path), strip=options.strip))
            problems = check(path)
        except (OSError, ValueError) as error:
            problems = [str(error)]
        for problem in problems:
            print(f"{path}: {problem}")
        status |= bool(problems)
    return status


if __name__ == "__main__":
    sys.exit(main())
