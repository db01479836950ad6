"""Compile what a first training would wait for: the learners, and games with the loop that plays them.

    python -m pufferbench.warmup      one task per line of standard input: fused, or ocean_numba.squared:Squared

What it compiles lies in the kernel cache afterwards, for every process of this user.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from ocean_numba import warmup as games
from pufferbench import fused_kernels, fused_play, fused_steps, machine_code, recurrent_kernels
from pufferbench.env import PufferEnv
from pufferbench.fused import WORTH_A_THREAD, misfit
from pufferbench.policies import MLP
from pufferbench.trainer import PuffeRL

FUSED = tuple(module.__name__ for module in (fused_kernels, fused_steps))
RECURRENT = recurrent_kernels.__name__
LEARNERS = {"fused": FUSED, "recurrent": (RECURRENT,)}  # name -> modules


class Dull(PufferEnv):
    """Nothing happens in it: enough to call every function of a learner."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.num_agents = rows
        self.observation_space = spaces.Box(0, 1, (4,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, seed: int | None = None) -> Any:
        return self.observations, []

    def step(self, actions: Any) -> Any:
        return self.observations, self.rewards, self.terminals, self.truncations, []


def is_compiled(task: str) -> bool:
    """Whether a learner, or a game with its default parameters and its loop, is in the cache."""
    if task in LEARNERS:
        return all(map(machine_code.on_disk, LEARNERS[task]))
    if not games.is_compiled(task):
        return False
    env = games.game_class(task)()
    if not _has_loop(env):
        return True
    path = fused_play.loop_path(games.kernel_name(task))
    return any(path.parent.glob(f"__pycache__/{path.stem}.*.nbc"))


def compile_task(task: str) -> float:
    """Returns the seconds that it took."""
    began = time.perf_counter()
    if task == "fused":
        _compile_fused()
    elif task == "recurrent":
        for policy in ("LSTM", "GRU"):
            with PuffeRL(Dull(8), policy, bptt_horizon=8) as trainer:
                _update(trainer)
    else:
        games.compile_game(task)
        env = games.game_class(task)(num_envs=8)
        if _has_loop(env):
            with PuffeRL(env, "MLP", bptt_horizon=8) as trainer:
                trainer.evaluate()
    return time.perf_counter() - began


def _compile_fused() -> None:
    """Small minibatches, which are taken in one call, then a large one; segments look probabilities up again."""
    rows, horizon = 64, 2 * WORTH_A_THREAD // 64
    for minibatch, segments in ((512, True), (rows * horizon, False)):
        with PuffeRL(
            Dull(rows), "MLP", bptt_horizon=horizon, minibatch_size=minibatch, learner="fused", update_epochs=2,
            prioritize=segments, advantage="puff" if segments else "gae",
        ) as trainer:  # fmt: skip
            _update(trainer)
    with PuffeRL(Dull(8), "MLP", bptt_horizon=8, minibatch_size=32, learner="fused") as trainer:
        _update(trainer)


def _update(trainer: PuffeRL) -> None:
    trainer.evaluate()
    trainer.train()


def _has_loop(env: Any) -> bool:
    try:
        policy = MLP(env.observation_space, env.action_space)
    except (TypeError, ValueError):  # not for this policy
        return False
    return not misfit(policy, torch.device("cpu"))


def main() -> None:
    """Answer each line of standard input with a line of JSON: ``{"seconds": 1.2}`` or ``{"error": "..."}``."""
    with machine_code.announced(lambda notice: None):  # a progress bar says it
        for line in sys.stdin:
            try:
                answer: dict[str, object] = {"seconds": compile_task(line.strip())}
            except Exception as error:  # one at fault must not keep the others from being compiled
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
