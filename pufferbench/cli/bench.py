"""``puffer bench``: the speed table of environments; other benchmarks have commands of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.registry import spec

FOREIGN_LOAD = 0.9  # less of a core than this while measuring, and we were not alone


# The benchmarks that are commands of their own: puffer bench NAME
COMMANDS = {
    "train": "pufferbench.cli.bench_train",
    "ablate": "pufferbench.cli.bench_ablate",
    "lstm": "pufferbench.cli.bench_lstm",
    "ocean": "pufferbench.cli.bench_ocean",
    "learn": "pufferbench.cli.bench_learn",
    "vector": "pufferbench.cli.bench_vector",
    "emulation": "pufferbench.cli.bench_emulation",
}


@dataclass
class BenchOptions:
    """Measure environments: steps/s on one core, CPU time.

    puffer bench train measures training, and how long until a game is solved; puffer bench ablate what each switch of
    the trainer is worth; puffer bench ocean every game,
    puffer bench learn what every preset learns, puffer bench vector the vectorizer (workers, round trips, overhead,
    peers), puffer bench emulation what other people's environments cost more here than alone.
    """

    envs: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Environments; default: those with a target."""
    batch_sizes: list[int] = field(default_factory=lambda: list(bench.BATCH_SIZES))
    """Numbers of games per call to try."""


def main(arguments: list[str]) -> int:
    """Prints one table; ``puffer bench train``, ``... ocean``, and so on: see there."""
    if arguments[:1] and arguments[0] in COMMANDS:
        return import_module(COMMANDS[arguments[0]]).main(arguments[1:])
    options = tyro.cli(BenchOptions, args=arguments, prog="puffer bench")
    if not options.batch_sizes or min(options.batch_sizes) <= 0:
        raise UsageError("--batch-sizes must be positive")
    names = [spec(name).id for name in options.envs] or list(bench.ENVIRONMENTS)
    screen = console()
    screen.print(bench.machine(), highlight=False)
    environments(screen, names, options.batch_sizes)
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


def _against(reference: bench.Reference | None, measured: float) -> tuple[str, str, str]:
    """The peer's and the target's cells, and whether the target is reached."""
    if reference is None:
        return "", "", ""
    reached = measured >= reference.target * 1e6
    return f"{reference.peer:g}", f"{reference.target:g}", "[green]yes[/]" if reached else "[red]no[/]"
