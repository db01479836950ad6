"""``puffer bench train``: how fast agents learn here, and with --solve how long until they have."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench, bench_solve, bench_train
from pufferbench.bench_load import QUIET, LoadControl
from pufferbench.bench_train import CONTROL, ROUNDS, ROWS, Row, Speed
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.registry import spec

MIB = 2**20


@dataclass
class TrainingOptions:
    """Measure training: steps/s end to end with the learning presets themselves, wall time. Two minutes.

    With --solve ENV: seconds from make() until 20 and then 100 fresh greedy episodes are over the bar of its preset.
    """

    envs: Annotated[list[str], tyro.conf.Positional] = field(default_factory=list)
    """Environments; default: all rows of the table."""
    seconds: float = 3.0
    """Length of a round, s; three quiet ones count."""
    threads: int | None = None
    """torch_threads of all rows; default: the presets'."""
    solve: str | None = None
    """Solve this game instead."""
    seeds: int = 10
    """How often to solve it, each time with another seed."""
    learner: Literal["auto", "autograd", "fused"] = "auto"
    """For --solve: autograd is what policies of your own learn with."""


def main(arguments: list[str]) -> int:
    """Prints one table; or, with --solve, a line for each seed, and the median."""
    options = tyro.cli(TrainingOptions, args=arguments, prog="puffer bench train")
    numbers = {"seconds": options.seconds, "seeds": options.seeds, "threads": options.threads}
    for name, value in numbers.items():
        if value is not None and value <= 0:
            raise UsageError(f"--{name} must be positive, not {value:g}")
    screen = console()
    screen.print(bench.machine(), highlight=False)
    config = {} if options.threads is None else {"torch_threads": options.threads}
    if options.solve is not None:
        return solving(screen, options.solve, options.seeds, {"learner": options.learner, **config})
    rows = [row for name in options.envs for row in bench_train.rows_of(spec(name).id)] or list(ROWS)
    rows = [replace(row, config={**row.config, **config}) for row in rows]
    training(screen, rows, options.seconds)
    return 0


def training(screen: Console, rows: list[Row], seconds: float) -> None:
    """The table, with the control row where its library is installed."""
    load = LoadControl()
    has_control = bench_train.has_baseline()
    speeds: list[tuple[Row, Speed]] = []
    for row in [*rows, CONTROL] if has_control else rows:
        with screen.status(f"{row.title}: {ROUNDS} rounds of {seconds:g} s"):
            speeds.append((row, bench_train.measure(row, load, seconds)))
    show_table(screen, speeds)
    disturbed = [row.title for row, speed in speeds if not speed.undisturbed]
    screen.print(
        f"Control: spinning on {load.threads} cores at once, before and after every round, got "
        f"{min(load.shares):.0%} .. {max(load.shares):.0%} of them. Rounds beside less than {QUIET:.0%} do not count.",
        highlight=False,
    )
    if disturbed:
        screen.print(
            f"In brackets: other programs used the cores in (nearly) all rounds of {', '.join(disturbed)}; these are "
            "no figures of this machine.",
            style="yellow",
            highlight=False,
        )
    if not has_control:
        screen.print(
            "For a control row, stable-baselines3's PPO in the same run: pip install stable-baselines3",
            highlight=False,
        )
    else:
        (first, ours), (_, theirs) = speeds[0], speeds[-1]
        times = ours.per_second / theirs.per_second
        screen.print(f"{first.title}: {times:,.0f} times the steps of {CONTROL.title}.", highlight=False)


def show_table(screen: Console, speeds: list[tuple[Row, Speed]]) -> None:
    """A line for each row. Figures in brackets were measured under load."""
    table = Table(title="Training: million steps per second end to end, wall time, the presets themselves")
    columns = ("", "M steps/s", "PufferLib", "must", "reached", "threads", "of limit", "MiB", "score")
    for column in columns:
        justify = "left" if column in ("", "reached") else "right"
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row, speed in speeds:
        figure, reached = f"{speed.per_second / 1e6:.3g}", ""
        if row.target is not None:
            reached = "[green]yes[/]" if speed.per_second >= row.target * 1e6 else "[red]no[/]"
        if not speed.undisturbed:
            figure, reached = f"({figure})", reached and "(loaded)"
        table.add_row(
            row.title,
            figure,
            "" if row.peer is None else f"{row.peer:g}",
            "" if row.target is None else f"{row.target:g}",
            reached,
            f"{speed.threads}",
            "" if math.isnan(speed.of_limit) else f"{speed.of_limit:.0%}",
            f"{speed.memory / MIB:.0f}" if speed.memory else "",
            f"{speed.score:.1f} at {speed.trained / 1e6:.1f} M",
        )
    screen.print(table)
    limits: dict[tuple[int, str], float] = {}
    for row, speed in speeds:
        if speed.limit:
            kind = speed.threads, row.config.get("precision", "float32")
            limits[kind] = max(limits.get(kind, 0.0), speed.limit)
    products = ", ".join(
        f"{limit / 1e9:.0f} GFLOP/s ({kind}, {threads} thread{'s' * (threads > 1)})"
        for (threads, kind), limit in sorted(limits.items())
    )
    screen.print(
        f"The limit: torch's matrix products alone reached {products}. MiB: the most that the row's process had in "
        "memory. Score: of the last 100 episodes, after that many steps.",
        highlight=False,
    )


def solving(screen: Console, name: str, seeds: int, config: dict[str, object]) -> int:
    """A line for each seed, then the median and the worst. Returns 1 if a seed did not solve it."""
    name = spec(name).id
    own = bench_solve.settings(name)
    what = f"{own['metric']} of at least {own['bar']:g}"
    if "above" in own:
        what = f"{own['metric']} above {own['above']:g} in at least {own['bar']:.0%}"
    first, second = bench_solve.EPISODES
    screen.print(
        f"{name} is solved by a {what}: {first} greedy episodes, then a fresh {second}.", highlight=False
    )
    load = LoadControl()
    for result in bench_solve.measure(name, range(1, seeds + 1), load, **config):
        run = result.runs[-1]
        screen.print(
            f"seed {run.seed}: {run.seconds:.3f} s (of which {run.tests} tests {run.testing:.3f} s), "
            f"{run.steps:,} steps, {run.updates} updates",
            highlight=False,
        )
    screen.print(
        f"median {result.median:.3f} s, worst {result.worst:.3f} s of {seeds}, from make() to the passed test.",
        highlight=False,
    )
    screen.print(
        f"Imports and loading compiled kernels took {result.ready:.1f} s before that: "
        f"{result.ready + result.median:.1f} s in all.",
        highlight=False,
    )
    quiet = result.share >= QUIET
    screen.print(
        f"Control: we got at least {result.share:.0%} of the cores between the seeds"
        + ("." if quiet else ": other programs were running, and the times are too long."),
        style=None if quiet else "yellow",
        highlight=False,
    )
    return 0 if math.isfinite(result.worst) else 1
