"""Screens: pictures in the browser, which is also the clock and the keyboard of what is played there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style
from pufferbench.widgets.kernel import answer_during_cells

KEY_LABELS = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓", " ": "Space"}


class Screen(anywidget.AnyWidget):
    """Shows one or more pictures, and calls ``on_tick(held, pressed)`` whenever the browser wants the next.

    There is no thread: the browser's ticks are what makes time go by, so that nothing is played when nobody looks,
    nothing is left running when the page is closed, and it works where a kernel's own updates do not come through
    (Colab). In JupyterLab ticks come in the thread that it has for widgets, so games go on while a cell runs.

    Args:
        on_tick: plays one step and calls :meth:`show`. ``held`` are the keys that are down, in the order in which
            they went down, ``pressed`` those that went down since the last tick. An exception in it is shown.
        alt: what the pictures show, in words.
        labels, notes: above and below each picture; there are as many pictures as labels.
        game_keys: names of the keys that are for the game, as browsers name them; the notebook gets all others.
        buttons: of the same keys, for fingers: dicts with ``key``, ``label``, ``help``.
        period: ms between ticks; 0 stops.
        needs_focus: tick only while the keyboard is ours; until then ``hint`` is shown.
        overlay: what is written across the picture, "" for nothing.
        columns: pictures side by side. zoom: how many times its size a picture may grow.
    """

    _esm = script("screen.js")
    _css = style("screen.css", "game_view.css")

    alt = traitlets.Unicode("").tag(sync=True)
    labels = traitlets.List(traitlets.Unicode(), [""]).tag(sync=True)
    notes = traitlets.List(traitlets.Unicode(), [""]).tag(sync=True)
    game_keys = traitlets.List(traitlets.Unicode()).tag(sync=True)
    buttons = traitlets.List(traitlets.Dict()).tag(sync=True)
    period = traitlets.Float(0.0).tag(sync=True)
    needs_focus = traitlets.Bool(False).tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    overlay = traitlets.Unicode("").tag(sync=True)
    columns = traitlets.Int(1).tag(sync=True)
    zoom = traitlets.Float(1.0).tag(sync=True)

    def __init__(self, on_tick: Callable[[list[str], list[str]], None], **kwargs: Any) -> None:
        self.on_tick = on_tick
        self.error: Exception | None = None
        self.pictures: list[bytes] = []  # the newest of each, PNG or JPEG files
        self.lock = threading.RLock()  # a tick may come while a cell calls us
        self._answer: dict[str, Any] | None = None
        self._driver: str | None = None  # of several views of this screen, the one whose ticks count
        super().__init__(**kwargs)
        self.on_msg(self._on_message)
        answer_during_cells(self)

    def show(self, pictures: Sequence[bytes], notes: Sequence[str] | None = None) -> None:
        """Show these, PNG or JPEG files. From any thread."""
        with self.lock:
            changed = [
                i for i, p in enumerate(pictures) if i >= len(self.pictures) or p is not self.pictures[i]
            ]
            self.pictures = list(pictures)
            if notes is not None and list(notes) != self.notes:
                self.notes = list(notes)
            self._deliver(changed)

    def _deliver(self, indices: Sequence[int]) -> None:
        answer, self._answer = self._answer or {}, None
        if indices or answer:
            self.send(
                {"kind": "frame", **answer, "pictures": list(indices)}, [self.pictures[i] for i in indices]
            )

    def _on_message(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        kind, view = content.get("kind"), str(content.get("view"))
        with self.lock:
            if kind == "hello":
                self._driver = view  # the newest view is the one that somebody looks at
                self._deliver(range(len(self.pictures)))
            elif kind == "bye" and view == self._driver:
                self._driver = None
            elif kind == "tick":
                self._answer = {"view": view, "tick": content.get("tick")}
                self._driver = self._driver or view
                if view == self._driver and self.error is None:
                    self._tick(content)
                if self._answer is not None:
                    self._deliver(())

    def _tick(self, content: dict[str, Any]) -> None:
        try:
            self.on_tick(list(content.get("held", ())), list(content.get("pressed", ())))
        except Exception as error:  # a message has nobody to tell it to but the screen
            self.error = error
            self.overlay = f"{type(error).__name__}: {error}"


def key_buttons(keys: dict[str, Any], words: dict[str, str]) -> list[dict[str, str]]:
    """Buttons for ``keys``; ``words`` say what each does."""
    return [
        {"key": key, "label": KEY_LABELS.get(key, key.upper()), "help": words.get(key, "")} for key in keys
    ]
