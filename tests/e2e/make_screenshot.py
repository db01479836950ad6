"""Make the pictures of the widgets, in a real JupyterLab: ``python tests/e2e/make_screenshot.py [--dark] [NAME ...]``

Writes ``notebooks/images/NAME.png`` for each NAME (all of them when none is given; tests/e2e/pictures/ has the list);
with ``--dark`` ``NAME_dark.png`` beside it, which is for looking at, and with ``--folder DIR`` elsewhere.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.jupyter import JupyterLab, Notebook, find_chromium, launch, write_notebook  # noqa: E402
from e2e.pictures import Picture, all_pictures  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402


def main(names: list[str], folder: Path, dark: bool) -> None:
    known = all_pictures()
    if unknown := sorted(set(names) - known.keys()):
        sys.exit(f"there is no picture {', '.join(unknown)}; there are: {', '.join(known)}")
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no Chromium on the PATH: apt install chromium, or set PUFFERBENCH_CHROMIUM")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        lab = JupyterLab(Path(temporary) / "lab")
        try:
            browser = launch(playwright, chromium)
            for name in names or known:
                take(known[name], browser, lab, folder, dark)
            browser.close()
        finally:
            lab.close()


def take(picture: Picture, browser: Browser, lab: JupyterLab, folder: Path, dark: bool) -> None:
    """Run the picture's cell, do what a person does, and photograph its element."""
    file = f"{picture.name}.ipynb"
    write_notebook(lab.notebooks / file, picture.cell)
    notebook = Notebook(browser, lab, file, width=picture.width, height=picture.height)
    notebook.run(picture.element)
    picture.act(notebook)
    element = notebook.page.locator(picture.element).first
    path = folder / f"{picture.name}.png"
    element.screenshot(path=path)
    print(f"{path}: {path.stat().st_size // 1000} kB", flush=True)
    if dark:
        notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
        notebook.pause(2)
        element.screenshot(path=folder / f"{picture.name}_dark.png")
        notebook.command("apputils:change-theme", {"theme": "JupyterLab Light"})  # the server remembers
        notebook.pause(1)
    notebook.close()
    lab.shut_down_kernels()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which pictures; all when none is given")
    parser.add_argument("--folder", type=Path, default=ROOT / "notebooks" / "images")
    parser.add_argument("--dark", action="store_true", help="a picture in the dark theme too")
    options = parser.parse_args()
    main(options.names, options.folder, options.dark)
