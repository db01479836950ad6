"""Pictures as SVG text: shapes, and a plot with axes. Colours are names of theme.css, so that they follow the theme.

A picture is made in Python only, and the same text is what the live widget shows, what a saved notebook keeps and
what a file gets.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pufferbench.widgets.assets import read


def tag(name: str, *children: str, **attributes: Any) -> str:
    """An element. In attributes' names ``_`` stands for ``-``, and a last one (``class_``) is dropped."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{words}>{''.join(children)}</{name}>" if children else f"<{name}{words}/>"


def text(x: float, y: float, words: str, **attributes: Any) -> str:
    """Words at a place; ``text_anchor`` is start, middle or end."""
    return tag("text", html.escape(words), x=x, y=y, **attributes)


def tip(words: str) -> str:
    """A tooltip, as the first child of an element."""
    return tag("title", html.escape(words))


def picture(width: float, height: float, *parts: str, label: str) -> str:
    """A whole picture. ``label`` is what it shows, in words, for who cannot see it."""
    return tag(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_short(width)} {_short(height)}",
        width=width,
        class_="pb pb-svg",
        role="img",
        aria_label=label,
    )


def standalone(svg: str) -> str:
    """The picture for a place without our stylesheets: a file, or an ``<img>``. It is light, whatever is around."""
    styles = html.escape(read("theme.css") + read("drawing.css"), quote=False)
    start = svg.index(">") + 1
    return f"{svg[:start]}<style>{styles}</style>{svg[start:]}"


def number(value: float, decimals: int | None = None) -> str:
    """As few digits as tell something, with a real minus sign."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    if decimals is None:
        size = abs(value)
        decimals = 0 if size >= 100 else 1 if size >= 10 else 2
    words = f"{value:.{decimals}f}"
    if float(words) == 0:
        words = words.lstrip("-")
    return words.replace("-", "\N{MINUS SIGN}")


def _short(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, (float, np.floating)) else str(value)


class Plot:
    """Axes in a picture, and what is drawn in them. ``str(plot)`` is the SVG.

    Args:
        box: left, top, width and height of the drawing area, in the picture's units.
        x, y: the axes' ranges, ``(low, high)``.
        title: above the plot.
        x_label, y_label: under it, and above its left end; with units.
        x_ticks, y_ticks: where to write numbers; None chooses round ones.
    """

    def __init__(
        self,
        box: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
        title: str = "",
        x_label: str = "",
        y_label: str = "",
        x_ticks: Sequence[float] | None = None,
        y_ticks: Sequence[float] | None = None,
    ) -> None:
        self.left, self.top, self.width, self.height = box
        self.x_range, self.y_range = _wide(x), _wide(y)
        self.parts: list[str] = []
        self._axes(x_ticks, y_ticks)
        bottom = self.top + self.height
        if title:
            self.parts.append(text(self.left, self.top - 22, title, class_="pb-title"))
        if y_label:
            self.parts.append(text(self.left, self.top - 7, y_label, class_="pb-muted"))
        if x_label:
            self.parts.append(
                text(self.left + self.width, bottom + 32, x_label, class_="pb-muted", text_anchor="end")
            )

    def __str__(self) -> str:
        return "".join(self.parts)

    def at_x(self, x: float) -> float:
        """Where ``x`` is in the picture."""
        low, high = self.x_range
        return self.left + self.width * (x - low) / (high - low)

    def at_y(self, y: float) -> float:
        """Where ``y`` is; beyond the range, just beyond the edge."""
        low, high = self.y_range
        share = min(max((y - low) / (high - low), -0.02), 1.02)
        return self.top + self.height * (1 - share)

    def _axes(self, x_ticks: Sequence[float] | None, y_ticks: Sequence[float] | None) -> None:
        bottom = self.top + self.height
        x_ticks = ticks(*self.x_range, max(2, int(self.width / 80))) if x_ticks is None else x_ticks
        y_ticks = ticks(*self.y_range, max(2, int(self.height / 30))) if y_ticks is None else y_ticks
        for value, words in zip(y_ticks, _labels(y_ticks), strict=True):
            y = self.at_y(value)
            self.parts.append(
                tag("line", x1=self.left, x2=self.left + self.width, y1=y, y2=y, class_="pb-rule")
            )
            self.parts.append(text(self.left - 6, y + 4, words, class_="pb-tick", text_anchor="end"))
        for value, words in zip(x_ticks, _labels(x_ticks), strict=True):
            x = self.at_x(value)
            self.parts.append(tag("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="pb-axis"))
            self.parts.append(text(x, bottom + 16, words, class_="pb-tick", text_anchor="middle"))
        self.parts.append(
            tag("line", x1=self.left, x2=self.left + self.width, y1=bottom, y2=bottom, class_="pb-axis")
        )

    def line(self, xs: Iterable[float], ys: Iterable[float], colour: str = "blue", style: str = "") -> None:
        """A line through points; a NaN breaks it, and so does leaving the plot. ``style``: pb-dashed, pb-thin."""
        path, pen, room = [], "M", 0.02 * (self.y_range[1] - self.y_range[0])
        for x, y in zip(xs, ys, strict=True):
            if not self.y_range[0] - room <= y <= self.y_range[1] + room:  # false for NaN
                pen = "M"
                continue
            path.append(f"{pen}{self.at_x(x):.1f} {self.at_y(y):.1f}")
            pen = "L"
        self.parts.append(tag("path", d="".join(path), class_=f"pb-line pb-stroke-{colour} {style}".rstrip()))

    def band(self, x0: float, x1: float, colour: str = "grey", words: str = "") -> None:
        """A shaded stretch of the x axis."""
        left, right = self.at_x(max(x0, self.x_range[0])), self.at_x(min(x1, self.x_range[1]))
        box = {"x": left, "y": self.top, "width": max(right - left, 0.0), "height": self.height}
        self.parts.append(tag("rect", tip(words), **box, class_=f"pb-shade pb-fill-{colour}"))

    def bar(self, x: float, y: float, width: float, colour: str = "blue", words: str = "") -> None:
        """A bar from 0 to ``y``, ``width`` wide in units of the x axis."""
        if y == 0:
            return
        top, base = sorted((self.at_y(y), self.at_y(0.0)))
        left, right = self.at_x(x - width / 2), self.at_x(x + width / 2)
        box = {"x": left, "y": top, "width": right - left, "height": max(base - top, 0.5)}
        self.parts.append(tag("rect", tip(words), **box, class_=f"pb-fill-{colour}"))

    def upright(self, x: float, colour: str = "muted", words: str = "", style: str = "pb-dashed") -> None:
        """A line across at ``x``."""
        at, bottom = self.at_x(x), self.top + self.height
        self.parts.append(
            tag(
                "line", tip(words), x1=at, x2=at, y1=self.top, y2=bottom, class_=f"{style} pb-stroke-{colour}"
            )
        )

    def dot(self, x: float, y: float, colour: str = "orange", words: str = "", radius: float = 5) -> None:
        """A point."""
        self.parts.append(
            tag(
                "circle",
                tip(words),
                cx=self.at_x(x),
                cy=self.at_y(y),
                r=radius,
                class_=f"pb-dot pb-fill-{colour}",
            )
        )

    def legend(self, *entries: tuple[str, str, str], right: bool = True) -> None:
        """What the lines are: (words, colour, style), at the top, from the right end to the left."""
        x = self.left + self.width
        for words, colour, style in reversed(entries):
            x -= 6.6 * len(words)
            self.parts.append(text(x, self.top - 7, words, class_="pb-muted"))
            self.parts.append(
                tag("line", x1=x - 24, x2=x - 6, y1=self.top - 11, y2=self.top - 11,
                    class_=f"pb-line pb-stroke-{colour} {style}".rstrip())
            )  # fmt: skip
            x -= 40


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers between ``low`` and ``high``: about ``count``, steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(n * power for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _labels(values: Sequence[float]) -> list[str]:
    """All with as many digits as tell neighbours apart."""
    gaps = [abs(b - a) for a, b in zip(values, values[1:], strict=False)]
    step = min(gaps) if gaps else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return [number(value, decimals) for value in values]


def _wide(limits: tuple[float, float]) -> tuple[float, float]:
    """Never empty: a constant gets room around it."""
    low, high = map(float, limits)
    if high - low > 1e-12 * max(1.0, abs(low)):
        return low, high
    half = abs(low) * 0.1 or 0.5
    return low - half, high + half
