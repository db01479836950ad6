"""What a training shows in a terminal: a live picture, or a line now and then where output goes to a file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Record = Mapping[str, Any]

LOSSES = (
    "policy_loss",
    "value_loss",
    "entropy",
    "approx_kl",
    "clip_fraction",
    "explained_variance",
    "grad_norm",
)
LIVE = (
    "learning_rate",
    "ent_coef",
    "clip_coef",
    "vf_coef",
    "gamma",
    "gae_lambda",
    "update_epochs",
    "max_grad_norm",
)
_COUNTERS = {
    "update",
    "global_step",
    "total_timesteps",
    "elapsed",
    "eta",
    "sps",
    "episodes",
    "changes",
    "deterministic",
}


class Display(Protocol):
    """What the training loop talks to."""

    def __enter__(self) -> Display: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, record: Record) -> None:
        """Take the newest metrics record."""

    def say(self, text: str) -> None:
        """A line above the picture, once."""


def display(title: str, console: Console | None = None, seconds: float = 5.0) -> Display:
    """A dashboard in a terminal, a line per ``seconds`` elsewhere."""
    console = console or Console()
    return Dashboard(title, console) if console.is_terminal else Lines(console, seconds)


class Dashboard:
    """Progress, speed, time split, losses and episodes, redrawn in place at most ten times a second."""

    def __init__(self, title: str, console: Console) -> None:
        self.title = title
        self.live = Live(console=console, auto_refresh=False, transient=False)
        self.record: Record = {}
        self._drawn = 0.0
        self._said: set[str] = set()

    def __enter__(self) -> Dashboard:
        self.live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._draw()  # the last state stays on the screen
        self.live.__exit__(*error)

    def show(self, record: Record) -> None:
        self.record = record
        if time.monotonic() - self._drawn >= 0.1:
            self._draw()

    def say(self, text: str) -> None:
        _once(self.live.console, text, self._said)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        if self.record:
            self.live.update(picture(self.title, self.record), refresh=True)


class Lines:
    """One line every few seconds, and the last one always: for log files and pipes."""

    def __init__(self, console: Console, seconds: float) -> None:
        self.console = console
        self.seconds = seconds
        self._pending: Record | None = None
        self._printed = float("-inf")
        self._said: set[str] = set()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._pending is not None:
            self._print(self._pending)

    def show(self, record: Record) -> None:
        self._pending = record
        if time.monotonic() - self._printed >= self.seconds:
            self._print(record)

    def say(self, text: str) -> None:
        _once(self.console, text, self._said)

    def _print(self, record: Record) -> None:
        self._pending, self._printed = None, time.monotonic()
        self.console.print(line(record), highlight=False, soft_wrap=True)


def _once(console: Console, text: str, said: set[str]) -> None:
    if text not in said:
        said.add(text)
        console.print(text, highlight=False, soft_wrap=True)


def line(record: Record) -> str:
    """The record in one line of text."""
    parts = [
        f"update {record['update']}",
        f"step {record['global_step']:,} of {record['total_timesteps']:,} ({_progress(record):.0%})",
        f"{record['sps']:,.0f} steps/s",
        f"ETA {_duration(record.get('eta'))}",
    ]
    for name in ("episode_return_100", "policy_loss", "value_loss", "entropy", "approx_kl"):
        if record.get(name) is not None:
            parts.append(f"{name} {_number(record[name])}")
    return "  ".join(parts)


def picture(title: str, record: Record) -> Panel:
    """The whole dashboard for one record."""
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(ratio=1)
    head.add_column(justify="right")
    bar = ProgressBar(total=1.0, completed=_progress(record))
    head.add_row(bar, f"{_progress(record):.0%}  ETA {_duration(record.get('eta'))}")
    speed = Text.assemble(
        (f"{record['sps']:,.0f}", "bold"),
        f" steps/s   step {record['global_step']:,} of {record['total_timesteps']:,}"
        f"   update {record['update']}   {_duration(record['elapsed'])} so far",
    )
    columns = Table.grid(expand=True, padding=(0, 2))
    for _ in range(3):
        columns.add_column(ratio=1)
    columns.add_row(
        _values("episodes", episodes(record)),
        _values("losses", {name: record[name] for name in LOSSES if name in record}),
        _shares(record),
    )
    return Panel(Group(head, speed, Text(), columns), title=title)


def episodes(record: Record) -> dict[str, Any]:
    """Episode statistics and the environment's own metrics: means over the last 100 where there are any."""
    known = _COUNTERS | set(LOSSES) | set(LIVE)
    values = {
        name: value
        for name, value in record.items()
        if name not in known and not name.startswith("time_") and isinstance(value, (int, float))
    }
    return {
        name: value for name, value in values.items() if name.endswith("_100") or f"{name}_100" not in values
    } | {"episodes": record.get("episodes", 0)}


def _values(title: str, values: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(Text(title, style="bold"), "")
    for name, value in values.items():
        table.add_row(name, Text(_number(value), justify="right"))
    return table


def _shares(record: Record) -> Table:
    """Where the time of the last update went."""
    times = {name.removeprefix("time_"): v for name, v in record.items() if name.startswith("time_")}
    whole = sum(times.values()) or 1.0
    table = Table.grid(padding=(0, 1))
    table.add_row(Text("time", style="bold"), "", "")
    for name, seconds in times.items():
        share = seconds / whole
        table.add_row(name, ProgressBar(total=1.0, completed=share, width=10), f"{share:.0%}")
    return table


def _progress(record: Record) -> float:
    return min(1.0, record["global_step"] / max(record["total_timesteps"], 1))


def _number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _duration(seconds: float | None) -> str:
    """``1:02:03``, or ``2:03`` under an hour."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
