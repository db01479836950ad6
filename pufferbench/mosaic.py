"""Several pictures as one: side by side, in rows, with words above each."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6  # pixels
LINE = 16  # pixels, of a line of words
PAPER, INK = (255, 255, 255), (28, 28, 30)


def mosaic(
    pictures: Sequence[np.ndarray], columns: int, side: int = 160, words: Sequence[str] = ()
) -> np.ndarray:
    """One picture of all: RGB uint8 ``[height, width, 3]``.

    Args:
        pictures: RGB uint8 ``[height, width, 3]`` each, of any sizes; a larger one is made smaller.
        columns: pictures in a row.
        side: the longer side of each, pixels, at most.
        words: above each; lines are separated by a newline.
    """
    small = [_shrink(picture, side) for picture in pictures]
    lines = max((text.count("\n") + 1 for text in words), default=0)
    head = LINE * lines + (4 if lines else 0)
    width, height = max(p.width for p in small), max(p.height for p in small) + head
    columns = min(columns, len(small))
    rows = math.ceil(len(small) / columns)
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for index, picture in enumerate(small):
        x, y = (index % columns) * (width + GAP), (index // columns) * (height + GAP)
        if words:
            draw.multiline_text((x + 1, y), words[index], fill=INK, font=font, spacing=2)
        sheet.paste(picture, (x, y + head))
    return np.asarray(sheet)


def to_jpeg(picture: np.ndarray, quality: int = 85) -> bytes:
    """RGB uint8 ``[height, width, 3]`` as a JPEG file's bytes: quicker than PNG, and good enough for what moves."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return file.getvalue()


def _shrink(picture: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(picture)
    if max(image.size) > side:
        scale = side / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
    return image
