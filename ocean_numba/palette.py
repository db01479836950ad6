"""Colours that also people with colour blindness can tell apart, and what the games' pictures share.

The eight colours are those of Okabe & Ito (2008), "Color Universal Design". A colour is a tuple
``(red, green, blue)`` of 0..255. Never tell two things apart by colour alone: give them shapes too.
"""

from __future__ import annotations

Color = tuple[int, int, int]

BLACK: Color = (0, 0, 0)
ORANGE: Color = (230, 159, 0)
SKY_BLUE: Color = (86, 180, 233)
GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILLION: Color = (213, 94, 0)
PURPLE: Color = (204, 121, 167)
WHITE: Color = (255, 255, 255)

CYCLE: tuple[Color, ...] = (SKY_BLUE, ORANGE, GREEN, PURPLE, VERMILLION, YELLOW, BLUE)
"""Colours for a series of things, e.g. ``CYCLE[i % len(CYCLE)]``."""
SPECTRUM: tuple[Color, ...] = (PURPLE, VERMILLION, ORANGE, YELLOW, GREEN, SKY_BLUE, BLUE)
"""The same from warm to cold, for things that have an order."""

NIGHT: Color = (22, 27, 38)
"""Background of a picture."""
SLATE: Color = (46, 55, 72)
"""Frames, grids and panels on that background."""
FOG: Color = (148, 160, 178)
"""Small print."""
SNOW: Color = (236, 240, 245)
"""Titles, numbers and whatever should catch the eye."""


def mix(color: Color, other: Color, weight: float) -> Color:
    """``color`` with a share ``weight`` (0..1) of ``other`` in it: shadows, highlights, fading trails."""
    red, green, blue = (round(a + (b - a) * weight) for a, b in zip(color, other, strict=True))
    return red, green, blue
