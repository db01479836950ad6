"""The built web pages: complete, without a dead link, and with nothing from the net."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pufferbench.notebooks import find
from pufferbench.registry import list_envs, spec

ROOT = Path(__file__).resolve().parents[2]
TAG = re.compile(r"<(?:a|img|script|link|source|iframe)\b[^>]*>")
TARGET = re.compile(r'\b(href|src)="([^"]*)"')


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, str]:
    found = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]  # the theme's own
    return {path: path.read_text(encoding="utf-8") for path in found}


def test_every_lesson_lab_guide_and_game_has_its_place(site: Path, pages: dict[Path, str]) -> None:
    notebooks = [
        path.relative_to(ROOT) for path in find([ROOT / "tutorials"]) if path.parent.name == "tutorials"
    ]
    notebooks += [path.relative_to(ROOT) for path in (ROOT / "notebooks").glob("*.ipynb")]
    guides = [path.relative_to(ROOT) for path in (ROOT / "pufferbench" / "docs").glob("*.md")]
    for path in [*notebooks, *guides]:
        assert site / path.with_suffix(".html") in pages, path
    games = pages[site / "pufferbench/docs/api/games.html"]
    for name in list_envs("ocean-"):
        assert f'id="{str(spec(name).entry_point).replace(":", ".")}"' in games, name
    assert pages[site / "index.html"] == pages[site / "README.html"]


def test_lessons_show_their_outputs(site: Path, pages: dict[Path, str]) -> None:
    quickstart = pages[site / "tutorials/00_quickstart.html"]
    assert "random play scores" in quickstart
    assert 'alt="Training panel of ocean-breakout' in quickstart, "the picture that the panel has left"
    formulas = pages[site / "tutorials/05_ppo_from_scratch.html"]
    assert "<math" in formulas
    assert "$" not in re.sub(r"(?s)<pre.*?</pre>|<script.*?</script>|<[^>]*>", "", formulas), (
        "a formula is not drawn"
    )


def test_docstrings_are_drawn(site: Path, pages: dict[Path, str]) -> None:
    """Nothing is left of the markup: not of sections, roles, Markdown's tables, or traitlets' signatures."""
    for path in (site / "pufferbench/docs/api").glob("*.html"):
        text = re.sub(r"(?s)<(pre|script)\b.*?</\1>", "", pages[path])
        for left in ("|---", "Args:", "Returns:", "Attributes:", ":class:`", ":func:`", "t.Any"):
            assert left not in text, f"{path.name}: {left}"
    cartpole = pages[site / "pufferbench/docs/api/games.html"]
    assert "<p>angular velocity of the pole</p>" in cartpole


def test_no_link_is_dead(site: Path, pages: dict[Path, str]) -> None:
    anchors = {path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text)) for path, text in pages.items()}
    dead = []
    for path, text in pages.items():
        for tag in TAG.findall(text):
            for _, target in TARGET.findall(tag):
                parts = urlsplit(target.replace("&amp;", "&"))
                if parts.scheme or parts.netloc:
                    continue
                to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                to = to / "index.html" if to.is_dir() else to
                if not to.exists() or (parts.fragment and unquote(parts.fragment) not in anchors.get(to, ())):
                    dead.append(f"{path.relative_to(site)}: {target}")
    assert not dead, "\n".join(dead)


def test_nothing_is_loaded_from_the_net(site: Path, pages: dict[Path, str]) -> None:
    """Links may lead into the web; scripts, styles, fonts and pictures are all here."""
    foreign = []
    for path, text in pages.items():
        for tag in TAG.findall(text):
            loaded = [
                target for name, target in TARGET.findall(tag) if name == "src" or tag.startswith("<link")
            ]
            foreign += [f"{path.name}: {target}" for target in loaded if re.match(r"(https?:)?//", target)]
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        foreign += [
            f"{style.name}: {url}" for url in re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)]*)", text)
        ]
    assert not foreign, "\n".join(foreign)
