"""Our docstrings for Sphinx: Markdown tables, values described in a sentence, widgets' arguments."""

from __future__ import annotations

import re
from typing import Any

from sphinx.util import inspect


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


VALUES = ("attribute", "property", "data")
_as_written: dict[str, list[str]] = {}


def remember(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Before napoleon, which takes the words before a colon ("The world: a Dict, say.") for a type."""
    if what in VALUES:
        _as_written[name] = list(lines)


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = tables(_as_written.pop(name, lines))


def arguments(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, None] | None:
    """Of a widget, those of its ``__init__``: traitlets' ``__new__``, where Sphinx looks first, says nothing."""
    if what != "class" or not (signature or "").startswith("(*args"):
        return None
    found = inspect.signature(obj.__init__, bound_method=True)
    text = inspect.stringify_signature(found, show_return_annotation=False, unqualified_typehints=True)
    return text, None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", remember, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", process, priority=600)
    app.connect("autodoc-process-signature", arguments)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
