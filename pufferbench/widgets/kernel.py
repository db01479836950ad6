"""The kernel's interrupt button and the end of a cell, for work that runs in a thread.

An interrupt (SIGINT) raises KeyboardInterrupt in the main thread only, and while no cell runs ipykernel
ignores it altogether. So, only while something trains:

- a cell runs: IPython's ``post_run_cell`` event says whether a KeyboardInterrupt ended it;
- no cell runs: a SIGINT handler of ours, put in place by the kernel's own event loop, because widget
  callbacks come in other threads and Python sets signal handlers in the main thread only.

Both are taken away when training ends.  Outside of a kernel nothing is needed: the program ends by
KeyboardInterrupt and its daemon threads with it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


def watch_kernel(on_interrupt: Callable[[], None], on_cell_end: Callable[[], None]) -> Callable[[], None]:
    """Call ``on_interrupt()`` at a kernel interrupt and ``on_cell_end()`` after each cell.

    Returns a function that ends both; it may be called from any thread.
    """
    shell = _shell()
    if shell is None:
        return lambda: None

    def after_cell(result: Any = None) -> None:
        if isinstance(getattr(result, "error_in_exec", None), KeyboardInterrupt):
            on_interrupt()
        on_cell_end()

    shell.events.register("post_run_cell", after_cell)
    loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    handler = _IdleInterrupt(loop, on_interrupt) if loop is not None else None

    def release() -> None:
        if after_cell in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", after_cell)
        if handler is not None:
            handler.remove()

    return release


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


class _IdleInterrupt:
    """A SIGINT handler for the time between cells, where ipykernel's own is SIG_IGN."""

    RETRY = 0.1  # s: while a cell runs, the handler is ipykernel's, and it must find and leave it so

    def __init__(self, loop: Any, on_interrupt: Callable[[], None]) -> None:
        self._loop = loop
        self._on_interrupt = on_interrupt
        self._installed = False
        self._wanted = True
        loop.add_callback(self._install)

    def remove(self) -> None:
        self._wanted = False
        self._loop.add_callback(self._uninstall)

    def _install(self) -> None:
        if not self._wanted:
            return
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        else:
            self._loop.call_later(self.RETRY, self._install)

    def _uninstall(self) -> None:
        if not self._installed:
            return
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            self._installed = False
        else:
            self._loop.call_later(self.RETRY, self._uninstall)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Not here and now: a signal handler may run in the middle of anything.
        self._loop.add_callback(self._on_interrupt)
