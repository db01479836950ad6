"""Drone: fly a quadrotor from waypoint to waypoint."""

import math

import numpy as np

from ocean_numba import Box, OceanEnv, f32, i32, palette, uniform

# Metres, seconds, kilograms. The world's z is up. The drone's x is ahead, its y to the left, its z up.
SUBSTEPS, TIME_STEP = 2, 0.02  # one step of the game is 0.04 s
GRAVITY = 9.81
MASS = 1.0
MAX_THRUST = GRAVITY * MASS  # of one motor: half its speed, a quarter of its thrust, is what hovering takes
ARM = 0.12  # how far the motors are ahead or behind, and left or right
INERTIA_XY, INERTIA_Z = 0.04, 0.07  # kg m²
YAW = 0.02  # torque that a propeller's drag gives, per newton of thrust, m
AIR, SPIN_AIR = 0.2, 0.08  # drag: N per m/s, and N m per rad/s
MOTOR_LAG = 1.0 - math.exp(-TIME_STEP / 0.05)  # share of the missing speed that a motor makes up in TIME_STEP
# What these give in one TIME_STEP (thrusts as shares of the highest; 2 because of how quaternions turn vectors).
LIFT = 2.0 * TIME_STEP * MAX_THRUST / MASS
SPEED_KEPT = 1.0 - TIME_STEP * AIR / MASS
ROLL, TURN = TIME_STEP * MAX_THRUST * ARM / INERTIA_XY, TIME_STEP * MAX_THRUST * YAW / INERTIA_Z
SPIN_KEPT_XY, SPIN_KEPT_Z = 1.0 - TIME_STEP * SPIN_AIR / INERTIA_XY, 1.0 - TIME_STEP * SPIN_AIR / INERTIA_Z
GYRO = TIME_STEP * (INERTIA_XY - INERTIA_Z) / INERTIA_XY
MAX_SPEED, MAX_SPIN = 20.0, 20.0  # m/s and rad/s along each axis
ROOM, HEIGHT = 10.0, 10.0  # the arena: -10 .. 10 in x and y, 0 .. 10 in z
MARGIN = 2.0  # of waypoints from its walls
REACH = 0.6  # distance at which a waypoint counts
PER_METRE = 0.1  # reward for a metre nearer


class Drone(OceanEnv):
    """Four motors, no wings: keep the drone in balance and fly it through one waypoint after the other.

    The drone is a rigid body in three dimensions. Only the sum of its motors' thrusts lifts it, and only their
    differences turn it; to fly ahead it has to lean ahead. Motors need about 0.05 s to follow a command.

    Observation, ``float32[26]``; directions are the drone's own: ahead, left, up

    | index | meaning | one unit is |
    |---|---|---|
    | 0 .. 2 | velocity | 10 m/s |
    | 3 .. 5 | angular velocity about these axes | 10 rad/s |
    | 6 .. 8 | where the sky is, a vector of length 1: 0, 0, 1 is level | |
    | 9 .. 12 | speed of the motors: right ahead, right behind, left behind, left ahead | its highest |
    | 13 .. 15 | the waypoint | 10 m |
    | 16 .. 18 | the same, cut to -1 .. 1: to see small distances well | 1 m |
    | 19 .. 21 | the waypoint after it | 10 m |
    | 22 .. 24 | place in the arena: x, y, and z from its middle | 10 m, 10 m, 5 m |
    | 25 | how long the drone has been at the waypoint | ``hold`` |

    Action, ``Box(-1, 1, (4,))``: commands to the four motors, in the order above; -1 is off, 0 is half speed, where
    all four together carry the drone, 1 is full speed, with four times that thrust.

    Reward: 0.1 for each metre that the drone came nearer to the waypoint, 1 for reaching it (coming within 0.6 m),
    -1 for leaving the arena, floor and ceiling included.

    Starting state: level and at rest, hovering, within 3 m of the middle; two waypoints anywhere 2 m from the walls.

    Episode end: *terminated* outside of the arena (20 x 20 x 10 m); *truncated* after ``max_steps`` steps of 0.04 s.

    Metric: ``score``, waypoints reached. Random play reaches about 0; 20 in 512 steps is a mean speed of over 6 m/s.

    Parameters: ``hold`` (1), steps in a row that the drone must stay at a waypoint for it to count: 1 is a race, 25 a
    second of hovering. ``max_steps`` (512).

    Source: the dynamics of quadrotors are those of Mahony, Kumar and Corke, "Multirotor aerial vehicles", 2012; the
    idea and the size of the observation follow PufferLib's Drone. Numbers, task and code are our own.
    """

    observation = Box(-np.inf, np.inf, (26,), np.float32)
    action = Box(-1.0, 1.0, (4,), np.float32)
    metrics = ("score",)
    keys = {
        "ArrowUp": (-0.03, 0.03, 0.03, -0.03),
        "ArrowDown": (0.03, -0.03, -0.03, 0.03),
        "ArrowLeft": (0.03, 0.03, -0.03, -0.03),
        "ArrowRight": (-0.03, -0.03, 0.03, 0.03),
        " ": (0.3, 0.3, 0.3, 0.3),
    }
    fps = 25
    size = (420, 330)

    class State:
        x: f32
        y: f32
        z: f32
        vx: f32  # m/s, in the world's directions, as the place
        vy: f32
        vz: f32
        qw: f32  # attitude: the unit quaternion that turns the drone's directions into the world's
        qx: f32
        qy: f32
        qz: f32
        wx: f32  # angular velocity, rad/s, about the drone's own axes
        wy: f32
        wz: f32
        motor: f32[4]  # speed, 0 .. 1
        goal: f32[3]
        next_goal: f32[3]
        held: i32  # steps in a row at the waypoint
        score: i32  # waypoints reached

    class Params:
        hold: i32.at_least(1) = 1
        max_steps: i32.at_least(1) = 512

    def reset(s):
        s.x, s.y = uniform(s, -3.0, 3.0), uniform(s, -3.0, 3.0)
        s.z = uniform(s, 2.0, 8.0)
        s.qw = 1.0
        for k in range(4):
            s.motor[k] = 0.5
        new_goal(s)
        new_goal(s)

    def step(s, action):
        goal = s.goal
        dx, dy, dz = goal[0] - s.x, goal[1] - s.y, goal[2] - s.z
        before = math.sqrt(dx * dx + dy * dy + dz * dz)
        fly(s, action[0], action[1], action[2], action[3])
        dx, dy, dz = goal[0] - s.x, goal[1] - s.y, goal[2] - s.z
        distance = math.sqrt(dx * dx + dy * dy + dz * dz)
        reward = PER_METRE * (before - distance)
        s.held = s.held + 1 if distance < REACH else 0
        if s.held >= s.hold:
            reward += 1.0
            s.score += 1
            s.held = 0
            new_goal(s)
        lost = abs(s.x) > ROOM or abs(s.y) > ROOM or s.z < 0.0 or s.z > HEIGHT
        if lost:
            reward -= 1.0
        return reward, lost, s.episode_length >= s.max_steps

    def observe(s, obs):
        w, x, y, z = s.qw, s.qx, s.qy, s.qz
        # The drone's axes in the world.
        ahead_x, ahead_y, ahead_z = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y)
        left_x, left_y, left_z = 2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x)
        up_x, up_y, up_z = 2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)
        obs[0] = 0.1 * (s.vx * ahead_x + s.vy * ahead_y + s.vz * ahead_z)
        obs[1] = 0.1 * (s.vx * left_x + s.vy * left_y + s.vz * left_z)
        obs[2] = 0.1 * (s.vx * up_x + s.vy * up_y + s.vz * up_z)
        obs[3] = 0.1 * s.wx
        obs[4] = 0.1 * s.wy
        obs[5] = 0.1 * s.wz
        obs[6] = ahead_z
        obs[7] = left_z
        obs[8] = up_z
        motor, goal, next_goal = s.motor, s.goal, s.next_goal
        for k in range(4):
            obs[9 + k] = motor[k]
        dx, dy, dz = goal[0] - s.x, goal[1] - s.y, goal[2] - s.z
        ahead = dx * ahead_x + dy * ahead_y + dz * ahead_z
        left = dx * left_x + dy * left_y + dz * left_z
        up = dx * up_x + dy * up_y + dz * up_z
        obs[13] = 0.1 * ahead
        obs[14] = 0.1 * left
        obs[15] = 0.1 * up
        obs[16] = min(max(ahead, -1.0), 1.0)
        obs[17] = min(max(left, -1.0), 1.0)
        obs[18] = min(max(up, -1.0), 1.0)
        dx, dy, dz = next_goal[0] - s.x, next_goal[1] - s.y, next_goal[2] - s.z
        obs[19] = 0.1 * (dx * ahead_x + dy * ahead_y + dz * ahead_z)
        obs[20] = 0.1 * (dx * left_x + dy * left_y + dz * left_z)
        obs[21] = 0.1 * (dx * up_x + dy * up_y + dz * up_z)
        obs[22] = s.x * (1.0 / ROOM)
        obs[23] = s.y * (1.0 / ROOM)
        obs[24] = s.z * (2.0 / HEIGHT) - 1.0
        obs[25] = f32(s.held) / f32(s.hold)

    def draw(s, canvas):
        unit, middle_x, middle_y = 0.031 * canvas.width, canvas.width / 2, 0.66 * canvas.height

        def pixel(x, y, z):
            """Seen from a corner, from above, without perspective."""
            return middle_x + unit * 0.72 * (x - y), middle_y + unit * (-0.3 * (x + y) - 0.8 * (z - 1))

        canvas.clear(palette.NIGHT)
        corners = [pixel(x, y, 0) for x, y in ((-10, -10), (10, -10), (10, 10), (-10, 10))]
        canvas.polygon(corners, palette.mix(palette.NIGHT, palette.SLATE, 0.55))
        for k in range(-10, 11, 4):
            canvas.line(*pixel(k, -10, 0), *pixel(k, 10, 0), palette.SLATE)
            canvas.line(*pixel(-10, k, 0), *pixel(10, k, 0), palette.SLATE)
        for goal, color in (
            (s.next_goal, palette.mix(palette.NIGHT, palette.FOG, 0.6)),
            (s.goal, palette.YELLOW),
        ):
            canvas.line(*pixel(*goal), *pixel(goal[0], goal[1], 0), palette.mix(palette.NIGHT, color, 0.4))
            canvas.circle(*pixel(goal[0], goal[1], 0), 3, palette.mix(palette.NIGHT, color, 0.5))
            canvas.circle(*pixel(*goal), REACH * unit, color)
            canvas.circle(*pixel(*goal), REACH * unit - 2.5, palette.NIGHT)
        shadow = pixel(s.x, s.y, 0)
        canvas.line(*pixel(s.x, s.y, s.z), *shadow, palette.SLATE)
        canvas.circle(*shadow, 4, (10, 13, 20))

        def on_drone(x, y, z=0.0):
            """A point of the drone in the picture, eight times as large as it is."""
            w, i, j, k = s.qw, s.qx, s.qy, s.qz
            x, y, z = 8.0 * x, 8.0 * y, 8.0 * z
            return pixel(
                s.x + (1 - 2 * (j * j + k * k)) * x + 2 * (i * j - w * k) * y + 2 * (i * k + w * j) * z,
                s.y + 2 * (i * j + w * k) * x + (1 - 2 * (i * i + k * k)) * y + 2 * (j * k - w * i) * z,
                s.z + 2 * (i * k - w * j) * x + 2 * (j * k + w * i) * y + (1 - 2 * (i * i + j * j)) * z,
            )

        motors = [on_drone(ARM, -ARM), on_drone(-ARM, -ARM), on_drone(-ARM, ARM), on_drone(ARM, ARM)]
        canvas.line(*motors[0], *motors[2], palette.FOG, 3)
        canvas.line(*motors[1], *motors[3], palette.FOG, 3)
        for k, place in enumerate(motors):  # the two ahead in another colour; brighter when faster
            color = palette.ORANGE if k in (0, 3) else palette.SKY_BLUE
            canvas.circle(*place, 5.5, palette.mix(palette.NIGHT, color, 0.25 + 0.75 * s.motor[k]))
        canvas.line(*on_drone(0, 0), *on_drone(0, 0, 0.12), palette.SNOW, 2)
        canvas.circle(*on_drone(0, 0), 4.5, palette.SNOW)
        canvas.text(10, 10, f"waypoints {s.score}", palette.SNOW)
        canvas.text(10, 22, f"{math.hypot(s.vx, s.vy, s.vz):4.1f} m/s", palette.FOG)


def new_goal(s):
    """The next waypoint becomes the present one, and a new one is drawn."""
    goal, next_goal = s.goal, s.next_goal
    for k in range(3):
        goal[k] = next_goal[k]
    next_goal[0] = uniform(s, MARGIN - ROOM, ROOM - MARGIN)
    next_goal[1] = uniform(s, MARGIN - ROOM, ROOM - MARGIN)
    next_goal[2] = uniform(s, MARGIN, HEIGHT - MARGIN)


def fly(s, command_0, command_1, command_2, command_3):
    """Move the drone on by one step: Newton's and Euler's equations in small steps, velocities before places.

    The commands come as numbers: handing an array to a function costs more than a substep.
    """
    motor = s.motor
    m0, m1, m2, m3 = motor[0], motor[1], motor[2], motor[3]
    c0, c1, c2, c3 = (
        0.5 + 0.5 * command_0,
        0.5 + 0.5 * command_1,
        0.5 + 0.5 * command_2,
        0.5 + 0.5 * command_3,
    )
    x, y, z, vx, vy, vz = s.x, s.y, s.z, s.vx, s.vy, s.vz
    w, i, j, k = s.qw, s.qx, s.qy, s.qz
    wx, wy, wz = s.wx, s.wy, s.wz
    for _ in range(SUBSTEPS):
        m0 += MOTOR_LAG * (c0 - m0)
        m1 += MOTOR_LAG * (c1 - m1)
        m2 += MOTOR_LAG * (c2 - m2)
        m3 += MOTOR_LAG * (c3 - m3)
        t0, t1, t2, t3 = m0 * m0, m1 * m1, m2 * m2, m3 * m3  # thrusts, as shares of the highest
        across_1, across_2, pair_1, pair_2 = t2 - t0, t3 - t1, t0 + t2, t1 + t3

        # Euler: the motors' torques, the air's, and the gyroscopic ones of the spinning body.
        gyro = GYRO * wz
        wx, wy, wz = (
            SPIN_KEPT_XY * wx + ROLL * (across_2 + across_1) + gyro * wy,
            SPIN_KEPT_XY * wy + ROLL * (across_1 - across_2) - gyro * wx,
            SPIN_KEPT_Z * wz + TURN * (pair_1 - pair_2),
        )
        half_x, half_y, half_z = 0.5 * TIME_STEP * wx, 0.5 * TIME_STEP * wy, 0.5 * TIME_STEP * wz
        w, i, j, k = (
            w - half_x * i - half_y * j - half_z * k,
            i + half_x * w + half_z * j - half_y * k,
            j + half_y * w + half_x * k - half_z * i,
            k + half_z * w + half_y * i - half_x * j,
        )

        # Newton: thrust along the drone's own up, gravity, and the air's drag.
        lift = LIFT * (pair_1 + pair_2)
        vx = SPEED_KEPT * vx + lift * (i * k + w * j)
        vy = SPEED_KEPT * vy + lift * (j * k - w * i)
        vz = SPEED_KEPT * vz + lift * (0.5 - i * i - j * j) - TIME_STEP * GRAVITY
        x, y, z = x + TIME_STEP * vx, y + TIME_STEP * vy, z + TIME_STEP * vz
    scale = 1.0 / math.sqrt(w * w + i * i + j * j + k * k)  # rounding and Euler's method lengthen it a little
    motor[0], motor[1], motor[2], motor[3] = m0, m1, m2, m3
    s.x, s.y, s.z = x, y, z
    s.vx = min(max(vx, -MAX_SPEED), MAX_SPEED)
    s.vy = min(max(vy, -MAX_SPEED), MAX_SPEED)
    s.vz = min(max(vz, -MAX_SPEED), MAX_SPEED)
    s.qw, s.qx, s.qy, s.qz = scale * w, scale * i, scale * j, scale * k
    s.wx = min(max(wx, -MAX_SPIN), MAX_SPIN)
    s.wy = min(max(wy, -MAX_SPIN), MAX_SPIN)
    s.wz = min(max(wz, -MAX_SPIN), MAX_SPIN)


def scripted(env: OceanEnv) -> np.ndarray:
    """Commands ``[rows, 4]`` of a cascade: waypoint -> acceleration -> attitude -> torques -> motors.

    The usual controller of quadrotors, e.g. Lee, Leok and McClamroch, "Geometric tracking control", 2010.
    """
    o = env.observations
    velocity, spin, sky, away = 10 * o[:, 0:3], 10 * o[:, 3:6], o[:, 6:9], 10 * o[:, 13:16]
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    wanted = away * np.minimum(1.2, 5.0 / np.maximum(distance, 0.1))  # velocity, at most 5 m/s
    force = 2.0 * (wanted - velocity) + GRAVITY * sky
    lean = force / np.linalg.norm(force, axis=1, keepdims=True)  # where the drone's up should be
    turn_x, turn_y = -60 * lean[:, 1] - 12 * spin[:, 0], 60 * lean[:, 0] - 12 * spin[:, 1]
    lift = MASS * np.maximum(force[:, 2], 2.0) / 4
    roll, pitch = INERTIA_XY * turn_x / (4 * ARM), INERTIA_XY * turn_y / (4 * ARM)
    yaw = -0.2 * spin[:, 2]
    thrust = np.stack([lift - roll - pitch + yaw, lift - roll + pitch - yaw, lift + roll + pitch + yaw,
                       lift + roll - pitch - yaw], axis=1)  # fmt: skip
    speed = np.sqrt(np.clip(thrust / MAX_THRUST, 0, 1))
    return (2 * speed - 1).astype(np.float32)
