"""How a parent and its workers tell each other "your turn": a byte in shared memory.

Each worker has one *state* byte. The parent writes a command into it, the worker writes its answer over
it; the arrays belong to whoever did not write last. The waiting side polls the byte for a short time and
hands its core to others between two looks (``os.sched_yield``: on two cores, three pollers that spin
would keep the one who works from running). After that it says so in its *asleep* byte and blocks on its
connection, where the other side then sends an empty message to wake it.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

# Answers of a worker
READY = 0  # done, and there is nothing to say about it
MESSAGE = 1  # done, and a message follows: infos, or the result of a call
FAILED = 2  # an exception; its traceback follows as a message
NOTES = 3  # done, and the records of ended episodes are in the arena (see `notes`)
# Commands of the parent: all states from here on mean that the worker is busy
COMMAND = 16
STEP, RESET, CALL, CLOSE, START, PATIENCE = range(COMMAND, COMMAND + 6)

# First byte of a worker's message; an empty message is a wake-up
RECORDS, DTYPE, OBJECT, TRACEBACK = b"r", b"d", b"o", b"t"

POLL_SECONDS = 0.002
# With more runners than cores, whoever polls takes time from whoever works. When all of them may have work,
# a worker that is done lets the others have its core soon.
SHORT_POLL_SECONDS = 0.00003
# A sleeper looks again after so long, should the wake-up have crossed with its falling asleep.
NAP_SECONDS = 0.2

# Bytes per worker; each of the three flags has a cache line of its own, the state a pair of them,
# because processors fetch pairs.
STRIDE = 256
_PARENT_ASLEEP, _WORKER_ASLEEP = 128, 192


def flags(memory: memoryview, workers: int) -> tuple[memoryview, memoryview, memoryview]:
    """``(states, parent_asleep, worker_asleep)``: a byte per worker each, at the start of ``memory``."""
    end = workers * STRIDE
    return memory[:end:STRIDE], memory[_PARENT_ASLEEP:end:STRIDE], memory[_WORKER_ASLEEP:end:STRIDE]


def notes_size(rows: int) -> int:
    """Bytes for the records of episodes that end in one step. Where they are too small, a message goes."""
    return STRIDE + 32 * rows


def notes(memory: memoryview) -> tuple[memoryview, memoryview]:
    """``(count, records)``: how many records there are (one int64), and the bytes for them."""
    return memory[:8].cast("q"), memory[STRIDE:]


def _sleep_0() -> None:
    time.sleep(0)


yield_core = getattr(os, "sched_yield", _sleep_0)


def poll(states: memoryview, index: int, busy: bool, seconds: float) -> bool:
    """Wait, at most ``seconds``, until worker ``index`` is ``busy`` (or until it is not). Returns if it is so."""
    give_core = yield_core
    until = perf_counter() + seconds
    while True:
        for _ in range(16):  # a look at the clock costs as much as a look at the flag
            if (states[index] >= COMMAND) is busy:
                return True
            give_core()
        if perf_counter() >= until:
            return False


_lock = threading.Lock()


def _fence() -> None:
    """A full memory barrier from plain Python: what is before the first release stays before the second acquire."""
    with _lock:
        pass
    with _lock:
        pass


# x86 keeps the order in which memory is written: arrays first, then the flag. ARM (Apple, Graviton) may
# not, unless told to. None where it is not needed, because calling nothing also takes time.
fence = None if platform.machine().lower() in {"x86_64", "amd64", "i386", "i686", "x86"} else _fence


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the block is done: half a message read would spoil all that follow."""
    # Python runs handlers in the main thread only; None: somebody else's handler, from outside Python
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    caught: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: caught.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught and callable(before):
            before(*caught[-1])
