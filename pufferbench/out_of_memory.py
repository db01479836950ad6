"""Out of memory: say what needed it, how much, and what to make smaller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pufferbench.errors import PufferBenchError

SMALLER_BATCH = "take a smaller batch_size (or bptt_horizon), or fewer num_envs"


class OutOfMemory(PufferBenchError):
    """There is no room for something large."""


@contextmanager
def room_for(what: str, remedy: str) -> Iterator[None]:
    """Explain it when the memory for ``what``, in the plural, is not there; ``remedy`` says what to make smaller.

    Raises:
        OutOfMemory: instead of what torch, on any device, and numpy raise.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch.OutOfMemoryError is a RuntimeError, and on the CPU a RuntimeError is all there is
        if not isinstance(error, MemoryError) and "memory" not in str(error):
            raise
        raise OutOfMemory(f"out of memory: {what} {_how_much(str(error))}; {remedy}") from error


def _how_much(words: str) -> str:
    """What torch's and numpy's words say about the size that was asked for."""
    found = re.search(r"allocate ([\d.]+) (bytes|[KMGTPE]iB)", words)
    if found is None:
        return "do not fit"
    number, unit = found.groups()
    return f"need {int(number) / 1e9:,.2f} GB more" if unit == "bytes" else f"need {number} {unit} more"
