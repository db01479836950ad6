"""Stochastic: a corridor that only chance can leave."""

from functools import lru_cache

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, i32, palette

LEFT, RIGHT = 0, 1
SWITCHED = 1  # the cell in which left is right and right is left

# What scripted() decides with: the game itself has no chance in it.
CHANCE = np.random.default_rng(0)


class Stochastic(OceanEnv):
    """A dark corridor: every cell looks the same, and in one of them left and right are switched. Get out.

    Always going right never gets past the switched cell, always going left never past the first. Without
    sight, **the best policy throws a coin**: right with probability 0.76. A learner that fails here
    turns its policy into a deterministic one, or it trusts a value function which cannot tell the
    cells apart: only the exit's own step looks good to one-step advantages (``gae_lambda=0``), which
    therefore go right for ever; ``gae_lambda=1`` compares whole walks and finds the best coin. Greedy evaluation (the
    most probable action) fails on this game however good the policy is.

    Observation, ``float32[1]``: always 1.

    Action, ``Discrete(2)``: 0 left, 1 right; the other way round in the second cell. Left in the first cell
    stays there.

    Reward: -1 for every step.

    Starting state: the first cell.

    Episode end: *terminated* at the exit, right of the last cell; *truncated* after ``max_steps`` steps.

    The return is the score. The best coin gets -20.3 on average, random play -42, a deterministic
    policy -200. For other lengths see ``expected_steps``.

    Parameters: ``length`` (6) cells; ``max_steps`` (200).

    Source: Sutton and Barto, "Reinforcement Learning", 2nd edition, example 13.1 (short corridor with switched
    actions). Theirs is ``length=3``, where the best coin, 0.59, is hardly better than a fair one.
    """

    observation = Box(0.0, 1.0, (1,), np.float32)
    action = Discrete(2)
    keys = {"ArrowLeft": LEFT, "ArrowRight": RIGHT}
    fps = 6
    size = (480, 150)

    class State:
        cell: i32
        action: i32  # the last one

    class Params:
        length: i32.at_least(2) = 6
        max_steps: i32.at_least(1) = 200

    def reset(s):
        s.cell, s.action = 0, -1

    def step(s, action):
        right = (action == RIGHT) != (s.cell == SWITCHED)
        s.cell = max(s.cell + (1 if right else -1), 0)
        s.action = action
        return -1.0, s.cell == s.length, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = 1.0

    def draw(s, canvas):
        side = canvas.width / (s.length + 1)
        top = (canvas.height - side) / 2 + 8
        canvas.clear(palette.NIGHT)
        canvas.text(12, 12, f"STEP {s.episode_length}", palette.SNOW, 2)
        for cell in range(s.length):
            canvas.rect(cell * side + 3, top, side - 6, side - 6, palette.SLATE, radius=5)
            if cell == SWITCHED:  # two arrows that point the wrong way, for those who watch
                x, y = (cell + 0.5) * side, top + side + 6
                for way in (-1, 1):
                    points = [(x + 3 * way, y - 6), (x + 3 * way, y + 6), (x + 13 * way, y)]
                    canvas.polygon(points, palette.VERMILLION)
        x, y = s.length * side, top + (side - 6) / 2
        canvas.rect(x + 0.2 * side, top, 0.6 * side, side - 6, palette.GREEN, radius=5)
        canvas.circle(x + 0.65 * side, y, 3, palette.NIGHT)  # the door's knob
        x, radius = (s.cell + 0.5) * side, 0.24 * side
        canvas.circle(x, y, radius, palette.SKY_BLUE)
        if s.action >= 0:  # where it wanted to go
            way = 1 if s.action == RIGHT else -1
            points = [(x - 4 * way, y - 6), (x - 4 * way, y + 6), (x + 7 * way, y)]
            canvas.polygon(points, palette.NIGHT)


def expected_steps(length: int, right: float) -> float:
    """Steps to the exit, on average, of going right with this probability (strictly between 0 and 1).

    The steps ``n[cell]`` from each cell solve n[cell] = 1 + the mean of n over where the next step leads.
    """
    system = np.eye(length)
    for cell in range(length):
        forward = 1 - right if cell == SWITCHED else right
        system[cell, max(cell - 1, 0)] -= 1 - forward
        if cell + 1 < length:
            system[cell, cell + 1] -= forward
    return float(np.linalg.solve(system, np.ones(length))[0])


@lru_cache
def best_coin(length: int) -> float:
    """The probability of going right that leaves the corridor soonest, to three digits."""
    return min(np.arange(0.001, 1.0, 0.001), key=lambda right: expected_steps(length, right))


def scripted(env: Stochastic) -> np.ndarray:
    """Right with the best probability."""
    return (CHANCE.random(env.num_agents) < best_coin(env.params["length"])).astype(np.int32)
