"""Vector environments of others: many games that step themselves as a batch."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from pufferbench.emulation.checks import CHECKED_STEPS, BadEnvironment, check_observation
from pufferbench.emulation.gymnasium import EPISODE
from pufferbench.env import EpisodeInfos, Infos, PufferEnv, Space, StepResult, game_seed
from pufferbench.spaces import FlatBox, flatten_actions, flatten_observations, layout_of

SAME_STEP, NEXT_STEP, DISABLED = "SameStep", "NextStep", "Disabled"  # values of gymnasium's AutoresetMode


class ThirdPartyVector(PufferEnv):
    """A ``gymnasium.vector.VectorEnv``, or an older one that returns arrays with a row per game, one agent each.

    A game that ended shows its next episode in the same step, as the contract says, where the vector env
    resets so (``AutoresetMode.SAME_STEP``, and all older ones) or lets us do it (``DISABLED``). With
    ``NEXT_STEP``, Gymnasium's default, it spends a step on the reset: in that step its row does not act (its
    ``masks`` is False), so that nothing is learned from a step that was none.

    Args:
        env: has ``num_envs``, ``reset`` and ``step``. Older ones return 4 values from ``step`` and one (or two)
            from ``reset``, and reset a game in the step that ends it; the infos of a cut episode have
            ``TimeLimit.truncated`` and ``terminal_observation``.
        max_length: longest Text or Sequence of the observations.

    Raises:
        TypeError: its spaces cannot be arrays.
        BadEnvironment: what it returns is not what its spaces and the interface say.
    """

    def __init__(self, env: Any, max_length: int | None = None) -> None:
        super().__init__()
        self.env = env
        self.name = type(getattr(env, "unwrapped", env)).__name__
        self.num_envs = self.num_agents = int(env.num_envs)
        metadata = getattr(env, "metadata", None) or {}
        self.fps = int(metadata.get("render_fps") or 30)
        self._modern = isinstance(env, gymnasium.vector.VectorEnv)
        mode = metadata.get("autoreset_mode", NEXT_STEP) if self._modern else SAME_STEP
        self._mode = getattr(mode, "value", mode)
        self._sees = self._source_observation_space = self._one_game("observation_space")
        self._does = self._source_action_space = self._one_game("action_space")
        self.observation_space = flatten_observations(self._sees, max_length)
        self.action_space, self._unflatten = flatten_actions(self._does)
        self._batch = batch_space(self._sees, self.num_envs)
        # Its observations are written as they come where the rows are the same arrays
        self._same = self.observation_space is self._sees
        flat = self.observation_space
        self._layout = flat.layout if isinstance(flat, FlatBox) else layout_of(self._sees)
        self._checks = CHECKED_STEPS
        self._seeded = False
        self._returns, self._lengths = np.zeros(self.num_envs), np.zeros(self.num_envs, np.int64)

    def look_at_every_step(self) -> None:
        """From now on look closely at all steps: ``puffer check`` does."""
        self._checks = sys.maxsize

    def _one_game(self, name: str) -> Space:
        """One game's space: older vector envs have only that, under the name itself."""
        space = getattr(self.env, f"single_{name}", None) or getattr(self.env, name)
        if isinstance(space, spaces.Space):
            return space
        from pufferbench.emulation.legacy import modern_space

        return modern_space(space)

    # -- playing --------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        """New episodes in all games. See :meth:`pufferbench.env.PufferEnv.reset`."""
        if seed is None and not self._seeded:
            seed = 0
        result = self.env.reset(**({} if seed is None else self._seed(int(seed))))
        self._seeded = True
        two = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], (Mapping, list))
        if self._modern and not two:
            raise BadEnvironment(f"{self.name}: reset() must return (observations, infos), not {result!r}")
        b = self.buffers
        self._see(result[0] if two else result, b.observations, "reset()")
        for array in (b.rewards, b.terminals, b.truncations, self._returns, self._lengths):
            array[:] = 0
        b.masks[:] = True
        return b.observations, ()

    def _seed(self, seed: int) -> dict[str, Any]:
        """Arguments for ``reset``: a seed per game where it takes them, so that a batch may be split."""
        seeds = [game_seed(seed, self.first_env + game) % 2**31 for game in range(self.num_envs)]
        unwrapped = getattr(self.env, "unwrapped", self.env)
        if isinstance(unwrapped, (gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv)):
            return {"seed": seeds}
        if "seed" in inspect.signature(self.env.reset).parameters:
            return {"seed": seeds[0]}
        if callable(method := getattr(self.env, "seed", None)):
            method(seeds[0])
        return {}

    def step(self, actions: Any) -> StepResult:
        """One step of all games. See :meth:`pufferbench.env.PufferEnv.step`."""
        b = self.buffers
        if actions is not b.actions:
            self.load_actions(actions)
        if not self._seeded:
            raise RuntimeError(f"{self.name}: call reset() before the first step()")
        result = self.env.step(self._actions(b.actions))
        if not isinstance(result, tuple) or len(result) not in (4, 5):
            raise BadEnvironment(f"{self.name}: step() must return 4 or 5 values, not {result!r}")
        infos = result[-1]
        b.rewards[:] = self._array(result[1], "rewards")
        if np.isnan(b.rewards).any():
            raise BadEnvironment(
                f"{self.name}: the reward of game {int(np.isnan(b.rewards).argmax())} is NaN"
            )
        ended = self._array(result[2], "terminals").astype(bool)
        if len(result) == 5:
            cut = self._array(result[3], "truncations").astype(bool)
            b.terminals[:], b.truncations[:] = ended, cut & ~ended
        else:
            cut = np.array([bool(_of_game(infos, "TimeLimit.truncated", game)) for game in range(len(ended))])
            b.terminals[:], b.truncations[:] = ended & ~cut, ended & cut
        observations = result[0]
        if self._mode == NEXT_STEP:
            began = ~b.masks  # in this step
            b.rewards[began] = 0
            self._see(observations, b.observations, "step()")
            b.final_observations[b.truncations] = b.observations[b.truncations]
            b.masks[:] = ~(b.terminals | b.truncations)
        elif self._mode == DISABLED:
            began = np.zeros(self.num_envs, bool)
            self._see(observations, b.observations, "step()")
            if (over := b.terminals | b.truncations).any():
                b.final_observations[b.truncations] = b.observations[b.truncations]
                fresh = self.env.reset(options={"reset_mask": over})[0]
                self._see(fresh, b.observations, "reset()")
        else:
            began = np.zeros(self.num_envs, bool)
            self._see(observations, b.observations, "step()")
            for game in np.flatnonzero(b.truncations):
                self._see_last(int(game), infos)
        return b.observations, b.rewards, b.terminals, b.truncations, self._episodes(~began)

    def _actions(self, rows: np.ndarray) -> Any:
        """The vector env's own actions, copied: it may keep them."""
        space = self._does
        if self.action_space is space and isinstance(space, spaces.Box):
            return rows.copy()
        own = [self._unflatten(row) for row in rows]  # raises InvalidAction for a choice that there is not
        empty: Any = create_empty_array(space, self.num_envs)
        return concatenate(space, own, empty)

    def _see(self, observations: Any, rows: np.ndarray, call: str) -> None:
        """Write the observations of all games into ``rows``."""
        if self._checks:
            self._checks -= 1
            self._check(observations, call)
        if self._same:
            rows[...] = observations
            return
        for row, sample in zip(rows.reshape(self.num_envs, -1), self._games(observations), strict=True):
            self._layout.write(sample, row)

    def _see_last(self, game: int, infos: Any) -> None:
        """What a cut episode showed last."""
        names = ("final_obs", "final_observation", "terminal_observation")
        last = next((seen for name in names if (seen := _of_game(infos, name, game)) is not None), None)
        if last is None:
            raise BadEnvironment(
                f"{self.name}: the episode of game {game} was truncated, but infos has none of {', '.join(names)}"
            )
        self._layout.write(last, self.final_observations.reshape(self.num_envs, -1)[game])

    def _games(self, observations: Any) -> Iterable[Any]:
        return iterate(self._batch, observations)

    def _check(self, observations: Any, call: str) -> None:
        try:
            games = list(self._games(observations))
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise BadEnvironment(
                f"{self.name}: {call} returned observations that are not {self.num_envs} of its space "
                f"{self._sees}: {observations!r}"
            ) from error
        if len(games) != self.num_envs:
            raise BadEnvironment(
                f"{self.name}: {call} returned {len(games)} observations for {self.num_envs} games"
            )
        for game, observation in enumerate(games):
            check_observation(self._sees, observation, f"{self.name}, game {game}: {call}")

    def _array(self, values: Any, name: str) -> np.ndarray:
        array = np.asarray(values)
        if array.shape != (self.num_envs,) or array.dtype.kind not in "biuf":
            raise BadEnvironment(
                f"{self.name}: step() returned {name} of type {array.dtype} and shape {array.shape}, "
                f"not one number for each of {self.num_envs} games"
            )
        return array

    def _episodes(self, played: np.ndarray) -> Infos:
        """Count the step of the games in ``played``; the statistics of the episodes that it ended."""
        b = self.buffers
        self._returns += b.rewards
        self._lengths += played
        ended = b.terminals | b.truncations
        if not ended.any():
            return ()
        records = np.zeros(np.count_nonzero(ended), EPISODE)
        records["episode_return"], records["episode_length"] = self._returns[ended], self._lengths[ended]
        self._returns[ended] = 0
        self._lengths[ended] = 0
        return EpisodeInfos(records)

    # -- the rest -------------------------------------------------------------------------------

    def render(self) -> np.ndarray:
        """Game 0's picture; vector envs draw all of their games."""
        pictures = self.env.render()
        first = pictures[0] if isinstance(pictures, (tuple, list)) and pictures else pictures
        if not isinstance(first, np.ndarray):
            raise TypeError(
                f"{self.name}: render() gave {type(first).__name__}, not a picture: "
                'make the env with render_mode="rgb_array"'
            )
        return first

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """Another one, of ``num_envs`` games: from the registry's entry, or by ``gymnasium.make_vec``."""
        if self.spec is not None or getattr(self.env, "spec", None) is None:
            return super().respawn(num_envs)
        spec = deepcopy(self.env.spec)
        spec.kwargs["num_envs"] = num_envs  # its own would go over one that is given to make_vec
        return ThirdPartyVector(gymnasium.make_vec(spec))

    def close(self) -> None:
        self.env.close()


def _of_game(infos: Any, name: str, game: int) -> Any:
    """An entry of one game: of a dict of arrays (Gymnasium), or of a list of dicts (older); None when absent."""
    if isinstance(infos, Mapping):
        if name not in infos:
            return None
        values = infos[name]
        return {key: v[game] for key, v in values.items()} if isinstance(values, Mapping) else values[game]
    return infos[game].get(name)
