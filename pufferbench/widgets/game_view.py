"""What the views of a game have in common: how they look, what stays of them, and that they can be closed."""

from __future__ import annotations

import time
from typing import Any

import ipywidgets

from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.saved import Saved, family


class GameView(Saved):
    """A framed box whose controls answer while a cell runs. A subclass has :meth:`picture` and :meth:`release`."""

    closed = True  # until it is made
    EVERY = 2.0  # s between two pictures for the saved notebook, at least

    def __init__(self, children: Any) -> None:
        self._kept_at = 0.0
        super().__init__(children)
        self.closed = False
        self.add_class("pb-card").add_class("pb-game")
        for widget in family(self):
            answer_during_cells(widget)

    def rest(self, now: bool = False) -> None:
        """What is shown has come to rest: it may go into the saved notebook; not too often, unless ``now``."""
        if now or time.monotonic() - self._kept_at > self.EVERY:
            self._kept_at = time.monotonic()
            self.keep_picture()

    def put_below(self, view: GameView) -> None:
        """Show another view under this one, in place of the one of its kind that is there."""
        old = [child for child in self.children if isinstance(child, type(view))]
        self.children = (*(child for child in self.children if child not in old), view)
        for child in old:
            child.close()

    def close(self) -> None:
        """Off the page, and what it holds is given back. Closing twice is fine."""
        if not self.closed:
            self.closed = True
            self.release()
            for widget in family(self):
                widget.close() if widget is not self else ipywidgets.VBox.close(self)

    def release(self) -> None:
        """Give back what the view holds. Called once."""

    def _repr_html_(self) -> str:
        return self.snapshot_html()
