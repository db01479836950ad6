"""CartPole: balance a pole on a cart."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

GRAVITY = 9.8  # m/s^2
CART_MASS = 1.0  # kg
POLE_MASS = 0.1  # kg
TOTAL_MASS = CART_MASS + POLE_MASS
HALF_LENGTH = 0.5  # m, from the joint to the pole's centre
POLE_MOMENT = POLE_MASS * HALF_LENGTH  # kg m
FORCE = 10.0  # N
TIME_STEP = 0.02  # s
MAX_X = 2.4  # m
MAX_ANGLE = 12 * 2 * math.pi / 360  # rad


def push(s, force):
    """Move cart and pole on by one time step (Euler's method) under a horizontal force in newtons."""
    x, x_dot, theta, theta_dot = s.x, s.x_dot, s.theta, s.theta_dot
    sin, cos = math.sin(theta), math.cos(theta)
    # Constants in brackets are computed once: a division takes as long as ten products
    drive = (force + POLE_MOMENT * theta_dot * theta_dot * sin) * (1.0 / TOTAL_MASS)
    theta_acc = (GRAVITY * sin - cos * drive) / (
        HALF_LENGTH * (4.0 / 3.0) - (HALF_LENGTH * POLE_MASS / TOTAL_MASS) * cos * cos
    )
    x_acc = drive - (POLE_MOMENT / TOTAL_MASS) * theta_acc * cos
    s.x = x + TIME_STEP * x_dot
    s.x_dot = x_dot + TIME_STEP * x_acc
    s.theta = theta + TIME_STEP * theta_dot
    s.theta_dot = theta_dot + TIME_STEP * theta_acc
    return abs(s.x) > MAX_X or abs(s.theta) > MAX_ANGLE


class CartPole(OceanEnv):
    """A pole stands on a cart that runs on a track. Push the cart left or right so that the pole stays up.

    Observation, ``float32[4]``

    | index | meaning | unit | episode ends beyond |
    |---|---|---|---|
    | 0 | position of the cart | m | -2.4 .. 2.4 |
    | 1 | velocity of the cart | m/s | |
    | 2 | angle of the pole, 0 is upright | rad | -0.209 .. 0.209 (12 degrees) |
    | 3 | angular velocity of the pole | rad/s | |

    Action, ``Discrete(2)``: 0 pushes left, 1 pushes right, with 10 N.

    Reward: 1 for every step, the last one included.

    Starting state: all four numbers uniform in -0.05 .. 0.05.

    Episode end: *terminated* when the pole falls or the cart leaves the track (see the table);
    *truncated* after ``max_steps`` steps.

    Parameters: ``max_steps`` (500), the longest episode; the highest return is the same number.

    Source: Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning
    control problems", 1983. Numbers and dynamics are those of Gymnasium's CartPole-v1.
    """

    observation = Box(-np.inf, np.inf, (4,), np.float32)
    action = Discrete(2)
    keys = {"ArrowLeft": 0, "ArrowRight": 1}
    fps = 50
    size = (400, 240)

    class State:
        x: f32  # position of the cart, m
        x_dot: f32  # its velocity, m/s
        theta: f32  # angle of the pole, rad
        theta_dot: f32  # its angular velocity, rad/s

    class Params:
        max_steps: i32.at_least(1) = 500

    def reset(s):
        s.x = uniform(s, -0.05, 0.05)
        s.x_dot = uniform(s, -0.05, 0.05)
        s.theta = uniform(s, -0.05, 0.05)
        s.theta_dot = uniform(s, -0.05, 0.05)

    def step(s, action):
        fallen = push(s, FORCE if action == 1 else -FORCE)
        return 1.0, fallen, s.episode_length >= s.max_steps

    def observe(s, obs):
        obs[0] = s.x
        obs[1] = s.x_dot
        obs[2] = s.theta
        obs[3] = s.theta_dot

    def draw(s, canvas):
        width, height = canvas.width, canvas.height
        scale = width / 5.6  # pixels in a metre
        x, y = width / 2 + s.x * scale, 0.75 * height
        canvas.clear(palette.NIGHT)
        canvas.line(0, y, width, y, palette.FOG, 2)
        for end in (-MAX_X, MAX_X):
            canvas.line(width / 2 + end * scale, y - 8, width / 2 + end * scale, y + 8, palette.VERMILLION, 3)
        canvas.rect(x - 0.25 * scale, y - 0.15 * scale, 0.5 * scale, 0.3 * scale, palette.SKY_BLUE, radius=4)
        tip_x = x + 2 * HALF_LENGTH * scale * math.sin(s.theta)
        tip_y = y - 2 * HALF_LENGTH * scale * math.cos(s.theta)
        canvas.line(x, y, tip_x, tip_y, palette.ORANGE, 8)
        canvas.circle(x, y, 5, palette.NIGHT)
        canvas.text(8, 8, f"step {s.episode_length}", palette.SNOW, 2)


class CartPoleContinuous(CartPole):
    """CartPole whose push has any strength: the same cart and pole, with a force instead of two buttons.

    Action, ``Box(-1, 1, (1,))``: the force, in units of 10 N; negative is to the left.

    Everything else is as in :class:`CartPole`.
    """

    action = Box(-1.0, 1.0, (1,), np.float32)
    keys = {"ArrowLeft": (-1.0,), "ArrowRight": (1.0,)}

    def step(s, action):
        fallen = push(s, FORCE * action[0])
        return 1.0, fallen, s.episode_length >= s.max_steps


def scripted(env: OceanEnv) -> np.ndarray:
    """Pushes the way the pole leans and falls, and a little the way the cart is off the middle (both games)."""
    x, x_dot, theta, theta_dot = env.observations.T
    push_right = 0.05 * x + 0.1 * x_dot + theta + 0.5 * theta_dot
    if isinstance(env.action_space, Discrete):
        return (push_right > 0).astype(np.int32)
    return np.clip(3.0 * push_right, -1.0, 1.0)[:, None].astype(np.float32)
