"""explain_ppo(): what clipping does to PPO's objective, its gradient, and a policy that learns twice from one step."""

from __future__ import annotations

import numpy as np

from pufferbench.explain import ppo
from pufferbench.widgets.explainer import Explainer, slider
from pufferbench.widgets.svg import Plot, number, picture

TOP, HEIGHT, BOTTOM = 46, 210, 292


class ExplainPPO(Explainer):
    """Made by :func:`explain_ppo`. The numbers are those of :mod:`pufferbench.explain.ppo`."""

    def __init__(self, ratio: float, advantage: float, clip_coef: float) -> None:
        self.ratio = slider(
            "Ratio",
            ratio,
            0.01,
            ppo.HIGHEST,
            0.01,
            "How likely the action is now, over how likely it was then",
        )
        self.advantage = slider(
            "Advantage",
            advantage,
            -2,
            2,
            0.1,
            "How much better the action was than what the policy does on average",
        )
        self.clip = slider(
            "Clip range", clip_coef, 0.0, 0.8, 0.01, "clip_coef: how far the ratio may pay off"
        )
        super().__init__(
            "PPO: how far may one step move the policy?", [self.ratio, self.advantage, self.clip]
        )

    def svg(self) -> str:
        ratio, advantage, clip = self.ratio.value, self.advantage.value, self.clip.value
        curve = ppo.clip_curve(advantage, clip)
        value, slope = ppo.objective(ratio, advantage, clip)
        reach = max(abs(advantage), 0.5) * 1.3
        x = (0.0, ppo.HIGHEST)

        left = Plot((52, TOP, 290, HEIGHT), x, (min(0.0, curve.unclipped.min()), max(0.0, curve.unclipped.max())),
                    "Objective (minus the loss)", "ratio of probabilities, new / old", "advantage units")  # fmt: skip
        self._clip_band(left)
        left.line(curve.ratios, curve.unclipped, "grey", "pb-dashed")
        left.line(curve.ratios, curve.objective, "blue")
        left.upright(1.0, "muted", "ratio 1: the policy that played", "pb-thin")
        left.dot(ratio, value, "orange", f"objective {value:.3f} at ratio {ratio:.2f}")
        left.legend(("clipped", "blue", ""), ("not clipped", "grey", "pb-dashed"))

        middle = Plot((404, TOP, 250, HEIGHT), x, (-reach, reach), "Its gradient",
                      "ratio of probabilities, new / old", "by the ratio")  # fmt: skip
        self._clip_band(middle)
        middle.line(curve.ratios, curve.gradient, "green")
        middle.dot(ratio, slope, "orange", f"gradient {slope:.3f} at ratio {ratio:.2f}")

        clipped, free = ppo.pushed(advantage, clip), ppo.pushed(advantage, ppo.NO_CLIP)
        right = Plot((716, TOP, 250, HEIGHT), (0, len(free) - 1), x, "Learned from again and again",
                     "gradient steps", "ratio")  # fmt: skip
        steps = np.arange(len(free))
        right.line(steps, free, "grey", "pb-dashed")
        right.line(steps, clipped, "blue")
        right.legend(("clipped", "blue", ""), ("not", "grey", "pb-dashed"))
        return picture(980, BOTTOM, str(left), str(middle), str(right), label=self.describe())

    def _clip_band(self, plot: Plot) -> None:
        clip = self.clip.value
        plot.band(1 - clip, 1 + clip, "sky", f"within the clip range, {1 - clip:.2f} to {1 + clip:.2f}")

    def describe(self) -> str:
        ratio, advantage, clip = self.ratio.value, self.advantage.value, self.clip.value
        value, slope = ppo.objective(ratio, advantage, clip)
        return (
            f"PPO's clipped objective for an advantage of {number(advantage)} and a clip range of {number(clip)}: "
            f"at ratio {number(ratio)} it is {number(value)}, its gradient {number(slope)}"
        )

    def meaning(self) -> str:
        ratio, advantage, clip = self.ratio.value, self.advantage.value, self.clip.value
        slope = ppo.objective(ratio, advantage, clip)[1]
        if abs(advantage) < 1e-9:
            return "No better and no worse than usual: there is nothing to learn from this decision."
        better = "better" if advantage > 0 else "worse"
        if slope == 0:
            way = (
                f"more than {number(1 + clip)} times as"
                if advantage > 0
                else f"less than {number(1 - clip)} times as"
            )
            return (
                f"The action was {better} than usual, and it is already {way} likely as it was: the gradient is 0, and "
                "this decision pushes no further."
            )
        wrong_way = (ratio < 1 - clip and advantage > 0) or (ratio > 1 + clip and advantage < 0)
        if wrong_way:
            return (
                f"The action was {better} than usual, but other decisions have moved it the wrong way: the clip does "
                "not hold it back there, so that this mistake can be mended."
            )
        return (
            f"The action was {better} than usual: its probability goes {'up' if advantage > 0 else 'down'}, with a "
            f"gradient of {number(slope)}, until the ratio leaves the clip range."
        )


def explain_ppo(ratio: float = 1.1, advantage: float = 1.0, clip_coef: float = 0.2) -> ExplainPPO:
    """The clipped objective with sliders: ``explain_ppo()`` as the last line of a cell.

    Loss and gradient come from :func:`pufferbench.kernels.ppo_loss`, which the trainer minimises.
    """
    return ExplainPPO(ratio, advantage, clip_coef)
