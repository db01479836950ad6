"""TrainerPanel: see a training, and steer it."""

from __future__ import annotations

import threading
import time
from typing import Any

import ipywidgets
from IPython.display import HTML, display

from pufferbench.widgets.controls import DeviceChoice, make_knobs
from pufferbench.widgets.curves import Chart, Curves, Line, curve_keys
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.session import Session
from pufferbench.widgets.snapshot import as_html, describe_run, picture
from pufferbench.widgets.status import TIMES, Status, TimeSplit
from pufferbench.widgets.viewer import LiveAgent

RETURNS = (
    Chart(
        "Episode return",
        "reward per episode",
        (
            Line("episode_return_100", "mean of the last 100 episodes"),
            Line("episode_return", "episodes of one update", "sky", faint=True),
        ),
        "What the agent is after. It should rise.",
    ),
)
DETAILS = (
    Chart(
        "Episode length",
        "steps",
        (Line("episode_length", colour="green"),),
        "Mean over an update's episodes.",
    ),
    Chart("Speed", "steps/s", (Line("sps", colour="green"),), "Environment steps trained on per second."),
    Chart(
        "Explained variance",
        "",
        (Line("explained_variance", colour="purple"),),
        "How well the value function predicts returns. 1: perfectly, 0: no better than their mean.",
        low=-1,
        high=1,
    ),
    Chart(
        "Entropy",
        "nats",
        (Line("entropy", colour="purple"),),
        "Randomness of the policy; falls as it decides.",
    ),
    Chart(
        "Policy loss", "", (Line("policy_loss", colour="orange"),), "PPO's clipped objective; hovers near 0."
    ),
    Chart(
        "Value loss",
        "return²",
        (Line("value_loss", colour="orange"),),
        "Squared error of the value function.",
    ),
    Chart(
        "KL divergence",
        "nats",
        (Line("approx_kl", colour="red"),),
        "How far one update moves the policy. Above about 0.05 the steps are too big.",
    ),
    Chart("Learning rate", "", (Line("learning_rate", colour="grey"),), "In force at each update."),
)
COLUMNS = curve_keys(RETURNS + DETAILS)

FAST, SLOW = 0.1, 0.3  # s between two redraws of the return curve and progress; of everything else
COST = 0.03  # share of the training thread's time that redrawing may take, at most

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


class TrainerPanel(ipywidgets.VBox):
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
        self._picture_lock = threading.Lock()
        self._drawn_fast = self._drawn_slow = 0.0  # when
        self._cost = 0.0
        self._displays: list[Any] = []
        self._closed = True  # until everything is made

        self.status = Status(title=self.title, subtitle=self._subtitle())
        self.buttons = {name: self._button(name) for name in BUTTONS}
        self.device = DeviceChoice(trainer)
        self.returns = Curves(RETURNS, self.session.history, height=300)
        self.details = Curves(DETAILS, self.session.history, height=124, columns=4)
        self.times = TimeSplit()
        self.knobs = make_knobs(trainer)
        self.view = FrameView(label="The agent now", alt=f"The agent playing {self.title}, live")
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
                ipywidgets.Box([self.returns, live]).add_class("pb-stage"),
                self.details,
                self.times,
                ipywidgets.Box([knob.box for knob in self.knobs]).add_class("pb-knobs"),
            ]
        )
        self.status.cover = self._cover = f"pb-saved-{self.model_id}"
        self.add_class("pb").add_class("pb-panel")
        for widget in _family(self):
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

    def update(self, record: dict[str, Any] | None = None) -> None:
        """Redraw now. Not needed in a loop over ``trainer.steps()``: records move the panel by themselves."""
        self._redraw()

    def close(self) -> None:
        """Stop training, end all threads and take the panel off the page. Closing twice is fine."""
        if not getattr(self, "_closed", True):
            self.session.close()
            self._leave()

    # -- pictures for later ---------------------------------------------------------------------

    def snapshot_html(self) -> str:
        """The panel as a static picture with alt text: HTML that needs no kernel and no network."""
        session = self.session
        alt = describe_run(self.title, session.state, session.last_record)
        if not len(session.history):
            return as_html(None, alt, self._cover)
        record = session.last_record
        subtitle = f"update {record.get('update', 0)} · {record.get('sps', 0):,.0f} steps/s · {session.state}"
        return as_html(
            picture(self.title, subtitle, session.history, self.agent.last_frame), alt, self._cover
        )

    def _ipython_display_(self, **_: Any) -> None:
        """The live view, and under it the picture for when there is no kernel, which the live view hides."""
        bundle = ipywidgets.VBox._repr_mimebundle_(self)
        bundle["text/plain"] = repr(self)
        display(bundle, raw=True)
        self._displays.append(display(HTML(self.snapshot_html()), display_id=True))

    def _keep_picture(self) -> None:
        with self._picture_lock:
            picture_now = HTML(self.snapshot_html())
            for handle in self._displays:
                handle.update(picture_now)

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
            if self._displays and self.session.state in ("paused", "idle", "finished", "error"):
                # Not in this thread: a picture takes most of a second, and a press of Start must not wait for it.
                threading.Thread(target=self._keep_picture, name="pufferbench-picture", daemon=True).start()
            return
        for knob in self.knobs:
            knob.follow(record)
        self.device.follow(record)
        now = time.monotonic()
        if now - self._drawn_fast >= max(FAST, self._cost / COST):
            self._redraw(slow_too=now - self._drawn_slow >= SLOW)

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
        self._cost = time.thread_time() - began

    def _show_state(self) -> None:
        state, record, error = self.session.state, self.session.last_record, self.session.error
        with self.status.hold_sync():
            self.status.state = "finished" if state == "idle" and self.session.finished else state
            self.status.message = "" if error is None else explain(error)
            self.status.progress = {
                "done": self.trainer.progress,
                "update": self.trainer.update,
                "step": self.trainer.global_step,
                "total": self.trainer.total_timesteps,
                **{key: record[key] for key in ("sps", "eta", "elapsed") if key in record},
            }
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
        for widget in _family(self):
            widget.close() if widget is not self else ipywidgets.VBox.close(self)


def explain(error: BaseException) -> str:
    """What to show in the panel when training ended with ``error``."""
    return f"{type(error).__name__}: {error}\nFor the traceback, run in a cell: raise panel.session.error"


def _family(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    children = getattr(widget, "children", ())
    return [widget] + [member for child in children for member in _family(child)]
