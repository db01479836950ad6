"""Pictures and short films from Python, shown by the browser as fast as it can, never queued."""

from __future__ import annotations

import threading
import time
from typing import Any

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style


class FrameView(anywidget.AnyWidget):
    """Shows the newest of the frames given to :meth:`show`.

    The browser acknowledges each frame that it has drawn. Until then only the newest frame is kept, and
    sent next: a slow connection drops frames instead of lagging behind.

    A frame may be a film, an animated PNG file that plays once: a browser does that many times as cheaply as it takes
    single pictures. A film is played to its end before the next frame is shown.

    Args:
        label: a heading above the picture.
        alt: what the picture shows, in words, for who cannot see it.
        width, height: size of the place for the picture, pixels; it never grows beyond the space there is.
    """

    _esm = script("frame_view.js")
    _css = style("frame_view.css")

    ACK_TIMEOUT = (
        2.0  # s: a page that was closed never acknowledges; so long after a film a frame is sent anyway
    )
    GONE = 6.0  # s without an answer after which nobody is looking

    frame = traitlets.Bytes(b"").tag(sync=True)
    seconds = traitlets.Float(0.0).tag(sync=True)  # that the frame takes to play, if it is a film
    label = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    width = traitlets.Int(320).tag(sync=True)
    height = traitlets.Int(320).tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        self._frame_lock = threading.Lock()
        self._next: tuple[bytes, float] | None = None
        self._sent_at: float | None = None  # None: the newest frame is on the screen
        self._unanswered_since: float | None = None
        self._watching: set[str] = set()
        self.seen = threading.Event()  # set while some page shows the view, not scrolled or switched away
        super().__init__(**kwargs)
        self.on_msg(self._on_message)

    @property
    def visible(self) -> bool:
        """Whether somebody can see the picture now."""
        if self._unanswered_since is not None and time.monotonic() - self._unanswered_since > self.GONE:
            self._watching.clear()
            self._sent_at = self._unanswered_since = None
            self.seen.clear()
        return self.seen.is_set()

    @property
    def ready(self) -> bool:
        """Whether a frame shown now would be sent at once."""
        return self._sent_at is None or time.monotonic() - self._sent_at > self.ACK_TIMEOUT + self.seconds

    def show(self, image: bytes, seconds: float = 0.0) -> None:
        """Show a JPEG or PNG file's bytes, now or as soon as the browser is ready for it. From any thread.

        ``seconds``: how long it plays, if it is a film.
        """
        with self._frame_lock:
            if image == self.frame:  # would not be sent again, and so never be acknowledged
                self._next = None
                return
            if not self.ready:
                self._next = image, seconds
                return
            self._next = None
            self._sent_at = time.monotonic()
            self._unanswered_since = self._unanswered_since or self._sent_at
        with self.hold_sync():
            self.frame, self.seconds = image, seconds

    def _on_message(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        change = self._watching.add if content.get("visible") else self._watching.discard
        change(str(content.get("view")))
        if self._watching:
            self.seen.set()
        else:
            self.seen.clear()
        if content.get("kind") == "drawn":
            with self._frame_lock:
                self._sent_at = self._unanswered_since = None
                waiting = self._next
            if waiting is not None:
                self.show(*waiting)
