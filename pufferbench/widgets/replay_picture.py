"""The picture of a replay that stays in a saved notebook."""

from __future__ import annotations

import io

import numpy as np

from pufferbench.episodes import Episode

BLUE, GREEN, ORANGE, GREY = "#0072b2", "#00875f", "#d98a00", "#5c5f66"


def picture(episode: Episode, step: int, agent: int, advantages: np.ndarray | None) -> bytes:
    """A PNG file's bytes: the frame before ``step``, and beside it value, advantage and reward of all steps."""
    from matplotlib.figure import Figure  # here: most of a second to import

    rows = [("reward", episode.rewards[:, agent], ORANGE, True)]
    if episode.values is not None and advantages is not None:
        rows = [
            ("value", episode.values[:-1, agent], BLUE, False),
            ("advantage", advantages[:, agent], GREEN, True),
            *rows,
        ]
    figure = Figure(figsize=(9.6, 3.6), dpi=80, facecolor="white", layout="constrained")
    frame = episode.frame(step)
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.7]) if frame is not None else (None, figure)
    if left is not None:
        axes = left.add_subplot()
        axes.imshow(frame)
        axes.set_axis_off()
        axes.set_title(f"{episode.env}, step {step}", fontsize=10, fontweight="bold")
    steps = np.arange(len(episode))
    for axes, (name, values, colour, bars) in zip(
        right.subplots(len(rows), 1, sharex=True, squeeze=False).ravel(), rows, strict=True
    ):
        if bars:
            axes.vlines(steps, 0, values, color=colour, linewidth=1)
        else:
            axes.plot(steps, values, color=colour)
        axes.axvline(step, color=GREY, linestyle=":", linewidth=1)
        axes.set_ylabel(name)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("step")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
