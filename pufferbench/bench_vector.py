"""What the vectorizer costs and gains on this machine: round trips, scaling, idle time, overhead, peers.

Wall time, because that is what workers are for; several rounds, of which the best counts, because others
only ever slow us down; and every figure about scaling beside a control (see
:mod:`pufferbench.bench_control`): a round whose control does not scale says nothing and is discarded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pufferbench.bench_control import LEAST_SCALING, Control, compute, rate
from pufferbench.env import PufferEnv

WORKERS = 2
ROUNDS = 3
MOST_ROUNDS = 8  # so many attempts to get three rounds with a good control
ROUND_TRIPS = 50_000  # per second, with 2 workers: what we must reach
CARTPOLES = 64
SERIAL_CARTPOLE = 120_000  # steps/s; PufferLib 3.0's Serial on this kind of machine: 92,000
CARTPOLE_SHARE = 0.75  # of the control
CARTPOLE_GAIN = 1.5  # over Serial
BUSY_SHARE = 0.95  # of the control
OVERHEAD = 0.05
OVERHEAD_GAMES = (1024, 4096)
PEER_SIZES = (1, 16, 64)
PEER_GAIN = 20  # over gymnasium's AsyncVectorEnv
# Steps/s of that, as measured when the target was set (an older gymnasium, 2 quiet cores of this kind)
EARLIER_ASYNC = {1: 3_300, 16: 8_400, 64: 7_000}


class Trivial(PufferEnv):
    """One number to see, two actions, nothing to compute: what is left is the vectorizer."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf)
        self.observation_space = self.make_space(1)
        self.action_space = self.make_discrete(2)

    def reset(self, seed: int | None = None) -> Any:
        return self.observations, []

    def step(self, actions: Any) -> Any:
        return self.observations, self.rewards, self.terminals, self.truncations, []


class Busy(Trivial):
    """Computes for 1 ms in every step."""

    def step(self, actions: Any) -> Any:
        compute(0.001)
        return super().step(actions)


@dataclass(frozen=True)
class Scaling:
    """Steps per second in one process, with two workers, and of the control's one and two copies.

    Attributes:
        discarded: rounds that were thrown away because their control did not scale. When that were all
            of them, the figures are the last round's, and mean nothing.
    """

    serial: float
    workers: float
    one_copy: float
    two_copies: float
    rounds: int
    discarded: int

    @property
    def valid(self) -> bool:
        return self.discarded < self.rounds

    @property
    def control(self) -> float:
        """How much faster two independent copies were than one."""
        return self.two_copies / self.one_copy

    @property
    def share(self) -> float:
        """How much of what two independent copies did, two workers did."""
        return self.workers / self.two_copies

    @property
    def gain(self) -> float:
        """How much faster two workers were than one process."""
        return self.workers / self.serial


def scaling(
    loop: str, serial: PufferEnv, workers: PufferEnv, seconds: float = 0.5, rounds: int = ROUNDS
) -> Scaling:
    """Measure ``serial`` and ``workers`` in turn with the control: a copy of ``loop`` has half the envs."""
    with Control(loop, max(1, workers.num_envs // WORKERS)) as control:
        step_serial, step_workers = stepper(serial), stepper(workers)
        for step in (step_serial, step_workers):
            rate(step, 1, min(0.2, seconds))  # warm up
        found: list[tuple[float, float, float, float]] = []
        while len(scaled(found)) < rounds and len(found) < MOST_ROUNDS:
            one = (rate(step_serial, serial.num_agents, seconds), control.measure(1, seconds))
            found.append((*one, rate(step_workers, workers.num_agents, seconds), control.measure(2, seconds)))
        return judge(found)


def scaled(rounds: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """The rounds whose control did, see :func:`judge`."""
    return [times for times in rounds if times[3] >= LEAST_SCALING * times[1]]


def judge(rounds: list[tuple[float, float, float, float]]) -> Scaling:
    """The best of the rounds ``(serial, one copy, workers, two copies)`` whose control scaled.

    Serial needs one core only, so for it all rounds count.
    """
    kept = scaled(rounds)
    _, one, workers, two = (max(column) for column in zip(*(kept or rounds[-1:]), strict=True))
    serial = max(times[0] for times in rounds)
    return Scaling(serial, workers, one, two, len(rounds), len(rounds) - len(kept))


def stepper(env: PufferEnv) -> Callable[[], Any]:
    """``env``, reset, as a function that makes one step with the next of 16 sets of random actions."""
    from pufferbench.bench import action_sets

    env.reset(0)
    sets, calls, step = action_sets(env), 0, env.step

    def call() -> None:
        nonlocal calls
        step(sets[calls % len(sets)])
        calls += 1

    return call


def cartpoles(num_envs: int, num_workers: int = 0) -> PufferEnv:
    """Gymnasium CartPoles: in this process, or in workers."""
    from pufferbench.vector.make import make

    if not num_workers:
        return make("gym-CartPole-v1", num_envs=num_envs, backend="serial")
    return make("gym-CartPole-v1", num_envs=num_envs, num_workers=num_workers, backend="multiprocessing")


def cartpole_scaling(seconds: float = 0.5) -> Scaling:
    """64 Gymnasium CartPoles (a few us of Python each): Serial, 2 workers, control."""
    with cartpoles(CARTPOLES) as serial, cartpoles(CARTPOLES, WORKERS) as workers:
        return scaling("cartpole", serial, workers, seconds)


def busy_scaling(seconds: float = 0.5) -> Scaling:
    """Two environments that compute for 1 ms per step, one per worker: a meeting after every ms."""
    from pufferbench.vector import Multiprocessing, Serial

    with Serial(Busy, WORKERS) as serial, Multiprocessing(Busy, WORKERS, WORKERS) as workers:
        return scaling("busy", serial, workers, seconds)


def round_trips(num_workers: int, seconds: float = 0.5, rounds: int = ROUNDS) -> float:
    """Steps of the whole vector env per second: all workers are told, all have answered."""
    from pufferbench.vector import Multiprocessing

    with Multiprocessing(Trivial, num_workers, num_workers) as env:
        env.reset(0)
        step = partial(env.step, np.zeros(num_workers, np.int32))
        rate(step, 1, min(0.2, seconds))  # warm up
        return max(rate(step, 1, seconds) for _ in range(rounds))


def idle_cpu(seconds: float = 2.0) -> float | None:
    """Cores that a vector env uses, parent and workers together, while nobody steps it.

    None where psutil, which can look at other processes, is not installed.
    """
    try:
        import psutil
    except ImportError:
        return None
    from pufferbench.vector import Multiprocessing

    this = psutil.Process()
    before = {child.pid for child in this.children(recursive=True)}
    with Multiprocessing(Trivial, WORKERS, WORKERS) as env:
        step = stepper(env)
        for _ in range(1000):
            step()
        time.sleep(0.1)  # what still polls may stop
        watched = [this, *(child for child in this.children(recursive=True) if child.pid not in before)]

        def used() -> float:
            return sum(times.user + times.system for times in (process.cpu_times() for process in watched))

        start = used()
        time.sleep(seconds)
        return (used() - start) / seconds


@dataclass(frozen=True)
class Overhead:
    """Microseconds of CPU time per step: of the native env itself, and of the same behind the layer."""

    games: int
    bare: float
    layered: float

    @property
    def part(self) -> float:
        return self.layered / self.bare - 1


def overhead(games: int, members: int = 1, seconds: float = 0.15, rounds: int = 5) -> Overhead:
    """What Serial adds to a native env (ocean-cartpole, the fastest there is) in this process.

    ``members`` natives share the games; without the layer, a loop steps them one after the other.
    """
    from pufferbench.registry import spec
    from pufferbench.vector import Serial

    creator = partial(spec("ocean-cartpole").make, num_envs=games // members)
    natives = [stepper(creator()) for _ in range(members)]

    def bare_loop() -> None:
        for step in natives:
            step()

    bare = natives[0] if members == 1 else bare_loop
    with Serial(creator, members) as env:
        layered = stepper(env)
        times = [(_cpu(bare, seconds), _cpu(layered, seconds)) for _ in range(rounds)]
    best = [1e6 * min(column) for column in zip(*times, strict=True)]
    return Overhead(games, best[0], best[1])


def _cpu(step: Callable[[], Any], seconds: float) -> float:
    """CPU seconds of one call, over about ``seconds``."""
    calls, began = 0, time.thread_time()
    while (elapsed := time.thread_time() - began) < seconds:
        for _ in range(50):
            step()
        calls += 50
    return elapsed / calls


@dataclass(frozen=True)
class Peers:
    """CartPole steps per second: ours (Serial, 2 workers), gymnasium's own (Sync, Async), the control's copies.

    Attributes:
        valid: whether the control scaled in at least one round; if not, the figures are the last round's.
    """

    num_envs: int
    serial: float
    sync: float
    workers: float
    asynchronous: float
    one_copy: float
    two_copies: float
    valid: bool

    @property
    def control(self) -> float:
        """How much faster two independent copies were than one."""
        return self.two_copies / self.one_copy

    @property
    def limit(self) -> float:
        """What the bare envs do on as many cores as there are workers: nothing can be faster."""
        return self.one_copy if self.num_envs == 1 else self.two_copies


def peers(num_envs: int, seconds: float = 0.5, rounds: int = 2) -> Peers:
    """Measure all in turn. One env cannot be shared by two workers, so there it is one."""
    with (
        cartpoles(num_envs) as serial,
        cartpoles(num_envs, min(num_envs, WORKERS)) as workers,
        gymnasium_vector(num_envs, "sync") as sync,
        gymnasium_vector(num_envs, "async") as asynchronous,
        Control("cartpole", max(1, num_envs // WORKERS)) as control,
    ):
        steps = [stepper(serial), sync, stepper(workers), asynchronous]
        for step in steps:
            rate(step, 1, min(0.1, seconds))  # warm up
        found: list[list[float]] = []
        kept: list[list[float]] = []
        while len(kept) < rounds and len(found) < MOST_ROUNDS:
            times = [rate(step, num_envs, seconds) for step in steps]
            found.append([*times, *(control.measure(copies, seconds) for copies in (1, 2))])
            kept = [times for times in found if times[-1] >= LEAST_SCALING * times[-2]]
    best = [max(column) for column in zip(*(kept or found[-1:]), strict=True)]
    serial_rate, sync_rate, workers_rate, async_rate, one, two = best
    return Peers(num_envs, serial_rate, sync_rate, workers_rate, async_rate, one, two, bool(kept))


@contextmanager
def gymnasium_vector(num_envs: int, mode: str) -> Iterator[Callable[[], Any]]:
    """gymnasium's own vector env, as a function that makes one step."""
    import gymnasium

    env = gymnasium.make_vec("CartPole-v1", num_envs, vectorization_mode=mode)
    try:
        env.reset(seed=0)
        sets = np.random.default_rng(0).integers(0, 2, (16, num_envs))
        calls = 0

        def call() -> None:
            nonlocal calls
            env.step(sets[calls % 16])
            calls += 1

        yield call
    finally:
        env.close()
