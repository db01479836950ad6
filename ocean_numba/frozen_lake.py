"""Frozen lake: cross the ice without falling into a hole."""

import numpy as np

from ocean_numba import f32, gridworld, i32, palette
from ocean_numba.gridworld import Gridworld


class FrozenLake(Gridworld):
    """Cross a frozen lake to the other shore. The ice is slippery: only one step in three goes where it should.

    A :class:`Gridworld` with the map and the numbers of Gymnasium's FrozenLake-v1. The reward comes only at the
    goal and chance decides two steps in three, so the best policy often turns towards the wall,
    where slipping does no harm. Its tables equal Gymnasium's transition table.

    Observation, ``uint8[16]``: 1 at the agent's cell, counted row by row, else 0.

    Action, ``Discrete(4)``: 0 left, 1 down, 2 right, 3 up. One step in three goes there, one a quarter turn to the
    left of it and one to the right. The shore stops it.

    Reward: 1 at the goal, else 0.

    Starting state: the top left cell.

    Episode end: *terminated* at the goal or in a hole; *truncated* after ``max_steps`` steps.

    Metric: ``score``, 1 when the goal was reached, else 0. Random play reaches 0.013, the best policy 0.74 (without
    the limit of 100 steps 14/17).

    Parameters: ``slip`` (2/3), the share of steps that go sideways, 0 for ice that is not slippery;
    ``step_reward`` (0), ``goal_reward`` (1), ``pit_reward`` (0); ``max_steps`` (100).

    Source: Gymnasium's FrozenLake-v1 with its default map ``4x4``.
    """

    map = """
        SFFF
        FHFH
        FFFH
        HFFG
    """
    colors = {
        "floor": palette.mix(palette.SKY_BLUE, palette.SNOW, 0.65),
        "goal": palette.ORANGE,
        "pit": palette.NIGHT,
        "rim": palette.BLUE,
        "agent": palette.VERMILLION,
    }

    class Params(Gridworld.Params):
        slip: f32.between(0.0, 1.0) = 2 / 3
        step_reward: f32 = 0.0
        pit_reward: f32 = 0.0


class FrozenLake8x8(FrozenLake):
    """The large lake: 8 x 8 cells and 200 steps. Everything else is as in :class:`FrozenLake`.

    Observation, ``uint8[64]``: 1 at the agent's cell, counted row by row, else 0.

    Metric: ``score``, 1 when the goal was reached, else 0. Random play reaches 0.002, the best policy 0.86 (without
    the limit of 200 steps 1).

    Parameters: as in FrozenLake, but ``max_steps`` (200).

    Source: Gymnasium's FrozenLake8x8-v1, its map ``8x8``.
    """

    map = """
        SFFFFFFF
        FFFFFFFF
        FFFHFFFF
        FFFFFHFF
        FFFHFFFF
        FHHFFFHF
        FHFFHFHF
        FFFHFFFG
    """

    class Params(FrozenLake.Params):
        max_steps: i32.at_least(1) = 200


def scripted(env: FrozenLake) -> np.ndarray:
    """The optimal policy, found by dynamic programming."""
    return gridworld.scripted(env)
