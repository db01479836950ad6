"""The page of all games is that of the games as they are: python -m ocean_numba.gallery makes it anew."""

import re

import pytest
from PIL import Image

from ocean_numba import gallery
from ocean_numba.registration import GAMES


def without_numbers(text: str) -> list[str]:
    """Game, story, picture and spaces of each row: the figures may be older than the page."""
    return [line.split(" | ")[:4] for line in text.splitlines() if line.startswith("| **")]


def test_the_page_is_up_to_date():
    committed = (gallery.HERE / "README.md").read_text(encoding="utf-8")
    assert without_numbers(committed) == without_numbers(gallery.page())


@pytest.mark.parametrize("name", GAMES)
def test_every_game_has_a_small_picture(name):
    place = gallery.HERE / "gallery" / f"{name.removeprefix('ocean-')}.png"
    assert place.stat().st_size < 15_000
    assert Image.open(place).width <= 2 * gallery.WIDTH


def test_a_row_tells_speed_and_score():
    speed = {"steps": 93.4e6, "ratio": 1.36}
    learned = {"random": -1.05, "scripted": 1.0, "reached": 0.987, "steps": 2_000_000, "seconds": 4.4}
    row = gallery.row("ocean-squared", speed, learned)
    assert "| 93.4 M (1.4 x C) | -1.05 | 1 | **0.987** (2.0 M, 4 s) |" in row
    assert "**[squared](squared.py)**<br>Walk to the target on the edge of a square." in row
    assert "`uint8[11, 11]` | `Discrete(5)`" in row


def test_pages_of_variations_and_of_several_agents():
    assert "CartPole whose push has any strength" in gallery.row("ocean-cartpole-continuous", None, None)
    assert re.search(r"`MultiDiscrete\(\[9 5\]\)` x 8 agents", gallery.row("ocean-target", None, None))
    assert "card `Discrete(4)`<br>" in gallery.row("ocean-spaces", None, None)


def test_the_page_lists_all_games_once(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "HERE", tmp_path)
    monkeypatch.setattr(gallery, "GAMES", {name: GAMES[name] for name in ("ocean-squared", "ocean-cartpole")})
    gallery.main()
    assert len(without_numbers((tmp_path / "README.md").read_text(encoding="utf-8"))) == 2
    assert sorted(place.name for place in (tmp_path / "gallery").iterdir()) == ["cartpole.png", "squared.png"]
