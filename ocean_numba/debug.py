"""Debug mode: an index out of range in compiled code becomes one error that names game, function and line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ocean_numba.errors import GameError
from ocean_numba.explain import run_error
from ocean_numba.functions import reachable
from ocean_numba.game import Layout


def guarded(
    kernel: Callable[..., Any], replay: Callable[..., Any], layout: Layout, states: np.ndarray
) -> Callable[..., Any]:
    """``kernel(start, stop)`` that, after an IndexError, plays the step again in Python mode to find the line.

    Args:
        kernel: compiled with bounds checks; its IndexError says nothing about where.
        replay: the same in Python mode, on the same arrays.
        states: put back to what they were before the step, for the replay and for whoever looks.
    """

    def call(start: int, stop: int) -> Any:
        before = states.copy()
        try:
            return kernel(start, stop)
        except IndexError as compiled_error:
            states[:] = before
            functions = [f for f, _ in reachable(layout.game.compiled)]
            try:
                replay(start, stop)
            except Exception as error:
                raise run_error(f"{layout.game.name}, game {_game_number(error)}", functions, error) from None
            finally:
                states[:] = before
            raise GameError(
                f"{layout.game.name}: {compiled_error}, but Python mode does not repeat it"
            ) from None

    return call


def _game_number(error: BaseException) -> Any:
    """Which game the kernel's loop was at."""
    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        if frame.f_code.co_name in ("step_rows", "reset_rows"):
            return frame.f_locals.get("game", frame.f_locals.get("i"))
        step = step.tb_next
    return "?"
