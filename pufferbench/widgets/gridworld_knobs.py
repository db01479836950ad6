"""The numbers of gridworld() that a person can turn: those of the world, and those of the methods that learn."""

from __future__ import annotations

import ipywidgets


def knobs() -> dict[str, ipywidgets.FloatSlider]:
    """A slider for each, by the name of the attribute of the Grid or the Method that it sets."""
    return {
        "gamma": _slider("Discount (gamma)", 0, 1, 0.01, "How much a reward one step later is worth"),
        "slip": _slider("Slip", 0, 1, 0.05, "Probability that a step goes sideways"),
        "step_reward": _slider("Step reward", -2, 0.5, 0.01, "What every step gives"),
        "alpha": _slider("Step size (alpha)", 0, 1, 0.01, "Share of an error that is corrected at once"),
        "epsilon": _slider("Exploration (epsilon)", 0, 1, 0.01, "Probability of a random action"),
        "lam": _slider("Traces (lambda)", 0, 1, 0.01, "How far back an error is passed on"),
    }


def _slider(words: str, low: float, high: float, step: float, tooltip: str) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        min=low, max=high, step=step, description=words, tooltip=tooltip, readout_format=".2f"
    )
