"""autotune: which backend, how many workers and how many games per batch are fastest *here*.

Nobody can know it beforehand: it depends on what a step costs, on the cores, and on who else uses them.
So it is tried: every candidate for a moment, then the best few once more, longer and in turn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pufferbench.emulation.masks import sample_legal
from pufferbench.env import PufferEnv
from pufferbench.registry import spec
from pufferbench.system import cores
from pufferbench.vector.base import check_count
from pufferbench.vector.make import make

CLOSE = 0.95  # of the best rate counts as equal: measuring on a shared machine is no more exact than that
NOT_TRIED = "not tried"
PLENTY = 1e7  # steps/s; a small policy on two cores computes 1 or 2 million
FINALISTS = 3
FINAL_ROUNDS = 3
NATIVE_SIZES = (64, 256, 1024, 4096)
PYTHON_SIZES = (16, 64, 256)
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
    """``rate``: agent steps per second of wall time (0: it failed, and ``error`` says how)."""

    candidate: Candidate
    rate: float
    num_agents: int
    error: str = ""

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
    found = candidates(sizes or (NATIVE_SIZES if native else PYTHON_SIZES), native, cores())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # before ours
    with bar(len(found) + FINALISTS, progress) as advance:
        measurements = measure(maker, found, seconds, advance)
    if not any(m.rate for m in measurements):
        raise RuntimeError(
            f"no way to step {env!r} worked; {measurements[0].candidate}: {measurements[0].error}"
        )
    best = choose(measurements)
    line = paste(env, best, env_kwargs)
    return Tuning(best, tuple(measurements), explain(best, measurements, cores(), load), line)


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


def candidates(sizes: Iterable[int], native: bool, available: int) -> list[Candidate]:
    """All that is worth trying with ``available`` cores: one runner, or a power of two, or all cores."""
    runners = sorted({2**k for k in range(1, 8) if 2**k <= available} | {available} - {1})
    backends = ("threads", "multiprocessing") if native else ("multiprocessing",)
    found = [Candidate("serial", size) for size in sizes]
    found += [
        Candidate(backend, size, count)
        for backend in backends
        for count in runners
        for size in sizes
        if count <= size and (size % count == 0 or not native)  # natives are shared evenly
    ]
    return found


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
            rate = max(speed(env, actions, seconds / FINAL_ROUNDS) for _ in range(FINAL_ROUNDS))
            return Measurement(candidate, rate, env.num_agents)
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


def explain(best: Candidate, measurements: Sequence[Measurement], available: int, load: float = 0.0) -> str:
    """The choice in plain words, from the measured numbers only. ``load``: of the machine, before we began."""
    words = [f"This machine gives us {available} core{'s' * (available > 1)}."]
    words += about_workers(best, measurements, available)
    words += about_sizes(best, measurements)
    fastest = max(measurements, key=lambda m: m.rate)
    if fastest.candidate != best:
        gain = fastest.rate / next(m.rate for m in measurements if m.candidate == best) - 1
        words.append(
            f"({fastest.candidate} measured {gain:.0%} faster, which is within the noise; the simpler one is "
            "recommended.)"
        )
    if any(m.error.startswith(NOT_TRIED) for m in measurements):
        words.append("Not everything was tried: the time was up.")
    if load > 0.5 * available:
        words.append(
            f"The machine was busy (load {load:.1f}): with neighbours, workers look worse than they are."
        )
    words.append("This is stepping alone: while training, the policy's computing comes on top.")
    return " ".join(words)


def about_workers(best: Candidate, measurements: Sequence[Measurement], available: int) -> list[str]:
    """Why the work is shared, or why not."""
    by_candidate = {m.candidate: m for m in measurements if m.rate}
    chosen = by_candidate[best]
    alone = by_candidate.get(replace(best, backend="serial", num_workers=0))
    if best.num_workers and alone:
        kind = "threads" if best.backend == "threads" else "worker processes"
        return [
            f"One step of {best.num_envs} envs takes {us(alone.step_us)} in one process: long enough that "
            f"sharing it between {best.num_workers} {kind} pays, although they must be told and waited for "
            f"at every step ({us(chosen.step_us)}, {chosen.rate / alone.rate:.1f} times as fast)."
        ]
    shared = [m for c, m in by_candidate.items() if c.num_workers and c.num_envs == best.num_envs]
    if shared and not best.num_workers:
        other = max(shared, key=lambda m: m.rate)
        change = other.rate / chosen.rate
        verdict = f"only {change:.0%} of the speed" if change < 1 else "no real gain"
        return [
            f"One step of {best.num_envs} envs takes {us(chosen.step_us)} in this process. Shared "
            f"({other.candidate}) it takes {us(other.step_us)}, {verdict}: telling the others and waiting for "
            "them costs what they save. So no workers."
        ]
    if failed := [m for m in measurements if m.candidate.num_workers and m.error]:
        return [f"Sharing it between workers could not be measured: {failed[0].error}."]
    if available == 1:
        return ["With one core, workers would only take turns with this process: none were tried."]
    return []


def about_sizes(best: Candidate, measurements: Sequence[Measurement]) -> list[str]:
    """Why so many games in a batch. Sizes are compared by the fastest way to step each."""
    rates: dict[int, float] = {}
    for m in measurements:
        if m.rate:
            rates[m.candidate.num_envs] = max(m.rate, rates.get(m.candidate.num_envs, 0.0))
    words = []
    if smaller := [size for size in rates if size < best.num_envs]:
        gain = rates[best.num_envs] / rates[max(smaller)]
        words.append(
            f"{best.num_envs} envs at once make {gain:.1f} times the steps of {max(smaller)}: what a call costs "
            "is spread over more games."
        )
    if any(size > best.num_envs for size in rates):
        words.append("Larger batches are not faster, and learn less often from the same number of steps.")
    plenty = [m for m in measurements if m.rate >= PLENTY and m.candidate.complexity < best.complexity]
    if plenty:
        simple = min(plenty, key=lambda m: m.candidate.complexity)
        words.append(
            f"But for training, {simple.candidate} would do: {simple.rate / 1e6:.0f} M steps/s are more than a "
            "policy on a CPU can use (1 or 2 M)."
        )
    return words


def us(value: float) -> str:
    return f"{value:.3g} us" if value < 1000 else f"{value / 1000:.3g} ms"


def paste(env: str | Callable[[], Any], best: Candidate, env_kwargs: dict[str, Any]) -> str:
    """The line that makes the recommended env."""
    workers = f", num_workers={best.num_workers}" if best.num_workers else ""
    if isinstance(env, str):
        own = "".join(f", {name}={value!r}" for name, value in env_kwargs.items())
        return f'env = pufferbench.make("{env}", num_envs={best.num_envs}{workers}, backend="{best.backend}"{own})'
    kind = "Multiprocessing" if best.num_workers else "Serial"
    name = getattr(env, "__name__", "env_creator")
    name = "env_creator" if name == "<lambda>" else name
    return f"env = pufferbench.vector.{kind}({name}, num_envs={best.num_envs}{workers})"


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
