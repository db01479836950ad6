"""How long until an agent has solved a game: seconds from ``make()`` to the passed test.

The criterion is strict: 20 episodes of the greedy policy, then a fresh 100, and both means must be over the bar. A
single test of 20, made again and again while learning, is passed by luck sooner or later (policies whose true mean
is 188 have passed one of 475). Tests take part of the measured time, so they are only made when the returns of
training suggest it. The settings are the section ``[solve]`` of the game's preset::

    [solve]
    metric = "episode_return"    # or a statistic of the game's own
    bar = 475                    # what its mean must reach
    try_above = 100              # the first test is made when the last training episodes' mean is above this,
    every = 2                    # and then every so many updates

    [solve.env]  [solve.policy]  [solve.train]    # over the sections of the same names

With ``above = 0`` it is the share of episodes whose metric is above 0 that must reach the bar: the games won.

    python -m pufferbench.bench_solve GAME CONFIG      one game; it obeys its standard input
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pufferbench.bench_control import Child
from pufferbench.bench_load import LoadControl
from pufferbench.errors import PufferBenchError
from pufferbench.registry import list_envs, spec

if TYPE_CHECKING:
    from pufferbench.trainer import PuffeRL

EPISODES = (20, 100)  # of the two parts of a test
RECENT = 10  # training episodes whose mean suggests a test

Play = Callable[[int, int], np.ndarray]  # number of episodes, seed -> their statistics


@dataclass(frozen=True)
class Criterion:
    """When a game is solved.

    Attributes:
        metric: the statistic of an episode that counts.
        bar: what its mean must reach.
        above: if given, the share of episodes whose metric is above this must reach the bar instead.
    """

    metric: str
    bar: float
    above: float | None = None

    def mean(self, values: Any) -> float:
        """Of the metric of some episodes, as the bar asks for it."""
        values = np.asarray(values, float)
        return float((values if self.above is None else values > self.above).mean())

    def passed(self, play: Play, seed: int) -> bool:
        """Whether all parts of a test are passed; each plays other episodes, none of which was seen before."""
        return all(
            self.mean(play(count, seed + part)[self.metric]) >= self.bar
            for part, count in enumerate(EPISODES)
        )


@dataclass(frozen=True)
class Solved:
    """What became of one training.

    Attributes:
        seconds: from ``make()`` to the passed test; infinite if none was passed.
        testing: seconds of them that tests took.
        steps, updates: of training.
        tests: made, the passed one included.
    """

    seed: int
    seconds: float
    testing: float
    steps: int
    updates: int
    tests: int


def settings(name: str) -> dict[str, Any]:
    """The section ``[solve]`` of the game's preset.

    Raises:
        PufferBenchError: it has none.
    """
    found = spec(name).preset().get("solve")
    if found is None:
        others = ", ".join(other for other in list_envs() if "solve" in spec(other).preset())
        raise PufferBenchError(
            f"nothing says when {name} is solved: its preset has no section [solve] (these have: {others})"
        )
    return found


def make_trainer(name: str, seed: int, **config: Any) -> PuffeRL:
    """With the game's ``[solve]`` settings, and ``config`` over them. Whoever made it closes its env."""
    from pufferbench import policies  # here: torch, which who only asks does without
    from pufferbench.trainer import PuffeRL
    from pufferbench.vector.make import make

    own, preset = settings(name), spec(name).preset()
    sections = {part: {**preset.get(part, {}), **own.get(part, {})} for part in ("env", "policy")}
    env = make(name, **sections["env"])
    policy = policies.from_preset(None, sections["policy"], env, seed)
    return PuffeRL(env=env, policy=policy, seed=seed, **{**own.get("train", {}), **config})


def solve(name: str, seed: int, **config: Any) -> Solved:
    """Train ``name`` until a test is passed, or ``total_timesteps`` are over."""
    own = settings(name)
    criterion = Criterion(own["metric"], own["bar"], own.get("above"))
    began, testing, tests, next_test, solved = time.perf_counter(), 0.0, 0, 0, False
    with make_trainer(name, seed, **config) as trainer, trainer.env:
        play = player(trainer)
        for record in trainer.steps():
            recent = list(trainer.episodes.recent.get(criterion.metric, ()))[-RECENT:]
            if recent and criterion.mean(recent) >= own["try_above"] and record["update"] >= next_test:
                before = time.perf_counter()
                # Seeds of its games: none of training's, none twice
                solved = criterion.passed(play, 1_000_000 * (seed + 1) + len(EPISODES) * tests)
                tests, next_test = tests + 1, record["update"] + own["every"]
                testing += time.perf_counter() - before
            if solved:
                break
        seconds = time.perf_counter() - began if solved else math.inf
        return Solved(seed, seconds, testing, trainer.global_step, trainer.update, tests)


def player(trainer: PuffeRL) -> Play:
    """Plays whole episodes with the greedy policy of ``trainer`` as it is then, in games of its own."""
    from pufferbench.play import play_episodes, policy_actions
    from pufferbench.pytorch import torch_threads

    def play(count: int, seed: int) -> np.ndarray:
        env = envs(count)
        with torch_threads(trainer.learner.torch_threads):
            return play_episodes(env, policy_actions(env, trainer.policy, greedy=True), count, seed)

    envs = cache(trainer.env.respawn)
    return play


@dataclass(frozen=True)
class Result:
    """All seeds of one game.

    Attributes:
        ready: seconds from the start of the process until it could begin: imports, loading compiled kernels.
        share: of the cores that we got, the least of the controls.
    """

    ready: float
    runs: tuple[Solved, ...]
    share: float

    @property
    def median(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def worst(self) -> float:
        return max(run.seconds for run in self.runs)


def measure(name: str, seeds: Sequence[int], load: LoadControl, **config: Any) -> Iterator[Result]:
    """Solve ``name`` once for each seed, in a process of its own. Yields what is known after each of them."""
    settings(name)  # errors come before anything is started
    began = time.perf_counter()
    runs: list[Solved] = []
    with Child(__name__, spec(name).id, json.dumps(config)).ready() as child:
        ready, share = time.perf_counter() - began, load.spin()
        for seed in seeds:
            child.ask(f"{seed}")
            runs.append(Solved(**json.loads(child.answer())))
            share = min(share, load.spin())
            yield Result(ready, tuple(runs), share)


def main(name: str, config: str) -> None:
    """Obey: a seed on a line of input is answered by a :class:`Solved`."""
    options = json.loads(config)
    warm_up(name, options)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(solve(name, int(line), **options))), flush=True)


def warm_up(name: str, options: dict[str, Any]) -> None:
    """Compile, or load, all that solving needs: two updates, and the games of an untrained policy."""
    with make_trainer(name, 0, **options) as trainer, trainer.env:
        for _ in zip(range(2), trainer.steps(), strict=False):
            pass
        for count in EPISODES:
            player(trainer)(count, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
