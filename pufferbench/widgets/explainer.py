"""What the explainers have in common: a question, a few controls, a drawing, and what it means in words."""

from __future__ import annotations

import html

import ipywidgets

from pufferbench.widgets.drawing import Drawing, View


class Explainer(View):
    """A drawing that follows its controls. A subclass has ``svg``, ``describe`` and :meth:`meaning`.

    Args:
        title: the question that it answers.
        controls: whose ``value`` decides what is drawn.
        buttons: beside the title.
    """

    def __init__(
        self,
        title: str,
        controls: list[ipywidgets.Widget],
        buttons: tuple[ipywidgets.Widget, ...] = (),
    ) -> None:
        self.drawing = Drawing(self.picked)
        self.words = ipywidgets.HTML().add_class("pb-words")
        name = ipywidgets.Label(title).add_class("pb-name")
        head = ipywidgets.HBox([name, *buttons]).add_class("pb-row")
        row = ipywidgets.Box(controls).add_class("pb-knobs-row")
        for control in controls:
            control.observe(lambda _: self.redraw(), names="value")
        super().__init__([head, *([row] if controls else []), self.drawing, self.words])

    def meaning(self) -> str:
        """What is to be seen now, in a sentence or two."""
        raise NotImplementedError

    def picked(self, pick: str, kind: str) -> None:
        """The element of the drawing whose ``data-pick`` is ``pick`` was clicked. Some explainers tell about it."""

    def redraw(self) -> None:
        super().redraw()
        self.words.value = html.escape(self.meaning())


def slider(
    words: str, value: float, low: float, high: float, step: float, tooltip: str, whole: bool = False
) -> ipywidgets.Widget:
    """A slider that acts while it is dragged."""
    about = {"min": low, "max": high, "step": step, "description": words, "tooltip": tooltip}
    if whole:
        return ipywidgets.IntSlider(int(value), **about)
    return ipywidgets.FloatSlider(value, readout_format=".2f", **about)


def choice(words: str, options: list[str], tooltip: str) -> ipywidgets.Widget:
    """One of a few alternatives; the first one is chosen."""
    return ipywidgets.Dropdown(options=options, description=words, tooltip=tooltip)
