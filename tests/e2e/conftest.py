"""A JupyterLab and a browser for the e2e tests; without a browser they skip, and say so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def chromium() -> str:
    try:
        from e2e.jupyter import find_chromium
    except ImportError as error:
        return unavailable(f"playwright is not installed ({error}): pip install -e '.[test]'")
    found = find_chromium()
    if found is None:
        return unavailable(
            "no Chromium on the PATH: apt install chromium, or set PUFFERBENCH_CHROMIUM to a browser's path"
        )
    return found


def unavailable(reason: str) -> Any:
    """Skip visibly; where a browser is promised (CI), fail."""
    if os.environ.get("PUFFERBENCH_REQUIRE_E2E") == "1":
        pytest.fail(f"PUFFERBENCH_REQUIRE_E2E=1, but {reason}", pytrace=False)
    pytest.skip(f"browser tests: {reason}")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    from e2e.jupyter import launch
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from e2e.jupyter import JupyterLab

    server = JupyterLab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture
def open_notebook(browser: Any, lab: Any) -> Iterator[Callable[..., Any]]:
    """``open_notebook(name)``: a page on it. Afterwards: nothing was asked of the net, and its kernel is gone."""
    from e2e.jupyter import Notebook

    opened = []

    def open_one(name: str | Path, **options: Any) -> Any:
        opened.append(Notebook(browser, lab, str(name), **options))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()
    lab.shut_down_kernels()
    assert [address for notebook in opened for address in notebook.foreign] == []
