"""Acrobot: swing two rods up like a gymnast on a bar."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

# Both rods are 1 m long, weigh 1 kg, have their centre of mass in the middle and a moment of inertia of 1 kg m²
# (Gymnasium's numbers; a uniform rod would have 1/12).
MASS = 1.0
LENGTH = 1.0
CENTER = 0.5  # from a rod's joint to its centre of mass
MOMENT = 1.0
GRAVITY = 9.8  # m/s²
TIME_STEP = 0.2  # s
MAX_SPEED_1, MAX_SPEED_2 = 4 * math.pi, 9 * math.pi  # rad/s
PI, TURN = math.pi, 2 * math.pi
LINE = 1.0  # m above the bar: where the tip should get to


def accelerations(theta_1, theta_2, speed_1, speed_2, torque):
    """Angular accelerations of the two joints (Sutton & Barto's book; all terms carry a mass of 1 kg)."""
    sin_1, cos_1, sin_2, cos_2 = math.sin(theta_1), math.cos(theta_1), math.sin(theta_2), math.cos(theta_2)
    sin_12 = sin_1 * cos_2 + cos_1 * sin_2  # of theta_1 + theta_2, for less than another sine
    coupling = MASS * LENGTH * CENTER
    d1 = MASS * (2.0 * CENTER * CENTER + LENGTH * LENGTH) + 2.0 * coupling * cos_2 + 2.0 * MOMENT
    d2 = MASS * CENTER * CENTER + coupling * cos_2 + MOMENT
    phi_2 = MASS * CENTER * GRAVITY * sin_12
    phi_1 = (
        phi_2
        - coupling * speed_2 * (speed_2 + 2.0 * speed_1) * sin_2
        + (MASS * CENTER + MASS * LENGTH) * GRAVITY * sin_1
    )
    share = d2 / d1
    acceleration_2 = (torque + share * phi_1 - coupling * speed_1 * speed_1 * sin_2 - phi_2) / (
        MASS * CENTER * CENTER + MOMENT - share * d2
    )
    return -share * acceleration_2 - phi_1 / d1, acceleration_2


def runge_kutta(a, b, u, v, torque):
    """Angles a, b and speeds u, v one time step later: the classical method of fourth order."""
    half = 0.5 * TIME_STEP
    p1, q1 = accelerations(a, b, u, v, torque)
    u2, v2 = u + half * p1, v + half * q1
    p2, q2 = accelerations(a + half * u, b + half * v, u2, v2, torque)
    u3, v3 = u + half * p2, v + half * q2
    p3, q3 = accelerations(a + half * u2, b + half * v2, u3, v3, torque)
    u4, v4 = u + TIME_STEP * p3, v + TIME_STEP * q3
    p4, q4 = accelerations(a + TIME_STEP * u3, b + TIME_STEP * v3, u4, v4, torque)
    sixth = TIME_STEP / 6.0
    return (
        a + sixth * (u + 2.0 * u2 + 2.0 * u3 + u4),
        b + sixth * (v + 2.0 * v2 + 2.0 * v3 + v4),
        u + sixth * (p1 + 2.0 * p2 + 2.0 * p3 + p4),
        v + sixth * (q1 + 2.0 * q2 + 2.0 * q3 + q4),
    )


def wrap(angle):
    """The same angle in -pi .. pi."""
    return angle - TURN * np.floor((angle + PI) * (1.0 / TURN))


class Acrobot(OceanEnv):
    """Two rods hang from a bar like a gymnast; only the hip has a motor. Swing the feet above the line.

    Observation, ``float32[6]``

    | index | meaning | unit | range |
    |---|---|---|---|
    | 0, 1 | cosine and sine of the first rod's angle; 0 is hanging down | | -1 .. 1 |
    | 2, 3 | cosine and sine of the second rod's angle against the first | | -1 .. 1 |
    | 4 | angular velocity of the first rod | rad/s | -12.57 .. 12.57 |
    | 5 | angular velocity of the second against the first | rad/s | -28.27 .. 28.27 |

    Action, ``Discrete(3)``: the torque at the joint between the rods, 0: -1 N m, 1: none, 2: +1 N m.

    Reward: -1 for every step, and 0 for the one in which the tip rises above the line, 1 m above the bar. A
    return of -80 is good, and -63 about the best that is known of a starting state.

    Starting state: both angles and both velocities uniform in -0.1 .. 0.1.

    Episode end: *terminated* when the tip is above the line; *truncated* after ``max_steps`` steps.

    Metric: ``score``, 1 when the tip got above the line, else 0. Random play reaches 0.01 in 500 steps.

    Parameters: ``max_steps`` (500).

    Source: Sutton, "Generalization in reinforcement learning: successful examples using sparse coarse coding",
    1996. Numbers and dynamics (Runge-Kutta of order 4, a step of 0.2 s) are those of Gymnasium's Acrobot-v1.
    """

    observation = Box(
        -np.float32([1, 1, 1, 1, MAX_SPEED_1, MAX_SPEED_2]),
        np.float32([1, 1, 1, 1, MAX_SPEED_1, MAX_SPEED_2]),
    )
    action = Discrete(3)
    metrics = ("score",)
    keys = {"ArrowLeft": 0, "ArrowDown": 1, "ArrowRight": 2}
    idle = 1
    fps = 15
    size = (320, 320)

    class State:
        theta_1: f32  # of the first rod, 0 is hanging down, rad, -pi .. pi
        theta_2: f32  # of the second, relative to the first
        speed_1: f32  # rad/s
        speed_2: f32
        torque: f32  # of the last step, N m (for the picture)
        score: i32  # 1 once the tip is above the line

    class Params:
        max_steps: i32.at_least(1) = 500

    def reset(s):
        s.theta_1 = uniform(s, -0.1, 0.1)
        s.theta_2 = uniform(s, -0.1, 0.1)
        s.speed_1 = uniform(s, -0.1, 0.1)
        s.speed_2 = uniform(s, -0.1, 0.1)

    def step(s, action):
        s.torque = action - 1
        theta_1, theta_2, speed_1, speed_2 = runge_kutta(
            s.theta_1, s.theta_2, s.speed_1, s.speed_2, f32(action - 1)
        )
        s.theta_1 = wrap(theta_1)
        s.theta_2 = wrap(theta_2)
        s.speed_1 = min(max(speed_1, -MAX_SPEED_1), MAX_SPEED_1)
        s.speed_2 = min(max(speed_2, -MAX_SPEED_2), MAX_SPEED_2)
        above = -LENGTH * (math.cos(theta_1) + math.cos(theta_1 + theta_2)) > LINE
        s.score = above
        return 0.0 if above else -1.0, above, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = math.cos(s.theta_1)
        obs[1] = math.sin(s.theta_1)
        obs[2] = math.cos(s.theta_2)
        obs[3] = math.sin(s.theta_2)
        obs[4] = s.speed_1
        obs[5] = s.speed_2

    def draw(s, canvas):
        x, y = canvas.width / 2, canvas.height / 2 + 12
        unit = 0.2 * canvas.width  # pixels in a metre
        canvas.clear(palette.NIGHT)
        for k in range(0, canvas.width, 16):  # the line, dashed
            canvas.line(k, y - LINE * unit, k + 8, y - LINE * unit, palette.YELLOW, 2)
        canvas.line(x - 30, y, x + 30, y, palette.FOG, 3)
        knee_x, knee_y = x + unit * math.sin(s.theta_1), y + unit * math.cos(s.theta_1)
        angle = s.theta_1 + s.theta_2
        tip_x, tip_y = knee_x + unit * math.sin(angle), knee_y + unit * math.cos(angle)
        canvas.line(x, y, knee_x, knee_y, palette.SKY_BLUE, 12)
        canvas.line(knee_x, knee_y, tip_x, tip_y, palette.ORANGE, 9)
        canvas.circle(x, y, 5, palette.SNOW)
        if s.torque == 0:
            canvas.circle(knee_x, knee_y, 7, palette.FOG)
        else:  # a triangle that points to where the motor turns the second rod
            side = math.copysign(1.0, s.torque)
            across_x, across_y = side * math.cos(angle), -side * math.sin(angle)
            corners = [
                (knee_x + 16 * across_x, knee_y + 16 * across_y),
                (knee_x + 9 * across_y, knee_y - 9 * across_x),
                (knee_x - 9 * across_y, knee_y + 9 * across_x),
            ]
            canvas.polygon(corners, palette.SNOW)
        canvas.text(10, 10, f"step {s.episode_length}", palette.SNOW)


def scripted(env: OceanEnv) -> np.ndarray:
    """Actions that pump energy: swinging the second rod back pushes the first one on, the way it is going."""
    return np.where(env.observations[:, 4] >= 0, 0, 2).astype(np.int32)
