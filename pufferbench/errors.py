"""Errors say what was wrong, with which value, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable


class PufferBenchError(Exception):
    """Base class of the errors that are PufferBench's own."""


class InvalidAction(PufferBenchError, ValueError):
    """An action has the wrong shape, type or range."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'ocean-breakout'?"`` for the nearest known name, or ``""`` when none is near."""
    import difflib  # here: errors are rare, and importing this module should cost nothing

    spelled = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.6)
    return f"; did you mean {spelled[close[0]]!r}?" if close else ""
