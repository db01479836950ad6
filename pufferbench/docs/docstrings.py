"""Our docstrings for Sphinx: their Markdown tables become tables of reStructuredText."""

from __future__ import annotations

import re
from typing import Any


def tables(lines: list[str]) -> list[str]:
    """``lines`` with every table of ``| a | b |`` rows, whose second row is ``|---|---|``, as a ``list-table``."""
    out: list[str] = []
    rest = list(lines)
    while rest:
        if len(rest) > 1 and _is_row(rest[0]) and re.fullmatch(r"\s*\|[\s:|-]+\|\s*", rest[1]):
            indent = rest[0][: len(rest[0]) - len(rest[0].lstrip())]
            rows = []
            while rest and _is_row(rest[0]):
                rows.append(_cells(rest.pop(0)))
            out += [f"{indent}{line}" for line in _list_table(rows[0], rows[2:])]
        else:
            out.append(rest.pop(0))
    return out


def _is_row(line: str) -> bool:
    return bool(re.fullmatch(r"\s*\|.*\|\s*", line))


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def _list_table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in [head, *rows]:
        for number, cell in enumerate(row):
            lines.append(f"   {' ' if number else '*'} - {cell}")
    return [*lines, ""]


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = tables(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
