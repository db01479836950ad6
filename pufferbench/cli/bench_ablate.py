"""``puffer bench ablate``: what each switch of the trainer is worth in an environment."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from pufferbench import bench
from pufferbench.bench_ablate import BASE, SWITCHES, Variant, ablate, variants
from pufferbench.cli import UsageError
from pufferbench.cli.options import WholeNumber
from pufferbench.cli.terminal import console
from pufferbench.errors import did_you_mean
from pufferbench.records import plain, write_atomic
from pufferbench.registry import spec


@dataclass
class AblateOptions:
    """Train an environment's preset as it is, and with one switch of the trainer at a time, each with several seeds."""

    env: Annotated[str, tyro.conf.Positional] = "ocean-cartpole"
    """A registered environment."""
    switches: list[str] = field(default_factory=list)
    """Names of switches, as in the table, in quotes; default: all that change what the preset does."""
    seeds: WholeNumber = 5
    """Trainings of each. One says nothing about chance; 5 say a little."""
    steps: WholeNumber | None = None
    """Agent steps of each training; default: the preset's."""
    threads: WholeNumber = 1
    """torch's threads."""
    json: str = ""
    """Write all numbers to this file too, as JSON; "-": to the standard output, instead of the table."""


def main(arguments: list[str]) -> int:
    """Prints the table."""
    options = tyro.cli(AblateOptions, args=arguments, prog="puffer bench ablate")
    if min(options.seeds, options.threads, 1 if options.steps is None else options.steps) < 1:
        raise UsageError("--seeds, --steps and --threads must be positive")
    for name in options.switches:
        if name not in SWITCHES:
            known = ", ".join(SWITCHES)
            raise UsageError(f"no switch {name!r}{did_you_mean(name, SWITCHES)} (all of them: {known})")
    to_stdout = options.json == "-"
    env, screen = spec(options.env).id, Console(stderr=True) if to_stdout else console()
    config = {"torch_threads": options.threads}
    if options.steps is not None:
        config["total_timesteps"] = options.steps
    switches = variants(env, options.switches, **config)
    with screen.status("") as status:

        def progress(name: str, seed: int) -> None:
            status.update(f"{env}, seed {seed} of {options.seeds - 1}: {name}")

        found = ablate(env, switches, range(options.seeds), progress, **config)
    contents = {"machine": bench.machine(), "env": env, "variants": [asdict(variant) for variant in found]}
    text = json.dumps(plain(contents), indent=1) + "\n"
    if to_stdout:
        print(text, end="")
        return 0
    screen.print(bench.machine(), highlight=False)
    show(screen, env, found)
    if options.json:
        write_atomic(Path(options.json), text.encode())
    return 0


def show(screen: Console, env: str, found: list[Variant]) -> None:
    """One row for each variant."""
    base, seeds = found[0], len(found[0].trials)
    table = Table(title=f"{env}: one switch at a time, means of {seeds} seeds")
    for column in (
        "switch",
        "options",
        "final",
        "difference",
        "on the way",
        "difference",
        "s",
        "M steps/s",
        "learner",
    ):
        left = column in ("switch", "options", "learner")
        table.add_column(column, justify="left" if left else "right", no_wrap=column != "options")
    for variant in found:
        learners = sorted({trial.learner for trial in variant.trials})
        table.add_row(
            variant.name,
            ", ".join(f"{name}={value}" for name, value in variant.options.items()),
            f"{variant.mean('score'):.4g}",
            _gain(variant, base, "score"),
            f"{variant.mean('on_the_way'):.4g}",
            _gain(variant, base, "on_the_way"),
            f"{variant.mean('seconds'):.2f}",
            f"{variant.mean('steps_per_second') / 1e6:.2f}",
            ", ".join(learners),
        )
    screen.print(table)
    screen.print(
        "difference: to the same seed as it is, mean and standard error over the seeds; green and red: more than two "
        "errors. final: the last 100 episodes; on the way: the mean of that over the training.",
        style="dim",
        highlight=False,
    )


def _gain(variant: Variant, base: Variant, what: str) -> str:
    if variant.name == BASE:
        return ""
    gain, error = variant.difference(base, what)
    text = f"{gain:+.3g}" if math.isnan(error) else f"{gain:+.3g} ± {error:.2g}"
    if abs(gain) > 2 * error:  # not when the error is not known
        return f"[{'green' if gain > 0 else 'red'}]{text}[/]"
    return text
