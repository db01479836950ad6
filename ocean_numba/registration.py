"""Names of the games. Nothing is imported here: ``pufferbench.list_envs()`` stays instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# id -> (class, preset)
GAMES = {
    # sanity: each isolates one thing that a learner can get wrong
    "ocean-squared": ("ocean_numba.squared:Squared", "squared"),
    # control
    "ocean-cartpole": ("ocean_numba.cartpole:CartPole", "cartpole"),
    "ocean-cartpole-continuous": ("ocean_numba.cartpole:CartPoleContinuous", "cartpole-continuous"),
    # arcade
    "ocean-breakout": ("ocean_numba.breakout:Breakout", "breakout"),
    # grids and boards
    # swarms
    "ocean-commons": ("ocean_numba.commons:Commons", "commons"),
    "ocean-target": ("ocean_numba.target:Target", "target"),
}


def register_all(register: Callable[..., Any]) -> None:
    """Register every game of this package (the entry point ``pufferbench.envs`` calls this)."""
    for name, (entry_point, preset) in GAMES.items():
        register(name, entry_point, preset=f"ocean_numba:presets/{preset}.toml")
