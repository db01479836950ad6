"""A table that a screen reader can read and a click can sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style


class Table(anywidget.AnyWidget):
    """Rows of numbers and words.

    Args:
        caption: what it is, in a few words.
        empty: what to say while there are no rows.
        rows: one dict per row, all with the same keys, which are the columns. None is shown as a dash.
    """

    _esm = script("table.js")
    _css = style("table.css")

    caption = traitlets.Unicode("").tag(sync=True)
    empty = traitlets.Unicode("nothing yet").tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    cells = traitlets.List(traitlets.List()).tag(sync=True)  # numbers as numbers, which are sorted as such
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)  # of the rows' first cells, "" for none

    def show(self, rows: Sequence[Mapping[str, Any]], colours: Sequence[str] = ()) -> None:
        """Show these rows instead."""
        with self.hold_sync():
            self.names = list(rows[0]) if rows else []
            self.cells = [[_plain(value) for value in row.values()] for row in rows]
            self.colours = list(colours)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str)) else str(value)
