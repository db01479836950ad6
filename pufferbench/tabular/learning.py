"""Learning by trying: the rules are unknown, only what each step brought is seen (Sutton and Barto, chapters 6, 12)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.tabular.methods import Method
from pufferbench.tabular.model import ACTIONS

LONGEST = 1000  # steps of an episode: where no end can be reached, the next one begins all the same


class Learner(Method):
    """Walks through the world, episode after episode.

    Args:
        world: a Grid or a Model.
        alpha: step size, the share of an error that is corrected at once.
        epsilon: probability of a random action.
        seed: of the world's and the learner's chance.

    Attributes:
        episode_return: the rewards of the present episode, undiscounted.
        position: where the agent is.
    """

    measure = "return of an episode"

    def __init__(self, world: Any, alpha: float = 0.1, epsilon: float = 0.1, seed: int = 0) -> None:
        super().__init__(world)
        self.alpha, self.epsilon = alpha, epsilon
        self.rng = np.random.default_rng(seed)
        self.q = np.zeros(self.model.shape)
        self._know(self.model)
        self.begin()

    def _know(self, model: Any) -> None:
        self._cdf = model.tables.transitions.cumsum(axis=2)

    def begin(self) -> None:
        """Start a new episode."""
        self.position = int(self.rng.choice(self.model.starts))
        self.episode_return, self._length = 0.0, 0
        self._over = False

    def step(self) -> None:
        """One step of the agent, and what it learns from it. After an episode's end: the beginning of the next."""
        if self._over:
            self.begin()
        state = self.state = self.position
        action = self.choose(state)
        chance = self.rng.random() * self._cdf[state, action, -1]
        there = int(np.searchsorted(self._cdf[state, action], chance, side="right"))
        reward = float(self.model.tables.rewards[state, action, there])
        terminal = bool(self.model.tables.terminals[there])
        self.learn(state, action, reward, there, terminal)
        self.position = there
        self.steps += 1
        self.episode_return += reward
        self._length += 1
        if terminal or self._length >= LONGEST:
            self._over = True
            self.sweeps += 1
            self.history.append(self.episode_return)

    def sweep(self) -> None:
        """To the end of the episode."""
        count = self.sweeps
        while self.sweeps == count:
            self.step()

    def choose(self, state: int) -> int:
        """An epsilon-greedy action; equally good ones are equally likely."""
        assert self.q is not None
        if self.rng.random() < self.epsilon:
            return int(self.rng.integers(self.model.shape[1]))
        q = self.q[state]
        best = np.flatnonzero(q >= q.max())
        return int(best[0] if len(best) == 1 else self.rng.choice(best))

    def learn(self, state: int, action: int, reward: float, there: int, terminal: bool) -> None:
        """What a step from ``state`` with ``action`` to ``there`` teaches."""
        raise NotImplementedError

    def _correct(self, state: int, action: int, reward: float, following: float, source: str) -> None:
        """Move an action's value towards ``reward + gamma following``."""
        assert self.q is not None
        before = self.q[state, action]
        error = reward + self.model.gamma * following - before
        self.q[state, action] += self.alpha * error
        self.values[state] = self.q[state].max()
        self.words = (
            f"Q{self.model.names[state]} {ACTIONS[action]} ← {before:.3f} + {self.alpha:g} · "
            f"[{reward:g} + {self.model.gamma:g} · {following:.3f} - {_signed(before)}] = "
            f"{self.q[state, action]:.3f}{source}"
        )

    def adopt(self, world: Any) -> None:
        super().adopt(world)
        self._know(self.model)
        ends = np.ones(len(self.values), bool)
        ends[self.model.decisions] = False
        if self.q is not None:
            self.q[ends] = 0.0
        if ends[self.position]:
            self.begin()


def _signed(number: float) -> str:
    return f"({number:.3f})" if number < 0 else f"{number:.3f}"


class QLearning(Learner):
    """``Q(s,a) += alpha [r + gamma max Q(s',·) - Q(s,a)]``: learns of the best policy, whatever it does.

    Source: Watkins, "Learning from Delayed Rewards", 1989.
    """

    name = "Q-learning"

    def learn(self, state: int, action: int, reward: float, there: int, terminal: bool) -> None:
        assert self.q is not None
        following = 0.0 if terminal else float(self.q[there].max())
        self._correct(state, action, reward, following, "" if terminal else " (the best next action)")


class Sarsa(Learner):
    """``Q(s,a) += alpha [r + gamma Q(s',a') - Q(s,a)]``: learns of what it does itself.

    Source: Rummery and Niranjan, "On-line Q-learning using connectionist systems", 1994.
    """

    name = "SARSA"

    def begin(self) -> None:
        super().begin()
        self._next: int | None = None

    def choose(self, state: int) -> int:
        """The action that the last update counted on."""
        if self._next is None:
            return super().choose(state)
        return self._next

    def learn(self, state: int, action: int, reward: float, there: int, terminal: bool) -> None:
        assert self.q is not None
        if terminal:
            self._correct(state, action, reward, 0.0, "")
            return
        self._next = super().choose(there)
        following = float(self.q[there, self._next])
        self._correct(state, action, reward, following, f" (the next action: {ACTIONS[self._next]})")

    def adopt(self, world: Any) -> None:
        super().adopt(world)
        self._next = None


class TDLambda(Learner):
    """Predicts what a policy brings: ``V += alpha delta e``, where ``e`` says how recently a state was seen.

    Accumulating traces (Sutton, 1988): ``e ← gamma lambda e``, plus 1 for the present state. ``lam = 0`` corrects
    only the state just left; ``lam = 1`` all of the episode's, as Monte Carlo does.

    Args:
        lam: lambda, 0 .. 1.
        policy: ``[states, actions]``, whom to follow; None: every action equally often.
    """

    name = "TD(λ)"

    def __init__(
        self,
        world: Any,
        alpha: float = 0.1,
        lam: float = 0.8,
        policy: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        self.lam = lam
        super().__init__(world, alpha=alpha, epsilon=0.0, seed=seed)
        self.q = None
        self._policy = super().policy if policy is None else policy

    @property
    def policy(self) -> np.ndarray:
        """The one that is followed."""
        return self._policy

    def begin(self) -> None:
        super().begin()
        self.trace = np.zeros(len(self.values))

    def choose(self, state: int) -> int:
        """As the policy says."""
        return int(np.searchsorted(self._policy[state].cumsum()[:-1], self.rng.random(), side="right"))

    def learn(self, state: int, action: int, reward: float, there: int, terminal: bool) -> None:
        assert self.trace is not None
        gamma = self.model.gamma
        before, following = self.values[state], 0.0 if terminal else self.values[there]
        error = reward + gamma * following - before
        self.trace *= gamma * self.lam
        self.trace[state] += 1.0
        self.values += self.alpha * error * self.trace
        self.words = (
            f"δ = {reward:g} + {gamma:g} · {following:.3f} - {_signed(before)} = {error:.3f}; "
            f"{np.count_nonzero(self.trace > 0.01)} states are corrected by {self.alpha:g} · δ · trace"
        )
