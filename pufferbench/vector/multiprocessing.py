"""Multiprocessing: environments in worker processes, all writing into one shared block of memory."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import cloudpickle
import numpy as np

from pufferbench.env import Buffers
from pufferbench.errors import did_you_mean
from pufferbench.system import cores
from pufferbench.vector.arena import Arena, Place, place
from pufferbench.vector.base import Creator, Received, VectorEnv, check_count, make_member
from pufferbench.vector.crew import Crew
from pufferbench.vector.errors import WorkerError
from pufferbench.vector.handshake import (
    CALL,
    POLL_SECONDS,
    RESET,
    SHORT_POLL_SECONDS,
    STRIDE,
    notes_size,
)
from pufferbench.vector.parts import Parts

MODES = ("sync", "async")


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

    Attributes:
        total_agents: rows of all workers; ``num_agents`` are those of a batch, fewer with surplus environments.
        all_rows: the arrays of all of them.
        worker_rows: of each worker, its first row there and the one behind its last.
        turn: the workers whose rows the present batch is.

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
        self.num_workers, self.mode = workers, mode
        self.deterministic = mode == "sync"

        probe = make_member(env_creator, 0)
        try:
            self.observation_space, self.action_space = probe.observation_space, probe.action_space
            self._source_observation_space = probe.source_observation_space
            self._source_action_space = probe.source_action_space
            self.num_action_masks = probe.num_action_masks
            agents, games = probe.num_agents, probe.num_envs
            if hasattr(probe, "step_rows"):
                probe.reset(0)  # compiles its kernels, once, into the disk cache, for all workers
        finally:
            probe.close()
        creator = _pickle(env_creator, (self.observation_space, self.action_space, self.num_action_masks))

        # Worker w plays environments bounds[w] .. bounds[w + 1] - 1: as equal groups as can be
        bounds = [calls * w // workers for w in range(workers + 1)]
        envs = [range(start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
        self.worker_rows = [(group.start * agents, group.stop * agents) for group in envs]
        self._first_games = [group.start * games for group in envs]
        self.num_envs, self.total_agents = calls * games, calls * agents
        self.num_agents = self.worker_rows[used - 1][1]
        arena, places, notes_at = self._make_arena(arena_kind)
        self.all_rows = arena.buffers(places)
        self.all_rows.masks[:] = True
        if self.all_rows.action_masks is not None:
            self.all_rows.action_masks[:] = True
        self._batch_workers = used
        self._cut_short = False
        self._parts = Parts(self.all_rows, self.worker_rows)
        self._show(tuple(range(used)))
        # More runners than cores: whoever polls takes time from whoever works
        self._poll_seconds = POLL_SECONDS if workers <= cores() else 0.0
        self._crew = Crew(arena, envs, notes_at, timeout, self._poll_seconds)
        setup = {
            "num_workers": workers,
            "arena": (arena.size, arena.fd, arena.name),
            "poll_seconds": self._poll_seconds,
            "places": places,
            "creator": creator,
            "games": games,
        }
        own = zip(envs, self.worker_rows, notes_at, strict=True)
        setups = [
            setup | {"worker": w, "envs": group, "rows": rows, "notes": at}
            for w, (group, rows, at) in enumerate(own)
        ]
        self._crew.start(arena, link, setups)

    def _make_arena(self, kind: str | None) -> tuple[Arena, dict[str, Place], list[tuple[int, int]]]:
        """The block of memory, where in it the arrays lie, and from where to where each worker's notes."""
        fields = Buffers.fields(
            self.total_agents, self.observation_space, self.action_space, self.num_action_masks
        )
        places, size = place(fields, self.num_workers * STRIDE)
        notes_at = []
        for start, stop in self.worker_rows:
            at = -(-size // STRIDE) * STRIDE
            size = at + notes_size(stop - start)
            notes_at.append((at, size))
        return Arena.create(size, kind), places, notes_at

    @property
    def timeout(self) -> float:
        """Seconds a worker may take for one answer."""
        return self._crew.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._crew.timeout = seconds

    # -- the interface --------------------------------------------------------------------------

    def async_reset(self, seed: int | None = None) -> None:
        self._check_alive()
        self._expect("async_reset")
        self._next = "async_reset"  # should a worker fail
        crew = self._crew
        for w in crew.all:  # a reset is right at any time: what was under way is dropped
            crew.finish(w, drop=True)
        crew.forget_infos()
        crew.ready.clear()
        self._cut_short = False
        self._show(crew.all[: self._batch_workers])
        for w in crew.all:
            crew.tell(w, RESET, pickle.dumps((seed, self.first_env + self._first_games[w])))
        self._next = "recv"

    def send(self, actions: Any) -> None:
        if self._next != "send":
            self._prepare_send()
        self._load(actions)
        self._next = "recv"
        self._crew.step(self.turn)

    def recv(self) -> Received:
        if self._next != "recv" or self._crew.lost is not None:
            self._check_alive()
            self._expect("recv")
        try:
            if self.mode == "sync":
                self._crew.finish_all(self.turn)
            else:
                self._show(self._crew.first_ready(self._crew.all, self._batch_workers))
        except WorkerError:
            self._fail()
            raise
        except BaseException:  # Ctrl-C. The workers go on: call recv() again, or step(), or reset()
            self._cut_short = True
            raise
        self._next = "send"
        self._cut_short = False
        return self._received()

    def render(self) -> np.ndarray:
        """The first game, drawn by the worker that has it."""
        return self.call(0, "render")

    def call(self, worker: int, method: str, *arguments: Any) -> Any:
        """Call a method of the env that ``worker`` holds (a Serial, when there are several), between two steps."""
        self._check_alive()
        if self._next != "send":
            self._prepare_send()
        crew = self._crew
        crew.finish(worker)  # in mode "async" it may be in a step of its own
        infos = crew.infos[worker]
        self._cut_short, self._next = True, "call"  # unless we come to the end of this
        crew.tell(worker, CALL, pickle.dumps((method, arguments)))
        try:
            crew.finish(worker)
        except WorkerError:
            if crew.lost is None:  # the env's own error; it can go on
                self._cut_short, self._next = False, "send"
            raise
        result, crew.infos[worker] = crew.infos[worker], infos
        self._cut_short, self._next = False, "send"
        return result

    def use_buffers(self, buffers: Buffers) -> None:
        raise TypeError("the arrays of a Multiprocessing are the shared memory: no others can be used")

    def close(self) -> None:
        """End the workers. Waits a second for environments to close themselves. Closing twice is fine."""
        super().close()
        self._crew.close()

    # -- for learners: batches of chosen workers ------------------------------------------------

    def settle(self, overlap: bool = False) -> None:
        """Let all workers come to rest: then ``all_rows`` is what all agents see now.

        What they still have to say about their last steps is dropped. To be called before the first
        :meth:`recv_part`; ``send`` and ``step``, which go on with whole batches, call it by themselves.

        Args:
            overlap: whether from now on the caller works while workers step.
        """
        self._check_alive()
        if self._next not in ("send", "part"):
            self._prepare_send()
        crew = self._crew
        self._next = "part"  # should we be interrupted
        for w in crew.all:
            crew.finish(w, drop=True)
        crew.forget_infos()
        tight = overlap and self.num_workers + 1 > cores()
        crew.set_patience(min(self._poll_seconds, SHORT_POLL_SECONDS) if tight else self._poll_seconds)
        self._show(crew.all[: self._batch_workers])
        crew.ready[:] = crew.all[self._batch_workers :]
        self._next = "send"

    def recv_part(self, among: Sequence[int], count: int | None = None) -> Received:
        """Like ``recv``, but of the workers ``among``: of them all, or of the ``count`` that are ready first.

        Its rows wait until :meth:`send_part`, or for as long as there is none. ``turn`` is who they are.
        """
        self._check_alive()
        self._next = "part"
        crew = self._crew
        try:
            if count is None:
                crew.finish_all(among)
                crew.ready[:] = [w for w in crew.ready if w not in among]
                self._show(tuple(among))
            else:
                self._show(crew.first_ready(among, count))
        except WorkerError:
            self._fail()
            raise
        return self._received()

    def send_part(self, actions: Any) -> None:
        """Begin a step of the rows of the last :meth:`recv_part`."""
        self._load(actions)
        self._crew.step(self.turn)

    # -- a batch --------------------------------------------------------------------------------

    def _show(self, workers: tuple[int, ...]) -> None:
        """The rows of ``workers`` are the batch now."""
        self._part = part = self._parts.of(workers)
        self.turn, self._buffers, self._own_actions = workers, part.buffers, part.buffers.actions

    def _received(self) -> Received:
        b, crew = self._part.buffers, self._crew
        infos = crew.take_infos(self.turn) if crew.told else ()
        return b.observations, b.rewards, b.terminals, b.truncations, infos, self._part.agent_ids, b.masks

    def _load(self, actions: Any) -> None:
        if actions is not self._own_actions:
            self.load_actions(actions)
        if self._part.is_copy:
            self._parts.put_back(self._part)

    def _prepare_send(self) -> None:
        """What is not as usual before a step: an interrupt earlier, batches of chosen workers, or a wrong call."""
        self._check_alive()
        if self._next == "part":
            self.settle()
        elif self._cut_short:
            if self._next == "call":
                for w in self._crew.all:
                    self._crew.finish(w, drop=True)
                self._next = "send"
            else:
                self.recv()  # the step that was interrupted
        self._expect("send")

    # -- failures -------------------------------------------------------------------------------

    def _check_alive(self) -> None:
        if self._next != "closed":
            self._crew.check_alive()

    def _fail(self) -> None:
        """After a WorkerError: reset() may help, unless a worker has ended."""
        self._next = "async_reset" if self._crew.lost is None else "lost"


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
