"""The control of a scaling benchmark: two copies of a loop that share nothing, and no library.

Two workers cannot be faster than two independent processes are. So whoever says how well something
scales measures this too, in the same run: on a busy machine, or one whose two "cores" are the two
threads of one, the control itself does not reach 2x, and a figure without it would mean nothing.

    python -m pufferbench.bench_control cartpole 32      one copy; it obeys its standard input
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LEAST_SCALING = 1.7  # a control under this: the machine was not ours, and the figure is discarded


def cartpole(num_envs: int) -> Callable[[], None]:
    """One step of ``num_envs`` Gymnasium CartPoles, into flat arrays: the plainest loop one can write.

    Like our adapter, it does without gymnasium.make()'s wrappers and counts the 500 steps itself.
    """
    import gymnasium

    envs = [gymnasium.make("CartPole-v1").unwrapped for _ in range(num_envs)]
    lengths = [0] * num_envs
    observations = np.zeros((num_envs, 4), np.float32)
    rewards = np.zeros(num_envs, np.float32)
    terminals, truncations = np.zeros((2, num_envs), np.bool_)
    for index, env in enumerate(envs):
        observations[index], _ = env.reset(seed=index)
    sets = np.random.default_rng(0).integers(0, 2, (16, num_envs)).tolist()
    calls = 0

    def step() -> None:
        nonlocal calls
        actions = sets[calls % 16]
        calls += 1
        for index, env in enumerate(envs):
            observation, reward, terminated, _, _ = env.step(actions[index])
            lengths[index] += 1
            truncated = lengths[index] == 500
            if terminated or truncated:
                observation, _ = env.reset()
                lengths[index] = 0
            observations[index] = observation
            rewards[index] = reward
            terminals[index] = terminated
            truncations[index] = truncated

    return step


def busy(num_envs: int) -> Callable[[], None]:
    """One step of ``num_envs`` environments that compute for 1 ms each."""

    def step() -> None:
        for _ in range(num_envs):
            compute(0.001)

    return step


def compute(seconds: float) -> None:
    """Use that much of the processor: CPU time, so that a neighbour makes it last longer, not cost less."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


LOOPS = {"cartpole": cartpole, "busy": busy}


class Child:
    """A process of this package, ``python -m MODULE ARGUMENTS``, that answers each line of its input with one.

    It says "ready" once, and then sleeps until it is asked. Use it in a ``with`` statement, or close it.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        root = str(Path(__file__).resolve().parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])},
        )

    def ready(self) -> Child:
        """Wait until it is."""
        try:
            self.answer()
        except BaseException:
            self.close()
            raise
        return self

    def ask(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Raises :class:`RuntimeError` when it ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benchmark ended by itself; its error is above")
        return line.strip()

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()  # the end of its input is the end of it
        self.process.stdout.close()
        self.process.wait(10)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Control:
    """Two processes, each with its own copy of a loop over ``num_envs`` environments.

    They start at once and then sleep until they are measured. Use it in a ``with`` statement.
    """

    def __init__(self, loop: str, num_envs: int) -> None:
        self.children = [Child("pufferbench.bench_control", loop, str(num_envs)) for _ in range(2)]
        try:
            for child in self.children:
                child.ready()
        except BaseException:
            self.close()
            raise

    def measure(self, copies: int, seconds: float) -> float:
        """Steps per second of wall time, of ``copies`` (1 or 2) copies together."""
        chosen = self.children[:copies]
        for child in chosen:
            child.ask(f"{seconds}")
        return sum(float(child.answer()) for child in chosen)

    def close(self) -> None:
        for child in self.children:
            child.close()

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def main(loop: str, num_envs: int) -> None:
    """Obey: a number of seconds on a line of input is answered by the rate over that time."""
    step = LOOPS[loop](num_envs)
    rate(step, num_envs, 0.2)  # warm up
    print("ready", flush=True)
    for line in sys.stdin:
        print(rate(step, num_envs, float(line)), flush=True)


def rate(step: Callable[[], Any], num_envs: int, seconds: float) -> float:
    """Environment steps per second of wall time, over about ``seconds``."""
    calls, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        step()
        calls += 1
    return calls * num_envs / elapsed


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
