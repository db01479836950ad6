"""A PettingZoo environment of the parallel kind, behind the PufferEnv contract."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pufferbench.emulation.checks import BadEnvironment, check_flag, check_reset
from pufferbench.emulation.multi_agent import MultiAgentEnv
from pufferbench.emulation.seats import AgentID
from pufferbench.env import StepResult

FIELDS = ("observations", "rewards", "terminations", "truncations", "infos")


class PettingZooParallel(MultiAgentEnv):
    """A game in which all agents act at once. Rows, arguments and errors: see :class:`MultiAgentEnv`.

    An agent's episode ends when it is terminated or truncated; it may come back later as a new one. A reward
    for an agent that has only just appeared belongs to no decision of it, and is left out.
    """

    _agents: list[AgentID]  # as the environment lists them
    _observations: Mapping[Any, Any]  # by agent, of the last reset or step
    _infos: Mapping[Any, Any]

    def step(self, actions: Any) -> StepResult:
        """One step of everybody. See :meth:`pufferbench.env.PufferEnv.step`."""
        self._begin_step(actions)
        seats = self._seats
        chosen = {agent: seat.action() for agent, seat in seats.items()}
        result = _play_cycle(self.env, chosen) if self._converted else self.env.step(chosen)
        if self._checks or type(result) is not tuple or len(result) != len(FIELDS):
            self._check_result(result)
        self._observations, rewards, terminations, truncations, self._infos = result
        over = []
        for agent, seat in seats.items():
            try:
                reward, terminated, truncated = rewards[agent], terminations[agent], truncations[agent]
            except KeyError:
                raise self._missing(agent, zip(FIELDS[1:4], result[1:4], strict=True)) from None
            self._reward(seat, reward)
            if terminated or truncated:
                over.append((agent, bool(terminated)))
        self._count()
        for agent, terminated in over:
            self._leave(agent, terminated, None if terminated else self._observation(agent))
        check = self._checks > 0
        for agent, seat in seats.items():
            seat.see(self._observation(agent), self._info(agent), check)
        if over or self.env.agents != self._agents:
            self._agents = list(self.env.agents)
            self._look_around(terminations, truncations)
        return self._end_step()

    def _look_around(self, terminations: Mapping[AgentID, Any], truncations: Mapping[AgentID, Any]) -> None:
        """Who has appeared in this step?"""
        for agent in self._seats:
            if agent not in self._agents:
                raise BadEnvironment(
                    f"{self.name}: agent {agent!r} is not in agents any more, but was neither terminated nor truncated"
                )
        for agent in self._agents:
            if agent not in self._seats and not terminations.get(agent) and not truncations.get(agent):
                self._appear(agent)

    def _appear(self, agent: AgentID) -> None:
        seat = self._seats[agent] if agent in self._seats else self._take_seat(agent)
        seat.see(self._observation(agent), self._info(agent), self._checks > 0)
        self._acts[seat.row] = True

    # -- games ----------------------------------------------------------------------------------

    def _reset_env(self, seed: int | None) -> list[AgentID]:
        conversions = sys.modules.get("pettingzoo.utils.conversions")
        self._converted = conversions is not None and type(self.env) is conversions.aec_to_parallel_wrapper
        result = self._call_reset(seed)
        self._observations, self._infos = check_reset(result, f"{self.name}: reset()")
        if not isinstance(self._observations, Mapping):
            raise BadEnvironment(
                f"{self.name}: reset() returned observations that are a {type(self._observations).__name__}, "
                "not a dict by agent"
            )
        self._agents = list(self.env.agents)
        return list(self._agents)

    def _show(self) -> None:
        for agent in self._agents:
            self._appear(agent)

    def _observation(self, agent: AgentID) -> Any:
        try:
            return self._observations[agent]
        except KeyError:
            raise self._missing(agent, [("observations", self._observations)]) from None

    def _info(self, agent: AgentID) -> Mapping[str, Any]:
        info = self._infos.get(agent, {})
        if type(info) is not dict and not isinstance(info, Mapping):  # the first is much faster
            raise BadEnvironment(f"{self.name}, agent {agent!r}: its info is {info!r}, not a dict")
        return info

    # -- errors ---------------------------------------------------------------------------------

    def _check_result(self, result: Any) -> None:
        where, names = f"{self.name}: step()", ", ".join(FIELDS)
        if not isinstance(result, (tuple, list)) or len(result) != len(FIELDS):
            what = f"{len(result)} values" if isinstance(result, (tuple, list)) else repr(result)
            raise BadEnvironment(f"{where} returned {what}; it must return ({names}), dicts by agent")
        for name, value in zip(FIELDS, result, strict=True):
            if not isinstance(value, Mapping):
                raise BadEnvironment(f"{where} returned {name} that are {value!r}, not a dict by agent")
        for name, flags in (("terminated", result[2]), ("truncated", result[3])):
            for agent, flag in flags.items():
                check_flag(flag, name, f"{self.name}, agent {agent!r}")

    def _missing(self, agent: AgentID, fields: Any) -> BadEnvironment:
        name, values = next((name, values) for name, values in fields if agent not in values)
        return BadEnvironment(
            f"{self.name}, agent {agent!r}: it plays, but {name} has no entry for it (only for {list(values)})"
        )


def _play_cycle(env: Any, actions: Mapping[AgentID, Any]) -> tuple[dict, dict, dict, dict, dict]:
    """A step of PettingZoo's ``aec_to_parallel_wrapper``, as most of its games come.

    The wrapper's own step makes every observation twice, of which one is thrown away. In games of pictures
    that is most of the time.
    """
    game = env.aec_env
    rewards = dict.fromkeys(game.agents, 0)
    for agent in list(game.agents):
        if agent != game.agent_selection:
            raise BadEnvironment(
                f"{game}: it is the turn of {game.agent_selection!r}, not of {agent!r}; a game that says that "
                "it is_parallelizable must give every agent one turn in each cycle, in their order"
            )
        game.step(actions[agent])
        given = game.rewards
        for other in game.agents:
            rewards[other] = rewards.get(other, 0) + given[other]
    terminations, truncations = dict(game.terminations), dict(game.truncations)
    infos = dict(game.infos)
    observations = {agent: game.observe(agent) for agent in game.agents}
    while game.agents and (game.terminations[game.agent_selection] or game.truncations[game.agent_selection]):
        game.step(None)
    env.agents = game.agents
    return observations, rewards, terminations, truncations, infos
