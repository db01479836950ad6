"""Tiny PettingZoo games, each with one thing to test, and one to learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class Script(ParallelEnv):
    """Plays what a test wrote down: ``script[t]`` says what is so after step ``t`` (0: after reset).

    Each entry is a dict: ``agents`` (who plays on), and by agent ``obs``, ``rewards``, ``terminated``,
    ``truncated``, ``infos``, of which what is left away is a number that tells agent and time, 0, False, False,
    {}. Behind the last entry the game begins anew.
    """

    metadata: ClassVar = {"name": "script_v0", "render_fps": 7}

    def __init__(self, script, possible=("a", "b", "c"), observation_spaces=None, action_spaces=None):
        self.script = script
        if possible:
            self.possible_agents = list(possible)
        self.space = spaces.Box(-1000, 1000, (2,), np.float32)
        self.observation_spaces = observation_spaces or {}
        self.action_spaces = action_spaces or {}
        self.choice = spaces.Discrete(3)
        self.received, self.seeds = [], []

    def observation_space(self, agent):
        return self.observation_spaces.get(agent, self.space)

    def action_space(self, agent):
        return self.action_spaces.get(agent, self.choice)

    def seen(self, agent, time):
        return np.array([ord(agent[0]), time], np.float32)

    def reset(self, seed=None, options=None):
        self.seeds.append(seed)
        self.time = 0
        now = self.script[0]
        self.agents = list(now["agents"])
        observations = {agent: self.seen(agent, 0) for agent in self.agents} | now.get("obs", {})
        return observations, {agent: {} for agent in self.agents} | now.get("infos", {})

    def step(self, actions):
        self.received.append(actions)
        before = self.agents
        self.time += 1
        now = self.script[self.time]
        self.agents = list(now["agents"])
        all_of_them = [*before, *(agent for agent in self.agents if agent not in before)]
        return (
            {agent: self.seen(agent, self.time) for agent in all_of_them} | now.get("obs", {}),
            dict.fromkeys(all_of_them, 0) | now.get("rewards", {}),
            dict.fromkeys(all_of_them, False) | now.get("terminated", {}),
            dict.fromkeys(all_of_them, False) | now.get("truncated", {}),
            {agent: {} for agent in all_of_them} | now.get("infos", {}),
        )

    def render(self):
        return np.full((2, 3, 3), self.time, np.uint8)

    def close(self):
        self.closed = True


class Lights(ParallelEnv):
    """Two agents, each shown a number that only the other may name: reward 1 for both when both are right.

    Agent ``i`` sees both numbers, one-hot, and names one of 3. Perfect play earns 10 in the 10 steps, chance 1.1.
    """

    metadata: ClassVar = {"name": "lights_v0"}
    possible_agents: ClassVar = ["left_0", "right_0"]

    def __init__(self):
        self.see, self.name = spaces.Box(0, 1, (6,), np.float32), spaces.Discrete(3)

    def observation_space(self, agent):
        return self.see

    def action_space(self, agent):
        return self.name

    def reset(self, seed=None, options=None):
        if seed is not None or not hasattr(self, "generator"):
            self.generator = np.random.default_rng(seed)
        self.agents, self.time = list(self.possible_agents), 0
        return self.look(), {agent: {} for agent in self.agents}

    def look(self):
        self.shown = self.generator.integers(3, size=2)
        both = np.eye(3, dtype=np.float32)[self.shown]
        return {agent: np.roll(both, i, 0).ravel() for i, agent in enumerate(self.possible_agents)}

    def step(self, actions):
        named = np.array([actions[agent] for agent in self.possible_agents])
        reward = float((named == self.shown[::-1]).all())
        self.time += 1
        ended = self.time == 10
        everybody = self.possible_agents
        self.agents = [] if ended else list(everybody)
        return (
            self.look(),
            dict.fromkeys(everybody, reward),
            dict.fromkeys(everybody, False),
            dict.fromkeys(everybody, ended),
            {agent: {} for agent in everybody},
        )


class Turns(AECEnv):
    """Agents take turns in order; ``script[t]`` says what comes of turn ``t``: rewards, terminated, truncated."""

    metadata: ClassVar = {"name": "turns_v0"}

    def __init__(self, script, possible=("a", "b", "c")):
        self.script, self.possible_agents = script, list(possible)
        self.see, self.choice = spaces.Box(-1000, 1000, (2,), np.float32), spaces.Discrete(2)
        self.received = []

    def observation_space(self, agent):
        return self.see

    def action_space(self, agent):
        return self.choice

    def observe(self, agent):
        return np.array([ord(agent[0]), self.time], np.float32)

    def reset(self, seed=None, options=None):
        self.time = 0
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = self.agents[0]

    def step(self, action):
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self.received.append((agent, action))
        now = self.script[self.time]
        self.time += 1
        self.rewards = dict.fromkeys(self.agents, 0) | now.get("rewards", {})
        self.terminations |= now.get("terminated", {})
        self.truncations |= now.get("truncated", {})
        later = self.agents[self.agents.index(agent) + 1 :] + self.agents
        alive = [a for a in later if not (self.terminations[a] or self.truncations[a])]
        self.agent_selection = alive[0] if alive else agent
        self._deads_step_first()
