"""Replay what Binder builds and runs, without Docker: ``python binder/replay.py``.

In a fresh virtual environment: ``requirements.txt``, ``postBuild``, then through ``start`` a JupyterLab server that
executes the quickstart, watched. Prints times and sizes; fails when it needs more memory than mybinder.org gives.
On POSIX systems only, like the image.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 2 * 1024**3  # bytes of memory that mybinder.org gives to a session
QUICKSTART = "tutorials/00_quickstart.ipynb"


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        environment = os.environ | {
            "VIRTUAL_ENV": str(folder / "venv"),
            "PATH": os.pathsep.join([str(folder / "venv" / "bin"), os.environ["PATH"]]),
            "PUFFERBENCH_CACHE": str(folder / "kernels"),
            "HOME": str(folder),
        }
        environment.pop("PYTHONPATH", None)
        python = str(folder / "venv" / "bin" / "python")

        def run(*command: str) -> None:
            subprocess.run(command, check=True, env=environment, cwd=ROOT)

        def timed(name: str, *command: str) -> None:
            start = time.monotonic()
            run(*command)
            print(f"{name:<42}{time.monotonic() - start:>8.0f} s", flush=True)

        timed("a fresh environment", sys.executable, "-m", "venv", str(folder / "venv"))
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        timed("requirements.txt", python, "-m", "pip", "install", "--quiet", "-r", "binder/requirements.txt")
        timed("postBuild", "bash", "binder/postBuild")
        print(f"{'size of the environment':<42}{_size(folder / 'venv') / 1e6:>8.0f} MB")
        print(f"{'size of the compiled games':<42}{_size(folder / 'kernels') / 1e6:>8.0f} MB")

        watched = folder / "watch.py"
        watched.write_text(_WATCH, encoding="utf-8")
        (folder / "execute.py").write_text(_EXECUTE, encoding="utf-8")
        report = subprocess.run(
            [
                "bash",
                str(ROOT / "binder/start"),
                python,
                str(watched),
                str(_free_port()),
                str(ROOT),
                QUICKSTART,
            ],
            check=True,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        peak = json.loads(report.stdout.splitlines()[-1])
    for name, size in peak.items():
        print(f"{name:<42}{size / 1e6:>8.0f} MB")
    share = peak["together, at its highest"] / LIMIT
    print(f"{'of the 2 GB of mybinder.org':<42}{share:>8.0%}")
    if share > 1:
        sys.exit("more memory than mybinder.org gives: a session would be killed in the middle of the lesson")


# Executed in the fresh environment, in the directory of the notebook: as a browser would, through the server.
_EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "."}}).execute()
"""


# Executed in the fresh environment, which has psutil (ipykernel needs it).
_WATCH = """
import json, pathlib, subprocess, sys, time
import psutil
port, root, notebook = sys.argv[1:]
here = pathlib.Path(__file__).parent
def memory(process):
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().uss
        except psutil.NoSuchProcess:
            pass  # it ended meanwhile, and needs nothing any more
    return total
server = psutil.Popen(
    [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
     f"--notebook-dir={root}"],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
try:
    lesson = pathlib.Path(root, notebook)
    worker = psutil.Popen([sys.executable, str(here / "execute.py"), str(lesson)], cwd=lesson.parent)
    peak = {"the server": 0, "the notebook and its kernel": 0, "together, at its highest": 0}
    while worker.poll() is None:
        now = [memory(server), memory(worker)]
        for name, size in zip(peak, [*now, sum(now)]):
            peak[name] = max(peak[name], size)
        time.sleep(0.2)
    if worker.returncode:
        sys.exit("the quickstart failed")
    print(json.dumps(peak))
finally:
    server.terminate()
    server.wait(10)
"""


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
