"""``puffer bench vector``: what workers cost and gain on this machine, each figure beside its control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench, bench_overlap, bench_vector
from pufferbench.bench_control import LEAST_SCALING
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.collect import GAIN

OVERLAPS = {"computing": bench_overlap.COMPUTES, "waiting": bench_overlap.WAITS}
COLUMNS = ("what", "measured", "control", "target", "")


@dataclass
class VectorOptions:
    """Measure the vectorizer: round trips, scaling beside a control, idle CPU, overhead, gymnasium's own."""

    seconds: float = 0.5
    """Length of one round of one measurement, s."""


def main(arguments: list[str]) -> int:
    """Prints two tables. About a minute with the default length of a round."""
    options = tyro.cli(VectorOptions, args=arguments, prog="puffer bench vector")
    if options.seconds <= 0:
        raise UsageError("--seconds must be positive")
    screen = console()
    screen.print(bench.machine(), highlight=False)
    ours(screen, options.seconds)
    peers(screen, options.seconds)
    screen.print(bench.machine().split(";")[0], highlight=False)  # the load, once more
    return 0


def ours(screen: Console, seconds: float) -> None:
    """One row per target."""
    table = Table(title="The vectorizer with 2 workers, wall time")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("what", "") else "right", no_wrap=True)

    def measure(what: str, measurement: Callable[..., Any], *arguments: Any) -> Any:
        with screen.status(what):
            return measurement(*arguments)

    for workers in (1, bench_vector.WORKERS):
        trips = measure("round trips", bench_vector.round_trips, workers, seconds)
        target = bench_vector.ROUND_TRIPS if workers == bench_vector.WORKERS else None
        table.add_row(
            f"round trips/s, {workers} worker{'s' * (workers > 1)}",
            f"{trips:,.0f}",
            "",
            "" if target is None else f"{target:,}",
            "" if target is None else mark(trips >= target),
        )
    idle = measure("a paused vector env", bench_vector.idle_cpu, 4 * seconds)
    table.add_row(
        "cores used while paused",
        "needs psutil" if idle is None else f"{idle:.2f}",
        "",
        "0.00",
        "" if idle is None else mark(idle <= 0.01),
    )
    cartpole = measure("Gymnasium CartPole", bench_vector.cartpole_scaling, seconds)
    busy = measure("1 ms of CPU per step", bench_vector.busy_scaling, seconds)
    for row in (*cartpole_rows(cartpole), *busy_rows(busy)):
        table.add_row(*row)
    for games in bench_vector.OVERHEAD_GAMES:
        cost = measure("overhead on a native env", bench_vector.overhead, games, 1, 0.3 * seconds)
        table.add_row(
            f"Serial around ocean-cartpole x {games}, CPU us",
            f"{cost.layered:.1f} ({cost.part:+.1%})",
            f"{cost.bare:.1f} without",
            f"< +{bench_vector.OVERHEAD:.0%}",
            mark(cost.part < bench_vector.OVERHEAD),
        )
    for what, (creator, num_envs) in OVERLAPS.items():
        found = measure(
            f"stepping and policy at once, {what}", bench_overlap.overlap, creator, num_envs, seconds
        )
        table.add_row(*overlap_row(what, found))
    screen.print(table)
    screen.print(
        "control: two independent copies of the plain loop, without the library, in the same run; in brackets, "
        "how much faster than one copy they were. In halves: a wide policy acts for one half of the workers while "
        "the other half steps; wall time of playing an update, and its part of that in whole batches. The results "
        "are the same bits: PuffeRL tries both ways and keeps the faster one.",
        style="dim",
        highlight=False,
    )
    for name, scaling in (("CartPole", cartpole), ("1 ms of CPU", busy)):
        if scaling.discarded:
            screen.print(verdict(name, scaling), style="yellow", highlight=False)


def cartpole_rows(scaling: bench_vector.Scaling) -> list[tuple[str, ...]]:
    """Serial by itself; the workers against the control, and against Serial."""
    games = bench_vector.CARTPOLES
    target = bench_vector.SERIAL_CARTPOLE
    return [
        (
            f"Gymnasium CartPole x {games}, Serial, steps/s",
            f"{scaling.serial:,.0f}",
            f"{scaling.one_copy:,.0f} one copy",
            f"{target:,}",
            mark(scaling.serial >= target),
        ),
        against_control(f"Gymnasium CartPole x {games}, 2 workers", scaling, bench_vector.CARTPOLE_SHARE),
        (
            "    of Serial",
            f"{scaling.gain:.2f}x",
            "",
            f"{bench_vector.CARTPOLE_GAIN}x",
            mark(scaling.gain >= bench_vector.CARTPOLE_GAIN) if scaling.valid else "discarded",
        ),
    ]


def busy_rows(scaling: bench_vector.Scaling) -> list[tuple[str, ...]]:
    """The workers against the control."""
    return [against_control("1 ms of CPU per step, 2 workers", scaling, bench_vector.BUSY_SHARE)]


def against_control(what: str, scaling: bench_vector.Scaling, target: float) -> tuple[str, ...]:
    """A row; without a verdict when the control did not scale."""
    return (
        f"{what}, steps/s",
        f"{scaling.workers:,.0f} ({scaling.share:.0%})",
        f"{scaling.two_copies:,.0f} ({scaling.control:.2f}x)",
        f"{target:.0%} of it",
        mark(scaling.share >= target) if scaling.valid else "discarded",
    )


def overlap_row(what: str, found: bench_overlap.Overlap) -> tuple[str, ...]:
    """No target: PuffeRL uses the faster way. The last cell says which, here."""
    used = "used" if found.exact and found.ratio < GAIN else "not used"
    return (
        f"PuffeRL in halves, 64 envs {what} 100 us",
        f"{1e3 * found.halves:.0f} ms ({found.ratio:.2f}x)",
        f"{1e3 * found.whole:.0f} ms whole ({found.control:.2f}x)",
        "",
        used if found.valid else "discarded",
    )


def verdict(name: str, scaling: bench_vector.Scaling) -> str:
    """What was thrown away, and why."""
    reason = f"their control (two copies against one) was under {LEAST_SCALING}x: others used the cores"
    if scaling.valid:
        return f"{name}: {scaling.discarded} of {scaling.rounds} rounds discarded, {reason}."
    return (
        f"{name}: DISCARDED. In all {scaling.rounds} rounds, {reason}, or there are no two. The figures above "
        "are the last round's and say nothing about the vectorizer; try again on a quiet machine."
    )


def peers(screen: Console, seconds: float) -> None:
    """Ours beside gymnasium's own vector envs, as they are today and as they were when the target was set."""
    table = Table(title="Gymnasium CartPole, thousand steps per second, same run")
    for column in (
        "envs",
        "Serial",
        "Sync",
        "2 workers",
        "Async",
        "bare envs",
        "/ Sync",
        "/ Async",
        "bare / Async",
        "/ earlier",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for num_envs in bench_vector.PEER_SIZES:
        with screen.status(f"gymnasium's vector envs, {num_envs} envs"):
            speed = bench_vector.peers(num_envs, seconds)
        table.add_row(*peer_row(speed))
    screen.print(table)
    earlier = ", ".join(f"{1e-3 * rate:.1f}" for rate in bench_vector.EARLIER_ASYNC.values())
    screen.print(
        "Sync, Async: gymnasium's SyncVectorEnv, AsyncVectorEnv. Bare envs: the control, one or two copies of the "
        "plain loop: no vectorizer can be faster, so bare / Async is the most that / Async could be. Targets of 2 "
        f"workers (1 env: 1 worker): {bench_vector.PEER_GAIN}x Async, which did {earlier} thousand when that was "
        "set (/ earlier), with 1, 16 and 64 envs; and with 64 more than Sync. In brackets: how much faster two "
        f"copies were than one; discarded: under {LEAST_SCALING}x in all rounds.",
        style="dim",
        highlight=False,
    )


def peer_row(speed: bench_vector.Peers) -> tuple[str, ...]:
    """The figures, and what they say if the control was good."""
    rates = (speed.serial, speed.sync, speed.workers, speed.asynchronous)
    earlier = bench_vector.EARLIER_ASYNC.get(speed.num_envs)
    ratios = (
        f"{speed.workers / speed.sync:.2f}x",
        f"{speed.workers / speed.asynchronous:.0f}x",
        f"{speed.limit / speed.asynchronous:.0f}x",
        "" if earlier is None else f"{speed.workers / earlier:.0f}x",
    )
    return (
        str(speed.num_envs),
        *(f"{1e-3 * rate:.1f}" for rate in rates),
        f"{1e-3 * speed.limit:.1f} ({speed.control:.2f}x)",
        *(ratios if speed.valid else ["discarded"] * len(ratios)),
    )


def mark(reached: bool) -> str:
    """The last cell of a row."""
    return "[green]yes[/]" if reached else "[red]no[/]"
