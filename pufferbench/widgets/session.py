"""Training in the background, under control: start, pause, single update, stop.

One :class:`Session` belongs to one trainer. It holds the trainer's gate, which is called before every
environment step and every minibatch, so that pause and stop act at once; and it remembers the numbers,
so that a panel made later (a cell that was run again) shows the whole training.

It never touches the module that is being trained, and never prints: output of a thread would land in
whichever cell happens to run.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pufferbench.machine_code import announced
from pufferbench.trainer import StopTraining
from pufferbench.widgets.history import History
from pufferbench.widgets.kernel import watch_kernel
from pufferbench.widgets.log import TrainingLog
from pufferbench.widgets.turns import Turns

# idle: not training.  training.  pausing, stopping: asked to, the gate has not been reached yet.
# paused: held at the gate.  finished: all timesteps are done.  error: see Session.error.
STATES = ("idle", "training", "pausing", "paused", "stopping", "finished", "error")

CELL_TIMEOUT = 2.0  # seconds without a gate call after which a loop in a cell counts as over


class Session:
    """Trains ``trainer`` in a thread of its own. Every method may be called from any thread.

    A loop in a cell (``for update in trainer.steps(): ...``) is under the same control: the gate pauses
    and stops it too, and its records are remembered.

    Args:
        trainer: a :class:`pufferbench.PuffeRL`. Use :meth:`of`, which finds the session it already has.
        columns: keys of the metrics record to remember in ``history``.

    Attributes:
        history: the remembered numbers.
        log: what else is remembered of the records.
        rival: a branch of the trainer, which a panel shows beside it; None where there is none.
        turns: which this training shares with others, None where it trains whenever it likes.
        last_record: the newest metrics record, ``{}`` before the first update.
        error: what ended the training in state ``"error"``, else None.
        note: what takes long just now, in words; "" most of the time.
    """

    def __init__(self, trainer: Any, columns: Sequence[str]) -> None:
        self.trainer = trainer
        self.history = History(columns)
        self.log = TrainingLog()
        self.turns: Turns | None = None
        self.rival: Any = None
        self._boundary: list[Callable[[], None]] = []
        self._between = True  # no part of the next update is done yet
        self.last_record: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.note = ""
        self._state = "idle"
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._go = threading.Event()  # cleared: the gate holds whoever trains
        self._go.set()
        self._stop = False
        self._single = False
        self._cell_thread: int | None = None  # the thread of a loop in a cell, while it trains
        self._cell_seen = 0.0
        self._release_kernel: Callable[[], None] | None = None
        self._release_panel: Callable[[], None] = lambda: None
        self._listeners: list[Callable[[dict[str, Any] | None], None]] = []
        trainer.gate = self.gate
        self._unsubscribe = trainer.subscribe(self._on_record)

    @classmethod
    def of(cls, trainer: Any, columns: Sequence[str]) -> Session:
        """The session of ``trainer``: the one that holds its gate, or a new one."""
        holder = getattr(trainer.gate, "__self__", None)
        return holder if isinstance(holder, cls) else cls(trainer, columns)

    # -- what a person does ---------------------------------------------------------------------

    def start(self) -> None:
        """Train, or go on after a pause. Nothing happens while it already trains."""
        self._begin(single=False)

    def single_update(self) -> None:
        """Train until the end of the next update, then pause."""
        self._begin(single=True)

    def pause(self) -> None:
        """Hold at the next environment step or minibatch. :meth:`start` goes on from there."""
        with self._lock:
            # A loop in a cell and this call in the same thread: the loop does not run just now, and
            # nobody could wake it up later.
            if self.state != "training" or self._cell_thread == threading.get_ident():
                return
            self._go.clear()
            self._set_state("pausing")

    def stop(self) -> None:
        """End the training thread. The update it was in is dropped; the trainer stays usable."""
        with self._lock:
            if not self.active:
                return
            self._stop = True
            self._go.set()
            self._set_state("stopping")

    def at_boundary(self, act: Callable[[], None]) -> None:
        """Call ``act()`` between two updates: at once, or after the one under way, in the thread that trains."""
        with self._lock:
            if self.active and not (self._state == "paused" and self._between):
                self._boundary.append(act)
                return
        act()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread has ended. Returns whether it has."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    def claim(self, release: Callable[[], None]) -> None:
        """Become the one panel of this session: ``release()`` is called when another takes over."""
        before, self._release_panel = self._release_panel, release
        before()

    def close(self) -> None:
        """Stop, and let go of the trainer. Closing twice is fine."""
        self.stop()
        self.join(timeout=5)
        self._listeners.clear()
        self._unsubscribe()
        if getattr(self.trainer.gate, "__self__", None) is self:
            self.trainer.gate = None

    # -- what others look at --------------------------------------------------------------------

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        if self._cell_thread is not None and self._state == "training":
            if time.monotonic() - self._cell_seen > CELL_TIMEOUT:
                self._cell_ended()
        return self._state

    @property
    def active(self) -> bool:
        """Whether something trains, be it held at the gate."""
        return self.state in ("training", "pausing", "paused", "stopping")

    @property
    def finished(self) -> bool:
        """Whether all of the trainer's timesteps are done."""
        return self.trainer.progress >= 1

    def listen(self, callback: Callable[[dict[str, Any] | None], None]) -> Callable[[], None]:
        """Call ``callback(record)`` after every update and ``callback(None)`` when the state changed.

        In whichever thread it happens. Returns a function that ends it.
        """
        self._listeners.append(callback)

        def forget() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return forget

    # -- the training thread --------------------------------------------------------------------

    def _begin(self, single: bool) -> None:
        with self._lock:
            if self.state == "stopping":
                if not self.join(timeout=2):
                    raise RuntimeError("still stopping the training before; try again in a moment")
            if self.active:
                self._single = single
                self._go.set()
                self._set_state("training")
                return
            if self.finished:
                raise RuntimeError(
                    f"training is finished: all {self.trainer.total_timesteps:,} timesteps are done; "
                    "make a trainer with a larger total_timesteps to go on"
                )
            self._stop, self._single, self.error = False, single, None
            self._go.set()
            self._thread = threading.Thread(target=self._run, name="pufferbench-training", daemon=True)
            self._release_kernel = watch_kernel(on_interrupt=self.stop, on_cell_end=lambda: None)
            # The interpreter's end must not catch the thread inside torch, so it stops first; bounded.
            atexit.register(self._at_exit)
            self._set_state("training")
            self._thread.start()

    def _run(self) -> None:
        state = "idle"
        try:
            with announced(self._compiling):
                for _ in self.trainer.steps():
                    pass
            state = "finished" if self.finished else "idle"
        except StopTraining:
            pass  # stop() asked for it
        except (
            BaseException
        ) as error:  # whatever it is, it is shown in the panel: nobody sees a thread's stderr
            self.error = error
            state = "error"
        finally:
            with self._lock:
                self._thread = None
                self.note = ""
                self._rest()
                self._at_boundary_now()
                self._stop = self._single = False
                self._go.set()
                atexit.unregister(self._at_exit)
                self._let_kernel_go()
                self._set_state(state)

    def _compiling(self, note: str) -> None:
        if not self.note:
            self.note = note
            self._tell(None)

    def _at_exit(self) -> None:
        self._listeners.clear()  # nobody looks any more
        self.stop()
        self.join(timeout=2)

    def _let_kernel_go(self) -> None:
        if self._release_kernel is not None:
            self._release_kernel()
            self._release_kernel = None

    def gate(self) -> None:
        """The trainer calls this before every environment step and minibatch; it may hold or stop it."""
        thread = self._thread
        if thread is None or thread.ident != threading.get_ident():
            self._enter_from_cell(thread)
        while True:
            if not self._go.is_set():
                self._hold()
            if self._stop:
                if thread is None:
                    self._stop = False
                    self._cell_ended()
                raise StopTraining("stopped")
            turns = self.turns  # another thread may end them
            if turns is None or turns.take(self, lambda: self._stop or not self._go.is_set()):
                self._between = False
                return

    def _rest(self) -> None:
        if (turns := self.turns) is not None:
            turns.give_up(self)

    def _hold(self) -> None:
        self._rest()
        with self._lock:
            if not self._go.is_set():
                self._set_state("paused")
        try:
            self._go.wait()
        except KeyboardInterrupt:  # a loop in a cell, interrupted while it is paused
            self._cell_ended()
            raise
        with self._lock:
            if not self._stop:
                self._set_state("training")

    def _enter_from_cell(self, thread: threading.Thread | None) -> None:
        if thread is not None and thread.is_alive():
            raise RuntimeError(
                "this trainer is training in the background (see its panel): "
                "stop it before training in a cell, panel.stop()"
            )
        self._cell_seen = time.monotonic()
        if self._cell_thread is None:
            self._cell_thread = threading.get_ident()
            self._stop = self._single = False
            self._release_kernel = watch_kernel(on_interrupt=lambda: None, on_cell_end=self._cell_ended)
            self._set_state("training")

    def _cell_ended(self) -> None:
        self._cell_thread = None
        self._rest()
        self._go.set()
        self._let_kernel_go()
        self._set_state("finished" if self.finished else "idle")

    def _on_record(self, record: dict[str, Any]) -> None:
        self.last_record, self.note = record, ""
        self.history.append(record)
        self.log.append(record)
        self._between = True
        self._at_boundary_now()
        self._rest()
        if self._single:
            self._single = False
            if self._cell_thread is None:
                self._go.clear()
        self._tell(record)

    def _at_boundary_now(self) -> None:
        with self._lock:
            waiting, self._boundary = self._boundary, []
        for act in waiting:
            act()

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._tell(None)

    def _tell(self, record: dict[str, Any] | None) -> None:
        for listener in list(self._listeners):
            listener(record)
