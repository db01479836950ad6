"""The kernel's interrupt button and the end of a cell, for work that runs in a thread.

An interrupt (SIGINT) raises KeyboardInterrupt in the main thread only, wherever it is, and while the
kernel is idle ipykernel ignores it altogether. So, only while something trains:

- between messages: a SIGINT handler of ours, put in place by the kernel's own event loop, because widget
  callbacks may come in other threads and Python sets signal handlers in the main thread only;
- during a message (a cell, or one of the widgets' own): ipykernel sets its handler for each of them in
  ``pre_handler_hook``; ours goes over it, and then does the same;
- ``await`` in a cell has yet another handler: there IPython's ``post_run_cell`` event says how it ended.

All are taken away when training ends.  Outside of a kernel nothing is needed: the program ends by
KeyboardInterrupt and its daemon threads with it.
"""

from __future__ import annotations

import signal
from asyncio import CancelledError
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
        if isinstance(getattr(result, "error_in_exec", None), (KeyboardInterrupt, CancelledError)):
            on_interrupt()
        on_cell_end()

    shell.events.register("post_run_cell", after_cell)
    kernel = getattr(shell, "kernel", None)
    handlers = _Handlers.of(kernel) if hasattr(kernel, "pre_handler_hook") else None
    if handlers is not None:
        handlers.add(on_interrupt)

    def release() -> None:
        if after_cell in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", after_cell)
        if handlers is not None:
            handlers.remove(on_interrupt)

    return release


def answer_during_cells(widget: Any) -> None:
    """Let ``widget`` hear the browser while a cell runs, in the thread that JupyterLab has for widgets.

    From 7.4 on, ipykernel sends the browser's messages to the shell in which Python used the widget last,
    which is the main one, busy with the cell (ipykernel/comm/comm.py). Without that rule they go where
    JupyterLab addresses them: to its subshell.
    """
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = None


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


class _Handlers:
    """Our SIGINT handlers in an ipykernel, whose own are SIG_IGN and, during a message, Python's default.

    One for all trainings of a kernel: they would wait for each other, and only the first would hear the interrupt.
    """

    RETRY = (
        0.1  # s: during a message the handlers are ipykernel's business, and it must find and leave them so
    )

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._loop = kernel.io_loop
        self._listeners: list[Callable[[], None]] = []
        self._installed = False

    @classmethod
    def of(cls, kernel: Any) -> _Handlers:
        """The kernel's, made at first use."""
        if not hasattr(kernel, "_pufferbench_handlers"):
            kernel._pufferbench_handlers = cls(kernel)
        return kernel._pufferbench_handlers

    def add(self, on_interrupt: Callable[[], None]) -> None:
        """From any thread."""
        self._listeners.append(on_interrupt)
        self._loop.add_callback(self._install)

    def remove(self, on_interrupt: Callable[[], None]) -> None:
        """From any thread."""
        if on_interrupt in self._listeners:
            self._listeners.remove(on_interrupt)
        self._loop.add_callback(self._uninstall)

    def _install(self) -> None:
        if self._installed or not self._listeners:
            return
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._idle)
            self._kernel.pre_handler_hook = self._before_message
            self._installed = True
        else:
            self._loop.call_later(self.RETRY, self._install)

    def _uninstall(self) -> None:
        if self._listeners or not self._installed:
            return
        if signal.getsignal(signal.SIGINT) == self._idle:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            del self._kernel.pre_handler_hook  # the class's own is there again
            self._installed = False
        else:
            self._loop.call_later(self.RETRY, self._uninstall)

    def _before_message(self) -> None:
        type(self._kernel).pre_handler_hook(self._kernel)
        signal.signal(signal.SIGINT, self._busy)

    def _soon(self) -> None:
        # Not here and now: a signal handler may run in the middle of anything. And add_callback would not
        # wake up the loop, since we are in its own thread.
        self._loop.asyncio_loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for on_interrupt in list(self._listeners):
            on_interrupt()

    def _idle(self, number: int, frame: FrameType | None) -> None:
        self._soon()

    def _busy(self, number: int, frame: FrameType | None) -> None:
        self._soon()
        signal.default_int_handler(number, frame)
