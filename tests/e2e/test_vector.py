"""Worker processes under a real JupyterLab: a class from a cell trains in them, and nothing stays behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

DEFINE = """\
import os, threading
import numpy as np
import psutil
import pufferbench as pb
from pufferbench.vector import Multiprocessing

STEPS = 10  # a global of the notebook, which the class uses

class Guess(pb.PufferEnv):
    "Name the number that is shown."

    def __init__(self, buf=None):
        super().__init__(buf)
        self.observation_space = self.make_space(4)
        self.action_space = self.make_discrete(4)

    def look(self):
        self.shown = self.generator.integers(4)
        self.observations[0] = np.eye(4)[self.shown]

    def reset(self, seed=None):
        self.generator = np.random.default_rng([seed or 0, self.first_env])
        self.time, self.earned = 0, 0.0
        self.look()
        return self.observations, []

    def step(self, actions):
        self.rewards[0] = float(actions[0] == self.shown)
        self.earned += self.rewards[0]
        self.time += 1
        infos = []
        self.terminals[0] = self.time == STEPS
        if self.terminals[0]:
            infos = [{"episode_return": self.earned, "episode_length": self.time}]
            self.time, self.earned = 0, 0.0
        self.look()
        return self.observations, self.rewards, self.terminals, self.truncations, infos
"""
TRAIN = """\
threads = set(threading.enumerate())
vec = Multiprocessing(Guess, num_envs=16, num_workers=2)
trainer = pb.PuffeRL(env=vec, total_timesteps=200_000, bptt_horizon=32, learning_rate=0.01)
for record in trainer.steps():
    if record.get("episode_return_100", 0) > 8:  # of 10; guessing blindly gets 2.5
        break
print("LEARNED", record["episode_return_100"] > 8, "in", os.getpid())
"""
CLOSE = """\
vec.close()
new_threads = [thread.name for thread in threading.enumerate() if thread not in threads]
print("LEFT", new_threads, psutil.Process().children(recursive=True))
"""
ENDLESS = """\
busy = Multiprocessing(Guess, num_envs=16, num_workers=2)
busy.reset(0)
print("STEPPING with", len(psutil.Process().children()), "workers")
while True:
    busy.step(np.zeros(16, np.int64))
"""


def test_a_class_of_a_cell_trains_in_workers_and_nothing_is_left(lab: Any, open_notebook: Any) -> None:
    from e2e.jupyter import wait_until, write_notebook

    write_notebook(lab.notebooks / "workers.ipynb", DEFINE, TRAIN, CLOSE, ENDLESS)
    shared_memory = blocks()
    notebook = open_notebook("workers.ipynb")

    def wait(condition: Any, what: str, timeout: float = 30) -> None:
        wait_until(
            condition,
            timeout,
            what,
            more=lambda: notebook.page.inner_text(".jp-Notebook"),
            pause=notebook.pause,
        )

    def outputs() -> str:
        return "\n".join(notebook.page.locator(".jp-OutputArea-output").all_inner_texts())

    def run_all() -> int:
        """Run the four cells up to the endless loop of the last; returns the kernel's process id."""
        notebook.run('.jp-OutputArea-output:has-text("STEPPING with 2 workers")')
        assert "LEARNED True in" in outputs()
        assert "LEFT [] []" in outputs(), "closed: no thread, no process"
        return int(outputs().partition("LEARNED True in ")[2].split()[0])

    # trained, closed, and now another one steps for ever in a cell
    first = run_all()
    workers = worker_pids(first)
    assert len(workers) == 2

    # an interrupt ends the cell, not the workers: they can go on
    lab.api(f"kernels/{notebook.kernel_id}/interrupt", "POST")
    wait(lambda: "KeyboardInterrupt" in outputs(), "the loop is interrupted")
    assert worker_pids(first) == workers
    notebook.wait_for_kernel()  # a kernel drops the cells that it is sent while it still ends one with an error
    notebook.command(
        "notebook:run-cell"
    )  # the last cell is selected: it makes another env, of which it has two now
    wait(lambda: len(worker_pids(first) - workers) == 2, "the loop runs again")

    # a restart while they step: kernel and all workers end, shared memory is gone
    everyone = worker_pids(first) | {first}
    lab.api(f"kernels/{notebook.kernel_id}/restart", "POST")
    wait(lambda: not alive(everyone), "the old kernel and its workers are gone")
    wait(lambda: len(lab.kernel_pids()) == 1, "there is one new kernel, and nothing else")
    assert blocks() == shared_memory

    # the new kernel runs the same notebook
    notebook.wait_for_kernel()
    notebook.command("notebook:clear-all-cell-outputs")
    wait(lambda: not outputs(), "the outputs are cleared")
    second = run_all()
    assert second != first
    everyone = worker_pids(second) | {second}
    assert len(everyone) == 3
    lab.shut_down_kernels()
    wait(lambda: not alive(everyone), "after a shutdown nothing is left")
    assert blocks() == shared_memory


def worker_pids(kernel: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(kernel).children(recursive=True)}


def alive(pids: set[int]) -> set[int]:
    """Those that still run; one that nobody has waited for yet (a zombie) has ended."""
    import psutil

    running = set()
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                running.add(pid)
        except psutil.NoSuchProcess:
            continue
    return running


def blocks() -> set[str]:
    """Named shared memory of ours, where one can look. (A browser has blocks of its own, which come and go.)"""
    if not sys.platform.startswith("linux"):
        return set()
    return {
        path.name
        for path in Path("/dev/shm").iterdir()
        if not path.name.startswith((".org.chromium", ".com.google"))
    }
