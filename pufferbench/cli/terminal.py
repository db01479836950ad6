"""The console that commands write to."""

from __future__ import annotations

from rich.console import Console


def console() -> Console:
    """As wide as the terminal; wide enough for our tables where output goes to a file or a pipe."""
    result = Console()
    return result if result.is_terminal else Console(width=120)
