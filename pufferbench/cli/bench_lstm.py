"""``puffer bench lstm``: how fast policies with a memory play and learn."""

from __future__ import annotations

from dataclasses import dataclass

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench, bench_lstm
from pufferbench.cli import UsageError
from pufferbench.cli.bench_train import training
from pufferbench.cli.terminal import console
from pufferbench.system import cores


@dataclass
class LstmOptions:
    """Measure LSTM and GRU: training end to end (wall time), and one step against torch.nn. A minute or two."""

    seconds: float = 3.0
    """Length of a round of training, s; 0 leaves training out."""
    threads: int | None = None
    """torch_threads; default: two, where there are two cores."""


def main(arguments: list[str]) -> int:
    """Prints two tables."""
    options = tyro.cli(LstmOptions, args=arguments, prog="puffer bench lstm")
    if options.seconds < 0 or (options.threads or 1) < 1:
        raise UsageError("--seconds must not be negative, and --threads positive")
    screen = console()
    screen.print(bench.machine(), highlight=False)
    steps(screen)
    if options.seconds:
        rows = bench_lstm.training_rows(options.threads or min(2, cores()))
        training(screen, list(rows), options.seconds)
    return 0


def steps(screen: Console) -> None:
    """The table of single steps."""
    table = Table(title=f"A rollout's step, {bench_lstm.CELLS} cells, one thread, microseconds")
    for column in ("", "rows", "ours", "torch.nn", "products alone", "times as fast", "possible", "goal"):
        table.add_column(column, justify="left" if column in ("", "goal") else "right", no_wrap=True)
    for kind in ("LSTM", "GRU"):
        for rows in bench_lstm.CELL_ROWS:
            speed = bench_lstm.step_speed(kind, rows)
            reached = speed.times >= bench_lstm.TARGET
            table.add_row(
                kind,
                f"{rows}",
                *(f"{1e6 * seconds:.0f}" for seconds in (speed.ours, speed.torch, speed.products)),
                f"{speed.times:.2f}",
                f"{speed.possible:.2f}",
                "[green]yes[/]" if reached else "no",
            )
    screen.print(table)
    screen.print(
        f"Goal: {bench_lstm.TARGET:g} times torch.nn. Possible: what the products alone, without any gate, would be. "
        "For many rows torch.nn is at its own products' limit too, which bounds what can be gained; for few rows ours "
        "spends its time on turning the weights, which the next step could not keep: an optimizer may have changed "
        "them unseen.",
        highlight=False,
    )
