"""``puffer bench ocean``: every game's speed, beside the same game in C and beside what memory allows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench, bench_ocean
from pufferbench.bench_control import LEAST_SCALING
from pufferbench.bench_ocean import GameSpeed
from pufferbench.cli import UsageError
from pufferbench.cli.bench import FOREIGN_LOAD
from pufferbench.cli.terminal import console, progress_bar
from pufferbench.records import write_atomic
from pufferbench.registry import spec

SCALING = 1.8  # what two threads must give


@dataclass
class OceanOptions:
    """Measure all games: agent steps/s on one core, CPU time, best of a few batch sizes. About two minutes."""

    games: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Games; default: all."""
    seconds: float = 0.1
    """CPU time of one round, s; three rounds for each batch size, of which the best counts."""
    batch_sizes: list[int] = field(default_factory=lambda: list(bench_ocean.BATCH_SIZES))
    """Numbers of games per call to try."""
    json: str = ""
    """Write what was measured to this file too, as JSON; "-": to the standard output, instead of the table."""


def main(arguments: list[str]) -> int:
    """Prints one table."""
    options = tyro.cli(OceanOptions, args=arguments, prog="puffer bench ocean")
    if min(options.seconds, *options.batch_sizes, 1) <= 0 or not options.batch_sizes:
        raise UsageError("--seconds and --batch-sizes must be positive")
    names = [spec(name).id for name in options.games] or bench_ocean.games()
    to_stdout = options.json == "-"
    screen = Console(stderr=True) if to_stdout else console()
    sizes = tuple(options.batch_sizes)
    rows: list[GameSpeed] = []
    with progress_bar(screen, "measuring", len(names), "games") as show:
        for name in names:
            rows.append(bench_ocean.measure(name, options.seconds, sizes))
            show(len(rows))
        scaling = bench_ocean.control() if any(row.two_threads is not None for row in rows) else None
    result = {
        "machine": bench.machine(),
        "two_processes": scaling,
        "games": [row.as_dict() for row in rows],
    }
    text = json.dumps(result, indent=1) + "\n"
    if to_stdout:
        print(text, end="")
        return 0
    screen.print(bench.machine(), highlight=False)
    show_table(screen, rows, scaling)
    if options.json:
        write_atomic(Path(options.json), text.encode())
    return 0


def show_table(screen: Console, rows: list[GameSpeed], scaling: float | None) -> None:
    """One row per game; ``scaling`` is the control of the last column."""
    table = Table(title="Games: million agent steps per second, one core, CPU time, called from Python")
    columns = ("game", "M steps/s", "batch", "C peer", "ratio", "obs bytes", "GB/s", "of fill", "2 threads")
    for column in columns:
        table.add_column(column, justify="left" if column == "game" else "right", no_wrap=True)
    fair = scaling is not None and scaling >= LEAST_SCALING
    for row in rows:
        threads = ""
        if row.two_threads is not None:
            color = "green" if row.two_threads >= SCALING else "red"
            threads = f"[{color}]{row.two_threads:.2f}x[/]" if fair else f"({row.two_threads:.2f}x)"
        table.add_row(
            row.game,
            f"{row.steps / 1e6:.2f}",
            f"{row.num_envs}",
            "" if row.peer is None else f"{row.peer / 1e6:g}",
            "" if row.ratio is None else f"[{'green' if row.ratio >= 1 else 'red'}]{row.ratio:.1f}x[/]",
            f"{row.observation}",
            f"{row.steps * row.observation / 1e9:.1f}",
            f"{row.limit:.0%}",
            threads,
        )
    screen.print(table)
    compared = [row.ratio for row in rows if row.ratio is not None]
    if compared:
        faster, thrice = sum(r >= 1 for r in compared), sum(r >= 3 for r in compared)
        screen.print(
            f"Faster than C on {faster} of {len(compared)} games, three times as fast on {thrice}. "
            f"Filling memory: {min(r.fill for r in rows) / 1e9:.0f} .. {max(r.fill for r in rows) / 1e9:.0f} GB/s "
            "(arrays of each game's size).",
            highlight=False,
        )
    if scaling is not None:
        verdict = "" if fair else ": not the machine to judge threads on, their figures are in brackets"
        screen.print(f"Two independent processes give {scaling:.2f}x{verdict}.", highlight=False)
    if min((row.share for row in rows), default=1) < FOREIGN_LOAD:
        screen.print("Other programs used this core meanwhile: the true numbers are higher.", style="yellow")
