"""``puffer warmup``: compile the learners and every game now, so that none has to be waited for later."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ocean_numba.registration import GAMES
from pufferbench.cli.terminal import console, progress_bar
from pufferbench.registry import spec
from pufferbench.system import cores

WORKER = "pufferbench.warmup"  # the module that compiles, in processes of its own


@dataclass
class WarmupOptions:
    """Compile the learners and the games of ocean_numba: once on this computer, for every process and notebook."""

    games: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Games, besides the learners; default: all."""
    jobs: int | None = None
    """Processes that compile; default: one per core."""


def main(arguments: list[str]) -> int:
    """Status 1 when something cannot be compiled."""
    options = tyro.cli(WarmupOptions, args=arguments, prog="puffer warmup")
    from ocean_numba.cache import cache_dir  # torch and Numba: not before the options are understood
    from pufferbench.warmup import LEARNERS, is_compiled

    games = [spec(name).id for name in options.games] or list(GAMES)
    tasks = {f"the {name} learner": name for name in LEARNERS}
    tasks |= {name: str(spec(name).entry_point) for name in games}
    screen = console()
    began = time.perf_counter()
    missing, failed = [], {}
    for name, task in tasks.items():
        try:
            if not is_compiled(task):
                missing.append(name)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
    if missing:
        workers = min(options.jobs or cores(), len(missing))
        with progress_bar(screen, "compiling", len(missing), "parts") as show:
            failed |= compile_all({name: tasks[name] for name in missing}, workers, show)
    done = [name for name in missing if name not in failed]
    of_games = sum(name in games for name in done)
    there = len(tasks.keys() - set(missing) - failed.keys())
    screen.print(
        f"{len(done) - of_games} learners and {of_games} games compiled in {time.perf_counter() - began:.1f} s, "
        f"{there} were there already: {cache_dir()}",
        highlight=False,
        soft_wrap=True,
    )
    for name, reason in failed.items():
        screen.print(f"{name}: {reason}", style="red", highlight=False, soft_wrap=True)
    return 1 if failed else 0


def compile_all(tasks: dict[str, str], workers: int, show: Callable[[int], None]) -> dict[str, str]:
    """Do ``tasks`` (name -> what :mod:`pufferbench.warmup` understands) in so many processes.

    Returns name -> error of those that failed.

    Args:
        show: called with the number of tasks that are done.
    """
    waiting: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for item in tasks.items():
        waiting.put(item)
    failed: dict[str, str] = {}
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_feed, args=(waiting, done, failed), daemon=True) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for count in range(1, len(tasks) + 1):
        done.get()
        show(count)
    for thread in threads:
        thread.join()
    return failed


def _feed(waiting: queue.SimpleQueue, done: queue.SimpleQueue, failed: dict[str, str]) -> None:
    """Give one process task after task, until none is left."""
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
    )
    assert process.stdin is not None and process.stdout is not None
    with process:
        while True:
            try:
                name, task = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                process.stdin.write(f"{task}\n")
                process.stdin.flush()
                answer = json.loads(process.stdout.readline() or '{"error": "its process has ended"}')
            except OSError as error:
                answer = {"error": f"its process has ended: {error}"}
            if "error" in answer:
                failed[name] = answer["error"]
            done.put(name)
