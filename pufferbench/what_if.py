"""Whole trainings as answers to a question: what if the learning rate were ten times as large?

Small environments train to the end in milliseconds here. So a hyperparameter can be *moved*, and the learning curves of
several seeds follow. :class:`QuickTraining` trains one environment with any options; :class:`Answers` does so in
threads, always for the newest question, and fills in a :class:`HeatMap` over two options meanwhile.

Everything is computed by :class:`pufferbench.PuffeRL`; nothing is kept on the disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pufferbench import policies, registry
from pufferbench.config import ConfigError, Option, TrainConfig, describe
from pufferbench.env import PufferEnv
from pufferbench.errors import did_you_mean
from pufferbench.system import cores
from pufferbench.trainer import NonFiniteLoss, PuffeRL
from pufferbench.vector.make import make

POINTS = 60  # of a curve, at most
LAST = 0.25  # the last part of a curve, whose mean is the final score
SIZES = {
    name: Option(name, int, default, doc, low=1, choices=choices)
    for name, default, doc, choices in (
        ("num_envs", 8, "Games side by side: more of them say more per update, and there are fewer updates.",
         (1, 2, 4, 8, 16, 32, 64)),
        ("bptt_horizon", 64, describe(TrainConfig)["bptt_horizon"].doc, (8, 16, 32, 64, 128, 256)),
        ("minibatch_size", 64, "Steps per gradient step: small ones make many noisy steps, large ones few good ones.",
         (16, 32, 64, 128, 256, 512, 1024)),
        ("hidden_size", 64, "Width of the network's hidden layer.", (2, 4, 8, 16, 32, 64, 128)),
    )
}  # fmt: skip
# Settings for a training of milliseconds; the section [solve] of an environment's preset may say better
USUAL: dict[str, Any] = {
    **{name: size.default for name, size in SIZES.items()},
    "total_timesteps": 30_000,
    "learning_rate": 5e-3,
    "lr_schedule": "linear",
    "gamma": 0.98,
    "ent_coef": 0.01,
    "torch_threads": 1,  # each training has a thread of its own already
}


class QuickTraining:
    """Trains one environment to the end, again and again, with whatever options are asked for.

    Args:
        env: name of a registered environment that can hold any number of games (the Ocean ones can).
        settings: options of :class:`pufferbench.TrainConfig` and of :data:`SIZES` that go over the preset's.

    Attributes:
        settings: the options as long as nothing else is asked for.

    Raises:
        ConfigError: an option is unknown or impossible.
    """

    def __init__(self, env: str, **settings: Any) -> None:
        self.spec = registry.spec(env)
        solve = self.spec.preset().get("solve", {})
        self.settings = USUAL | {**solve.get("env", {}), **solve.get("policy", {}), **solve.get("train", {})}
        self.settings |= {"total_timesteps": USUAL["total_timesteps"]} | self.checked(settings)
        self._local = threading.local()  # an env must not be stepped by two threads

    def options(self) -> dict[str, Option]:
        """What can be asked for: the options that are safe to turn and do something, and the sizes."""
        config = TrainConfig(**{k: v for k, v in self.settings.items() if k in describe(TrainConfig)})
        live = {
            name: about
            for name, about in describe(TrainConfig).items()
            if about.live and about.matters(config)
        }
        return live | SIZES

    def checked(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """``changes`` as the options' types. Raises :class:`ConfigError`."""
        known = describe(TrainConfig) | SIZES
        checked = {}
        for name, value in changes.items():
            if name not in known:
                raise ConfigError(
                    f"unknown option {name!r}{did_you_mean(name, known)} (all of them: {', '.join(known)})"
                )
            checked[name] = known[name].check(value)
        return checked

    def trainer(self, seed: int = 0, **changes: Any) -> PuffeRL:
        """A trainer with these options that has not begun."""
        settings = self.settings | self.checked(changes)
        num_envs, hidden_size = settings.pop("num_envs"), settings.pop("hidden_size")
        batch = num_envs * settings["bptt_horizon"]
        size = min(settings.pop("minibatch_size"), batch)
        env = self._env(num_envs)
        preset = self.spec.preset().get("policy", {}) | {"hidden_size": hidden_size}
        policy = policies.from_preset(None, preset, env, seed)
        return PuffeRL(env=env, policy=policy, seed=seed, minibatch_size=size, **settings)

    def curve(self, seed: int = 0, go_on: Callable[[], bool] = lambda: True, **changes: Any) -> Curve | None:
        """Train to the end. None if ``go_on()``, asked after each update, said no."""
        began = time.perf_counter()
        trainer = self.trainer(seed, **changes)
        steps, returns, episodes, failure = [], [], [], ""
        try:
            for record in trainer.steps():
                if record["episodes"]:
                    steps.append(record["global_step"])
                    returns.append(record["episode_return"])
                    episodes.append(record["episodes"])
                if not go_on():
                    return None
        except NonFiniteLoss as error:  # an answer too: with these options it breaks
            failure = str(error)
        grid = np.linspace(0, trainer.total_timesteps, POINTS + 1)[1:]
        values = in_bins(grid, np.array(steps), np.array(returns), np.array(episodes))
        return Curve(grid, values, time.perf_counter() - began, failure)

    def _env(self, num_envs: int) -> PufferEnv:
        envs: dict[Any, PufferEnv] = self._local.__dict__
        if num_envs not in envs:
            envs[num_envs] = make(self.spec.id, **{**self.spec.preset().get("env", {}), "num_envs": num_envs})
        return envs[num_envs]


def in_bins(grid: np.ndarray, steps: np.ndarray, returns: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """Mean return of the episodes that ended in each bin.

    Args:
        grid: ``[points]``, where each bin ends, ascending.
        steps, returns, episodes: ``[updates]``: where updates ended, and mean return and number of their episodes.

    Returns:
        ``[points]``. A bin without episodes has the value of the one before; if there is none, of the first with some.
        All NaN when no episode ever ended.
    """
    place = np.minimum(np.searchsorted(grid, steps), len(grid) - 1)
    total, count = np.zeros(len(grid)), np.zeros(len(grid))
    np.add.at(total, place, returns * episodes)
    np.add.at(count, place, episodes)
    known = np.flatnonzero(count)
    if not len(known):
        return np.full(len(grid), np.nan)
    before = np.maximum(np.searchsorted(known, np.arange(len(grid)), side="right") - 1, 0)
    return (total[known] / count[known])[before]


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        steps: ``[points]`` environment steps.
        returns: ``[points]`` mean return of the episodes that ended around there.
        seconds: that it took.
        failure: why it ended early; "" if it did not.
    """

    steps: np.ndarray
    returns: np.ndarray
    seconds: float
    failure: str = ""

    @property
    def final(self) -> float:
        """Mean of the last quarter: one number for the whole training."""
        return float(self.returns[-round(LAST * len(self.returns)) :].mean())


@dataclass(frozen=True)
class Answer:
    """The curves of one setting, one for each seed so far.

    Attributes:
        changes: what was asked for.
        curves: at least one.
        complete: whether all seeds are there.
    """

    changes: dict[str, Any]
    curves: tuple[Curve, ...]
    complete: bool

    @property
    def steps(self) -> np.ndarray:
        return self.curves[0].steps

    @property
    def returns(self) -> np.ndarray:
        """``[seeds, points]``."""
        return np.stack([curve.returns for curve in self.curves])

    @property
    def mean(self) -> np.ndarray:
        """``[points]``, over the seeds."""
        return self.returns.mean(0)

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """``[points]`` twice: the worst and the best seed everywhere."""
        return self.returns.min(0), self.returns.max(0)

    @property
    def final(self) -> float:
        """The final score, mean over the seeds."""
        return float(np.mean([curve.final for curve in self.curves]))

    @property
    def failures(self) -> list[str]:
        return [curve.failure for curve in self.curves if curve.failure]


class HeatMap:
    """Final scores over two options, filled in little by little: coarse places first, then a second seed.

    Args:
        x, y: names of the options, and their values.
        seeds: trainings of each cell.

    Attributes:
        scores: ``[y, x]`` means of what is there; NaN where nothing is.
    """

    def __init__(self, x: tuple[str, list[Any]], y: tuple[str, list[Any]], seeds: int = 2) -> None:
        if x[0] == y[0]:
            raise ValueError(f"a heat map needs two different options, not {x[0]!r} twice")
        self.x, self.y = x, y
        self._found: dict[tuple[int, int], list[float]] = {}
        rows, columns = range(len(y[1])), range(len(x[1]))
        order = [(i, j) for stride in (4, 2, 1) for i in rows[::stride] for j in columns[::stride]]
        order = list(dict.fromkeys(order))
        self._open = [(i, j, seed) for seed in range(seeds) for i, j in order]
        self.total = len(self._open)

    @property
    def scores(self) -> np.ndarray:
        scores = np.full((len(self.y[1]), len(self.x[1])), np.nan)
        for place, found in list(self._found.items()):
            scores[place] = np.mean(found)
        return scores

    @property
    def done(self) -> int:
        """Trainings so far, of ``total``."""
        return sum(map(len, list(self._found.values())))

    def changes(self, i: int, j: int) -> dict[str, Any]:
        """The options of cell ``[i, j]``."""
        return {self.x[0]: self.x[1][j], self.y[0]: self.y[1][i]}

    def take(self) -> tuple[int, int, int] | None:
        """The next ``(i, j, seed)`` to train; None when there is nothing left."""
        return self._open.pop(0) if self._open else None

    def put_back(self, job: tuple[int, int, int]) -> None:
        """It was not finished."""
        self._open.insert(0, job)

    def add(self, i: int, j: int, score: float) -> None:
        self._found.setdefault((i, j), []).append(score)


class Answers:
    """Trains in background threads: for the newest question first, then for a heat map.

    The first seeds of a question, one per thread, are always trained to their end: while a slider is dragged, curves
    keep coming. The other seeds, and cells of the heat map, are left as soon as there is a newer question.

    Args:
        training: what is trained.
        seeds: trainings of each question.
        on_answer: called with an :class:`Answer` whenever there is more of it, in a thread.
        on_heat: called when the heat map has another cell, in a thread.
        threads: None: one per core, at most as many as seeds.

    Attributes:
        trained: complete trainings so far.
        error: what ended a training against expectation, in words; "" if nothing did.
    """

    def __init__(
        self,
        training: QuickTraining,
        seeds: int = 8,
        on_answer: Callable[[Answer], None] = lambda answer: None,
        on_heat: Callable[[], None] = lambda: None,
        threads: int | None = None,
    ) -> None:
        if seeds < 1:
            raise ValueError(f"seeds must be at least 1, not {seeds}")
        self.training, self.seeds = training, seeds
        self._on_answer, self._on_heat = on_answer, on_heat
        self._first = min(cores() if threads is None else threads, seeds)
        self.trained, self.error = 0, ""
        self._state = threading.Condition()
        self._question: dict[str, Any] = {}
        self._number = 0  # of the question; 0: none yet
        self._next_seed = 0
        self._curves: dict[int, Curve] = {}  # of this question, by seed
        self._heat: HeatMap | None = None
        self._heat_base: dict[str, Any] = {}
        self._closed = False
        self._busy = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"pufferbench-what-if-{n}", daemon=True)
            for n in range(self._first)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, **changes: Any) -> None:
        """The newest question. Raises :class:`ConfigError` at once where it is impossible."""
        checked = self.training.checked(changes)
        with self._state:
            self._question, self._number = checked, self._number + 1
            self._next_seed, self._curves, self.error = 0, {}, ""
            self._state.notify_all()

    def fill(self, heat: HeatMap | None, **base: Any) -> None:
        """Fill ``heat`` whenever there is nothing else to do, with the other options as in ``base``; None: stop."""
        with self._state:
            self._heat, self._heat_base = heat, base
            self._state.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the question and the heat map are done. Returns whether they are."""
        with self._state:
            return self._state.wait_for(lambda: self._closed or (not self._busy and self._idle()), timeout)

    def close(self) -> None:
        """End the threads; each leaves its training after the present update."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5)

    # -- in the threads -------------------------------------------------------------------------

    def _idle(self) -> bool:
        asked = self._number and self._next_seed < self.seeds
        return not asked and (self._heat is None or self._heat.done == self._heat.total)

    def _work(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closed or self._has_job())
                if self._closed:
                    return
                job = self._take()
                self._busy += 1
            try:
                job()
            except Exception as error:  # shown in the widget: nobody sees a thread's stderr
                self.error = f"{type(error).__name__}: {error}"
                self._give_up()
            finally:
                with self._state:
                    self._busy -= 1
                    self._state.notify_all()

    def _has_job(self) -> bool:
        asked = self._number > 0 and self._next_seed < self.seeds
        return asked or (self._heat is not None and bool(self._heat._open))

    def _take(self) -> Callable[[], None]:
        number = self._number
        if number and self._next_seed < self.seeds:
            seed, self._next_seed = self._next_seed, self._next_seed + 1
            question = dict(self._question)
            return lambda: self._answer(number, seed, question)
        heat, base = self._heat, self._heat_base
        assert heat is not None
        place = heat.take()
        assert place is not None
        return lambda: self._cell(number, heat, place, base)

    def _answer(self, number: int, seed: int, question: dict[str, Any]) -> None:
        def go_on() -> bool:
            return not self._closed and (seed < self._first or number == self._number)

        curve = self.training.curve(seed, go_on, **question)
        if curve is None:
            return
        with self._state:
            self.trained += 1
            if number == self._number:
                self._curves[seed] = curve
                curves = tuple(self._curves[seed] for seed in sorted(self._curves))
            elif seed == 0:  # overtaken by a newer question, but the best there is at the moment
                curves = (curve,)
            else:
                return
            answer = Answer(question, curves, number == self._number and len(curves) == self.seeds)
        self._on_answer(answer)

    def _cell(self, number: int, heat: HeatMap, place: tuple[int, int, int], base: dict[str, Any]) -> None:
        i, j, seed = place
        changes = base | heat.changes(i, j)
        curve = self.training.curve(
            seed, lambda: not self._closed and number == self._number and heat is self._heat, **changes
        )
        with self._state:
            if curve is None:
                heat.put_back(place)
                return
            self.trained += 1
            heat.add(i, j, curve.final)
        self._on_heat()

    def _give_up(self) -> None:
        """After an unexpected error: what is left of this question would end in the same way."""
        with self._state:
            self._next_seed, self._heat = self.seeds, None


def values_of(option: Option, low: float, high: float, count: int) -> list[Any]:
    """``count`` values from ``low`` to ``high`` for an axis: the choices, whole numbers, or evenly (log) spaced."""
    if option.choices:
        return [choice for choice in option.choices if low <= choice <= high]
    if option.type is int:
        return sorted({round(value) for value in np.linspace(low, high, count)})
    spaced = np.geomspace(low, high, count) if option.log else np.linspace(low, high, count)
    return [float(f"{value:.3g}") for value in spaced]
