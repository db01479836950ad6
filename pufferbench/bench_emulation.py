"""What it costs to see other people's environments as a PufferEnv, beside gymnasium's and stable-baselines3's ways.

The same environments are stepped with random actions in four ways: by the plainest loop there is, through
our adapter and Serial, through gymnasium's SyncVectorEnv and through stable-baselines3's DummyVecEnv. Time
inside the environments' own step and reset does not count, since what a random game costs is luck; of the
rest, what a way takes longer than the loop is its overhead. CPU time, in turn, and the best of several
rounds: others only ever slow us down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from pufferbench.bench_vector import stepper

ROUNDS = 7
ACTIONS = 16  # sets of random ones, used in turn

Step = Callable[[], Any]


@dataclass(frozen=True)
class Overhead:
    """Microseconds of CPU time for one step of one environment.

    Attributes:
        raw: in the environment itself.
        ours, sync, dummy: what each way adds to the plain loop; None where its package is missing.
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
    ways: list[Step | None] = [
        raw(num_envs),
        ours(creator, num_envs),
        sync(together or creator, num_envs),
        dummy(together or creator, num_envs) if find_spec("stable_baselines3") else None,
    ]
    inside, outside = float("inf"), [float("inf")] * len(ways)
    for _ in range(rounds):
        for index, step in enumerate(ways):
            if step is not None:
                own, rest = cpu_times(step, seconds)
                inside, outside[index] = min(inside, own), min(outside[index], rest)
    scale = 1e6 / num_envs
    added = [None if way is None else scale * (t - outside[0]) for way, t in zip(ways, outside, strict=True)]
    assert added[1] is not None
    return Overhead(name, num_envs, scale * inside, added[1], added[2], added[3])


def cpu_times(step: Step, seconds: float) -> tuple[float, float]:
    """CPU seconds of one call, over about ``seconds``: in the environments' own methods, and in the rest."""
    calls, before, began = 0, Timed.seconds, time.thread_time()
    while (elapsed := time.thread_time() - began) < seconds:
        for _ in range(10):
            step()
        calls += 10
    inside = Timed.seconds - before
    return inside / calls, (elapsed - inside) / calls


class Timed:
    """An environment's method, and in ``Timed.seconds`` the CPU time in all of them."""

    seconds = 0.0

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        began = time.thread_time()
        result = self.method(*arguments, **options)
        Timed.seconds += time.thread_time() - began
        return result


def timed(env: Any) -> Any:
    """``env``, of whose step and reset we know how long they take."""
    env.step, env.reset = Timed(env.step), Timed(env.reset)
    return env


# -- the four ways ------------------------------------------------------------------------------


def ours(creator: Callable[[], Any], num_envs: int) -> Step:
    """Through our adapter, in Serial."""
    from pufferbench.vector import Serial

    return stepper(Serial(creator, num_envs))


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


def _in_turn(step: Callable[[Any], Any], space: Any, num_envs: int) -> Step:
    """``step`` with the next of some sets of random actions."""
    counts: Any = getattr(space, "nvec", getattr(space, "n", None))
    shape = (ACTIONS, num_envs, *np.shape(counts))
    sets, calls = np.random.default_rng(0).integers(0, counts, shape), 0

    def call() -> None:
        nonlocal calls
        step(sets[calls % ACTIONS])
        calls += 1

    return call


# -- the environments ---------------------------------------------------------------------------


def cartpole() -> gymnasium.Env:
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    timed(env.unwrapped)
    return env


def dict_env() -> gymnasium.Env:
    return timed(DictEnv())


def knights() -> Any:
    """Knights, archers and zombies, the version that is installed: four agents, of whom some die early."""
    from pufferbench.emulation.pettingzoo_names import find_game

    game = find_game("pettingzoo-knights-archers-zombies")
    return timed(import_module(f"pettingzoo.butterfly.{game}").parallel_env())


def knights_together() -> gymnasium.Env:
    return Together(knights())


# name -> (the raw loop, what makes one for us, what makes one for the peers if it is another, how many)
ENVIRONMENTS: dict[str, tuple[Callable[[int], Step], Callable[[], Any], Callable[[], Any] | None, int]] = {
    "CartPole": (partial(raw_gymnasium, cartpole, limit=500), cartpole, None, 16),
    "Dict space": (partial(raw_gymnasium, dict_env, limit=10**9), dict_env, None, 16),
    "KAZ": (partial(raw_parallel, knights), knights, knights_together, 2),
}
