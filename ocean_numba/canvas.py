"""A small picture to draw games on: rectangles, circles, lines, polygons and text, with soft edges.

A game's ``draw(s, canvas)`` is plain Python that calls these methods. What loops over pixels is compiled
once for all games and kept on disk, so a 320x320 frame of Breakout takes a fraction of a millisecond.

Coordinates are in pixels and may be fractions; (0, 0) is the top left *corner*, so pixel (i, j) is the
square from (i, j) to (i + 1, j + 1). A pixel takes the share of the colour that the shape covers of it:
exactly for rectangles, and for round and slanted edges by the distance from its centre to the edge.
Whatever lies outside the picture is cut off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit

from ocean_numba import font
from ocean_numba.palette import BLACK, Color

MIN_SIZE, MAX_SIZE = 1, 8192
"""Pixels per side of a canvas."""


class Canvas:
    """``width`` x ``height`` pixels to draw on, black at first.

    Attributes:
        pixels: uint8 ``[height, width, 3]``, red, green, blue.
    """

    def __init__(self, width: int, height: int) -> None:
        for name, size in (("width", width), ("height", height)):
            if not isinstance(size, int | np.integer) or not MIN_SIZE <= size <= MAX_SIZE:
                raise ValueError(
                    f"{name} of a canvas must be an integer {MIN_SIZE}..{MAX_SIZE}, not {size!r}"
                )
        self.pixels = np.zeros((height, width, 3), np.uint8)

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def clear(self, color: Color = BLACK) -> None:
        """Paint everything in one colour."""
        _clear(self.pixels, *_checked(color))

    def rect(self, x: float, y: float, w: float, h: float, color: Color, radius: float = 0.0) -> None:
        """A filled rectangle with its top left corner at (x, y), its corners rounded with ``radius``."""
        _rect(self.pixels, float(x), float(y), float(w), float(h), float(radius), *_checked(color))

    def circle(self, x: float, y: float, radius: float, color: Color) -> None:
        """A filled circle around (x, y)."""
        _circle(self.pixels, float(x), float(y), float(radius), *_checked(color))

    def line(self, x0: float, y0: float, x1: float, y1: float, color: Color, width: float = 1.0) -> None:
        """A straight stroke with round ends."""
        _line(self.pixels, float(x0), float(y0), float(x1), float(y1), float(width), *_checked(color))

    def polygon(self, points: Sequence[Sequence[float]] | np.ndarray, color: Color) -> None:
        """A filled polygon, e.g. ``[(10, 0), (20, 20), (0, 20)]``; it may have dents (a star)."""
        corners = np.ascontiguousarray(points, np.float64)
        if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2:
            raise ValueError(f"a polygon needs at least 3 points (x, y), not shape {corners.shape}")
        _polygon(self.pixels, corners, *_checked(color))

    def text(self, x: float, y: float, string: str, color: Color, scale: float = 1.0) -> None:
        """One line of text, its top left at (x, y); a letter is 5 x 7 dots of ``scale`` pixels, 6 apart.

        Sharp when x, y and scale are whole numbers. Characters outside ASCII show as a box.
        """
        codes = font.codes(string)
        _text(self.pixels, float(x), float(y), codes, font.GLYPHS, float(scale), *_checked(color))

    def text_width(self, string: str, scale: float = 1.0) -> float:
        """Pixels that :meth:`text` takes, for centred and right-aligned lines."""
        return max(0, len(string) * (font.WIDTH + 1) - 1) * scale


@lru_cache(maxsize=1024)
def _checked(color: Color) -> Color:
    """The colour itself, as three plain ints: one compiled version of each function is enough."""
    if len(color) != 3 or not all(0 <= part <= 255 for part in color):
        raise ValueError(f"a colour is (red, green, blue) with 0..255 each, not {color!r}")
    return int(color[0]), int(color[1]), int(color[2])


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` as machine code, compiled at its first call and kept on disk."""
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # there is no folder to keep it in: then compile it in every process
        return njit(nogil=True, error_model="numpy")(function)


@_compiled
def _span(low, high, size):
    """The pixels ``start .. stop - 1`` of 0 .. size - 1 that [low, high] touches. All clipping is here."""
    if low < size and high > 0.0:  # false for NaN, so nothing is drawn
        return int(max(low, 0.0)), math.ceil(min(high, float(size)))
    return 0, 0


@_compiled
def _overlap(pixel, low, high):
    """The share of ``pixel .. pixel + 1`` that lies in [low, high]."""
    return min(high, pixel + 1.0) - max(low, float(pixel))


@_compiled
def _blend(pixels, row, column, red, green, blue, share):
    """Put ``share`` of the colour over the pixel."""
    if share >= 1.0:
        pixels[row, column, 0] = red
        pixels[row, column, 1] = green
        pixels[row, column, 2] = blue
    elif share > 0.0:
        keep = 1.0 - share
        pixels[row, column, 0] = int(keep * pixels[row, column, 0] + share * red + 0.5)
        pixels[row, column, 1] = int(keep * pixels[row, column, 1] + share * green + 0.5)
        pixels[row, column, 2] = int(keep * pixels[row, column, 2] + share * blue + 0.5)


@_compiled
def _clear(pixels, red, green, blue):
    rows = pixels.reshape(pixels.shape[0], pixels.shape[1] * 3)
    for column in range(0, rows.shape[1], 3):
        rows[0, column] = red
        rows[0, column + 1] = green
        rows[0, column + 2] = blue
    for row in range(1, rows.shape[0]):  # copying whole rows is three times as fast as writing pixels
        for i in range(rows.shape[1]):
            rows[row, i] = rows[0, i]


@_compiled
def _rect(pixels, x, y, w, h, radius, red, green, blue):
    radius = min(radius, 0.5 * w, 0.5 * h)
    top, bottom = _span(y, y + h, pixels.shape[0])
    left, right = _span(x, x + w, pixels.shape[1])
    for row in range(top, bottom):
        share_y = _overlap(row, y, y + h)
        # How far the pixel's centre is beyond the centres of the corner circles; 0 between them.
        beyond_y = max(y + radius - row - 0.5, row + 0.5 - (y + h - radius), 0.0)
        for column in range(left, right):
            share = share_y * _overlap(column, x, x + w)
            if beyond_y > 0.0 and radius > 0.0:
                beyond_x = max(x + radius - column - 0.5, column + 0.5 - (x + w - radius), 0.0)
                if beyond_x > 0.0:
                    corner = radius + 0.5 - math.sqrt(beyond_x * beyond_x + beyond_y * beyond_y)
                    share = min(share, corner)
            _blend(pixels, row, column, red, green, blue, share)


@_compiled
def _circle(pixels, x, y, radius, red, green, blue):
    if not radius > 0.0:
        return
    reach = radius + 0.5
    top, bottom = _span(y - reach, y + reach, pixels.shape[0])
    left, right = _span(x - reach, x + reach, pixels.shape[1])
    for row in range(top, bottom):
        away_y = row + 0.5 - y
        for column in range(left, right):
            away_x = column + 0.5 - x
            share = reach - math.sqrt(away_x * away_x + away_y * away_y)
            _blend(pixels, row, column, red, green, blue, share)


@_compiled
def _distance_to_segment(x, y, x0, y0, x1, y1):
    """Squared distance from (x, y) to the nearest point between (x0, y0) and (x1, y1)."""
    along_x, along_y = x1 - x0, y1 - y0
    length_squared = along_x * along_x + along_y * along_y
    where = 0.0
    if length_squared > 0.0:
        where = min(max(((x - x0) * along_x + (y - y0) * along_y) / length_squared, 0.0), 1.0)
    away_x, away_y = x - x0 - where * along_x, y - y0 - where * along_y
    return away_x * away_x + away_y * away_y


@_compiled
def _line(pixels, x0, y0, x1, y1, width, red, green, blue):
    if not width > 0.0:
        return
    reach = 0.5 * width + 0.5
    # A stroke thinner than a pixel is drawn one pixel wide and paler.
    strength = min(width, 1.0)
    reach = max(reach, 1.0)
    top, bottom = _span(min(y0, y1) - reach, max(y0, y1) + reach, pixels.shape[0])
    for row in range(top, bottom):
        # Only the part of the segment within reach of this row counts: a long diagonal stays cheap.
        low, high = min(x0, x1), max(x0, x1)
        if y0 != y1:
            slope = (x1 - x0) / (y1 - y0)
            first = x0 + slope * (min(max(row + 0.5 - reach, min(y0, y1)), max(y0, y1)) - y0)
            last = x0 + slope * (min(max(row + 0.5 + reach, min(y0, y1)), max(y0, y1)) - y0)
            low, high = min(first, last), max(first, last)
        left, right = _span(low - reach, high + reach, pixels.shape[1])
        for column in range(left, right):
            distance = math.sqrt(_distance_to_segment(column + 0.5, row + 0.5, x0, y0, x1, y1))
            share = strength * min(reach - distance, 1.0)
            _blend(pixels, row, column, red, green, blue, share)


@_compiled
def _polygon(pixels, corners, red, green, blue):
    low_x = high_x = corners[0, 0]
    low_y = high_y = corners[0, 1]
    for i in range(1, len(corners)):
        low_x, high_x = min(low_x, corners[i, 0]), max(high_x, corners[i, 0])
        low_y, high_y = min(low_y, corners[i, 1]), max(high_y, corners[i, 1])
    top, bottom = _span(low_y - 0.5, high_y + 0.5, pixels.shape[0])
    left, right = _span(low_x - 0.5, high_x + 0.5, pixels.shape[1])
    for row in range(top, bottom):
        y = row + 0.5
        for column in range(left, right):
            x = column + 0.5
            inside = False  # a ray to the right crosses the edges an odd number of times
            nearest = math.inf
            for i in range(len(corners)):
                x0, y0 = corners[i - 1, 0], corners[i - 1, 1]
                x1, y1 = corners[i, 0], corners[i, 1]
                if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * (y - y0) / (y1 - y0):
                    inside = not inside
                nearest = min(nearest, _distance_to_segment(x, y, x0, y0, x1, y1))
            distance = math.sqrt(nearest)
            _blend(pixels, row, column, red, green, blue, 0.5 + (distance if inside else -distance))


@_compiled
def _text(pixels, x, y, codes, glyphs, scale, red, green, blue):
    for i in range(len(codes)):
        for row in range(glyphs.shape[1]):
            for column in range(glyphs.shape[2]):
                if glyphs[codes[i], row, column]:
                    left = x + scale * (i * (glyphs.shape[2] + 1) + column)
                    _rect(pixels, left, y + scale * row, scale, scale, 0.0, red, green, blue)
