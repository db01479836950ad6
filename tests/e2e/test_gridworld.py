"""The gridworld in a real JupyterLab: edit a cell, by mouse and by keyboard, and see values change; ask a value map."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

CELL = "import pufferbench as pb\nview = pb.widgets.gridworld()\nview"

MAP = """\
env = pb.make("ocean-gridworld")
pb.widgets.value_map(pb.policies.MLP(env.observation_space, env.action_space), env)"""


def value(notebook: Any, cell: int) -> str:
    """The number in a cell of the live picture."""
    return notebook.page.locator(f'.pb-view [data-pick="{cell}"] text').first.text_content()


def test_edit_a_cell_and_see_values_change_and_read_a_value_map(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until, write_notebook

    def wait(condition: Any, what: str) -> None:
        wait_until(condition, 30, what, more=lambda: page.inner_text(".pb-view"), pause=notebook.pause)

    write_notebook(lab.notebooks / "grid.ipynb", CELL, MAP)
    notebook = open_notebook("grid.ipynb")
    notebook.run(".pb-view [data-pick]", "notebook:run-cell")
    page = notebook.page
    drawing = page.locator(".pb-view .pb-drawing").first
    notebook.pause(
        2
    )  # a message in the first moments may be lost: JupyterLab makes its subshell for widgets then

    # solve it, by keyboard: one step, one sweep, the rest
    drawing.focus()
    page.keyboard.press("Space")
    page.get_by_text("V(0, 0) ← max(").wait_for()
    page.keyboard.press("n")
    page.get_by_text("1 sweeps, 9 steps").wait_for()
    page.keyboard.press("Enter")
    wait(
        lambda: value(notebook, 2) == "0.92" and ", done" in page.inner_text(".pb-view"), "the book's values"
    )

    # a wall, by mouse: what was solved is solved again; and back
    before = value(notebook, 11)
    page.locator('.pb-view [data-pick="10"]').click()
    wait(lambda: value(notebook, 11) != before, "the values change")
    assert page.locator('.pb-view [data-pick="10"] .pb-wall').count() == 1
    drawing.focus()
    page.keyboard.press("z")
    wait(lambda: value(notebook, 11) == before, "the values are back")

    # a pit beside the start, by keyboard: and the label says where the cursor is
    page.keyboard.press("ArrowLeft")
    wait(lambda: "Row 2, column 1" in (drawing.get_attribute("aria-label") or ""), "the cursor moves")
    page.keyboard.press("p")
    wait(lambda: page.locator('.pb-view [data-pick="9"] .pb-cross').count() == 1, "there is a pit")

    # what is saved is the picture as it is now
    def saved() -> str:
        outputs = notebook.save()["cells"][0]["outputs"]
        return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)

    wait(lambda: "Row 2, column 1 is a pit" in saved(), "the saved picture")
    assert "data:image/svg+xml;base64," in saved()

    # a value map: a click on a cell reads out its numbers
    notebook.command("notebook:move-cursor-down")
    notebook.run('.pb-view:has-text("Click a cell to read its numbers")', "notebook:run-cell")
    page.locator('.pb-view [data-pick="0"]').last.click()
    page.get_by_text("Row 0, column 0: the policy expects").wait_for()
