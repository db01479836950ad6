"""Dynamic programming: the best values out of known rules (Bellman, 1957; Howard, 1960)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.tabular.methods import Method
from pufferbench.tabular.model import ACTIONS, greedy


class Planning(Method):
    """Sweeps over all states; each new value is made of the old ones of the sweep before.

    Args:
        world: a Grid or a Model.
        tolerance: a sweep that changes no value by more than this is the last.
    """

    plans = True
    measure = "largest change of a sweep"

    def __init__(self, world: Any, tolerance: float = 1e-6) -> None:
        super().__init__(world)
        self.tolerance = tolerance
        self._restart()

    def _restart(self) -> None:
        """A new sweep begins: from here on ``_old`` does not change until it ends."""
        self._old = self.values.copy()
        self._waiting = list(self.model.decisions)[::-1]

    @property
    def q(self) -> np.ndarray:  # type: ignore[override]
        """What each action brings, by the rules and the present values."""
        return self.model.action_values(self.values)

    def step(self) -> None:
        """Back up the next state of the sweep."""
        if not self._waiting:  # a world without decisions
            self.done = True
            return
        self.state = state = int(self._waiting.pop())
        before = self.values[state]
        self.values[state], formula = self._backup(state)
        self.steps += 1
        self.words = f"V{self.model.names[state]} ← {formula} = {self.values[state]:.3f} (was {before:.3f})"
        if not self._waiting:
            self._end_sweep()

    def sweep(self) -> None:
        """Back up all states that this sweep has not come to yet."""
        count = self.sweeps
        while self.sweeps == count and not (self.done and not self._waiting):
            self.step()

    def _end_sweep(self) -> None:
        self.sweeps += 1
        change = float(np.abs(self.values - self._old).max())
        self.history.append(change)
        self._settled(change <= self.tolerance)
        self._restart()

    def _settled(self, settled: bool) -> None:
        raise NotImplementedError

    def _backup(self, state: int) -> tuple[float, str]:
        """The state's new value, and how it came about."""
        raise NotImplementedError

    def _q_of(self, state: int) -> np.ndarray:
        """The actions' values ``[actions]`` in one state, from the old values."""
        tables = self.model.tables
        following = np.where(tables.terminals, 0.0, self._old)
        return np.sum(
            tables.transitions[state] * (tables.rewards[state] + self.model.gamma * following), axis=1
        )

    def adopt(self, world: Any) -> None:
        super().adopt(world)
        self._restart()


class ValueIteration(Planning):
    """``V(s) ← max_a Σ p(s'|s,a) (r + gamma V(s'))``, again and again."""

    name = "Value iteration"

    def _backup(self, state: int) -> tuple[float, str]:
        q = self._q_of(state)
        listed = ", ".join(f"{name} {value:.3f}" for name, value in zip(ACTIONS, q, strict=False))
        return float(q.max()), f"max({listed})"

    def _settled(self, settled: bool) -> None:
        self.done = settled


class PolicyIteration(Planning):
    """Evaluate a policy by sweeps, ``V(s) ← Σ_a pi(a|s) Σ p(s'|s,a) (r + gamma V(s'))``; make it greedy; again.

    It begins with the policy that takes every action equally often. :meth:`sweep` only evaluates and
    :meth:`improve` only improves, whenever you like; :meth:`advance` does what is due.

    Attributes:
        evaluated: whether the last sweep changed nothing: time to improve.
        improvements: how many there were.
    """

    name = "Policy iteration"

    def __init__(self, world: Any, tolerance: float = 1e-6) -> None:
        super().__init__(world, tolerance)
        self._policy = np.full(self.model.shape, 1 / self.model.shape[1])
        self.evaluated = False
        self.improvements = 0

    @property
    def policy(self) -> np.ndarray:
        """The policy that is evaluated now, ``[states, actions]``."""
        return self._policy

    def improve(self) -> int:
        """Make the policy greedy with respect to the present values. Returns in how many states it changed."""
        better = greedy(self.q)
        changed = np.abs(better - self._policy).max(axis=1)[self.model.decisions] > 1e-9
        self.improvements += 1
        self.done = self.evaluated and not changed.any()
        self._policy, self.evaluated = better, False
        self.words = f"Improvement {self.improvements}: the policy changes in {changed.sum()} states."
        self._restart()
        return int(changed.sum())

    def advance(self) -> None:
        if self.evaluated:
            self.improve()
        else:
            self.sweep()

    def advance_step(self) -> None:
        if self.evaluated:
            self.improve()
        else:
            self.step()

    def adopt(self, world: Any) -> None:
        super().adopt(world)
        self.evaluated = False

    def _backup(self, state: int) -> tuple[float, str]:
        q, chances = self._q_of(state), self._policy[state]
        listed = " + ".join(
            f"{chance:.2g} · {value:.3f}" for chance, value in zip(chances, q, strict=True) if chance > 0
        )
        return float(chances @ q), listed

    def _settled(self, settled: bool) -> None:
        self.evaluated = settled
