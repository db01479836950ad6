"""``puffer bench learn``: trains every preset, beside random play and a scripted policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich import table as rich_table
from rich.console import Console

from pufferbench import bench, bench_learn, bench_ocean
from pufferbench.bench_learn import Learned
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.registry import spec


@dataclass
class LearnOptions:
    """Train every game's preset (40 s each at most) and keep the scores; stopped, it goes on where it was."""

    games: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Games, which are then trained anew; default: all that have no result for their present preset."""
    file: Path = Path("ocean_numba/learned.json")
    """Where the results are kept."""
    seconds: float = bench_learn.SECONDS
    """Training time of each game, s, at most."""
    threads: int = 1
    """torch's threads. On a machine that does nothing else, one per core is faster."""


def main(arguments: list[str]) -> int:
    """Status 1 when a game was not learned."""
    options = tyro.cli(LearnOptions, args=arguments, prog="puffer bench learn")
    if options.seconds <= 0 or options.threads < 1:
        raise UsageError("--seconds and --threads must be positive")
    results = bench_learn.Table(options.file)
    everything = bench_ocean.games()
    names = [spec(name).id for name in options.games]
    waiting = names or [name for name in everything if not results.is_current(name)]
    screen = console()
    screen.print(bench.machine(), highlight=False)
    failed = []
    for number, name in enumerate(waiting, 1):
        with screen.status(f"{name} ({number} of {len(waiting)})"):
            try:
                result = bench_learn.learn(name, options.seconds, torch_threads=options.threads)
            except Exception as error:  # one game at fault must not end a run of twenty minutes
                failed.append(name)
                screen.print(f"{name}: {type(error).__name__}: {error}", style="red", highlight=False)
                continue
        results.add(name, result)
        screen.print(f"{name}: {one_line(result)}", highlight=False)
    shown = {name: results.games[name] for name in names or everything if name in results.games}
    show_table(screen, shown)
    return 1 if failed or not all(result.learned for result in shown.values()) else 0


def one_line(result: Learned) -> str:
    """``score 0.98 (random 0.1, scripted 1) after 2.1 M steps, 5 s``"""
    return (
        f"{result.metric} {result.reached:.4g} (random {result.random:.4g}, scripted {result.scripted:.4g}) "
        f"after {result.steps / 1e6:.1f} M steps, {result.seconds:.0f} s"
    )


def show_table(screen: Console, results: dict[str, Learned]) -> None:
    table = rich_table.Table(title="Learning: mean of the last 100 episodes, each game's own preset")
    for column in ("game", "what", "random", "scripted", "reached", "M steps", "s", ""):
        table.add_column(column, justify="left" if column in ("game", "what", "") else "right", no_wrap=True)
    for name, result in results.items():
        table.add_row(
            name,
            result.metric,
            f"{result.random:.4g}",
            f"{result.scripted:.4g}",
            f"{result.reached:.4g}",
            f"{result.steps / 1e6:.1f}",
            f"{result.seconds:.0f}",
            "" if result.learned else "[red]not learned[/]",
        )
    screen.print(table)
