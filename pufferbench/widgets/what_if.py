"""what_if(): drag any hyperparameter, and whole learning curves follow while the finger moves."""

from __future__ import annotations

import html
import io
import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets

from pufferbench.config import Option
from pufferbench.errors import did_you_mean
from pufferbench.trainer import PuffeRL
from pufferbench.what_if import Answer, Answers, HeatMap, QuickTraining, values_of
from pufferbench.widgets.assets import script, style
from pufferbench.widgets.controls import LABELS, USEFUL, make_slider
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.saved import Saved, family
from pufferbench.widgets.snapshot import BLUE

NAMES = LABELS | {
    "num_envs": "Games",
    "bptt_horizon": "Horizon",
    "minibatch_size": "Minibatch",
    "hidden_size": "Hidden units",
}
FIRST = ("learning_rate", "ent_coef", "gamma", "gae_lambda", "clip_coef", "update_epochs", *list(NAMES)[-4:])
AXES = {"learning_rate": (3e-4, 1e-1, 0)}  # of the map, where a slider's range has too much of the same
CELLS = 9  # along each side of the heat map
DIGITS = 4  # of returns, after the point: in the browser
BETWEEN = 0.04  # s between two drawings: more than a screen shows is wasted


class Plots(anywidget.AnyWidget):
    """The curves and the heat map, as finished numbers."""

    _esm = script("what_if.js")
    _css = style("what_if.css")

    title = traitlets.Unicode().tag(sync=True)
    curve = traitlets.Dict().tag(sync=True)
    before = traitlets.Dict().tag(sync=True)
    range = traitlets.List([0.0, 1.0]).tag(sync=True)
    heat = traitlets.Dict().tag(sync=True)
    place: Any = traitlets.List().tag(sync=True)  # the cell nearest to the sliders


class WhatIf(Saved):
    """Whole trainings, recomputed while a slider moves: ``what_if("cartpole")`` as the last line of a cell.

    First a curve of a few seeds; when the slider rests, all of them. "Fill the map" trains a whole grid over two of the
    options, coarse places first; a click on a cell takes the sliders there.

    Args:
        env: name of a small registered environment, such as cartpole, chain, bandit or gridworld.
        seeds: trainings of each setting.
        settings: options of :class:`pufferbench.TrainConfig`, ``num_envs`` and ``hidden_size`` to begin with.

    Attributes:
        training: the :class:`pufferbench.what_if.QuickTraining` behind it.
        answer: the newest :class:`pufferbench.what_if.Answer`; None before the first.
        heat: the :class:`pufferbench.what_if.HeatMap`, None before "Fill the map".
        sliders: by the option's name.
    """

    def __init__(self, env: str = "cartpole", seeds: int = 8, **settings: Any) -> None:
        self.training = QuickTraining(env, **settings)
        self.answer: Answer | None = None
        self.heat: HeatMap | None = None
        self._lock = threading.RLock()
        self._drawn = 0.0  # when
        self._rested: Answer | None = None  # the newest complete one
        self._began = time.monotonic()
        self._following = False
        self._range: tuple[float, float] | None = None
        self._options = self.training.options()
        names = sorted(self._options, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        self.plots = Plots(title=self.training.spec.id)
        self.plots.on_msg(self._clicked)
        self.status = ipywidgets.HTML().add_class("pb-what-if-status")
        self.sliders = {name: self._slider(self._options[name]) for name in names}
        axes = [(NAMES.get(name, name), name) for name in names]
        self.x = ipywidgets.Dropdown(options=axes, value="learning_rate", description="Map over")
        self.y = ipywidgets.Dropdown(options=axes, value="ent_coef", description="and")
        self.fill_button = ipywidgets.Button(
            description="Fill the map",
            icon="th",
            tooltip="Train every place of the grid; click a place to go there",
        )
        self.fill_button.on_click(lambda _: self.fill())
        self.reset_button = ipywidgets.Button(
            description="Reset", icon="undo", tooltip="All sliders back to where they were at first"
        )
        self._start = self.values
        self.reset_button.on_click(lambda _: self.set(**self._start))
        knobs = ipywidgets.Box([self._row(name) for name in names]).add_class("pb-what-if-knobs")
        row = ipywidgets.HBox(
            [self.reset_button, self.x, self.y, self.fill_button], layout={"flex_flow": "row wrap"}
        )
        super().__init__([self.status, self.plots, knobs, row])
        self.add_class("pb-card").add_class("pb-what-if-panel")
        for widget in (
            self.plots,
            *self.sliders.values(),
            self.x,
            self.y,
            self.fill_button,
            self.reset_button,
        ):
            answer_during_cells(widget)
        self.answers = Answers(self.training, seeds, self._answered, self._heated)
        self.answers.ask(**self.values)

    # -- what a person does ---------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """Where the sliders are."""
        return {name: slider.value for name, slider in self.sliders.items()}

    def set(self, **values: Any) -> None:
        """Move several sliders at once. Raises ConfigError for a name or value that cannot be."""
        checked = self.training.checked(values)
        unknown = [name for name in checked if name not in self.sliders]
        if unknown:
            raise ValueError(f"there is no slider {unknown[0]!r}{did_you_mean(unknown[0], self.sliders)}")
        self._following = True
        try:
            for name, value in checked.items():
                self.sliders[name].value = value
        finally:
            self._following = False
        self._ask()

    def fill(self) -> None:
        """Fill a heat map over the two chosen options; the others stay as they are now."""
        x, y = self.x.value, self.y.value
        if x == y:
            self._say("choose two different options for the map", "refused")
            return
        with self._lock:
            self.heat = HeatMap((x, self._axis(x)), (y, self._axis(y)))
            base = {name: value for name, value in self.values.items() if name not in (x, y)}
        self.answers.fill(self.heat, **base)
        self._draw_heat()

    def trainer(self, seed: int = 0) -> PuffeRL:
        """A trainer with the sliders' options, trained to its end: to watch, to replay, to look into."""
        trainer = self.training.trainer(seed, **self.values)
        for _ in trainer.steps():
            pass
        return trainer

    def wait(self, timeout: float | None = None) -> bool:
        """Until everything asked for is computed. Returns whether it is."""
        return self.answers.wait(timeout)

    def close(self) -> None:
        """End the threads and take the widget off the page. Closing twice is fine."""
        self.answers.close()
        for widget in family(self)[1:]:
            widget.close()
        super().close()

    # -- asking ---------------------------------------------------------------------------------

    def _slider(self, option: Option) -> ipywidgets.Widget:
        value = self.training.settings.get(option.name, option.default)
        if option.choices:
            choices = sorted({*option.choices, value})
            slider = ipywidgets.SelectionSlider(
                options=choices, value=value, layout={"width": "auto", "flex": "1 1 auto"}
            )
            slider.tooltip = f"{option.name}: {option.doc}"
        else:
            slider = make_slider(option, value)
        slider.continuous_update = True  # the whole point
        slider.observe(lambda _: self._moved(), names="value")
        return slider

    def _row(self, name: str) -> ipywidgets.HBox:
        option = self._options[name]
        tip = html.escape(f"{name}: {option.doc}", quote=True)
        text = ipywidgets.HTML(f'<span title="{tip}">{html.escape(NAMES.get(name, name))}</span>')
        return (
            ipywidgets.HBox([text.add_class("pb-knob-label"), self.sliders[name]])
            .add_class("pb-knob")
            .add_class(f"pb-knob-{name}")
        )

    def _moved(self) -> None:
        if not self._following:
            self._ask()

    def _ask(self) -> None:
        self._began = time.monotonic()
        self._say("training …", "pending")
        self.answers.ask(**self.values)
        self._mark_place()

    def _clicked(self, _: Any, content: dict[str, Any], buffers: Any) -> None:
        if content.get("kind") == "cell" and self.heat is not None:
            self.set(**self.heat.changes(int(content["i"]), int(content["j"])))

    def _axis(self, name: str) -> list[Any]:
        option = self._options[name]
        low, high, _ = AXES.get(name) or USEFUL.get(name) or (option.low or 0.0, option.high or 1.0, 0)
        if option.choices:
            low, high = option.choices[0], option.choices[-1]
        return values_of(option, low, high, CELLS)

    # -- answers, in the training threads -------------------------------------------------------

    def _answered(self, answer: Answer) -> None:
        with self._lock:
            now = time.monotonic()
            self.answer = answer
            if not answer.complete and now - self._drawn < BETWEEN:
                return
            self._drawn = now
            with self.plots.hold_sync():
                self.plots.range = self._widen(answer)
                self.plots.curve = as_json(answer, self.answers.seeds)
            if answer.complete:
                if self._rested is not None:
                    self.plots.before = as_json(self._rested, self.answers.seeds)
                self._rested = answer
                took = now - self._began
                rate = len(answer.curves) / took
                steps = self.training.settings["total_timesteps"]
                self._say(
                    f"{len(answer.curves)} complete trainings of {steps:,} steps in {1000 * took:.0f} ms: "
                    f"{rate:.1f} trainings/s",
                    "",
                )
                self.keep_picture()

    def _heated(self) -> None:
        with self._lock:
            self._draw_heat()
        if self.answers.error:
            self._say(self.answers.error, "refused")

    def _draw_heat(self) -> None:
        heat = self.heat
        assert heat is not None
        axes = {
            side: {"label": NAMES.get(name, name), "name": name, "values": values}
            for side, (name, values) in (("x", heat.x), ("y", heat.y))
        }
        scores = [[None if math.isnan(score) else score for score in row] for row in heat.scores.tolist()]
        self.plots.heat = {**axes, "scores": scores, "done": heat.done, "total": heat.total}
        self._mark_place()

    def _mark_place(self) -> None:
        heat = self.heat
        if heat is not None:
            nearest = [nearest_to(values, self.sliders[name].value, self._options[name].log)
                       for name, values in (heat.y, heat.x)]  # fmt: skip
            self.plots.place = nearest

    def _widen(self, answer: Answer) -> list[float]:
        """The y axis only grows: curves of one position can be compared with those of another."""
        returns = answer.returns[np.isfinite(answer.returns)].round(DIGITS)
        if len(returns):
            low, high = float(min(returns.min(), 0.0)), float(returns.max())
            if self._range is not None:
                low, high = min(low, self._range[0]), max(high, self._range[1])
            self._range = low, high if high > low else low + 1
        return list(self._range or (0.0, 1.0))

    def _say(self, words: str, kind: str) -> None:
        self.status.value = f'<span class="pb-{kind or "note"}" role="status">{html.escape(words)}</span>'

    def picture(self) -> tuple[bytes | None, str]:
        """The newest complete answer, and the heat map if there is one."""
        answer, heat = self._rested, self.heat
        if answer is None:
            return None, f"Learning curves of {self.training.spec.id}: no answer yet."
        alt = f"Learning curves of {self.training.spec.id}, {len(answer.curves)} seeds: final score {answer.final:.4g}"
        if heat is not None:
            alt += f"; beside it the final scores over {NAMES[heat.x[0]]} and {NAMES[heat.y[0]]}"
        return draw(self.training.spec.id, answer, heat), alt + "."

    def __repr__(self) -> str:
        score = "no answer yet" if self.answer is None else f"final score {self.answer.final:.4g}"
        return f"WhatIf({self.training.spec.id}, {score})"


def as_json(answer: Answer, total: int) -> dict[str, Any]:
    """What the browser draws."""
    low, high = answer.band
    several = len(answer.curves) > 1
    return {
        "steps": answer.steps.tolist(),
        "mean": _numbers(answer.mean),
        "low": _numbers(low) if several else None,
        "high": _numbers(high) if several else None,
        "final": None if math.isnan(answer.final) else answer.final,
        "seeds": len(answer.curves),
        "total": total,
        "failures": len(answer.failures),
    }


def draw(title: str, answer: Answer, heat: HeatMap | None) -> bytes:
    """A PNG file's bytes: the curves with their band, and the heat map beside them."""
    from matplotlib.figure import (
        Figure,
    )  # here: a second to import, and only needed for the picture that stays

    figure = Figure(figsize=(9.6, 3.6), dpi=80, facecolor="white", layout="constrained")
    axes = figure.add_subplot(1, 1 if heat is None else 2, 1)
    axes.fill_between(
        answer.steps, *answer.band, color=BLUE, alpha=0.18, linewidth=0, label="worst to best seed"
    )
    axes.plot(answer.steps, answer.mean, color=BLUE, linewidth=2, label=f"mean of {len(answer.curves)} seeds")
    axes.set(xlabel="environment steps", ylabel="episode return")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(color="#eceef1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    if heat is not None:
        side = figure.add_subplot(1, 2, 2)
        image = side.imshow(heat.scores, origin="lower", aspect="auto", cmap="viridis")
        figure.colorbar(image, label="final score")
        side.set_xticks(range(len(heat.x[1])), [f"{value:.2g}" for value in heat.x[1]], rotation=45)
        side.set_yticks(range(len(heat.y[1])), [f"{value:.2g}" for value in heat.y[1]])
        side.set(xlabel=NAMES.get(heat.x[0], heat.x[0]), ylabel=NAMES.get(heat.y[0], heat.y[0]))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else round(value, DIGITS) for value in values.tolist()]


def nearest_to(values: Sequence[float], value: float, log: bool) -> int:
    """The index of the one of ``values`` that is nearest to ``value``."""
    scale = (lambda v: math.log(max(v, 1e-12))) if log else float
    return int(np.argmin([abs(scale(v) - scale(value)) for v in values]))


def what_if(env: str = "cartpole", seeds: int = 8, **settings: Any) -> WhatIf:
    """Drag any hyperparameter, and whole learning curves follow; see :class:`WhatIf`."""
    return WhatIf(env, seeds, **settings)
