"""A person plays a game, and takes one apart, in a real JupyterLab."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PLAY = """\
from pufferbench.widgets import play
view = play("ocean-cartpole")
view"""
BUSY = "import time\ntime.sleep(30)"
REPLAY = """\
import torch
import pufferbench
torch.manual_seed(0)
env = pufferbench.make("ocean-breakout", num_envs=4)
policy = pufferbench.policies.MLP(env.observation_space, env.action_space)
view = pufferbench.widgets.replay(pufferbench.record_episode(policy, env, limit=60))
view"""


def wait(notebook: Any, condition: Any, what: str) -> None:
    from e2e.jupyter import wait_until

    wait_until(
        condition, 30, what, pause=notebook.pause, more=lambda: notebook.page.inner_text(".jp-Notebook")
    )


def test_play_by_keyboard_while_a_cell_runs(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import write_notebook

    write_notebook(lab.notebooks / "play.ipynb", PLAY, BUSY)
    notebook = open_notebook("play.ipynb")
    page = notebook.page
    notebook.run(".pb-screen canvas", "notebook:run-cell")
    screen = page.locator(".pb-screen")
    wait(notebook, lambda: screen.get_attribute("data-frames"), "the first picture")
    assert "Click here" in page.locator(".pb-screen-overlay").inner_text()
    notebook.command("notebook:move-cursor-down")
    notebook.command("notebook:run-cell")
    wait(notebook, lambda: page.locator(".jp-InputPrompt", has_text="[*]").count() == 1, "the cell runs")

    def score() -> float:
        return float(re.search(r"return ([\d.]+)", screen.get_attribute("data-note")).group(1))  # type: ignore[union-attr]

    screen.click()
    assert score() == 0
    for key in ("ArrowLeft", "ArrowRight") * 5:  # three seconds of it
        page.keyboard.down(key)
        notebook.pause(0.3)
        page.keyboard.up(key)
    wait(notebook, lambda: score() >= 5, "the score changes")
    assert page.locator(".jp-InputPrompt", has_text="[*]").count() == 1, "and the cell still runs"
    assert page.locator(".jp-Cell").count() == 2, "the keys were the game's, not the notebook's"

    # without the keyboard nothing moves
    page.locator(".pb-heading").click()
    notebook.pause(0.5)
    before = score()
    notebook.pause(0.5)
    assert score() == before


def test_scrub_a_replay(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import write_notebook

    write_notebook(lab.notebooks / "replay.ipynb", REPLAY)
    notebook = open_notebook("replay.ipynb")
    page = notebook.page
    notebook.run(".pb-game .pb-traces")
    facts = page.locator(".pb-facts")
    observation = page.locator(".pb-observation")
    wait(notebook, lambda: "step 0 of 59" in facts.inner_text(), "the first step")
    wait(notebook, lambda: observation.get_attribute("data-why") == "1", "what the decision hangs on")
    assert observation.get_attribute("data-numbers") == "118"
    assert page.locator(".pb-chance").count() == 3

    # by pointer, by keyboard, by slider
    box = page.locator(".pb-traces svg").nth(1).bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    wait(notebook, lambda: re.search(r"step (2[5-9]|3[0-5]) of 59", facts.inner_text()), "the middle")
    page.locator(".pb-traces").focus()
    page.keyboard.press("End")
    wait(notebook, lambda: "step 59 of 59" in facts.inner_text(), "the end")

    # gamma: the advantages are others at once
    before = facts.inner_text()
    page.locator(".pb-game .noUi-handle[role=slider]").nth(2).focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    wait(notebook, lambda: facts.inner_text() != before, "other advantages")

    # what is saved is a picture, with words
    picture = 'alt="ocean-breakout, seed 0 · 60 steps'
    wait(notebook, lambda: picture in saved_html(notebook), "the picture is saved")


def saved_html(notebook: Any) -> str:
    outputs = notebook.save()["cells"][0]["outputs"]
    return "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
