"""Names of the games. Nothing is imported here: ``pufferbench.list_envs()`` stays instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# id -> (class, preset)
GAMES = {
    "ocean-squared": ("ocean_numba.squared:Squared", "squared"),
    "ocean-cartpole": ("ocean_numba.cartpole:CartPole", "cartpole"),
    "ocean-cartpole-continuous": ("ocean_numba.cartpole:CartPoleContinuous", "cartpole-continuous"),
    "ocean-breakout": ("ocean_numba.breakout:Breakout", "breakout"),
    "ocean-target": ("ocean_numba.target:Target", "target"),
}


def register_all(register: Callable[..., Any]) -> None:
    """Register every game of this package (the entry point ``pufferbench.envs`` calls this)."""
    for name, (entry_point, preset) in GAMES.items():
        register(name, entry_point, preset=f"ocean_numba:presets/{preset}.toml")
