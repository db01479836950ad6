"""What autotune found, in plain words, and as a line to paste."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pufferbench.vector.tuning import Candidate, Measurement

NOT_TRIED = "not tried"
PLENTY = 1e7  # steps/s; a small policy on two cores computes 1 or 2 million


def explain(
    best: Candidate, measurements: Sequence[Measurement], available: int, load: float = 0.0, busy: float = 1.0
) -> str:
    """The choice in plain words, from the measured numbers only.

    Args:
        load: of the machine, before we began.
        busy: the share of its time in which the env computes.
    """
    words = [f"This machine gives us {available} core{'s' * (available > 1)}."]
    if (most := max(m.candidate.num_workers for m in measurements)) > available:
        words.append(
            f"This env computes for only {busy:.0%} of its time and waits for the rest, which needs no core: so up to "
            f"{most} workers were tried."
        )
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
