"""Games of several agents as PettingZoo's: ours for RLlib, AgileRL, ..."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

from pufferbench.emulation import as_puffer
from pufferbench.env import PufferEnv, Space
from pufferbench.spaces import FlatBox, read_row


def as_pettingzoo(env: Any) -> ParallelView | TurnsView:
    """``env`` with PettingZoo's interface: parallel, or AEC when its agents act in turns.

        game = as_pettingzoo(pufferbench.make("ocean-target"))
        observations, infos = game.reset(seed=1)

    Row i is the agent ``agent_i``. Where not every action is always legal, observations are dicts with the keys
    ``observation`` and ``action_mask``, as in PettingZoo's own board games.

    What an agent saw last: when its episode is *truncated*, that is returned. When it is *terminated*, a PufferEnv
    shows the next episode in the same step, and the very last observation was never made; the one before it is
    returned instead. Learners do not look at it, since nothing follows.

    An agent whose episode has ended is out until ``reset()``, as PettingZoo wants it, also where its row would
    begin the next episode at once.

    Args:
        env: a PufferEnv that holds one game, or any env that :func:`pufferbench.emulate` understands.

    Raises:
        ValueError: it holds several games.
    """
    env = as_puffer(env)
    if env.num_envs != 1:
        raise ValueError(
            f"PettingZoo's environments are one game, but this {type(env).__name__} holds {env.num_envs}: "
            "make it with num_envs=1"
        )
    env.reset(0)
    in_turns = env.num_agents > 1 and np.count_nonzero(env.masks) == 1
    return TurnsView(env) if in_turns else ParallelView(env)


class _Rows:
    """The rows of a PufferEnv by the names of agents: what both views share."""

    def __init__(self, env: PufferEnv) -> None:
        self.env = env
        self.possible_agents = [f"agent_{row}" for row in range(env.num_agents)]
        self.row_of = {agent: row for row, agent in enumerate(self.possible_agents)}
        # each agent's own, because spaces have generators
        self.observation_spaces = {agent: _observation_space(env) for agent in self.possible_agents}
        self.action_spaces = {agent: deepcopy(env.action_space) for agent in self.possible_agents}
        draws = type(env).render is not PufferEnv.render
        self.render_mode = "rgb_array" if draws else None
        self.metadata = {
            "name": env.spec.id if env.spec is not None else type(env).__name__,
            "render_modes": ["rgb_array"] if draws else [],
            "render_fps": int(getattr(env, "fps", 30)),
        }
        self._ends: dict[str, Any] = {}  # what agents saw when their episodes ended

    def observation(self, agent: str, acts: bool = True) -> Any:
        """What an agent sees now, or saw last; new arrays."""
        if agent in self._ends:
            seen, acts = self._ends[agent], False
        else:
            seen = read_row(self.env.observation_space, self.env.observations[self.row_of[agent]])
        if self.env.action_masks is None:
            return seen
        legal = self.env.action_masks[self.row_of[agent]].astype(np.int8)
        return {
            "observation": seen,
            "action_mask": _parts(legal if acts else 0 * legal, self.env.action_space),
        }

    def reset(self, seed: int | None) -> None:
        self._ends = {}
        self.env.reset(seed)

    def step(
        self, actions: Mapping[str, Any], acting: list[str], playing: list[str]
    ) -> dict[str, dict[str, Any]]:
        """Step the game with the actions of those ``acting``; returns infos of those ``playing`` who ended."""
        env = self.env
        rows = np.zeros_like(env.actions)
        if isinstance(env.action_space, spaces.Box):
            rows[:] = np.clip(0, env.action_space.low, env.action_space.high)
        for agent in acting:
            if agent not in actions:
                raise ValueError(f"{self.metadata['name']}: there is no action for {agent!r}, who plays")
            rows[self.row_of[agent]] = actions[agent]
        before = env.observations.copy()
        *_, statistics = env.step(rows)
        ended = [
            a
            for a in self.possible_agents
            if a in playing and (env.terminals | env.truncations)[self.row_of[a]]
        ]
        for agent in ended:
            row = self.row_of[agent]
            self._ends[agent] = read_row(
                env.observation_space, env.final_observations[row] if env.truncations[row] else before[row]
            )
        # of which agents the statistics are is known when there are as many of both
        known = len(statistics) == len(ended)
        return {agent: dict(statistics[i]) if known else {} for i, agent in enumerate(ended)}


class ParallelView(ParallelEnv):
    """A game in which all agents act at once; see :func:`as_pettingzoo`."""

    def __init__(self, env: PufferEnv) -> None:
        self._rows = rows = _Rows(env)
        self.env = env
        self.possible_agents = rows.possible_agents
        self.agents: list[str] = []
        self.metadata = rows.metadata | {"is_parallelizable": True}
        self.render_mode = rows.render_mode

    def observation_space(self, agent: str) -> Space:
        return self._rows.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        return self._rows.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """``(observations, infos)`` by agent, of a new game. There are no ``options``."""
        self._rows.reset(seed)
        self._out: set[str] = set()
        self.agents = self._present()
        return {agent: self._rows.observation(agent) for agent in self.agents}, {a: {} for a in self.agents}

    def step(self, actions: Mapping[str, Any]) -> tuple[dict, dict, dict, dict, dict]:  # type: ignore[override]
        """``(observations, rewards, terminations, truncations, infos)`` by agent."""
        env, rows, playing = self.env, self._rows, self.agents
        ends = rows.step(actions, playing, playing)
        row = rows.row_of
        rewards = {agent: float(env.rewards[row[agent]]) for agent in playing}
        terminations = {agent: bool(env.terminals[row[agent]]) for agent in playing}
        truncations = {agent: bool(env.truncations[row[agent]]) for agent in playing}
        infos = {agent: ends.get(agent, {}) for agent in playing}
        observations = {agent: rows.observation(agent) for agent in playing}
        self._out.update(agent for agent in playing if terminations[agent] or truncations[agent])
        self.agents = [agent for agent in playing if agent not in self._out]
        if self.agents:  # else the game is over, and the rows show the next one
            for agent in self._present():
                if agent not in playing and agent not in self._out:
                    self.agents.append(agent)
                    observations[agent], infos[agent] = rows.observation(agent), {}
                    rewards[agent], terminations[agent], truncations[agent] = 0.0, False, False
        return observations, rewards, terminations, truncations, infos

    def _present(self) -> list[str]:
        return [agent for agent, acts in zip(self.possible_agents, self.env.masks, strict=True) if acts]

    def render(self) -> np.ndarray:
        """RGB, uint8 ``[height, width, 3]``."""
        return self.env.render()

    def close(self) -> None:
        self.env.close()


class TurnsView(AECEnv):
    """A game in which agents act in turns, by its ``masks``; see :func:`as_pettingzoo`."""

    def __init__(self, env: PufferEnv) -> None:
        super().__init__()
        self._rows = rows = _Rows(env)
        self.env = env
        self.possible_agents = rows.possible_agents
        self.agents: list[str] = []
        self.metadata = rows.metadata | {"is_parallelizable": False}
        self.render_mode = rows.render_mode

    def observation_space(self, agent: str) -> Space:
        return self._rows.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        return self._rows.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """A new game. There are no ``options``."""
        self._rows.reset(seed)
        self.agents = list(self.possible_agents)
        self.rewards: dict[str, float] = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards: dict[str, float] = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._skip_agent_selection = None
        self.agent_selection = self._on_turn()

    def observe(self, agent: str) -> Any:
        """What an agent sees. Only who is on turn has legal actions."""
        return self._rows.observation(agent, acts=bool(self.env.masks[self._rows.row_of[agent]]))

    def step(self, action: Any) -> None:
        """The turn of ``agent_selection``; None when its episode has ended."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        ends = self._rows.step({agent: action}, [agent], self.agents)
        self._cumulative_rewards[agent] = 0.0
        for other in self.agents:
            row = self._rows.row_of[other]
            self.rewards[other] = float(self.env.rewards[row])
            self.terminations[other] = bool(self.env.terminals[row])
            self.truncations[other] = bool(self.env.truncations[row])
            self.infos[other] = ends.get(other, {})
        self._accumulate_rewards()
        if not all(self.terminations[other] or self.truncations[other] for other in self.agents):
            self.agent_selection = self._on_turn()
        self._deads_step_first()

    def _on_turn(self) -> str:
        row = int(np.argmax(self.env.masks))
        return self.possible_agents[row]

    def render(self) -> np.ndarray:
        """RGB, uint8 ``[height, width, 3]``."""
        return self.env.render()

    def close(self) -> None:
        self.env.close()


def _observation_space(env: PufferEnv) -> Space:
    seen = deepcopy(
        env.observation_space.source if isinstance(env.observation_space, FlatBox) else env.observation_space
    )
    if env.action_masks is None:
        return seen
    return spaces.Dict(observation=seen, action_mask=_mask_space(env.action_space))


def _mask_space(action_space: Any) -> Space:
    """Discrete: a Box of 0 and 1. MultiDiscrete: a Tuple of such, as ``sample(mask)`` wants them."""
    if isinstance(action_space, spaces.MultiDiscrete):
        return spaces.Tuple([spaces.Box(0, 1, (int(n),), np.int8) for n in action_space.nvec])
    return spaces.Box(0, 1, (int(action_space.n),), np.int8)


def _parts(legal: np.ndarray, action_space: Any) -> Any:
    if isinstance(action_space, spaces.MultiDiscrete):
        return tuple(np.split(legal, np.cumsum(action_space.nvec)[:-1]))
    return legal
