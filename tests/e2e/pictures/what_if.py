"""what_if() after a slider was moved, with a heat map over two options beside the curves."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

CELL = """\
import pufferbench as pb

pb.widgets.what_if("cartpole")"""


def turn_and_fill(notebook: Any) -> None:
    """Let it rest, turn the learning rate down, and fill the map."""
    page = notebook.page
    page.wait_for_selector(".pb-what-if svg[data-seeds='8']", timeout=60_000)
    page.locator(".pb-knob-learning_rate .noUi-handle").focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    notebook.pause(1)
    page.wait_for_selector(".pb-what-if svg[data-seeds='8']", timeout=60_000)
    page.get_by_role("button", name="Fill the map").click()
    page.wait_for_selector(".pb-what-if svg[data-done='162']", timeout=120_000)
    notebook.pause(0.5)


PICTURES = [Picture("what_if", CELL, ".pb-what-if-panel", turn_and_fill, height=1000)]
