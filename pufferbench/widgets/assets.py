"""The browser's half of a widget: JS and CSS files that lie beside the Python."""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The JavaScript module ``name``, after what all widgets share (anywidget's modules cannot import each other)."""
    return read("elements.js") + read(name)


def style(*names: str) -> str:
    """The stylesheets ``names``, after the colours and fonts that all widgets share."""
    return read("theme.css") + "".join(map(read, names))


def read(name: str) -> str:
    """The text of a file beside this one."""
    return (files("pufferbench.widgets") / name).read_text(encoding="utf-8")
