"""The training panel at work on Breakout: the picture in the README."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

CELL = """\
import pufferbench as pb

env = pb.make("ocean-breakout", num_envs=1024)
trainer = pb.PuffeRL(env=env)
panel = pb.widgets.TrainerPanel(trainer)
panel"""


def train(notebook: Any) -> None:
    """40 s, and one turn of a knob in the middle."""
    notebook.start_training()
    notebook.pause(24)
    notebook.page.locator(".pb-knob-learning_rate .noUi-handle").focus()
    notebook.page.keyboard.press("ArrowLeft")
    notebook.page.evaluate("document.activeElement.blur()")
    notebook.pause(16)


PICTURES = [Picture("trainer_panel", CELL, ".pb-panel", train)]
