"""What each switch of the trainer is worth: an environment's preset, trained as it is and with one switch at a time.

One training says little: scores of different seeds differ, often by more than a switch is worth. So every variant is
trained with the same seeds, and what counts is the difference to the plain training of the same seed, and how much
that scatters (Henderson et al., 2018, "Deep reinforcement learning that matters", https://arxiv.org/abs/1709.06560).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pufferbench.registry import spec

BASE = "as it is"
PUFFERL = {"advantage": "puff", "prioritize": True, "optimizer": "muon", "lr_schedule": "cosine"}
SWITCHES: dict[str, dict[str, Any]] = {
    "puff advantage": {"advantage": "puff"},
    "prioritised rows": {"prioritize": True},
    "Muon": {"optimizer": "muon"},
    "constant rate": {"lr_schedule": "constant"},
    "linear schedule": {"lr_schedule": "linear"},
    "cosine schedule": {"lr_schedule": "cosine"},
    "value clip": {"vf_clip_coef": 0.2},
    "target KL": {"target_kl": 0.02},
    "reward clip": {"reward_clip": 1.0},
    "the first three, cosine": PUFFERL,
}


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        score: mean of the last 100 episodes, at the end; NaN when none ended.
        on_the_way: mean of that over all updates: higher is earlier.
        seconds: wall time of the training, compilation of the game not included.
        steps_per_second: agent steps in that time.
        learner: what computed the gradients.
    """

    score: float
    on_the_way: float
    seconds: float
    steps_per_second: float
    learner: str


@dataclass(frozen=True)
class Variant:
    """A switch and its trainings, one for each seed.

    Attributes:
        options: what it changes in the preset.
        trials: in the order of the seeds.
    """

    name: str
    options: dict[str, Any]
    trials: list[Trial]

    def mean(self, what: str) -> float:
        """Mean over the seeds of an attribute of :class:`Trial`."""
        return float(np.mean([getattr(trial, what) for trial in self.trials]))

    def difference(self, base: Variant, what: str = "score") -> tuple[float, float]:
        """Mean over the seeds of what is gained over ``base``, and its standard error (NaN for one seed)."""
        pairs = zip(self.trials, base.trials, strict=True)
        gains = [getattr(mine, what) - getattr(other, what) for mine, other in pairs]
        error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
        return float(np.mean(gains)), error


def variants(env: str, names: Sequence[str] = (), **options: Any) -> dict[str, dict[str, Any]]:
    """The plain training first, then the switches (those of ``names``, or all) that change what ``env``'s preset does.

    Args:
        options: of :class:`pufferbench.TrainConfig`, for all of them.
    """
    preset = {**spec(env).preset().get("train", {}), **options}
    defaults = {"lr_schedule": "constant"}
    chosen = {name: SWITCHES[name] for name in names or SWITCHES}
    same = {
        name
        for name, changes in chosen.items()
        if all(preset.get(option, defaults.get(option)) == value for option, value in changes.items())
    }
    return {BASE: {}} | {name: changes for name, changes in chosen.items() if name not in same}


def ablate(
    env: str,
    switches: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    progress: Callable[[str, int], None] = lambda name, seed: None,
    **options: Any,
) -> list[Variant]:
    """Train every variant with every seed.

    Args:
        switches: of :func:`variants`, the plain training among them.
        progress: is told the variant and the seed before each training.
        options: of :class:`pufferbench.TrainConfig`, for all of them.
    """
    train(env, **{**options, "total_timesteps": 1})  # what is compiled is compiled before anything is timed
    trials: dict[str, list[Trial]] = {name: [] for name in switches}
    for (
        seed
    ) in seeds:  # all variants of a seed side by side in time: what else the machine does meets all alike
        for name, changes in switches.items():
            progress(name, seed)
            trials[name].append(train(env, **{**options, **changes, "seed": seed}))
    return [Variant(name, dict(changes), trials[name]) for name, changes in switches.items()]


def train(env: str, **options: Any) -> Trial:
    """One training of the preset, to its end."""
    from pufferbench.trainer import PuffeRL  # here: torch

    curve: list[float] = []
    with PuffeRL(env=env, **options) as trainer:
        began = time.perf_counter()
        for record in trainer.steps():
            metric = "score_100" if "score_100" in record else "episode_return_100"
            curve.append(float(record.get(metric, math.nan)))
        seconds = time.perf_counter() - began
        known = [score for score in curve if not math.isnan(score)]
        return Trial(
            score=curve[-1],
            on_the_way=float(np.mean(known)) if known else math.nan,
            seconds=seconds,
            steps_per_second=trainer.global_step / seconds,
            learner=trainer.learner.name,
        )
