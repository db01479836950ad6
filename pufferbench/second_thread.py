"""One more thread for half of the work. It begins with the first piece, and ends by itself when there is no more.

A pool of the standard library would keep its thread for as long as somebody remembers the trainer: in a notebook, until
the kernel is restarted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

IDLE = (
    0.5  # s without work after which the thread ends; the next piece begins another, in some 50 microseconds
)


class SecondThread(Executor):
    """Does what is submitted, one piece after the other, in a thread of its own.

    Args:
        name: of the thread.
        begin: called in it, before the first piece.
    """

    def __init__(self, name: str, begin: Callable[[], Any] = lambda: None) -> None:
        self._name, self._begin = name, begin
        self._waiting: queue.SimpleQueue[tuple[Future, Callable[[], Any]]] = queue.SimpleQueue()
        self._lock = threading.Lock()  # around the decision whether there is a thread
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Returns at once; ``result()`` of what it returns waits."""
        future: Future = Future()
        with self._lock:
            self._waiting.put((future, lambda: function(*args, **kwargs)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        return future

    def _work(self) -> None:
        self._begin()
        while True:
            try:
                future, piece = self._waiting.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._thread = None
                        return
                continue
            try:
                future.set_result(piece())
            except BaseException as error:  # whoever waits for the result gets it
                future.set_exception(error)
            del future, piece  # or the last piece, and all its arrays, would live on while the thread is idle
