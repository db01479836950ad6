"""Generalised advantage estimates taken apart, by the kernel that the trainer uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pufferbench.kernels import advantages

ENDS = ("nothing", "terminal", "truncation")


@dataclass(frozen=True)
class Episode:
    """Steps of one row, and what the kernel makes of them.

    Attributes:
        rewards: ``[T]``.
        values: of the observations before each step and after the last, ``[T + 1]``.
        deltas: each step's own surprise, ``r + gamma V' - V``, ``[T]``.
        advantages: ``[T]``.
    """

    rewards: np.ndarray
    values: np.ndarray
    deltas: np.ndarray
    advantages: np.ndarray


def estimate(
    rewards: np.ndarray,
    values: np.ndarray,
    gamma: float,
    gae_lambda: float,
    end: str = "nothing",
    at: int = 0,
    final_value: float = 0.0,
) -> np.ndarray:
    """Advantages ``[T, rows]`` by :func:`pufferbench.kernels.advantages`.

    Args:
        rewards, values: ``[T, rows]`` and ``[T + 1, rows]``.
        end: what happens with step ``at``: ``"nothing"``, ``"terminal"`` or ``"truncation"``.
        final_value: what the value function says of the observation before the reset, read at a truncation.

    Raises:
        ValueError: another word for the end, or no such step.
    """
    if end not in ENDS:
        raise ValueError(f"end must be one of {', '.join(ENDS)}, not {end!r}")
    if not 0 <= at < len(rewards):
        raise ValueError(f"the end must come with one of the steps 0 .. {len(rewards) - 1}, not {at!r}")
    shape = rewards.shape
    flags = {name: torch.zeros(shape, dtype=torch.bool) for name in ("terminal", "truncation")}
    if end != "nothing":
        flags[end][at] = True
    return advantages(
        torch.from_numpy(np.float32(rewards)),
        torch.from_numpy(np.float32(values)),
        flags["terminal"],
        flags["truncation"],
        torch.full(shape, final_value),
        torch.ones(len(values), shape[1], dtype=torch.bool),
        gamma,
        gae_lambda,
    )[0].numpy()


def episode(
    rewards: np.ndarray,
    values: np.ndarray,
    gamma: float,
    gae_lambda: float,
    end: str = "nothing",
    at: int = 0,
    final_value: float = 0.0,
) -> Episode:
    """One row, see :func:`estimate`. The deltas are the advantages for ``gae_lambda = 0``."""
    columns = rewards[:, None], values[:, None]
    deltas, sums = (estimate(*columns, gamma, lam, end, at, final_value)[:, 0] for lam in (0.0, gae_lambda))
    return Episode(rewards, values, deltas, sums)


def weights(
    gamma: float, gae_lambda: float, steps: int = 16, end: str = "nothing", at: int = 0
) -> np.ndarray:
    """How much each step's delta counts in the advantage of step 0, ``[steps]``.

    The kernel is asked: row k has a reward of 1 at step k and nothing else, so that its first advantage is the weight.
    """
    return estimate(np.eye(steps), np.zeros((steps + 1, steps)), gamma, gae_lambda, end, at)[0]


@dataclass(frozen=True)
class Tradeoff:
    """How good the estimate of a return is, by lambda.

    Attributes:
        lambdas: ``[n]``.
        bias: of the mean estimate from the truth, ``[n]``.
        deviation: standard deviation of the estimates, ``[n]``.
        error: root of the mean squared error, ``[n]``.
    """

    lambdas: np.ndarray
    bias: np.ndarray
    deviation: np.ndarray
    error: np.ndarray


def tradeoff(
    gamma: float,
    value_error: float,
    noise: float = 1.0,
    horizon: int = 24,
    episodes: int = 2000,
    seed: int = 0,
) -> Tradeoff:
    """Bias and variance of ``advantage + value``, an estimate of the return from step 0, by simulation.

    Episodes of ``horizon`` steps pay 1 per step plus noise; the value function is off by ``value_error`` everywhere.
    With lambda 0 the estimate trusts it, with 1 it waits for the rewards, noise and all.
    """
    rng = np.random.default_rng(seed)
    rewards = 1 + noise * rng.standard_normal((horizon, episodes))
    left = np.arange(horizon, -1, -1)
    true = left.astype(float) if gamma == 1 else (1 - gamma**left) / (1 - gamma)
    values = np.repeat((true + value_error)[:, None], episodes, axis=1)
    lambdas = np.linspace(0, 1, 21)
    found = np.stack(
        [
            estimate(rewards, values, gamma, lam, "terminal", horizon - 1)[0] + values[0] - true[0]
            for lam in lambdas
        ]
    )
    bias, deviation = found.mean(axis=1), found.std(axis=1)
    return Tradeoff(lambdas, bias, deviation, np.sqrt(bias**2 + deviation**2))
