import os
import signal
from types import SimpleNamespace

import pytest

from pufferbench.widgets import kernel


class Loop:
    """The kernel's event loop, turned by hand."""

    def __init__(self):
        self.waiting = []
        self.asyncio_loop = self  # tornado's loop is a wrapper of asyncio's
        self.call_soon_threadsafe = self.add_callback

    def add_callback(self, callback):
        self.waiting.append(callback)

    def call_later(self, delay, callback):
        self.waiting.append(callback)

    def turn(self):
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


class Kernel:
    """What ipykernel does around each message."""

    def __init__(self):
        self.io_loop = Loop()

    def pre_handler_hook(self):
        self.saved = signal.signal(signal.SIGINT, signal.default_int_handler)

    def post_handler_hook(self):
        signal.signal(signal.SIGINT, self.saved)


class Events:
    def __init__(self):
        self.callbacks = {"post_run_cell": []}

    def register(self, name, callback):
        self.callbacks[name].append(callback)

    def unregister(self, name, callback):
        self.callbacks[name].remove(callback)

    def cell_ends(self, error=None):
        for callback in list(self.callbacks["post_run_cell"]):
            callback(SimpleNamespace(error_in_exec=error))


@pytest.fixture
def shell(monkeypatch):
    shell = SimpleNamespace(events=Events(), kernel=Kernel())
    monkeypatch.setattr(kernel, "_shell", lambda: shell)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in an ipykernel between cells
    yield shell
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def release(shell, calls):
    return kernel.watch_kernel(lambda: calls.append("interrupt"), lambda: calls.append("cell end"))


def test_a_cell_that_was_interrupted_counts_others_do_not(shell, release, calls):
    shell.events.cell_ends()
    shell.events.cell_ends(ValueError())
    assert calls == ["cell end", "cell end"]
    shell.events.cell_ends(KeyboardInterrupt())
    assert calls[2:] == ["interrupt", "cell end"]
    release()
    shell.events.cell_ends(KeyboardInterrupt())
    assert len(calls) == 4


@pytest.mark.skipif(os.name == "nt", reason="os.kill cannot send SIGINT on Windows")
def test_an_interrupt_between_cells_is_heard_and_the_handler_goes_away(shell, release, calls):
    loop = shell.kernel.io_loop
    loop.turn()
    os.kill(os.getpid(), signal.SIGINT)
    loop.turn()
    assert calls == ["interrupt"]
    release()
    loop.turn()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not loop.waiting


def test_an_interrupt_is_heard_by_all_trainings_as_long_as_they_last(shell, release, calls):
    loop = shell.kernel.io_loop
    loop.turn()
    release_b = kernel.watch_kernel(lambda: calls.append("B"), lambda: None)
    loop.turn()
    signal.raise_signal(signal.SIGINT)
    loop.turn()
    assert calls == ["interrupt", "B"]
    release()
    loop.turn()
    signal.raise_signal(signal.SIGINT)
    loop.turn()
    assert calls == ["interrupt", "B", "B"]
    release_b()
    loop.turn()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not loop.waiting


def test_an_interrupt_during_a_message_is_heard_and_stops_the_message_too(shell, release, calls):
    loop = shell.kernel.io_loop
    loop.turn()
    shell.kernel.pre_handler_hook()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    shell.kernel.post_handler_hook()
    loop.turn()
    assert calls == ["interrupt"]
    signal.raise_signal(signal.SIGINT)  # between messages again
    loop.turn()
    assert calls == ["interrupt", "interrupt"]


def test_during_a_message_the_kernels_own_handlers_are_left_alone(shell, release):
    loop, ipykernel = shell.kernel.io_loop, shell.kernel
    ipykernel.pre_handler_hook()  # the cell that starts the training
    loop.turn()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ipykernel.post_handler_hook()
    loop.turn()
    assert callable(signal.getsignal(signal.SIGINT))
    ipykernel.pre_handler_hook()  # the cell in which it ends
    release()
    loop.turn()
    ipykernel.post_handler_hook()
    loop.turn()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert "pre_handler_hook" not in vars(ipykernel)
    assert not loop.waiting


def test_training_that_ends_before_the_handler_is_set_leaves_none(shell, release):
    release()
    shell.kernel.io_loop.turn()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not shell.kernel.io_loop.waiting


def test_outside_of_a_notebook_nothing_is_installed():
    before = signal.getsignal(signal.SIGINT)
    kernel.watch_kernel(lambda: None, lambda: None)()
    assert signal.getsignal(signal.SIGINT) is before
