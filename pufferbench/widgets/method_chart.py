"""How a tabular method gets on: its error by sweep, or its return by episode, as SVG."""

from __future__ import annotations

from pufferbench.tabular import Method
from pufferbench.widgets.svg import Plot, picture

MOST = 400  # numbers in the chart


def method_chart(method: Method) -> str:
    """The newest of ``method.history``, with its name and unit (``method.measure``)."""
    history = method.history[-MOST:]
    first = len(method.history) - len(history) + 1
    plot = Plot(
        (46, 40, 244, 90),
        (first, max(first + len(history) - 1, first + 1)),
        (min([*history, 0.0]), max([*history, 0.0])) if history else (0.0, 1.0),
        title=f"{method.sweeps:,} {'sweeps' if method.plans else 'episodes'}, {method.steps:,} steps"
        + (", done" if method.done else ""),
        y_label=method.measure,
        x_label="sweep" if method.plans else "episode",
    )
    plot.line(range(first, first + len(history)), history, "blue", "pb-thin")
    if len(history) == 1:
        plot.dot(first, history[0], "blue", radius=3)
    return picture(
        300, 168, str(plot), label=f"{method.measure}: {history[-1]:.3g}" if history else method.measure
    )
