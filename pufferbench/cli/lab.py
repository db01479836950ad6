"""``puffer lab``: the lessons in JupyterLab, as a copy that a learner may change."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from pufferbench import lessons
from pufferbench.cli import UsageError


@dataclass
class LabOptions:
    """Open the lessons in JupyterLab.

    They are copied once into ./pufferbench-lab and never overwritten, so what you change there stays.
    Options after -- go to JupyterLab itself: puffer lab -- --ip=0.0.0.0
    """

    lesson: Annotated[str, tyro.conf.Positional] = "00"
    """Which lesson to open: its number or the start of its name."""
    reset: str | None = None
    """Put this lesson back as it was shipped, and open it; yours is kept beside it as my-..."""
    browser: bool = True
    """Open the browser; --no-browser only prints the address."""
    folder: Path = Path(lessons.FOLDER)
    """The working copy."""
    port: int = 8888
    """Port of the server; the next free one is taken when it is in use."""


def main(arguments: list[str]) -> int:
    """Runs until JupyterLab is stopped (Ctrl-C)."""
    own, jupyters = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        own, jupyters = arguments[:cut], arguments[cut + 1 :]
    options = tyro.cli(LabOptions, args=own, prog="puffer lab")
    lesson = prepare(options.folder, options.lesson, options.reset)
    port, token = free_port(options.port), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}/lab/tree/{lesson}?token={token}"
    print(f"JupyterLab: {address}\nStop it with Ctrl-C, twice.", flush=True)

    # Our defaults for JupyterLab's own settings (a learner's go over them): the first thing that a learner
    # sees must not be a question about news.
    paths = [str(Path(__file__).with_name("jupyter")), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    os.environ["JUPYTER_TOKEN"] = token  # not an argument: those can be read by every user of the machine
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(
        argv=[
            str(options.folder.resolve() / lesson),
            f"--ServerApp.root_dir={options.folder.resolve()}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.open_browser={options.browser}",
            "--log-level=WARN",
            "--LabApp.news_url=None",  # a classroom is offline
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            # Jupyter refuses to run as root unless told; in a container there is often nobody else.
            *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            *jupyters,
        ]
    )
    return 0


def prepare(folder: Path, lesson: str, reset: str | None) -> str:
    """Make or complete the working copy, restore what is asked for; returns the lesson to open."""
    name = lessons.find(reset if reset is not None else lesson)  # before anything is written
    copied = lessons.working_copy(folder)
    if copied:
        print(f"Copied {len(copied)} file(s) into {folder}: this copy is yours to change.")
    if reset is not None:
        _, kept = lessons.reset(folder, reset)
        print(f"{name} is as it was shipped" + (f"; yours is now {kept.name}." if kept else "."))
    return name


def free_port(first: int, tries: int = 50) -> int:
    """The first port from ``first`` on that nobody listens on."""
    for port in range(first, min(first + tries, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UsageError(f"no free port from {first} to {first + tries - 1}: give another with --port")
