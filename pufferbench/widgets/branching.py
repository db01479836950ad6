"""A branch in a panel: go on twice from here, with one hyperparameter changed, and watch which does better."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets

from pufferbench.branch import FRESH, Branching
from pufferbench.config import TrainConfig, describe
from pufferbench.widgets.ab import ABPanel
from pufferbench.widgets.controls import LABELS
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.session import Session

FACTORS = {"a tenth": 0.1, "a third": 1 / 3, "half": 0.5, "the same": 1.0, "twice": 2.0, "three times": 3.0}


class Branches(ipywidgets.VBox):
    """Controls to branch, and then the two trainings side by side.

    Attributes:
        trainer: the branch; None while there is none.
        ab: the :class:`~pufferbench.widgets.ab.ABPanel` with both.
        note: what is going on, in words.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ab: ABPanel | None = None
        self._thread: threading.Thread | None = None
        live = [name for name, about in describe(TrainConfig).items() if about.live]
        self.option = ipywidgets.Dropdown(
            options=[(LABELS.get(name, name), name) for name in live],
            value="learning_rate",
            description="Fork from here with",
            style={"description_width": "initial"},
            layout={"width": "auto"},
        )
        self.factor = ipywidgets.Dropdown(options=list(FACTORS), value="a third", layout={"width": "auto"})
        self.button = ipywidgets.Button(
            description="Branch",
            icon="code-fork",
            tooltip=f"A second trainer: {FRESH}",
            layout={"width": "auto"},
        )
        self.end = ipywidgets.Button(
            description="End B",
            icon="times",
            tooltip="Stop the branch and forget it",
            layout={"width": "auto"},
        )
        self.note = ipywidgets.Label(f"{FRESH[0].upper()}{FRESH[1:]}.").add_class("pb-branch-note")
        self.button.on_click(lambda _: self._pressed())
        self.end.on_click(lambda _: self.close_branch())
        self.end.disabled = True
        row = ipywidgets.HBox([self.option, self.factor, self.button, self.end]).add_class("pb-row")
        self._controls = [row, self.note]
        super().__init__(self._controls)
        self.add_class("pb-branches")
        for widget in (self.option, self.factor, self.button, self.end):
            answer_during_cells(widget)
        if session.rival is not None:  # a panel that was here before had made one
            self._show(session.rival)

    @property
    def trainer(self) -> Any:
        return self.session.rival

    def branch(self, **changes: Any) -> None:
        """Make the branch, at the end of the update that is under way (if one is). It trains when this one does."""
        if self.trainer is not None or self._thread is not None:
            raise RuntimeError("there is a branch already: end it before the next one (End B)")
        self.note.value = "Branching at the end of this update …"
        self.button.disabled = True
        self.session.at_boundary(lambda: self._go(changes))

    def close_branch(self) -> None:
        """Stop the branch, close its environments and forget it. Nothing happens without one."""
        if self._thread is not None:
            self._thread.join(timeout=30)
        if self.ab is not None:
            self.ab.close()
            self.ab = None
            self.children = self._controls
        if self.session.rival is not None:
            self.session.rival.close()
            self.session.rival = None
        self.button.disabled, self.end.disabled = False, True

    def leave(self) -> None:
        """Off the page; both trainings go on."""
        if self._thread is not None:
            self._thread.join(timeout=30)
        if self.ab is not None:
            self.ab.leave()

    def _pressed(self) -> None:
        name = self.option.value
        value = getattr(self.session.trainer, name) * FACTORS[self.factor.value]
        about = describe(TrainConfig)[name]
        value = min(max(value, about.low), about.high)
        try:
            self.branch(**{name: max(1, round(value)) if about.type is int else value})
        except Exception as error:  # a button has no other place to say it
            self._refused(error)

    def _go(self, changes: dict[str, Any]) -> None:
        """Between two updates, where it trains: copy, and leave the rest, which takes longer, to another thread."""
        try:
            moment = Branching(self.session.trainer)
        except Exception as error:  # must not end this training
            self._refused(error)
            return
        self._thread = threading.Thread(
            target=self._grow, args=(moment, changes), name="pufferbench-branch", daemon=True
        )
        self._thread.start()

    def _grow(self, moment: Branching, changes: dict[str, Any]) -> None:
        try:
            trainer = moment.grow(**changes)
        except Exception as error:  # shown in the panel: nobody sees a thread's stderr
            self._refused(error)
        else:
            self.session.rival = trainer
            self._show(trainer)
            self.note.value = f"B goes on from update {moment.update}: {FRESH}."
            if self.session.state == "training":
                self.ab.sessions[1].start()  # type: ignore[union-attr]
        finally:
            self._thread = None

    def _show(self, trainer: Any) -> None:
        self.ab = ABPanel(self.session.trainer, trainer, a_has_panel=True)
        self.children = [*self._controls, self.ab]
        self.button.disabled, self.end.disabled = True, False

    def _refused(self, error: Exception) -> None:
        self.note.value = f"Cannot branch: {error}"
        self.button.disabled = False
