"""Runs as one matplotlib figure: curves with bands, interquartile means, performance profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pufferbench.runs.aggregate import AXES, METRIC, Curve, Score, aggregate, compare_scores
from pufferbench.runs.scores import performance_profile, profile_band

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito (2008), distinguishable when colour-blind; the second kind of line begins after the last colour
COLOURS = ("#0072b2", "#d98a00", "#00875f", "#b0568a", "#c44e00", "#3d9fd6", "#5c5f66")
STYLES = ("-", "--", ":", "-.")
TEXT, MUTED, GRID = "#1c1c1e", "#5d6067", "#eceef1"
MOST = 8  # groups whose names are written out

UNITS = {"episode_return": "reward per episode", "episode_length": "steps"}


def figure(runs: Any, metric: str = METRIC, by: str = "global_step", transparent: bool = False) -> Figure:
    """Learning curves on the left; what the groups reached, and how their runs are spread, on the right.

    Args:
        runs, metric, by: as in :func:`pufferbench.runs.aggregate`.
        transparent: no white ground.
    """
    curves, scores = aggregate(runs, metric, by), compare_scores(runs, metric)
    return draw(curves, scores, metric, transparent)


def draw(curves: list[Curve], scores: list[Score], metric: str, transparent: bool = False) -> Figure:
    """The figure of curves and scores that are there already."""
    from matplotlib import rc_context  # here: a second to import
    from matplotlib.figure import Figure

    with rc_context({"font.size": 9, "axes.edgecolor": MUTED, "text.color": TEXT}):
        page = Figure(figsize=(11, 4.6), dpi=100, facecolor="none" if transparent else "white")
        page.set_layout_engine("constrained")
        grid = page.add_gridspec(2, 2, width_ratios=[1.75, 1], height_ratios=[1, 1.25])
        main, bars, profile = (page.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
        looks = _looks([curve.label for curve in curves] + [score.label for score in scores])
        _curves(main, curves, metric, looks)
        _bars(bars, scores, looks)
        _profile(profile, scores, looks)
        for axes in (main, bars, profile):
            axes.set_facecolor("none")
            axes.set_axisbelow(True)
            axes.tick_params(colors=MUTED, length=0)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.xaxis.label.set_color(MUTED)
            axes.yaxis.label.set_color(MUTED)
    return page


def _looks(labels: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and kind of line of each group, the same in every chart."""
    each = list(dict.fromkeys(labels))
    return {
        label: (COLOURS[i % len(COLOURS)], STYLES[i // len(COLOURS) % len(STYLES)])
        for i, label in enumerate(each)
    }


def _curves(axes: Any, curves: list[Curve], metric: str, looks: dict[str, tuple[str, str]]) -> None:
    for curve in curves:
        colour, style = looks[curve.label]
        runs = len(curve.runs)
        everybody = np.where(curve.count == runs, curve.value, np.nan)
        some = np.where(np.isfinite(everybody) & np.isfinite(np.roll(everybody, -1)), np.nan, curve.value)
        label = f"{curve.label} ({runs} run{'s' if runs > 1 else ''})"
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(curve.x, everybody, color=colour, linestyle=style, linewidth=1.8, label=label)
        axes.plot(curve.x, some, color=colour, linestyle=":", linewidth=1.2)
    name = metric.removesuffix("_100")
    title = name.replace("_", " ")
    axes.set_title(title[:1].upper() + title[1:], loc="left", fontweight="bold", fontsize=10.5)
    many = any(len(curve.runs) > 1 for curve in curves)
    axes.set_title(
        "interquartile mean, 95 % interval" if many else "", loc="right", color=MUTED, fontsize=8.5
    )
    axes.set_ylabel(UNITS.get(name, title))
    axes.set_xlabel(AXES[curves[0].by])
    axes.grid(axis="y", color=GRID)
    axes.xaxis.set_major_formatter(_short)
    axes.yaxis.set_major_formatter(_short)
    if len(curves) <= MOST:
        axes.legend(frameon=False, loc="best", fontsize=8.5)


def _bars(axes: Any, scores: list[Score], looks: dict[str, tuple[str, str]]) -> None:
    """Agarwal et al. (2021), figure 9: a point and its interval, one row per group."""
    several = len(scores[0].scores) > 1 or len({env for score in scores for env in score.scores}) > 1
    for row, score in enumerate(scores):
        colour, _ = looks[score.label]
        axes.barh(
            row, score.high - score.low, left=score.low, height=0.5, color=colour, alpha=0.3, linewidth=0
        )
        axes.plot([score.value], [row], marker="|", markersize=13, markeredgewidth=2.5, color=colour)
        axes.annotate(
            f"{score.value:.4g}",
            (score.value, row),
            (0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(scores)), [_cut(score.label) for score in scores])
    axes.set_ylim(len(scores) - 0.4, -0.75)
    axes.grid(axis="x", color=GRID)
    axes.xaxis.set_major_formatter(_short)
    axes.use_sticky_edges = False
    axes.margins(x=0.08)
    axes.set_title("Final score", loc="left", fontweight="bold", fontsize=10.5)
    axes.set_title("scaled, by environment" if several else "", loc="right", color=MUTED, fontsize=8.5)


def _profile(axes: Any, scores: list[Score], looks: dict[str, tuple[str, str]]) -> None:
    everything = np.concatenate([np.asarray(v) for score in scores for v in score.scores.values()])
    low, high = everything.min(), everything.max()
    room = 0.05 * (high - low) or 0.5
    limits = np.linspace(low - room, high + room, 201)
    for score in scores:
        colour, style = looks[score.label]
        axes.plot(
            limits, performance_profile(score.scores, limits), color=colour, linestyle=style, linewidth=1.6
        )
        if sum(map(len, score.scores.values())) > 2:
            axes.fill_between(
                limits, *profile_band(score.scores, limits), color=colour, alpha=0.14, linewidth=0
            )
    axes.set_title("Performance profile", loc="left", fontweight="bold", fontsize=10.5)
    axes.set_ylabel("share of runs above")
    axes.set_xlabel("score")
    axes.set_ylim(-0.03, 1.05)
    axes.grid(axis="y", color=GRID)
    axes.xaxis.set_major_formatter(_short)


def _short(value: float, _: int | None = None) -> str:
    """1.2 M, 340 k, 12.5: a tick's label."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if unit == 1e4 else unit):.3g} {name}"
    return f"{value:.4g}"


def _cut(label: str, length: int = 26) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"
