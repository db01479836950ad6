"""Several trainings that take turns: one update each, so that none runs ahead and none slows another's update."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Turns:
    """Who trains now. Each training takes its turn before it works, and gives it up after an update or at a pause."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holder: object = None
        self._last: object = None
        self._waiting: list[object] = []

    def take(self, who: object, leave: Callable[[], bool]) -> bool:
        """Wait for one's turn. False: ``leave()`` said not to wait any longer."""
        if self._holder is who:
            return True
        with self._changed:
            self._waiting.append(who)
            try:
                while not self._free(who):
                    if leave():
                        return False
                    self._changed.wait(0.05)  # not for ever: leave() has no way to wake us
            finally:
                self._waiting.remove(who)
            self._holder = who
            return True

    def give_up(self, who: object) -> None:
        """The next one, please. Nothing happens when it was not one's turn."""
        with self._changed:
            if self._holder is who:
                self._holder, self._last = None, who
                self._changed.notify_all()

    def _free(self, who: object) -> bool:
        alone = all(other is who for other in self._waiting)
        return self._holder is None and (who is not self._last or alone)
