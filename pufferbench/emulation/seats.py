"""Agents that differ, in rows that are alike: spaces that hold everybody's, and a seat for each agent."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.emulation.checks import BadEnvironment, check_observation
from pufferbench.emulation.masks import KEY, number_of_choices, split_mask, without_mask, write_mask
from pufferbench.env import Buffers, Space
from pufferbench.errors import InvalidAction
from pufferbench.spaces import FlatBox, flatten_actions, flatten_observations

AgentID = Hashable


@dataclass(frozen=True)
class AgentSpaces:
    """What one agent sees and does, in its environment's words; the action mask is taken out.

    Attributes:
        masked: whether its observations have an action mask beside them.
    """

    observation: Space
    action: Space
    masked: bool = False

    @classmethod
    def of(cls, observation: Space, action: Space) -> AgentSpaces:
        rest, masked = without_mask(observation, flatten_actions(action)[0])
        return cls(rest, action, masked)


class RowSpaces:
    """Spaces of a row that any of these agents may sit in.

    Agents with equal spaces share them. Where they differ, Boxes of one rank and type are as large as the
    largest in every direction: smaller observations are padded with zeros, and of an action only the agent's
    own part is looked at. Of discrete choices the largest counts, and action masks say which of them an
    agent has.

    Args:
        agents: each agent's spaces.
        name: the environment's, for messages.
        masked: whether its infos bring action masks (of observations with masks the spaces tell).
        max_length: the most items of a Sequence, and characters of a text without a bound.

    Raises:
        TypeError: the agents' spaces cannot share rows, or are of a kind that cannot be flattened.
    """

    def __init__(
        self,
        agents: Mapping[AgentID, AgentSpaces],
        name: str,
        masked: bool = False,
        max_length: int | None = None,
    ) -> None:
        self.name, self.max_length = name, max_length
        seen = {agent: own.observation for agent, own in agents.items()}
        done = {agent: own.action for agent, own in agents.items()}
        self.source_observation_space = _common(seen, "observation", name)
        self.source_action_space = _common(done, "action", name)
        self.observation_space = flatten_observations(self.source_observation_space, max_length)
        self.action_space = flatten_actions(self.source_action_space)[0]
        padded = any(space != self.source_action_space for space in done.values())
        masked = masked or padded or any(own.masked for own in agents.values())
        self.num_action_masks = number_of_choices(self.action_space) if masked else 0


class Seat:
    """One agent in one row: writes what it sees into the row, and reads what it does.

    Raises:
        TypeError: the agent's spaces are larger than the row's, or of another kind.
    """

    def __init__(self, agent: AgentID, own: AgentSpaces, rows: RowSpaces, row: int, buffers: Buffers) -> None:
        self.agent, self.spaces, self.row = agent, own, row
        self.where = f"{rows.name}, agent {agent!r}"
        self._read = self._reader(rows.action_space)
        self._source_start = getattr(own.observation, "start", 0)
        self._counts_from_zero = not np.any(self._source_start)  # np.any takes longer than all the rest
        self._flat = self._fitting(rows)
        self._part = _part(self._flat, rows.observation_space)
        self._choices = self._own_choices(rows) if rows.num_action_masks else None
        self.bind(buffers)

    def bind(self, buffers: Buffers) -> None:
        """Use the row of these buffers from now on."""
        self._observation, self._final = (
            buffers.observations[self.row, ...],
            buffers.final_observations[self.row, ...],
        )
        self._action = buffers.actions[self.row, ...]
        self._mask = None if buffers.action_masks is None else buffers.action_masks[self.row]
        self._write = self._writer(self._observation)

    # -- what it sees ---------------------------------------------------------------------------

    def see(self, observation: Any, info: Mapping[str, Any], check: bool) -> None:
        """Copy an observation and the legal actions into the row.

        Args:
            check: whether to look at the observation closely. Its shape and type are always looked at.
        """
        mask = None
        if self.spaces.masked:
            observation, mask = self._split(observation)
        elif self._mask is not None:
            mask = info.get(KEY)
        if check:
            check_observation(self.spaces.observation, observation, self.where)
            if self._mask is None and KEY in info and number_of_choices(self._flat_actions):
                raise BadEnvironment(
                    f"{self.where}: its info has an {KEY}, but no info had one after reset(): the first must, too"
                )
        self._write(observation)
        if self._mask is not None and self._choices is not None:
            if len(self._choices) == len(self._mask):
                write_mask(mask, self._mask, self._flat_actions, self.where)
            else:
                legal = np.empty(len(self._choices), np.bool_)
                write_mask(mask, legal, self._flat_actions, self.where)
                self._mask[:] = False
                self._mask[self._choices] = legal

    def see_last(self, observation: Any) -> None:
        """Copy the last observation of an episode that was cut."""
        if self.spaces.masked:
            observation, _ = self._split(observation)
        self._final[...] = 0
        self._writer(self._final)(observation)

    def leave(self) -> None:
        """Nobody sits in the row any more: zeros."""
        self._observation[...] = 0
        if self._mask is not None:
            self._mask[:] = True

    def _split(self, observation: Any) -> tuple[Any, Any]:
        if not isinstance(observation, Mapping) or KEY not in observation:
            raise BadEnvironment(
                f"{self.where}: the observation is a {type(observation).__name__} without the key {KEY!r}, "
                "which its space has"
            )
        return split_mask(observation)

    def _fitting(self, rows: RowSpaces) -> Space:
        """Our own flat observation space. Raises TypeError where it does not fit into the row."""
        flat, row_space = (
            flatten_observations(self.spaces.observation, rows.max_length),
            rows.observation_space,
        )
        if flat != row_space:
            alike = type(flat) is type(row_space) and flat.dtype == row_space.dtype
            if not alike or isinstance(flat, FlatBox) or not _smaller(flat, row_space):
                raise self._misfit("observation", self.spaces.observation, row_space)
        return flat

    def _writer(self, row: np.ndarray) -> Callable[[Any], None]:
        if isinstance(self._flat, FlatBox):
            return self._flat.layout.writer(row)
        return partial(self._write_numbers, row[self._part])

    def _write_numbers(self, place: np.ndarray, observation: Any) -> None:
        array = np.asarray(observation)
        if array.shape != place.shape or (
            array.dtype != place.dtype and not np.can_cast(array.dtype, place.dtype, "same_kind")
        ):
            raise BadEnvironment(
                f"{self.where}: the observation is of type {array.dtype} and shape {array.shape}, "
                f"but its space {self.spaces.observation} means {place.dtype} {place.shape}"
            )
        place[...] = array if self._counts_from_zero else array - self._source_start

    # -- what it does ---------------------------------------------------------------------------

    def action(self) -> Any:
        """The action in the row, as the environment wants it. Raises InvalidAction."""
        try:
            return self._read(self._action)
        except InvalidAction as error:
            raise InvalidAction(f"{self.where}: {error}") from None

    def _reader(self, row_space: Space) -> Callable[[np.ndarray], Any]:
        space = self.spaces.action
        flat, unflatten = flatten_actions(space)
        self._flat_actions = flat
        if flat != row_space:
            alike = type(flat) is type(row_space) and len(flat.shape or ()) == len(row_space.shape or ())
            if not alike or not _smaller(flat, row_space):
                raise self._misfit("action", space, row_space)
        if isinstance(space, spaces.Discrete):  # most games: faster than in general
            self._actions = np.arange(space.start, space.start + space.n, dtype=space.dtype)
            return self._choose
        if flat.shape == row_space.shape:
            return lambda row: unflatten(row)
        part = _part(flat, row_space)
        return lambda row: unflatten(row[part])

    def _choose(self, row: np.ndarray) -> Any:
        number = row.item()
        if not 0 <= number < len(self._actions):
            raise InvalidAction(f"the action {number} is not in Discrete({len(self._actions)})")
        return self._actions[number]

    def _own_choices(self, rows: RowSpaces) -> np.ndarray:
        """Which of the row's choices are this agent's: every part of the row is as wide as the widest."""
        own, widest = _counts(self._flat_actions), _counts(rows.action_space)
        starts = np.cumsum(widest) - widest
        return np.concatenate([np.arange(start, start + n) for start, n in zip(starts, own, strict=True)])

    def _misfit(self, what: str, own: Space, row_space: Space) -> TypeError:
        return TypeError(f"{self.where}: its {what} space {own} does not fit into rows of {row_space}")


# -- spaces -------------------------------------------------------------------------------------


def _common(found: Mapping[AgentID, Space], what: str, name: str) -> Space:
    """One space that holds everybody's; see :class:`RowSpaces`."""
    distinct: list[Any] = []
    for space in found.values():
        if space not in distinct:
            distinct.append(space)
    first = distinct[0]
    if len(distinct) == 1:
        return first
    if len({(type(space), space.dtype, len(space.shape or ())) for space in distinct}) == 1:
        if isinstance(first, spaces.Box):
            return _padded(distinct)
        if isinstance(first, spaces.Discrete):
            return spaces.Discrete(max(int(space.n) for space in distinct))
        if isinstance(first, spaces.MultiDiscrete) and len({space.shape for space in distinct}) == 1:
            return spaces.MultiDiscrete(np.max([space.nvec for space in distinct], axis=0))
    listed = "; ".join(f"{agent!r}: {space}" for agent, space in found.items())
    raise TypeError(
        f"{name}: the {what} spaces of its agents cannot share rows: {listed}. Equal ones can, Boxes of "
        "one rank and type, and discrete choices of different sizes: wrap the environment so that they are"
    )


def _padded(boxes: list[spaces.Box]) -> spaces.Box:
    """The smallest Box that holds all of them, and zeros where one of them ends."""
    shape = tuple(np.max([box.shape for box in boxes], axis=0))
    lows, highs = np.zeros((2, len(boxes), *shape), boxes[0].dtype)
    for box, low, high in zip(boxes, lows, highs, strict=True):
        part = tuple(slice(n) for n in box.shape)
        low[part], high[part] = box.low, box.high
    return spaces.Box(lows.min(0), highs.max(0), shape, boxes[0].dtype.type)


def _smaller(own: Any, row: Any) -> bool:
    """Whether a flat space, of the same class, fits into the row's."""
    if isinstance(own, spaces.Discrete):
        return bool(own.n <= row.n)
    if isinstance(own, spaces.MultiDiscrete):
        return own.shape == row.shape and bool((own.nvec <= row.nvec).all())
    return len(own.shape) == len(row.shape) and all(
        n <= most for n, most in zip(own.shape, row.shape, strict=True)
    )


def _part(own: Space, row: Space) -> Any:
    """The index of an agent's own part of a row."""
    return ... if own.shape == row.shape else tuple(slice(n) for n in own.shape or ())


def _counts(flat: Any) -> np.ndarray:
    """How many actions each choice has."""
    return np.array([flat.n]) if isinstance(flat, spaces.Discrete) else flat.nvec
