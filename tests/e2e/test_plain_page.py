"""Every widget, rendered once by ipywidgets' html-manager in a page without a kernel."""

from __future__ import annotations

import ast
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from e2e.conftest import unavailable
from e2e.jupyter import Notebook
from e2e.pictures import all_pictures
from e2e.plain_page import Unavailable, scripts, served, write_page

pytestmark = pytest.mark.e2e
CACHE = Path(
    os.environ.get("PUFFERBENCH_HTML_MANAGER", Path(tempfile.gettempdir()) / "pufferbench-html-manager")
)


@pytest.fixture(scope="module")
def page_folder(chromium: str) -> Path:
    try:
        return scripts(CACHE)
    except Unavailable as error:
        return unavailable(str(error))


def last_value(source: str) -> Any:
    """Run a cell; the value of its last line."""
    tree = ast.parse(source)
    *body, last = tree.body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@pytest.mark.parametrize("name", all_pictures())
def test_every_widget_in_a_plain_page(
    name: str, page_folder: Path, browser: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "PUFFERBENCH_FAST", "1"
    )  # a picture needs a trained agent, this test only one that has begun
    picture = all_pictures()[name]
    widget = last_value(picture.cell)
    context = browser.new_context()
    try:
        write_page(widget, page_folder / f"{name}.html")
        foreign: list[str] = []
        context.route(Notebook.FOREIGN, lambda route: (foreign.append(route.request.url), route.abort()))
        with served(page_folder) as address:
            page = context.new_page()
            page.goto(f"{address}/{name}.html")
            page.wait_for_selector(picture.element, timeout=30_000)
            page.wait_for_function("require.s.contexts._.defined['anywidget'] || window.errors.length")
            page.wait_for_timeout(1000)
            assert page.evaluate("window.errors") == []
            assert page.get_by_text("javascript error").count() == 0
            assert page.locator(picture.element).first.bounding_box()["height"] > 40
        assert foreign == []
    finally:
        context.close()
        widget.close()
