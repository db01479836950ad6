"""Where metrics go besides the run folder. Any object with these two methods is a logger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Logger(Protocol):
    """What ``PuffeRL(logger=...)`` expects."""

    def log(self, record: Mapping[str, Any]) -> None:
        """Take the metrics record of one update, see :meth:`pufferbench.PuffeRL.mean_and_log`."""

    def close(self) -> None:
        """No more records will come."""


class NoLogger:
    """Logs nothing, which is also what ``logger=None`` does."""

    def log(self, record: Mapping[str, Any]) -> None:
        """Forget the record."""

    def close(self) -> None:
        """Nothing to close."""
