"""Return and length of episodes, for environments that do not count."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.emulation.gymnasium import EPISODE
from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv, StepResult
from pufferbench.wrappers.base import Wrapper


class EpisodeCounter:
    """Return and length so far of the episode in each row.

    Attributes:
        gone: bool ``[rows]``, agents whose episode is over while their game goes on without them.
    """

    def __init__(self, env: PufferEnv) -> None:
        self._games = env.num_envs
        self.returns, self.lengths = np.zeros(env.num_agents), np.zeros(env.num_agents, np.int64)
        self.gone = np.zeros(env.num_agents, bool)

    def clear(self) -> None:
        for array in (self.returns, self.lengths, self.gone):
            array[:] = 0

    def add(self, b: Buffers) -> np.ndarray:
        """Count the step that is in ``b``. Returns whose episodes it ended, bool ``[rows]``."""
        playing = ~self.gone
        self.returns += b.rewards * playing
        self.lengths += playing
        ended = b.terminals | b.truncations
        if ended.any() or self.gone.any():
            over = (self.gone | ended).reshape(self._games, -1)
            # Who ended and does not act now is gone, unless all have ended: then the game has begun anew
            self.gone = (over & ~over.all(1, keepdims=True)).ravel() & ~b.masks
        return ended

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The statistics of ``rows`` (a bool for each), which begin anew."""
        records = np.zeros(np.count_nonzero(rows), EPISODE)
        records["episode_return"], records["episode_length"] = self.returns[rows], self.lengths[rows]
        self.returns[rows] = 0
        self.lengths[rows] = 0
        return records


class EpisodeStatistics(Wrapper):
    """Reports ``episode_return`` and ``episode_length`` when an episode ends.

    They are of the rewards as they are here: around a wrapper that shapes rewards, of the shaped ones. What else
    the env reports of its ended episodes (``score``, ...) is kept.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self._counter = EpisodeCounter(self)

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self._counter.clear()
        return super().reset(seed)

    def step(self, actions: Any) -> StepResult:
        *_, infos = super().step(actions)
        b = self.buffers
        ended = self._counter.add(b)
        if ended.any():
            infos = _merged(self._counter.take(ended), infos)
        return b.observations, b.rewards, b.terminals, b.truncations, infos


def _merged(own: np.ndarray, infos: Infos) -> Infos:
    """Our statistics of some episodes, with what else the env says of the same ones."""
    if len(infos) != len(own):
        return EpisodeInfos(own)
    if not isinstance(infos, EpisodeInfos):
        counted = EpisodeInfos(own)
        return [{**info, **mine} for info, mine in zip(infos, counted, strict=True)]
    theirs = infos.records
    others = [name for name in theirs.dtype.names or () if name not in EPISODE.names]  # type: ignore[operator]
    fields = [(name, EPISODE[name]) for name in EPISODE.names or ()]
    records = np.zeros(len(own), [*fields, *((name, theirs.dtype[name]) for name in others)])
    for name in records.dtype.names or ():
        records[name] = theirs[name] if name in others else own[name]
    return EpisodeInfos(records)
