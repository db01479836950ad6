"""Crew: the worker processes of one vector env, as their parent talks to them, waits for them and loses them."""

from __future__ import annotations

import os
import pickle
import weakref
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from time import monotonic, sleep
from typing import Any, NoReturn

import numpy as np

from pufferbench.env import EpisodeInfos, Infos
from pufferbench.vector.arena import Arena
from pufferbench.vector.base import join_infos
from pufferbench.vector.errors import WorkerError, WorkerTimeout
from pufferbench.vector.handshake import (
    CLOSE,
    COMMAND,
    DTYPE,
    NAP_SECONDS,
    NOTES,
    OBJECT,
    PATIENCE,
    READY,
    RECORDS,
    START,
    STEP,
    TRACEBACK,
    fence,
    flags,
    notes,
    poll,
    uninterrupted,
    yield_core,
)
from pufferbench.vector.process import WorkerProcess

CLOSE_SECONDS = 1.0  # for environments to close themselves


class Crew:
    """Starts workers, gives them commands, waits for their answers and reads what they have to say.

    Args:
        arena: begins with the workers' flags (see :mod:`~pufferbench.vector.handshake`).
        envs: of each worker, the environments it plays (for messages).
        notes_at: of each worker, from where to where in the arena its notes lie.
        timeout: seconds a worker may take for one answer.
        poll_seconds: how long to poll before sleeping.

    Attributes:
        infos: of each worker, what its last step said about ended episodes (or the result of its last call).
        told: whether there is anything in ``infos``.
        lost: arguments of the WorkerError, once a worker has ended; then only :meth:`close` makes sense.
        ready: workers that :meth:`first_ready` saw ready and has not handed out yet, in that order.
    """

    def __init__(
        self,
        arena: Arena,
        envs: Sequence[range],
        notes_at: Sequence[tuple[int, int]],
        timeout: float,
        poll_seconds: float,
    ) -> None:
        self.envs, self.timeout, self.poll_seconds = envs, timeout, poll_seconds
        self.all = tuple(range(len(envs)))
        memory = memoryview(arena.memory)
        self.states, self.parent_asleep, self.worker_asleep = flags(memory, len(envs))
        self._notes = [notes(memory[start:stop]) for start, stop in notes_at]
        self.infos: list[Infos] = [()] * len(envs)
        self.told = False
        self.lost: tuple | None = None
        self.ready: list[int] = []
        self._dtypes: list[Any] = [None] * len(envs)  # of the records in their notes
        self._inbox: list[list[bytes]] = [[] for _ in envs]
        self._workers: list[WorkerProcess] = []
        # Runs at close(), when this object is forgotten, and when the program ends
        self.close = weakref.finalize(self, _stop, self._workers, self.states, os.getpid())

    def start(self, arena: Arena, link: str | None, setups: Sequence[dict[str, Any]]) -> None:
        """All at once; returns when all have made their environments."""
        try:
            for w in self.all:
                self.states[w] = START
                self._workers.append(WorkerProcess(arena.fd, link))
            for w, setup in enumerate(setups):
                self._send(w, pickle.dumps(setup))
            for w in self.all:
                self.finish(w)
        except BaseException:
            self.close()
            raise
        finally:
            arena.close_fd()

    # -- commands -------------------------------------------------------------------------------

    def step(self, workers: Sequence[int]) -> None:
        """They step. Their actions are in the arena."""
        if fence is not None:
            fence()
        states, asleep = self.states, self.worker_asleep
        for w in workers:
            states[w] = STEP
            if asleep[w]:
                self._wake(w)

    def tell(self, w: int, command: int, message: bytes) -> None:
        """A command that comes with more than the arena holds."""
        with uninterrupted():  # a message without its command would be taken for the next one's
            self._send(w, message)
            if fence is not None:
                fence()
            self.states[w] = command
            if self.worker_asleep[w]:
                self._wake(w)

    def set_patience(self, poll_seconds: float) -> None:
        """Poll for so long before sleeping, we and all workers, who must be at rest."""
        if poll_seconds == self.poll_seconds:
            return
        for w in self.all:
            self.tell(w, PATIENCE, pickle.dumps(poll_seconds))
        for w in self.all:
            self.finish(w)
        self.poll_seconds = poll_seconds

    def _send(self, w: int, message: bytes) -> None:
        try:
            self._workers[w].connection.send_bytes(message)
        except OSError:
            self._lose(w)

    def _wake(self, w: int) -> None:
        try:
            self._workers[w].wake()
        except OSError:
            self._lose(w)

    # -- answers --------------------------------------------------------------------------------

    def finish_all(self, workers: Sequence[int]) -> None:
        """Until all of ``workers`` are done; what they say goes to ``infos``."""
        states = self.states
        for w in workers:
            if states[w] >= COMMAND:
                self._await((w,))
            if states[w]:
                self._collect(w)
        if fence is not None:
            fence()

    def finish(self, w: int, drop: bool = False) -> None:
        """Until worker ``w`` is done; with ``drop`` it does not matter what it says, not even an exception."""
        if self.states[w] >= COMMAND:
            self._await((w,))
        if self.states[w]:
            try:
                self._collect(w)
            except WorkerError:
                if not drop or self.lost is not None:
                    raise

    def first_ready(self, among: Sequence[int], count: int) -> tuple[int, ...]:
        """Until ``count`` of the workers ``among`` are done: those that were so first, sorted."""
        states, ready = self.states, self.ready
        while True:
            for w in among:
                if states[w] < COMMAND and w not in ready:
                    if states[w]:
                        self._collect(w)
                    ready.append(w)
            if len(ready) >= count:
                break
            self._await([w for w in among if w not in ready])
        if fence is not None:
            fence()
        chosen = tuple(sorted(ready[:count]))
        del ready[:count]
        return chosen

    def take_infos(self, workers: Sequence[int]) -> Infos:
        """What these workers said, once."""
        parts = [self.infos[w] for w in workers]
        for w in workers:
            self.infos[w] = ()
        self.told = any(map(len, self.infos))  # of others
        return join_infos(parts)

    def forget_infos(self) -> None:
        """Nobody wants to know what was said before a reset."""
        self.infos, self.told = [()] * len(self.all), False

    def _collect(self, w: int) -> None:
        """Read what worker ``w`` has to say: its infos, its result, or why it failed."""
        if self.states[w] == NOTES:
            if fence is not None:
                fence()
            count, data = self._notes[w]
            records = np.frombuffer(data, self._dtypes[w], count[0]).copy()
            self.told, self.infos[w] = True, EpisodeInfos(records)
            self.states[w] = READY  # last: whoever is interrupted before begins again
            return
        until = monotonic() + self.timeout
        inbox = self._inbox[w]
        while True:
            if not inbox:
                self._read(w, until)
                continue
            if inbox[0][:1] == DTYPE:
                self._dtypes[w] = pickle.loads(inbox[0][1:])
                del inbox[0]
                continue
            with uninterrupted():
                message = inbox.pop(0)
                self.told = True
                self.states[w] = READY
                if message[:1] == RECORDS:
                    records = np.frombuffer(message, self._dtypes[w], offset=1).copy()
                    self.infos[w] = EpisodeInfos(records)
                elif message[:1] == OBJECT:
                    self.infos[w] = pickle.loads(memoryview(message)[1:])
            if message[:1] == TRACEBACK:
                text = message[1:].decode(errors="replace")
                raise WorkerError(w, self.envs[w], "raised an exception:", text)
            return

    def _read(self, w: int, until: float) -> None:
        """One message of worker ``w`` into its inbox; wake-ups are dropped."""
        connection = self._workers[w].connection
        try:
            while not connection.poll(min(NAP_SECONDS, max(0.0, until - monotonic()))):
                if not self._workers[w].is_alive():
                    self._lose(w)
                if monotonic() >= until:
                    self._time_out(w)
            with uninterrupted():
                if message := connection.recv_bytes():
                    self._inbox[w].append(message)
        except (OSError, EOFError) as error:
            if isinstance(error, WorkerError):
                raise
            self._lose(w)

    # -- waiting --------------------------------------------------------------------------------

    def _await(self, workers: Sequence[int]) -> None:
        """Until one of ``workers`` is not busy: poll for a short time, then sleep.

        Raises:
            WorkerTimeout: none of them was ready in time.
            WorkerError: one of them is gone.
        """
        states = self.states
        if len(workers) == 1:
            if poll(states, workers[0], False, self.poll_seconds):
                return
        elif self._poll_any(workers):
            return
        until = monotonic() + self.timeout
        while not self._sleep(workers, min(NAP_SECONDS, max(0.0, until - monotonic()))):
            for w in workers:
                if states[w] >= COMMAND and not self._workers[w].is_alive():
                    self._lose(w)
            if monotonic() >= until:
                self._time_out(workers[0])

    def _poll_any(self, workers: Sequence[int]) -> bool:
        states, until = self.states, monotonic() + self.poll_seconds
        while True:
            for w in workers:
                if states[w] < COMMAND:
                    return True
            yield_core()
            if monotonic() >= until:
                return False

    def _sleep(self, workers: Sequence[int], seconds: float) -> bool:
        """One nap. Returns whether one of ``workers`` is not busy."""
        states, asleep = self.states, self.parent_asleep
        connections = {self._workers[w].connection: w for w in workers}
        try:
            for w in workers:
                asleep[w] = 1
            yield_core()
            if any(states[w] < COMMAND for w in workers):
                seconds = 0.0
            # Also without a nap: wake-ups that nobody read would fill the line in the end
            for connection in wait(list(connections), seconds):
                self._read(connections[connection], 0.0)  # type: ignore[index]
        finally:  # or every answer from now on would come with a wake-up
            for w in workers:
                asleep[w] = 0
        return any(states[w] < COMMAND for w in workers)

    # -- failures -------------------------------------------------------------------------------

    def check_alive(self) -> None:
        """Raises the WorkerError of a worker that has ended earlier."""
        if self.lost is not None:
            raise WorkerError(*self.lost)

    def _lose(self, w: int) -> NoReturn:
        worker = self._workers[w]
        self.lost = (w, self.envs[w], f"{worker.death()}; close this env and make a new one", worker.log())
        raise WorkerError(*self.lost)

    def _time_out(self, w: int) -> NoReturn:
        worker = self._workers[w]
        where = worker.where()
        raise WorkerTimeout(
            w,
            self.envs[w],
            f"did not answer within {self.timeout:g} s (process {worker.popen.pid}). Does an environment hang? "
            f"If it only needs longer, say timeout=.{' It is here:' if where else ''}",
            where,
        )


def _stop(workers: list[WorkerProcess], states: memoryview, owner: int) -> None:
    """End all workers: those that wait at once, those that work when they are done, but soon."""
    if os.getpid() != owner:  # a copy of us, made by fork: they are not its workers
        return
    until = monotonic() + CLOSE_SECONDS
    for w, worker in enumerate(workers):
        while states[w] >= COMMAND and worker.is_alive() and monotonic() < until:
            sleep(0.001)
        if states[w] < COMMAND:
            states[w] = CLOSE
            with suppress(OSError):
                worker.wake()
    for worker in workers:
        worker.stop(until - monotonic())
    workers.clear()
