"""The views of a game: a person plays, an agent plays, a strip of its training, an episode taken apart."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

PLAY = """\
import pufferbench as pb
from pufferbench.widgets import play

play("ocean-breakout")"""

TRAIN = """\
import pufferbench as pb
from pufferbench.widgets import film_strip, replay, watch

trainer = pb.PuffeRL(env="ocean-breakout", run_dir="runs/{name}", seed=1,
                     total_timesteps=pb.budget(full=6_000_000, fast=300_000))
for update in trainer.steps():
    if trainer.update % pb.budget(full=5, fast=1) == 0:
        trainer.save_checkpoint()
"""


def play_a_little(notebook: Any) -> None:
    """Click, and follow the ball for a while: number 3 of the observation says on which side of the paddle it is."""
    page, held = notebook.page, None
    notebook.pause(3)
    page.locator(".pb-screen").click()
    page.keyboard.press("ArrowLeft")
    for _ in range(160):
        side = float(page.locator(".pb-number-value").nth(3).inner_text())
        key = "ArrowRight" if side > 0.04 else "ArrowLeft" if side < -0.04 else None
        if key != held:
            if held:
                page.keyboard.up(held)
            if key:
                page.keyboard.down(key)
            held = key
        notebook.pause(0.05)


def scrub(notebook: Any) -> None:
    """To the middle of the episode, where something happens."""
    notebook.pause(4)
    notebook.page.locator(".pb-traces").focus()
    for _ in range(23):
        notebook.page.keyboard.press("PageDown")
    notebook.page.evaluate("document.activeElement.blur()")
    notebook.pause(1)


PICTURES = [
    Picture("play", PLAY, ".pb-game", play_a_little),
    Picture(
        "watch",
        TRAIN.format(name="watch") + 'watch("runs/watch")',
        ".pb-game",
        lambda notebook: notebook.pause(9),
    ),
    Picture(
        "film_strip",
        TRAIN.format(name="strip") + 'film_strip("runs/strip")',
        ".pb-game",
        lambda notebook: notebook.pause(8),
    ),
    Picture(
        "replay",
        TRAIN.format(name="replay") + "replay(pb.record_episode(trainer, trainer.env, seed=2, limit=400))",
        ".pb-game",
        scrub,
    ),
]
