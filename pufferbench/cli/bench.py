"""``puffer bench``: the speed tables of the README, measured again on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.registry import spec

FOREIGN_LOAD = 0.9  # less of a core than this while measuring, and we were not alone


@dataclass
class BenchOptions:
    """Measure environments (steps/s on one core, CPU time) and, with --train, training (wall time).

    puffer bench ocean measures every game instead, puffer bench learn trains every preset, puffer bench vector
    measures the vectorizer (workers, round trips, overhead, peers), puffer bench emulation what other people's
    environments cost more here than alone.
    """

    envs: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Environments; default: those with a target."""
    train: bool = False
    """Measure training too, with each environment's own preset."""
    seconds: float = 10.0
    """Time to train each environment for, s."""
    threads: int | None = None
    """torch's threads while training; default: the preset's. On an idle machine, one per core is fastest."""
    batch_sizes: list[int] = field(default_factory=lambda: list(bench.BATCH_SIZES))
    """Numbers of games per call to try."""


def main(arguments: list[str]) -> int:
    """Prints one table, or two; ``puffer bench vector``, ``... ocean``, and so on: see there."""
    if arguments[:1] == ["vector"]:
        from pufferbench.cli import bench_vector

        return bench_vector.main(arguments[1:])
    if arguments[:1] == ["emulation"]:
        from pufferbench.cli import bench_emulation

        return bench_emulation.main(arguments[1:])
    if arguments[:1] == ["ocean"]:
        from pufferbench.cli import bench_ocean

        return bench_ocean.main(arguments[1:])
    if arguments[:1] == ["learn"]:
        from pufferbench.cli import bench_learn

        return bench_learn.main(arguments[1:])
    options = tyro.cli(BenchOptions, args=arguments, prog="puffer bench")
    threads = [] if options.threads is None else [options.threads]
    if min(options.seconds, *threads, *options.batch_sizes, 1) <= 0 or not options.batch_sizes:
        raise UsageError("--seconds, --threads and --batch-sizes must be positive")
    names = [spec(name).id for name in options.envs] or list(bench.ENVIRONMENTS)
    screen = console()
    screen.print(bench.machine(), highlight=False)
    environments(screen, names, options.batch_sizes)
    if options.train:
        training(
            screen,
            [spec(name).id for name in options.envs] or list(bench.TRAINING),
            options.seconds,
            options.threads,
        )
    return 0


def environments(screen: Console, names: list[str], batch_sizes: list[int]) -> None:
    """Agent steps per second of CPU time, on one core, for the best batch size of each environment."""
    table = Table(title="Environments: million agent steps per second, one core, CPU time")
    for column in ("environment", "M steps/s", "wall", "games", "bytes/step", "PufferLib 3.0", "target", ""):
        table.add_column(column, justify="left" if column in ("environment", "") else "right", no_wrap=True)
    sweeps, disturbed = [], False
    for name in names:
        speeds = []
        for num_envs in batch_sizes:
            with screen.status(f"{name}, {num_envs} games"):
                speeds.append(bench.environment_speed(name, num_envs))
        best = max(speeds, key=lambda speed: speed.cpu)
        disturbed |= min(speed.share for speed in speeds) < FOREIGN_LOAD
        reference = bench.ENVIRONMENTS.get(name)
        table.add_row(
            name,
            f"{best.cpu / 1e6:.1f}",
            f"{best.wall / 1e6:.1f}",
            f"{best.num_envs}",
            f"{best.bytes_per_step:.0f}",
            *_against(reference, best.cpu),
        )
        sweeps.append(name + ": " + ", ".join(f"{s.num_envs} games {s.cpu / 1e6:.1f}" for s in speeds))
    screen.print(table)
    screen.print("\n".join(sweeps), style="dim", highlight=False)
    if disturbed:
        screen.print(
            "Other programs used this core meanwhile (CPU time was under "
            f"{FOREIGN_LOAD:.0%} of wall time): the true numbers are higher.",
            style="yellow",
        )


def training(screen: Console, names: list[str], seconds: float, threads: int | None) -> None:
    """Steps per second of wall time with each environment's preset."""
    from pufferbench.system import cores

    settings = {} if threads is None else {"torch_threads": threads}
    table = Table(title=f"Training: million steps per second, {cores()} cores, wall time, the preset itself")
    for column in (
        "environment",
        "M steps/s",
        "threads",
        "cores used",
        "return",
        "after",
        "PufferLib 3.0",
        "target",
        "",
    ):
        table.add_column(column, justify="left" if column in ("environment", "") else "right", no_wrap=True)
    disturbed = False
    for name in names:
        with screen.status(f"training {name} for {seconds:g} s"):
            speed = bench.training_speed(name, seconds, **settings)
        disturbed |= speed.share < FOREIGN_LOAD
        table.add_row(
            name,
            f"{speed.wall / 1e6:.2f}",
            f"{speed.threads}",
            f"{speed.share:.2f}",
            f"{speed.record.get('episode_return_100', float('nan')):.1f}",
            f"{speed.record['global_step'] / 1e6:.1f} M steps",
            *_against(bench.TRAINING.get(name), speed.wall),
        )
    screen.print(table)
    if disturbed:
        screen.print(
            f"Training got less than {FOREIGN_LOAD:g} of a core: other programs were running, and the true "
            "numbers are higher.",
            style="yellow",
        )


def _against(reference: bench.Reference | None, measured: float) -> tuple[str, str, str]:
    """The peer's and the target's cells, and whether the target is reached."""
    if reference is None:
        return "", "", ""
    reached = measured >= reference.target * 1e6
    return f"{reference.peer:g}", f"{reference.target:g}", "[green]yes[/]" if reached else "[red]no[/]"
