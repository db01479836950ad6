"""What a training is doing now: state, progress, and where the time goes."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style

# key of the metrics record -> name, colour, explanation
TIMES = {
    "time_env": ("environment", "green", "stepping the games"),
    "time_policy": (
        "policy",
        "blue",
        "choosing actions; for compiled games and the fused learner, stepping them too",
    ),
    "time_copy": ("copying", "purple", "copying observations and results into the rollout"),
    "time_train": ("learning", "orange", "loss, gradients, optimizer"),
    "time_other": ("other", "grey", "everything else, such as logging and this panel"),
}


class Status(anywidget.AnyWidget):
    """Title, state, and a progress bar with rate and remaining time.

    Args:
        title: what is trained.
        state: one of :data:`pufferbench.widgets.session.STATES`.
        message: the error's text in state ``"error"``.
        note: what takes long just now, in words, instead of the progress.
        progress: numbers of the newest record: ``done`` (0..1), ``update``, ``step``, ``total``, ``sps``
            (steps/s), ``eta`` and ``elapsed`` (s).
        machine: how much of it is in use, in words.
    """

    _esm = script("status.js")
    _css = style("status.css", "panel.css")

    title = traitlets.Unicode("").tag(sync=True)
    subtitle = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Unicode("idle").tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    machine = traitlets.Unicode("").tag(sync=True)

    def follow(self, session: Any) -> None:
        """Show where ``session``, a :class:`pufferbench.widgets.session.Session`, is now."""
        trainer, record, error = session.trainer, session.last_record, session.error
        with self.hold_sync():
            self.state = state_of(session)
            self.message = "" if error is None else explain(error)
            self.note = session.note
            self.progress = {
                "done": trainer.progress,
                "update": trainer.update,
                "step": trainer.global_step,
                "total": trainer.total_timesteps,
                **{key: record[key] for key in ("sps", "eta", "elapsed") if key in record},
            }


def state_of(session: Any) -> str:
    """The state to show: one whose steps are all done has finished, also when somebody pressed Stop last."""
    return "finished" if session.state == "idle" and session.finished else session.state


def explain(error: BaseException) -> str:
    """What to show when training ended with ``error``."""
    return f"{type(error).__name__}: {error}\nFor the traceback, run in a cell: raise panel.session.error"


class TimeSplit(anywidget.AnyWidget):
    """One bar: the shares of an update's wall-clock time.

    Args:
        shares: seconds by key of :data:`TIMES`.
    """

    _esm = script("time_split.js")
    _css = style("time_split.css")

    parts = traitlets.List(traitlets.Dict()).tag(sync=True)
    shares = traitlets.Dict().tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        parts = [
            {"key": key, "name": name, "colour": colour, "help": words}
            for key, (name, colour, words) in TIMES.items()
        ]
        super().__init__(parts=parts, **kwargs)
