"""What keeps lessons short to test and small to read: ``budget()``, and the rules for what is committed.

In a lesson::

    steps = pufferbench.budget(full=3_000_000, fast=200_000)

On the command line (:mod:`pufferbench.cli.notebooks`)::

    puffer notebooks run tutorials/00_quickstart.ipynb   # execute from top to bottom, then clean
    puffer notebooks clean notebooks                     # drop what is noise; of labs, the outputs too
    puffer notebooks check tutorials notebooks           # what the tests ask of a notebook
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

T = TypeVar("T")
Notebook = dict[str, Any]

MAX_BYTES = 500_000  # a lesson larger than this is slow to show on the web
CHECKED = "nbval-check-output"  # a cell with this tag must print under test what it has printed for readers
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_TIMINGS = ("execution", "ExecuteTime", "papermill")
_MACHINE_PATH = re.compile(
    r"(?<![\w.:/])(?:/(?:home|Users|root|tmp|work|opt|mnt|private/var|var/folders)/|[A-Za-z]:\\\\?Users\\)[\w.\-/\\]*"
)
_CODE = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)|\b(?:src|href)=[\"']([^\"']+)[\"']")
# Folder -> are its notebooks committed with outputs? Lessons are read on the web, labs are opened.
_WITH_OUTPUTS = {"tutorials": True, "notebooks": False}
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


def find(paths: list[Path]) -> list[Path]:
    """The notebooks that ``paths`` name: files as they are, of folders every notebook in them, in order."""
    found = []
    for path in paths:
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        found += [one for one in inside if ".ipynb_checkpoints" not in one.parts]
    return found


def with_outputs(path: str | Path) -> bool | None:
    """Whether a notebook in this folder is committed with outputs; None where nothing is agreed."""
    folders = reversed(Path(path).resolve().parent.parts)
    return next((_WITH_OUTPUTS[name] for name in folders if name in _WITH_OUTPUTS), None)


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
    promised = with_outputs(path)
    if promised is False and any(cell["outputs"] or cell in executed for cell in code):
        problems.append("labs are committed without outputs: clean it")
    elif len(executed) < len(code) and (executed or promised):
        problems.append(f"{len(code) - len(executed)} of {len(code)} code cells were not run: run it")
    for number, cell in enumerate(notebook["cells"]):
        problems += [f"cell {number}: {problem}" for problem in _check_cell(cell)]
        if cell["cell_type"] == "markdown":
            dead = dead_links("".join(cell["source"]), Path(path).parent)
            problems += [f"cell {number}: a link leads nowhere: {link}" for link in dead]
    return problems


def dead_links(markdown: str, folder: Path) -> list[str]:
    """The links and pictures of a text in ``folder`` whose file is not there, and paths of one machine.

    Links into the web are not followed.
    """
    links = [first or second for first, second in _LINK.findall(_CODE.sub("", markdown))]
    relative = [link for link in links if not re.match(r"[a-zA-Z][\w+.-]*:|#", link)]
    return [
        link
        for link in relative
        if link.startswith("/") or not (folder / unquote(re.split("[#?]", link)[0])).exists()
    ]


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
    tags = cell.get("metadata", {}).get("tags", [])
    if "NBVAL_CHECK_OUTPUT" in source:
        problems.append(f"NBVAL_CHECK_OUTPUT is for readers' eyes too: give the cell the tag {CHECKED}")
    if CHECKED in tags and not cell["outputs"]:
        problems.append(f"{CHECKED} on a cell without output: nbval would never compare it")
    if CHECKED in tags and "budget(" in source:
        problems.append(f"{CHECKED} on a cell with a budget: its output differs under test")
    may_raise = "raises-exception" in tags
    for output in cell["outputs"]:
        if output["output_type"] == "error" and not may_raise:
            problems.append(f"ends in an error: {output.get('ename')}: {output.get('evalue')}")
        if WIDGET_VIEW in output.get("data", {}):
            problems.append("an output is a live widget, which the web cannot show: clean it")
        if _without_paths(output) != output:
            problems.append("an output has a path of one machine: clean it")
    return problems
