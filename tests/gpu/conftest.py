"""Collects what the tests on a GPU measure, and writes it down beside them: tests/gpu/RESULTS.md, to be committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pufferbench.records import write_atomic

RESULTS = Path(__file__).parent / "RESULTS.md"


@pytest.fixture(scope="session")
def result() -> Iterator[Callable[[str, str], None]]:
    """``result(what, value)``: a line of the table."""
    lines: list[tuple[str, str]] = []
    yield lambda what, value: lines.append((what, value))
    if lines:
        write_atomic(RESULTS, table(lines).encode())


def table(lines: list[tuple[str, str]]) -> str:
    """Markdown, with the machine it is about."""
    import torch

    about = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}"
    head = f"# What `pytest -m gpu` measured\n\n{about}\n\n| what | result |\n|---|---|\n"
    return head + "".join(f"| {what} | {value} |\n" for what, value in lines)
