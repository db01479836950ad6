"""The picture that stays: what a panel showed, for a notebook that is read without a kernel."""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np

from pufferbench.widgets.history import History

BLUE, PALE, GREY = "#0072b2", "#8fc1e3", "#5c5f66"


def picture(title: str, subtitle: str, history: History, frame: np.ndarray | None = None) -> bytes:
    """A PNG file's bytes: the return curve, and the agent's last frame beside it."""
    from matplotlib.figure import Figure  # here: a second to import, and only needed at a pause

    figure = Figure(figsize=(9.6, 3.6), dpi=80, facecolor="white", layout="constrained")
    grid = (
        figure.add_gridspec(1, 2, width_ratios=[2.3, 1]) if frame is not None else figure.add_gridspec(1, 1)
    )
    axes = figure.add_subplot(grid[0])
    rows = history.rows()
    steps = rows[:, history.columns.index("global_step")]
    for key, label, colour, width in (
        ("episode_return", "episodes of one update", PALE, 1.0),
        ("episode_return_100", "mean of the last 100 episodes", BLUE, 2.0),
    ):
        values = rows[:, history.columns.index(key)]
        known = np.isfinite(values)
        axes.plot(steps[known], values[known], color=colour, linewidth=width, label=label)
    axes.set_xlabel("environment steps")
    axes.set_ylabel("episode return")
    axes.grid(color="#eceef1")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if len(rows):
        axes.legend(frameon=False, loc="best")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_title(subtitle, loc="right", color=GREY, fontsize=9)
    if frame is not None:
        game = figure.add_subplot(grid[1])
        game.imshow(frame)
        game.set_axis_off()
        game.set_title("the agent playing", fontsize=10)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def describe_run(title: str, state: str, record: dict[str, Any]) -> str:
    """What the picture shows, in one sentence."""
    if not record:
        return f"Training panel of {title}, {state}: nothing trained yet."
    words = f"Training panel of {title}, {state} at update {record['update']}, step {record['global_step']:,}"
    if "episode_return_100" in record:
        words += f": mean return of the last 100 episodes {record['episode_return_100']:.4g}"
    return words + "."


def as_html(file: bytes | None, alt: str, cover: str) -> str:
    """The picture, a PNG, JPEG or SVG file (or only the words, when there is none) as HTML that needs nothing else.

    The live view hides elements of class ``cover``. Without a kernel, JupyterLab writes an error where the
    live view was; the style rule puts the picture in its place.
    """
    alt = html.escape(alt, quote=True)
    if file is None:
        return f'<div class="{cover}">{alt}</div>'
    kind = "svg+xml" if file[:4] == b"<svg" else "jpeg" if file[:2] == b"\xff\xd8" else "png"
    data = base64.b64encode(file).decode("ascii")
    return (
        f"<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child .{cover}):not(:has(.pb)) "
        "{ display: none; }</style>"
        f'<div class="{cover}">'
        f'<img alt="{alt}" src="data:image/{kind};base64,{data}" style="max-width: 100%"></div>'
    )
