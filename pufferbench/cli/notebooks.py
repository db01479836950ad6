"""``puffer notebooks``: lessons and labs executed, cleaned, checked; the solutions of a lesson's exercises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from pufferbench import lessons, notebook_run, notebooks
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console, progress_bar

COLUMNS = ("notebook", "time, s", "CPU, s", "memory, MB", "size, kB")
Paths = Annotated[list[Path], tyro.conf.Positional]

commands = tyro.extras.SubcommandApp()


def main(arguments: list[str]) -> int:
    """Status 1 when a notebook fails or is not as it must be."""
    return commands.cli(
        args=arguments,
        prog="puffer notebooks",
        description="The solutions of a lesson's exercises; notebooks executed, cleaned and checked.",
    )


@commands.command
def run(paths: Paths, table: Path | None = None) -> int:
    """Execute notebooks with a reader's budgets, save them as they are committed, and say what each took.

    Args:
        paths: Notebooks, or folders of them.
        table: Write what each took into this Markdown file, e.g. tutorials/TIMES.md.
    """
    screen, costs, status = console(), {}, 0
    for path in _named(paths):
        with progress_bar(screen, path.stem, len(notebooks.read(path)["cells"]), "cells") as show:
            try:
                costs[path] = notebook_run.run(path, show=show)
            except Exception as error:  # nbclient's, with the cell and its traceback; or a kernel that died
                status = 1
                screen.print(f"{path}: {error}", markup=False, highlight=False, soft_wrap=True)
        status |= _say_what_is_wrong(path)
    shown = Table()
    for number, column in enumerate(COLUMNS):
        shown.add_column(column, justify="right" if number else "left")
    for path, cost in costs.items():
        shown.add_row(path.as_posix(), *_figures(cost))
    screen.print(shown)
    if table is not None and status == 0:
        table.write_text(as_markdown(costs, table.parent), encoding="utf-8", newline="\n")
        screen.print(f"written: {table}", highlight=False, soft_wrap=True)
    return status


@commands.command
def clean(paths: Paths) -> int:
    """Clean notebooks in place: no widget state, timings, paths of this machine; labs without outputs.

    Args:
        paths: Notebooks, or folders of them.
    """
    status = 0
    for path in _named(paths):
        strip = notebooks.with_outputs(path) is False
        notebooks.write(path, notebooks.clean(notebooks.read(path), strip))
        status |= _say_what_is_wrong(path)
    return status


@commands.command
def check(paths: Paths) -> int:
    """Say what is wrong with notebooks that are to be committed; status 1 when something is.

    Args:
        paths: Notebooks, or folders of them.
    """
    found = _named(paths)
    wrong = [path for path in found if _say_what_is_wrong(path)]
    print(f"{len(found)} notebooks, {len(found) - len(wrong)} in order")
    return int(bool(wrong))


@commands.command
def solution(lesson: Annotated[str, tyro.conf.Positional], folder: Path | None = None) -> int:
    """Put the solutions of a lesson's exercises beside your copy of the lesson, never over a file.

    Args:
        lesson: Its number or the start of its name.
        folder: Your copy of the lessons; default: the one here, or ./pufferbench-lab.
    """
    path, new = lessons.solution(lesson, folder or _working_copy())
    print(path if new else f"{path}\n(it was there already, and is as you left it)")
    return 0


def _working_copy() -> Path:
    """Where a learner's lessons are: the folder of this name, or the present one when it has lessons in it.

    The lessons of a clone are no learner's copy.
    """
    here = Path.cwd()
    if lessons.lessons(here) and here != lessons.source():
        return Path()
    return Path(lessons.FOLDER)


def _named(paths: list[Path]) -> list[Path]:
    """The notebooks of the command line; a usage error, before anything is done, where one cannot be read."""
    if not paths:
        raise UsageError("name at least one notebook or folder, e.g. tutorials")
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
    if not (found := notebooks.find(paths)):
        raise UsageError(f"there is no notebook in {', '.join(map(str, paths))}")
    for path in found:
        try:
            notebooks.read(path)
        except (OSError, ValueError) as error:
            raise UsageError(str(error)) from error
    return found


def _say_what_is_wrong(path: Path) -> bool:
    problems = notebooks.check(path)
    for problem in problems:
        print(f"{path}: {problem}")
    return bool(problems)


def _figures(cost: notebook_run.Cost) -> tuple[str, ...]:
    memory = "" if cost.memory is None else f"{cost.memory / 1e6:,.0f}"
    return f"{cost.seconds:.0f}", f"{cost.cpu_seconds:.0f}", memory, f"{cost.size / 1000:,.0f}"


def as_markdown(costs: dict[Path, notebook_run.Cost], folder: Path) -> str:
    """A page with one row for each notebook, linked from ``folder``."""
    from pufferbench import bench  # here: it imports what it measures

    lines = [f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    for path, cost in costs.items():
        target = Path(os.path.relpath(path, folder)).as_posix()
        lines.append(f"| [{target.removesuffix('.ipynb')}]({target}) | {' | '.join(_figures(cost))} |")
    return TIMES.format(machine=bench.machine(), table="\n".join(lines))


TIMES = """# What the notebooks take

Executed from top to bottom with a reader's budgets, one after the other, each in a fresh kernel, by
`puffer notebooks run FOLDER --table FILE`. Time is wall time with the start of the kernel; CPU is that of the kernel
and its workers; memory is the most that the kernel ever held. Functions that were compiled before, by an earlier run
or `puffer warmup`, are not compiled again. Where the load is far above 1, other programs used the cores too: wall time
has their share in it, CPU time has not.

{machine}.

{table}
"""
