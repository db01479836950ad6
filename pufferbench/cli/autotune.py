"""``puffer autotune ENV``: which backend, how many workers and games are fastest on this machine."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import tyro
from rich.table import Table

from pufferbench.cli import UsageError
from pufferbench.cli.options import changed, section, signature_options
from pufferbench.cli.terminal import console
from pufferbench.registry import spec
from pufferbench.vector.tuning import Tuning, autotune


def main(arguments: list[str]) -> int:
    """Measures, then prints what was measured, the choice, why, and the line to paste."""
    named = bool(arguments) and not arguments[0].startswith("-")
    if not named and not {"-h", "--help"} & set(arguments):
        raise UsageError("which environment? puffer autotune ENV ...; puffer envs lists them")
    entry = spec(arguments[0] if named else "ocean-cartpole")  # for help: the options of some environment
    own = signature_options("EnvOptions", entry.creator(), ("buf", "num_envs"), entry.kwargs)
    count = Annotated[int | None, tyro.conf.arg(help="Games in the batch; default: some sizes are tried.")]
    seconds = Annotated[float, tyro.conf.arg(help="Time for everything, roughly, s.")]
    options_class = dataclasses.make_dataclass(
        "AutotuneOptions",
        [
            ("num_envs", count, dataclasses.field(default=None)),
            ("seconds", seconds, dataclasses.field(default=10.0)),
            section("env", own),
        ],
        kw_only=True,
    )
    options: Any = tyro.cli(
        options_class,
        args=arguments[1:] if named else arguments,
        prog=f"puffer autotune {entry.id if named else 'ENV'}",
        description="Measure how fast an environment steps under each backend here, and recommend one.",
    )
    try:
        found = autotune(entry.id, options.num_envs, options.seconds, **changed(options.env))
    except (TypeError, ValueError, RuntimeError) as error:  # what the command line asked for
        raise UsageError(str(error)) from error
    show(found)
    return 0


def show(found: Tuning) -> None:
    """A table, the explanation, the line."""
    table = Table(title="Agent steps per second of wall time, stepping alone")
    for column in ("backend", "envs", "workers", "steps/s", "us per step of all"):
        table.add_column(column, justify="left" if column == "backend" else "right", no_wrap=True)
    for m in found.measurements:
        candidate = m.candidate
        style = "bold green" if candidate == found.best else "dim" if m.error else ""
        numbers = (f"{m.rate:,.0f}", f"{m.step_us:,.1f}") if m.rate else (m.error, "")
        workers = str(candidate.num_workers or "")
        table.add_row(candidate.backend, str(candidate.num_envs), workers, *numbers, style=style)
    screen = console()
    screen.print(table)
    screen.print(found.explanation, highlight=False)
    screen.print(f"\n{found.line}", style="bold", highlight=False, soft_wrap=True)
