"""A notebook executed from top to bottom, and what that cost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pufferbench.notebooks import clean, with_outputs, write

# The last thing that the kernel does: it is not saved.
_SPENT = "import json as _json\nfrom pufferbench.machine import spent as _spent\nprint(_json.dumps(_spent()))"


@dataclass(frozen=True)
class Cost:
    """What one execution of a notebook took.

    Attributes:
        seconds: wall time, with the start of the kernel.
        cpu_seconds: of the kernel and its worker processes.
        memory: the most bytes that the kernel held; None where the system does not say (Windows).
        size: bytes of the file.
    """

    seconds: float
    cpu_seconds: float
    memory: int | None
    size: int


def run(path: str | Path, timeout: int = 900, show: Callable[[int], object] = lambda cells: None) -> Cost:
    """Execute the notebook in a fresh kernel, in its own folder, and save it as it is committed.

    Always with a reader's budgets, also where ``PUFFERBENCH_FAST`` is set: what is saved is what a reader sees.
    Labs (``notebooks/``) are saved without outputs.

    Args:
        timeout: seconds for one cell.
        show: called with the number of cells that are done.

    Raises nbclient's ``CellExecutionError`` when a cell fails (nothing is saved then).
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_SPENT))
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=[
            "--log-level=ERROR"
        ],  # its warnings (that it is not encrypted) are no news to anybody
        resources={"metadata": {"path": str(Path(path).resolve().parent)}},
        on_cell_start=lambda cell, cell_index: show(cell_index),
    )
    began = time.perf_counter()
    client.execute(env={name: value for name, value in os.environ.items() if name != "PUFFERBENCH_FAST"})
    seconds = time.perf_counter() - began
    cpu_seconds, memory = json.loads(notebook.cells.pop().outputs[0].text)
    saved = json.loads(nbformat.writes(notebook))
    write(path, clean(saved, strip=with_outputs(path) is False))
    return Cost(seconds, cpu_seconds, memory, Path(path).stat().st_size)
