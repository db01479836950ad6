"""Continuous: move to a point with an action that has a direction and a size."""

import math

import numpy as np

from ocean_numba import Box, OceanEnv, f32, i32, palette, uniform

SPEED = 0.1  # of a full action along one axis, per step; the arena is 2 wide
REACH = 0.05  # distance at which the target is reached


class Continuous(OceanEnv):
    """A point moves about a square. Bring it to the target.

    The smallest problem with continuous actions: where to go can be read off the observation, but the last step must
    have the right size, or it runs past the target. **A learner that fails here** and not with Squared has
    its Gaussian policy wrong: actions are clipped or scaled twice, log-probabilities are not summed
    over the two axes, or the standard deviation does not shrink.

    Observation, ``float32[4]``

    | index | meaning | range |
    |---|---|---|
    | 0, 1 | from the point to the target, x to the right, y down | -2 .. 2 |
    | 2, 3 | where the point is | -1 .. 1 |

    Action, ``Box(-1, 1, (2,))``: the step along x and y, in units of 0.1. Walls stop it.

    Reward: by how much the point came nearer to the target, and 1 more when it gets there.

    Starting state: point and target anywhere, uniformly.

    Episode end: *terminated* within 0.05 of the target; *truncated* after ``max_steps`` steps.

    Metric: ``score``, 1 when the target was reached, else 0. Random play reaches 0.04. The highest return is
    1 + the distance at the start, on average 2.04.

    Parameters: ``max_steps`` (50).

    Source: a reaching task as in PufferLib's Ocean environment Continuous; rules and code are our own.
    """

    observation = Box(np.float32([-2, -2, -1, -1]), np.float32([2, 2, 1, 1]))
    action = Box(-1.0, 1.0, (2,), np.float32)
    metrics = ("score",)
    keys = {
        "ArrowLeft": (-1.0, 0.0),
        "ArrowRight": (1.0, 0.0),
        "ArrowUp": (0.0, -1.0),
        "ArrowDown": (0.0, 1.0),
    }
    fps = 12
    size = (340, 340)

    class State:
        x: f32
        y: f32
        target_x: f32
        target_y: f32
        step_x: f32  # the last step, for the picture
        step_y: f32
        score: i32

    class Params:
        max_steps: i32.at_least(1) = 50

    def reset(s):
        s.x, s.y = uniform(s, -1.0, 1.0), uniform(s, -1.0, 1.0)
        s.target_x, s.target_y = uniform(s, -1.0, 1.0), uniform(s, -1.0, 1.0)

    def step(s, action):
        before = distance(s.target_x - s.x, s.target_y - s.y)
        x = min(max(s.x + SPEED * action[0], -1.0), 1.0)
        y = min(max(s.y + SPEED * action[1], -1.0), 1.0)
        after = distance(s.target_x - x, s.target_y - y)
        s.step_x, s.step_y = x - s.x, y - s.y
        s.x, s.y = x, y
        s.score = after <= REACH
        return before - after + s.score, after <= REACH, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = s.target_x - s.x
        obs[1] = s.target_y - s.y
        obs[2] = s.x
        obs[3] = s.y

    def draw(s, canvas):
        margin = 16
        unit = canvas.width / 2 - margin
        canvas.clear(palette.SLATE)
        canvas.rect(margin, margin, 2 * unit, 2 * unit, palette.NIGHT, radius=6)
        x, y = margin + (1 + s.target_x) * unit, margin + (1 + s.target_y) * unit
        for radius, color in ((17, palette.YELLOW), (13, palette.NIGHT), (REACH * unit, palette.YELLOW)):
            canvas.circle(x, y, radius, color)
        x, y = margin + (1 + s.x) * unit, margin + (1 + s.y) * unit
        tail = palette.mix(palette.NIGHT, palette.SKY_BLUE, 0.5)
        canvas.line(x, y, x - 2 * s.step_x * unit, y - 2 * s.step_y * unit, tail, 4)
        canvas.circle(x, y, 6, palette.SKY_BLUE)
        canvas.text(margin + 8, margin + 8, f"STEP {s.episode_length}", palette.FOG, 2)


def distance(dx, dy):
    return math.sqrt(dx * dx + dy * dy)


def scripted(env: Continuous) -> np.ndarray:
    """Straight to the target, and no farther."""
    ahead = env.observations[:, :2] / SPEED
    longest = np.abs(ahead).max(axis=1, keepdims=True)
    return (ahead / np.maximum(longest, 1.0)).astype(np.float32)
