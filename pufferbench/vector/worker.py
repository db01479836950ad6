"""A worker process: a new Python that calls :func:`main`. Started by :class:`~.process.WorkerProcess`.

It plays its share of the environments, which write straight into the arena. It ends when it is told to,
or when its parent is gone.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pufferbench.env import EpisodeInfos, Infos, PufferEnv
from pufferbench.vector.arena import Arena
from pufferbench.vector.base import make_member
from pufferbench.vector.errors import which_envs
from pufferbench.vector.handshake import (
    CALL,
    COMMAND,
    DTYPE,
    FAILED,
    MESSAGE,
    NAP_SECONDS,
    NOTES,
    OBJECT,
    PATIENCE,
    READY,
    RECORDS,
    RESET,
    STEP,
    TRACEBACK,
    fence,
    flags,
    notes,
    poll,
    yield_core,
)
from pufferbench.vector.process import KEY_BYTES
from pufferbench.vector.serial import Serial


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's business
    link, *rest = arguments
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # an env that asks for input gets none
        os.dup2(nothing.fileno(), 0)
    if link == "tcp":
        line = socket.create_connection(("127.0.0.1", int(rest[0])))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(os.read(lifeline, KEY_BYTES))
        connection = Connection(line.detach())
    else:
        descriptor, log = map(int, rest)
        os.set_inheritable(descriptor, False)  # programs that an env starts must not keep it open
        os.set_inheritable(log, False)
        connection = Connection(descriptor)
        faulthandler.enable(log)
        if hasattr(faulthandler, "register"):
            faulthandler.register(signal.SIGUSR1, log, all_threads=False)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    try:
        Worker(connection, pickle.loads(connection.recv_bytes())).run()
    except (EOFError, ConnectionError):  # no parent any more
        os._exit(1)


def _end_with_parent(lifeline: int) -> None:
    """Blocks for ever; the pipe ends when the parent is gone, and so do we, whatever an env is doing."""
    while os.read(lifeline, 1):
        pass
    os._exit(1)


class Worker:
    """Args: ``connection`` to the parent, and what the parent says about our share (see ``Multiprocessing``)."""

    def __init__(self, connection: Connection, setup: dict[str, Any]) -> None:
        self.connection, self.setup = connection, setup
        self.index: int = setup["worker"]
        arena = Arena.attach(*setup["arena"])
        self.states, self.parent_asleep, self.asleep = flags(memoryview(arena.memory), setup["num_workers"])
        self.buffers = arena.buffers(setup["places"]).slice(*setup["rows"])
        start, stop = setup["notes"]
        self.note_count, self.notes = notes(memoryview(arena.memory)[start:stop])
        self.inbox: list[bytes] = []
        self.dtype: Any = None  # of the records that went last

    def run(self) -> None:
        """Make the environments, then obey until told to close."""
        env = self.attempt(self.make)
        if env is None:
            return
        self.answer(READY)
        self.serve(env)
        env.close()

    def make(self) -> PufferEnv:
        setup = self.setup
        creator, spaces = pickle.loads(setup["creator"])
        envs: range = setup["envs"]
        if len(envs) == 1:
            env = make_member(creator, envs.start)
        else:
            env = Serial(creator, len(envs))
        mine = (env.observation_space, env.action_space, env.num_action_masks, env.num_envs, env.num_agents)
        right = (*spaces, len(envs) * setup["games"], self.buffers.rewards.shape[0])
        names = ("observation space", "action space", "number of action masks", "games", "agents")
        for name, is_so, should_be in zip(names, mine, right, strict=True):
            if is_so != should_be:
                raise ValueError(
                    "all environments of a vector env must be of one kind, but the "
                    f"{name} of {which_envs(envs)} is {is_so}, not {should_be} "
                    "as the first one in the parent process promised"
                )
        env.use_buffers(self.buffers)
        return env

    def serve(self, env: PufferEnv) -> None:
        """The loop that decides the speed: one look at the flag, one step, one write of the flag."""
        states, index, parent_asleep = self.states, self.index, self.parent_asleep
        step, actions, wake = env.step, env.actions, self.wake
        seconds = self.setup["poll_seconds"]
        while True:
            if not poll(states, index, True, seconds):
                self.sleep()
            if fence is not None:
                fence()
            command = states[index]
            if command == STEP:
                try:
                    infos = step(actions)[4]
                    quiet = not len(infos)
                except BaseException:
                    self.fail()
                    continue
                if not quiet:
                    self.attempt(self.report, infos)
                    continue
                if fence is not None:
                    fence()
                states[index] = READY
                if parent_asleep[index]:
                    wake()
            elif command == RESET:
                self.attempt(self.reset, env)
            elif command == CALL:
                self.attempt(self.call, env)
            elif command == PATIENCE:
                seconds = pickle.loads(self.receive())
                self.answer(READY)
            else:
                return

    def reset(self, env: PufferEnv) -> None:
        seed, env.first_env = pickle.loads(self.receive())
        _, infos = env.reset(seed)
        if len(infos):
            self.report(infos)
        else:
            self.answer(READY)

    def call(self, env: PufferEnv) -> None:
        """Any method of the env, e.g. render: ``(name, arguments)``; the result goes back."""
        name, arguments = pickle.loads(self.receive())
        self.answer(MESSAGE, OBJECT + pickle.dumps(getattr(env, name)(*arguments)))

    def attempt(self, function: Callable, *arguments: Any) -> Any:
        """``function(*arguments)``; should it fail, the parent gets the traceback and we get None."""
        try:
            return function(*arguments)
        except BaseException:  # SystemExit too: an env that calls sys.exit() is no reason to vanish
            self.fail()

    def fail(self) -> None:
        self.answer(FAILED, TRACEBACK + traceback.format_exc().encode(errors="replace"))

    # -- handshake ------------------------------------------------------------------------------

    def answer(self, state: int, *messages: bytes) -> None:
        """The flag goes first, messages after it: the parent reads from then on, so we cannot block."""
        if fence is not None:
            fence()
        self.states[self.index] = state
        if self.parent_asleep[self.index]:
            self.wake()
        for message in messages:
            self.connection.send_bytes(message)

    def wake(self) -> None:
        self.connection.send_bytes(b"")

    def sleep(self) -> None:
        """Until there is a command."""
        states, index, connection = self.states, self.index, self.connection
        while True:
            self.asleep[index] = 1
            yield_core()
            if states[index] < COMMAND and connection.poll(NAP_SECONDS):
                message = connection.recv_bytes()
                if message:
                    self.inbox.append(message)
            self.asleep[index] = 0
            if states[index] >= COMMAND:
                return

    def receive(self) -> bytes:
        """The next message that is not a wake-up."""
        while True:
            message = self.inbox.pop(0) if self.inbox else self.connection.recv_bytes()
            if message:
                return message

    def report(self, infos: Infos) -> None:
        """Records go into the arena as they are, when their type is known there; all else is a message."""
        if not isinstance(infos, EpisodeInfos):
            self.answer(MESSAGE, OBJECT + pickle.dumps(list(infos)))
            return
        records = infos.records
        data = records.tobytes()
        if records.dtype != self.dtype:
            self.dtype = records.dtype
            self.answer(MESSAGE, DTYPE + pickle.dumps(self.dtype), RECORDS + data)
        elif len(data) > len(self.notes):
            self.answer(MESSAGE, RECORDS + data)
        else:
            self.notes[: len(data)] = data
            self.note_count[0] = len(records)
            self.answer(NOTES)
