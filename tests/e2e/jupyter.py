"""A real JupyterLab on a temporary folder, and a real browser in it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Browser, Page, Playwright, Route

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The browser to test with: ``PUFFERBENCH_CHROMIUM``, or one on the PATH."""
    names = (os.environ.get("PUFFERBENCH_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def launch(playwright: Playwright, chromium: str) -> Browser:
    return playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)


class JupyterLab:
    """A server process of its own, with no settings but ours, that is gone after ``close()``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            name: str(folder / name.lower())
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
        }
        own["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
        # No question about news either; nothing is asked of the net.
        silence = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
        silence.mkdir(parents=True)
        (silence / "notification.jupyterlab-settings").write_text(
            json.dumps({"fetchNews": "false", "checkForUpdates": False}), encoding="utf-8"
        )
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.notebooks,
            "IdentityProvider.token": self.token,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.expose_app_in_browser": True,
        }
        self._log = (folder / "jupyter.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())],
            cwd=folder,
            env={**os.environ, **own},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self._answers, 60, "JupyterLab answers", more=self.log)

    def log(self) -> str:
        return (self.folder / "jupyter.log").read_text(encoding="utf-8")[-3000:]

    def api(self, path: str, method: str = "GET") -> Any:
        """A call of the server's REST API."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def kernels(self) -> list[dict[str, Any]]:
        """Running kernels; none while the server cannot say (it answers 500 while one is starting)."""
        try:
            return self.api("kernels")
        except urllib.error.HTTPError:
            return []

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with {self.process.returncode}:\n{self.log()}")
        try:
            return bool(self.api("status"))
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kernel_pids(self) -> set[int]:
        """Process ids of the kernels, and of whatever else the server or a kernel has started."""
        return {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}

    def shut_down_kernels(self) -> None:
        for kernel in self.kernels():
            self.api(f"kernels/{kernel['id']}", "DELETE")

    def close(self) -> None:
        self.shut_down_kernels()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


class Notebook:
    """One notebook, open in one browser page that cannot reach the net.

    Attributes:
        foreign: addresses outside of this machine that the page asked for (and did not get).
    """

    FOREIGN = re.compile(r"^https?://(?!(127\.0\.0\.1|localhost)[:/])")

    def __init__(
        self,
        browser: Browser,
        lab: JupyterLab,
        name: str,
        width: int = 1200,
        height: int = 1500,
        dark: bool = False,
    ) -> None:
        self.lab = lab
        self.name = name
        self.foreign: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": height})
        # A pattern, not a function, so that the browser's own side lets local requests through.
        self.context.route(self.FOREIGN, self._abort)
        self.page: Page = self.context.new_page()
        self.page.on("websocket", lambda socket: self._note(socket.url))
        self.page.goto(f"{lab.url}/lab/tree/{name}?reset&token={lab.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_function("window.jupyterapp !== undefined")
        self.command("application:toggle-left-area")  # the file browser takes a quarter of the width
        if dark:
            self.command("apputils:change-theme", {"theme": "JupyterLab Dark"})

    def _note(self, url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", "localhost"):
            self.foreign.append(url)

    def _abort(self, route: Route) -> None:
        self._note(route.request.url)
        route.abort()

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run one of JupyterLab's commands, as its menus do, without waiting for the end."""
        self.page.evaluate(
            "([name, args]) => { window.jupyterapp.commands.execute(name, args); }", [name, arguments or {}]
        )

    def wait_for_kernel(self) -> None:
        """JupyterLab says idle before the kernel takes cells, so ask the server too."""
        wait_until(
            lambda: any(kernel["execution_state"] == "idle" for kernel in self.lab.kernels()),
            60,
            "the kernel is idle",
            pause=self.pause,
        )
        self.page.wait_for_selector('.jp-NotebookPanel-toolbar [data-status="idle"]', timeout=30_000)

    def run(self, done: str, command: str = "notebook:run-all-cells", timeout: float = 120) -> None:
        """Run cells until an element ``done`` is there; again if the kernel did not take them."""
        self.wait_for_kernel()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.command(command)
            began = time.monotonic()
            while time.monotonic() < deadline:
                if self.page.locator(done).count():
                    return
                taken = self.page.locator(".jp-InputPrompt", has_text="[*]").count()
                executed = self.page.locator(".jp-InputPrompt", has_text="[1]").count()
                if not taken and not executed and time.monotonic() - began > 5:
                    break
                self.page.wait_for_timeout(100)
        raise AssertionError(
            f"no {done} after {timeout} s; the page says:\n{self.page.inner_text('.jp-Notebook')[-3000:]}"
        )

    def pause(self, seconds: float) -> None:
        """Sleep in which Playwright goes on working (time.sleep would stop its events)."""
        self.page.wait_for_timeout(1000 * seconds)

    def save(self) -> dict[str, Any]:
        """Save, as a person does; returns the notebook that was written."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")  # waits until it is
        return json.loads((self.lab.notebooks / self.name).read_text(encoding="utf-8"))

    @property
    def kernel_id(self) -> str:
        return next(s["kernel"]["id"] for s in self.lab.api("sessions") if s["path"] == self.name)

    def panel(self, state: str, timeout: float = 30) -> None:
        """Wait until the training panel says ``state``."""
        status = self.page.locator(".pb-status")
        wait_until(
            lambda: status.get_attribute("data-state") == state,
            timeout,
            f"the panel says {state}",
            more=lambda: f"{status.inner_text()}\n{self.lab.log()}",
            pause=self.pause,
        )

    def press(self, button: str) -> None:
        self.page.locator(".pb-panel button", has_text=button).click()

    def start_training(self) -> None:
        """Press Start; again if nothing happens.

        A click in the first moments of a page can be lost: JupyterLab makes its subshell for widgets then,
        and a message to one that the kernel does not know yet is answered with an error and dropped.
        """
        status = self.page.locator(".pb-status")
        for _ in range(3):
            self.press("Start")
            for _ in range(50):
                if status.get_attribute("data-state") == "training":
                    return
                self.pause(0.1)
        raise AssertionError(f"Start does nothing: {status.inner_text()}\n{self.lab.log()}")

    def points(self, chart: str = "Episode return") -> int:
        """How many points a chart shows."""
        return int(self.page.locator(f'.pb-chart[data-chart="{chart}"]').get_attribute("data-points") or 0)

    def close(self) -> None:
        self.context.close()


def wait_until(
    condition: Any, timeout: float, what: str, more: Any = lambda: "", pause: Any = time.sleep
) -> None:
    """Poll ``condition()`` until it is true. With a page open, ``pause`` must be the page's own."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s, still not: {what}\n{more()}")
        pause(0.05)


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells."""
    import nbformat

    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        },
    )
    nbformat.write(notebook, path)
