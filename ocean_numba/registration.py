"""Names of the games. Nothing is imported here: ``pufferbench.list_envs()`` stays instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# id -> (class, preset)
GAMES = {
    # sanity: each isolates one thing that a learner can get wrong
    "ocean-squared": ("ocean_numba.squared:Squared", "squared"),
    "ocean-bandit": ("ocean_numba.bandit:Bandit", "bandit"),
    "ocean-chain": ("ocean_numba.chain:Chain", "chain"),
    "ocean-memory": ("ocean_numba.memory:Memory", "memory"),
    "ocean-password": ("ocean_numba.password:Password", "password"),
    "ocean-spaces": ("ocean_numba.spaces:Spaces", "spaces"),
    "ocean-stochastic": ("ocean_numba.stochastic:Stochastic", "stochastic"),
    "ocean-continuous": ("ocean_numba.continuous:Continuous", "continuous"),
    "ocean-coordination": ("ocean_numba.coordination:Coordination", "coordination"),
    # control
    "ocean-cartpole": ("ocean_numba.cartpole:CartPole", "cartpole"),
    "ocean-cartpole-continuous": ("ocean_numba.cartpole:CartPoleContinuous", "cartpole-continuous"),
    "ocean-pendulum": ("ocean_numba.pendulum:Pendulum", "pendulum"),
    "ocean-mountain-car": ("ocean_numba.mountain_car:MountainCar", "mountain-car"),
    "ocean-mountain-car-continuous": (
        "ocean_numba.mountain_car:MountainCarContinuous",
        "mountain-car-continuous",
    ),
    "ocean-acrobot": ("ocean_numba.acrobot:Acrobot", "acrobot"),
    "ocean-lunar-lander": ("ocean_numba.lunar_lander:LunarLander", "lunar-lander"),
    "ocean-drive": ("ocean_numba.drive:Drive", "drive"),
    "ocean-drone": ("ocean_numba.drone:Drone", "drone"),
    # arcade
    "ocean-breakout": ("ocean_numba.breakout:Breakout", "breakout"),
    "ocean-pong": ("ocean_numba.pong:Pong", "pong"),
    "ocean-snake": ("ocean_numba.snake:Snake", "snake"),
    "ocean-tetris": ("ocean_numba.tetris:Tetris", "tetris"),
    "ocean-freeway": ("ocean_numba.freeway:Freeway", "freeway"),
    "ocean-flappy": ("ocean_numba.flappy:Flappy", "flappy"),
    "ocean-2048": ("ocean_numba.twenty48:Twenty48", "twenty48"),
    "ocean-pacman": ("ocean_numba.pacman:PacMan", "pacman"),
    "ocean-space-shooter": ("ocean_numba.space_shooter:SpaceShooter", "space-shooter"),
    # grids and boards
    "ocean-connect-four": ("ocean_numba.connect_four:ConnectFour", "connect-four"),
    "ocean-tic-tac-toe": ("ocean_numba.tic_tac_toe:TicTacToe", "tic-tac-toe"),
    "ocean-gridworld": ("ocean_numba.gridworld:Gridworld", "gridworld"),
    "ocean-frozen-lake": ("ocean_numba.frozen_lake:FrozenLake", "frozen-lake"),
    "ocean-frozen-lake-8x8": ("ocean_numba.frozen_lake:FrozenLake8x8", "frozen-lake-8x8"),
    # swarms
    "ocean-commons": ("ocean_numba.commons:Commons", "commons"),
    "ocean-target": ("ocean_numba.target:Target", "target"),
}


def register_all(register: Callable[..., Any]) -> None:
    """Register every game of this package (the entry point ``pufferbench.envs`` calls this)."""
    for name, (entry_point, preset) in GAMES.items():
        register(name, entry_point, preset=f"ocean_numba:presets/{preset}.toml")
