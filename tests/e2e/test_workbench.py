"""The workbench in a real JupyterLab: one cell that opens everything, and closes it again."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

OPEN = """\
import threading
import pufferbench as pb
before = set(threading.enumerate())
bench = pb.widgets.Workbench("ocean-cartpole")
bench\
"""
CLOSE = """\
bench.close()
import time
time.sleep(2)  # the learner's second thread ends when it was idle for half a second
left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("pufferbench")]
print("LEFT", left)\
"""


def test_open_train_play_watch_close(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until, write_notebook

    write_notebook(lab.notebooks / "workbench.ipynb", OPEN, CLOSE)
    notebook = open_notebook("workbench.ipynb")
    page = notebook.page

    def wait(condition: Any, what: str) -> None:
        wait_until(condition, 30, what, more=lambda: page.inner_text(".jp-Notebook"), pause=notebook.pause)

    def tab(name: str) -> None:
        page.locator(".pb-workbench > .widget-tab > .lm-TabBar").get_by_role("tab", name=name).click()

    # train
    notebook.run(".pb-panel .pb-chart", "notebook:run-cell")
    notebook.start_training()
    wait(lambda: notebook.points() >= 3, "the curve grows")

    # play, while it trains
    tab("Play")
    screen = page.locator(".pb-screen:visible")
    wait(lambda: screen.count() == 1 and screen.get_attribute("data-frames"), "the first picture")
    screen.click()
    page.keyboard.down("ArrowLeft")
    wait(lambda: not (screen.get_attribute("data-note") or "return 0 ").startswith("return 0 "), "the score")
    page.keyboard.up("ArrowLeft")

    # watch the agent
    tab("Watch")
    wait(lambda: screen.count() == 1 and int(screen.get_attribute("data-frames") or 0) >= 5, "it plays")

    # back: it went on meanwhile
    tab("Train")
    wait(lambda: page.locator(".pb-status").get_attribute("data-state") in ("training", "finished"), "Train")
    assert page.locator(".pb-workbench-note").inner_text() == ""

    # close: nothing works on, and the run stays
    notebook.command("notebook:move-cursor-down")
    notebook.command("notebook:run-cell")
    wait(lambda: page.get_by_text("LEFT []", exact=True).count() == 1, "closed, no thread is left")
    assert page.locator(".pb-panel").count() == 0
    (run,) = (lab.notebooks / "runs").iterdir()
    assert (run / "metrics.jsonl").stat().st_size > 0
