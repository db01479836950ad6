"""Pictures made smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.wrappers.base import Wrapper

# How bright red, green and blue look (ITU-R BT.601)
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


class Resize(Wrapper):
    """Pictures of another size: each new pixel is the mean of the area that it covers.

    Args:
        env: its observations are pictures, ``[height, width]`` or ``[height, width, channels]``.
        height, width: the new size, pixels.
    """

    def __init__(self, env: Any, height: int, width: int) -> None:
        super().__init__(env)
        space = _pictures(self.env.observation_space, "Resize")
        for value, name in ((height, "height"), (width, "width")):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"Resize: {name} must be a whole number of at least 1, not {value!r}")
        self._rows = area_weights(space.shape[0], height)
        self._columns = area_weights(space.shape[1], width)
        shape = (height, width, *space.shape[2:])
        self.observation_space = spaces.Box(space.low.min(), space.high.max(), shape, space.dtype.type)

    def observation(self, observations: np.ndarray) -> np.ndarray:
        pictures = observations.astype(np.float32)
        if pictures.ndim == 4:  # channels before height and width, as matrix products want it
            pictures = np.moveaxis(pictures, -1, 1)
        small = self._rows @ pictures @ self._columns.T
        if small.ndim == 4:
            small = np.moveaxis(small, 1, -1)
        return rounded(small, self.observation_space)


class Grayscale(Wrapper):
    """Colour pictures in grey, ``[height, width]``.

    Args:
        env: its observations are pictures, ``[height, width, 3]``.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        space = _pictures(self.env.observation_space, "Grayscale")
        if space.shape[2:] != (3,):
            raise TypeError(f"Grayscale needs pictures [height, width, 3], not {space.shape}")
        self.observation_space = spaces.Box(
            space.low.min(), space.high.max(), space.shape[:2], space.dtype.type
        )

    def observation(self, observations: np.ndarray) -> np.ndarray:
        return rounded(observations @ LUMINANCE, self.observation_space)


def area_weights(old: int, new: int) -> np.ndarray:
    """``[new, old]``: how much each old pixel counts in each new one, in one direction."""
    edges = np.arange(new + 1) * (old / new)  # of the new pixels, in old pixels
    starts, ends = edges[:-1, None], edges[1:, None]
    pixels = np.arange(old)
    covered = np.minimum(ends, pixels + 1) - np.maximum(starts, pixels)
    return (np.clip(covered, 0, None) / (old / new)).astype(np.float32)


def rounded(pictures: np.ndarray, space: Any) -> np.ndarray:
    """To whole numbers where the space has such, and not beyond its bounds."""
    if space.dtype.kind != "f":
        pictures = np.rint(pictures)
    return np.clip(pictures, space.low, space.high)


def _pictures(space: Any, name: str) -> spaces.Box:
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        raise TypeError(
            f"{name} needs pictures, [height, width] or [height, width, channels], not {space}; "
            "put it before FrameStack"
        )
    return space
