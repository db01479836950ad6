"""autotune: which backend, how many workers and how many games per batch are fastest *here*.

Nobody can know it beforehand: it depends on what a step costs, on the cores, and on who else uses them.
So it is tried: every candidate for a moment, then the best few once more, longer and in turn.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from pufferbench.emulation.masks import sample_legal
from pufferbench.env import PufferEnv
from pufferbench.registry import spec
from pufferbench.system import cores, queued_seconds
from pufferbench.vector.base import check_count
from pufferbench.vector.make import make
from pufferbench.vector.tuning_words import NOT_TRIED, explain, paste

CLOSE = 0.95  # of the best rate counts as equal: measuring on a shared machine is no more exact than that
FINALISTS = 3
FINAL_ROUNDS = 3
NATIVE_SIZES = (64, 256, 1024, 4096)
PYTHON_SIZES = (16, 64, 256)
WAITING = 0.5  # an env that computes for less of its time waits, and is tried with more workers than cores
PER_CORE, MOST_WORKERS = 8, 64  # but not with more than that: each is a process
BACKENDS = ("serial", "threads", "multiprocessing")  # from the simplest to the most complicated

Maker = Callable[["Candidate"], PufferEnv]


@dataclass(frozen=True)
class Candidate:
    """A way to step the env. ``num_workers`` are processes, or threads; 0 with "serial"."""

    backend: str
    num_envs: int
    num_workers: int = 0

    def __str__(self) -> str:
        unit = {"serial": "this process", "threads": "threads", "multiprocessing": "workers"}[self.backend]
        who = f"{self.num_workers} {unit}" if self.num_workers else unit
        return f"{self.num_envs} envs, {who}"

    @property
    def complexity(self) -> tuple[int, int, int]:
        """Of equally fast ones the smallest is chosen: fewer processes, then smaller batches."""
        return BACKENDS.index(self.backend), self.num_workers, self.num_envs


@dataclass(frozen=True)
class Measurement:
    """How fast a candidate was.

    Attributes:
        rate: agent steps per second of wall time (0: it failed, and ``error`` says how).
        busy: share of that time in which this process computed; the rest it waited. Workers are not counted, and
            neither is (on Linux) the time in which other programs had the cores.
    """

    candidate: Candidate
    rate: float
    num_agents: int
    error: str = ""
    busy: float = 1.0

    @property
    def step_us(self) -> float:
        """Microseconds of one step of the whole batch."""
        return 1e6 * self.num_agents / self.rate


@dataclass(frozen=True)
class Tuning:
    """What :func:`autotune` found.

    Attributes:
        best: the recommended candidate.
        measurements: all of them, fastest first.
        explanation: why, in plain words.
        line: Python that makes the recommended env, to be pasted.
    """

    best: Candidate
    measurements: tuple[Measurement, ...]
    explanation: str
    line: str

    def __str__(self) -> str:
        rows = [
            f"{'->' if m.candidate == self.best else '  '} {m.candidate!s:<28}"
            + (f" failed: {m.error}" if m.error else f"{m.rate:>14,.0f} steps/s")
            for m in self.measurements
        ]
        return "\n".join([*rows, "", self.explanation, "", self.line])


def autotune(
    env: str | Callable[[], Any],
    num_envs: int | None = None,
    seconds: float = 10.0,
    progress: bool = True,
    **env_kwargs: Any,
) -> Tuning:
    """Measure how fast ``env`` steps under each backend on this machine, and recommend one.

    Args:
        env: the name of a registered env, or a function without arguments that makes one.
        num_envs: games in the batch; None: some sizes are tried.
        seconds: for everything, roughly (starting workers included).
        progress: show a progress bar.
        env_kwargs: the env's own parameters (with a name).

    Raises:
        ValueError: ``seconds`` or ``num_envs`` is not positive.
        RuntimeError: no candidate could be measured; the message has the first one's error.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be positive, not {seconds!r}")
    if not isinstance(env, str) and env_kwargs:
        raise TypeError(
            f"{', '.join(env_kwargs)}: parameters are for an env given by name; put them into env()"
        )
    maker = make_by_name(env, env_kwargs) if isinstance(env, str) else make_by_creator(env)
    sizes = None if num_envs is None else [check_count(num_envs, "num_envs")]
    native = is_native(maker)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # before ours
    busy = 1.0 if native else try_one(maker, Candidate("serial", 2), 0.05 * seconds).busy
    found = candidates(sizes or (NATIVE_SIZES if native else PYTHON_SIZES), native, cores(), busy)
    with bar(len(found) + FINALISTS, progress) as advance:
        measurements = measure(maker, found, seconds, advance)
    if not any(m.rate for m in measurements):
        raise RuntimeError(
            f"no way to step {env!r} worked; {measurements[0].candidate}: {measurements[0].error}"
        )
    best = choose(measurements)
    line = paste(env, best, env_kwargs)
    return Tuning(best, tuple(measurements), explain(best, measurements, cores(), load, busy), line)


def make_by_name(name: str, env_kwargs: dict[str, Any]) -> Maker:
    """How candidates of a registered env are made."""
    entry = spec(name)

    def maker(candidate: Candidate) -> PufferEnv:
        workers = {"num_workers": candidate.num_workers} if candidate.num_workers else {}
        return make(entry.id, candidate.num_envs, backend=candidate.backend, **workers, **env_kwargs)

    return maker


def make_by_creator(creator: Callable[[], Any]) -> Maker:
    """How candidates of somebody's own env are made."""

    def maker(candidate: Candidate) -> PufferEnv:
        from pufferbench.vector import Multiprocessing, Serial

        if candidate.backend == "serial":
            return Serial(creator, candidate.num_envs)
        return Multiprocessing(creator, candidate.num_envs, candidate.num_workers)

    return maker


def is_native(maker: Maker) -> bool:
    """Whether one env holds many games that threads can step in slices."""
    with maker(Candidate("serial", 2)) as env:
        return hasattr(env, "step_rows")


def candidates(sizes: Iterable[int], native: bool, available: int, busy: float = 1.0) -> list[Candidate]:
    """All that is worth trying with ``available`` cores: one runner, or a power of two, or all cores.

    And more workers than cores for an env that computes for only the share ``busy`` of its time.
    """
    sizes = list(sizes)
    many = workers_for_waiting(available, busy)
    runners = sorted({2**k for k in range(1, 8) if 2**k <= available} | {available} - {1})
    backends = ("threads", "multiprocessing") if native else ("multiprocessing",)
    found = [Candidate("serial", size) for size in sizes]
    found += [
        Candidate("multiprocessing", size, min(many, size)) for size in sizes if min(many, size) > available
    ]
    found += [
        Candidate(backend, size, count)
        for backend in backends
        for count in runners
        for size in sizes
        if count <= size and (size % count == 0 or not native)  # natives are shared evenly
    ]
    return sorted(found, key=lambda candidate: candidate.num_envs)  # small ones first: time may be up soon


def workers_for_waiting(available: int, busy: float) -> int:
    """How many workers keep ``available`` cores computing, a power of two; 0 for an env that does not wait."""
    if busy >= WAITING:
        return 0
    return 2 ** int(math.log2(min(available / max(busy, 1 / PER_CORE), MOST_WORKERS)))


def measure(
    maker: Maker, found: Sequence[Candidate], seconds: float, advance: Callable[[str], None]
) -> list[Measurement]:
    """Every candidate for a moment, the best few again. Sorted, fastest first."""
    began = time.perf_counter()
    results: list[Measurement] = []
    for index, candidate in enumerate(found):
        advance(str(candidate))
        left = 0.6 * seconds - (time.perf_counter() - began)
        if left <= 0 and any(m.rate for m in results):
            results.append(
                Measurement(candidate, 0.0, 0, f"{NOT_TRIED}: the time was up (give more seconds)")
            )
            continue
        # making and warming up takes about as long as measuring
        results.append(try_one(maker, candidate, max(0.02, 0.5 * left / (len(found) - index))))
    results.sort(key=lambda m: -m.rate)
    finalists = [m for m in results[:FINALISTS] if m.rate >= 0.5 * results[0].rate > 0]
    for place, first in enumerate(finalists):
        advance(f"again: {first.candidate}")
        left = seconds - (time.perf_counter() - began)
        again = try_one(maker, first.candidate, max(0.02, 0.7 * left / (len(finalists) - place)))
        if again.rate:  # the longer look counts, not the luckier one
            results[place] = again
    return sorted(results, key=lambda m: -m.rate)


def try_one(maker: Maker, candidate: Candidate, seconds: float) -> Measurement:
    """Make it, warm it up, measure it, close it. What goes wrong is a result too."""
    try:
        with maker(candidate) as env:
            env.reset(0)
            actions = random_actions(env)
            speed(env, actions, min(0.1, seconds / 4))  # compiles, fills caches
            began, cpu, queued = time.perf_counter(), time.process_time(), queued_seconds()
            rate = max(speed(env, actions, seconds / FINAL_ROUNDS) for _ in range(FINAL_ROUNDS))
            wall = (
                time.perf_counter() - began - (queued_seconds() - queued)
            )  # neighbours are no reason to wait
            busy = (time.process_time() - cpu) / max(wall, 1e-9)
            return Measurement(candidate, rate, env.num_agents, busy=busy)
    except Exception as error:  # one backend that cannot must not hide those that can
        return Measurement(candidate, 0.0, 0, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


def random_actions(env: PufferEnv) -> list[np.ndarray]:
    """Some sets of legal actions, made beforehand: sampling is not what is measured."""
    env.action_space.seed(0)
    rng = np.random.default_rng(0)
    count = min(env.num_agents, 256)
    sets = []
    for _ in range(4):
        if env.action_masks is not None:  # legal now, and where agents differ in their actions always
            sets.append(sample_legal(env.action_masks, env.action_space, rng).astype(env.actions.dtype))
            continue
        some = np.stack([np.asarray(env.action_space.sample()) for _ in range(count)])
        sets.append(np.resize(some, env.actions.shape).astype(env.actions.dtype))
    return sets


def speed(env: PufferEnv, actions: Sequence[np.ndarray], seconds: float) -> float:
    """Agent steps per second of wall time, over about ``seconds``."""
    calls, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds or not calls:
        env.step(actions[calls % len(actions)])
        calls += 1
    return calls * env.num_agents / max(elapsed, 1e-9)


def choose(measurements: Sequence[Measurement]) -> Candidate:
    """The simplest of those that are as good as the fastest."""
    best = max(m.rate for m in measurements)
    return min((m.candidate for m in measurements if m.rate >= CLOSE * best), key=lambda c: c.complexity)


@contextmanager
def bar(total: int, show: bool) -> Iterator[Callable[[str], None]]:
    """A progress bar; call what it yields with what is measured next."""
    if not show:
        yield lambda what: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, transient=True) as display:
        task = display.add_task("", total=total)
        done = -1

        def advance(what: str) -> None:
            nonlocal done
            done += 1
            display.update(task, completed=done, description=what)

        yield advance


__all__ = ["Candidate", "Measurement", "Tuning", "autotune"]
