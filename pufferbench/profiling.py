"""Where the microseconds go: of an environment's step, and of a trainer's update.

A trainer is measured twice. First as it is, with a clock, which gives steps per second and the shares of playing and
learning. Then for a few updates with a stopwatch around each function of :data:`POINTS`, which splits those shares; the
fast ways that do several things in one compiled call are taken apart for that. The split is scaled to the first
measurement, so that the parts add up to what training really takes.

An environment is measured with a clock, and its time split by Python's profiler: by the module in which it is spent.
"""

from __future__ import annotations

import cProfile
import functools
import pstats
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Part:
    """One piece of the time.

    Attributes:
        name: what is done.
        seconds: per step of one agent.
        colour: of the picture, one of :data:`pufferbench.widgets.curves.COLOURS`.
        help: a sentence.
    """

    name: str
    seconds: float
    colour: str
    help: str


@dataclass(frozen=True)
class Limit:
    """What the machine could do at best.

    Attributes:
        name: what it is a limit of.
        seconds: per step of one agent, for the same work.
        help: how it was found.
    """

    name: str
    seconds: float
    help: str


@dataclass(frozen=True)
class Profile:
    """Where the time goes.

    Attributes:
        title: what was measured.
        parts: of a step, in the order in which they happen.
        limits: to compare with.
        note: what a reader must know.
    """

    title: str
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...] = ()
    note: str = ""

    @property
    def seconds(self) -> float:
        """Per step of one agent, all parts."""
        return sum(part.seconds for part in self.parts)

    @property
    def per_second(self) -> float:
        """Agent steps per second."""
        return 1 / self.seconds

    def share(self, name: str) -> float:
        """Of the part called ``name``, 0 to 1."""
        return sum(part.seconds for part in self.parts if part.name == name) / self.seconds

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.per_second:,.0f} agent steps/s, {1e9 * self.seconds:,.1f} ns each"]
        for part in self.parts:
            lines.append(
                f"  {part.name:<14}{1e9 * part.seconds:>12,.1f} ns  {part.seconds / self.seconds:>4.0%}"
            )
        for limit in self.limits:
            lines.append(f"  limit: {limit.name}, {1e9 * limit.seconds:,.1f} ns")
        return "\n".join([*lines, *([self.note] if self.note else [])])


# -- a stopwatch around functions ---------------------------------------------------------------


class Nested:
    """Exclusive times: while an inner part runs, the outer one stands still.

    Attributes:
        seconds: by part; "" is what was outside of all.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open = [""]
        self._last = time.perf_counter()

    def lap(self) -> None:
        """Book the time since the last lap under the part that is open."""
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._last
        self._last = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self.lap()
        self._open.append(name)
        try:
            yield
        finally:
            self.lap()
            self._open.pop()

    def around(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """``function``, its time booked under ``name``."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return timed


@contextmanager
def wrapped(watch: Nested, points: Sequence[tuple[Any, str, str]]) -> Iterator[None]:
    """For a while, time ``getattr(owner, attribute)`` of each ``(owner, attribute, part)``; then all is as before."""
    with ExitStack() as stack:
        for owner, attribute, name in points:
            own = attribute in vars(owner)  # else it is inherited, and has only to be taken away again
            before = vars(owner).get(attribute)
            setattr(owner, attribute, watch.around(getattr(owner, attribute), name))
            stack.callback(functools.partial(setattr, owner, attribute, before) if own else
                           functools.partial(delattr, owner, attribute))  # fmt: skip
        yield


# -- a trainer ----------------------------------------------------------------------------------

# part -> colour, explanation; in the order in which they happen
TRAINING = {
    "environment": ("green", "stepping the games, or waiting for the workers that do"),
    "copy": ("sky", "observations, actions and results into the rollout"),
    "policy": ("blue", "the network forward, and drawing actions"),
    "advantages": ("purple", "what each action brought: one sweep from the rollout's end to its start"),
    "forward": ("blue", "the network forward again, on minibatches"),
    "loss": ("orange", "PPO's loss"),
    "backward": ("red", "its gradients"),
    "optimizer": ("orange", "the step: gradients' norm, Adam or Muon"),
    "other": ("grey", "shuffling, statistics, records, snapshots, panels"),
    "idle": ("grey", "the processor did something else: another program's turn, or waiting"),
}
TRAINING_PLAYS = ("environment", "copy", "policy")
TRAINING_LEARNS = ("advantages", "forward", "loss", "backward", "optimizer")


def profile_trainer(trainer: Any, updates: int = 4) -> Profile:
    """Train ``trainer`` for about ``2 x updates`` more updates, and say where the time went.

    Raises:
        ValueError: its training is finished, or ``updates`` is less than 1.
    """
    from pufferbench.bench_train import flops_per_step, matmul_speed
    from pufferbench.fused import Fused

    if updates < 1:
        raise ValueError(f"updates must be at least 1, not {updates}")
    if trainer.global_step >= trainer.total_timesteps:
        raise ValueError("this training is finished: make a trainer with a larger total_timesteps to profile")
    _update(trainer, Nested())  # compiles, and fills the caches
    plain = _medians(trainer, updates)
    with one_by_one(trainer):
        found = _medians(trainer, updates, points(trainer))
    if isinstance(trainer.learner, Fused):
        share = forward_share(trainer)
        found["forward"], found["backward"] = share * found["backward"], (1 - share) * found["backward"]
    steps = trainer.rollout.size
    wall = sum(plain[name] for name in ("playing", "learning", "other"))
    # With several threads or workers the processor's time is more than the clock's: then nothing is known to be idle
    busy = min(1.0, plain["cpu"] / wall)
    seconds = {"other": plain["other"], "idle": 0.0}
    for phase, names in (("playing", TRAINING_PLAYS), ("learning", TRAINING_LEARNS)):
        scale = plain[phase] / (found[phase] + sum(found[name] for name in names))
        seconds |= {name: scale * found[name] for name in names}
        seconds["other"] += scale * found[phase]
    parts = {name: busy * seconds[name] / steps for name in TRAINING}
    parts["idle"] = (1 - busy) * wall / steps
    threads = trainer.learner.threads
    flops = flops_per_step(trainer.policy, trainer.env.observations, trainer.config.update_epochs)
    limits = []
    if trainer.device.type == "cpu":
        rate = matmul_speed(threads, trainer.config.precision)
        limits.append(
            Limit(
                "arithmetic",
                flops / rate,
                f"the network's matrix products alone: {flops:,.0f} floating-point operations per step at the "
                f"{rate / 1e9:.0f} GFLOP/s that torch's products reach here in {threads} thread{'s' * (threads > 1)}",
            )
        )
    name = getattr(trainer.env.spec, "id", None) or type(trainer.env).__name__
    return Profile(
        f"Training {name}, {trainer.learner.name} learner",
        tuple(Part(name, parts[name], *TRAINING[name]) for name in TRAINING if parts[name] > 0),
        tuple(limits),
        "Taken apart step by step, and scaled to the time that training takes as it is.",
    )


def _update(trainer: Any, watch: Nested) -> None:
    cpu = time.process_time()
    with watch.part("playing"):
        trainer.evaluate()
    with watch.part("learning"):
        trainer.train()
    with watch.part("other"):
        trainer.mean_and_log()
    watch.seconds["cpu"] = time.process_time() - cpu


def _medians(trainer: Any, updates: int, points: Sequence[tuple[Any, str, str]] = ()) -> dict[str, float]:
    """Seconds per update of each part: medians, for another program may take a turn in the middle of one."""
    watches = []
    for _ in range(updates):
        watches.append(Nested())
        with wrapped(watches[-1], points):
            _update(trainer, watches[-1])
    names = {name for watch in watches for name in watch.seconds}
    return defaultdict(float, {name: float(np.median([w.seconds[name] for w in watches])) for name in names})


def points(trainer: Any) -> list[tuple[Any, str, str]]:
    """Which functions are what part, for :func:`wrapped`."""
    import torch

    from pufferbench import fused, learner

    stepping = ("step", "send_part", "recv_part")
    found: list[tuple[Any, str, str]] = [
        *((trainer.env, name, "environment") for name in stepping if hasattr(trainer.env, name)),
        *((trainer.rollout, name, "copy") for name in ("see", "act", "receive")),
        *((trainer.learner, name, "policy") for name in ("act", "values")),
        (trainer, "_batch", "advantages"),
        (trainer.optimizer, "step", "optimizer"),
        (torch.nn.utils, "clip_grad_norm_", "optimizer"),
    ]
    if isinstance(trainer.learner, fused.Fused):
        # The loss is in it too, chunk by chunk; how much of it is forward, forward_share() says
        return [*found, (trainer.learner, "gradients", "backward")]
    return [
        *found,
        (trainer.learner, "gradients", "other"),
        (trainer.learner, "again", "forward"),
        (learner, "ppo_loss", "loss"),
        (torch.autograd, "grad", "backward"),
    ]


@contextmanager
def one_by_one(trainer: Any) -> Iterator[None]:
    """For a while, without the fast ways that do several things in one call."""
    player, trainer._player = trainer._player, None
    trainer.learner.epoch = lambda *args: None
    try:
        yield
    finally:
        trainer._player = player
        del trainer.learner.epoch


def forward_share(trainer: Any, rounds: int = 5) -> float:
    """Which part of the fused learner's gradients is the forward pass: both are timed on the trainer's last rollout."""
    from pufferbench.kernels import Objective
    from pufferbench.learner import minibatches

    trainer.evaluate()
    batch, _ = trainer._batch()
    config, learner = trainer.config, trainer.learner
    index = minibatches(batch, config.minibatch_size, trainer.generator)[0]
    objective = Objective(config.clip_coef, config.vf_coef, config.ent_coef, config.normalize_advantages)
    best = {"forward": float("inf"), "all": float("inf")}
    for _ in range(rounds):
        began = time.perf_counter()
        learner.logprobs(batch, index)
        middle = time.perf_counter()
        learner.gradients(batch, index, objective)
        best["forward"] = min(best["forward"], middle - began)
        best["all"] = min(best["all"], time.perf_counter() - middle)
    return min(1.0, best["forward"] / best["all"])


# -- an environment -----------------------------------------------------------------------------


def profile_env(env: Any, seconds: float = 1.0) -> Profile:
    """Step ``env`` with random actions for about ``seconds``, and say where the time goes.

    Args:
        env: a PufferEnv, alone or a batch (see :func:`pufferbench.make`).
    """
    from pufferbench.bench import action_sets, bytes_per_step

    actions = action_sets(env)
    env.reset(seed=0)
    per_call = _time_steps(env, actions, seconds / 2)
    calls = max(2, int(seconds / 4 / per_call))
    profiler = cProfile.Profile()
    profiler.enable()
    for call in range(calls):
        env.step(actions[call % len(actions)])
    profiler.disable()
    found: dict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, own, _, callers) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        if file == "~" and not _waits(name):  # built in, compiled included: it works for whoever calls it
            for (caller, _, _), (_, _, part, _) in callers.items():
                found[_whose(caller)] += part
        else:
            found["waiting" if _waits(name) else _whose(file)] += own
    total, agents = sum(found.values()), env.num_agents
    parts = tuple(
        Part(name, per_call * found[name] / total / agents, *ENVIRONMENT[name])
        for name in ENVIRONMENT
        if found[name] > 0
    )
    moved = bytes_per_step(env)
    rate = memory_speed()
    limit = Limit(
        "memory",
        moved / rate,
        f"a step of an agent reads and writes about {moved:,.0f} bytes, and memory gives {rate / 1e9:.0f} GB/s here",
    )
    name = getattr(env.spec, "id", None) or type(env).__name__
    return Profile(
        f"Stepping {name}, {agents:,} agents",
        parts,
        (limit,),
        "The sum is measured with a clock; its parts by Python's profiler, which makes many small calls look larger.",
    )


# part -> colour, explanation
ENVIRONMENT = {
    "game": ("green", "the game's own code: compiled, or Python"),
    "libraries": ("sky", "numpy's own Python, called from anywhere"),
    "emulation": ("purple", "from the environment's own form into flat arrays"),
    "wrappers": ("orange", "frame stacks, normalisers and the like"),
    "vectorizer": ("blue", "from one environment to many"),
    "waiting": ("grey", "for worker processes"),
}


def _waits(name: str) -> bool:
    return "sched_yield" in name or "sleep" in name


def _whose(file: str) -> str:
    """The part that a function of this file belongs to."""
    place = file.replace("\\", "/")
    for folder, part in (
        ("/emulation/", "emulation"),
        ("/wrappers/", "wrappers"),
        ("/vector/", "vectorizer"),
    ):
        if f"/pufferbench{folder}" in place:
            return part
    return "libraries" if "/numpy/" in place else "game"


def _time_steps(env: Any, actions: Sequence[np.ndarray], seconds: float) -> float:
    """Seconds per call: the best of five rounds, since noise only ever slows."""
    best, calls = float("inf"), 1
    for _ in range(5):
        while True:
            began = time.perf_counter()
            for call in range(calls):
                env.step(actions[call % len(actions)])
            took = time.perf_counter() - began
            if took > seconds / 10:
                break
            calls *= 2
        best = min(best, took / calls)
    return best


def memory_speed(size: int = 64_000_000) -> float:
    """Bytes per second that are read and written when a large array is copied."""
    here, there = np.ones(size, np.uint8), np.empty(size, np.uint8)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        np.copyto(there, here)
        best = min(best, time.perf_counter() - began)
    return 2 * size / best
