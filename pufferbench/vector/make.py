"""make: environments by name, stepped in this process, on threads or in worker processes."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pufferbench.env import PufferEnv
from pufferbench.errors import did_you_mean
from pufferbench.registry import EnvSpec, spec
from pufferbench.system import cores
from pufferbench.vector.base import VectorEnv, check_count
from pufferbench.vector.serial import Serial
from pufferbench.vector.threads import Threads

BACKENDS = ("auto", "serial", "threads", "multiprocessing")


def make(
    name: str,
    num_envs: int = 1,
    num_workers: int | None = None,
    envs_per_worker: int | None = None,
    batch_size: int | None = None,
    backend: str = "auto",
    **env_kwargs: Any,
) -> PufferEnv:
    """Make ``num_envs`` games of the environment called ``name``.

    Games that step themselves as a batch (``ocean-...``) are one env; others (``gym-...``) are stepped one
    after the other. Both in this process, unless workers are asked for.

    Args:
        name: a registered name (:func:`pufferbench.list_envs` has them), or ``"gym-"`` and a Gymnasium id.
        num_envs: games that step together as one batch.
        num_workers: worker processes; with ``backend="threads"`` threads. None or 0: this process.
        envs_per_worker: games per worker, where that is easier to say than ``num_workers``.
        batch_size: rows per ``recv``, when smaller than all: the workers that are ready first answer,
            the others go on stepping. Faster where steps take unequal time, but two runs differ.
        backend: ``"serial"`` (this process), ``"threads"`` (native games only), ``"multiprocessing"``, or
            ``"auto"``: workers when ``num_workers``, ``envs_per_worker`` or ``batch_size`` asks for them; else this
            process, on threads where that was measured to be faster (``env.choice`` tells).
        env_kwargs: the environment's own parameters, e.g. ``frameskip=4``.

    Raises:
        UnknownEnv: no such name; the message says the nearest one.
        TypeError: the environment has no such parameter.
        ValueError: numbers that do not go together; the message says which do.
    """
    entry = spec(name)
    entry = replace(entry, kwargs={**entry.kwargs, **env_kwargs})
    return make_batch(entry, num_envs, num_workers, envs_per_worker, batch_size, backend)


def make_batch(
    entry: EnvSpec,
    num_envs: int,
    num_workers: int | None,
    envs_per_worker: int | None,
    batch_size: int | None,
    backend: str,
) -> PufferEnv:
    """``num_envs`` games of ``entry``: what :func:`make` and :func:`pufferbench.emulate` share."""
    if backend not in BACKENDS:
        raise ValueError(
            f"backend {backend!r} is none of {', '.join(BACKENDS)}{did_you_mean(str(backend), BACKENDS)}"
        )
    num_envs = check_count(num_envs, "num_envs")
    num_workers = check_count(num_workers, "num_workers") if num_workers else None
    envs_per_worker = None if envs_per_worker is None else check_count(envs_per_worker, "envs_per_worker")
    batch_size = None if batch_size is None else check_count(batch_size, "batch_size")
    asked: dict[str, Any] = {
        "num_workers": num_workers,
        "envs_per_worker": envs_per_worker,
        "batch_size": batch_size,
        "backend": None if backend == "auto" else backend,
    }
    asked = {option: value for option, value in asked.items() if value is not None}
    if backend == "multiprocessing" or (backend == "auto" and asked):
        env = _in_workers(entry, num_envs, num_workers, envs_per_worker, batch_size)
    else:
        impossible = asked.keys() - {"backend"} - ({"num_workers"} if backend == "threads" else set())
        if impossible:
            option = min(impossible)
            raise ValueError(
                f"backend={backend!r} has no workers, so it cannot have {option}={asked[option]}; "
                "leave it away, or use backend='multiprocessing'"
            )
        env = _in_this_process(entry, num_envs, num_workers, backend)
    if isinstance(env, VectorEnv):
        env.spec = replace(entry, kwargs={**entry.kwargs, "num_envs": num_envs, **asked})
    return env


def _in_this_process(entry: EnvSpec, num_envs: int, num_threads: int | None, backend: str) -> PufferEnv:
    if entry.holds_many:
        env = entry.make(num_envs=num_envs)
        if backend == "threads":
            return Threads(env, num_threads or cores())
        return _threads_if_faster(env) if backend == "auto" else env
    if backend == "threads":
        raise ValueError(
            f"{entry.id} runs in Python, which threads do not make faster: use backend='multiprocessing'"
        )
    return entry.make() if num_envs == 1 else Serial(entry.make, num_envs)


def _in_workers(
    entry: EnvSpec,
    num_envs: int,
    num_workers: int | None,
    envs_per_worker: int | None,
    batch_size: int | None,
) -> PufferEnv:
    from pufferbench.vector.multiprocessing import Multiprocessing

    # One native env per worker, and groups of which some are enough for a batch, must be of equal size.
    workers = _number_of_workers(
        num_envs, num_workers, envs_per_worker, equal=entry.holds_many or batch_size is not None
    )
    surplus = 0
    if batch_size is not None:
        with entry.make() as one:
            rows = one.num_agents // one.num_envs * num_envs
        surplus = _surplus_workers(batch_size, rows, workers)
    calls = workers if entry.holds_many else num_envs
    return Multiprocessing(
        partial(entry.make, num_envs=num_envs // workers) if entry.holds_many else entry.make,
        num_envs=calls,
        num_workers=workers,
        mode="async" if surplus else "sync",
        surplus_envs=calls // workers * surplus,
    )


def _number_of_workers(
    num_envs: int, num_workers: int | None, envs_per_worker: int | None, equal: bool
) -> int:
    """Worker processes, as asked for, or one per core. Raises ValueError for what cannot be."""
    if envs_per_worker is not None:
        wanted = num_workers or -(-num_envs // envs_per_worker)
        if wanted * envs_per_worker != num_envs:
            raise ValueError(
                f"num_envs={num_envs} is not {wanted} workers x envs_per_worker={envs_per_worker}: "
                f"make it {wanted * envs_per_worker}, or leave envs_per_worker away"
            )
        return wanted
    if num_workers is None:
        most = min(cores(), num_envs)
        return next(n for n in range(most, 0, -1) if not equal or num_envs % n == 0)
    if num_workers > num_envs:
        raise ValueError(f"num_workers={num_workers} is more than num_envs={num_envs}: some would have none")
    if equal and num_envs % num_workers:
        lower = num_envs // num_workers * num_workers
        raise ValueError(
            f"num_envs={num_envs} cannot be divided evenly over num_workers={num_workers}: "
            f"make it {lower} or {lower + num_workers}"
        )
    return num_workers


def _surplus_workers(batch_size: int, rows: int, workers: int) -> int:
    """How many of the workers, which have ``rows`` rows, a batch goes without. Raises ValueError."""
    per_worker = rows // workers
    if batch_size % per_worker or batch_size > rows:
        possible = ", ".join(str(per_worker * n) for n in range(1, workers + 1)[:8])
        raise ValueError(
            f"batch_size={batch_size} is not the rows of some of the {workers} workers, "
            f"which have {per_worker} each: choose one of {possible}"
        )
    return workers - batch_size // per_worker


# -- threads or not -----------------------------------------------------------------------------

MANY_ROWS = 1024  # fewer take less than a thread's waking even in slow games
LONG_STEP = 1e-4  # seconds of one batch, from which on threads may win
TRIALS, STEPS = 5, 4


def _threads_if_faster(env: Any) -> PufferEnv:
    """``env`` in :class:`Threads` when that steps it at least 1.1 times as fast, measured on a twin.

    Takes a few ms more than compiling the game, which is then done. It changes the speed only: the
    results are the same bits either way.
    """
    threads = min(cores(), env.num_envs)
    if env.num_agents < MANY_ROWS or threads < 2 or not hasattr(env, "step_rows"):
        return env
    twin = env.respawn(env.num_envs)
    with Threads(twin, threads) as split:
        split.reset(0)
        space = deepcopy(twin.action_space)  # a game's own may be shared by all its envs
        space.seed(0)
        samples = np.array([space.sample() for _ in range(64)])
        twin.actions[...] = np.resize(samples, twin.actions.shape)
        alone, together = _seconds(twin), float("inf")
        if alone >= LONG_STEP:
            for _ in range(TRIALS):  # in turn, so that a disturbance meets both
                together = min(together, _seconds(split))
                alone = min(alone, _seconds(twin))
    faster = together < alone / 1.1
    chosen: Any = Threads(env, threads) if faster else env
    measured = f"one thread {alone * 1e6:.0f} us per step of {env.num_agents} rows"
    if together < float("inf"):
        measured += f", {threads} threads {together * 1e6:.0f} us"
    chosen.choice = f"{'threads' if faster else 'serial'} ({measured})"
    return chosen


def _seconds(env: PufferEnv) -> float:
    """Wall time of a step, the shortest of a few."""
    shortest = float("inf")
    for _ in range(STEPS):
        start = time.perf_counter()
        env.step(env.actions)
        shortest = min(shortest, time.perf_counter() - start)
    return shortest
