"""Serial: many environments in this process, one after the other."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from pufferbench.env import Buffers, Infos, PufferEnv, StepResult
from pufferbench.vector.base import (
    Creator,
    Received,
    VectorEnv,
    check_count,
    check_equal_spaces,
    join_infos,
    make_member,
)


class Serial(VectorEnv):
    """Steps its environments one after the other; each writes into its rows of one set of arrays.

    Args:
        env_creator: makes one env (a PufferEnv, or a Gymnasium env, which is adapted); no arguments.
        num_envs: how often it is called. (The attribute ``num_envs`` counts games, of which a member
            may hold many.)

    Raises:
        ValueError: the members' spaces differ.
    """

    def __init__(self, env_creator: Creator, num_envs: int = 16) -> None:
        super().__init__(env_creator)
        self.members: list[PufferEnv] = []
        try:
            for index in range(check_count(num_envs, "num_envs")):
                self.members.append(make_member(env_creator, index))
            check_equal_spaces(
                [(m.observation_space, m.action_space, m.num_action_masks) for m in self.members]
            )
        except BaseException:
            self.close()
            raise
        first = self.members[0]
        self.observation_space, self.action_space = first.observation_space, first.action_space
        self._source_observation_space = first.source_observation_space
        self._source_action_space = first.source_action_space
        self.num_action_masks = first.num_action_masks
        self.num_envs = sum(member.num_envs for member in self.members)
        self.num_agents = sum(member.num_agents for member in self.members)
        self._agent_ids = np.arange(self.num_agents)
        self._infos: Infos = ()
        self.use_buffers(self.buffers)

    def use_buffers(self, buffers: Buffers) -> None:
        super().use_buffers(buffers)
        start = 0
        for member in self.members:
            alone = len(self.members) == 1
            member.use_buffers(buffers if alone else buffers.slice(start, start + member.num_agents))
            start += member.num_agents
        # bound now: a step looks nothing up
        self._steps = [(member.step, member.actions) for member in self.members]
        self._own_actions = buffers.actions
        self._only = self._steps[0][0] if len(self._steps) == 1 else None
        self._arrays = buffers.observations, buffers.rewards, buffers.terminals, buffers.truncations

    def async_reset(self, seed: int | None = None) -> None:
        self._expect("async_reset")
        self._next = "async_reset"  # should a member fail
        game, parts = self.first_env, []
        for member in self.members:
            member.first_env = game
            game += member.num_envs
            parts.append(member.reset(seed)[1])
        self._infos = join_infos(parts)
        self._next = "recv"

    def send(self, actions: Any) -> None:
        self._infos = self.step(actions)[4]  # here and now: in one process nothing can be begun
        self._next = "recv"

    def step(self, actions: Any) -> StepResult:
        if self._next != "send":
            self._expect("send")
        if actions is not self._own_actions:
            self.load_actions(actions)
        if self._only is not None:  # a native env's step takes some us: nothing else may cost one
            return self._only(self._own_actions)
        parts = []
        for step, own_actions in self._steps:
            if infos := step(own_actions)[4]:
                parts.append(infos)
        return (*self._arrays, join_infos(parts) if parts else ())

    def recv(self) -> Received:
        self._expect("recv")
        self._next = "send"
        return (*self._arrays, self._infos, self._agent_ids, self.masks)

    def render(self) -> np.ndarray:
        return self.members[0].render()

    def close(self) -> None:
        super().close()
        with ExitStack() as stack:  # all of them, also when one fails
            for member in self.members:
                stack.callback(member.close)
