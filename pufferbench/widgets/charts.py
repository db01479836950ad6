"""The charts of a training: what the panel draws of the metrics records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pufferbench.widgets.curves import Chart, Line, curve_keys

RETURNS = (
    Chart(
        "Episode return",
        "reward per episode",
        (
            Line("episode_return_100", "mean of the last 100 episodes"),
            Line("episode_return", "episodes of one update", "sky", faint=True),
        ),
        "What the agent is after. It should rise.",
        marked=True,
    ),
)
DETAILS = (
    Chart(
        "Episode length",
        "steps",
        (Line("episode_length", colour="green"),),
        "Mean over an update's episodes.",
    ),
    Chart("Speed", "steps/s", (Line("sps", colour="green"),), "Environment steps trained on per second."),
    Chart(
        "Explained variance",
        "",
        (Line("explained_variance", colour="purple"),),
        "How well the value function predicts returns. 1: perfectly, 0: no better than their mean.",
        low=-1,
        high=1,
    ),
    Chart(
        "Entropy",
        "nats",
        (Line("entropy", colour="purple"),),
        "Randomness of the policy; falls as it decides.",
    ),
    Chart(
        "Policy loss", "", (Line("policy_loss", colour="orange"),), "PPO's clipped objective; hovers near 0."
    ),
    Chart(
        "Value loss",
        "return²",
        (Line("value_loss", colour="orange"),),
        "Squared error of the value function.",
    ),
    Chart(
        "KL divergence",
        "nats",
        (Line("approx_kl", colour="red"),),
        "How far one update moves the policy. Above about 0.05 the steps are too big.",
    ),
    Chart("Learning rate", "", (Line("learning_rate", colour="grey"),), "In force at each update."),
)
COLUMNS = curve_keys(RETURNS + DETAILS)

SHOWN_ABOVE = ("episode_return", "episode_length")


def metric_names(record: Mapping[str, Any]) -> list[str]:
    """The environment's own episode metrics in a record (parts of the reward, scores, ...)."""
    stems = (name.removesuffix("_100") for name in record if name.endswith("_100"))
    return [name for name in stems if name not in SHOWN_ABOVE and f"env_{name}" not in record]


def metric_charts(names: list[str]) -> list[Chart]:
    """A chart for each of these metrics."""
    return [
        Chart(
            name.replace("_", " ").capitalize(),
            "",
            (Line(f"{name}_100", "mean of the last 100 episodes", "green"),),
            f"{name}: the environment's own metric, mean of the last 100 episodes.",
        )
        for name in names
    ]
