"""Drawings that Python makes as SVG and a page shows, clicks and keys included."""

from __future__ import annotations

import threading
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from pufferbench.widgets.assets import script, style
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.saved import Saved, family
from pufferbench.widgets.svg import standalone


class Drawing(FrameView):
    """Shows the newest of the pictures given to :meth:`draw`; like a FrameView it never queues any.

    Args:
        typed: names of the keys that it listens to, as browsers call them.
        on_pick: called with the ``data-pick`` of an element that was pressed, or painted over, and which of both.
        on_key: called with a key of ``typed`` that was typed while the drawing had the focus.
    """

    _esm = script("drawing.js")
    _css = style("drawing.css", "view.css")

    typed = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        on_pick: Callable[[str, str], object] = lambda pick, kind: None,
        on_key: Callable[[str], object] = lambda key: None,
        **kwargs: Any,
    ) -> None:
        self.svg = ""
        self._on_pick, self._on_key = on_pick, on_key
        super().__init__(**kwargs)

    def draw(self, svg: str, alt: str = "") -> None:
        """Show ``svg``, now or as soon as the browser is ready for it. From any thread."""
        if alt:
            self.alt = alt
        if svg == self.svg:  # would not be sent, and so never be acknowledged
            return
        self.svg = svg
        self.show(svg.encode())

    def _on_message(self, widget: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        kind = content.get("kind")
        if kind in ("press", "paint"):
            self._on_pick(str(content["pick"]), kind)
        elif kind == "key":
            self._on_key(str(content["key"]))
        else:
            super()._on_message(widget, content, buffers)
            waiting = self._next
            if (
                waiting is not None and self.ready
            ):  # an answer was lost, and nothing else may come for a long time
                self.show(*waiting)


class View(Saved):
    """A drawing and what belongs around it: live in a notebook, and a picture where there is no kernel.

    A subclass makes :attr:`drawing`, calls ``super().__init__(children)``, and has :meth:`svg` and :meth:`describe`.
    After a change it calls :meth:`redraw`.

    Attributes:
        drawing: where :meth:`svg` is shown.
    """

    REST = 0.4  # s without a change after which the saved picture is made anew

    drawing: Drawing
    _timer: threading.Timer | None = None

    def __init__(self, children: list[ipywidgets.Widget]) -> None:
        super().__init__(children)
        self.add_class("pb-card").add_class("pb-view")
        for widget in family(self):
            answer_during_cells(widget)
        self.redraw()

    def svg(self) -> str:
        """What is shown."""
        raise NotImplementedError

    def describe(self) -> str:
        """What is shown, in words."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Show the picture as it is now, and soon keep it for who reads the notebook later."""
        self.drawing.draw(self.svg(), self.describe())
        if self._displays:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self.REST, self._renew)
            self._timer.name, self._timer.daemon = "pufferbench-picture", True
            self._timer.start()

    def picture(self) -> tuple[bytes, str]:
        """An SVG file's bytes and its alt text."""
        return standalone(self.svg()).encode(), self.describe()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture to an SVG file."""
        Path(path).write_bytes(self.picture()[0])

    def close(self) -> None:
        """End what is under way, and take the view off the page. Closing twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
        for widget in family(self)[1:]:
            widget.close()
        super().close()

    def __repr__(self) -> str:
        return self.describe()
