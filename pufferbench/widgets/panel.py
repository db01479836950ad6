"""TrainerPanel: see a training, and steer it."""

from __future__ import annotations

import threading
import time
from typing import Any

import ipywidgets

from pufferbench.machine import Machine
from pufferbench.runs import Change
from pufferbench.widgets.charts import COLUMNS, DETAILS, RETURNS
from pufferbench.widgets.controls import DeviceChoice, make_knobs
from pufferbench.widgets.curves import Curves
from pufferbench.widgets.findings import Findings
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.more import More
from pufferbench.widgets.pace import between_redraws
from pufferbench.widgets.saved import Saved, family
from pufferbench.widgets.session import Session
from pufferbench.widgets.snapshot import describe_run, picture
from pufferbench.widgets.status import TIMES, Status, TimeSplit
from pufferbench.widgets.viewer import LiveAgent

SLOWER = 2  # the second row of curves, and what takes thought, are redrawn so many times more seldom
COST = 0.03  # share of the training thread's time that redrawing may take, at most

SHORT = {
    "learning_rate": "lr",
    "ent_coef": "entropy",
    "clip_coef": "clip",
    "gae_lambda": "lambda",
    "update_epochs": "epochs",
}

# name -> tooltip, icon (Font Awesome, part of Jupyter), states in which it can be pressed
BUTTONS = {
    "Start": ("Train in the background; goes on after a pause", "play", ("idle", "paused", "error")),
    "Pause": ("Hold within a second, in the middle of an update if need be", "pause", ("training",)),
    "Single update": (
        "Train until the end of the next update, then pause",
        "step-forward",
        ("idle", "paused", "error"),
    ),
    "Stop": (
        "End the training thread and drop the update it is in",
        "stop",
        ("training", "pausing", "paused"),
    ),
}


class TrainerPanel(Saved):
    """Watch a trainer learn and turn its knobs: ``TrainerPanel(trainer)`` as the last line of a cell.

    Training runs in a background thread, so the kernel stays free. A moved slider is applied at the next
    update boundary and recorded with that update's metrics. A loop in a cell,
    ``for update in trainer.steps(): ...``, moves the panel too.

    A second panel on the same trainer takes over from the first, without disturbing the training.

    Args:
        trainer: a :class:`pufferbench.PuffeRL`.

    Attributes:
        session: the :class:`~pufferbench.widgets.session.Session` that trains.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.session = Session.of(trainer, COLUMNS)
        self.title = getattr(trainer.env.spec, "id", None) or type(trainer.env).__name__
        self._lock = threading.RLock()
        self._drawn_fast = self._drawn_slow = 0.0  # when
        self._machine = Machine()
        self._cost = 0.0
        self._closed = True  # until everything is made

        self.status = Status(title=self.title, subtitle=self._subtitle())
        self.buttons = {name: self._button(name) for name in BUTTONS}
        self.device = DeviceChoice(trainer)
        self.findings = Findings(trainer)
        self.returns = Curves(RETURNS, self.session.history, height=300)
        self.details = Curves(DETAILS, self.session.history, height=124, columns=4)
        self.times = TimeSplit()
        self.knobs = make_knobs(trainer)
        self.view = FrameView(label="The agent now", alt=f"The agent playing {self.title}, live")
        self.more = More(self.session)
        self.agent = LiveAgent(trainer, self.view)
        self.watch = ipywidgets.Checkbox(
            True,
            description="play live",
            indent=False,
            tooltip="Let the present agent play, with its newest weights",
        )
        self.watch.observe(lambda change: setattr(self.agent, "enabled", change["new"]), names="value")

        row = ipywidgets.HBox([*self.buttons.values(), self.device.choice.add_class("pb-push")])
        live = ipywidgets.VBox([self.view, self.watch])
        super().__init__(
            [
                self.status,
                row.add_class("pb-row"),
                self.findings,
                ipywidgets.Box([self.returns, live]).add_class("pb-stage"),
                self.details,
                self.times,
                ipywidgets.Box([knob.box for knob in self.knobs]).add_class("pb-knobs"),
                self.more,
            ]
        )
        self.add_class("pb-card").add_class("pb-panel")
        for widget in family(self):
            answer_during_cells(widget)
        self.session.claim(self._leave)
        self._forget = self.session.listen(self._heard)
        self._redraw()
        self._closed = False
        self.agent.enabled = True

    # -- what a person does ---------------------------------------------------------------------

    def start(self) -> None:
        """Train in the background, or go on after a pause."""
        self.session.start()

    def pause(self) -> None:
        """Hold the training, within a second."""
        self.session.pause()

    def single_update(self) -> None:
        """Train until the end of the next update, then pause."""
        self.session.single_update()

    def stop(self) -> None:
        """End the training thread, within a second. The trainer stays usable."""
        self.session.stop()
        self.session.join(timeout=2)

    def branch(self, **changes: Any) -> None:
        """Go on twice from here: with ``changes`` in a second trainer (``panel.more.branching.trainer``), side by side.

        At the end of the update that is under way, if one is.
        """
        self.more.branching.branch(**changes)

    def update(self, record: dict[str, Any] | None = None) -> None:
        """Redraw now. Not needed in a loop over ``trainer.steps()``: records move the panel by themselves."""
        self._redraw()

    def close(self) -> None:
        """Stop training, end all threads and take the panel off the page. Closing twice is fine."""
        if not getattr(self, "_closed", True):
            self.more.branching.close_branch()
            self.session.close()
            self._leave()

    # -- pictures for later ---------------------------------------------------------------------

    def picture(self) -> tuple[bytes | None, str]:
        """The return curve and the agent's last frame as a PNG file's bytes, and alt text."""
        session, record = self.session, self.session.last_record
        alt = describe_run(self.title, session.state, record)
        if not len(session.history):
            return None, alt
        subtitle = f"update {record.get('update', 0)} · {record.get('sps', 0):,.0f} steps/s · {session.state}"
        return picture(self.title, subtitle, session.history, self.agent.last_frame), alt

    def __repr__(self) -> str:
        return f"TrainerPanel({self.title}, {self.session.state}, update {self.trainer.update})"

    # -- following the session ------------------------------------------------------------------

    def _button(self, name: str) -> ipywidgets.Button:
        tooltip, icon, _ = BUTTONS[name]
        button = ipywidgets.Button(description=name, tooltip=tooltip, icon=icon, layout={"width": "auto"})
        act = getattr(self.session, name.lower().replace(" ", "_"))
        button.on_click(lambda _: self._try(act))
        return button

    def _try(self, act: Any) -> None:
        try:
            act()
        except RuntimeError as error:
            self.status.message = str(error)

    def _heard(self, record: dict[str, Any] | None) -> None:
        """A record, or None for a new state; in the thread that trains, or the one that asked."""
        if self._closed:
            return
        if record is None:
            self._redraw()
            if self.session.state in ("paused", "idle", "finished", "error"):
                self.keep_picture()
            return
        for knob in self.knobs:
            knob.follow(record)
        self.device.follow(record)
        now = time.monotonic()
        pause = max(between_redraws(self.trainer.elapsed), self._cost / COST)
        if now - self._drawn_fast >= pause:
            self._redraw(slow_too=now - self._drawn_slow >= SLOWER * pause)

    def _redraw(self, slow_too: bool = True) -> None:
        began = time.thread_time()
        with self._lock:
            self._drawn_fast = time.monotonic()
            self._show_state()
            self.returns.flush()
            if slow_too:
                self._drawn_slow = self._drawn_fast
                self.details.flush()
                record = self.session.last_record
                self.times.shares = {key: record[key] for key in TIMES if key in record}
                self._think()
        self._cost = time.thread_time() - began

    def _think(self) -> None:
        """What takes longer, and changes seldom: diagnosis, marks, timeline, metrics, use of the machine."""
        log = self.session.log
        self.findings.look(log.recent)
        marks = [{"x": change.global_step, "text": mark(change)} for change in log.changes]
        if marks != self.returns.marks:
            self.returns.marks = marks
        self.more.follow(log)
        self.status.machine = str(self._machine.look())

    def _show_state(self) -> None:
        self.status.follow(self.session)
        for name, button in self.buttons.items():
            disabled = self.status.state not in BUTTONS[name][2]
            if button.disabled != disabled:
                button.disabled = disabled

    def _subtitle(self) -> str:
        policy = self.trainer.policy
        parameters = sum(weight.numel() for weight in policy.parameters())
        return f"{self.trainer.env.num_agents:,} agents · {type(policy).__name__}, {parameters:,} parameters"

    def _leave(self) -> None:
        """Off the page, threads ended; the session goes on."""
        self._closed = True
        self._forget()
        self.agent.close()
        self.more.leave()
        for widget in family(self):
            widget.close() if widget is not self else ipywidgets.VBox.close(self)


def mark(change: Change) -> str:
    """A change in a few words, for the curve."""
    new = f"{change.new:.2g}" if isinstance(change.new, float) else change.new
    return f"{SHORT.get(change.option, change.option)} {new}"
