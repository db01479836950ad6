"""A PettingZoo environment whose agents act in turns (AEC), behind the PufferEnv contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pufferbench.emulation.checks import BadEnvironment, check_flag
from pufferbench.emulation.multi_agent import MultiAgentEnv
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.emulation.seats import AgentID
from pufferbench.env import StepResult


def adapt_aec(env: Any, **options: Any) -> MultiAgentEnv:
    """``env`` behind the contract: all agents at once where it says that it may be played so, else in turns.

    Args:
        env: of PettingZoo's AEC kind.
        options: of :class:`~pufferbench.emulation.multi_agent.MultiAgentEnv`.
    """
    if not (getattr(env, "metadata", None) or {}).get("is_parallelizable"):
        return PettingZooAEC(env, **options)
    from pettingzoo.utils.conversions import aec_to_parallel

    return PettingZooParallel(aec_to_parallel(env), **options)


class PettingZooAEC(MultiAgentEnv):
    """A game in which agents act in turns, such as chess. Rows, arguments, errors: see :class:`MultiAgentEnv`.

    One step is one turn. ``masks`` is True for the agent whose turn it is, and no other; only its action
    counts. The others' rows keep what they saw last. A reward arrives in an agent's row when it is given, also
    while the agent waits: whoever loses on the other's move finds the loss in its own row. An agent's
    ``episode_length`` counts its own turns.
    """

    def step(self, actions: Any) -> StepResult:
        """One turn. See :meth:`pufferbench.env.PufferEnv.step`."""
        self._begin_step(actions)
        env, seats = self.env, self._seats
        env.step(seats[self._turn].action())
        rewards, terminations, truncations = env.rewards, env.terminations, env.truncations
        over = []
        for agent, seat in seats.items():
            try:
                reward, terminated, truncated = rewards[agent], terminations[agent], truncations[agent]
            except KeyError:
                raise BadEnvironment(
                    f"{self.name}, agent {agent!r}: it is not in rewards, terminations and truncations any more, "
                    "but was neither terminated nor truncated"
                ) from None
            if reward or self._checks:
                self._reward(seat, reward)
            if self._checks:
                check_flag(terminated, "terminated", seat.where)
                check_flag(truncated, "truncated", seat.where)
            if terminated or truncated:
                over.append((agent, bool(terminated)))
        self._count()
        for agent, terminated in over:
            self._leave(agent, terminated, None if terminated else env.observe(agent))
        if over or len(self._agents) != len(seats) or env.agents != self._agents:
            self._bury()
            self._look_around()
        if seats:
            self._next_turn()
        return self._end_step()

    def _bury(self) -> None:
        """Step over agents whose episode has ended: PettingZoo wants a None from each of them."""
        env = self.env
        for _ in range(len(env.agents) + 1):
            if not env.agents:
                return
            agent = env.agent_selection
            if not (env.terminations.get(agent) or env.truncations.get(agent)):
                return
            try:
                env.step(None)
            except Exception as error:
                raise BadEnvironment(
                    f"{self.name}, agent {agent!r}: its episode has ended, and step(None), with which PettingZoo takes "
                    f"such an agent off, raised {type(error).__name__}: {error}. "
                    "Let the env's step(action) begin with: if action is None: return self._was_dead_step(action)"
                ) from error
        raise BadEnvironment(
            f"{self.name}, agent {env.agent_selection!r}: its episode has ended, and still it is in agents "
            "after a step with None"
        )

    def _look_around(self) -> None:
        """Who has appeared since the last turn?"""
        self._agents = list(self.env.agents)
        terminations, truncations = self.env.terminations, self.env.truncations
        for agent in self._agents:
            if agent not in self._seats and not terminations.get(agent) and not truncations.get(agent):
                self._take_seat(agent)

    def _next_turn(self) -> None:
        """Show the agent whose turn it is what it sees."""
        self._turn = agent = self.env.agent_selection
        seat = self._seats.get(agent)
        if seat is None:
            raise BadEnvironment(
                f"{self.name}: agent_selection is {agent!r}, who does not play; {list(self._seats)} do"
            )
        info = {} if seat.spaces.masked and not self._checks else self._info(agent)
        seat.see(self.env.observe(agent), info, self._checks > 0)
        self._acts[:] = False
        self._acts[seat.row] = True

    # -- games ----------------------------------------------------------------------------------

    def _reset_env(self, seed: int | None) -> list[AgentID]:
        self._call_reset(seed)
        self._agents = list(self.env.agents)
        return list(self._agents)

    def _show(self) -> None:
        self._next_turn()

    def _info(self, agent: AgentID) -> Mapping[str, Any]:
        info = self.env.infos.get(agent, {})
        if not isinstance(info, Mapping):
            raise BadEnvironment(f"{self.name}, agent {agent!r}: its info is {info!r}, not a dict")
        return info
