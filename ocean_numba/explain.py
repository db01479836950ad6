"""Errors of a game, told with its own line: never with 30 lines of generated code."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable
from types import CodeType, FunctionType

from ocean_numba.errors import GameError

# How Numba writes the type of a record: fields that are arrays have brackets in brackets.
_RECORD = r"Record\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"


def source(code: CodeType, line: int | None) -> str:
    """``"line 11: s.x = s.y + 1.0"``; only the number where there is no source (a pickled class)."""
    text = linecache.getline(code.co_filename, line or 0).strip()
    return f"line {line}: {text}" if text else f"line {line}"


def run_error(name: str, functions: Iterable[FunctionType], error: BaseException) -> GameError:
    """A GameError for an exception that a game raised while running in Python mode."""
    codes = {function.__code__: function for function in functions}
    place, step = "", error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code in codes:
            place = f"{codes[code].__name__}, {source(code, step.tb_lineno)}"
        step = step.tb_next
    what = {
        UnboundLocalError: "uses a variable before it has a value: ",
        IndexError: "index out of range: ",
        OverflowError: "a number does not fit into its field: ",
        RecursionError: "calls itself without end: ",
    }.get(type(error), "")
    message = str(error) or type(error).__name__
    return GameError(f"{name}: {what}{message} ({place})" if place else f"{name}: {what}{message}")


def compile_error(name: str, functions: Iterable[FunctionType], error: BaseException) -> GameError:
    """A GameError for what Numba says when it cannot compile: its first reason and the game's line."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()]
    reasons = [
        line for line in lines if line and not line.startswith(("Failed in", "- Resolution", "During:"))
    ]
    reason = reasons[0] if reasons else type(error).__name__
    calls = [line.removeprefix(">>>").strip() for line in lines if line.startswith(">>>")]
    if calls and reason.startswith("No implementation"):
        reason = f"there is no {calls[0]}"
    reason = re.sub(_RECORD, "the game's state s", reason)
    reason = re.sub(r"for '\$[^']*', defined at .*", "", reason).strip()
    place = ""
    for function in functions:
        code = function.__code__
        file = re.escape(code.co_filename.replace("\\", "/").rsplit("/", 1)[-1])
        first, last = code.co_firstlineno, max(line or 0 for *_, line in code.co_lines())
        for match in re.finditer(rf'{file}(?:" ?, line | ?\()(\d+)', "\n".join(lines)):
            if first <= int(match[1]) <= last:  # the first is the innermost
                place = place or f"{function.__name__}, {source(code, int(match[1]))}"
    return GameError(f"{name} cannot be compiled: {reason} ({place or 'somewhere in its functions'})")
