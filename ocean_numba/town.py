"""The town of Drive: its lanes as points to drive along, and its picture.

Metres; x to the right, y down, (0, 0) in the middle: a lane's right is where y grows when it leads to the right.
"""

from __future__ import annotations

import math

import numpy as np

from ocean_numba import palette
from ocean_numba.canvas import Canvas
from ocean_numba.palette import Color

CROSSINGS, BLOCK = 3, 60.0  # 3 x 3 crossings, this far apart
HALF_CROSSING = 8.0
HALF_LANE = 2.0
WIDTH = BLOCK * (CROSSINGS - 1) + 2 * HALF_CROSSING + 6


def build_town() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """The lanes as points about 4 m apart: ``(x, y, successors [n, 3], how many successors, points of streets)``.

    Every street has a lane in each direction, on the right. At a crossing each lane goes on into every other
    street there. The points of streets come first, then those inside of crossings.
    """
    xs: list[float] = []
    ys: list[float] = []
    successors: list[list[int]] = []
    starts: dict[
        tuple[int, int, int, int], int
    ] = {}  # (crossing, direction) -> first point of the lane from there
    ends: dict[tuple[int, int, int, int], int] = {}  # the same for the last point of the lane to there

    def add(x: float, y: float, before: int | None) -> int:
        xs.append(x)
        ys.append(y)
        successors.append([])
        if before is not None:
            successors[before].append(len(xs) - 1)
        return len(xs) - 1

    places = [(column, row) for row in range(CROSSINGS) for column in range(CROSSINGS)]
    middle = 0.5 * (CROSSINGS - 1)
    for column, row in places:
        for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1)):
            if (column + dx, row + dy) not in places:
                continue
            x = (column - middle) * BLOCK + HALF_CROSSING * dx - HALF_LANE * dy
            y = (row - middle) * BLOCK + HALF_CROSSING * dy + HALF_LANE * dx
            length = BLOCK - 2 * HALF_CROSSING
            starts[column, row, dx, dy] = point = add(x, y, None)
            for k in range(1, 12):
                point = add(x + dx * length * k / 11, y + dy * length * k / 11, point)
            ends[column + dx, row + dy, dx, dy] = point
    streets = len(xs)
    for (column, row, dx, dy), first in ends.items():
        for (other_column, other_row, out_x, out_y), last in starts.items():
            if (other_column, other_row) != (column, row) or (out_x, out_y) == (-dx, -dy):
                continue  # another crossing, or a turn back
            straight = (out_x, out_y) == (dx, dy)
            pieces = 4 if straight else 3
            radius = (xs[last] - xs[first]) * dx + (ys[last] - ys[first]) * dy
            point = first
            for k in range(1, pieces):
                angle = 0.5 * math.pi * k / pieces  # a quarter of a circle
                ahead = k / pieces if straight else math.sin(angle)
                aside = 0.0 if straight else 1 - math.cos(angle)
                x = xs[first] + radius * (ahead * dx + aside * out_x)
                y = ys[first] + radius * (ahead * dy + aside * out_y)
                point = add(x, y, point)
            successors[point].append(last)
    count = np.array([len(s) for s in successors], np.int32)
    table = np.array([(s * 3)[:3] for s in successors], np.int32)
    return np.array(xs, np.float32), np.array(ys, np.float32), table, count, streets


POINT_X, POINT_Y, SUCCESSORS, SUCCESSOR_COUNT, STREET_POINTS = build_town()


def draw_town(canvas: Canvas, middle: float, unit: float) -> None:
    """Streets with dashes between their lanes; ``unit`` pixels are a metre, (0, 0) is at pixel ``middle``."""
    canvas.clear(palette.mix(palette.NIGHT, palette.GREEN, 0.15))
    half, wide = 0.5 * unit * BLOCK * (CROSSINGS - 1), 4 * HALF_LANE * unit
    low, high = middle - half, middle + half
    for k in range(CROSSINGS):
        place = low + k * BLOCK * unit
        canvas.line(low, place, high, place, palette.SLATE, wide)
        canvas.line(place, low, place, high, palette.SLATE, wide)
    for k in range(len(POINT_X)):
        x, y = middle + unit * POINT_X[k], middle + unit * POINT_Y[k]
        for other in SUCCESSORS[k, : SUCCESSOR_COUNT[k]]:
            to_x, to_y = middle + unit * POINT_X[other], middle + unit * POINT_Y[other]
            if k >= STREET_POINTS or other >= STREET_POINTS:  # turns need more room than the streets have
                canvas.line(x, y, to_x, to_y, palette.SLATE, 2 * HALF_LANE * unit)
            elif k % 2 == 0:
                dx, dy = to_x - x, to_y - y
                left = HALF_LANE * unit / math.hypot(dx, dy)
                x, y = x + left * dy, y - left * dx
                canvas.line(x, y, x + 0.6 * dx, y + 0.6 * dy, palette.FOG, 1)


def draw_car(
    canvas: Canvas, x: float, y: float, ahead: tuple[float, float], unit: float, color: Color
) -> None:
    """A car at pixel (x, y) with its heading ``ahead``, a windscreen at its front."""

    def corner(forward: float, right: float) -> tuple[float, float]:
        dx, dy = forward * ahead[0] - right * ahead[1], forward * ahead[1] + right * ahead[0]
        return x + unit * dx, y + unit * dy

    canvas.line(*corner(-1.4, 0), *corner(1.4, 0), palette.NIGHT, 2.7 * unit)
    canvas.line(*corner(-1.4, 0), *corner(1.4, 0), color, 2 * unit)
    windscreen = [corner(1.3, -0.8), corner(1.3, 0.8), corner(0.4, 0.6), corner(0.4, -0.6)]
    canvas.polygon(windscreen, palette.NIGHT)
