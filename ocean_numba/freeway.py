"""Freeway: help a chicken across ten lanes of traffic."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

# Lengths are in lanes: the road is 10 lanes deep and 24 wide. y counts upwards from the lower kerb.
LANES, CARS = 10, 3  # cars in each lane
WIDTH = 24.0
CAR_LENGTH, CHICKEN_X = 1.0, 6.0
TOUCH = 0.65  # a car is on the chicken when their middles are nearer than this, along the lane
LOOP = WIDTH + CAR_LENGTH  # cars drive in a circle: who has left at one side comes in at the other
GAP = LOOP / CARS
# Cars' speed per frame, lane 0 is the lowest: the outer lanes are slow, those in the middle fast.
SPEEDS = np.float32([0.03, 0.045, 0.06, 0.08, 0.11, -0.11, -0.08, -0.06, -0.045, -0.03])
CAR_SPEEDS = np.repeat(SPEEDS, CARS)
PER_100_FRAMES = np.float32(0.01) / abs(SPEEDS)
WALK = 0.065  # the chicken's, per frame
START, GOAL = -0.5, LANES + 0.5  # its y on either pavement
STUN = 40  # frames after a car has hit it
SLIDE = 1.5 / STUN  # back, per frame, meanwhile
NOTHING, UP, DOWN = 0, 1, 2


class Freeway(OceanEnv):
    """A chicken wants to cross a road with ten lanes of traffic, as often as it can in 2 minutes and 16 seconds.

    Each lane has three cars of one speed; the lower five lanes go to the right, the upper five to the left.
    A car that hits the chicken throws it back by one and a half lanes: for 40 frames it slides and can do
    nothing, and no car can hit it. From the other side it is put back to the start at once. One step is
    ``frameskip`` frames; 60 frames make a second.

    Observation, ``float32[34]``, each within -1 .. 1

    | index | meaning |
    |---|---|
    | 0 | the chicken, -1 on the pavement where it starts, 1 on the other |
    | 1 | where it is within its lane: 0 at the lower edge, towards 1 at the upper |
    | 2 | lanes that it has crossed, since it started there / 10 |
    | 3 | frames that it must still slide / 40 |
    | 4, 5, 6 | the chicken's own lane: the next car comes, has passed, and the one after it comes |
    | 7 .. 33 | the same for the next lane up and so on; after the uppermost lane, the lowest |

    "Comes" is: frames / 100 until it touches the chicken's way, less than 0 when it does already. "Has
    passed" is: frames / 100 until it touches it no more. Both are at most 1.

    Action, ``Discrete(3)``: 0 stay, 1 up, 2 down.

    Reward: 0.1 for each lane that it has crossed for the first time since it started, so that a crossing
    is worth 1.

    Metric: ``score``, the crossings. Random play reaches 0, always walking up about 14, looking out for cars 30.

    Starting state: the chicken on the lower pavement; the cars of each lane anywhere, in random distances.

    Episode end: *truncated* after ``max_steps`` steps. Nothing terminates.

    Parameters: ``frameskip`` (4) frames per step; ``max_steps`` (2040), with four frames the 2:16 of the
    original.

    Source: Freeway (David Crane, Activision, 1981, for the Atari 2600); the size of the observation follows
    PufferLib's Ocean.
    """

    observation = Box(-np.inf, np.inf, (4 + LANES * CARS,), np.float32)
    action = Discrete(3)
    metrics = ("score",)
    keys = {"ArrowUp": UP, "ArrowDown": DOWN}
    fps = 15
    size = (600, 300)

    class State:
        y: f32  # the chicken's middle
        stun: i32  # frames that it must still slide
        crossed: i32  # lanes, since it started
        score: i32
        cars: f32[LANES * CARS]  # 0 .. LOOP: x of the car's front, were the road to begin at 0

    class Params:
        frameskip: i32.at_least(1) = 4
        max_steps: i32.at_least(1) = 2040

    def reset(s):
        s.y = START
        for lane in range(LANES):
            first = uniform(s, 0.0, LOOP)
            for k in range(CARS):
                x = first + k * GAP + uniform(s, 0.0, GAP - 2.0 * CAR_LENGTH)  # so they never overlap
                s.cars[lane * CARS + k] = x if x < LOOP else x - LOOP

    def step(s, action):
        y, stun, crossed, cars = s.y, s.stun, s.crossed, s.cars
        move = WALK * ((action == UP) - (action == DOWN))
        reward = 0.0
        for _ in range(s.frameskip):
            for i in range(LANES * CARS):
                x = cars[i] + CAR_SPEEDS[i]
                x = x - LOOP if x >= LOOP else x
                cars[i] = x + LOOP if x < 0.0 else x

            y = max(y - SLIDE if stun > 0 else y + move, START)
            stun = max(stun - 1, 0)
            if stun == 0 and is_hit(cars, y):
                stun = STUN
            if y >= crossed + 1 and crossed < LANES:
                crossed += 1
                reward += 0.1
            if y >= GOAL:
                y, crossed = START, 0
                s.score += 1
        s.y, s.stun, s.crossed = y, stun, crossed
        return reward, False, s.episode_length >= s.max_steps

    def observe(s, obs):
        own = np.floor(s.y)
        obs[0] = (s.y - START) * (2.0 / (GOAL - START)) - 1.0
        obs[1] = s.y - own
        obs[2] = s.crossed * (1.0 / LANES)
        obs[3] = s.stun * (1.0 / STUN)
        lane = min(max(int(own), 0), LANES - 1)
        cars = s.cars
        for k in range(LANES):
            right = lane < LANES // 2
            per_100 = PER_100_FRAMES[lane]
            # How far each car must drive until it has passed the chicken's way.
            a = way_past(cars[lane * CARS], right)
            b = way_past(cars[lane * CARS + 1], right)
            c = way_past(cars[lane * CARS + 2], right)
            first = min(a, b, c)
            second = max(min(a, b), min(max(a, b), c))
            obs[4 + 3 * k] = min((first - 2.0 * TOUCH) * per_100, 1.0)
            obs[5 + 3 * k] = min(first * per_100, 1.0)
            obs[6 + 3 * k] = min((second - 2.0 * TOUCH) * per_100, 1.0)
            lane = lane + 1 if lane + 1 < LANES else 0

    def draw(s, canvas):
        unit = canvas.width / WIDTH
        bottom = canvas.height - unit  # the lower kerb
        canvas.clear(palette.SLATE)
        canvas.rect(0, bottom - LANES * unit, canvas.width, LANES * unit, palette.NIGHT)
        for lane in range(1, LANES):
            middle = lane == LANES // 2
            for x in range(0, canvas.width, 30):
                length, color = (30, palette.ORANGE) if middle else (14, palette.SLATE)
                canvas.rect(x, bottom - lane * unit - 1, length, 2, color)
        for i, position in enumerate(s.cars):
            lane, ahead = i // CARS, 1 if CAR_SPEEDS[i] > 0 else -1
            x, y = (position - 0.5 * CAR_LENGTH) * unit, bottom - (lane + 0.5) * unit
            color = palette.CYCLE[lane % 5]
            canvas.rect(x - 0.6 * unit, y - 0.3 * unit, 1.2 * unit, 0.6 * unit, color, radius=5)
            canvas.rect(
                x + (0.15 * ahead - 0.1) * unit, y - 0.2 * unit, 0.2 * unit, 0.4 * unit, palette.NIGHT
            )
            canvas.circle(x + 0.52 * ahead * unit, y - 0.18 * unit, 2, palette.SNOW)
            canvas.circle(x + 0.52 * ahead * unit, y + 0.18 * unit, 2, palette.SNOW)
        x, y = CHICKEN_X * unit, bottom - s.y * unit
        if s.stun > 0:
            canvas.circle(x, y, 0.45 * unit, palette.VERMILLION)
        canvas.circle(x, y, 0.3 * unit, palette.SNOW)
        canvas.polygon([(x - 4, y - 7), (x + 4, y - 7), (x, y - 14)], palette.YELLOW)
        canvas.text(canvas.width / 2 + 40, 8, f"{s.score} crossings", palette.SNOW, scale=2)


def way_past(car, right):
    """How far a car must drive until it has passed the chicken's way, 0 .. LOOP."""
    way = CHICKEN_X + 0.5 * CAR_LENGTH - car
    way = TOUCH + (way if right else -way)
    return way + LOOP if way < 0.0 else way


def is_hit(cars, y):
    """Whether a car is on the chicken. Both together are as high as a lane: only the lane of its middle counts."""
    if y < 0.0 or y >= LANES:
        return False
    hit = False
    for i in range(int(y) * CARS, int(y) * CARS + CARS):
        hit |= abs(cars[i] - 0.5 * CAR_LENGTH - CHICKEN_X) < TOUCH
    return hit


def scripted(env) -> np.ndarray:
    """Up if no car will come in the next 24 frames; otherwise stay if that is safe; otherwise down.

    Reads ``env.states``: the cars' places, of which the observations have only those near the chicken.
    """
    n, y, cars = env.num_envs, env.states["y"], env.states["cars"].reshape(-1, LANES, CARS)
    choice, decided = np.full(n, UP), np.zeros(n, bool)
    for action, speed in ((UP, WALK), (NOTHING, 0.0), (DOWN, -WALK)):
        safe = np.ones(n, bool)
        for frames in range(1, 25, 2):
            there = y + frames * speed
            lane = np.clip(np.floor(there), 0, LANES - 1).astype(int)
            x = (cars[np.arange(n), lane] + frames * SPEEDS[lane, None]) % LOOP - 0.5 * CAR_LENGTH
            near = (abs(x - CHICKEN_X) < 1.15 * TOUCH).any(axis=1)
            safe &= ~near | (there < 0) | (there >= LANES)
        choice[safe & ~decided] = action
        decided |= safe
    return choice.astype(np.int32)
