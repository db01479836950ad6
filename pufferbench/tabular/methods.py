"""What all tabular methods have in common: they go on step by step, and say what they did."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.tabular.model import Model, greedy


class Method:
    """A method under way.

    Args:
        world: a :class:`Grid`, or a :class:`Model` (anything with ``model()`` does).

    Attributes:
        model: the rules.
        values: ``[states]``, the present estimates.
        q: ``[states, actions]``, or None where the method knows no actions' values.
        steps, sweeps: how many there were; a learner's sweep is an episode.
        state: where the last step was, None before the first.
        done: whether going on changes nothing any more. A learner is never done.
        words: what the last step did, in one line.
        trace: how much of the last error each state gets, ``[states]``; None without traces.
        history: a number for each sweep, named by ``measure``.
    """

    name = ""
    measure = ""
    plans = False  # whether it knows the rules, so that it needs no steps in the world
    values: np.ndarray
    q: np.ndarray | None
    trace: np.ndarray | None = None

    def __init__(self, world: Any) -> None:
        self.model: Model = world if isinstance(world, Model) else world.model()
        self.steps = self.sweeps = 0
        self.state: int | None = None
        self.done = False
        self.words = ""
        self.history: list[float] = []
        self.values = np.zeros(self.model.shape[0])

    def step(self) -> None:
        """The smallest piece of work: one state's backup, or one step in the world."""
        raise NotImplementedError

    def sweep(self) -> None:
        """To the end of the present sweep over all states, or of the present episode."""
        raise NotImplementedError

    def advance(self) -> None:
        """The next sweep on the way to the end. Where there is more than one kind of work, the kind that is due."""
        self.sweep()

    def advance_step(self) -> None:
        """The same in small: the next step on the way to the end."""
        self.step()

    def run(self, sweeps: int = 10_000) -> Any:
        """Go on until it is done, or for ``sweeps`` more. Returns the method itself."""
        for _ in range(sweeps):
            if self.done:
                break
            self.advance()
        return self

    @property
    def policy(self) -> np.ndarray:
        """What the estimates say to do, ``[states, actions]``."""
        if self.q is None:
            return np.full(self.model.shape, 1 / self.model.shape[1])
        return greedy(self.q)

    def adopt(self, world: Any) -> None:
        """The rules have changed (as many states as before): go on with what is known. Ends and walls are worth 0."""
        self.model = world if isinstance(world, Model) else world.model()
        self.done = False
        known = np.zeros(len(self.values), bool)
        known[self.model.decisions] = True
        self.values = np.where(known, self.values, 0.0)

    def __repr__(self) -> str:
        what = "sweeps" if self.plans else "episodes"
        lines = [f"{self.name}: {self.sweeps} {what}, {self.steps} steps" + (", done" if self.done else "")]
        lines += [f"  {self.model.names[state]}: {self.values[state]:.3f}" for state in self.model.decisions]
        return "\n".join(lines)

    def __str__(self) -> str:
        return repr(self)
