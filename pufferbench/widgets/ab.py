"""Two trainings side by side: which of them learns faster?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np

from pufferbench.runs.settings import show
from pufferbench.widgets.charts import COLUMNS
from pufferbench.widgets.controls import make_knobs
from pufferbench.widgets.curves import Chart, Curves, Line
from pufferbench.widgets.history import History
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.session import Session
from pufferbench.widgets.status import Status, state_of
from pufferbench.widgets.turns import Turns

METRIC = "episode_return_100"
BETWEEN = 0.3  # s between two drawings
NAMES = ("A", "B")
CHART = Chart(
    "A and B: episode return",
    "reward per episode",
    (Line("A", "A"), Line("B", "B", "orange")),
    "Mean of the last 100 episodes of each.",
)


class Both:
    """The histories of two trainings as one table, in order of their steps: columns ``global_step, update, A, B``.

    Has of :class:`History` what :class:`Curves` reads.
    """

    columns = ("global_step", "update", *NAMES)

    def __init__(self, histories: tuple[History, History]) -> None:
        self.histories = histories
        self.epoch = 0
        self._seen: tuple[int, ...] = ()
        self._rows = np.empty((0, len(self.columns)))

    def refresh(self) -> None:
        """Look at the two histories again."""
        seen = tuple(number for history in self.histories for number in (len(history), history.epoch))
        if seen == self._seen:
            return
        parts = []
        for place, history in enumerate(self.histories):
            rows = history.rows()
            part = np.full((len(rows), len(self.columns)), np.nan)
            part[:, :2] = rows[:, :2]
            part[:, 2 + place] = rows[:, history.columns.index(METRIC)]
            parts.append(part)
        rows = np.concatenate(parts)
        self._rows = rows[np.argsort(rows[:, 0], kind="stable")]
        self._seen, self.epoch = seen, self.epoch + 1

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, start: int = 0) -> np.ndarray:
        return self._rows[start:].copy()


class ABPanel(ipywidgets.VBox):
    """Two trainers in turns, one update each, and their curves in one chart: ``ABPanel(a, b)``.

    Args:
        a, b: trainers.
        a_has_panel: whether A's sliders and buttons are elsewhere already.

    Attributes:
        sessions: the :class:`~pufferbench.widgets.session.Session` of each.
        both: the numbers in the chart, see :class:`Both`.
    """

    sessions: tuple[Session, ...] = ()
    _forget: Sequence[Callable[[], None]] = ()
    _a_has_panel = False

    def __init__(self, a: Any, b: Any, a_has_panel: bool = False) -> None:
        if a is b:
            raise ValueError(
                "A and B are the same trainer: make a second one, with pufferbench.branch(a, ...)"
            )
        self.sessions = tuple(Session.of(trainer, COLUMNS) for trainer in (a, b))
        self._turns = Turns()
        for session in self.sessions:
            session.turns = self._turns
        self.both = Both((self.sessions[0].history, self.sessions[1].history))
        self.curves = Curves([CHART], self.both, height=200)  # type: ignore[arg-type]
        self.statuses = tuple(
            Status(title=name, subtitle=_what(session, self.sessions[0]))
            for name, session in zip(NAMES, self.sessions, strict=True)
        )
        self.buttons = {
            "Start both": self._button("Start both", "play", lambda s: s.start()),
            "Pause both": self._button("Pause both", "pause", lambda s: s.pause()),
        }
        self._a_has_panel = a_has_panel
        self.knobs = [[] if a_has_panel else make_knobs(a), make_knobs(b)]
        boxes = [
            ipywidgets.VBox([status, ipywidgets.Box([knob.box for knob in knobs]).add_class("pb-knobs")])
            for status, knobs in zip(self.statuses, self.knobs, strict=True)
        ]
        sides = boxes[1] if a_has_panel else ipywidgets.Box(boxes).add_class("pb-sides")
        super().__init__(
            [
                ipywidgets.HBox(list(self.buttons.values())).add_class("pb-row"),
                self.curves,
                sides,
            ]
        )
        self.add_class("pb").add_class("pb-ab")
        self._lock = threading.Lock()
        self._drawn = 0.0
        for widget in (self.curves, *self.statuses, *self.buttons.values()):
            answer_during_cells(widget)
        for knob in (knob for knobs_of_one in self.knobs for knob in knobs_of_one):
            answer_during_cells(knob.slider)
        self._forget = [session.listen(self._heard) for session in self.sessions]
        self.update()

    def start(self) -> None:
        """Train both, in turns. One that has finished stays as it is."""
        self._each(lambda session: session.start())

    def pause(self) -> None:
        """Hold both."""
        self._each(lambda session: session.pause())

    def update(self) -> None:
        """Redraw now."""
        with self._lock:
            self._drawn = time.monotonic()
            self.both.refresh()
            self.curves.flush()
            for status, session in zip(self.statuses, self.sessions, strict=True):
                status.follow(session)

    def leave(self) -> None:
        """Off the page; both go on."""
        for forget in self._forget:
            forget()
        super().close()

    def close(self) -> None:
        """Stop both (A not, if it has its own panel), and take the view off the page. Closing twice is fine."""
        self.leave()
        for session in self.sessions:
            session.turns = None
            self._turns.give_up(session)  # the other may wait for it just now
        for session in self.sessions[1 if self._a_has_panel else 0 :]:
            session.close()

    def _heard(self, record: dict[str, Any] | None) -> None:
        if record is not None:
            for knob in (knob for knobs in self.knobs for knob in knobs):
                if knob.trainer.last_record is record:
                    knob.follow(record)
        if record is None or time.monotonic() - self._drawn > BETWEEN:
            self.update()

    def _each(self, act: Any) -> None:
        for session, status in zip(self.sessions, self.statuses, strict=True):
            if state_of(session) not in ("finished", "training"):
                self._try(act, session, status)
            elif session.active:
                act(session)

    def _try(self, act: Any, session: Session, status: Status) -> None:
        try:
            act(session)
        except RuntimeError as error:  # it is still stopping, say
            status.message = str(error)

    def _button(self, words: str, icon: str, act: Any) -> ipywidgets.Button:
        button = ipywidgets.Button(description=words, icon=icon, layout={"width": "auto"}, tooltip=words)
        button.on_click(lambda _: self._each(act))
        return button


def _what(session: Session, other: Session) -> str:
    """In what this training differs from the other."""
    mine, theirs = (one.trainer.config.live() | one.trainer.pending for one in (session, other))
    differing = [f"{name} {show(mine[name])}" for name in mine if mine[name] != theirs.get(name)]
    return ", ".join(differing) or ("this training" if session is other else "the same options")
