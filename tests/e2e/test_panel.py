"""The training panel in a real JupyterLab: what a student does with it in the first five minutes."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PANEL = """\
import pufferbench
env = pufferbench.make("ocean-breakout", num_envs=64)
trainer = pufferbench.PuffeRL(env=env, bptt_horizon=32, run_dir="run")
panel = pufferbench.widgets.TrainerPanel(trainer)
panel\
"""
LOOP = "for record in trainer.steps():\n    last = record"


@pytest.fixture
def notebook(lab: Any, open_notebook: Any) -> Any:
    """A notebook with a panel, whose run is written to a folder."""
    from e2e.jupyter import write_notebook

    write_notebook(lab.notebooks / "panel.ipynb", PANEL, LOOP)
    notebook = open_notebook("panel.ipynb")
    notebook.run(".pb-panel .pb-chart", "notebook:run-cell")
    return notebook


def wait(notebook: Any, condition: Any, what: str) -> None:
    from e2e.jupyter import wait_until

    wait_until(condition, 30, what, pause=notebook.pause)


def test_train_watch_steer_pause_interrupt_restart_reopen(
    notebook: Any, lab: Any, open_notebook: Any
) -> None:
    page = notebook.page
    notebook.panel("idle")
    assert notebook.points() == 0

    # train: the curve grows, the agent plays, the kernel stays usable
    notebook.start_training()
    wait(notebook, lambda: notebook.points() >= 3, "three points on the return curve")
    frames = page.locator(".pb-frame")
    wait(notebook, lambda: int(frames.get_attribute("data-frames") or 0) >= 2, "two films of the agent")
    assert page.locator(".pb-frame img").get_attribute("alt") == "The agent playing ocean-breakout, live"
    label = page.locator('.pb-chart[data-chart="Episode return"] svg').get_attribute("aria-label")
    assert "points, last" in label

    # steer, by keyboard: pending, applied, and in the run's metrics with the update's number
    page.locator(".pb-knob-learning_rate .noUi-handle").focus()
    page.keyboard.press("ArrowLeft")
    note = page.locator(".pb-knob-learning_rate .pb-knob-note")
    page.wait_for_function(
        "element => /pending|applied/.test(element.textContent)", arg=note.element_handle()
    )
    wait(notebook, lambda: "applied at update" in note.inner_text(), "the change is applied")
    update = int(note.inner_text().split()[-1])
    metrics = lab.notebooks / "run" / "metrics.jsonl"
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    change = records[update - 1]["changes"]["learning_rate"]
    assert records[update - 1]["update"] == update
    assert change["new"] < change["old"]
    assert records[update - 1]["learning_rate"] == pytest.approx(change["new"], rel=0.3)  # it is annealed
    assert "changes" not in records[update - 2]

    # read a value out, by keyboard
    chart = page.locator('.pb-chart[data-chart="Episode return"] svg')
    chart.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "() => /Episode return .* update \\d+, step/.test(document.querySelector('.pb-curves .pb-hidden').textContent)"
    )

    # pause: the saved notebook has the picture
    notebook.press("Pause")
    notebook.panel("paused")
    wait(
        notebook,
        lambda: 'alt="Training panel of ocean-breakout, paused' in saved_html(notebook),
        "the picture",
    )

    # a theme is loaded, which hides everything for a moment: the curves keep their width
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        notebook.command("apputils:change-theme", {"theme": theme})
        notebook.pause(1)
        drawn, seen = chart.evaluate("svg => [svg.viewBox.baseVal.width, svg.clientWidth]")
        assert drawn == pytest.approx(seen, abs=1), theme

    # interrupt between cells
    notebook.press("Start")
    notebook.panel("training")
    lab.api(f"kernels/{notebook.kernel_id}/interrupt", "POST")
    notebook.panel("idle")

    # a loop in a cell: the panel follows, and sliders act while the cell runs
    before = notebook.points()
    notebook.command("notebook:move-cursor-down")
    notebook.command("notebook:run-cell")
    notebook.panel("training")
    page.locator(".pb-panel").scroll_into_view_if_needed()
    wait(notebook, lambda: notebook.points() > before, "the curve grows")
    page.locator(".pb-knob-gamma .noUi-handle").focus()
    page.keyboard.press("ArrowLeft")
    gamma = page.locator(".pb-knob-gamma .pb-knob-note")
    wait(notebook, lambda: "applied at update" in gamma.inner_text(), "gamma is applied")
    assert page.locator(".jp-InputPrompt", has_text="[*]").count() == 1
    lab.api(f"kernels/{notebook.kernel_id}/interrupt", "POST")
    notebook.panel("idle")
    # far from the screen a cell is not there
    page.locator(".jp-Notebook-footer").scroll_into_view_if_needed()
    text = page.locator(".jp-Notebook")
    wait(notebook, lambda: "KeyboardInterrupt" in text.inner_text(), "the cell says that it was interrupted")

    # restart while it trains: nothing is left
    notebook.press("Start")
    notebook.panel("training")
    before = lab.kernel_pids()
    lab.api(f"kernels/{notebook.kernel_id}/restart", "POST")
    wait(notebook, lambda: not before & lab.kernel_pids(), "the old kernel is gone")
    wait(notebook, lambda: len(lab.kernel_pids()) == 1, "there is one new kernel, and nothing else")

    # read the saved notebook again: the picture is there, and nothing that looks broken
    picture = 'img[alt^="Training panel of ocean-breakout"]'
    assert not page.locator(picture).is_visible()  # the live view is: no need for the picture
    notebook.close()
    again = open_notebook(notebook.name)
    again.page.locator(picture).wait_for(state="visible", timeout=30_000)
    again.wait_for_kernel()
    again.pause(1)
    assert again.page.locator(picture).is_visible()
    assert not again.page.get_by_text("Error displaying widget").is_visible()
    assert not again.page.get_by_text("Loading widget").is_visible()


def saved_html(notebook: Any) -> str:
    outputs = notebook.save()["cells"][0]["outputs"]
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
