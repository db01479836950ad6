"""LunarLander: put a lander down gently on its pad."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

NOTHING, LEFT_ENGINE, MAIN_ENGINE, RIGHT_ENGINE = 0, 1, 2, 3

# Metres and seconds; x to the right, y up, (0, 0) is the middle of the pad; angles are counterclockwise. Forces and
# the moment of inertia are per kilogram of the lander, so that its mass appears nowhere.
TIME_STEP = 0.02
HALF_WIDTH = 10.0  # of the landscape; beyond it the lander is lost
CEILING = 15.0
START_Y, START_SPEED = 10.0, 4.0
POINTS, SPACING = 11, 2.0  # of the ground, straight in between; points 4, 5 and 6 are the pad
LAST = 9.999  # the last place with a point of the ground on either side
HALF_PAD = SPACING
ROUGHNESS = 3.3  # highest hill, deepest valley
MAIN_THRUST = 19.0
SIDE_THRUST = 2.6
SIDE_ABOVE = 0.5  # side engines sit this far above the centre of mass: they turn the lander, too
INERTIA = 0.3
HULL = 0.45  # radius of the hull, a circle as far as collisions go
FOOT_X, FOOT_Y = 0.9, -0.75  # where the feet are, seen from the centre of mass
SPRING, DAMPER, FRICTION = 100.0, 8.0, 0.6  # of the legs, and of the feet on the ground
REST_Y = 0.7  # height of the centre of mass when it stands on the pad
TINY = 1e-12
REST_SPEED, REST_STEPS = 0.1, 25  # slower than this, on both feet, for half a second: landed

# What makes observations about -1 .. 1 (the factors of Gymnasium's LunarLander).
PER_X, PER_Y, PER_VX, PER_VY, PER_SPIN = 0.1, 0.15, 0.2, 0.1333, 0.4


def ground(s, x):
    """Height and slope of the ground at ``x``."""
    place = min(max((x + HALF_WIDTH) * (1.0 / SPACING), 0.0), LAST)
    k = int(place)
    left, right = s.heights[k], s.heights[k + 1]
    return left + (right - left) * (place - f32(k)), (right - left) * (1.0 / SPACING)


def leg(s, arm_x, arm_y, vx, vy, spin):
    """Force of the ground on a foot at ``(arm_x, arm_y)`` from the centre: ``(fx, fy, torque, touches)``.

    A spring and a damper push at right angles to the ground; friction brakes along it.
    """
    height, slope = ground(s, s.x + arm_x)
    depth = height - s.y - arm_y
    if depth <= 0.0:
        return 0.0, 0.0, 0.0, 0
    normal_y = 1.0 / math.sqrt(1.0 + slope * slope)
    normal_x = -slope * normal_y
    foot_vx, foot_vy = vx - spin * arm_y, vy + spin * arm_x
    out = foot_vx * normal_x + foot_vy * normal_y  # speed away from the ground, and along it
    along = foot_vx * normal_y - foot_vy * normal_x
    push = max(SPRING * depth * normal_y - DAMPER * out, 0.0)
    brake = min(max(-DAMPER * along, -FRICTION * push), FRICTION * push)
    fx = push * normal_x + brake * normal_y
    fy = push * normal_y - brake * normal_x
    return fx, fy, arm_x * fy - arm_y * fx, 1


class LunarLander(OceanEnv):
    """A lander falls towards the moon. Bring it down on the pad: upright, slowly, on both feet, with little fuel.

    The lander is one rigid body with springs for legs. The ground differs in each episode; the pad is level and
    in the middle.

    Observation, ``float32[8]``

    | index | meaning | one unit is | range |
    |---|---|---|---|
    | 0 | x, 0 above the pad's middle | 10 m | -1 .. 1 |
    | 1 | y, 0 when standing on the pad | 6.7 m | about -0.5 .. 2.2 |
    | 2, 3 | velocity to the right, and up | 5, 7.5 m/s | |
    | 4 | angle, 0 is upright, counterclockwise | rad | |
    | 5 | angular velocity | 2.5 rad/s | |
    | 6, 7 | the left and the right foot touch the ground | | 0, 1 |

    Action, ``Discrete(4)``

    | value | engine | effect |
    |---|---|---|
    | 0 | none | gravity alone |
    | 1 | left | pushes to the right and turns clockwise |
    | 2 | main | pushes up along the lander's axis, with 1.9 times the default gravity |
    | 3 | right | pushes to the left and turns counterclockwise |

    Reward: the change, since the step before, of how well the lander is off: ``-100 (distance + speed + |angle|)``
    in units of the observation, and 10 for each foot on the ground. Each step costs 0.3 with the main engine and
    0.03 with a side engine. 100 for landing, -100 for a crash or for getting lost.

    Starting state: 10 m above the pad, upright, a velocity of -4 .. 4 m/s in each direction.

    Episode end: *terminated* when the hull touches the ground (crash), when the lander leaves the landscape (10 m to
    either side, 15 m up), or when it stands still on both feet for half a second (landed). *Truncated* after
    ``max_steps`` steps.

    Metric: ``score``, 1 when it landed on the pad, else 0. Random play reaches 0, and a return of about -200; a
    return of 200 and more is good.

    Parameters: ``gravity`` (10.0) in m/s² -- stronger than the moon's, so that things happen soon; ``max_steps``
    (1000), each of 0.02 s.

    Source: Atari's Lunar Lander (1979). Observation, actions, rewards and sizes follow Gymnasium's LunarLander-v3;
    the body, its legs and its engines are our own, without Box2D, and so are numbers in detail.
    """

    observation = Box(
        np.float32([-1, -np.inf, -np.inf, -np.inf, -np.inf, -np.inf, 0, 0]),
        np.float32([1, np.inf, np.inf, np.inf, np.inf, np.inf, 1, 1]),
    )
    action = Discrete(4)
    metrics = ("score",)
    keys = {"ArrowUp": MAIN_ENGINE, "ArrowLeft": RIGHT_ENGINE, "ArrowRight": LEFT_ENGINE}
    fps = 50
    size = (400, 330)

    class State:
        x: f32  # of the centre of mass, m
        y: f32
        vx: f32  # m/s
        vy: f32
        angle: f32  # rad
        spin: f32  # rad/s
        left_foot: i32  # 1 when it touches the ground
        right_foot: i32
        resting: i32  # steps in a row
        engine: i32  # the last action (for the picture)
        score: i32  # 1 once landed on the pad
        heights: f32[POINTS]  # of the ground, m

    class Params:
        gravity: f32.between(0, 15) = 10.0
        max_steps: i32.at_least(1) = 1000

    def reset(s):
        heights = s.heights
        for k in range(POINTS):
            heights[k] = uniform(s, -ROUGHNESS, ROUGHNESS)
        for k in range(4, 7):
            heights[k] = 0.0
        s.y = START_Y
        s.vx = uniform(s, -START_SPEED, START_SPEED)
        s.vy = uniform(s, -START_SPEED, START_SPEED)

    def step(s, action):
        x, y, vx, vy, spin = s.x, s.y, s.vx, s.vy, s.spin
        sin, cos = math.sin(s.angle), math.cos(s.angle)
        main = MAIN_THRUST * f32(action == MAIN_ENGINE)
        side = SIDE_THRUST * f32((action == LEFT_ENGINE) - (action == RIGHT_ENGINE))
        ax = side * cos - main * sin
        ay = side * sin + main * cos - s.gravity
        turn = -SIDE_ABOVE * side

        touches_left = touches_right = 0
        if y < ROUGHNESS + 1.5:  # nothing of the lander is this far from its centre
            foot_x, foot_y = FOOT_X * cos, FOOT_X * sin
            drop_x, drop_y = -FOOT_Y * sin, FOOT_Y * cos
            fx, fy, torque, touches_left = leg(s, drop_x - foot_x, drop_y - foot_y, vx, vy, spin)
            ax, ay, turn = ax + fx, ay + fy, turn + torque
            fx, fy, torque, touches_right = leg(s, drop_x + foot_x, drop_y + foot_y, vx, vy, spin)
            ax, ay, turn = ax + fx, ay + fy, turn + torque

        # Velocity first, then place: Euler's method in its stable (symplectic) form.
        vx += TIME_STEP * ax
        vy += TIME_STEP * ay
        spin += TIME_STEP * turn * (1.0 / INERTIA)
        dx, dy, turned = TIME_STEP * vx, TIME_STEP * vy, TIME_STEP * spin

        # How much worse off the lander is now, in units of the observation.
        worse = longer(x * PER_X, (y - REST_Y) * PER_Y, dx * PER_X, dy * PER_Y)
        worse += longer(s.vx * PER_VX, s.vy * PER_VY, (vx - s.vx) * PER_VX, (vy - s.vy) * PER_VY)
        worse += longer(s.angle, 0.0, turned, 0.0)
        more_feet = touches_left + touches_right - s.left_foot - s.right_foot
        reward = 10.0 * f32(more_feet) - 100.0 * worse
        reward -= 0.3 * f32(action == MAIN_ENGINE) + 0.03 * f32(side != 0.0)

        x, y = x + dx, y + dy
        s.x, s.y, s.vx, s.vy, s.spin = x, y, vx, vy, spin
        s.angle += turned
        s.left_foot, s.right_foot, s.engine = touches_left, touches_right, action

        height, slope = ground(s, x)
        crashed = y - height < HULL * math.sqrt(1.0 + slope * slope)
        lost = abs(x) >= HALF_WIDTH or y >= CEILING
        still = vx * vx + vy * vy < REST_SPEED * REST_SPEED and abs(spin) < REST_SPEED
        s.resting = s.resting + 1 if still and touches_left + touches_right == 2 else 0
        truncated = s.episode_length >= s.max_steps
        if crashed or lost:
            return reward - 100.0, True, truncated
        if s.resting >= REST_STEPS:
            s.score = abs(x) <= HALF_PAD
            return reward + 100.0, True, truncated
        return reward, False, truncated

    def observe(s, obs):
        obs[0] = s.x * PER_X
        obs[1] = (s.y - REST_Y) * PER_Y
        obs[2] = s.vx * PER_VX
        obs[3] = s.vy * PER_VY
        obs[4] = s.angle
        obs[5] = s.spin * PER_SPIN
        obs[6] = s.left_foot
        obs[7] = s.right_foot

    def draw(s, canvas):
        unit = canvas.width / (2 * HALF_WIDTH)
        zero_x, zero_y = canvas.width / 2, canvas.height - 4.2 * unit

        def pixel(x, y):
            return zero_x + unit * x, zero_y - unit * y

        def on_lander(x, y):
            """Where a point of the lander is in the picture: turned, moved, and a little enlarged."""
            x, y = 1.15 * x, 1.15 * y
            sin, cos = math.sin(s.angle), math.cos(s.angle)
            return pixel(s.x + cos * x - sin * y, s.y + sin * x + cos * y)

        canvas.clear(palette.NIGHT)
        for k in range(40):  # stars, always the same
            canvas.circle(k * 173 % canvas.width, k * k * 37 % 220, 0.6 + 0.4 * (k % 3), palette.SLATE)
        points = [pixel(SPACING * k - HALF_WIDTH, height) for k, height in enumerate(s.heights)]
        canvas.polygon([(0, canvas.height), *points, (canvas.width, canvas.height)], palette.SLATE)
        for start, end in zip(points, points[1:], strict=False):
            canvas.line(*start, *end, palette.FOG, 1.5)
        canvas.line(*points[4], *points[6], palette.YELLOW, 4)
        for x, y in (points[4], points[6]):  # flags
            canvas.line(x, y, x, y - 22, palette.SNOW, 1.5)
            canvas.polygon([(x, y - 22), (x + 12, y - 18), (x, y - 14)], palette.YELLOW)

        if s.engine == MAIN_ENGINE:
            flame = [on_lander(-0.18, -0.35), on_lander(0.18, -0.35), on_lander(0, -1.15)]
            canvas.polygon(flame, palette.ORANGE)
            canvas.polygon(
                [on_lander(-0.1, -0.35), on_lander(0.1, -0.35), on_lander(0, -0.8)], palette.YELLOW
            )
        elif s.engine != NOTHING:
            side = -1 if s.engine == LEFT_ENGINE else 1
            flame = [
                on_lander(side * 0.4, 0.3),
                on_lander(side * 0.4, 0.06),
                on_lander(side * 0.95, 0.18),
            ]
            canvas.polygon(flame, palette.ORANGE)
        for side, touches in ((-1, s.left_foot), (1, s.right_foot)):
            foot = on_lander(side * FOOT_X, FOOT_Y)
            canvas.line(*on_lander(side * 0.4, -0.1), *foot, palette.FOG, 3)
            canvas.line(
                *on_lander(side * (FOOT_X - 0.2), FOOT_Y),
                *on_lander(side * (FOOT_X + 0.2), FOOT_Y),
                palette.GREEN if touches else palette.FOG,
                5 if touches else 3,
            )
        body = [(-0.3, 0.5), (0.3, 0.5), (0.5, 0.1), (0.42, -0.35), (-0.42, -0.35), (-0.5, 0.1)]
        canvas.polygon([on_lander(*corner) for corner in body], palette.SNOW)
        canvas.circle(*on_lander(0, 0.15), 0.17 * unit, palette.SKY_BLUE)
        canvas.text(10, 10, f"{math.hypot(s.vx, s.vy):4.1f} m/s", palette.SNOW)


def longer(x, y, dx, dy):
    """How much longer the vector (x + dx, y + dy) is than (x, y), without the rounding of a difference of lengths."""
    new_x, new_y = x + dx, y + dy
    lengths = math.sqrt(x * x + y * y) + math.sqrt(new_x * new_x + new_y * new_y)
    return (dx * (x + new_x) + dy * (y + new_y)) / max(lengths, TINY)


def scripted(env: OceanEnv) -> np.ndarray:
    """Actions that lean against the drift, sink the slower the lower, and use the main engine to brake."""
    x, y, vx, vy, angle, spin, left, right = env.observations.T
    x, y, vx, vy, spin = x / PER_X, y / PER_Y, vx / PER_VX, vy / PER_VY, spin / PER_SPIN
    standing = (left > 0) | (right > 0)
    lean = np.clip(0.06 * x + 0.14 * vx, -0.4, 0.4)  # leaning to the left drives it to the left
    turn = np.where(standing, 0.0, 3.0 * (lean - angle) - 2.0 * spin)
    sink = -0.4 - 0.35 * np.clip(
        y - 0.3 * np.abs(x), 0.0, None
    )  # the wanted vertical speed; high above the hills
    actions = np.where(turn > 0.25, RIGHT_ENGINE, np.where(turn < -0.25, LEFT_ENGINE, NOTHING))
    return np.where((vy < sink) & ~standing, MAIN_ENGINE, actions).astype(np.int32)
