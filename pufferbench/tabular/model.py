"""The rules of a small world as arrays, and what follows from them exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocean_numba.tabular import Tables, action_values
from pufferbench.errors import PufferBenchError

LEFT, DOWN, RIGHT, UP = 0, 1, 2, 3
ACTIONS = ("left", "down", "right", "up")


class NeverEnds(PufferBenchError, ValueError):
    """A value is infinite, because with a discount of 1 something goes on for ever."""


@dataclass(frozen=True)
class Model:
    """All rules of a world with few states, a Markov decision process.

    Attributes:
        tables: ``transitions`` and ``rewards``, ``[states, actions, states]`` each, and ``terminals [states]``.
        starts: numbers of the states in which an episode may begin, all equally likely.
        gamma: discount, 0 .. 1.
        names: what to call each state.
    """

    tables: Tables
    starts: np.ndarray
    gamma: float
    names: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """How many states and actions there are."""
        return self.tables.transitions.shape[:2]

    @property
    def decisions(self) -> np.ndarray:
        """Numbers of the states in which there is something to win or lose: no ends, no walls."""
        states = np.arange(len(self.tables.terminals))
        stays = (self.tables.transitions[states, :, states] == 1.0).all(axis=1)
        worthless = (self.tables.rewards[states, :, states] == 0.0).all(axis=1)
        return np.flatnonzero(~(stays & worthless) & ~self.tables.terminals)

    def action_values(self, values: np.ndarray) -> np.ndarray:
        """``q [states, actions]``: what an action brings when ``values [states]`` follow it (Bellman)."""
        return action_values(self.tables, values, self.gamma)


def greedy(q: np.ndarray) -> np.ndarray:
    """The policy ``[states, actions]`` that takes the best action; equally good ones share the probability."""
    best = q >= q.max(axis=1, keepdims=True) - 1e-9 * (1 + np.abs(q).max())
    return best / best.sum(axis=1, keepdims=True)


def policy_values(model: Model, policy: np.ndarray) -> np.ndarray:
    """Each state's value ``[states]`` when ``policy [states, actions]`` acts: the solution of Bellman's equations.

    Raises:
        NeverEnds: with a discount of 1 this policy may never come to an end.
    """
    decide, tables = model.decisions, model.tables
    step = np.einsum("sa,sat->st", policy, tables.transitions)[np.ix_(decide, decide)]
    reward = np.einsum("sa,sat,sat->s", policy, tables.transitions, tables.rewards)[decide]
    system = np.eye(len(decide)) - model.gamma * step
    if len(decide) and np.linalg.cond(system) > 1e12:
        raise NeverEnds("with gamma = 1 this policy never comes to an end: its values are not finite")
    values = np.zeros(len(tables.terminals))
    values[decide] = np.linalg.solve(system, reward)
    return values


def optimal_values(model: Model, tolerance: float = 1e-10, most: int = 20_000) -> np.ndarray:
    """Each state's value ``[states]`` under the best policy, by value iteration.

    Raises:
        NeverEnds: the values still grow after ``most`` sweeps.
    """
    values = np.zeros(len(model.tables.terminals))
    for _ in range(most):
        improved = np.where(model.tables.terminals, 0.0, model.action_values(values).max(axis=1))
        change, values = np.abs(improved - values).max(), improved
        if change <= tolerance:
            return values
    raise NeverEnds(
        f"the values still change by {change:.2g} after {most:,} sweeps: is an end within reach of every cell? "
        "With a discount under 1 they are always finite"
    )
