"""Sliders bound to the hyperparameters that may change while training."""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Callable
from typing import Any

import ipywidgets

from pufferbench.config import Option, TrainConfig, describe
from pufferbench.errors import PufferBenchError

LABELS = {
    "learning_rate": "Learning rate",
    "ent_coef": "Entropy coefficient",
    "clip_coef": "Clip range",
    "gamma": "Discount (gamma)",
    "gae_lambda": "GAE lambda",
    "update_epochs": "Epochs per update",
    "vf_coef": "Value coefficient",
    "max_grad_norm": "Gradient norm limit",
    "target_kl": "KL limit (0: none)",
    "reward_clip": "Reward clip (0: none)",
    "rho_clip": "Puff: rho clip",
    "c_clip": "Puff: c clip",
    "prio_alpha": "Priority exponent",
    "prio_beta0": "Priority correction",
}
# (smallest, largest, step): where turning the knob shows something; the legal range is often much wider.
# On a logarithmic scale the step is in powers of ten.
USEFUL = {
    "learning_rate": (1e-5, 1e-1, 0.05),
    "ent_coef": (0.0, 0.1, 0.001),
    "clip_coef": (0.05, 0.5, 0.01),
    "gamma": (0.8, 1.0, 0.001),
    "gae_lambda": (0.0, 1.0, 0.01),
    "update_epochs": (1, 10, 1),
    "vf_coef": (0.0, 4.0, 0.05),
    "max_grad_norm": (0.01, 10.0, 0.05),
    "target_kl": (0.0, 0.1, 0.001),
    "reward_clip": (0.0, 10.0, 0.1),
    "rho_clip": (0.0, 3.0, 0.05),
    "c_clip": (0.0, 3.0, 0.05),
    "prio_alpha": (0.0, 2.0, 0.05),
    "prio_beta0": (0.0, 1.0, 0.05),
}


class Knob:
    """One live hyperparameter: its name, a slider, and what became of the last change.

    Moving the slider queues a request, from whichever thread the kernel delivers it in; the trainer
    applies it at the next update boundary, and the record of that update says so.
    """

    def __init__(self, trainer: Any, option: Option) -> None:
        self.trainer = trainer
        self.option = option
        self._kind = ""  # of the note: pending, applied, refused or none
        self._following = threading.Event()  # set while we move the slider ourselves
        label = html.escape(LABELS.get(option.name, option.name))
        unit = f" <small>{html.escape(option.unit)}</small>" if option.unit else ""
        tip = html.escape(f"{option.name}: {option.doc}", quote=True)
        self.label = ipywidgets.HTML(f'<span title="{tip}">{label}{unit}</span>').add_class("pb-knob-label")
        self.slider = make_slider(option, getattr(trainer, option.name))
        self.slider.observe(self._moved, names="value")
        self.note = ipywidgets.Label("", layout={"width": "auto"}).add_class("pb-knob-note")
        self.box = ipywidgets.HBox([self.label, self.slider, self.note]).add_class("pb-knob")
        self.box.add_class(f"pb-knob-{option.name}")

    def _moved(self, change: dict[str, Any]) -> None:
        # The browser rounds to steps, and may say so: no wish of anybody.
        same = math.isclose(
            change["new"], getattr(self.trainer, self.option.name), rel_tol=1e-6, abs_tol=1e-9
        )
        if self._following.is_set() or same:
            return
        try:
            self.trainer.request(by="slider", **{self.option.name: change["new"]})
        except PufferBenchError as error:
            self._say(str(error), "refused")
        else:
            self._say("pending", "pending")

    def follow(self, record: dict[str, Any]) -> None:
        """After an update: say that a change was applied, and show changes that were made in code."""
        name = self.option.name
        applied = record.get("changes", {}).get(name)
        if name in self.trainer.pending:
            return
        if applied is not None:
            self._say(f"applied at update {record['update']}", "applied")
            if not math.isclose(applied["new"], self.slider.value, rel_tol=1e-6):
                self._following.set()
                self.slider.value = applied["new"]
                self._following.clear()
        elif self._kind == "pending":  # moved away and back: nothing changed
            self._say("", "")

    def _say(self, words: str, kind: str) -> None:
        self._kind = kind
        with self.note.hold_sync():
            self.note.value = words
            for other in ("pending", "applied", "refused"):
                self.note.remove_class(f"pb-{other}")
            if kind:
                self.note.add_class(f"pb-{kind}")


def make_slider(option: Option, value: float) -> ipywidgets.Widget:
    """The slider for ``option``: logarithmic or not, for integers or not, wide enough for ``value``."""
    low, high, step = USEFUL.get(option.name) or _legal(option)
    if option.log:
        value_at, low, high = math.log10(value), math.log10(low), math.log10(high)
    else:
        value_at = value
    low, high = min(low, value_at), max(high, value_at)
    # The browser rounds to whole steps from the lower end: the value must lie on one.
    for _ in range(3):
        if not option.log and not _on_step(value_at - low, step):
            step /= 10
    if not _on_step(value_at - low, step):
        low = value_at - step * math.floor((value_at - low) / step)
    about = {
        "description_allow_html": False,
        "tooltip": f"{option.name}: {option.doc}",
        # At the end of a drag, so that the record says what was wanted and not what was passed over. And a
        # slider of the other kind sends its value when it is made: before JupyterLab has its subshell for
        # widgets, that message waits for the end of a running cell, and every later move behind it.
        "continuous_update": False,
        "layout": {"width": "auto", "flex": "1 1 auto"},
    }
    if option.log:
        return ipywidgets.FloatLogSlider(
            value, base=10, min=low, max=high, step=step, readout_format=".2g", **about
        )
    if option.type is int:
        return ipywidgets.IntSlider(int(value), min=int(low), max=int(high), step=int(step), **about)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, readout_format=f".{decimals}f", **about
    )


def _on_step(distance: float, step: float) -> bool:
    return math.isclose(distance / step, round(distance / step), abs_tol=1e-6)


def _legal(option: Option) -> tuple[float, float, float]:
    low = option.low if option.low is not None else 0.0
    high = option.high if option.high is not None else max(10 * abs(option.default), 1.0)
    if option.log:
        return low, high, 0.05
    return low, high, 1 if option.type is int else (high - low) / 100


def make_knobs(trainer: Any) -> list[Knob]:
    """A knob for every live hyperparameter that does something with the trainer's other options."""
    options = describe(TrainConfig)
    order = {name: i for i, name in enumerate(LABELS)}
    live = [option for option in options.values() if option.live and option.matters(trainer.config)]
    return [Knob(trainer, option) for option in sorted(live, key=lambda o: order.get(o.name, len(order)))]


class DeviceChoice:
    """Where the policy runs. What this machine lacks is shown greyed out, with the reason."""

    def __init__(self, trainer: Any, changed: Callable[[], None] = lambda: None) -> None:
        from pufferbench.widgets.choice import Choice

        self.trainer = trainer
        self.choice = Choice(
            label="Device",
            value=str(trainer.device),
            help=describe(TrainConfig)["device"].doc,
            options=[_device("cpu", "CPU"), _device("cuda", "CUDA (GPU)")],
        )
        self.choice.observe(self._chosen, names="value")

    def _chosen(self, change: dict[str, Any]) -> None:
        if change["new"] == str(self.trainer.device):
            return
        try:
            self.trainer.request(device=change["new"])
        except PufferBenchError as error:
            self.choice.note = str(error)
        else:
            self.choice.note = "pending"

    def follow(self, record: dict[str, Any]) -> None:
        """After an update: say that the move was made, also when it was asked for in code."""
        if "device" in record.get("changes", {}):
            self.choice.value = str(self.trainer.device)
            self.choice.note = f"applied at update {record['update']}"


def _device(name: str, label: str) -> dict[str, Any]:
    from pufferbench.config import check_device

    try:
        check_device(name)
    except PufferBenchError as error:
        return {"value": name, "label": label, "disabled": True, "reason": str(error)}
    return {"value": name, "label": label, "disabled": False, "reason": ""}
