"""PufferEnvs in the simple style: ``reset`` and ``step`` return values instead of writing into arrays.

    class MyTask(PufferEnv):
        def __init__(self, buf=None):
            super().__init__(buf)
            self.observation_space = self.make_space((4,))    # also {"image": (84, 84, 3), "vector": (10,)}
            self.action_space = self.make_discrete(4)
        def reset(self):
            return observation
        def step(self, action):
            return observation, reward, done, info            # or terminated and truncated in place of done

With several agents, each of the values is a dict with an entry per agent.
"""

from __future__ import annotations

import inspect
import random
import threading
from collections.abc import Mapping
from types import CodeType
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pufferbench.emulation.checks import BadEnvironment, check_flag
from pufferbench.emulation.gymnasium import GymnasiumEnv
from pufferbench.env import PufferEnv, Space

# numpy.random is one for the whole process, and a panel plays in a thread of its own beside the training
_ONE_AT_A_TIME = threading.RLock()
FLAT = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete)


def is_simple(env: PufferEnv) -> bool:
    """Whether ``env`` is in the simple style; it is looked at, not played.

    A PufferEnv that writes in place says so in its code: it mentions ``self.observations`` or
    ``self.buffers``, its spaces are flat, and its ``reset`` takes a seed.
    """
    if type(env).reset is PufferEnv.reset:
        return False  # it cannot be played at all, and says so when it is
    flat = isinstance(_space(env, "observation_space"), FLAT) and isinstance(
        _space(env, "action_space"), FLAT
    )
    return not (flat and _takes_seed(env.reset) and _mentions_arrays(type(env)))


def SimpleEnv(env: PufferEnv, max_length: int | None = None) -> PufferEnv:
    """``env``, which is in the simple style, behind the PufferEnv contract.

    It is reset once, to see whether it has one agent or several. What chance decides in it is its own: it may
    use ``numpy.random``, or generators in its attributes, and still one seed gives one trajectory, whatever
    else runs in the process. (The module ``random`` is left alone: use ``random.Random()``.)

    Args:
        env: its ``reset`` returns an observation, or observation and info; its ``step`` 4 or 5 values.
        max_length: longest Text or Sequence of its observations.

    Raises:
        BadEnvironment: it returns something else; the message names env, agent and field.
    """
    values = _Values(env)
    agents = values.find_agents()
    if agents is None:
        return GymnasiumEnv(_OneAgent(values), max_length)
    from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel

    return PettingZooParallel(_SeveralAgents(values, agents), max_length=max_length)


def _space(env: PufferEnv, name: str) -> Space:
    try:
        return getattr(env, name)
    except AttributeError:
        raise TypeError(
            f"{type(env).__name__} has no {name}: set it in __init__, for example "
            f"self.{name} = self.make_{'discrete(4)' if name == 'action_space' else 'space((4,))'}"
        ) from None


def _takes_seed(function: Any) -> bool:
    return "seed" in inspect.signature(function).parameters


def _mentions_arrays(cls: type) -> bool:
    """Whether a method of ``cls`` (up to PufferEnv, which mentions everything) names the arrays."""
    names: set[str] = set()
    for base in cls.__mro__[: cls.__mro__.index(PufferEnv)]:
        for member in vars(base).values():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
            if code is not None:
                names |= _names(code)
    return bool(names & {"observations", "buffers"})


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


class _Values:
    """Calls the env, with randomness of its own, and brings what it returns into one form."""

    def __init__(self, env: PufferEnv) -> None:
        self.env = env
        self.name = type(env).__name__
        self._takes_seed = _takes_seed(env.reset)
        self._bits = np.random.MT19937(0)  # what numpy.random is while the env runs
        self.render_mode = None if type(env).render is PufferEnv.render else "rgb_array"
        self.metadata = {
            "render_modes": [self.render_mode] if self.render_mode else [],
            "render_fps": getattr(env, "fps", 30),
        }

    def find_agents(self) -> list[Any] | None:
        """The names of its agents, in the order of their rows; None when it has one, without a name."""
        try:
            observation, _ = self.reset(0)
        except BadEnvironment:
            raise
        except Exception as error:
            raise BadEnvironment(f"{self.name}: reset() raised {type(error).__name__}: {error}") from error
        declared = getattr(self.env, "possible_agents", None) or getattr(self.env, "agents", None)
        if declared:
            return list(declared)
        space = self.env.observation_space
        if not isinstance(observation, Mapping) or not observation:
            return None
        if isinstance(space, spaces.Dict) and space.spaces.keys() == observation.keys():
            return None
        return list(observation)

    def reset(self, seed: int | None) -> tuple[Any, dict]:
        """Returns ``(observation, info)``."""
        if seed is not None:
            self._seed(seed)
        result = self._call(self.env.reset, **({"seed": seed} if self._takes_seed else {}))
        if result is None:
            raise BadEnvironment(f"{self.name}: reset() returned None; it must return the first observation")
        if _shares_arrays(result, self.env):
            raise BadEnvironment(
                f"{self.name} writes into self.observations, but its reset() takes no seed: write "
                "def reset(self, seed=None), or return values instead of writing them"
            )
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
            if not isinstance(self.env.observation_space, spaces.Tuple):
                return result[0], dict(result[1])
            if not self.env.observation_space.contains(result):
                return result[0], dict(result[1])
        return result, {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Returns ``(observation, reward, terminated, truncated, info)``."""
        result = self._call(self.env.step, action)
        if not isinstance(result, tuple) or len(result) not in (4, 5):
            what = f"{len(result)} values" if isinstance(result, tuple) else f"{result!r}"
            raise BadEnvironment(
                f"{self.name}: step() returned {what}; it must return observation, reward, done, info, or "
                "observation, reward, terminated, truncated, info"
            )
        info = result[-1]
        if not isinstance(info, Mapping):
            raise BadEnvironment(
                f"{self.name}: the last value of step() is the info, a dict, not {info!r}; "
                "return an empty one, {}, when there is nothing to tell"
            )
        if len(result) == 5:
            return result
        observation, reward, done, _ = result
        if not isinstance(done, Mapping):
            done = check_flag(done, "done", f"{self.name}: step()")
            cut = bool(info.get("TimeLimit.truncated", False))
            return observation, reward, done and not cut, done and cut, info
        cuts = {
            agent: bool(info[agent].get("TimeLimit.truncated", False))
            for agent in done
            if isinstance(info.get(agent), Mapping)
        }
        terminated = {agent: bool(end) and not cuts.get(agent, False) for agent, end in done.items()}
        truncated = {agent: bool(end) and cuts.get(agent, False) for agent, end in done.items()}
        return observation, reward, terminated, truncated, info

    def _call(self, function: Any, *arguments: Any, **keywords: Any) -> Any:
        process: Any = np.random
        with _ONE_AT_A_TIME:
            before = process.get_bit_generator()
            process.set_bit_generator(self._bits)
            try:
                return function(*arguments, **keywords)
            finally:
                process.set_bit_generator(before)

    def _seed(self, seed: int) -> None:
        """All that it may draw from begins anew."""
        self._bits.state = np.random.MT19937(seed).state
        if self._takes_seed:
            return
        if callable(method := getattr(self.env, "seed", None)):
            method(seed)
        for index, generator in enumerate(vars(self.env).values(), start=1):
            if isinstance(generator, np.random.Generator):
                bits = generator.bit_generator
                bits.state = type(bits)([seed, index]).state
            elif isinstance(generator, np.random.RandomState):
                generator.seed([seed, index])
            elif isinstance(generator, random.Random):
                generator.seed((seed << 32) + index)


def _shares_arrays(result: Any, env: PufferEnv) -> bool:
    """Whether the env returned its own array of the PufferEnv contract."""
    if env._buffers is None:
        return False
    first = result[0] if isinstance(result, tuple) and result else result
    return isinstance(first, np.ndarray) and np.shares_memory(first, env.observations)


class _OneAgent(gymnasium.Env):
    """Simple style as a Gymnasium env, which the adapter for those then takes."""

    def __init__(self, values: _Values) -> None:
        self._values = values
        self.observation_space, self.action_space = values.env.observation_space, values.env.action_space
        self.metadata, self.render_mode = values.metadata, values.render_mode

    @property
    def unwrapped(self) -> Any:
        return self._values.env

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[Any, dict]:
        return self._values.reset(seed)

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, Any]:
        return self._values.step(action)

    def render(self) -> Any:
        return self._values.env.render()

    def close(self) -> None:
        self._values.env.close()


class _SeveralAgents:
    """Simple style as a parallel PettingZoo env (by its shape: nothing of PettingZoo is imported)."""

    def __init__(self, values: _Values, agents: list[Any]) -> None:
        self._values = values
        self.possible_agents, self.agents = list(agents), list(agents)
        self.metadata, self.render_mode = values.metadata, values.render_mode

    @property
    def unwrapped(self) -> Any:
        return self._values.env

    def observation_space(self, agent: Any) -> Space:
        return self._space(self._values.env.observation_space, agent)

    def action_space(self, agent: Any) -> Space:
        return self._space(self._values.env.action_space, agent)

    def _space(self, space: Any, agent: Any) -> Space:
        """All agents' space, or the agent's own where the env has a dict of them."""
        if isinstance(space, Mapping) and not isinstance(space, spaces.Dict):
            return space[agent]
        return space

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        observations, infos = self._values.reset(seed)
        self._per_agent(observations, "observations of reset()")
        self.agents = [agent for agent in self.possible_agents if agent in observations]
        return observations, self._infos(infos)

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        observations, rewards, terminated, truncated, infos = self._values.step(actions)
        self._per_agent(observations, "observations")
        self._per_agent(rewards, "rewards")
        terminated, truncated = self._ends(terminated, "terminated"), self._ends(truncated, "truncated")
        ended = {agent for agent in self.possible_agents if terminated[agent] or truncated[agent]}
        played = [agent for agent in self.possible_agents if agent in observations or agent in self.agents]
        self.agents = [agent for agent in played if agent in observations and agent not in ended]
        return (
            {agent: observations[agent] for agent in played if agent in observations},
            {agent: rewards.get(agent, 0.0) for agent in played},
            # who is no longer mentioned has left
            {agent: terminated[agent] or agent not in observations for agent in played},
            {agent: truncated[agent] for agent in played},
            self._infos(infos),
        )

    def _per_agent(self, values: Any, what: str) -> None:
        if not isinstance(values, Mapping):
            raise BadEnvironment(
                f"{self._values.name} has the agents {self.possible_agents}, so its {what} must be a dict with "
                f"an entry per agent, not {values!r}"
            )
        if unknown := [agent for agent in values if agent not in self.possible_agents]:
            raise BadEnvironment(
                f"{self._values.name}: its {what} have the agent {unknown[0]!r}, who is none of "
                f"{self.possible_agents}: name all agents in self.possible_agents"
            )

    def _ends(self, ends: Any, what: str) -> dict[Any, bool]:
        """One flag for all of them, or one per agent and perhaps ``"__all__"``."""
        if not isinstance(ends, Mapping):
            return dict.fromkeys(self.possible_agents, bool(ends))
        for_all = bool(ends.get("__all__", False))
        self._per_agent({agent: end for agent, end in ends.items() if agent != "__all__"}, what)
        return {agent: for_all or bool(ends.get(agent, False)) for agent in self.possible_agents}

    def _infos(self, infos: Any) -> dict[Any, dict]:
        return {agent: dict(infos.get(agent) or {}) for agent in self.possible_agents if agent in infos}

    def render(self) -> Any:
        return self._values.env.render()

    def close(self) -> None:
        self._values.env.close()
