"""One worker process, seen from the parent: start it, talk to it, say what became of it, stop it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from time import monotonic, sleep
from typing import Any

# Workers share the cores already; a pool of threads in each would only make them wait for each other.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
KEY_BYTES = 32


class WorkerProcess:
    """A Python that runs ``pufferbench.vector.worker``, and the two lines to it.

    The connection carries the set-up, wake-ups, infos and tracebacks. The worker's standard input carries
    nothing: its other end is held by this process alone, so that the worker sees it end when we die, however
    we die. (Linux could tell it by a signal, but sends that when the *thread* that made the worker ends.)

    Args:
        arena_fd: file descriptor of the arena, which the worker inherits, or None.
        link: ``"socketpair"``, inherited too, or ``"tcp"`` (to ourselves), where nothing can be inherited;
            None takes what this system has.
    """

    def __init__(self, arena_fd: int | None, link: str | None = None) -> None:
        if not sys.executable:
            raise RuntimeError("cannot start workers: this Python does not know its own program")
        if link is None:
            link = "tcp" if sys.platform == "win32" else "socketpair"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (no name either; faulthandler writes it)
        self._log_seen = 0
        inherited = [] if arena_fd is None else [arena_fd]
        # `-m pufferbench.vector.worker` would look for it where a new Python looks, not where we found it
        path = [str(entry) for entry in sys.path]
        program = f"import sys; sys.path[:] = {path!r}; from pufferbench.vector.worker import main; main(sys.argv[1:])"
        command = [sys.executable, "-P", "-c", program]
        if link == "socketpair":
            ours, theirs = socket.socketpair()
            with theirs:
                inherited += [theirs.fileno(), self._log.fileno()]
                command += [link, str(theirs.fileno()), str(self._log.fileno())]
                self.popen = self._start(command, inherited)
        elif link == "tcp":
            with socket.create_server(("127.0.0.1", 0)) as server:
                self.popen = self._start([*command, link, str(server.getsockname()[1])], inherited)
                ours = self._accept(server)
        else:
            raise ValueError(f"link must be 'socketpair' or 'tcp', not {link!r}")
        self.connection = Connection(ours.detach())

    def _start(self, command: list[str], inherited: list[int]) -> subprocess.Popen:
        # A group of its own: Ctrl-C in a terminal, or Jupyter's interrupt, goes to whole groups.
        own_group: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
            own_group, inherited = {"creationflags": flags}, []
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            pass_fds=inherited,
            env={**dict.fromkeys(_ONE_THREAD, "1"), **os.environ},
            **own_group,
        )

    def _accept(self, server: socket.socket) -> socket.socket:
        """The worker's connection: the one that sends the key it got through its standard input."""
        key = secrets.token_bytes(KEY_BYTES)
        assert self.popen.stdin is not None
        self.popen.stdin.write(key)
        self.popen.stdin.flush()
        server.settimeout(0.1)
        until = monotonic() + 60
        while self.popen.poll() is None and monotonic() < until:
            with suppress(TimeoutError):
                guest, _ = server.accept()
                guest.settimeout(1)
                with suppress(OSError):
                    if secrets.compare_digest(guest.recv(KEY_BYTES, socket.MSG_WAITALL), key):
                        guest.settimeout(None)
                        guest.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        return guest
                guest.close()
        self.stop(0)
        raise RuntimeError("a worker process ended, or hung, before it connected (see its output above)")

    def wake(self) -> None:
        self.connection.send_bytes(b"")

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def death(self) -> str:
        """What ended the process, in words."""
        try:
            code = self.popen.wait(1)
        except subprocess.TimeoutExpired:
            return f"closed its connection, though its process {self.popen.pid} still runs"
        if code >= 0:
            return f"has ended by itself, with exit code {code} (process {self.popen.pid})"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint} (process {self.popen.pid})"

    def where(self) -> str:
        """Where it is now, even within a call that never ends (POSIX); "" where that cannot be told."""
        if not hasattr(signal, "SIGUSR1") or not self.is_alive():
            return ""
        self.log()  # not what is in it already
        self.popen.send_signal(signal.SIGUSR1)
        until = monotonic() + 1
        while not (text := self.log()) and monotonic() < until:
            sleep(0.01)
        return text

    def log(self) -> str:
        """What faulthandler wrote since we asked last: traceback of a crash in machine code, or of :meth:`where`."""
        if not hasattr(os, "pread"):
            return ""
        text = os.pread(self._log.fileno(), 1 << 20, self._log_seen)  # read() would move the writer, too
        self._log_seen += len(text)
        return text[-8000:].decode(errors="replace").strip()

    def stop(self, seconds: float) -> None:
        """Wait so long for it to end by itself, then end it; give back what we hold of it."""
        until = monotonic() + seconds
        if hasattr(self, "connection"):
            with suppress(OSError, EOFError):
                while self.connection.poll(max(0, until - monotonic())):
                    self.connection.recv_bytes()  # what it still had to say; at last, the end
        if self.popen.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.popen.wait(max(0.02, until - monotonic()))
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        if hasattr(self, "connection"):
            self.connection.close()
        assert self.popen.stdin is not None
        with suppress(OSError):
            self.popen.stdin.close()
        self._log.close()
