"""explain_gae(): what an advantage is made of, and what gamma, lambda and an episode's end do to it."""

from __future__ import annotations

import numpy as np

from pufferbench.explain import gae
from pufferbench.widgets.explainer import Explainer, choice, slider
from pufferbench.widgets.svg import Plot, number, picture

# An episode to look at: rewards, and what a value function that has learned a little says on the way
REWARDS = np.array([0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 2, 0, 0, 0, 0, 1], float)
VALUES = np.array([0.9, 1.0, 1.3, 1.1, 0.4, 0.2, 0.6, 0.5, 1.1, 1.5, 1.7, 0.4, 0.3, 0.6, 0.7, 0.9, 0.2])
FINAL_VALUE = 1.5  # of the observation before the reset, when the episode is cut
STEPS = len(REWARDS)


class ExplainGAE(Explainer):
    """Made by :func:`explain_gae`. The numbers are those of :mod:`pufferbench.explain.gae`."""

    def __init__(self, gamma: float, gae_lambda: float) -> None:
        self.gamma = slider(
            "Discount (gamma)", gamma, 0.5, 1, 0.01, "How much a reward one step later is worth"
        )
        self.lam = slider(
            "GAE lambda", gae_lambda, 0, 1, 0.01, "How long to wait for rewards instead of trusting values"
        )
        self.end = choice("It ends with", list(gae.ENDS), "Whether an episode ends in the middle, and how")
        self.at = slider("at step", 8, 0, STEPS - 1, 1, "The step with which it ends", whole=True)
        self.wrong = slider(
            "Error of the values", 1.0, 0, 3, 0.1, "By how much the value function is off, everywhere"
        )
        super().__init__(
            "GAE: how much does each later step count?", [self.gamma, self.lam, self.wrong, self.end, self.at]
        )

    def _episode(self) -> gae.Episode:
        return gae.episode(
            REWARDS, VALUES, self.gamma.value, self.lam.value, self.end.value, self.at.value, FINAL_VALUE
        )

    def svg(self) -> str:
        found = self._episode()
        x = (-0.6, STEPS - 0.4)
        top = Plot(
            (46, 46, 560, 120), x, (-1.3, 2.3), "An episode", y_label="reward, value", x_ticks=range(STEPS)
        )
        lower = Plot((46, 246, 560, 140), x, _around(found.advantages, found.deltas), "What was better than expected",
                     "step", "advantage units", x_ticks=range(STEPS))  # fmt: skip
        for k in range(STEPS):
            top.bar(k, REWARDS[k], 0.5, "green", f"step {k}: reward {number(REWARDS[k])}")
            lower.bar(k - 0.18, found.deltas[k], 0.34, "sky", f"step {k}: delta {number(found.deltas[k])}")
            lower.bar(
                k + 0.18,
                found.advantages[k],
                0.34,
                "blue",
                f"step {k}: advantage {number(found.advantages[k])}",
            )
        self._value_line(top)
        top.legend(("reward", "green", ""), ("value before the step", "orange", ""))
        lower.legend(("its own surprise (delta)", "sky", ""), ("advantage", "blue", ""))
        for plot in (top, lower):
            self._mark_end(plot)

        weights = gae.weights(self.gamma.value, self.lam.value, STEPS, self.end.value, self.at.value)
        share = Plot((676, 46, 290, 120), x, (0, 1), "Weights in the advantage of step 0",
                     "step", "share")  # fmt: skip
        for k in range(STEPS):
            share.bar(k, weights[k], 0.7, "blue", f"delta of step {k} counts {weights[k]:.3f}")
        self._mark_end(share)

        trade = gae.tradeoff(self.gamma.value, self.wrong.value, noise=0.5)
        balance = Plot((676, 246, 290, 140), (0, 1), (0, max(trade.error.max(), abs(trade.bias).max()) * 1.05),
                       "Error of the estimated return", "lambda", "reward")  # fmt: skip
        balance.line(trade.lambdas, abs(trade.bias), "orange", "pb-dashed")
        balance.line(trade.lambdas, trade.deviation, "purple", "pb-dashed")
        balance.line(trade.lambdas, trade.error, "text")
        balance.upright(self.lam.value, "blue", f"lambda {self.lam.value:.2f}")
        balance.legend(
            ("bias", "orange", "pb-dashed"), ("deviation", "purple", "pb-dashed"), ("both", "text", "")
        )
        return picture(980, 426, str(top), str(lower), str(share), str(balance), label=self.describe())

    def _value_line(self, plot: Plot) -> None:
        at = self.at.value
        plot.line(range(STEPS), VALUES[:-1], "orange")
        if self.end.value == "truncation":
            plot.dot(at + 0.5, FINAL_VALUE, "orange", f"value of what was seen before the cut: {FINAL_VALUE}")

    def _mark_end(self, plot: Plot) -> None:
        if self.end.value != "nothing":
            style = "" if self.end.value == "terminal" else "pb-dashed"
            plot.upright(self.at.value + 0.5, "red", f"{self.end.value} with step {self.at.value}", style)

    def describe(self) -> str:
        found = self._episode()
        end = "no end" if self.end.value == "nothing" else f"a {self.end.value} with step {self.at.value}"
        return (
            f"Generalised advantages of {STEPS} steps with gamma {number(self.gamma.value)}, lambda "
            f"{number(self.lam.value)} and {end}: the advantage of step 0 is {number(float(found.advantages[0]))}"
        )

    def meaning(self) -> str:
        fade = self.gamma.value * self.lam.value
        words = f"A delta k steps later counts (gamma · lambda)^k = {number(fade)}^k. "
        if fade < 1:
            words += f"After {number(1 / (1 - fade), 1)} steps, on average, the weights have run out. "
        trade = gae.tradeoff(self.gamma.value, self.wrong.value, noise=0.5)
        best = trade.lambdas[trade.error.argmin()]
        off = number(self.wrong.value)
        words += f"With values that are off by {off}, lambda {number(float(best))} has the least error. "
        if self.end.value == "terminal":
            words += "At the terminal the future is worth 0, and nothing later reaches back over it."
        elif self.end.value == "truncation":
            words += "The cut episode had a future: its last step counts on the value of what was seen last (the dot)."
        return words


def _around(*parts: np.ndarray) -> tuple[float, float]:
    low, high = min(part.min() for part in parts), max(part.max() for part in parts)
    room = 0.08 * (high - low)
    return min(float(low) - room, 0.0), float(high) + room


def explain_gae(gamma: float = 0.95, gae_lambda: float = 0.9) -> ExplainGAE:
    """Advantages with sliders: ``explain_gae()`` as the last line of a cell.

    Everything comes from :func:`pufferbench.kernels.advantages`, which the trainer uses.
    """
    return ExplainGAE(gamma, gae_lambda)
