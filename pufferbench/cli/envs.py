"""``puffer envs``: what there is to train on."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.table import Table

from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console
from pufferbench.registry import list_envs, spec


@dataclass
class EnvsOptions:
    """List the environments: name, what one agent sees and does, one line about it."""

    prefix: Annotated[str, tyro.conf.Positional] = ""
    """Only names that begin like this, e.g. ocean-"""


def main(arguments: list[str]) -> int:
    """Makes one game of each (without stepping it, so nothing is compiled)."""
    options = tyro.cli(EnvsOptions, args=arguments, prog="puffer envs")
    names = list_envs(options.prefix)
    if not names:
        raise UsageError(f"no environment's name begins with {options.prefix!r} (puffer envs lists all)")
    table = Table()
    for column in ("name", "observation", "action"):
        table.add_column(column, no_wrap=True)
    table.add_column("about")
    for name in names:
        table.add_row(name, *_describe(name))
    screen = console()
    screen.print(table, highlight=False)
    screen.print("puffer train NAME --help lists an environment's own options.", style="dim")
    return 0


def _describe(name: str) -> tuple[str, str, str]:
    """Spaces and story; the reason in place of them where an environment cannot be made here."""
    try:
        entry = spec(name)
        story = inspect.getdoc(entry.creator()) or ""
        with entry.make() as env:
            agents = f" x {env.num_agents} agents" if env.num_agents > 1 else ""
            return _short(env.observation_space), _short(env.action_space) + agents, story.partition("\n")[0]
    except Exception as error:  # one broken environment must not hide the others
        return "", "", f"[red]cannot be made: {type(error).__name__}: {error}[/]"


def _short(space: object) -> str:
    """``Box(118,) float32`` instead of hundreds of bounds."""
    if hasattr(space, "low") and hasattr(space, "shape") and hasattr(space, "dtype"):
        return f"Box{tuple(map(int, space.shape))} {space.dtype}".replace(",)", ")")
    return str(space)
