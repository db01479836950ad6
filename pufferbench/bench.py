"""How fast environments step on this machine, measured so that numbers can be compared.

*Agent* steps per second of CPU time, on one core, called from Python, as a trainer would
call them (``env.step(actions)`` with other actions in every step). CPU time, because a shared machine
takes wall time away; it still suffers from neighbours (caches, hyper-threads), so every measurement also
reports how much of the wall time we got, and the best of several rounds counts: noise only ever slows.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.emulation.masks import sample_legal
from pufferbench.vector.make import make

BATCH_SIZES = (64, 256, 1024, 4096, 16384)
ACTION_SETS = 16  # different actions in every step: branch prediction must not learn one set by heart
LEGAL_STEPS = 64  # of a game with rules about actions, that are played again and again


@dataclass(frozen=True)
class Reference:
    """Millions of steps per second: what PufferLib 3.0 does on this kind of machine, what we must do."""

    peer: float
    target: float


ENVIRONMENTS = {
    "ocean-cartpole": Reference(peer=34, target=80),
    "ocean-squared": Reference(peer=69, target=80),
    "ocean-breakout": Reference(peer=4.2, target=20),
    "ocean-target": Reference(peer=15.6, target=32),
}


@dataclass(frozen=True)
class EnvironmentSpeed:
    """Agent steps per second of one batch size.

    Attributes:
        cpu: per second of CPU time; the number to compare.
        wall: per second of wall time, in the same round.
        share: CPU time / wall time of that round; well under 1 means that others use the core.
        bytes_per_step: what one agent's step reads and writes (observation, action, reward, flags, state).
    """

    num_envs: int
    cpu: float
    wall: float
    share: float
    bytes_per_step: float


def environment_speed(
    name: str, num_envs: int, seconds: float = 0.3, rounds: int = 3, **env_kwargs: Any
) -> EnvironmentSpeed:
    """Measure one batch size: the best of ``rounds`` rounds of about ``seconds`` CPU seconds each."""
    with make(name, num_envs=num_envs, backend="serial", **env_kwargs) as env:
        env.reset(0)
        actions = action_sets(env)
        calls = 1
        while (_timed(env, actions, calls))[0] < 0.02:  # warm up, and find how many calls fill a round
            calls *= 2
        per_call = max(_timed(env, actions, calls)[0] / calls, 1e-9)
        calls = max(calls, int(seconds / per_call))
        cpu, wall = min(_timed(env, actions, calls) for _ in range(rounds))
        steps = calls * env.num_agents
        return EnvironmentSpeed(num_envs, steps / cpu, steps / wall, cpu / wall, bytes_per_step(env))


def _timed(env: Any, actions: Sequence[np.ndarray], calls: int) -> tuple[float, float]:
    """CPU and wall seconds of ``calls`` steps (all threads of the process, so nothing runs for free)."""
    step, sets = env.step, len(actions)
    again = env.action_masks is not None  # legal only in the states that they were chosen for
    wall, cpu = time.perf_counter(), time.process_time()
    for call in range(calls):
        if again and call % sets == 0:
            env.reset(0)
        step(actions[call % sets])
    return time.process_time() - cpu, max(time.perf_counter() - wall, 1e-9)


def action_sets(env: Any, seed: int = 0) -> list[np.ndarray]:
    """Random legal actions for every agent, made beforehand: sampling is not what is measured.

    Where the rules forbid actions, they are those of the first steps after ``env.reset(0)``.
    """
    if env.action_masks is not None:
        return _legal_play(env, seed)
    env.action_space.seed(seed)
    space, shape, dtype = env.action_space, env.actions.shape, env.actions.dtype
    rng = np.random.default_rng(seed)
    if hasattr(space, "nvec"):
        return [rng.integers(0, space.nvec, shape).astype(dtype) for _ in range(ACTION_SETS)]
    if hasattr(space, "n"):
        return [rng.integers(0, space.n, shape).astype(dtype) for _ in range(ACTION_SETS)]
    low, high = np.maximum(space.low, -1e3), np.minimum(space.high, 1e3)
    return [rng.uniform(low, high, shape).astype(dtype) for _ in range(ACTION_SETS)]


def _legal_play(env: Any, seed: int) -> list[np.ndarray]:
    rng, played = np.random.default_rng(seed), []
    env.reset(0)
    for _ in range(LEGAL_STEPS):
        actions = sample_legal(env.action_masks, env.action_space, rng)
        played.append(actions.reshape(env.actions.shape).astype(env.actions.dtype))
        env.step(played[-1])
    return played


def bytes_per_step(env: Any) -> float:
    """Bytes of one agent: its rows in the buffers, and its share of the game's state."""
    arrays = [env.observations, env.actions, env.rewards, env.terminals, env.truncations]
    if hasattr(env, "states"):
        arrays.append(env.states)
    return sum(array.nbytes for array in arrays) / env.num_agents


def machine() -> str:
    """One line: processor, cores we may use, Python and the libraries that decide the speed."""
    from importlib.metadata import version

    from pufferbench.system import cores

    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "torch"))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{_processor()}, {cores()} cores{load}; Python {platform.python_version()}, {versions}"


def _processor() -> str:
    try:  # Linux says it nowhere else
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
