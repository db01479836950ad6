"""The second thread: results and errors come back, it ends when idle, and begins again."""

from __future__ import annotations

import threading
import time

import pytest

from pufferbench.second_thread import SecondThread


def alive(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_results_errors_and_the_other_thread():
    begun = []
    second = SecondThread("pufferbench-test-a", lambda: begun.append(threading.current_thread().name))
    assert second.submit(lambda a, b=0: a + b, 2, b=3).result() == 5
    assert begun == ["pufferbench-test-a"]
    with pytest.raises(ZeroDivisionError):
        second.submit(lambda: 1 / 0).result()
    pieces = [second.submit(lambda n=n: (n, threading.current_thread().name)) for n in range(20)]
    assert [piece.result() for piece in pieces] == [(n, "pufferbench-test-a") for n in range(20)]
    assert alive("pufferbench-test-a") == 1


def test_it_ends_when_idle_and_begins_again():
    second = SecondThread("pufferbench-test-b")
    assert alive("pufferbench-test-b") == 0
    second.submit(lambda: None).result()
    deadline = time.monotonic() + 20
    while alive("pufferbench-test-b"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert second.submit(lambda: "again").result() == "again"
