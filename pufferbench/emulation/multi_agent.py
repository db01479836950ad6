"""What the adapters of PettingZoo's two interfaces share: rows for agents that come and go."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pufferbench.emulation.checks import CHECKED_STEPS, BadEnvironment, check_reward, check_space
from pufferbench.emulation.gymnasium import EPISODE
from pufferbench.emulation.masks import KEY, number_of_choices
from pufferbench.emulation.seats import AgentID, AgentSpaces, RowSpaces, Seat
from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv, Space, game_seed
from pufferbench.spaces import flatten_actions


class MultiAgentEnv(PufferEnv):
    """One game of several agents, each with a row while it plays.

    Where the environment announces its ``possible_agents``, row i is the i-th of them. Where it does not, or
    ``max_agents`` is given, an agent takes the first free row when it appears, and leaves it when its episode
    ends. Rows without an agent are zeros, and their masks False. A game in which nobody is left begins anew
    in the same step.

    Args:
        env: the environment.
        max_agents: rows; needed where there are no ``possible_agents``.
        max_length: the most items of a Sequence, and characters of a text without a bound, in observations.
        observation_space, action_space: of the largest agents, where agents who appear later may be larger
            than the first ones.
        buf: the arrays to write into, from a vectorizer; None makes our own.

    Raises:
        TypeError: the agents' spaces cannot share rows.
        ValueError: it is not known how many agents there are.

    Attributes:
        agents_of_rows: the agent of each row; None where nobody sits.
    """

    def __init__(
        self,
        env: Any,
        max_agents: int | None = None,
        max_length: int | None = None,
        observation_space: Space | None = None,
        action_space: Space | None = None,
        buf: Buffers | None = None,
    ) -> None:
        super().__init__(buf)
        self.env = env
        metadata = getattr(env, "metadata", None) or {}
        self.name = str(metadata.get("name") or type(getattr(env, "unwrapped", env)).__name__)
        self.fps = int(metadata.get("render_fps") or 30)
        possible = list(getattr(env, "possible_agents", None) or ())
        if max_agents is None and not possible:
            raise ValueError(
                f"{self.name} does not announce its agents (possible_agents): say how many of them play at the "
                "same time at most, with max_agents=16 for example"
            )
        if max_agents is not None and (not isinstance(max_agents, int) or max_agents < 1):
            raise ValueError(f"max_agents must be a whole number of at least 1, not {max_agents!r}")
        self._fixed_rows = {agent: row for row, agent in enumerate(possible)} if max_agents is None else None
        self.num_agents = len(possible) if max_agents is None else max_agents

        # Only a first reset tells whether infos bring action masks, and who plays where nobody is announced
        known = {agent: self._spaces_of(agent) for agent in possible}
        choices = any(number_of_choices(flatten_actions(own.action)[0]) for own in known.values())
        masks_in_infos = False
        if not known or (choices and not any(own.masked for own in known.values())):
            present = self._reset_env(0)
            masks_in_infos = any(KEY in self._info(agent) for agent in present)
            known = known or {agent: self._spaces_of(agent) for agent in present}
        if observation_space is not None or action_space is not None:
            one = next(iter(known.values()))
            largest = AgentSpaces.of(observation_space or one.observation, action_space or one.action)
            known = {**known, "the largest": largest}
        self._row_spaces = RowSpaces(known, self.name, masks_in_infos, max_length)
        self.observation_space = self._row_spaces.observation_space
        self.action_space = self._row_spaces.action_space
        self._source_observation_space = self._row_spaces.source_observation_space
        self._source_action_space = self._row_spaces.source_action_space
        self.num_action_masks = self._row_spaces.num_action_masks

        self.agents_of_rows: list[AgentID | None] = possible if max_agents is None else [None] * max_agents
        self._seats: dict[AgentID, Seat] = {}  # of the agents that play now
        self._last_seats: list[Seat | None] = [
            None
        ] * self.num_agents  # by row: mostly the same agent comes again
        self._returns, self._lengths = np.zeros(self.num_agents), np.zeros(self.num_agents, np.int64)
        self._ended: list[int] = []  # rows whose episode ended in this step
        self._seeded = False
        self._ready = False  # whether a game is under way
        self._checks = CHECKED_STEPS
        self._unpack(self.buffers)

    # -- what an interface adds -----------------------------------------------------------------

    def _reset_env(self, seed: int | None) -> list[AgentID]:
        """Reset the environment; returns who plays."""
        raise NotImplementedError

    def _info(self, agent: AgentID) -> Any:
        """The info of an agent, of the last reset or step."""
        raise NotImplementedError

    def _show(self) -> None:
        """Write the first observations of a game."""
        raise NotImplementedError

    def look_at_every_step(self) -> None:
        """From now on look closely at all steps: ``puffer check`` does."""
        self._checks = sys.maxsize

    # -- arrays ---------------------------------------------------------------------------------

    def use_buffers(self, buffers: Buffers) -> None:
        super().use_buffers(buffers)
        self._unpack(buffers)

    def _unpack(self, b: Buffers) -> None:
        self._own_actions, self._rewards, self._acts = b.actions, b.rewards, b.masks
        self._terminals, self._truncations = b.terminals, b.truncations
        self._result = (b.observations, b.rewards, b.terminals, b.truncations)
        for seat in self._last_seats:
            if seat is not None:
                seat.bind(b)

    # -- games ----------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        """A new game. See :meth:`pufferbench.env.PufferEnv.reset`."""
        if seed is None and not self._seeded:
            seed = 0
        self._rewards[:] = 0
        self._terminals[:] = self._truncations[:] = False
        self._ended.clear()
        self._begin(None if seed is None else game_seed(int(seed), self.first_env) % 2**31)
        self._seeded = True
        return self.buffers.observations, ()

    def _begin(self, seed: int | None) -> None:
        """A new game."""
        self._ready = False  # should the environment fail, or Ctrl-C come
        self._seats.clear()
        if self._fixed_rows is None:
            self.agents_of_rows[:] = [None] * self.num_agents
        self.observations[...] = 0
        self._acts[:] = False
        if self.action_masks is not None:
            self.action_masks[...] = True
        self._returns[:] = 0
        self._lengths[:] = 0
        agents = self._reset_env(seed)
        if not agents:
            raise BadEnvironment(f"{self.name}: after reset() there are no agents")
        for agent in agents:
            self._take_seat(agent)
        self._show()
        self._ready = True

    def _begin_step(self, actions: Any) -> None:
        if actions is not self._own_actions:
            self.load_actions(actions)
        if not self._ready:
            raise RuntimeError(f"{self.name}: call reset() before step()")
        self._rewards[:] = 0
        if self._ended:
            self._terminals[:] = self._truncations[:] = False
            self._ended.clear()

    def _end_step(self) -> Any:
        """The result of ``step()``; a game in which nobody is left begins anew."""
        infos: Infos = ()
        if self._ended:
            rows = sorted(self._ended)
            records = np.zeros(len(rows), EPISODE)
            records["episode_return"], records["episode_length"] = self._returns[rows], self._lengths[rows]
            self._returns[rows], self._lengths[rows] = 0, 0
            infos = EpisodeInfos(records)
        if not self._seats:
            self._begin(None)
        if self._checks:
            self._checks -= 1
        return (*self._result, infos)

    def _call_reset(self, seed: int | None) -> Any:
        try:
            return self.env.reset(seed=seed)
        except Exception as error:
            error.add_note(f"in reset(seed={seed}) of {self.name}")
            raise

    # -- agents ---------------------------------------------------------------------------------

    def _spaces_of(self, agent: AgentID) -> AgentSpaces:
        try:
            return AgentSpaces.of(self.env.observation_space(agent), self.env.action_space(agent))
        except TypeError as error:
            raise TypeError(f"{self.name}, agent {agent!r}: {error}") from None

    def _take_seat(self, agent: AgentID) -> Seat:
        """Give ``agent`` its row. Raises BadEnvironment where there is none for it."""
        if self._fixed_rows is not None:
            row = self._fixed_rows.get(agent)
            if row is None:
                raise BadEnvironment(
                    f"{self.name}: agent {agent!r} was never announced; possible_agents are {self.agents_of_rows}"
                )
        elif None in self.agents_of_rows:
            row = self.agents_of_rows.index(None)
            self.agents_of_rows[row] = agent
        else:
            raise BadEnvironment(
                f"{self.name}: no row is left for agent {agent!r}, since max_agents={self.num_agents} are playing: "
                f"{self.agents_of_rows}; give it a larger max_agents"
            )
        seat = self._last_seats[row]
        own = self._spaces_of(agent)
        if seat is None or seat.agent != agent or seat.spaces != own:
            if seat is not None and self._fixed_rows is not None:  # it has been here, with other spaces
                check_space(own.observation, seat.spaces.observation, "observation_space", seat.where)
                check_space(own.action, seat.spaces.action, "action_space", seat.where)
            seat = self._last_seats[row] = Seat(agent, own, self._row_spaces, row, self.buffers)
        self._seats[agent] = seat
        return seat

    def _count(self) -> None:
        """Take the rewards of this step, and the decisions before it, into the statistics of the episodes."""
        self._returns += self._rewards
        self._lengths += self._acts

    def _reward(self, seat: Seat, reward: Any) -> None:
        try:
            value = check_reward(reward, seat.where) if self._checks else float(reward)
        except (TypeError, ValueError):
            value = check_reward(reward, seat.where)  # the same error, said better
        self._rewards[seat.row] = value

    def _leave(self, agent: AgentID, terminated: bool, last_observation: Any) -> None:
        """The episode of ``agent`` is over: it leaves its row."""
        seat = self._seats.pop(agent)
        row = seat.row
        if terminated:
            self._terminals[row] = True
        else:
            self._truncations[row] = True
            seat.see_last(last_observation)
        self._acts[row] = False
        seat.leave()
        self._ended.append(row)
        if self._fixed_rows is None:
            self.agents_of_rows[row] = None

    # -- the rest -------------------------------------------------------------------------------

    def render(self) -> np.ndarray:
        """The environment's own drawing. Raises TypeError where it has none."""
        picture = self.env.render()
        if not isinstance(picture, np.ndarray):
            raise TypeError(
                f"{self.name}: render() gave {type(picture).__name__}, not a picture: "
                'make the environment with render_mode="rgb_array"'
            )
        return picture

    def close(self) -> None:
        self.env.close()
