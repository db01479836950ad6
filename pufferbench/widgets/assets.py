"""The browser's half of a widget: JS and CSS files that lie beside the Python."""

from __future__ import annotations

from importlib.resources import files


def script(name: str) -> str:
    """The JavaScript module ``name``."""
    return (files("pufferbench.widgets") / name).read_text(encoding="utf-8")


def style(name: str) -> str:
    """The stylesheet ``name``, after the colours and fonts that all widgets share."""
    return script("theme.css") + script(name)
