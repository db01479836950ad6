"""What a handful of seeds can say: interquartile mean, bootstrap intervals, performance profiles.

Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice",
https://arxiv.org/abs/2108.13264. Scores come by task (an environment): ``{task: scores of its runs}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Scores = Mapping[str, Sequence[float] | np.ndarray]
REPETITIONS = 2000
CONFIDENCE = 0.95


def iqm(scores: np.ndarray | Sequence[float], axis: int = -1) -> np.ndarray:
    """Interquartile mean along ``axis``: the mean without the lowest and the highest quarter.

    Less at the mercy of one odd run than the mean, and surer with few runs than the median. Of each end
    ``n // 4`` scores are left out, so that fewer than four runs have their plain mean.
    """
    ordered = np.sort(np.asarray(scores, np.float64), axis=axis)
    count = ordered.shape[axis]
    if not count:
        raise ValueError("the interquartile mean needs at least one score")
    middle = np.arange(count // 4, count - count // 4)
    return ordered.take(middle, axis=axis).mean(axis=axis)


def bootstrap(
    scores: Scores,
    statistic: Callable[[np.ndarray], np.ndarray] = iqm,
    repetitions: int = REPETITIONS,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """A stratified bootstrap's percentile interval of ``statistic`` over all tasks: ``(low, high)``.

    Each repetition draws, for every task by itself, as many of its runs as there are, with replacement.

    Args:
        scores: by task. A task's scores may be ``[runs]`` or ``[runs, points]``: then every point has its interval.
        statistic: ``[..., runs of all tasks] -> [...]``.
        repetitions: how often to draw.
        confidence: the share of repetitions within the interval.
        seed: of the drawing: the same scores have the same interval.
    """
    generator = np.random.default_rng(seed)
    drawn = []
    for values in scores.values():
        runs = np.asarray(values, np.float64)
        draws = runs[generator.integers(len(runs), size=(repetitions, len(runs)))]
        drawn.append(np.moveaxis(draws, 1, -1))  # [repetitions, (points,) runs]
    found = statistic(np.concatenate(drawn, axis=-1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, [tail, 1 - tail], axis=0)
    return low, high


def performance_profile(scores: Scores, thresholds: np.ndarray | Sequence[float]) -> np.ndarray:
    """The share of runs that score more than each threshold, ``[thresholds]``; every task counts the same.

    A profile that lies above another one everywhere is better whatever one wants of a run.
    """
    limits = np.asarray(thresholds, np.float64)
    shares = [np.mean(np.asarray(values)[:, None] > limits, axis=0) for values in scores.values()]
    return np.mean(shares, axis=0)


def profile_band(scores: Scores, thresholds: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The bootstrap interval of the performance profile at each threshold: ``(low, high)``, ``[thresholds]`` each."""
    # As a run's weight within its task is 1 / runs, the mean over all runs would favour tasks with many
    weighted = {
        task: (np.asarray(values)[:, None] > thresholds) / len(values) for task, values in scores.items()
    }
    return bootstrap(weighted, lambda drawn: drawn.sum(axis=-1) / len(scores), repetitions=500, seed=seed)
