"""Make the README's picture: the training panel at work on Breakout.

    python tests/e2e/make_screenshot.py [seconds] [folder]

Trains for ``seconds`` (default 40) in a real JupyterLab and writes ``trainer_panel.png`` (default folder:
notebooks/images), and ``trainer_panel_dark.png`` beside it when PUFFERBENCH_DARK=1.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from e2e.jupyter import JupyterLab, Notebook, find_chromium, launch, write_notebook  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

CELL = """\
import pufferbench as pb

env = pb.make("ocean-breakout", num_envs=1024)
trainer = pb.PuffeRL(env=env)
panel = pb.widgets.TrainerPanel(trainer)
panel"""


def main(seconds: float, folder: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("no Chromium on the PATH: apt install chromium, or set PUFFERBENCH_CHROMIUM")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        lab = JupyterLab(Path(temporary) / "lab")
        try:
            write_notebook(lab.notebooks / "breakout.ipynb", CELL)
            browser = launch(playwright, chromium)
            notebook = Notebook(browser, lab, "breakout.ipynb", width=1240, height=1300)
            notebook.run(".pb-panel .pb-chart")
            notebook.start_training()
            notebook.pause(0.6 * seconds)
            notebook.page.locator(".pb-knob-learning_rate .noUi-handle").focus()
            notebook.page.keyboard.press("ArrowLeft")
            notebook.page.evaluate("document.activeElement.blur()")
            notebook.pause(0.4 * seconds)
            panel = notebook.page.locator(".pb-panel")
            panel.screenshot(path=folder / "trainer_panel.png")
            if os.environ.get("PUFFERBENCH_DARK") == "1":
                notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
                notebook.pause(2)
                panel.screenshot(path=folder / "trainer_panel_dark.png")
            notebook.close()
            browser.close()
        finally:
            lab.close()
    print(f"{folder / 'trainer_panel.png'}: {(folder / 'trainer_panel.png').stat().st_size // 1000} kB")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        float(arguments[0]) if arguments else 40,
        Path(arguments[1]) if len(arguments) > 1 else ROOT / "notebooks" / "images",
    )
