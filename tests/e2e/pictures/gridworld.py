"""gridworld() with planning and with learning."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

PLANNING = """\
import pufferbench as pb

pb.widgets.gridworld()"""
LEARNING = """\
import pufferbench as pb

view = pb.widgets.gridworld("cliff", "Q-learning")
view.method.run(300)
view.redraw()
view"""


def solve(notebook: Any) -> None:
    """Run value iteration to its end by keyboard."""
    drawing = notebook.page.locator(".pb-view .pb-drawing").first
    drawing.focus()
    notebook.pause(2)  # a click in the first moments may be lost
    notebook.page.locator(".pb-view .jupyter-button", has_text="Run").click()
    notebook.page.wait_for_function("() => /, done/.test(document.querySelector('.pb-view').textContent)")
    notebook.pause(1)


PICTURES = [
    Picture("gridworld", PLANNING, ".pb-view", solve),
    Picture("gridworld_q_learning", LEARNING, ".pb-view"),
]
