"""What can be wrong with a game, said in one sentence that names the line."""

from __future__ import annotations

from pufferbench.errors import PufferBenchError


class GameError(PufferBenchError):
    """A game class cannot be compiled, or does something that a compiled game must not do."""
