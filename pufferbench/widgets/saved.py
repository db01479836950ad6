"""A widget and the picture that stays of it, under one another in the same output.

A saved notebook keeps no widget, only what was displayed. So every view of ours is displayed together with a picture
(HTML that needs neither kernel nor network), which the live view hides, and which is renewed when something rests.
"""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets
from IPython.display import HTML, display

from pufferbench.widgets.snapshot import as_html


def family(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """The widget and all that are in it."""
    return [widget] + [member for child in getattr(widget, "children", ()) for member in family(child)]


class Saved(ipywidgets.VBox):
    """A box that leaves a picture behind. A subclass has :meth:`picture` and calls :meth:`keep_picture` when it rests.

    Args:
        children: as of a VBox.
    """

    def __init__(self, children: Any = (), **kwargs: Any) -> None:
        self._displays: list[Any] = []
        self._picture_lock = threading.Lock()
        super().__init__(**kwargs)
        self._cover = f"pb-saved-{self.model_id}"
        # While the live view is on the page, so is this rule, and the picture is not to be seen
        rule = ipywidgets.HTML(
            f"<style>.{self._cover} {{ display: none; }}</style>", layout={"display": "none"}
        )
        self.children = (*children, rule)
        self.add_class("pb")

    def picture(self) -> tuple[bytes | None, str]:
        """A PNG or SVG file's bytes (None: there is nothing to see yet) and its alt text. Called in a thread."""
        raise NotImplementedError(f"{type(self).__name__} has no picture")

    def snapshot_html(self) -> str:
        """The picture as HTML that needs neither a kernel nor the net."""
        return as_html(*self.picture(), self._cover)

    def keep_picture(self) -> None:
        """Renew the pictures on the pages. Not in this thread: it takes most of a second."""
        if self._displays:
            threading.Thread(target=self._renew, name="pufferbench-picture", daemon=True).start()

    def _renew(self) -> None:
        with self._picture_lock:
            picture = HTML(self.snapshot_html())
            for handle in self._displays:
                handle.update(picture)

    def _ipython_display_(self, **_: Any) -> None:
        bundle = ipywidgets.VBox._repr_mimebundle_(self)
        bundle["text/plain"] = repr(self)
        display(bundle, raw=True)
        self._displays.append(display(HTML(self.snapshot_html()), display_id=True))
