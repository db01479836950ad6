"""Pendulum: swing a rod up and hold it there."""

import math

import numpy as np

from ocean_numba import Box, OceanEnv, f32, i32, palette, uniform

LENGTH = 1.0  # m, a uniform rod that turns about one end
MASS = 1.0  # kg
TIME_STEP = 0.05  # s
MAX_TORQUE = 2.0  # N m, too weak to lift the rod directly: that would take 5
MAX_SPEED = 8.0  # rad/s
TURN = 2 * math.pi
UPRIGHT = 12 * TURN / 360  # rad: nearer to the top than this counts for the score


class Pendulum(OceanEnv):
    """A rod hangs from a joint with a weak motor. Swing it up, then balance it, with as little torque as possible.

    The motor cannot lift the rod directly: it has to be swung to and fro, as a child on a swing.

    Observation, ``float32[3]``

    | index | meaning | unit | range |
    |---|---|---|---|
    | 0 | cosine of the rod's angle: 1 upright, -1 hanging | | -1 .. 1 |
    | 1 | sine of the angle, positive when it leans to the left | | -1 .. 1 |
    | 2 | angular velocity, positive counterclockwise | rad/s | -8 .. 8 |

    Action, ``Box(-2, 2, (1,))``: the torque in N m, positive counterclockwise.

    Reward: minus a cost, ``angle² + 0.1 velocity² + 0.001 torque²``, of the state *before* the step. The angle is
    measured from the top, -pi .. pi, so that the least is -16.27 and the highest 0.

    Starting state: any angle, a velocity of -1 .. 1 rad/s, uniformly random.

    Episode end: *truncated* after ``max_steps`` steps. Nothing terminates.

    Metric: ``score``, the share of the episode that the rod stood upright (within 12 degrees of the top).
    Random play reaches 0.02; swinging up takes a third of the time or less: about 0.8 is as good as it gets.
    An ``episode_return`` of about -150 is as good, one of -1200 is random play's.

    Parameters: ``gravity`` (10.0) in m/s², ``max_steps`` (200).

    Source: numbers and dynamics are those of Gymnasium's Pendulum-v1, a problem as old as the field (Furuta,
    Yamakita and Kobayashi, "Swing-up control of inverted pendulum", 1991).
    """

    observation = Box(np.float32([-1, -1, -MAX_SPEED]), np.float32([1, 1, MAX_SPEED]))
    action = Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32)
    metrics = ("score",)
    keys = {"ArrowLeft": (MAX_TORQUE,), "ArrowRight": (-MAX_TORQUE,)}
    fps = 20
    size = (320, 320)

    class State:
        theta: f32  # angle from the top, counterclockwise, rad, -pi .. pi
        theta_dot: f32  # rad/s
        torque: f32  # of the last step, N m (for the picture)
        score: f32  # share of the episode spent upright

    class Params:
        gravity: f32 = 10.0
        max_steps: i32.at_least(1) = 200

    def reset(s):
        s.theta = uniform(s, -math.pi, math.pi)
        s.theta_dot = uniform(s, -1.0, 1.0)

    def step(s, action):
        theta, theta_dot, torque = s.theta, s.theta_dot, action[0]
        cost = theta * theta + 0.1 * theta_dot * theta_dot + 0.001 * torque * torque
        pull = (1.5 * s.gravity / LENGTH) * math.sin(theta)  # the rod's moment of inertia is m l² / 3
        theta_dot += (pull + torque * (3.0 / (MASS * LENGTH * LENGTH))) * TIME_STEP
        theta_dot = min(max(theta_dot, -MAX_SPEED), MAX_SPEED)
        theta += theta_dot * TIME_STEP
        # One turn is never passed in a step, so that one correction keeps the angle in -pi .. pi.
        theta += TURN * (theta < -math.pi) - TURN * (theta > math.pi)
        s.theta, s.theta_dot, s.torque = theta, theta_dot, torque
        if abs(theta) < UPRIGHT:
            s.score += 1.0 / f32(s.max_steps)
        return -cost, False, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = math.cos(s.theta)
        obs[1] = math.sin(s.theta)
        obs[2] = s.theta_dot

    def draw(s, canvas):
        x, y = canvas.width / 2, canvas.height / 2 + 10
        length = 0.36 * canvas.width
        canvas.clear(palette.NIGHT)
        canvas.circle(x, y, length + 1, palette.SLATE)  # the way of the rod's end
        canvas.circle(x, y, length - 1, palette.NIGHT)
        for side in (-1, 1):  # the part of it that counts as upright
            mark_x, mark_y = side * math.sin(UPRIGHT), -math.cos(UPRIGHT)
            start, end = length - 9, length + 9
            canvas.line(
                x + start * mark_x, y + start * mark_y, x + end * mark_x, y + end * mark_y, palette.FOG, 2
            )
        tip_x, tip_y = x - length * math.sin(s.theta), y - length * math.cos(s.theta)
        upright = abs(s.theta) < UPRIGHT
        canvas.line(x, y, tip_x, tip_y, palette.SKY_BLUE if upright else palette.ORANGE, 16)
        canvas.circle(x, y, 5, palette.NIGHT)
        draw_torque(canvas, x, y, s.torque)
        canvas.text(10, 10, f"upright {100 * s.score:.0f} %", palette.SNOW, 2)
        canvas.text(10, canvas.height - 18, f"torque {s.torque:+.2f} N m", palette.FOG)


def draw_torque(canvas, x, y, torque):
    """An arrow around the joint, the longer the stronger the motor pulls."""
    radius, steps = 30, 12
    points = []
    for k in range(steps + 1):
        angle = 0.7 * torque * k / steps  # counterclockwise from the top
        points.append((x - radius * math.sin(angle), y - radius * math.cos(angle)))
    for start, end in zip(points, points[1:], strict=False):
        canvas.line(*start, *end, palette.SNOW, 3)
    if abs(torque) > 0.2:
        (end_x, end_y), turn = points[-1], math.copysign(1.0, torque)
        angle = 0.7 * torque
        along_x, along_y = -turn * math.cos(angle), turn * math.sin(angle)  # where the arrow goes on
        left, right = (end_x - 6 * along_y, end_y + 6 * along_x), (end_x + 6 * along_y, end_y - 6 * along_x)
        canvas.polygon([(end_x + 10 * along_x, end_y + 10 * along_y), left, right], palette.SNOW)


def scripted(env: OceanEnv) -> np.ndarray:
    """Torques ``[rows, 1]`` that pump energy into the swing until it suffices, and then balance.

    Astrom and Furuta, "Swinging up a pendulum by energy control", 2000.
    """
    cos, sin, speed = env.observations.T
    pull = 1.5 * env.params["gravity"] / LENGTH
    missing = pull * (1 - cos) - 0.5 * speed**2  # energy to the top, per moment of inertia
    pump = np.where(speed >= 0, 1.0, -1.0) * missing
    balance = -(pull * sin + 16 * np.arctan2(sin, cos) + 6 * speed) / 3
    torque = np.where(cos > 0.9, balance, pump)
    return np.clip(torque, -MAX_TORQUE, MAX_TORQUE)[:, None].astype(np.float32)
