"""what_if() in a real JupyterLab: learning curves that follow a slider, and a map whose cells can be clicked."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

CELL = "import pufferbench as pb\npb.widgets.what_if('cartpole')"


def test_drag_a_slider_fill_the_map_and_go_to_a_cell(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until, write_notebook

    write_notebook(lab.notebooks / "what_if.ipynb", CELL)
    notebook = open_notebook("what_if.ipynb")
    page = notebook.page
    notebook.run(".pb-what-if svg[data-seeds='8']", "notebook:run-cell")
    curves = page.locator(".pb-what-if figure").nth(0)
    knob = page.locator(".pb-knob-learning_rate")

    def wait(condition: Any, what: str) -> None:
        wait_until(condition, 30, what, more=lambda: page.inner_text(".jp-Notebook"), pause=notebook.pause)

    def line(name: str) -> str:
        path = curves.locator(f"path.pb-line.{name}")
        return (path.get_attribute("d") or "") if path.count() else ""

    def rate() -> float:
        return float(knob.locator(".widget-readout").inner_text())

    # a whole set of trainings for another learning rate, by keyboard; the old curve stays for comparison
    first, old_rate = line("pb-now"), rate()
    assert first and not line("pb-before")
    knob.locator(".noUi-handle").focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    wait(lambda: rate() < 0.5 * old_rate, "the slider moves")
    wait(lambda: "8 of 8 seeds" in curves.inner_text() and line("pb-before"), "all seeds again")
    assert line("pb-now") != first

    # a map of final scores; the coarse places come first, and a click goes to one of them
    page.get_by_role("button", name="Fill the map").click()
    cells = page.locator(".pb-what-if rect.pb-cell")
    wait(lambda: cells.first.count() and cells.first.get_attribute("fill") != "none", "a cell is trained")
    assert "final score" in (cells.first.locator("title").text_content() or "")
    moved, here = rate(), line("pb-now")
    cells.first.click()
    wait(lambda: rate() < 0.5 * moved, "the slider moves to the cell's learning rate")
    wait(
        lambda: "8 of 8 seeds" in curves.inner_text() and line("pb-now") != here,
        "all seeds are trained there",
    )
