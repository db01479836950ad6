"""MountainCar: rock a weak car out of a valley."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

# Lengths are in Gymnasium's unit (the valley is 1.8 wide), time in steps.
MIN_X, MAX_X = -1.2, 0.6
GOAL_X = 0.5
NEAR_GOAL_X = 0.45  # of the continuous one, whose flag counts a little earlier
MAX_SPEED = 0.07
GRAVITY = 0.0025
ENGINE = 0.001  # acceleration of the car with two pedals: weaker than gravity on the steep part
STRONG_ENGINE = 0.0015  # of the continuous one
HILL = 0.45  # the track's height is HILL * sin(3 x) + 0.55


def drive(s, push, goal):
    """Move the car on by one step under the engine's ``push``. Returns whether it reached ``goal``."""
    velocity = s.velocity + push - GRAVITY * math.cos(3.0 * s.x)
    velocity = min(max(velocity, -MAX_SPEED), MAX_SPEED)
    x = min(max(s.x + velocity, MIN_X), MAX_X)
    if x <= MIN_X and velocity < 0.0:
        velocity = 0.0  # the wall on the left stops it
    s.x, s.velocity = x, velocity
    arrived = x >= goal
    s.score = arrived
    return arrived


def energy(x, velocity):
    """The car's height plus what it could climb with its speed, in units of the valley's depth."""
    return 0.5 * (1.0 + math.sin(3.0 * x)) + velocity * velocity * (0.75 / GRAVITY)


class MountainCar(OceanEnv):
    """A car stands in a valley. Its engine is too weak for the hill: rock to and fro until it gets over.

    A hard problem for exploration: going away from the flag comes first, and nothing tells so.

    Observation, ``float32[2]``

    | index | meaning | unit | range |
    |---|---|---|---|
    | 0 | position; the valley's lowest point is -0.52, the flag 0.5 | | -1.2 .. 0.6 |
    | 1 | velocity, positive to the right | per step | -0.07 .. 0.07 |

    Action, ``Discrete(3)``: 0 accelerates to the left, 1 does nothing, 2 accelerates to the right.

    Reward: -1 for every step, the last one included. The highest return is about -85 on average (the fastest way
    takes that long).

    Starting state: position uniform in -0.6 .. -0.4, velocity 0.

    Episode end: *terminated* at the flag; *truncated* after ``max_steps`` steps.

    Metric: ``score``, 1 when the flag was reached, else 0. Random play reaches 0.

    Parameters: ``max_steps`` (200); ``shaping`` (0.0), an additional reward for each unit of energy gained in a
    step (1 unit: from the valley's bottom to the top of the hill, or the speed to roll there). Being a difference
    of potentials it does not change which policy is best (Ng, Harada and Russell, 1999), but makes learning easy.

    Source: Moore, "Efficient memory-based learning for robot control", 1990. Numbers and dynamics are those of
    Gymnasium's MountainCar-v0.
    """

    observation = Box(np.float32([MIN_X, -MAX_SPEED]), np.float32([MAX_X, MAX_SPEED]))
    action = Discrete(3)
    metrics = ("score",)
    keys = {"ArrowLeft": 0, "ArrowDown": 1, "ArrowRight": 2}
    idle = 1
    fps = 30
    size = (400, 290)

    class State:
        x: f32
        velocity: f32  # per step
        score: i32  # 1 once the flag is reached

    class Params:
        max_steps: i32.at_least(1) = 200
        shaping: f32.at_least(0) = 0.0

    def reset(s):
        s.x = uniform(s, -0.6, -0.4)

    def step(s, action):
        reward = -1.0
        if s.shaping > 0.0:  # saves a sine
            before = energy(s.x, s.velocity)
            arrived = drive(s, ENGINE * f32(action - 1), GOAL_X)
            reward += s.shaping * (energy(s.x, s.velocity) - before)
        else:
            arrived = drive(s, ENGINE * f32(action - 1), GOAL_X)
        return reward, arrived, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = s.x
        obs[1] = s.velocity

    def draw(s, canvas):
        width, height = canvas.width, canvas.height
        scale = width / (MAX_X - MIN_X)

        def point(x, above=0.0):
            """The pixel ``above`` pixels over the track at ``x``, at right angles to it."""
            slope = 3.0 * HILL * math.cos(3.0 * x)
            long = math.hypot(slope, 1.0)
            pixel_x, pixel_y = (x - MIN_X) * scale, height - 20 - scale * (HILL * math.sin(3.0 * x) + HILL)
            return pixel_x - above * slope / long, pixel_y - above / long

        canvas.clear(palette.NIGHT)
        track = [point(MIN_X + k * (MAX_X - MIN_X) / 60) for k in range(61)]
        canvas.polygon([(0, height), *track, (width, height)], palette.SLATE)
        for start, end in zip(track, track[1:], strict=False):
            canvas.line(*start, *end, palette.FOG, 2)
        flag_x, flag_y = point(GOAL_X)
        canvas.line(flag_x, flag_y, flag_x, flag_y - 44, palette.SNOW, 2)
        canvas.polygon(
            [(flag_x, flag_y - 44), (flag_x - 22, flag_y - 36), (flag_x, flag_y - 28)], palette.YELLOW
        )
        half = 0.06
        x = min(max(s.x, MIN_X + half), MAX_X - half)  # the wheels stay in the picture
        for above, color, thick in ((13, palette.SKY_BLUE, 12), (21, palette.SKY_BLUE, 7)):
            reach = half if above == 13 else 0.5 * half
            canvas.line(*point(x - reach, above), *point(x + reach, above), color, thick)
        for wheel in (x - 0.7 * half, x + 0.7 * half):
            canvas.circle(*point(wheel, 6), 6, palette.SNOW)
            canvas.circle(*point(wheel, 6), 2.5, palette.NIGHT)
        share = s.velocity / MAX_SPEED  # a bar that grows with the speed, to the side that it goes to
        canvas.rect(min(60, 60 + 50 * share), 28, abs(50 * share), 6, palette.ORANGE)
        canvas.line(60, 25, 60, 36, palette.FOG, 1)
        canvas.text(10, 10, f"step {s.episode_length}", palette.SNOW)


class MountainCarContinuous(MountainCar):
    """MountainCar with a pedal of any strength: a somewhat stronger engine, and fuel that costs.

    Action, ``Box(-1, 1, (1,))``: the engine's share of its full strength; negative is to the left.

    Reward: 100 at the flag (here at position 0.45), and minus ``0.1 action²`` in every step. Doing nothing gives 0,
    more than anything that never arrives: learners easily end there. A return of 90 or more is very good.

    Parameters: ``max_steps`` (999), and ``shaping`` as in :class:`MountainCar`.

    Everything else is as in :class:`MountainCar`.

    Source: numbers and dynamics are those of Gymnasium's MountainCarContinuous-v0.
    """

    action = Box(-1.0, 1.0, (1,), np.float32)
    keys = {"ArrowLeft": (-1.0,), "ArrowDown": (0.0,), "ArrowRight": (1.0,)}
    idle = (0.0,)

    class Params:
        max_steps: i32.at_least(1) = 999
        shaping: f32.at_least(0) = 0.0

    def step(s, action):
        push = action[0]
        before = energy(s.x, s.velocity) if s.shaping > 0.0 else 0.0
        arrived = drive(s, STRONG_ENGINE * push, NEAR_GOAL_X)
        reward = (100.0 if arrived else 0.0) - 0.1 * push * push
        if s.shaping > 0.0:
            reward += s.shaping * (energy(s.x, s.velocity) - before)
        return reward, arrived, s.episode_length >= s.max_steps


def scripted(env: OceanEnv) -> np.ndarray:
    """Actions that always push the way the car is going: every swing gets higher (both kinds of car)."""
    velocity = env.observations[:, 1]
    if isinstance(env.action_space, Discrete):
        return np.where(velocity >= 0, 2, 0).astype(np.int32)
    return np.where(velocity >= 0, 1.0, -1.0)[:, None].astype(np.float32)
