"""Workbench() with its training at work."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

CELL = """\
import pufferbench as pb

pb.widgets.Workbench()"""


def train(notebook: Any) -> None:
    """A few seconds of Breakout."""
    notebook.start_training()
    notebook.pause(15)
    notebook.page.evaluate("document.activeElement.blur()")


PICTURES = [Picture("workbench", CELL, ".pb-workbench", train, height=1500)]
