"""Who changed which hyperparameter when, read from the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One change of one option.

    Attributes:
        update: the first update that was made with the new value.
        global_step: the environment steps before that update's end.
        option: its name.
        old, new: its values.
        by: who asked for it: ``"slider"``, ``"diagnosis"``, ``"branch"``; ``"code"`` where nobody said.
    """

    update: int
    global_step: int
    option: str
    old: Any
    new: Any
    by: str = "code"


def changes(records: Iterable[Mapping[str, Any]]) -> list[Change]:
    """All changes in these metrics records, the oldest first."""
    return [
        Change(
            record["update"], record["global_step"], option, made["old"], made["new"], made.get("by", "code")
        )
        for record in records
        for option, made in record.get("changes", {}).items()
    ]
