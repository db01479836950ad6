"""What TrainerPanel costs: steps per second with it in a browser and without it, in turns.

    python tests/e2e/measure_panel.py [ENV ...] [--rounds N] [--seconds S]

JupyterLab, the browser, the live agent and the training share this machine's cores, as they do on a student's. Every
turn is a fresh trainer with the same seed, so both sides compute the same updates; ``with`` and ``without`` follow one
another, so a slow minute of the machine hits both. Needs a quiet machine: nothing else may train, compile or browse.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import psutil

ROOT = Path(__file__).parents[2]
# s of every turn that do not count: a new panel is made, and is lively at first (pufferbench.widgets.pace)
SETTLE = 22.0

CELL = """\
import sys
sys.path.insert(0, {tests!r})
from e2e.measure_panel import in_turns
in_turns({names!r}, {rounds}, {seconds}, {result!r})"""


# -- in the notebook's kernel -------------------------------------------------------------------


def in_turns(names: list[str], rounds: int, seconds: float, result: str) -> ipywidgets.VBox:
    """A place for panels; what is measured in a thread behind it is written to the file ``result`` at the end."""
    place = ipywidgets.VBox().add_class("pb-measured")

    def measure() -> None:
        try:
            turns = [
                turn(name, shown, seconds, place)
                for name in names
                for _ in range(rounds)
                for shown in (True, False)
            ]
            answer: Any = turns
        except Exception as error:  # a thread's stderr is seen by nobody
            answer = repr(error)
        unfinished = Path(result + ".part")
        unfinished.write_text(json.dumps(answer), encoding="utf-8")
        unfinished.rename(result)

    threading.Thread(target=measure, name="measure", daemon=True).start()
    return place


def turn(name: str, shown: bool, seconds: float, place: ipywidgets.VBox) -> dict[str, Any]:
    """Train for so long: steps/s, and who used how much of one core."""
    import pufferbench

    trainer = pufferbench.PuffeRL(env=name, seed=1, total_timesteps=10**10, lr_schedule="constant")
    with (in_a_panel if shown else in_a_thread)(trainer, place):
        time.sleep(SETTLE)  # both sides: later updates may be faster or slower than the first
        before, step, began = cpu_seconds(), trainer.global_step, time.perf_counter()
        time.sleep(seconds)
        took = time.perf_counter() - began
        rate = (trainer.global_step - step) / took
        after = cpu_seconds()
    trainer.close()
    cores = {who: round((after[who] - before.get(who, 0.0)) / took, 4) for who in after}
    return {"env": name, "shown": shown, "steps_per_second": rate, "cores": cores}


@contextlib.contextmanager
def in_a_panel(trainer: Any, place: ipywidgets.VBox) -> Iterator[None]:
    """Training as the panel's Start button does it, once the page shows the panel."""
    from pufferbench.widgets import TrainerPanel

    panel = TrainerPanel(trainer)
    place.children = (panel,)
    if not panel.view.seen.wait(20):
        raise RuntimeError("the page does not show the panel")
    panel.start()
    yield
    panel.close()
    place.children = ()


@contextlib.contextmanager
def in_a_thread(trainer: Any, place: ipywidgets.VBox) -> Iterator[None]:
    """Training that nobody looks at."""
    stop = threading.Event()

    def train() -> None:
        for _ in trainer.steps():
            if stop.is_set():
                return

    thread = threading.Thread(target=train, name="pufferbench-training", daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


def cpu_seconds() -> dict[str, float]:
    """By name: of this kernel's threads, of the notebook server, and of the browser with its driver."""
    kernel = psutil.Process()
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[str, float] = {}

    def count(who: str, times: Any) -> None:
        found[who] = found.get(who, 0.0) + times[0] + times[1]

    for thread in kernel.threads():
        count(f"kernel: {names.get(thread.id, 'other threads')}", thread[1:3])
    server = kernel.parent()
    count("server", server.cpu_times())
    for process in server.parent().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.pid not in (kernel.pid, server.pid):
                count("browser", process.cpu_times())
    return found


# -- outside of it ------------------------------------------------------------------------------


def main(names: list[str], rounds: int, seconds: float) -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from e2e.jupyter import JupyterLab, Notebook, find_chromium, launch, wait_until, write_notebook
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        sys.exit("no Chromium on the PATH: apt install chromium, or set PUFFERBENCH_CHROMIUM")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        result = Path(temporary) / "result.json"
        lab = JupyterLab(Path(temporary) / "lab")
        browser = launch(playwright, chromium)
        try:
            cell = CELL.format(
                tests=str(ROOT / "tests"), names=names, rounds=rounds, seconds=seconds, result=str(result)
            )
            write_notebook(lab.notebooks / "measure.ipynb", cell)
            notebook = Notebook(browser, lab, "measure.ipynb")
            notebook.run(".pb-measured")
            limit = 60 + 2 * len(names) * rounds * (seconds + SETTLE + 10)
            wait_until(result.exists, limit, "measured", pause=lambda _: notebook.pause(0.5))
            report(json.loads(result.read_text(encoding="utf-8")))
        finally:
            browser.close()
            lab.close()


def report(turns: list[dict[str, Any]] | str) -> None:
    if isinstance(turns, str):
        sys.exit(turns)
    for name in dict.fromkeys(turn["env"] for turn in turns):
        rates: dict[bool, list[float]] = {True: [], False: []}
        for turn in turns:
            if turn["env"] == name:
                rates[turn["shown"]].append(turn["steps_per_second"])
        costs = [1 - shown / hidden for shown, hidden in zip(rates[True], rates[False], strict=True)]
        print(
            f"{name}: the panel costs {statistics.median(costs):.1%} of the training's speed "
            f"({', '.join(f'{cost:.1%}' for cost in costs)})"
        )
        for shown, label in ((True, "with"), (False, "without")):
            mine = [turn for turn in turns if turn["env"] == name and turn["shown"] == shown]
            print(f"  {label:>8}: {statistics.median(rates[shown]):,.0f} steps/s")
            for who in sorted({who for turn in mine for who in turn["cores"]}):
                cores = statistics.median(turn["cores"].get(who, 0.0) for turn in mine)
                if cores >= 0.001:
                    print(f"    {cores:7.1%} of a core: {who}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="ENV", default=["breakout", "cartpole"])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each kind")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured in each turn")
    options = parser.parse_args()
    main(options.names, options.rounds, options.seconds)
