"""Drive: many cars share the streets of a small town."""

import math

import numpy as np

from ocean_numba import Box, MultiDiscrete, OceanEnv, f32, i16, i32, palette, randint, uniform
from ocean_numba.town import (
    HALF_LANE,
    POINT_X,
    POINT_Y,
    STREET_POINTS,
    SUCCESSOR_COUNT,
    SUCCESSORS,
    WIDTH,
    draw_car,
    draw_town,
)

# Metres and seconds; x to the right, y down, so that a car's right is where y grows when it drives to the right.
TIME_STEP = 0.1
TOP_SPEED = 12.0
PEDALS = (-6.0, -2.0, 0.0, 1.5, 3.0)  # acceleration, m/s²
CURVATURES = (-0.25, -0.12, -0.04, 0.0, 0.04, 0.12, 0.25)  # of the way that a steering wheel sets, 1/m
GRIP = 6.0  # m/s²: a fast car cannot turn sharply
NOSE, RADIUS = 1.2, 1.0  # a car is two circles, this far before and behind its middle
LOOKAHEAD = 6  # points of the route that a car sees
ROUTE = 12  # points of the route that are fixed; the goal is one of them
PROGRESS = 1 / ROUTE  # reward for each
SEEN, SIGHT = 6, 30.0  # other cars that a car sees at most, and how far
CLEARANCE = 12.0  # to the nearest car when one is put on the road


class Drive(OceanEnv):
    """Cars drive through a small town, each to goals of its own, without traffic lights.

    Every car has a route along the lanes, chosen at random at each crossing. It has to keep its lane, to slow down
    for turns, and not to run into others: who goes first at a crossing is for the drivers to find out. A car sees
    its own lane ahead and the nearest cars, not the whole town.

    Observation, for each car, ``float32[48]``; "ahead" and "right" are seen from the car

    | index | meaning | one unit is | range |
    |---|---|---|---|
    | 0 | own speed | 12 m/s | 0 .. 1 |
    | 1 | curvature of the way that it drives, positive to the right | 1/(4 m) | -1 .. 1 |
    | 2 | distance from the lane's middle, positive when it is too far right | 2 m | about -1 .. 1 |
    | 3 | points of the route left to the goal | 12 | 0 .. 1 |
    | 4, 5 | the goal: ahead and right | 50 m | about -1 .. 1 |
    | 6 .. 17 | the next 6 points of the route, 4 m apart: ahead and right, for each | 20 m | about -1.3 .. 1.3 |
    | 18 .. 47 | the 6 nearest cars within 30 m, the nearest first, 5 numbers for each: ahead and right; cosine and \
sine of its heading relative to one's own; speed. All 0 when there is no such car | 30 m, 12 m/s | -1 .. 1 |

    Action, ``MultiDiscrete([7, 5])``

    | part | meaning |
    |---|---|
    | steering, 0 .. 6 | 3 straight on; 2, 1, 0 left and 4, 5, 6 right with a radius of 25, 8.3 and 4 m |
    | pedal, 0 .. 4 | brake with 6 or 2 m/s², roll, accelerate with 1.5 or 3 m/s² |

    At speed v no radius below v²/6 is possible: the tyres have no more grip.

    Reward: 1/12 for each point of the route that the car passes, so that a goal, 12 points on, is worth 1. -1 for an
    accident: two cars that touch (both get it), or a car whose middle leaves its lane.

    Starting state: cars anywhere on the streets, at least 12 m apart where there is room, at 0 .. 6 m/s.

    Episode end: a car's episode is *terminated* by an accident; it starts anew at another place while the others
    drive on. *Truncated* for all after ``max_steps`` steps of 0.1 s.

    Metric: ``score``, goals that the car reached in its episode. Random play reaches 0; 9 goals in 512 steps need a
    mean speed of 9 m/s, and no accident.

    Parameters: ``cars`` (16), ``max_steps`` (512).

    Source: after GPUDrive (Kazemkhani et al., 2024) and PufferLib's Drive, with a town instead of recorded roads;
    the cars follow the kinematic bicycle model. Rules and code are our own.
    """

    observation = Box(-np.inf, np.inf, (6 + 2 * LOOKAHEAD + 5 * SEEN,), np.float32)
    action = MultiDiscrete([len(CURVATURES), len(PEDALS)])
    agents = "cars"
    metrics = ("score",)
    keys = {"ArrowUp": (3, 4), "ArrowDown": (3, 0), "ArrowLeft": (1, 2), "ArrowRight": (5, 2)}
    fps = 10
    size = (448, 448)

    class State:
        x: f32["cars"]
        y: f32["cars"]
        ahead_x: f32["cars"]  # heading, a vector of length 1
        ahead_y: f32["cars"]
        speed: f32["cars"]  # m/s
        curvature: f32["cars"]  # of the last step, 1/m
        aside: f32["cars"]  # distance from the lane's middle, m
        route: i16["cars", ROUTE + 1]  # points: the one behind the car, then those ahead
        goal: i32["cars"]  # which of them is the goal
        score: i32["cars"]  # goals reached
        accident: i32["cars"]  # 1 after the step in which it happened
        accidents: i32  # of all cars (for the picture)
        near: i32[SEEN]  # scratch of observe(): the nearest cars,
        near_square: f32[SEEN]  # and the squares of their distances

    class Params:
        cars: i32.between(1, 40) = 16
        max_steps: i32.at_least(1) = 512

    def reset(s):
        for i in range(len(s.x)):
            put_on_road(s, i, i)

    def step(s, actions, rewards, terminals):
        cars = len(s.x)
        for i in range(cars):
            if s.accident[i] != 0:  # its new episode begins with this step
                s.accident[i], s.score[i] = 0, 0
            move(s, i, CURVATURES[actions[i, 0]], PEDALS[actions[i, 1]])
            if follow_route(s, i):
                rewards[i] = PROGRESS
            if abs(s.aside[i]) > HALF_LANE:
                s.accident[i] = 1

        xs, ys, aheads_x, aheads_y = s.x, s.y, s.ahead_x, s.ahead_y
        for i in range(cars):
            for j in range(i + 1, cars):
                dx, dy = xs[j] - xs[i], ys[j] - ys[i]
                if dx * dx + dy * dy < 4.0 * (NOSE + RADIUS) * (NOSE + RADIUS):
                    if touch(dx, dy, aheads_x[i], aheads_y[i], aheads_x[j], aheads_y[j]):
                        s.accident[i], s.accident[j] = 1, 1

        for i in range(cars):
            if s.accident[i] != 0:
                rewards[i] = -1.0
                terminals[i] = True
                s.accidents += 1
                put_on_road(s, i, cars)
        return False, s.episode_length >= s.max_steps

    def observe(s, i, obs):
        x, y, ahead_x, ahead_y = s.x[i], s.y[i], s.ahead_x[i], s.ahead_y[i]
        route, goal = s.route[i], s.goal[i]
        obs[0] = s.speed[i] * (1.0 / TOP_SPEED)
        obs[1] = s.curvature[i] * 4.0
        obs[2] = s.aside[i] * (1.0 / HALF_LANE)
        obs[3] = f32(goal) * PROGRESS
        dx, dy = POINT_X[route[goal]] - x, POINT_Y[route[goal]] - y
        obs[4] = 0.02 * (dx * ahead_x + dy * ahead_y)
        obs[5] = 0.02 * (dy * ahead_x - dx * ahead_y)
        for j in range(LOOKAHEAD):
            dx, dy = POINT_X[route[j + 1]] - x, POINT_Y[route[j + 1]] - y
            obs[6 + 2 * j] = 0.05 * (dx * ahead_x + dy * ahead_y)
            obs[7 + 2 * j] = 0.05 * (dy * ahead_x - dx * ahead_y)

        found = find_nearest(s, i)
        near, k = s.near, 6 + 2 * LOOKAHEAD
        for j in range(SEEN):
            if j < found:
                other = near[j]
                dx, dy = s.x[other] - x, s.y[other] - y
                their_x, their_y = s.ahead_x[other], s.ahead_y[other]
                obs[k] = (1.0 / SIGHT) * (dx * ahead_x + dy * ahead_y)
                obs[k + 1] = (1.0 / SIGHT) * (dy * ahead_x - dx * ahead_y)
                obs[k + 2] = their_x * ahead_x + their_y * ahead_y
                obs[k + 3] = their_y * ahead_x - their_x * ahead_y
                obs[k + 4] = s.speed[other] * (1.0 / TOP_SPEED)
            else:
                for m in range(5):
                    obs[k + m] = 0.0
            k += 5

    def draw(s, canvas):
        middle = canvas.width / 2
        unit = canvas.width / WIDTH
        draw_town(canvas, middle, unit)
        for i in range(len(s.x)):  # goals below all cars, with the first car's route
            color = palette.CYCLE[i % len(palette.CYCLE)]
            for j in range(1, s.goal[i] + 1):
                point = s.route[i][j]
                x, y = middle + unit * POINT_X[point], middle + unit * POINT_Y[point]
                if j == s.goal[i]:
                    canvas.circle(x, y, 5.5, color)
                    canvas.circle(x, y, 3, palette.NIGHT)
                elif i == 0:
                    canvas.circle(x, y, 1.5, color)
        for i in range(len(s.x)):
            color = palette.CYCLE[i % len(palette.CYCLE)]
            x, y = middle + unit * s.x[i], middle + unit * s.y[i]
            draw_car(canvas, x, y, (s.ahead_x[i], s.ahead_y[i]), unit, color)
        canvas.text(6, 4, f"{sum(s.score)} goals  {s.accidents} accidents", palette.SNOW)


def put_on_road(s, i, others):
    """Put car ``i`` on a random street where none of the cars 0 .. others-1 is near, and give it a route."""
    point = 0
    for _ in range(20):
        point = randint(s, STREET_POINTS)
        free = True
        for j in range(others):
            dx, dy = s.x[j] - POINT_X[point], s.y[j] - POINT_Y[point]
            if j != i and dx * dx + dy * dy < CLEARANCE * CLEARANCE:
                free = False
        if free:
            break
    route = s.route[i]
    route[0] = point
    for j in range(ROUTE):
        route[j + 1] = after(s, route[j])
    dx, dy = POINT_X[route[1]] - POINT_X[point], POINT_Y[route[1]] - POINT_Y[point]
    scale = 1.0 / math.sqrt(dx * dx + dy * dy)
    s.x[i], s.y[i] = POINT_X[point], POINT_Y[point]
    s.ahead_x[i], s.ahead_y[i] = scale * dx, scale * dy
    s.speed[i] = uniform(s, 0.0, 6.0)
    s.curvature[i], s.aside[i] = 0.0, 0.0
    s.goal[i] = ROUTE


def after(s, point):
    """A random one of the points that a car can drive to next."""
    return SUCCESSORS[point, randint(s, int(SUCCESSOR_COUNT[point]))]


def move(s, i, curvature, acceleration):
    """Drive car ``i`` for one time step."""
    speed = min(max(s.speed[i] + TIME_STEP * acceleration, 0.0), TOP_SPEED)
    sharpest = GRIP / max(speed * speed, 1.0)
    curvature = min(max(curvature, -sharpest), sharpest)
    way = TIME_STEP * speed
    # A turn by the angle 2 * atan(t), without sine and cosine: about curvature * way.
    t = 0.5 * curvature * way
    scale = 1.0 / (1.0 + t * t)
    cos, sin = (1.0 - t * t) * scale, 2.0 * t * scale
    ahead_x = cos * s.ahead_x[i] - sin * s.ahead_y[i]
    ahead_y = sin * s.ahead_x[i] + cos * s.ahead_y[i]
    s.x[i] += way * ahead_x
    s.y[i] += way * ahead_y
    s.ahead_x[i], s.ahead_y[i], s.speed[i], s.curvature[i] = ahead_x, ahead_y, speed, curvature


def follow_route(s, i):
    """Find where car ``i`` is on its route. Returns whether it passed a point."""
    route = s.route[i]
    x, y = POINT_X[route[0]], POINT_Y[route[0]]
    along_x, along_y = POINT_X[route[1]] - x, POINT_Y[route[1]] - y
    dx, dy = s.x[i] - x, s.y[i] - y
    square = along_x * along_x + along_y * along_y
    s.aside[i] = (along_x * dy - along_y * dx) / math.sqrt(square)
    if along_x * dx + along_y * dy < square:
        return False
    for j in range(ROUTE):
        route[j] = route[j + 1]
    route[ROUTE] = after(s, route[ROUTE])
    s.goal[i] -= 1
    if s.goal[i] == 0:
        s.score[i] += 1
        s.goal[i] = ROUTE
    return True


def touch(dx, dy, ahead_x, ahead_y, their_x, their_y):
    """Whether two cars touch, the second (dx, dy) away from the first: any two of their circles overlap."""
    touching = False
    for own in (-NOSE, NOSE):
        for their in (-NOSE, NOSE):
            x = dx + their * their_x - own * ahead_x
            y = dy + their * their_y - own * ahead_y
            touching |= x * x + y * y < 4.0 * RADIUS * RADIUS
    return touching


def find_nearest(s, i):
    """Put the nearest cars within sight into ``s.near``, the nearest first. Returns how many."""
    xs, ys, near, squares = s.x, s.y, s.near, s.near_square
    x, y, found = xs[i], ys[i], 0
    for j in range(len(xs)):
        dx, dy = xs[j] - x, ys[j] - y
        square = dx * dx + dy * dy
        if j == i or square > SIGHT * SIGHT or (found == SEEN and square >= squares[SEEN - 1]):
            continue
        found = min(found + 1, SEEN)
        k = found - 1
        while k > 0 and squares[k - 1] > square:
            squares[k], near[k] = squares[k - 1], near[k - 1]
            k -= 1
        squares[k], near[k] = square, j
    return found


def scripted(env: OceanEnv) -> np.ndarray:
    """Actions that steer for a point on the route, slow down for turns, and brake for cars ahead."""
    o = env.observations
    speed = TOP_SPEED * o[:, 0]
    points = 20 * o[:, 6 : 6 + 2 * LOOKAHEAD].reshape(len(o), LOOKAHEAD, 2)
    ahead, right = points[:, 1, 0], points[:, 1, 1]
    wanted = 2 * right / (ahead**2 + right**2)  # curvature of the circle through that point (pure pursuit)
    steering = np.abs(wanted[:, None] - np.array(CURVATURES)).argmin(axis=1)
    # Of the curve to come: how far the last points are off the straight.
    bend = np.abs(2 * points[:, 1:, 1] / (points[:, 1:] ** 2).sum(axis=2)).max(axis=1)
    pace = np.minimum(9.0, np.sqrt(3.0 / np.maximum(bend, 0.01)))
    cars = o[:, 6 + 2 * LOOKAHEAD :].reshape(len(o), SEEN, 5)
    gap, off, there = SIGHT * cars[:, :, 0], SIGHT * cars[:, :, 1], cars[:, :, 2:4].any(axis=2)
    crossing = cars[:, :, 2] < 0.7  # not going our way
    in_way = there & (gap > 1) & (np.abs(off) < np.where(crossing & (cars[:, :, 2] > -0.7), 5.0, 1.8))
    room = np.where(in_way, gap - 6.5, SIGHT).min(axis=1)
    pace = np.minimum(pace, np.sqrt(np.maximum(2 * 3.0 * room, 0)))
    error = pace - speed
    pedal = np.select([error < -1, error < -0.2, error < 0.2, error < 1], [0, 1, 2, 3], 4)
    return np.stack([steering, pedal], axis=1).astype(np.int32)
