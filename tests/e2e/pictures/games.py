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

trainer = pb.PuffeRL(env="ocean-breakout", run_dir="runs/{name}", total_timesteps=6_000_000, seed=1)
for update in trainer.steps():
    if trainer.update % 5 == 0:
        trainer.save_checkpoint()
"""


def play_a_little(notebook: Any) -> None:
    """Click, and chase the ball by looking at nothing but its own luck."""
    page = notebook.page
    page.locator(".pb-screen").click()
    for key, seconds in (
        ("ArrowLeft", 0.5),
        ("ArrowRight", 0.9),
        ("ArrowLeft", 0.8),
        ("ArrowRight", 0.4),
    ) * 2:
        page.keyboard.down(key)
        notebook.pause(seconds)
        page.keyboard.up(key)
    page.keyboard.down("ArrowLeft")
    notebook.pause(0.2)


def scrub(notebook: Any) -> None:
    """To the middle of the episode, where something happens."""
    notebook.page.locator(".pb-traces").focus()
    for _ in range(23):
        notebook.page.keyboard.press("PageDown")
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
