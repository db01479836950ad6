"""``puffer bench vector``: what workers cost and gain on this machine, each figure beside its control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench, bench_vector
from pufferbench.bench_control import LEAST_SCALING
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console

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
            f"{cost.layered:.1f} (+{cost.part:.1%})",
            f"{cost.bare:.1f} without",
            f"< +{bench_vector.OVERHEAD:.0%}",
            mark(cost.part < bench_vector.OVERHEAD),
        )
    screen.print(table)
    screen.print(
        "control: two independent copies of the plain loop, without the library, in the same run; in brackets, "
        "how much faster than one copy they were.",
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
    """Ours beside gymnasium's own vector envs."""
    table = Table(title="Gymnasium CartPole, thousand steps per second, same run")
    for column in (
        "envs",
        "Serial",
        "SyncVectorEnv",
        "2 workers",
        "AsyncVectorEnv",
        "control",
        "/ Async",
        "/ Sync",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for num_envs in bench_vector.PEER_SIZES:
        with screen.status(f"gymnasium's vector envs, {num_envs} envs"):
            speed = bench_vector.peers(num_envs, seconds)
        table.add_row(
            str(num_envs),
            *(f"{1e-3 * rate:.1f}" for rate in (speed.serial, speed.sync, speed.workers, speed.asynchronous)),
            f"{1e-3 * speed.two_copies:.1f} ({speed.control:.2f}x)",
            f"{speed.workers / speed.asynchronous:.0f}x" if speed.valid else "discarded",
            f"{speed.workers / speed.sync:.2f}x" if speed.valid else "discarded",
        )
    screen.print(table)
    screen.print(
        f"Targets of 2 workers: {bench_vector.PEER_GAIN}x AsyncVectorEnv; with 64 envs, more than SyncVectorEnv. "
        f"(1 env: 1 worker.) Discarded: the control was under {LEAST_SCALING}x in all rounds.",
        style="dim",
        highlight=False,
    )


def mark(reached: bool) -> str:
    """The last cell of a row."""
    return "[green]yes[/]" if reached else "[red]no[/]"
