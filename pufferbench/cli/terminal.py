"""The console that commands write to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


def console() -> Console:
    """As wide as the terminal; wide enough for our tables where output goes to a file or a pipe."""
    result = Console()
    return result if result.is_terminal else Console(width=120)


class Rate(ProgressColumn):
    """``12.3 episodes/s``"""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Any) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.1f} {self.unit}/s")


@contextmanager
def progress_bar(screen: Console, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A bar with count, rate and remaining time, gone when it is done; call what it yields with the count."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, completed=count)
