"""Gridworlds out of the books: what :meth:`Grid.preset` knows by name."""

from __future__ import annotations

from typing import Any

# name -> the arguments of Grid
PRESETS: dict[str, dict[str, Any]] = {
    # Russell and Norvig, "Artificial Intelligence: A Modern Approach", sequential decisions
    "4x3": {
        "map": "...G .#.P S...",
        "slip": 0.2,
        "step_reward": -0.04,
        "gamma": 1.0,
    },
    # Sutton and Barto, example 6.6; here a fall ends the episode instead of leading back to the start
    "cliff": {
        "map": "............ ............ ............ SPPPPPPPPPPG",
        "goal_reward": 0.0,
        "pit_reward": -100.0,
        "step_reward": -1.0,
        "gamma": 1.0,
    },
    # The doors are narrow: a value has to find its way through them
    "two rooms": {
        "map": """
            S...#....
            ....#....
            .........
            ....#..P.
            ....#...G
        """,
        "gamma": 0.9,
    },
    "empty": {"map": "..... ..... ..... ..... S...G", "gamma": 0.9},
}
