"""The training panel at work on Breakout: the picture in the README; and a branch of it, A beside B."""

from __future__ import annotations

from typing import Any

from e2e.jupyter import wait_until
from e2e.pictures import Picture

CELL = """\
import pufferbench as pb

env = pb.make("ocean-breakout", num_envs=1024)
trainer = pb.PuffeRL(env=env)
panel = pb.widgets.TrainerPanel(trainer)
panel"""


def train(notebook: Any) -> None:
    """Half of the training, one turn of a knob, and a little more."""
    notebook.start_training()
    until(notebook, 45)
    turn(notebook, "learning_rate", "ArrowLeft")
    until(notebook, 65)


def until(notebook: Any, percent: int) -> None:
    """Wait for so much of the training's progress."""
    track = notebook.page.locator(".pb-track").first
    wait_until(
        lambda: int(track.get_attribute("aria-valuenow")) >= percent,
        240,
        f"{percent} %",
        pause=notebook.pause,
    )


def turn(notebook: Any, option: str, key: str) -> None:
    """Move a slider by keyboard."""
    notebook.page.locator(f".pb-knob-{option} .noUi-handle").first.focus()
    notebook.page.keyboard.press(key)
    notebook.page.evaluate("document.activeElement.blur()")


def fork(notebook: Any) -> None:
    """Too large a learning rate, which the diagnosis finds; a branch with a third of it."""
    notebook.start_training()
    until(notebook, 8)
    notebook.page.get_by_role("tab", name="Branch, A/B").click()
    notebook.page.get_by_role("button", name="Branch").click()
    notebook.page.locator(".pb-ab").wait_for(timeout=30_000)
    until(notebook, 25)


BRANCHED = """\
import pufferbench as pb

trainer = pb.PuffeRL(env=pb.make("ocean-breakout", num_envs=1024), learning_rate=0.1)
panel = pb.widgets.TrainerPanel(trainer)
panel"""

PICTURES = [
    Picture("trainer_panel", CELL, ".pb-panel", train, height=1500),
    Picture("trainer_panel_branch", BRANCHED, ".pb-panel", fork, height=2000),
]
