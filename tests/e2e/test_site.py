"""The built web pages in a browser: every picture is there and has words, every page is quiet; search, dark, narrow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
PICTURES = """() => [...document.querySelectorAll("img")].map(
    (image) => [image.getAttribute("src").slice(0, 80), image.naturalWidth, image.alt])"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that notes whatever goes wrong in it."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda it: wrong.append(it.url) if not it.url.startswith((address, "data:")) else None)
    page.on("response", lambda it: wrong.append(f"{it.status} {it.url}") if it.status >= 400 else None)
    page.on("pageerror", lambda it: wrong.append(str(it)))
    page.on("console", lambda it: wrong.append(it.text) if it.type == "error" else None)
    yield page
    context.close()
    assert not wrong, "\n".join(wrong)


def test_every_picture_of_every_page(page: Any, site: Path, address: str) -> None:
    seen = 0
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        if name.startswith(("_modules/", "_static/")):  # source text; the theme's own
            continue
        page.goto(f"{address}/{name}")
        for source, width, words in page.evaluate(PICTURES):
            assert width > 0, f"{name}: {source} does not show"
            assert words.strip(), f"{name}: {source} has no alternative text"
            seen += 1
    assert seen > 80


def test_search_finds_a_lesson(page: Any, address: str) -> None:
    page.goto(f"{address}/search.html?q=regret")
    page.wait_for_selector('#search-results a[href*="tutorials/02_bandits"]')


def test_dark_and_light(page: Any, address: str) -> None:
    background = "() => getComputedStyle(document.body).backgroundColor"
    colors = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/index.html")
        colors.add(page.evaluate(background))
    assert len(colors) == 2


@pytest.mark.parametrize(
    "name", ["index", "tutorials/05_ppo_from_scratch", "ocean_numba/README", "pufferbench/docs/api/training"]
)
def test_a_phone_scrolls_down_only(name: str, page: Any, address: str) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(f"{address}/{name}.html")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
