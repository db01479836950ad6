"""``puffer bench emulation``: what the adapters cost, beside gymnasium's and stable-baselines3's."""

from __future__ import annotations

from dataclasses import dataclass

import tyro
from rich.table import Table

from pufferbench import bench, bench_emulation
from pufferbench.cli import UsageError
from pufferbench.cli.bench_vector import mark
from pufferbench.cli.terminal import console

COLUMNS = ("environment", "games", "loop", "PufferBench", "SyncVectorEnv", "DummyVecEnv", "lowest")


@dataclass
class EmulationOptions:
    """Measure the adapters: CPU time per step over the environment's own, and that of others' vector envs."""

    seconds: float = 0.3
    """CPU time of one way in one round, s."""


def main(arguments: list[str]) -> int:
    """Prints one table. About half a minute with the default length of a round."""
    options = tyro.cli(EmulationOptions, args=arguments, prog="puffer bench emulation")
    if options.seconds <= 0:
        raise UsageError("--seconds must be positive")
    screen = console()
    screen.print(bench.machine(), highlight=False)
    table = Table(title="Emulation: microseconds of CPU time per step of one game")
    for column in COLUMNS:
        table.add_column(
            column, justify="left" if column in ("environment", "lowest") else "right", no_wrap=True
        )
    missing = []
    for name in bench_emulation.ENVIRONMENTS:
        try:
            with screen.status(name):
                found = bench_emulation.measure(name, options.seconds)
        except ImportError as error:  # what the game itself needs
            missing.append(f"{name} could not be measured: {error}")
            continue
        table.add_row(
            name,
            str(found.num_envs),
            f"{found.raw:.1f}",
            *(cell(added) for added in (found.ours, found.sync, found.dummy)),
            mark(found.lowest),
        )
    screen.print(table)
    screen.print(
        "loop: the plainest there is. The others: what they add to it, in the same games. KAZ is knights-archers-"
        "zombies, four agents; we do not make each observation twice, as PettingZoo's own conversion does in the "
        "loop. For the other two its agents are one Gymnasium env with a Dict.",
        style="dim",
        highlight=False,
    )
    for line in missing:
        screen.print(line, style="yellow", highlight=False)
    return 0


def cell(added: float | None) -> str:
    """What a way adds; it may be less than nothing."""
    return "not installed" if added is None else f"{added:+.2f}"
