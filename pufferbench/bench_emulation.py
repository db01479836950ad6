"""What it costs to see other people's environments as a PufferEnv, beside gymnasium's and stable-baselines3's ways.

The same environments are stepped in four ways: by the plainest loop there is, through our adapter and Serial,
through gymnasium's SyncVectorEnv and through stable-baselines3's DummyVecEnv. What a way takes longer than
the loop is its overhead. All play the same games, since one game of zombies costs more than another: from
one seed, with the same random actions, the same number of steps. CPU time; in every round the ways take
turns, and of the differences of all rounds the middle one counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

ROUNDS = 7
WARM_UP = 20  # steps
ACTIONS = 16  # sets of random ones, used in turn

Step = Callable[[], Any]


@dataclass(frozen=True)
class Overhead:
    """Microseconds of CPU time for one step of one environment.

    Attributes:
        raw: of the plain loop.
        ours, sync, dummy: what each way adds to it; None where its package is missing.
    """

    name: str
    num_envs: int
    raw: float
    ours: float
    sync: float | None
    dummy: float | None

    @property
    def lowest(self) -> bool:
        """Whether ours adds least."""
        return all(self.ours < other for other in (self.sync, self.dummy) if other is not None)


class DictEnv(gymnasium.Env):
    """A picture, a vector and a counter; it does nothing, so that what is left is the emulation."""

    observation_space = spaces.Dict(
        picture=spaces.Box(0, 255, (16, 16), np.uint8),
        vector=spaces.Box(-1, 1, (8,)),
        counter=spaces.Discrete(100),
    )
    action_space = spaces.Discrete(4)

    def __init__(self) -> None:
        self.picture, self.vector = np.zeros((16, 16), np.uint8), np.zeros(8, np.float32)
        self.counter = 0

    def look(self) -> dict[str, Any]:
        return {"picture": self.picture, "vector": self.vector, "counter": self.counter}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        super().reset(seed=seed)
        self.counter = 0
        return self.look(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.counter += 1
        return self.look(), 1.0, self.counter == 99, False, {}


class Together(gymnasium.Env):
    """All agents of a PettingZoo game as one Gymnasium env, since the peers know nothing else."""

    def __init__(self, game: Any) -> None:
        self.game = game
        self.agents = list(game.possible_agents)
        self.observation_space = spaces.Dict({agent: game.observation_space(agent) for agent in self.agents})
        self.action_space = spaces.MultiDiscrete([game.action_space(agent).n for agent in self.agents])
        boxes: dict[str, Any] = self.observation_space.spaces
        self.absent = {agent: np.zeros(box.shape, box.dtype) for agent, box in boxes.items()}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        return {**self.absent, **self.game.reset(seed=seed)[0]}, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        game = self.game
        chosen = {
            agent: number for agent, number in zip(self.agents, action, strict=True) if agent in game.agents
        }
        observations, rewards, _, _, _ = game.step(chosen)
        return {**self.absent, **observations}, sum(rewards.values()), not game.agents, False, {}


def measure(name: str, seconds: float = 0.3, rounds: int = ROUNDS) -> Overhead:
    """The overhead on ``name``, one of :data:`ENVIRONMENTS`; ``seconds`` of CPU time for each way and round."""
    raw, creator, together, num_envs = ENVIRONMENTS[name]
    ways = {
        "raw": raw(num_envs),
        "ours": ours(creator, num_envs),
        "sync": sync(together or creator, num_envs),
    }
    if find_spec("stable_baselines3"):
        ways["dummy"] = dummy(together or creator, num_envs)
    for step in ways.values():
        cpu_time(step, WARM_UP)
    calls = 1 + int(seconds / cpu_time(ways["raw"], WARM_UP))
    for way in ways.keys() - {"raw"}:
        cpu_time(ways[way], WARM_UP)  # as far as the loop
    times = [{way: cpu_time(step, calls) for way, step in ways.items()} for _ in range(rounds)]
    scale = 1e6 / num_envs
    added = {way: scale * median(row[way] - row["raw"] for row in times) for way in ways}
    raw_time = scale * median(row["raw"] for row in times)
    return Overhead(name, num_envs, raw_time, added["ours"], added["sync"], added.get("dummy"))


def cpu_time(step: Step, calls: int) -> float:
    """CPU seconds of one call."""
    began = time.thread_time()
    for _ in range(calls):
        step()
    return (time.thread_time() - began) / calls


class SameStart:
    """An environment's reset, which begins with the same seed: the first time, and whenever it gets a seed."""

    seed = 17

    def __init__(self, reset: Callable[..., Any]) -> None:
        self.reset, self.first = reset, True

    def __call__(self, seed: int | None = None, options: Any = None) -> Any:
        seed = self.seed if self.first or seed is not None else None
        self.first = False
        return self.reset(seed=seed, options=options)


def same_start(env: Any) -> Any:
    """``env``, whose games are those of every other one made like it."""
    env.reset = SameStart(env.reset)
    return env


# -- the four ways ------------------------------------------------------------------------------


def ours(creator: Callable[[], Any], num_envs: int) -> Step:
    """Through our adapter, in Serial."""
    from pufferbench.vector import Serial

    env = Serial(creator, num_envs)
    env.reset(0)
    agents = env.num_agents // num_envs
    space: Any = env.action_space
    space = space if agents == 1 else spaces.MultiDiscrete([space.n] * agents)
    return _in_turn(env.step, space, num_envs, env.actions)


def sync(creator: Callable[[], gymnasium.Env], num_envs: int) -> Step:
    """Through gymnasium's vector env; it too resets in the step in which an episode ends."""
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    env = SyncVectorEnv([creator] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)
    env.reset(seed=0)
    return _in_turn(env.step, env.single_action_space, num_envs)


def dummy(creator: Callable[[], gymnasium.Env], num_envs: int) -> Step:
    """Through stable-baselines3's vector env, which resets in the same step too."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([creator] * num_envs)
    env.reset()
    return _in_turn(env.step, env.action_space, num_envs)


def raw_gymnasium(creator: Callable[[], gymnasium.Env], num_envs: int, limit: int) -> Step:
    """The loop that one would write for one's own envs, without gymnasium.make()'s wrappers."""
    envs = [creator().unwrapped for _ in range(num_envs)]
    lengths = [0] * num_envs
    for index, env in enumerate(envs):
        env.reset(seed=index)

    def step(actions: Any) -> None:
        for index, env in enumerate(envs):
            _, _, terminated, truncated, _ = env.step(actions[index])
            lengths[index] += 1
            if terminated or truncated or lengths[index] == limit:
                env.reset()
                lengths[index] = 0

    return _in_turn(step, envs[0].action_space, num_envs)


def raw_parallel(creator: Callable[[], Any], num_envs: int) -> Step:
    """The loop that PettingZoo's documentation shows."""
    games = [creator() for _ in range(num_envs)]
    for index, game in enumerate(games):
        game.reset(seed=index)
    agents = list(games[0].possible_agents)

    def step(actions: Any) -> None:
        for index, game in enumerate(games):
            chosen = dict(zip(agents, actions[index], strict=True))
            game.step({agent: chosen[agent] for agent in game.agents})
            if not game.agents:
                game.reset()

    counts = [games[0].action_space(agent).n for agent in agents]
    return _in_turn(step, spaces.MultiDiscrete(counts), num_envs)


def _in_turn(step: Callable[[Any], Any], space: Any, num_envs: int, like: np.ndarray | None = None) -> Step:
    """``step`` with the next of some sets of random actions, the same for all; as arrays ``like`` this."""
    counts: Any = getattr(space, "nvec", getattr(space, "n", None))
    sets, calls = np.random.default_rng(0).integers(0, counts, (ACTIONS, num_envs, *np.shape(counts))), 0
    if like is not None:
        sets = sets.reshape(ACTIONS, *like.shape).astype(like.dtype)

    def call() -> None:
        nonlocal calls
        step(sets[calls % ACTIONS])
        calls += 1

    return call


# -- the environments ---------------------------------------------------------------------------


def cartpole() -> gymnasium.Env:
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    same_start(env.unwrapped)
    return env


def dict_env() -> gymnasium.Env:
    return same_start(DictEnv())


def knights() -> Any:
    """Knights, archers and zombies, the version that is installed: four agents, of whom some die early."""
    from pufferbench.emulation.pettingzoo_names import find_game

    game = find_game("pettingzoo-knights-archers-zombies")
    return same_start(import_module(f"pettingzoo.butterfly.{game}").parallel_env())


def knights_together() -> gymnasium.Env:
    return Together(knights())


# name -> (the raw loop, what makes one for us, what makes one for the peers if it is another, how many)
ENVIRONMENTS: dict[str, tuple[Callable[[int], Step], Callable[[], Any], Callable[[], Any] | None, int]] = {
    "CartPole": (partial(raw_gymnasium, cartpole, limit=500), cartpole, None, 16),
    "Dict space": (partial(raw_gymnasium, dict_env, limit=10**9), dict_env, None, 16),
    "KAZ": (partial(raw_parallel, knights), knights, knights_together, 2),
}
