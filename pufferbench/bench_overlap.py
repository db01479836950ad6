"""What it brings a training that one half of the workers steps while the policy acts for the other half.

PuffeRL tries this for itself during its first updates (see :mod:`pufferbench.collect`); here both ways are
measured in turn, for games that compute and for games that wait (for a simulator on another machine, say).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from pufferbench.bench_control import LEAST_SCALING, Control, compute
from pufferbench.env import PufferEnv

WORKERS = 2
ROUNDS = 3
MOST_ROUNDS = 8
HIDDEN = 4096  # a wide policy: acting takes about as long as a worker's games
STEP_SECONDS = 0.006  # of all games and the policy, roughly


class Game(PufferEnv):
    """256 numbers to see, and a step that takes ``seconds``: of computing, or with ``wait`` of waiting."""

    def __init__(self, seconds: float, wait: bool = False, buf: Any = None) -> None:
        super().__init__(buf)
        self.seconds, self.wait = seconds, wait
        self.observation_space, self.action_space = self.make_space(256), self.make_discrete(4)

    def reset(self, seed: int | None = None) -> Any:
        return self.observations, []

    def step(self, actions: Any) -> Any:
        (time.sleep if self.wait else compute)(self.seconds)
        return self.observations, self.rewards, self.terminals, self.truncations, []


COMPUTES = partial(Game, 100e-6), 64
WAITS = partial(Game, 100e-6, True), 64


@dataclass(frozen=True)
class Overlap:
    """Seconds of playing an update, in whole batches and in halves; and how well the control scaled.

    Attributes:
        exact: whether halves give the same bits, without which PuffeRL would not use them.
        valid: whether the control scaled in at least one round; if not, the figures are the last round's.
    """

    whole: float
    halves: float
    exact: bool
    control: float
    valid: bool

    @property
    def ratio(self) -> float:
        """Time in halves, of the time in whole batches."""
        return self.halves / self.whole


def overlap(creator: Any, num_envs: int, seconds: float = 0.5) -> Overlap:
    """Play updates in both ways in turn, with two workers. Of the rounds with a good control, the best counts."""
    from pufferbench.policies import MLP
    from pufferbench.trainer import PuffeRL
    from pufferbench.vector import Multiprocessing

    with Multiprocessing(creator, num_envs, WORKERS) as env:
        policy = MLP(env.observation_space, env.action_space, HIDDEN)
        trainer = PuffeRL(env, policy=policy, bptt_horizon=max(4, round(seconds / STEP_SECONDS)))
        trainer.evaluate()  # warms up, and compares the bits
        exact = trainer.collector.way == "halves"

        def played(way: str) -> float:
            trainer.collector.settle_on(way)
            began = time.perf_counter()
            trainer.evaluate()
            return time.perf_counter() - began

        rounds: list[tuple[float, float, float]] = []
        good: list[tuple[float, float, float]] = []
        with Control("busy", 1) as copies:
            while len(good) < ROUNDS and len(rounds) < MOST_ROUNDS:
                one, whole = copies.measure(1, seconds), played("whole")
                rounds.append((whole, played("halves"), copies.measure(2, seconds) / one))
                good = [times for times in rounds if times[2] >= LEAST_SCALING]
    chosen = good or rounds[-1:]
    whole, halves = (min(times[way] for times in chosen) for way in (0, 1))
    return Overlap(whole, halves, exact, max(times[2] for times in chosen), bool(good))
