"""A branch of a training, in a real JupyterLab: two curves side by side; an interrupt and a restart end both."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

PANEL = """\
import threading
import pufferbench
env = pufferbench.make("ocean-breakout", num_envs=64)
trainer = pufferbench.PuffeRL(env=env, bptt_horizon=32)
panel = pufferbench.widgets.TrainerPanel(trainer)
panel\
"""
LEFT = """\
working = [t.name for t in threading.enumerate() if t.name in ("pufferbench-training", "pufferbench-branch")]
branch = panel.more.branching.trainer
print("LEFT", working, "lr", round(branch.config.learning_rate / trainer.config.learning_rate, 3))\
"""


def test_branch_a_run(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until, write_notebook

    write_notebook(lab.notebooks / "branch.ipynb", PANEL, LEFT)
    notebook = open_notebook("branch.ipynb")
    page = notebook.page
    notebook.run(".pb-panel .pb-chart", "notebook:run-cell")

    def wait(condition: Any, what: str) -> None:
        wait_until(condition, 30, what, more=lambda: page.inner_text(".jp-Notebook"), pause=notebook.pause)

    # train a little, and branch with another learning rate, by mouse and keyboard
    notebook.start_training()
    wait(lambda: notebook.points() >= 2, "the curve has begun")
    page.get_by_role("tab", name="Branch, A/B").click()
    choices = page.locator(".pb-branches select")
    choices.nth(0).select_option("Learning rate")
    choices.nth(1).select_option("a tenth")
    page.get_by_role("button", name="Branch").click()
    both = page.locator(".pb-ab")
    both.wait_for(timeout=30_000)
    note = page.locator(".pb-branch-note")
    wait(lambda: note.inner_text().startswith("B goes on from update"), "the note says from where")
    first = int(note.inner_text().partition("update ")[2].partition(":")[0])

    # both train, and both curves grow
    both.scroll_into_view_if_needed()  # out of sight, it does not draw
    statuses = page.locator(".pb-panel .pb-status")  # the panel's own, and B's
    curves = both.locator(".pb-chart path.pb-line")
    assert curves.count() == statuses.count() == 2
    assert "learning_rate" in statuses.nth(1).inner_text()

    def states() -> list[str | None]:
        return [statuses.nth(k).get_attribute("data-state") for k in range(2)]

    def updates() -> list[int]:
        return [int(statuses.nth(k).get_attribute("data-update") or 0) for k in range(2)]

    def vertices() -> list[int]:
        """Of each line, A's and B's."""
        return [(curves.nth(k).get_attribute("d") or "").count("L") for k in range(2)]

    wait(lambda: states() == ["training", "training"], "both train")
    wait(lambda: min(vertices()) >= 2 and min(updates()) > first + 2, "both curves are there")
    before = vertices()
    wait(lambda: all(new > old for new, old in zip(vertices(), before, strict=True)), "both curves grow")

    # the kernel's interrupt stops both: no thread trains any longer
    lab.api(f"kernels/{notebook.kernel_id}/interrupt", "POST")
    wait(lambda: states() == ["idle", "idle"], "both have stopped")
    still = updates()
    notebook.command("notebook:move-cursor-down")
    notebook.command("notebook:run-cell")
    wait(lambda: page.get_by_text("LEFT [] lr 0.1").count() == 1, "no thread trains")
    assert updates() == still

    # both go on from there; a restart in the middle leaves no process
    both.get_by_role("button", name="Start both").click()
    wait(lambda: min(new - old for new, old in zip(updates(), still, strict=True)) >= 1, "both go on")
    before_restart = lab.kernel_pids()
    lab.api(f"kernels/{notebook.kernel_id}/restart", "POST")
    wait(lambda: not before_restart & lab.kernel_pids(), "the old kernel is gone")
    wait(lambda: len(lab.kernel_pids()) == 1, "there is one new kernel, and nothing else")
