"""The canvas against a plain numpy reference that looks at every pixel, and nothing outside is written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ocean_numba import font, palette
from ocean_numba.canvas import Canvas

WIDTH, HEIGHT = 21, 17
INK = (200, 100, 50)
PAPER = (10, 20, 30)


def centres() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    return x, y


def blended(share: np.ndarray) -> np.ndarray:
    """PAPER with ``share`` (cut to 0..1) of INK over it."""
    share = np.clip(share, 0.0, 1.0)[..., None]
    return np.floor((1.0 - share) * np.array(PAPER) + share * np.array(INK) + 0.5).astype(np.uint8)


def rect_share(x: float, y: float, w: float, h: float) -> np.ndarray:
    columns, rows = np.arange(WIDTH), np.arange(HEIGHT)
    share_x = np.clip(np.minimum(x + w, columns + 1) - np.maximum(x, columns), 0.0, 1.0)
    share_y = np.clip(np.minimum(y + h, rows + 1) - np.maximum(y, rows), 0.0, 1.0)
    return share_y[:, None] * share_x[None, :]


def segment_distance(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    x, y = centres()
    along = np.array([x1 - x0, y1 - y0])
    squared = float(along @ along)
    where = np.clip(((x - x0) * along[0] + (y - y0) * along[1]) / max(squared, 1e-12), 0, 1)
    return np.hypot(x - x0 - where * along[0], y - y0 - where * along[1])


@pytest.fixture
def canvas():
    """A canvas inside a larger piece of memory; afterwards the memory around it must be untouched."""
    margin, size = 4096, WIDTH * HEIGHT * 3
    memory = np.full(size + 2 * margin, 77, np.uint8)
    canvas = Canvas(WIDTH, HEIGHT)
    canvas.pixels = memory[margin : margin + size].reshape(HEIGHT, WIDTH, 3)
    canvas.clear(PAPER)
    yield canvas
    assert (memory[:margin] == 77).all()
    assert (memory[-margin:] == 77).all()


def somewhere(seed: int, count: int, numbers: int) -> np.ndarray:
    """Coordinates inside, across the edges and far outside; half of them whole numbers."""
    values = np.random.default_rng(seed).uniform(-15, 36, (count, numbers))
    values[::2] = np.round(values[::2])
    return values


def same(pixels: np.ndarray, share: np.ndarray) -> None:
    """Equal up to one level: the last bit of a square root may round a half the other way."""
    difference = np.abs(pixels.astype(int) - blended(share).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_a_new_canvas_is_black_and_clear_paints_all_of_it():
    canvas = Canvas(5, 3)
    assert canvas.pixels.shape == (3, 5, 3)
    assert canvas.pixels.dtype == np.uint8
    assert (canvas.width, canvas.height) == (5, 3)
    assert not canvas.pixels.any()
    canvas.clear(INK)
    assert (canvas.pixels == INK).all()


def test_a_rectangle_on_whole_pixels_is_exact(canvas):
    canvas.rect(3, 2, 5, 4, INK)
    expected = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    expected[2:6, 3:8] = INK
    np.testing.assert_array_equal(canvas.pixels, expected)


def test_half_a_pixel_gets_half_the_colour(canvas):
    canvas.rect(3.5, 2, 1, 1, INK)
    np.testing.assert_array_equal(canvas.pixels[2, 3], [105, 60, 40])
    np.testing.assert_array_equal(canvas.pixels[2, 4], [105, 60, 40])
    assert (canvas.pixels != PAPER).any(axis=-1).sum() == 2


def test_rectangles_anywhere(canvas):
    for x, y, right, bottom in somewhere(1, 300, 4):
        canvas.clear(PAPER)
        canvas.rect(x, y, right - x, bottom - y, INK)
        same(canvas.pixels, rect_share(x, y, max(right - x, 0.0), max(bottom - y, 0.0)))


def test_rounded_corners_lose_their_tips_and_nothing_else(canvas):
    canvas.rect(2, 2, 14, 10, INK, radius=4)
    x, y = centres()
    beyond_x, beyond_y = np.maximum(np.abs(x - 9) - 3, 0), np.maximum(np.abs(y - 7) - 1, 0)
    corner = (beyond_x > 0) & (beyond_y > 0)
    share = rect_share(2, 2, 14, 10)
    share = np.where(corner, np.minimum(share, 4.5 - np.hypot(beyond_x, beyond_y)), share)
    same(canvas.pixels, share)
    np.testing.assert_array_equal(canvas.pixels[2, 2], PAPER)
    np.testing.assert_array_equal(canvas.pixels[2, 9], INK)


def test_circles_anywhere(canvas):
    for x, y, size in somewhere(2, 300, 3):
        canvas.clear(PAPER)
        canvas.circle(x, y, size / 3, INK)
        px, py = centres()
        share = size / 3 + 0.5 - np.hypot(px - x, py - y)
        same(canvas.pixels, share if size > 0 else np.zeros_like(share))


def test_a_circle_covers_its_area():
    canvas = Canvas(101, 101)
    canvas.circle(50.3, 50.8, 30.4, (255, 255, 255))
    assert canvas.pixels[..., 0].sum() / 255 == pytest.approx(math.pi * 30.4**2, rel=2e-3)


@pytest.mark.parametrize("width", [1.0, 2.5, 6.0])
def test_lines_anywhere(canvas, width):
    for x0, y0, x1, y1 in somewhere(3, 200, 4):
        canvas.clear(PAPER)
        canvas.line(x0, y0, x1, y1, INK, width)
        same(canvas.pixels, max(0.5 * width + 0.5, 1.0) - segment_distance(x0, y0, x1, y1))


def test_a_thin_line_is_pale_and_a_point_is_a_dot(canvas):
    canvas.line(0.5, 5.5, 20.5, 5.5, INK, width=0.5)
    np.testing.assert_array_equal(canvas.pixels[5, 10], [105, 60, 40])
    canvas.clear(PAPER)
    canvas.line(4.5, 4.5, 4.5, 4.5, INK, width=3)
    np.testing.assert_array_equal(canvas.pixels[4, 4], INK)
    assert (canvas.pixels[:, 8:] == PAPER).all()


def test_a_polygon_with_right_angles_is_the_rectangle(canvas):
    canvas.polygon([(3, 2), (8, 2), (8, 6), (3, 6)], INK)
    expected = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    expected[2:6, 3:8] = INK
    np.testing.assert_array_equal(canvas.pixels, expected)


def test_polygons_anywhere_and_with_dents(canvas):
    x, y = centres()
    for corners in somewhere(4, 100, 8).reshape(-1, 4, 2):  # many of these cross themselves
        canvas.clear(PAPER)
        canvas.polygon(corners, INK)
        inside = np.zeros(x.shape, bool)
        nearest = np.full(x.shape, np.inf)
        for (x0, y0), (x1, y1) in zip(np.roll(corners, 1, axis=0), corners, strict=True):
            if y0 != y1:
                inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
            nearest = np.minimum(nearest, segment_distance(x0, y0, x1, y1))
        same(canvas.pixels, 0.5 + np.where(inside, nearest, -nearest))


def test_text_shows_the_dots_of_the_font(canvas):
    canvas.text(1, 2, "gL", INK)
    dots = (canvas.pixels == INK).all(axis=-1)
    assert (dots | (canvas.pixels == PAPER).all(axis=-1)).all()
    np.testing.assert_array_equal(dots[2:10, 1:6], font.GLYPHS[ord("g") - font.FIRST])
    np.testing.assert_array_equal(dots[2:10, 7:12], font.GLYPHS[ord("L") - font.FIRST])
    assert dots.sum() == font.GLYPHS[[ord("g") - 32, ord("L") - 32]].sum()


def test_text_scales_and_is_cut_at_the_edges(canvas):
    canvas.text(-3, -2, "Breakout", INK, scale=3)
    letter = np.kron(font.GLYPHS[ord("B") - font.FIRST], np.ones((3, 3)))
    dots = (canvas.pixels == INK).all(axis=-1)
    np.testing.assert_array_equal(dots[:, :12], letter[2 : 2 + HEIGHT, 3:15])


def test_text_width_is_the_width_of_the_ink():
    canvas = Canvas(100, 10)
    canvas.text(0, 0, "HHH", INK, scale=2)
    assert canvas.text_width("HHH", scale=2) == 1 + np.flatnonzero(canvas.pixels.any(axis=(0, 2))).max()
    assert canvas.text_width("") == 0


def test_every_ascii_character_has_a_glyph_of_its_own_and_others_a_box():
    printable = font.GLYPHS[font.codes("".join(map(chr, range(32, 127))))]
    assert len({glyph.tobytes() for glyph in printable}) == 95
    assert printable[1:].any(axis=(1, 2)).all()
    assert not printable[0].any()
    box = font.GLYPHS[-1]
    for string in ("é", "\n", "日", "\x7f", "🙂"):
        np.testing.assert_array_equal(font.GLYPHS[font.codes(string)], box[None])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_impossible_coordinates_draw_nothing_and_break_nothing(canvas, bad):
    canvas.rect(bad, 2, 3, 3, INK)
    canvas.rect(2, bad, 3, 3, INK, radius=1)
    canvas.circle(bad, 2, 3, INK)
    canvas.circle(3, 2, min(bad, -1.0), INK)
    canvas.line(bad, bad, bad, bad, INK)
    canvas.polygon([(bad, 1), (bad, 2), (bad, 3)], INK)
    canvas.text(bad, 2, "text", INK)
    assert (canvas.pixels == PAPER).all()


@pytest.mark.parametrize("color", [(256, 0, 0), (0, -1, 0), (1, 2)])
def test_a_colour_must_be_three_numbers_up_to_255(canvas, color):
    with pytest.raises(ValueError, match=r"a colour is \(red, green, blue\) with 0\.\.255"):
        canvas.rect(0, 0, 1, 1, color)


def test_bad_sizes_and_polygons_are_refused(canvas):
    with pytest.raises(ValueError, match=r"width of a canvas must be an integer 1\.\.8192, not 0"):
        Canvas(0, 5)
    with pytest.raises(ValueError, match="height of a canvas"):
        Canvas(5, 2.5)
    with pytest.raises(ValueError, match="at least 3 points"):
        canvas.polygon([(0, 0), (1, 1)], INK)


def test_integers_floats_and_numpy_numbers_draw_the_same_with_one_compiled_version(canvas):
    from ocean_numba import canvas as module

    canvas.rect(np.float32(3), np.int64(2), 5, 4.0, (np.uint8(200), 100, 50))
    expected = canvas.pixels.copy()
    canvas.clear(PAPER)
    canvas.rect(3, 2, 5, 4, INK)
    np.testing.assert_array_equal(canvas.pixels, expected)
    assert len(module._rect.signatures) == 1


def test_mix_goes_from_one_colour_to_the_other():
    assert palette.mix((0, 100, 200), (100, 0, 200), 0.0) == (0, 100, 200)
    assert palette.mix((0, 100, 200), (100, 0, 200), 0.25) == (25, 75, 200)
    assert palette.mix((0, 100, 200), (100, 0, 200), 1.0) == (100, 0, 200)
