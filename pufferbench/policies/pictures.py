"""Pictures: which observations are some, how they become numbers of a good size, and layers that look at them."""

from __future__ import annotations

import math

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench.policies.heads import check_choice
from pufferbench.pytorch import layer_init
from pufferbench.spaces import FlatBox

ARCHITECTURES = ("nature", "impala")
MOST_KINDS = 32  # a grid of whole numbers, of which there are no more, shows kinds of things
SMALLEST_NATURE = 36  # pixels; the smallest side that the kernels of Mnih et al. fit on
SMALL_GRID = 8  # an IMPALA network pools no further


class Picture(nn.Module):
    """Pictures of a Box space -> float32 ``[rows, channels, height, width]``. It has no parameters.

    ============================  ===============================================================
    shape                         ``[height, width]``; ``[channels, height, width]`` or
                                  ``[height, width, channels]``: two equal neighbours are height and
                                  width, otherwise the smaller end is the channels (in doubt the
                                  first); in front of either, a number of pictures stacked
                                  (``wrappers.FrameStack``)
    whole numbers, 3 to 32 kinds  one channel for each: a grid whose 3 is "food" and 4 is "wall"
    within -1..1                  as they are
    other bounds, such as 0..255  brought to 0..1
    no bounds                     as they are: they should be of size 1
    ============================  ===============================================================

    Args:
        space: a Box with 2 to 4 dimensions.

    Attributes:
        channels, height, width: of what it returns.

    Raises:
        TypeError: the space has no pictures.
    """

    first: Tensor
    scale: Tensor
    kinds: Tensor

    def __init__(self, space: spaces.Space) -> None:
        super().__init__()
        if not isinstance(space, spaces.Box) or isinstance(space, FlatBox) or not 2 <= len(space.shape) <= 4:
            raise TypeError(
                "a picture is a Box [height, width], [channels, height, width] or [height, width, channels], "
                f"not {space}; policies.MLP takes any space, policies.MultiInput pictures among other parts"
            )
        if not math.prod(space.shape):
            raise TypeError(f"there is nothing to see in {space}")
        self.order, (self.channels, self.height, self.width) = _axes(space.shape)
        low, high = float(space.low.min()), float(space.high.max())
        whole = np.issubdtype(space.dtype, np.integer)
        self.one_hot = bool(whole and 3 <= high - low + 1 <= MOST_KINDS)
        scaled = (
            self.one_hot or (low >= -1 and high <= 1) or max(-low, high) > 1e6
        )  # a type's own bounds: none
        self.register_buffer("first", torch.tensor(0.0 if scaled else low), persistent=False)
        self.register_buffer(
            "scale", torch.tensor(1.0 if scaled else 1 / ((high - low) or 1)), persistent=False
        )
        kinds = torch.arange(int(low), int(high) + 1) if self.one_hot else torch.zeros(0)
        self.register_buffer("kinds", kinds.view(-1, 1, 1), persistent=False)
        self.planes = self.channels  # before they are split into kinds
        self.channels *= len(kinds) or 1

    def forward(self, pictures: Tensor) -> Tensor:
        """``pictures [rows, *shape]`` -> ``[rows, channels, height, width]``."""
        x = pictures.permute(0, *(1 + axis for axis in self.order))
        x = x.reshape(len(x), self.planes, self.height, self.width)
        if self.one_hot:
            return (x.unsqueeze(2) == self.kinds).flatten(1, 2).float()
        numbers = x.float()  # of bytes a copy, four times as large: no more of those
        shifted = numbers - self.first if numbers is x else numbers.sub_(self.first)
        return shifted.mul_(self.scale)


def _axes(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    """The order that puts the channels first, and (channels, height, width)."""
    if len(shape) == 2:
        return (0, 1), (1, *shape)
    if len(shape) == 4:
        order, (channels, height, width) = _axes(shape[1:])
        return (0, *(1 + axis for axis in order)), (shape[0] * channels, height, width)
    first, middle, last = shape
    if (first == middle) != (middle == last):
        channels_last = first == middle
    else:
        channels_last = last < first
    if channels_last:
        return (2, 0, 1), (last, first, middle)
    return (0, 1, 2), (first, middle, last)


def looks_like_picture(space: spaces.Space) -> bool:
    """Whether neighbours in ``space`` seem to be neighbours: 3 x 3 or more, and all within the same finite bounds.

    (Of a list of things with features, ``[things, features]``, each feature has its own bounds, or none.)
    """
    if type(space) is not spaces.Box or not 2 <= len(space.shape) <= 4 or not math.prod(space.shape):
        return False
    _, (_, height, width) = _axes(space.shape)
    low, high = space.low, space.high
    return bool(
        min(height, width) >= 3 and np.isfinite([low, high]).all() and np.ptp(low) == 0 and np.ptp(high) == 0
    )


def picture_layers(architecture: str, channels: int, height: int, width: int, size: int) -> nn.Sequential:
    """Layers that turn ``[rows, channels, height, width]`` into ``[rows, size]``, none of it negative.

    Args:
        architecture: ``"nature"`` or ``"impala"``, see :class:`pufferbench.policies.CNN`.
    """
    check_choice("architecture", architecture, ARCHITECTURES)
    build = _nature if architecture == "nature" else _impala
    layers, flat = build(channels, height, width)
    return nn.Sequential(*layers, nn.Flatten(), layer_init(nn.Linear(flat, size)), nn.ReLU())


def _nature(channels: int, height: int, width: int) -> tuple[list[nn.Module], int]:
    """The layers, and how many numbers come out. Small pictures get small kernels that keep their size."""
    if min(height, width) >= SMALLEST_NATURE:
        plan = [(32, 8, 4, 0), (64, 4, 2, 0), (64, 3, 1, 0)]  # channels, kernel, stride, padding
    else:
        halve = 2 if max(height, width) > 16 else 1
        plan = [(32, 3, halve, 1), (64, 3, 2 if max(height, width) > 5 else 1, 1), (64, 3, 1, 1)]
    layers: list[nn.Module] = []
    for out, kernel, stride, padding in plan:
        layers += [layer_init(nn.Conv2d(channels, out, kernel, stride, padding)), nn.ReLU(inplace=True)]
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
        channels = out
    return layers, channels * height * width


def _impala(channels: int, height: int, width: int) -> tuple[list[nn.Module], int]:
    layers: list[nn.Module] = []
    for out in (16, 32, 32):
        layers.append(layer_init(nn.Conv2d(channels, out, 3, padding=1), std=1.0))
        if max(height, width) > SMALL_GRID:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            height, width = (height + 1) // 2, (width + 1) // 2
        layers += [_Residual(out), _Residual(out)]
        channels = out
    return [*layers, nn.ReLU()], channels * height * width


class _Residual(nn.Module):
    """What two convolutions find, added to what was there."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = layer_init(nn.Conv2d(channels, channels, 3, padding=1))
        self.second = layer_init(nn.Conv2d(channels, channels, 3, padding=1), std=0.5)  # little to begin with

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(torch.relu(x))))
