"""Small games as tables: what dynamic programming needs to know of them, and the best values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Tables(NamedTuple):
    """All rules of a game with few states.

    Attributes:
        transitions: ``[states, actions, states]``; how probable it is to come from a state, with an action, to
            another one. Each row adds up to 1; a terminal state leads to itself.
        rewards: ``[states, actions, states]``; what this step then gives. 0 where the step cannot happen.
        terminals: bool ``[states]``; the episode ends on entering such a state.
    """

    transitions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray


def action_values(tables: Tables, values: np.ndarray, gamma: float) -> np.ndarray:
    """Each action's value, ``[states, actions]``, when ``values`` (one per state) are what follows it."""
    following = np.where(tables.terminals, 0.0, values)
    return np.sum(tables.transitions * (tables.rewards + gamma * following), axis=2)


def value_iteration(tables: Tables, gamma: float, tolerance: float = 1e-10) -> np.ndarray:
    """The value of each state under the best policy, ``[states]``; 0 for terminal states.

    Args:
        gamma: discount, 0 .. 1; 1 only for a game in which the best policy ends every episode.
        tolerance: stop when no value changes by more than this.

    Source: Bellman, "Dynamic Programming", 1957.
    """
    values = np.zeros(len(tables.terminals))
    while True:
        improved = np.where(tables.terminals, 0.0, action_values(tables, values, gamma).max(axis=1))
        change = np.abs(improved - values).max()
        values = improved
        if change <= tolerance:
            return values
