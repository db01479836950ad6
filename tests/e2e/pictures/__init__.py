"""The pictures of the widgets: which cell makes each, and what is done before it is taken.

One file per family of widgets; each has a list ``PICTURES``. ``tests/e2e/make_screenshot.py`` finds them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One picture in notebooks/images/.

    Attributes:
        name: of the file, without ``.png``.
        cell: source of the notebook's one cell.
        element: CSS selector of what is photographed; the cell is done when it is there.
        act: what a person does before the picture is taken: a function of the open Notebook.
        width, height: of the browser's window, pixels.
    """

    name: str
    cell: str
    element: str
    act: Callable[[Any], None] = lambda notebook: notebook.pause(1)
    width: int = 1240
    height: int = 1300


def all_pictures() -> dict[str, Picture]:
    """Every picture by name."""
    found: dict[str, Picture] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            found |= {picture.name: picture for picture in import_module(f"{__name__}.{path.stem}").PICTURES}
    return found
