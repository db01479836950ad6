"""Flappy: one button, a bird, and gaps between pipes."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

# The picture is 12 x 12 units, y points down; speeds are per step, and 30 steps make a second.
HEIGHT = 12.0
BIRD_X, RADIUS = 3.0, 0.35
GRAVITY = 0.03  # per step, each step
FLAP = -0.33  # the bird's speed down after a flap
MAX_FALL = 0.5
SCROLL = 0.15  # of the pipes, to the left
PIPE_WIDTH, SPACING = 1.4, 6.0
FIRST_PIPE = 9.0  # its middle at the start
HIGHEST, LOWEST = 3.0, 9.0  # the middle of a gap
BESIDE = 0.5 * PIPE_WIDTH + RADIUS  # nearer than this to a pipe's middle, sideways, the bird is in the gap


class Flappy(OceanEnv):
    """A bird falls, flaps, and flies through the gaps between pipes. There is one button.

    The bird is at a fixed place while the pipes come from the right. Each flap, whatever the bird was doing,
    lets it rise by 2 within 11 steps; a pipe comes every 40 steps.

    Observation, ``float32[5]``

    | index | meaning | unit |
    |---|---|---|
    | 0 | the bird's height, -1 at the ceiling, 1 at the ground | half the picture |
    | 1 | the bird's speed down | the highest, 0.5 per step |
    | 2 | way to the middle of the next pipe, or back to it from inside the gap | 6, the way between pipes |
    | 3 | the middle of its gap, below the bird | half the picture |
    | 4 | the middle of the gap after that one, below the bird | half the picture |

    Action, ``Discrete(2)``: 0 nothing, 1 flap.

    Reward: 1 for every pipe that is passed, -1 for a crash.

    Metric: ``score``, the pipes passed; with the parameters' defaults at most 49. Random play reaches 0.

    Starting state: the bird in the middle, at rest; every gap's middle uniform in 3 .. 9 from the ceiling.

    Episode end: *terminated* when the bird touches a pipe, the ceiling or the ground; *truncated* after
    ``max_steps`` steps.

    Parameters: ``gap`` (3.2), the height of the gaps, of 12; ``max_steps`` (2000).

    Source: Flappy Bird (Dong Nguyen, 2013).
    """

    observation = Box(-np.inf, np.inf, (5,), np.float32)
    action = Discrete(2)
    metrics = ("score",)
    keys = {" ": 1, "ArrowUp": 1}
    fps = 30
    size = (360, 360)

    class State:
        y: f32  # of the bird
        vy: f32
        pipe: f32  # x of the middle of the next pipe
        passed: f32  # middle of the gap behind the bird (only the picture needs it), 0 at first
        gap_y: f32  # of the next pipe
        later_y: f32  # of the pipe after that
        score: i32

    class Params:
        gap: f32.between(1.0, 6.0) = 3.2
        max_steps: i32.at_least(1) = 2000

    def reset(s):
        s.y, s.vy = 0.5 * HEIGHT, 0.0
        s.pipe = FIRST_PIPE
        s.gap_y, s.later_y = uniform(s, HIGHEST, LOWEST), uniform(s, HIGHEST, LOWEST)

    def step(s, action):
        vy = FLAP if action == 1 else min(s.vy + GRAVITY, MAX_FALL)
        y, pipe = s.y + vy, s.pipe - SCROLL
        crashed = y < RADIUS or y > HEIGHT - RADIUS
        if abs(pipe - BIRD_X) < BESIDE:
            crashed |= abs(y - s.gap_y) > 0.5 * s.gap - RADIUS
        reward = 0.0
        if pipe <= BIRD_X - BESIDE:
            pipe += SPACING
            s.passed, s.gap_y, s.later_y = s.gap_y, s.later_y, uniform(s, HIGHEST, LOWEST)
            s.score += not crashed
            reward = 1.0
        s.y, s.vy, s.pipe = y, vy, pipe
        return -1.0 if crashed else reward, crashed, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = s.y * (2.0 / HEIGHT) - 1.0
        obs[1] = s.vy * (1.0 / MAX_FALL)
        obs[2] = (s.pipe - BIRD_X) * (1.0 / SPACING)
        obs[3] = (s.gap_y - s.y) * (2.0 / HEIGHT)
        obs[4] = (s.later_y - s.y) * (2.0 / HEIGHT)

    def draw(s, canvas):
        unit = canvas.width / HEIGHT
        canvas.clear(palette.NIGHT)
        for x, middle in ((s.pipe - SPACING, s.passed), (s.pipe, s.gap_y), (s.pipe + SPACING, s.later_y)):
            if middle == 0.0:  # there is no pipe yet
                continue
            left, width = (x - 0.5 * PIPE_WIDTH) * unit, PIPE_WIDTH * unit
            top, bottom = (middle - 0.5 * s.gap) * unit, (middle + 0.5 * s.gap) * unit
            dark = palette.mix(palette.GREEN, palette.NIGHT, 0.35)
            canvas.rect(left + 4, 0, width - 8, top, dark)
            canvas.rect(left + 4, bottom, width - 8, canvas.height - bottom, dark)
            canvas.rect(left, top - 14, width, 14, palette.GREEN, radius=3)
            canvas.rect(left, bottom, width, 14, palette.GREEN, radius=3)
        x, y, radius = BIRD_X * unit, s.y * unit, RADIUS * unit
        canvas.polygon([(x + 6, y - 3), (x + 6, y + 6), (x + 18, y + 3)], palette.ORANGE)
        canvas.circle(x, y, radius, palette.YELLOW)
        canvas.circle(x + 4, y - 3, 2.5, palette.NIGHT)
        wing = 6 if s.vy < 0 else -6  # beats down while the bird rises
        canvas.polygon([(x - 2, y), (x - 12, y), (x - 9, y + wing)], palette.SNOW)
        canvas.text(8, 8, str(s.score), palette.SNOW, scale=3)


def scripted(env) -> np.ndarray:
    """Flap when the bird would otherwise sink too low in the next gap."""
    below = env.observations[:, 3] * (0.5 * HEIGHT)  # the gap's middle, below the bird
    speed = env.observations[:, 1] * MAX_FALL
    return (below - speed < -1.1).astype(np.int32)
