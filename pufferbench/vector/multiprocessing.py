"""Multiprocessing: environments in worker processes, all writing into one shared block of memory."""

from __future__ import annotations

import os
import pickle
import weakref
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from time import monotonic, sleep
from typing import Any, NoReturn

import cloudpickle
import numpy as np

from pufferbench.env import Buffers, EpisodeInfos, Infos
from pufferbench.errors import did_you_mean
from pufferbench.system import cores
from pufferbench.vector.arena import Arena, place
from pufferbench.vector.base import Creator, Received, VectorEnv, check_count, join_infos, make_member
from pufferbench.vector.errors import WorkerError, WorkerTimeout
from pufferbench.vector.handshake import (
    CALL,
    CLOSE,
    COMMAND,
    DTYPE,
    NAP_SECONDS,
    NOTES,
    OBJECT,
    POLL_SECONDS,
    READY,
    RECORDS,
    RESET,
    START,
    STEP,
    STRIDE,
    TRACEBACK,
    fence,
    flags,
    notes,
    notes_size,
    poll,
    uninterrupted,
    yield_core,
)
from pufferbench.vector.process import WorkerProcess

MODES = ("sync", "async")
CLOSE_SECONDS = 1.0  # for environments to close themselves


class Multiprocessing(VectorEnv):
    """Plays its environments in ``num_workers`` processes, each a contiguous group of them.

    The arrays are shared memory: workers write into their rows, and what ``recv`` returns are views.
    Works from notebooks, scripts without a ``__main__`` guard, and standard input: workers do not import
    the program that made them, but get ``env_creator`` pickled by cloudpickle.

    Args:
        env_creator: makes one env (a PufferEnv, or a Gymnasium env, which is adapted); no arguments. It is
            also called once in this process, to learn the spaces.
        num_envs: how often it is called in the workers, all together. (The attribute ``num_envs`` counts
            games, of which each env may hold many.)
        num_workers: processes; default: one per core, see :func:`pufferbench.cores`.
        mode: ``"sync"``: a batch is all rows. ``"async"``: a batch is the rows of the workers that are ready
            first, and while you look at it the others play on: not deterministic.
        surplus_envs: environments (of ``num_envs``) that a batch of mode ``"async"`` goes without; a
            multiple of ``num_envs / num_workers``.
        timeout: seconds a worker may take for one answer (making its environments, a reset, a step).
        arena_kind, link: how memory and connection are shared; None takes what the system has (for tests).

    Raises:
        WorkerError: a worker failed; with its traceback. After an exception in an env, ``reset`` may be
            tried; after the end of a process, only ``close``.
        WorkerTimeout: a worker took longer than ``timeout``; with the place where it is.
        ArenaError: the arrays do not fit into memory.
        TypeError: ``env_creator`` cannot be pickled.
        ValueError: the numbers do not fit each other, or the environments differ.
    """

    def __init__(
        self,
        env_creator: Creator,
        num_envs: int = 256,
        num_workers: int | None = None,
        mode: str = "sync",
        surplus_envs: int = 0,
        timeout: float = 120.0,
        arena_kind: str | None = None,
        link: str | None = None,
    ) -> None:
        super().__init__(env_creator)
        calls = check_count(num_envs, "num_envs")
        workers = min(cores(), calls) if num_workers is None else check_count(num_workers, "num_workers")
        used = _workers_in_batch(calls, workers, mode, surplus_envs)
        self.num_workers, self.mode, self.timeout = workers, mode, timeout
        self.deterministic = mode == "sync"

        probe = make_member(env_creator, 0)
        try:
            self.observation_space, self.action_space = probe.observation_space, probe.action_space
            self.num_action_masks = probe.num_action_masks
            agents, games = probe.num_agents, probe.num_envs
            if hasattr(probe, "step_rows"):
                probe.reset(0)  # compiles its kernels, once, into the disk cache, for all workers
        finally:
            probe.close()
        creator = _pickle(env_creator, (self.observation_space, self.action_space, self.num_action_masks))

        # Worker w plays environments bounds[w] .. bounds[w + 1] - 1: as equal groups as can be
        bounds = [calls * w // workers for w in range(workers + 1)]
        self._envs = [range(start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
        self._rows = [(envs.start * agents, envs.stop * agents) for envs in self._envs]
        self._first_games = [envs.start * games for envs in self._envs]
        fields = Buffers.fields(
            calls * agents, self.observation_space, self.action_space, self.num_action_masks
        )
        places, size = place(fields, workers * STRIDE)
        self._notes_at = []  # from where to where
        for start, stop in self._rows:
            at = -(-size // STRIDE) * STRIDE
            size = at + notes_size(stop - start)
            self._notes_at.append((at, size))
        arena = Arena.create(size, arena_kind)
        self._states, self._parent_asleep, self._worker_asleep = flags(memoryview(arena.memory), workers)
        self._notes = [notes(memoryview(arena.memory)[start:stop]) for start, stop in self._notes_at]
        self._whole = arena.buffers(places)
        self._whole.masks[:] = True
        if self._whole.action_masks is not None:
            self._whole.action_masks[:] = True

        self.num_envs = calls * games
        self.num_agents = self._rows[used - 1][1]
        self._agent_ids = np.arange(calls * agents)
        self._all = tuple(range(workers))
        # More runners than cores: whoever polls takes time from whoever works
        self._poll_seconds = POLL_SECONDS if workers <= cores() else 0.0
        self._infos: list[Infos] = [()] * workers
        self._dtypes: list[Any] = [None] * workers
        self._inbox: list[list[bytes]] = [[] for _ in self._all]
        self._told = False  # whether there is anything in _infos
        self._lost: tuple | None = None  # arguments of the WorkerError, when a worker has ended
        self._cut_short = False
        # For mode "async": how many workers make a batch, whose turn it is, who was ready first
        self._used = used
        self._turn = self._all
        self._ready: list[int] = []
        self._gathered: Buffers | None = None  # arrays for batches of workers that are not neighbours
        self._slices: dict[int, Buffers] = {}  # batches of neighbours, by their first worker
        self._buffers = self._whole if used == workers else self._whole.slice(0, self.num_agents)
        self._own_actions = self._buffers.actions

        self._workers: list[WorkerProcess] = []
        # Runs at close(), when this object is forgotten, and when the program ends
        self._finalizer = weakref.finalize(self, _stop, self._workers, self._states, os.getpid())
        self._start_workers(arena, link, {"places": places, "creator": creator, "games": games})

    def _start_workers(self, arena: Arena, link: str | None, setup: dict[str, Any]) -> None:
        """All at once; returns when all have made their environments."""
        setup |= {
            "num_workers": self.num_workers,
            "arena": (arena.size, arena.fd, arena.name),
            "poll_seconds": self._poll_seconds,
        }
        try:
            for w in self._all:
                self._states[w] = START
                self._workers.append(WorkerProcess(arena.fd, link))
            for w in self._all:
                own = {"worker": w, "envs": self._envs[w], "rows": self._rows[w], "notes": self._notes_at[w]}
                self._tell(w, pickle.dumps(setup | own))
            for w in self._all:
                self._finish(w)
        except BaseException:
            self.close()
            raise
        finally:
            arena.close_fd()

    # -- the interface --------------------------------------------------------------------------

    def async_reset(self, seed: int | None = None) -> None:
        self._check_alive()
        self._expect("async_reset")
        self._next = "async_reset"  # should a worker fail
        for w in self._all:  # a reset is right at any time: what was under way is dropped
            self._finish(w, drop=True)
        self._infos, self._told = [()] * self.num_workers, False
        self._ready.clear()
        self._cut_short = False
        for w in self._all:
            self._tell(w, pickle.dumps((seed, self.first_env + self._first_games[w])), RESET)
        self._next = "recv"

    def send(self, actions: Any) -> None:
        if self._next != "send":
            self._prepare_send()
        if actions is not self._own_actions:
            self.load_actions(actions)
        if self._buffers is self._gathered:
            self._scatter()
        self._next = "recv"
        if fence is not None:
            fence()
        states, asleep = self._states, self._worker_asleep
        for w in self._turn:
            states[w] = STEP
            if asleep[w]:
                self._wake(w)

    def recv(self) -> Received:
        if self._next != "recv":
            self._check_alive()
            self._expect("recv")
        try:
            if self.mode == "sync":
                states = self._states
                for w in self._turn:
                    if states[w] >= COMMAND:
                        self._await((w,))
                    if states[w]:
                        self._collect(w)
            else:
                self._choose()
        except WorkerError:
            if self._lost is None:
                self._next = "async_reset"
            raise
        except BaseException:  # Ctrl-C. The workers go on: call recv() again, or step(), or reset()
            self._cut_short = True
            raise
        if fence is not None:
            fence()
        self._next = "send"
        self._cut_short = False
        b, ids, infos = self._buffers, self._agent_ids, self._take_infos() if self._told else ()
        assert b is not None
        if self.mode == "async":
            ids = np.concatenate([ids[slice(*self._rows[w])] for w in self._turn])
        return b.observations, b.rewards, b.terminals, b.truncations, infos, ids, b.masks

    def render(self) -> np.ndarray:
        """The first game, drawn by the worker that has it."""
        return self.call(0, "render")

    def call(self, worker: int, method: str, *arguments: Any) -> Any:
        """Call a method of the env that ``worker`` holds (a Serial, when there are several), between two steps."""
        self._check_alive()
        if self._next != "send":
            self._prepare_send()
        self._finish(worker)  # in mode "async" it may be in a step of its own
        infos = self._infos[worker]
        self._cut_short, self._next = True, "call"  # unless we come to the end of this
        self._tell(worker, pickle.dumps((method, arguments)), CALL)
        try:
            self._finish(worker)
        except WorkerError:
            if self._lost is None:  # the env's own error; it can go on
                self._cut_short, self._next = False, "send"
            raise
        result, self._infos[worker] = self._infos[worker], infos
        self._cut_short, self._next = False, "send"
        return result

    def use_buffers(self, buffers: Buffers) -> None:
        raise TypeError("the arrays of a Multiprocessing are the shared memory: no others can be used")

    def close(self) -> None:
        """End the workers. Waits a second for environments to close themselves. Closing twice is fine."""
        super().close()
        self._finalizer()

    # -- a batch --------------------------------------------------------------------------------

    def _prepare_send(self) -> None:
        """What is not as usual before a step: an interrupt earlier, or a wrong call."""
        self._check_alive()
        if self._cut_short:
            if self._next == "call":
                for w in self._all:
                    self._finish(w, drop=True)
                self._next = "send"
            else:
                self.recv()  # the step that was interrupted
        self._expect("send")

    def _choose(self) -> None:
        """Mode "async": the workers that were ready first make the batch."""
        states, ready = self._states, self._ready
        while True:
            for w in self._all:
                if states[w] < COMMAND and w not in ready:
                    if states[w]:
                        self._collect(w)
                    ready.append(w)
            if len(ready) >= self._used:
                break
            self._await([w for w in self._all if w not in ready])
        if fence is not None:
            fence()
        turn = self._turn = tuple(sorted(ready[: self._used]))
        del ready[: self._used]
        if turn[-1] - turn[0] == len(turn) - 1:
            if turn[0] not in self._slices:
                rows = self._rows[turn[0]][0], self._rows[turn[-1]][1]
                self._slices[turn[0]] = self._whole.slice(*rows)
            self._buffers = self._slices[turn[0]]
        else:
            self._buffers = self._gather()
        self._own_actions = self._buffers.actions

    def _gather(self) -> Buffers:
        """The rows of workers that are no neighbours, copied together."""
        if self._gathered is None:
            self._gathered = Buffers.allocate(
                self.num_agents, self.observation_space, self.action_space, self.num_action_masks
            )
        for name in Buffers.__slots__:  # type: ignore[attr-defined]
            whole = getattr(self._whole, name)
            if whole is not None:
                parts = [whole[slice(*self._rows[w])] for w in self._turn]
                np.concatenate(parts, out=getattr(self._gathered, name))
        return self._gathered

    def _scatter(self) -> None:
        """The other way round, for actions."""
        assert self._gathered is not None
        size = self.num_agents // len(self._turn)
        for k, w in enumerate(self._turn):
            self._whole.actions[slice(*self._rows[w])] = self._gathered.actions[k * size : (k + 1) * size]

    def _take_infos(self) -> Infos:
        parts = [self._infos[w] for w in self._turn]
        for w in self._turn:
            self._infos[w] = ()
        self._told = any(map(len, self._infos))  # of workers that are not in this batch
        return join_infos(parts)

    # -- talking to workers ---------------------------------------------------------------------

    def _tell(self, w: int, message: bytes, command: int | None = None) -> None:
        try:
            if command is None:
                self._workers[w].connection.send_bytes(message)
                return
            with uninterrupted():  # a message without its command would be taken for the next one's
                self._workers[w].connection.send_bytes(message)
                if fence is not None:
                    fence()
                self._states[w] = command
                if self._worker_asleep[w]:
                    self._workers[w].wake()
        except OSError:
            self._lose(w)

    def _wake(self, w: int) -> None:
        try:
            self._workers[w].wake()
        except OSError:
            self._lose(w)

    def _finish(self, w: int, drop: bool = False) -> None:
        """Until worker ``w`` is not busy; what it says goes to ``_infos``, with ``drop`` nowhere."""
        if self._states[w] >= COMMAND:
            self._await((w,))
        if self._states[w]:
            try:
                self._collect(w)
            except WorkerError:
                if not drop or self._lost is not None:
                    raise

    def _collect(self, w: int) -> None:
        """Read what worker ``w`` has to say: its infos, its result, or why it failed."""
        if self._states[w] == NOTES:
            if fence is not None:
                fence()
            count, data = self._notes[w]
            records = np.frombuffer(data, self._dtypes[w], count[0]).copy()
            self._told, self._infos[w] = True, EpisodeInfos(records)
            self._states[w] = READY  # last: whoever is interrupted before begins again
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
                self._told = True
                self._states[w] = READY
                if message[:1] == RECORDS:
                    records = np.frombuffer(message, self._dtypes[w], offset=1).copy()
                    self._infos[w] = EpisodeInfos(records)
                elif message[:1] == OBJECT:
                    self._infos[w] = pickle.loads(memoryview(message)[1:])
            if message[:1] == TRACEBACK:
                text = message[1:].decode(errors="replace")
                raise WorkerError(w, self._envs[w], "raised an exception:", text)
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
        states = self._states
        if len(workers) == 1:
            if poll(states, workers[0], False, self._poll_seconds):
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
        states, until = self._states, monotonic() + self._poll_seconds
        while True:
            for w in workers:
                if states[w] < COMMAND:
                    return True
            yield_core()
            if monotonic() >= until:
                return False

    def _sleep(self, workers: Sequence[int], seconds: float) -> bool:
        """One nap. Returns whether one of ``workers`` is not busy."""
        states, asleep = self._states, self._parent_asleep
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

    def _check_alive(self) -> None:
        if self._lost is not None and self._next != "closed":
            raise WorkerError(*self._lost)

    def _lose(self, w: int) -> NoReturn:
        """Worker ``w`` has ended. Nothing but close() makes sense from here on."""
        worker = self._workers[w]
        self._lost = (w, self._envs[w], f"{worker.death()}; close this env and make a new one", worker.log())
        self._next = "lost"
        raise WorkerError(*self._lost)

    def _time_out(self, w: int) -> NoReturn:
        worker = self._workers[w]
        where = worker.where()
        raise WorkerTimeout(
            w,
            self._envs[w],
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


def _workers_in_batch(envs: int, workers: int, mode: str, surplus: int) -> int:
    """How many workers make a batch; checks that the numbers fit each other."""
    if mode not in MODES:
        raise ValueError(f"mode must be 'sync' or 'async', not {mode!r}{did_you_mean(str(mode), MODES)}")
    if workers > envs:
        raise ValueError(f"num_workers is {workers}, but there are only {envs} environments to share out")
    if mode == "sync":
        if surplus:
            raise ValueError(f"surplus_envs={surplus} needs mode='async': a batch of mode 'sync' is all rows")
        return workers
    if envs % workers:
        raise ValueError(
            f"mode 'async' needs equal groups: num_envs={envs} is not a multiple of num_workers={workers}"
        )
    group = envs // workers
    if not 0 <= surplus < envs or surplus % group:
        raise ValueError(
            f"surplus_envs must be a multiple of {group} (the environments of one worker) "
            f"and less than num_envs={envs}, not {surplus}"
        )
    return workers - surplus // group


def _pickle(env_creator: Creator, spaces: tuple) -> bytes:
    try:
        return cloudpickle.dumps((env_creator, spaces))
    except Exception as error:  # whatever an object's own pickling raises
        raise TypeError(
            f"env_creator cannot be sent to worker processes: {type(error).__name__}: {error}. "
            "Something it refers to cannot be pickled (an open file, a lock, a window, a trainer): "
            "make that inside of env_creator"
        ) from error
