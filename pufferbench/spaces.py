"""Any space as one flat array per agent, and back, bit for bit.

A Box, Discrete or MultiDiscrete is an array already. Every other observation (Dict, Tuple, MultiBinary, Text,
Sequence, and all of these inside each other) becomes a :class:`FlatBox`: a row of bytes laid out like a C
struct, so that each part of it can be seen in place, by numpy and by torch, without copying anything.

    flat = flatten_observations(spaces.Dict(image=spaces.Box(0, 255, (8, 8), np.uint8), speed=spaces.Box(-1, 1)))
    row = np.zeros(flat.shape, flat.dtype)
    flat.layout.write({"image": picture, "speed": [0.5]}, row)
    flat.layout.read(row)                       # {"image": picture, "speed": array([0.5])}
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from pufferbench.errors import InvalidAction

Space = spaces.Space
Writer = Callable[[Any], None]


class Layout:
    """Where the parts of one sample of ``space`` lie in memory.

    Attributes:
        space: what a sample belongs to.
        at: where this is in the whole space, as one would write it: ``['image'][0]``; "" at the top.
        dtype: one sample as a numpy type: numbers with their shape, or an aligned structure of such.
        size: of a sample, bytes.
    """

    def __init__(self, space: Space, at: str, dtype: np.dtype) -> None:
        self.space, self.at, self.dtype, self.size = space, at, dtype, dtype.itemsize

    def write(self, sample: Any, row: np.ndarray) -> None:
        """Put ``sample`` into ``row``, a contiguous array. Raises ValueError when it does not fit."""
        self.writer(row)(sample)

    def read(self, row: np.ndarray) -> Any:
        """The sample in ``row``, of the kinds and types that the space itself samples; nothing is shared."""
        return self.take(self._place(row))

    def writer(self, row: np.ndarray) -> Writer:
        """:meth:`write` for this ``row`` only: what it looks up, it looks up now."""
        return self.bind(self._place(row))

    def shorten(self, sample: Any) -> Any:
        """``sample`` with its sequences cut to their bounds."""
        return sample

    def leaves(self) -> Iterator[Layout]:
        """The layouts of numbers in it, in their order in memory."""
        yield self

    def bind(self, place: np.ndarray) -> Writer:
        """A function that writes a sample into ``place``, a view of type and shape ``dtype``."""
        raise NotImplementedError

    def take(self, place: np.ndarray) -> Any:
        """The sample in ``place``."""
        raise NotImplementedError

    def _place(self, row: np.ndarray) -> np.ndarray:
        whole = np.dtype([("sample", self.dtype)], align=True)
        if not whole.itemsize:
            return np.zeros((), whole)["sample"]
        return row.reshape(-1).view(whole)["sample"][0, ...]


class Numbers(Layout):
    """A Box or MultiBinary: its numbers as they are.

    Attributes:
        shape, kind: of the array; ``kind`` is the type's name, the same in numpy and torch.
    """

    def __init__(self, space: Space, at: str, dtype: Any, shape: tuple[int, ...]) -> None:
        number = np.dtype(dtype).newbyteorder("=")
        super().__init__(space, at, np.dtype((number, shape)))
        self.shape, self.kind = shape, number.name

    def bind(self, place: np.ndarray) -> Writer:
        return partial(place.__setitem__, ...)

    def take(self, place: np.ndarray) -> Any:
        return place.astype(self.space.dtype)


class Choices(Numbers):
    """A Discrete or MultiDiscrete, counted from 0.

    Attributes:
        counts: how many choices each number has, ``[shape]``.
    """

    def __init__(self, space: Space, at: str) -> None:
        discrete = isinstance(space, spaces.Discrete)
        self.counts = np.asarray(space.n if discrete else space.nvec)  # type: ignore[attr-defined]
        small = (self.counts <= 2**31).all()
        super().__init__(space, at, np.int32 if small else np.int64, self.counts.shape)
        self.start = space.start  # type: ignore[attr-defined]

    def bind(self, place: np.ndarray) -> Writer:
        if not np.any(self.start):
            return super().bind(place)
        start = self.start

        def write(sample: Any) -> None:
            place[...] = np.subtract(sample, start)

        return write

    def take(self, place: np.ndarray) -> Any:
        sample = place.astype(self.space.dtype) + self.start
        return sample if self.shape else self.space.dtype.type(sample)  # type: ignore[union-attr]


class Characters(Numbers):
    """A Text: 0 is no character, k + 1 the k-th of its character set in alphabetical order.

    Attributes:
        characters: the character set, sorted. (Gymnasium's own order may differ from process to process.)
    """

    def __init__(self, space: Space, at: str, characters: str, length: int) -> None:
        small = len(characters) < 256
        super().__init__(space, at, np.uint8 if small else np.int32, (length,))
        self.characters = characters
        self._codes = {character: code for code, character in enumerate(characters, 1)}

    def bind(self, place: np.ndarray) -> Writer:
        codes, longest = self._codes, len(place)

        def write(sample: str) -> None:
            if len(sample) > longest:
                raise ValueError(f"the text{self._here} has {len(sample)} characters, more than {longest}")
            try:
                place[: len(sample)] = [codes[character] for character in sample]
            except KeyError as unknown:
                raise ValueError(
                    f"the text{self._here} has the character {unknown}, which is not in its character set"
                ) from None
            place[len(sample) :] = 0

        return write

    def take(self, place: np.ndarray) -> str:
        return "".join(self.characters[code - 1] for code in place.tolist() if code)

    @property
    def _here(self) -> str:
        return f" at {self.at}" if self.at else ""


class Record(Layout):
    """A Dict or Tuple: its parts one after the other.

    Attributes:
        keys: of the parts: a Dict's own, 0, 1, ... for a Tuple.
        parts: their layouts.
        offsets: where each begins, bytes.
        is_dict: a Dict, not a Tuple.
    """

    def __init__(self, space: Space, at: str, keys: list[Any], parts: list[Layout]) -> None:
        self.keys, self.parts, self.is_dict = keys, parts, isinstance(space, spaces.Dict)
        # A student who looks at the row finds the Dict's keys there; numpy's field names must be non-empty texts
        named = all(isinstance(key, str) and key for key in keys)
        self.names = [key if named else str(index) for index, key in enumerate(keys)]
        fields = [(name, part.dtype) for name, part in zip(self.names, parts, strict=True)]
        super().__init__(space, at, np.dtype(fields, align=True))
        self.offsets = [self.dtype.fields[name][1] for name in self.names] if fields else []  # type: ignore[index]

    def leaves(self) -> Iterator[Layout]:
        for part in self.parts:
            yield from part.leaves()

    def bind(self, place: np.ndarray) -> Writer:
        writers = [
            (key, part.bind(place[name]))
            for key, name, part in zip(self.keys, self.names, self.parts, strict=True)
        ]

        def write(sample: Any) -> None:
            for key, write_part in writers:
                write_part(sample[key])

        return write

    def take(self, place: np.ndarray) -> Any:
        return self._assemble(
            part.take(place[name]) for name, part in zip(self.names, self.parts, strict=True)
        )

    def shorten(self, sample: Any) -> Any:
        return self._assemble(
            part.shorten(sample[key]) for key, part in zip(self.keys, self.parts, strict=True)
        )

    def _assemble(self, values: Iterator[Any]) -> Any:
        return dict(zip(self.keys, values, strict=True)) if self.is_dict else tuple(values)


class Items(Layout):
    """A Sequence with a bound: its ``length``, and room for so many ``items``; behind the last, zeros.

    Attributes:
        item: the layout of one.
        bound: the most there can be.
        offset: where the items begin, bytes.
    """

    def __init__(self, space: spaces.Sequence, at: str, item: Layout, bound: int) -> None:
        self.item, self.bound = item, bound
        base, shape = item.dtype.subdtype or (item.dtype, ())  # numpy has no arrays of empty arrays
        fields = [("length", np.dtype(np.int32)), ("items", np.dtype((base, (bound, *shape))))]
        super().__init__(space, at, np.dtype(fields, align=True))
        self.offset = self.dtype.fields["items"][1]  # type: ignore[index]

    def bind(self, place: np.ndarray) -> Writer:
        length, items = place["length"], place["items"]
        writers = [self.item.bind(items[index, ...]) for index in range(self.bound)]
        nothing = np.zeros((), items.dtype)

        def write(sample: Any) -> None:
            elements = self._elements(sample)
            if len(elements) > self.bound:
                where = f" at {self.at}" if self.at else ""
                raise ValueError(
                    f"the sequence{where} has {len(elements)} items, more than max_length={self.bound}"
                )
            for write_item, element in zip(writers, elements, strict=False):
                write_item(element)
            length[...] = len(elements)
            items[len(elements) :] = nothing

        return write

    def take(self, place: np.ndarray) -> Any:
        items = place["items"]
        return self._collect([self.item.take(items[index, ...]) for index in range(int(place["length"]))])

    def leaves(self) -> Iterator[Layout]:
        yield Numbers(spaces.Discrete(self.bound + 1), f"{self.at}.length", np.int32, ())
        yield from self.item.leaves()

    def shorten(self, sample: Any) -> Any:
        return self._collect([self.item.shorten(element) for element in self._elements(sample)[: self.bound]])

    def _elements(self, sample: Any) -> list[Any]:
        if self.space.stack:  # type: ignore[attr-defined]
            return list(iterate(self.space.stacked_feature_space, sample))  # type: ignore[attr-defined]
        return list(sample)

    def _collect(self, elements: list[Any]) -> Any:
        if not self.space.stack:  # type: ignore[attr-defined]
            return tuple(elements)
        feature = self.space.feature_space  # type: ignore[attr-defined]
        out: Any = create_empty_array(feature, len(elements))
        return concatenate(feature, elements, out)


class FlatBox(spaces.Box):
    """A Box whose rows are samples of another space, laid out one part after the other.

    When all numbers are float32, it is a float32 Box with their bounds; otherwise a Box of bytes.

    Attributes:
        source: the space that was flattened.
        layout: how; ``layout.write(sample, row)`` and ``layout.read(row)`` go there and back.
        is_float32: all numbers are.
    """

    def __init__(self, source: Space, layout: Layout) -> None:
        self.source, self.layout = source, layout
        leaves = list(layout.leaves())
        self.is_float32 = bool(leaves) and all(leaf.dtype.base == np.float32 for leaf in leaves)
        if self.is_float32:  # every one a Box
            low = np.concatenate([leaf.space.low.ravel() for leaf in leaves])  # type: ignore[attr-defined]
            high = np.concatenate([leaf.space.high.ravel() for leaf in leaves])  # type: ignore[attr-defined]
            super().__init__(low, high, dtype=np.float32)
        else:
            super().__init__(0, 255, (layout.dtype.itemsize,), np.uint8)

    def sample(self, mask: None = None, probability: None = None) -> np.ndarray:
        """The row of a sample of the source."""
        row = np.zeros(self.shape, self.dtype)
        self.layout.write(self.layout.shorten(self.source.sample()), row)
        return row

    def seed(self, seed: Any = None) -> Any:
        return self.source.seed(seed)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FlatBox)
            and self.source == other.source
            and self.layout.dtype == other.layout.dtype
        )

    def __repr__(self) -> str:
        return f"FlatBox({self.source}: {self.shape[0]} x {self.dtype})"


# -- observations -------------------------------------------------------------------------------


def flatten_observations(space: Space, max_length: int | None = None) -> Space:
    """The space of one agent's row: ``space`` itself, with choices counted from 0, or a :class:`FlatBox`.

    Args:
        space: any of Gymnasium's but Graph and OneOf.
        max_length: the most items a Sequence may have, and characters a space of texts of any length.

    Raises:
        TypeError: the space has no bound, or is of a kind that cannot be flattened; says where and what to do.
    """
    if max_length is not None and (not isinstance(max_length, int) or max_length < 1):
        raise ValueError(f"max_length must be a whole number of at least 1, not {max_length!r}")
    if isinstance(space, spaces.Box):
        return space
    if isinstance(space, spaces.Discrete) and space.n <= 2**31:
        return space if space.start == 0 else spaces.Discrete(int(space.n))
    if isinstance(space, spaces.MultiDiscrete) and (space.nvec <= 2**31).all():
        return space if not np.any(space.start) else spaces.MultiDiscrete(space.nvec)
    return FlatBox(space, layout_of(space, max_length))


def layout_of(space: Space, max_length: int | None = None, at: str = "") -> Layout:
    """How samples of ``space`` are laid out; see :func:`flatten_observations`."""
    if isinstance(space, spaces.Dict):
        keys = list(space.spaces)
        parts = [layout_of(part, max_length, f"{at}[{key!r}]") for key, part in space.spaces.items()]
        return Record(space, at, keys, parts)
    if isinstance(space, spaces.Tuple):
        parts = [layout_of(part, max_length, f"{at}[{index}]") for index, part in enumerate(space.spaces)]
        return Record(space, at, list(range(len(parts))), parts)
    if isinstance(space, spaces.Sequence):
        if max_length is None:
            raise TypeError(
                _cannot(space, at, "has no bound: say how many items it has at most, max_length=16")
            )
        item = layout_of(space.feature_space, max_length, f"{at}[...]")
        return Items(space, at, item, max_length)
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        return Choices(space, at)
    if isinstance(space, spaces.Box) and space.dtype.name in _NUMBERS:
        return Numbers(space, at, space.dtype, space.shape)
    if isinstance(space, spaces.MultiBinary):
        return Numbers(space, at, np.int8, space.shape)
    if isinstance(space, spaces.Text):
        return Characters(space, at, "".join(sorted(space.character_set)), space.max_length)
    if space.dtype is not None and np.dtype(space.dtype).kind == "U":  # a space of texts of its own kind
        if max_length is None:
            raise TypeError(
                _cannot(space, at, "has no bound: say how many characters at most, max_length=100")
            )
        return Characters(space, at, "".join(sorted(string.printable)), max_length)
    raise TypeError(
        _cannot(space, at, "cannot be flattened: turn it into Box, Discrete, Dict or Tuple with a wrapper")
    )


_NUMBERS = {"bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def _cannot(space: Space, at: str, why: str) -> str:
    return f"{f'the part {at} of the space, ' if at else 'the space '}{space} {why}"


# -- actions ------------------------------------------------------------------------------------

Unflatten = Callable[[np.ndarray], Any]


def read_row(space: spaces.Space, row: np.ndarray) -> Any:
    """One row of observations of the flat ``space``, as the space it was made of has it; a copy."""
    if isinstance(space, FlatBox):
        return space.layout.read(row.copy())
    if isinstance(space, spaces.Discrete):
        return space.dtype.type(row)
    return np.array(row, space.dtype)


def flatten_actions(space: Space) -> tuple[Space, Unflatten]:
    """One agent's flat action space, and the function that makes the env's own action of a row.

    ==============================  ============================================================
    Discrete, MultiDiscrete, Box    the same, choices counted from 0, MultiDiscrete as a vector
    MultiBinary                     MultiDiscrete of twos
    Dict, Tuple of choices          MultiDiscrete, side by side
    Dict, Tuple of Boxes            one float32 Box, side by side
    Dict, Tuple of both             one float32 Box, in which a choice of n takes n numbers: the
                                    largest wins
    ==============================  ============================================================

    The function raises :class:`InvalidAction` for a choice that there is not. What it returns is new each time.

    Raises:
        TypeError: the space has a part of another kind; says which.
    """
    if isinstance(space, spaces.Box):
        return space, partial(_box, space)
    leaves = list(_action_leaves(space, ""))
    if isinstance(space, spaces.Discrete):
        return spaces.Discrete(int(space.n)), partial(_choose, space, _counts(space))
    if not leaves:
        raise TypeError(f"the action space {space} has nothing to choose")
    if not any(isinstance(leaf, spaces.Box) for leaf in leaves):
        counts = [_counts(leaf) for leaf in leaves]
        cuts = np.cumsum([len(part) for part in counts])[:-1]
        nvec = np.concatenate(counts)
        return spaces.MultiDiscrete(nvec), partial(_choose_several, space, nvec, cuts)
    lows, highs = zip(*(_bounds(leaf) for leaf in leaves), strict=True)
    cuts = np.cumsum([len(low) for low in lows])[:-1]
    box = spaces.Box(np.concatenate(lows), np.concatenate(highs), dtype=np.float32)
    return box, partial(_split, space, cuts)


def _action_leaves(space: Space, at: str) -> Iterator[Space]:
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box)):
        yield space
    elif isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _action_leaves(part, f"{at}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        for index, part in enumerate(space.spaces):
            yield from _action_leaves(part, f"{at}[{index}]")
    else:
        raise TypeError(
            f"the action space{f' has at {at}' if at else ' is'} {space}; actions are Discrete, MultiDiscrete, "
            "MultiBinary, Box, or a Dict or Tuple of these: turn it into such with a wrapper"
        )


def _counts(leaf: Space) -> np.ndarray:
    """How many choices each of its numbers has, as a vector."""
    if isinstance(leaf, spaces.Discrete):
        return np.array([leaf.n], np.int64)
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.nvec.ravel().astype(np.int64)
    return np.full(math.prod(leaf.shape), 2, np.int64)  # type: ignore[arg-type]


def _bounds(leaf: Space) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of its numbers; choices compete without bounds, where none of them is cut off."""
    if isinstance(leaf, spaces.Box):
        return leaf.low.ravel().astype(np.float32), leaf.high.ravel().astype(np.float32)
    size = int(_counts(leaf).sum())
    return np.full(size, -np.inf, np.float32), np.full(size, np.inf, np.float32)


def _choose(space: spaces.Discrete, counts: np.ndarray, row: np.ndarray) -> Any:
    number = int(row)
    if not 0 <= number < counts[0]:
        raise InvalidAction(f"the action {number} is not in Discrete({counts[0]})")
    return _restore(space, np.array([number]))


def _choose_several(space: Space, nvec: np.ndarray, cuts: np.ndarray, row: np.ndarray) -> Any:
    if (row < 0).any() or (row >= nvec).any():
        raise InvalidAction(f"the action {row} is not in MultiDiscrete({nvec})")
    return _build(space, iter(np.split(row, cuts)), _restore)


def _split(space: Space, cuts: np.ndarray, row: np.ndarray) -> Any:
    return _build(space, iter(np.split(row, cuts)), _largest_wins)


def _build(
    space: Space, pieces: Iterator[np.ndarray], leaf_action: Callable[[Space, np.ndarray], Any]
) -> Any:
    """The action of ``space`` whose leaves are ``pieces``, in order."""
    if isinstance(space, spaces.Dict):
        return {key: _build(part, pieces, leaf_action) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_build(part, pieces, leaf_action) for part in space.spaces)
    return leaf_action(space, next(pieces))


def _largest_wins(leaf: Space, scores: np.ndarray) -> Any:
    if isinstance(leaf, spaces.Box):
        return _box(leaf, scores)
    parts = np.split(scores, np.cumsum(_counts(leaf))[:-1])
    return _restore(leaf, np.array([part.argmax() for part in parts]))


def _box(leaf: spaces.Box, row: np.ndarray) -> np.ndarray:
    """``row`` in the shape and type of the Box; floats become the nearest integers within it."""
    row = np.reshape(row, leaf.shape)
    if leaf.dtype.kind != "f" and row.dtype.kind == "f":
        row = np.clip(np.rint(row), leaf.low, leaf.high)
    return row.astype(leaf.dtype)


def _restore(leaf: Space, numbers: np.ndarray) -> Any:
    """Choices counted from 0 -> as the env counts them, in its type."""
    if isinstance(leaf, spaces.Discrete):
        return leaf.dtype.type(int(leaf.start) + int(numbers[0]))
    numbers = numbers.reshape(leaf.shape).astype(leaf.dtype)
    return numbers + leaf.start if isinstance(leaf, spaces.MultiDiscrete) else numbers
