"""explain_lstm(): what a recurrent policy remembers, and that an episode's end makes it forget."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pufferbench.explain.memory import Trace, trace
from pufferbench.widgets.explainer import Explainer, choice, slider
from pufferbench.widgets.svg import Plot, number, picture, tag, text, tip

LEFT, WIDTH = 112, 852
ROW = 15  # pixels
UNITS = 16  # to be drawn, at most
FORGET = ["forget at the end", "go on"]


class ExplainLSTM(Explainer):
    """Made by :func:`explain_lstm`. The numbers are those of :mod:`pufferbench.explain.memory`.

    Attributes:
        trace: what was played last.
    """

    def __init__(self, policy: torch.nn.Module, env: Any, steps: int) -> None:
        self.policy, self.env, self.steps = policy, env, steps
        self.forget = choice(
            "State", FORGET, "Whether the state begins anew when an episode ends, as it must"
        )
        self.seed = slider("Seed", 1, 0, 20, 1, "Of the episodes that are played", whole=True)
        self._played: tuple[Any, ...] = ()
        self.trace: Trace
        super().__init__("LSTM: what is remembered, and for how long?", [self.forget, self.seed])

    def _play(self) -> Trace:
        wanted = (self.forget.value, self.seed.value)
        if wanted != self._played:
            self.trace = trace(
                self.policy, self.env, self.steps, self.forget.value == FORGET[0], self.seed.value
            )
            self._played = wanted
        return self.trace

    def svg(self) -> str:
        found = self._play()
        observations = found.observations[:, : min(8, found.observations.shape[1])].T
        states = found.states[:, :UNITS].T
        parts = [self._rows(22, "seen", observations, "observation")]
        top = 22 + ROW * len(observations) + 34
        parts.append(self._rows(top, "remembered", states, "unit"))
        bottom = top + ROW * len(states)
        plot = Plot((LEFT, bottom + 50, WIDTH, 70), (-0.5, len(found.ended) - 0.5), _limits(found),
                    y_label="value that the policy expects, and reward", x_label="step")  # fmt: skip
        for step in np.flatnonzero(found.rewards).tolist():
            plot.bar(
                float(step),
                found.rewards[step],
                0.5,
                "green",
                f"step {step}: reward {number(found.rewards[step])}",
            )
        plot.line(range(len(found.values)), found.values, "blue")
        plot.legend(("value", "blue", ""), ("reward", "green", ""))
        parts.append(str(plot))
        side = WIDTH / len(found.ended)
        for step in np.flatnonzero(found.ended).tolist():
            x = LEFT + side * (step + 1)
            words = tip(f"an episode ends with step {step}")
            for y1, y2 in ((18, bottom), (bottom + 50, bottom + 120)):
                parts.append(tag("line", words, x1=x, x2=x, y1=y1, y2=y2, class_="pb-line pb-stroke-red"))
        return picture(980, bottom + 160, *parts, label=self.describe())

    def _rows(self, top: float, title: str, table: np.ndarray, name: str) -> str:
        """A row of cells for each line of ``table [rows, steps]``; blue above 0, orange below."""
        limit, side = float(np.abs(table).max()) or 1.0, WIDTH / table.shape[1]
        parts = [text(LEFT, top - 8, title, class_="pb-title")]
        for row, line in enumerate(table):
            y = top + ROW * row
            parts.append(text(LEFT - 8, y + 11, f"{name} {row}", class_="pb-tick", text_anchor="end"))
            for step, value in enumerate(line):
                words = tip(f"{name} {row} after step {step}: {number(float(value))}")
                colour = "blue" if value >= 0 else "orange"
                box = {"x": LEFT + side * step + 0.5, "y": y + 0.5, "width": side - 1, "height": ROW - 1}
                parts.append(tag("rect", **box, class_="pb-fill-sunken"))
                strength = f"{0.95 * abs(value) / limit:.2f}"
                parts.append(tag("rect", words, **box, class_=f"pb-fill-{colour}", fill_opacity=strength))
        return "".join(parts)

    def describe(self) -> str:
        found = self._play()
        return (
            f"The state of {type(self.policy).__name__} over {len(found.ended)} steps with {int(found.ended.sum())} "
            f"episode ends; it is {'reset' if self.forget.value == FORGET[0] else 'not reset'} at them"
        )

    def meaning(self) -> str:
        found = self._play()
        again = (
            "The learner goes through these steps again and finds the same values "
            f"(largest difference {found.replayed:.1e})."
        )
        if self.forget.value == FORGET[0]:
            return f"At each upright line an episode ends, and the next begins with a state of zeros. {again}"
        return (
            "Without resets the last episode is still in the state of the next one: what was true there is remembered "
            f"where it is wrong. {again}"
        )


def _limits(found: Trace) -> tuple[float, float]:
    low, high = min(found.values.min(), found.rewards.min(), 0), max(found.values.max(), found.rewards.max())
    return float(low), float(high) * 1.1


def explain_lstm(policy: Any = None, env: Any = None, steps: int = 40) -> ExplainLSTM:
    """A recurrent policy's state over time: ``explain_lstm(trainer.policy, "ocean-memory")``.

    Args:
        policy: any recurrent one; None: a small LSTM that has learned nothing.
        env: an environment or the name of one; None: ``"ocean-memory"``.
        steps: how many to play.

    Raises:
        TypeError: the policy has no memory.
    """
    from pufferbench import make, policies

    env = (
        make("ocean-memory" if env is None else env, num_envs=1)
        if env is None or isinstance(env, str)
        else env
    )
    if policy is None:
        with torch.random.fork_rng(devices=[]):  # torch's global generator stays where it was
            torch.manual_seed(0)
            policy = policies.LSTM(env.observation_space, env.action_space, hidden_size=16)
    return ExplainLSTM(policy, env, steps)
