"""The PufferEnv contract: flat arrays with one row per agent, written in place.

A PufferEnv holds one game or thousands. Whatever it holds, what the outside sees is one row per agent:
``observations[i]`` is what agent ``i`` sees, ``actions[i]`` what it does, ``rewards[i]`` what it got.
Nothing is allocated per step and nothing is copied on the way to the learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from typing import Any, SupportsIndex, overload

import numpy as np
from gymnasium import spaces

from pufferbench.errors import InvalidAction

Space = spaces.Space
Infos = Sequence[Mapping[str, Any]]
StepResult = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos]


@dataclass(slots=True)
class Buffers:
    """The arrays through which an environment talks, one row per agent.

    ========================  ======================  ==============================================
    field                     shape, type             meaning
    ========================  ======================  ==============================================
    ``observations``          ``[n, *shape]``         what the agent sees now
    ``actions``               ``[n, *shape]``         what it does
    ``rewards``               ``[n]`` float32         for the last step
    ``terminals``             ``[n]`` bool            the episode ended; the row already shows the next
    ``truncations``           ``[n]`` bool            the episode was cut, not ended
    ``final_observations``    like ``observations``   row i is valid exactly when ``truncations[i]``
    ``masks``                 ``[n]`` bool            False: this row does not act now
    ``action_masks``          ``[n, actions]`` bool   legal actions; None when all are always legal
    ========================  ======================  ==============================================
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    truncations: np.ndarray
    final_observations: np.ndarray
    masks: np.ndarray
    action_masks: np.ndarray | None = None

    @classmethod
    def allocate(
        cls, num_agents: int, observation_space: Space, action_space: Space, num_action_masks: int = 0
    ) -> Buffers:
        """New arrays for ``num_agents`` rows of one agent's spaces, :meth:`clear`-ed."""
        fields = cls.fields(num_agents, observation_space, action_space, num_action_masks)
        buffers = cls(**{name: np.zeros(shape, dtype) for name, (shape, dtype) in fields.items()})
        buffers.clear()
        return buffers

    @staticmethod
    def fields(
        num_agents: int, observation_space: Space, action_space: Space, num_action_masks: int = 0
    ) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Name -> ``(shape, dtype)`` of the arrays, for whoever places them in memory."""
        observation_shape, observation_type = _layout(observation_space)
        action_shape, action_type = _layout(action_space)
        flag = np.dtype(np.bool_)
        fields = {
            "observations": ((num_agents, *observation_shape), observation_type),
            "actions": ((num_agents, *action_shape), action_type),
            "rewards": ((num_agents,), np.dtype(np.float32)),
            "terminals": ((num_agents,), flag),
            "truncations": ((num_agents,), flag),
            "final_observations": ((num_agents, *observation_shape), observation_type),
            "masks": ((num_agents,), flag),
        }
        if num_action_masks:
            fields["action_masks"] = ((num_agents, num_action_masks), flag)
        return fields

    def arrays(self) -> dict[str, np.ndarray]:
        """Name -> array, of those that are there."""
        found = {field.name: getattr(self, field.name) for field in dataclass_fields(self)}
        return {name: array for name, array in found.items() if array is not None}

    def slice(self, start: int, stop: int) -> Buffers:
        """Rows ``start``..``stop-1`` as views: what is written there is written here."""
        return Buffers(**{name: array[start:stop] for name, array in self.arrays().items()})

    def clear(self) -> None:
        """As before the first reset: zeros, every agent acts, every action is legal."""
        for name, array in self.arrays().items():
            array[...] = name in ("masks", "action_masks")

    def check(self, fields: Mapping[str, tuple[tuple[int, ...], np.dtype]], owner: str) -> None:
        """Raises ValueError unless the arrays are those of ``fields``: machine code does not check."""
        arrays = self.arrays()
        if missing := sorted(fields.keys() ^ arrays.keys()):
            raise ValueError(
                f"{owner}: buf has {', '.join(sorted(arrays))}, but must have {', '.join(sorted(fields))} "
                f"(they differ in {', '.join(missing)})"
            )
        for name, (shape, dtype) in fields.items():
            array = arrays[name]
            if array.shape != shape or array.dtype != dtype or not array.flags.c_contiguous:
                order = "" if array.flags.c_contiguous else "non-contiguous "
                raise ValueError(
                    f"{owner}: buf.{name} is {order}{array.dtype} {array.shape}, "
                    f"but must be contiguous {dtype} {shape}"
                )


def _layout(space: Space) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of one agent's row. Actions are int32 (what kernels read) or the Box's own type."""
    if isinstance(space, spaces.Discrete):
        return (), np.dtype(np.int32)
    if isinstance(space, spaces.MultiDiscrete):
        return space.shape, np.dtype(np.int32)
    if isinstance(space, spaces.Box):
        return space.shape, space.dtype
    raise TypeError(
        f"a PufferEnv's own spaces are Box, Discrete or MultiDiscrete, not {space}; "
        "pufferbench.emulate() flattens the others"
    )


class EpisodeInfos(Sequence):
    """The episodes that ended in one step: a sequence of dicts, made only when somebody looks.

    ``records`` is a structured array with a field per statistic (``episode_return``,
    ``episode_length``, and the environment's own), which is what a learner reads: no dict per episode.
    """

    __slots__ = ("records",)

    def __init__(self, records: np.ndarray) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: SupportsIndex) -> dict[str, float]: ...
    @overload
    def __getitem__(self, index: slice) -> EpisodeInfos: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return EpisodeInfos(self.records[index])
        record = self.records[index]
        return {name: record[name].item() for name in self.records.dtype.names or ()}

    def __repr__(self) -> str:
        return f"EpisodeInfos({list(self)!r})"


def join_infos(parts: Sequence[Infos]) -> Infos:
    """The infos of several members as one sequence, in order; ``()`` when there are none."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return ()
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, EpisodeInfos) for part in parts):
        records = [part.records for part in parts]  # type: ignore[attr-defined]
        if all(record.dtype == records[0].dtype for record in records):
            return EpisodeInfos(np.concatenate(records))
    return [info for part in parts for info in part]


class PufferEnv:
    """One or many games behind flat arrays.

    Subclasses set ``observation_space`` and ``action_space`` (*one agent's*, also on an env that holds
    thousands), ``num_agents`` (rows in all) and, when they hold several games, ``num_envs``; they write
    into ``self.observations``, ``self.rewards``, ... in place. Spaces may be set after
    ``super().__init__(buf)``: the arrays are made at first use.

    Args:
        buf: the :class:`Buffers` to write into, from a vectorizer; None makes our own.

    Attributes:
        spec: the registry entry and keyword arguments that made this env, or None.
        first_env: index of this env's first game within the whole batch, so that a batch that is
            split over several envs plays the same games (see :func:`game_seed`).
        choice: how ``pufferbench.make`` decided to step it and why, "" when there was nothing to decide.
    """

    observation_space: Space
    action_space: Space
    num_agents: int = 1
    num_envs: int = 1
    first_env: int = 0
    num_action_masks: int = 0
    spec: Any = None
    choice: str = ""

    _source_observation_space: Space | None = None
    _source_action_space: Space | None = None

    def __init__(self, buf: Buffers | None = None) -> None:
        self._buffers = buf

    # -- spaces ---------------------------------------------------------------------------------

    @property
    def source_observation_space(self) -> Space:
        """One agent's observation space before it was flattened: the Dict or Tuple, say. Else the same."""
        if self._source_observation_space is not None:
            return self._source_observation_space
        return getattr(self.observation_space, "source", self.observation_space)

    @property
    def source_action_space(self) -> Space:
        """One agent's action space before it was flattened. Else the same."""
        return self.action_space if self._source_action_space is None else self._source_action_space

    @property
    def single_observation_space(self) -> Space:
        return self.observation_space

    @property
    def single_action_space(self) -> Space:
        return self.action_space

    def make_space(
        self,
        shape: Sequence[int] | int | Mapping[str, Any],
        low: float | None = None,
        high: float | None = None,
        dtype: Any = np.float32,
    ) -> Space:
        """A Box of ``shape``, or a Dict of them from ``{"image": (84, 84, 3), "vector": (10,)}``.

        Bounds default to the type's own: 0..255 for uint8, unbounded for floats.
        """
        if isinstance(shape, Mapping):
            return spaces.Dict({key: self.make_space(part, low, high, dtype) for key, part in shape.items()})
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        kind = np.dtype(dtype)
        if kind.kind == "f":
            bounds = (-np.inf, np.inf)
        elif kind.kind in "iu":
            bounds = (np.iinfo(kind).min, np.iinfo(kind).max)
        else:
            raise TypeError(f"make_space needs a float or integer dtype, not {kind}")
        return spaces.Box(
            bounds[0] if low is None else low, bounds[1] if high is None else high, shape, kind.type
        )

    def make_discrete(self, n: int) -> spaces.Discrete:
        """Actions 0 .. n-1."""
        return spaces.Discrete(n)

    def make_multi_discrete(self, nvec: Sequence[int]) -> spaces.MultiDiscrete:
        """Several discrete choices at once: the i-th is 0 .. nvec[i]-1."""
        return spaces.MultiDiscrete(np.asarray(nvec, dtype=np.int64))

    # -- buffers --------------------------------------------------------------------------------

    @property
    def buffers(self) -> Buffers:
        if self._buffers is None:
            self._buffers = Buffers.allocate(
                self.num_agents, self.observation_space, self.action_space, self.num_action_masks
            )
        return self._buffers

    def use_buffers(self, buffers: Buffers) -> None:
        """From now on write into these arrays; what the present ones hold is copied into them.

        Vectorizers call it to place their members' rows in one set of arrays.

        Raises:
            ValueError: an array has the wrong shape, type or memory order.
        """
        buffers.check(
            Buffers.fields(self.num_agents, self.observation_space, self.action_space, self.num_action_masks),
            type(self).__name__,
        )
        if self._buffers is None:
            buffers.clear()
        else:
            present = self._buffers.arrays()
            for name, array in buffers.arrays().items():
                array[...] = present[name]
        self._buffers = buffers

    @property
    def observations(self) -> np.ndarray:
        return self.buffers.observations

    @property
    def actions(self) -> np.ndarray:
        return self.buffers.actions

    @property
    def rewards(self) -> np.ndarray:
        return self.buffers.rewards

    @property
    def terminals(self) -> np.ndarray:
        return self.buffers.terminals

    @property
    def truncations(self) -> np.ndarray:
        return self.buffers.truncations

    @property
    def final_observations(self) -> np.ndarray:
        return self.buffers.final_observations

    @property
    def masks(self) -> np.ndarray:
        return self.buffers.masks

    @property
    def action_masks(self) -> np.ndarray | None:
        return self.buffers.action_masks

    # -- the interface --------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> Any:
        """Start new episodes everywhere. Returns ``(observations, infos)``.

        With a ``seed`` the games start from it; without, each game's generator goes on where it was
        (a new env has seed 0, so that even a careless program gives the same result twice).
        """
        raise NotImplementedError(f"{type(self).__name__} has no reset(seed)")

    def step(self, actions: Any) -> Any:
        """One step of every game.

        Returns ``(observations, rewards, terminals, truncations, infos)``: views of the buffers, valid
        until the next step, and the statistics of the episodes that ended.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step(actions)")

    def render(self) -> np.ndarray:
        """The first game as an RGB image ``[height, width, 3]`` uint8."""
        raise NotImplementedError(f"{type(self).__name__} has no render(): it cannot be drawn")

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """Another env like this one, with ``num_envs`` games: what views and evaluations play in."""
        if self.spec is None:
            raise TypeError(
                f"cannot make another {type(self).__name__}: it did not come from pufferbench.make()"
            )
        if self.spec.holds_many:
            return self.spec.make(num_envs=num_envs)
        if num_envs != 1:
            raise ValueError(f"{type(self).__name__} holds one game, not {num_envs}: use pufferbench.make()")
        return self.spec.make()

    def close(self) -> None:
        """Give back what the env holds. Closing twice is fine."""

    def __enter__(self) -> PufferEnv:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load_actions(self, actions: Any) -> None:
        """Copy ``actions`` into ``self.actions``; shape and type errors become one clear message."""
        target = self.actions
        array = np.asarray(actions)
        if array.shape != target.shape:
            raise InvalidAction(
                f"actions have shape {array.shape}, expected {target.shape}: "
                f"one action of {self.action_space} for each of {self.num_agents} agents"
            )
        if array.dtype != target.dtype and not np.can_cast(array.dtype, target.dtype, "same_kind"):
            raise InvalidAction(
                f"actions have type {array.dtype}, expected {target.dtype} for {self.action_space}"
            )
        np.copyto(target, array, casting="same_kind")
        # int64 (what numpy and torch make by themselves) into int32: a huge number must not wrap to a legal one
        if (
            array.dtype.itemsize > target.dtype.itemsize
            and target.dtype.kind in "iu"
            and (target != array).any()
        ):
            row = int(np.argwhere(target != array)[0][0])
            raise InvalidAction(f"the action of agent {row} is {array[row]}, outside {self.action_space}")


_MASK = (1 << 64) - 1


def mix(value: int) -> int:
    """splitmix64's finalizer: spreads nearby 64-bit integers far apart (Steele et al., 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def game_seed(seed: int, index: int) -> int:
    """The 64-bit seed of game ``index`` in a batch seeded with ``seed``.

    It depends on nothing else, so any split of a batch plays the same games; and batches with
    neighbouring seeds share none, as ``seed + index`` would.
    """
    return mix((mix(seed & _MASK) + index) & _MASK)
