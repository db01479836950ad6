"""The first lesson, as a new user meets it: run all cells, watch, move a slider, press Start."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

LESSON = Path(__file__).parents[2] / "tutorials" / "00_quickstart.ipynb"


def test_quickstart(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until

    shutil.copy(LESSON, lab.notebooks)
    notebook = open_notebook(LESSON.name)
    page = notebook.page

    def wait(condition: Any, what: str, timeout: float = 30) -> None:
        wait_until(
            condition, timeout, what, more=lambda: page.inner_text(".jp-Notebook"), pause=notebook.pause
        )

    # the lesson's loop runs in a cell, and yet the panel lives
    notebook.run(".pb-panel .pb-chart")
    page.locator(".pb-panel").scroll_into_view_if_needed()  # out of sight, it does not draw
    wait(lambda: notebook.points() >= 2, "the curve grows while the cell runs")
    page.locator(".pb-knob-learning_rate .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    note = page.locator(".pb-knob-learning_rate .pb-knob-note")
    wait(lambda: note.inner_text().startswith(("pending", "applied")), "pending")

    # all cells, without an error
    wait(
        lambda: not page.locator(".jp-InputPrompt", has_text="[*]").count(), "all cells are done", timeout=90
    )
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts() == []

    # and Start goes on with it
    notebook.panel("idle")
    before = notebook.points()
    notebook.press("Start")
    notebook.panel("training")
    wait(lambda: notebook.points() > before, "the curve grows again")
    wait(lambda: note.inner_text().startswith("applied at update"), "the slider's value is applied")
    notebook.press("Stop")
    notebook.panel("idle")
