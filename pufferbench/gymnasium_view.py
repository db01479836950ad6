"""PufferEnvs as Gymnasium's: our games for Stable-Baselines3, RLlib, CleanRL, ..."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

from pufferbench.emulation import as_puffer
from pufferbench.env import EpisodeInfos, Infos, PufferEnv, Space
from pufferbench.spaces import FlatBox, read_row


def as_gymnasium(env: Any) -> GymnasiumView | GymnasiumVectorView:
    """``env`` with Gymnasium's interface: a ``gymnasium.Env`` when it has one row, else a vector env.

        model = stable_baselines3.PPO("MlpPolicy", as_gymnasium(pufferbench.make("ocean-breakout")))

    Observations are those of ``source_observation_space`` (a Dict, say), as new arrays. Legal actions are in the
    infos, under ``action_mask``; what the env reports of its ended episodes too.

    What an episode showed last: when it is *truncated*, that is returned (``final_obs`` in the vector view). When it
    is *terminated*, a PufferEnv shows the next episode in the same step, and the very last observation was never
    made; the one before it is returned instead. Learners do not look at it, since nothing follows.

    Args:
        env: a PufferEnv, or any env that :func:`pufferbench.emulate` understands.
    """
    env = as_puffer(env)
    return GymnasiumView(env) if env.num_agents == 1 else GymnasiumVectorView(env)


class GymnasiumView(gymnasium.Env):
    """One row as a ``gymnasium.Env``; see :func:`as_gymnasium`.

    Because the next episode has begun in the step that ended the last, ``reset()`` after an end gives it; with a
    seed, or in the midst of an episode, a new one begins.
    """

    def __init__(self, env: PufferEnv) -> None:
        self.env = env
        self.observation_space, self.action_space = _spaces(env)
        draws = type(env).render is not PufferEnv.render
        self.render_mode = "rgb_array" if draws else None
        self.metadata = {
            "render_modes": ["rgb_array"] if draws else [],
            "render_fps": int(getattr(env, "fps", 30)),
        }
        self.spec = _spec(env)
        self._playing = self._next_is_there = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        """``(observation, info)`` of the first step of an episode. There are no ``options``."""
        super().reset(seed=seed)
        if seed is not None or not self._next_is_there:
            self.env.reset(seed)
        self._playing, self._next_is_there = True, False
        return read_row(self.env.observation_space, self.env.observations[0]), _legal(self.env)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        """``(observation, reward, terminated, truncated, info)``."""
        if not self._playing:
            raise gymnasium.error.ResetNeeded(
                f"{self.env}: call reset() before step(), and after an episode ended"
            )
        env = self.env
        seen = env.observations[0].copy()
        _, rewards, terminals, truncations, infos = env.step(np.asarray(action)[None])
        terminated, truncated = bool(terminals[0]), bool(truncations[0])
        info = _legal(env)
        if terminated or truncated:
            self._playing, self._next_is_there = False, True
            seen = env.final_observations[0] if truncated else seen
            if len(infos):
                info |= infos[0]
        else:
            seen = env.observations[0]
        return read_row(env.observation_space, seen), float(rewards[0]), terminated, truncated, info

    def render(self) -> np.ndarray:  # type: ignore[override]
        """RGB, uint8 ``[height, width, 3]``."""
        return self.env.render()

    def close(self) -> None:
        self.env.close()


class GymnasiumVectorView(gymnasium.vector.VectorEnv):
    """All rows as a vector env that resets in the same step; see :func:`as_gymnasium`.

    ``num_envs`` is the number of rows: agents of one game are rows too. Rows that do not act now are False in
    ``infos["masks"]``, which is there when a row is.
    """

    def __init__(self, env: PufferEnv) -> None:
        self.env = env
        self.num_envs = env.num_agents
        self.single_observation_space, self.single_action_space = _spaces(env)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        draws = type(env).render is not PufferEnv.render
        self.render_mode = "rgb_array" if draws else None
        self.metadata = {
            "render_modes": ["rgb_array"] if draws else [],
            "render_fps": int(getattr(env, "fps", 30)),
            "autoreset_mode": AutoresetMode.SAME_STEP,
        }
        self.spec = _spec(env)

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict]:
        """``(observations, infos)`` of new episodes in all rows. One seed for all of them; no ``options``.

        Raises:
            TypeError: the seed is a list: games of a batch get theirs from one.
        """
        if seed is not None and not isinstance(seed, (int, np.integer)):
            raise TypeError(f"a batch of PufferBench takes one seed for all of its games, not {seed!r}")
        super().reset(seed=None if seed is None else int(seed))
        self.env.reset(None if seed is None else int(seed))
        return self._samples(self.env.observations), self._infos()

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict]:
        """``(observations, rewards, terminations, truncations, infos)``, a row for each."""
        env = self.env
        seen = env.observations.copy()
        _, rewards, terminals, truncations, statistics = env.step(np.asarray(actions))
        infos = self._infos()
        ended = terminals | truncations
        if ended.any():
            seen[truncations] = env.final_observations[truncations]
            infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
            for row in np.flatnonzero(ended):
                infos["final_obs"][row] = read_row(env.observation_space, seen[row])
            infos["_final_obs"] = ended.copy()
            infos |= self._final_info(statistics, ended)
        return (
            self._samples(env.observations),
            rewards.astype(np.float64),
            terminals.copy(),
            truncations.copy(),
            infos,
        )

    def _samples(self, rows: np.ndarray) -> Any:
        """All observations, as the batched space has them."""
        space = self.single_observation_space
        if not isinstance(self.env.observation_space, FlatBox):
            return rows.astype(space.dtype)
        samples = [read_row(self.env.observation_space, row) for row in rows]
        empty: Any = create_empty_array(space, self.num_envs)
        return concatenate(space, samples, empty)

    def _infos(self) -> dict[str, Any]:
        infos = {} if self.env.masks.all() else {"masks": self.env.masks.copy()}
        if self.env.action_masks is not None:
            everybody = np.ones(self.num_envs, bool)
            infos |= {"action_mask": self.env.action_masks.astype(np.int8), "_action_mask": everybody}
        return infos

    def _final_info(self, statistics: Infos, ended: np.ndarray) -> dict[str, Any]:
        """The statistics of ended episodes, as Gymnasium's vector envs give the infos of single ones."""
        if len(statistics) != np.count_nonzero(ended):
            return {}  # of which rows they are is not known
        final: dict[str, Any] = {}
        if isinstance(statistics, EpisodeInfos):
            for name in statistics.records.dtype.names or ():
                final[name] = np.zeros(self.num_envs, statistics.records.dtype[name])
                final[name][ended] = statistics.records[name]
                final[f"_{name}"] = ended.copy()
            return {"final_info": final, "_final_info": ended.copy()}
        for row, info in zip(np.flatnonzero(ended), statistics, strict=True):
            final = self._add_info(final, dict(info), int(row))
        return {"final_info": final, "_final_info": ended.copy()}

    def render(self) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """The first game's picture."""
        return (self.env.render(),)

    def close_extras(self, **kwargs: Any) -> None:
        self.env.close()


def _spaces(env: PufferEnv) -> tuple[Space, Space]:
    """One row's spaces. Our own, because spaces have generators, and the games of a class share theirs."""
    seen = env.observation_space
    return deepcopy(seen.source if isinstance(seen, FlatBox) else seen), deepcopy(env.action_space)


def _legal(env: PufferEnv) -> dict[str, Any]:
    """The info of a single env: its legal actions, in the type that ``Discrete.sample(mask)`` takes."""
    return {} if env.action_masks is None else {"action_mask": env.action_masks[0].astype(np.int8)}


def _spec(env: PufferEnv) -> EnvSpec | None:
    """For ``gymnasium.make(view.spec)``; None for an env that cannot be made again."""
    if env.spec is None:
        return None
    return EnvSpec(id=f"pufferbench/{env.spec.id}-v0", entry_point=_Again(env), order_enforce=False)


class _Again:
    """Makes another view like one that there is; it draws in the only way that there is."""

    def __init__(self, env: PufferEnv) -> None:
        self._env = env

    def __call__(self, render_mode: str | None = None, **kwargs: Any) -> Any:
        return as_gymnasium(self._env.respawn(self._env.num_envs))

    def __deepcopy__(self, memo: dict[int, Any]) -> _Again:
        return self  # the spec is copied often; the env must not be
