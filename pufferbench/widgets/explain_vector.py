"""explain_vector(): who steps and who waits, when environments run in worker processes."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets

from pufferbench.explain.workers import LONGEST, SHORTEST, WAYS, Timeline, measure
from pufferbench.widgets.explainer import Explainer
from pufferbench.widgets.svg import number, picture, tag, text, ticks, tip

LEFT, WIDTH, ROW = 92, 850, 17  # pixels
SHOWN = 0.25  # s of each timeline


class ExplainVector(Explainer):
    """Made by :func:`explain_vector`. It measures in a thread, so that the notebook stays free.

    Attributes:
        timelines: what was measured, one for each of ``explain.workers.WAYS``.
        error: why a measurement failed, else None.
    """

    def __init__(self, num_envs: int, num_workers: int) -> None:
        self.num_envs, self.num_workers = num_envs, num_workers
        self.timelines: list[Timeline] = []
        self.error: Exception | None = None
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self.button = ipywidgets.Button(
            description="Measure again", icon="refresh", tooltip="Start the workers again, and let them step",
            layout={"width": "auto"},
        )  # fmt: skip
        self.button.on_click(lambda _: self.measure())
        super().__init__("Vectorizers: who steps, and who waits?", [], (self.button.add_class("pb-push"),))
        self.measure()

    def measure(self) -> None:
        """Measure anew, in a thread."""
        self.stop()
        self.timelines, self.error = [], None
        self.button.disabled = True
        self._wanted.set()
        self._thread = threading.Thread(target=self._measure, name="pufferbench-timeline", daemon=True)
        self._thread.start()
        self.redraw()

    def stop(self) -> None:
        """Give up a measurement that is under way."""
        self._wanted.clear()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the measurement; False when it is not over after ``timeout`` s."""
        assert self._thread is not None
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        self.stop()
        super().close()

    def _measure(self) -> None:
        try:
            for name in WAYS:
                if not self._wanted.is_set():
                    return
                found = measure(name, self.num_envs, self.num_workers, going_on=self._wanted.is_set)
                self.timelines = [*self.timelines, found]
                self.redraw()
        except Exception as error:  # a thread has nowhere else to say it
            self.error = error
            self.redraw()
        finally:
            self.button.disabled = False

    def svg(self) -> str:
        parts, top = [], 20.0
        for name in WAYS:
            found = next((timeline for timeline in self.timelines if timeline.name == name), None)
            parts.append(self._lanes(top, name, found))
            top += ROW * (self.num_workers + 1) + 52
        legend = (("a step of an environment", "blue"), ("the caller works (policy, learning)", "green"),
                  ("the caller waits", "orange"))  # fmt: skip
        x = float(LEFT)
        for words, colour in legend:
            parts.append(tag("rect", x=x, y=top - 8, width=12, height=12, class_=f"pb-fill-{colour}"))
            parts.append(text(x + 18, top + 2, words, class_="pb-muted"))
            x += 46 + 6.3 * len(words)
        return picture(980, top + 12, *parts, label=self.describe())

    def _lanes(self, top: float, name: str, found: Timeline | None) -> str:
        head = (
            name
            if found is None
            else f"{name}: {found.rate:.0f} steps/s, workers busy {100 * found.busy:.0f} %"
        )
        parts = [text(LEFT, top - 6, head, class_="pb-title")]
        bottom = top + ROW * (self.num_workers + 1)
        for lane in range(self.num_workers + 1):
            y = top + ROW * lane
            words = "caller" if lane == self.num_workers else f"worker {lane}"
            parts.append(text(LEFT - 8, y + 12, words, class_="pb-tick", text_anchor="end"))
            parts.append(tag("rect", x=LEFT, y=y + 1, width=WIDTH, height=ROW - 2, class_="pb-fill-sunken"))
        if found is None:
            words = "measuring …" if self.error is None else f"{type(self.error).__name__}: {self.error}"
            parts.append(
                text(LEFT + WIDTH / 2, top + ROW * 2.4, words, class_="pb-muted", text_anchor="middle")
            )
        else:
            for worker, start, end in found.steps:
                parts.append(self._span(top + ROW * worker, start, end, "blue", f"worker {worker} steps"))
            y = top + ROW * self.num_workers
            parts += [self._span(y, *span, "orange", "the caller waits") for span in found.waits]
            parts += [self._span(y, *span, "green", "the caller works") for span in found.learns]
        for moment in ticks(0, 1000 * SHOWN, 6):
            x = LEFT + WIDTH * moment / (1000 * SHOWN)
            parts.append(text(x, bottom + 14, f"{moment:.0f} ms", class_="pb-tick", text_anchor="middle"))
        return "".join(parts)

    def _span(self, y: float, start: float, end: float, colour: str, words: str) -> str:
        start, stop = max(start, 0.0), min(end, SHOWN)
        if stop <= start:
            return ""
        box: dict[str, Any] = {
            "x": LEFT + WIDTH * start / SHOWN,
            "width": max(WIDTH * (stop - start) / SHOWN - 0.8, 0.4),
        }
        return tag("rect", tip(f"{words} for {1000 * (end - start):.1f} ms"), **box, y=y + 2, height=ROW - 4, rx=1.5,
                   class_=f"pb-fill-{colour}")  # fmt: skip

    def describe(self) -> str:
        rates = ", ".join(f"{found.name} {found.rate:.0f} steps/s" for found in self.timelines)
        who = f"{self.num_workers} worker processes with {self.num_envs} slow environments"
        return f"Timelines of {who}: {rates or 'measuring'}"

    def meaning(self) -> str:
        if self.error is not None:
            return f"The measurement failed: {type(self.error).__name__}: {self.error}"
        words = (
            f"A step sleeps {1000 * SHORTEST:.0f} to {1000 * LONGEST:.0f} ms, mostly a short time. In mode sync "
            "everybody waits for the slowest. With surplus environments a batch is whoever is ready first, and the "
            "others go on meanwhile: faster where steps differ, but which rows come together is chance, so that a run "
            "cannot be repeated exactly."
        )
        if len(self.timelines) == len(WAYS):
            first, last = self.timelines[0], self.timelines[-1]
            words += f" Here: {number(last.rate / first.rate)} times the steps of sync."
        return words


def explain_vector(num_envs: int = 8, num_workers: int = 4) -> ExplainVector:
    """Timelines of workers, measured now: ``explain_vector()`` as the last line of a cell.

    Real worker processes of :class:`pufferbench.vector.Multiprocessing` step an environment that only sleeps, so
    that it shows the same with any number of cores.
    """
    return ExplainVector(num_envs, num_workers)
