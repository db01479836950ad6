"""Breakout: a wall of bricks, a ball and a paddle."""

from __future__ import annotations

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, inline, palette, u8, uniform

# Lengths are in bricks: a brick is 1 wide and 0.5 high, the arena 18 wide and 16 high, y points down.
ROWS, COLUMNS = 6, 18
BRICKS = ROWS * COLUMNS
WIDTH, HEIGHT = 18.0, 16.0
WALL_TOP, WALL_BOTTOM = 2.0, 5.0
ROWS_PER_UNIT = 2.0
RADIUS = 0.2  # the ball is a square of twice this side, as on the machines of 1976
PADDLE_Y = 15.2  # its upper edge
PADDLE_SPEED = 0.3  # per frame
WALLS = 2
MAX_SCORE = 864.0
STEEPEST = 0.85  # sideways share of the ball's speed after a hit with the paddle's very end
JITTER = 0.05
ACCELERATION = 1.03
EPS = 1e-3  # an edge this near to a line counts as before it: rounding must not push the ball through


class Breakout(OceanEnv):
    """Keep the ball in play with the paddle, and break two walls of bricks.

    The ball bounces off the walls, the ceiling, the bricks and the paddle. Where it meets the paddle sets
    the angle at which it leaves, as on the arcade machine; each such hit makes it 3 % faster, until it is
    lost or at full speed. One step is ``frameskip`` frames; 15 steps make a second when people play.

    Observation, 118 float32, each about -1..1:

    ========  ======================================================================
    0         paddle, -1 at the left wall .. 1 at the right
    1, 2      ball: x likewise, y from -1 at the ceiling to 1 at the floor
    3         ball's x minus paddle's, in half arenas (-2..2)
    4, 5      ball's velocity (right, down), as a share of the highest speed
    6         ball's speed, as a share of the highest
    7         lives left, as a share of those at the start
    8         score / 864
    9         share of the present wall that still stands
    10..117   the bricks, row by row from the top left: 1 stands, 0 is gone
    ========  ======================================================================

    Actions: 0 stay, 1 left, 2 right.

    Rewards: a brick's points; from the top, two rows each are worth 7, 4 and 1. The metric ``score`` is
    their sum. **Maximum: 864** = 2 walls x 18 columns x 2 x (7 + 4 + 1), as on the Atari 2600.

    Starting state: a whole wall, the paddle in the middle; the ball starts below the wall at a random
    place and falls at a random angle. So does every later ball. The second wall appears when the first
    is gone and the ball has come down to the paddle.

    Episode end: *terminated* when the last ball is lost or the second wall is gone; *truncated* after
    ``max_steps`` steps.

    Parameters: ``frameskip`` frames per step; ``lives`` balls; ``ball_speed`` at first and
    ``max_ball_speed``, per frame; ``paddle_width``; ``max_steps``. Lengths are in bricks (the arena is 18
    wide and 16 high, a brick 1 x 0.5).

    Physics: a frame ends at the first thing that the ball meets, found exactly, so at any speed a ball
    breaks the brick it touches first, one per frame, and passes through none. Neither of two endless
    loops exists: the ball always has half its speed up or down, and the paddle adds a little chance.

    Source: Atari's Breakout (Bristow, Wozniak, 1976), points of the Atari 2600 version (Stewart, 1978);
    the idea of the observation is PufferLib's (Suarez, 2024).
    """

    observation = Box(-2.0, 2.0, (10 + BRICKS,), np.float32)
    action = Discrete(3)
    metrics = ("score",)
    keys = {"ArrowLeft": 1, "ArrowRight": 2}
    fps = 15
    size = (324, 324)

    class State:
        paddle: f32  # centre
        x: f32  # centre of the ball
        y: f32
        vx: f32  # per frame
        vy: f32
        speed: f32
        balls: i32  # lives left, the one in play included
        score: i32
        standing: i32  # bricks of the present wall
        walls: i32  # walls cleared
        bricks: u8[BRICKS]

    class Params:
        frameskip: i32 = 4
        lives: i32 = 5
        ball_speed: f32 = 0.2
        max_ball_speed: f32 = 0.35
        paddle_width: f32 = 2.4
        max_steps: i32 = 10_000

    def reset(s):
        s.paddle = 0.5 * WIDTH
        s.balls = s.lives
        build_wall(s)
        launch(s)

    def step(s, action):
        bricks = s.bricks
        paddle, x, y, vx, vy = s.paddle, s.x, s.y, s.vx, s.vy
        half = 0.5 * s.paddle_width
        move = 0.0
        if action == 1:
            move = -PADDLE_SPEED
        elif action == 2:
            move = PADDLE_SPEED
        points = 0
        for _ in range(s.frameskip):
            paddle = min(max(paddle + move, half), WIDTH - half)

            # The way of this frame, cut short at the first thing in it.
            dx, dy = vx, vy
            side, flat = False, False
            if x + dx < RADIUS or x + dx > WIDTH - RADIUS:
                edge = RADIUS if dx < 0.0 else WIDTH - RADIUS
                share = (edge - x) / dx
                dx, dy = share * dx, share * dy
                side = True
            if y + dy < RADIUS:
                share = (RADIUS - y) / dy
                dx, dy = share * dx, share * dy
                side, flat = False, True
            if min(y, y + dy) - RADIUS < WALL_BOTTOM:
                brick, share, from_side = first_brick(bricks, x, y, dx, dy)
                if brick >= 0:
                    dx, dy = share * dx, share * dy
                    side, flat = from_side, not from_side
                    bricks[brick] = 0
                    s.standing -= 1
                    points += 7 - 3 * (brick // (2 * COLUMNS))
            if y + RADIUS <= PADDLE_Y and y + dy + RADIUS > PADDLE_Y:
                share = (PADDLE_Y - RADIUS - y) / dy
                offset = x + share * dx - paddle
                if abs(offset) <= half + RADIUS:
                    dx, dy = share * dx, share * dy
                    s.speed = min(ACCELERATION * s.speed, s.max_ball_speed)
                    aim = STEEPEST * offset / (half + RADIUS) + uniform(s, -JITTER, JITTER)
                    aim = min(max(aim, -STEEPEST), STEEPEST)
                    vx = s.speed * aim
                    vy = -s.speed * math.sqrt(1.0 - aim * aim)
                    side = False
                    if s.standing == 0:
                        build_wall(s)

            x = min(max(x + dx, RADIUS), WIDTH - RADIUS)
            y = max(y + dy, RADIUS)
            if side:
                vx = -vx
            if flat:
                vy = -vy
            if y > HEIGHT:
                break

        s.paddle, s.x, s.y, s.vx, s.vy = paddle, x, y, vx, vy
        s.score += points
        if points > 0 and s.standing == 0:
            s.walls += 1
        if y > HEIGHT:
            s.balls -= 1
            launch(s)
        return points, s.balls <= 0 or s.walls == WALLS, s.episode_length >= s.max_steps

    def observe(s, obs):
        to_speed = 1.0 / s.max_ball_speed
        obs[0] = s.paddle * (2.0 / WIDTH) - 1.0
        obs[1] = s.x * (2.0 / WIDTH) - 1.0
        obs[2] = s.y * (2.0 / HEIGHT) - 1.0
        obs[3] = (s.x - s.paddle) * (2.0 / WIDTH)
        obs[4] = s.vx * to_speed
        obs[5] = s.vy * to_speed
        obs[6] = s.speed * to_speed
        obs[7] = s.balls / s.lives
        obs[8] = s.score / MAX_SCORE
        obs[9] = s.standing / BRICKS
        bricks = s.bricks
        for i in range(BRICKS):
            obs[10 + i] = bricks[i]

    def draw(s, canvas):
        unit = canvas.width / WIDTH
        top = canvas.height - HEIGHT * unit  # above it: score and lives
        canvas.clear(palette.SLATE)
        canvas.rect(0, top, canvas.width, canvas.height, palette.NIGHT)
        canvas.text(8, 11, f"SCORE {s.score}", palette.SNOW, scale=2)
        for i in range(s.balls):
            canvas.circle(canvas.width - 16 - 18 * i, 18, 5, palette.SNOW)
        rows = (
            palette.PURPLE,
            palette.VERMILLION,
            palette.ORANGE,
            palette.YELLOW,
            palette.GREEN,
            palette.SKY_BLUE,
        )
        for i, stands in enumerate(s.bricks):
            if stands:
                row, column = divmod(i, COLUMNS)
                x, y = column * unit, top + (WALL_TOP + row / ROWS_PER_UNIT) * unit
                canvas.rect(x + 1, y + 1, unit - 2, unit / ROWS_PER_UNIT - 2, rows[row], radius=2)
        for i in range(6, 0, -1):  # a fading trail, back along the ball's way
            x, y = s.x - 0.7 * i * s.vx, s.y - 0.7 * i * s.vy
            color = palette.mix(palette.NIGHT, palette.SNOW, 0.45 - 0.07 * i)
            canvas.circle(x * unit, top + y * unit, RADIUS * unit, color)
        canvas.circle(s.x * unit, top + s.y * unit, RADIUS * unit + 0.5, palette.SNOW)
        width = s.paddle_width * unit
        canvas.rect(s.paddle * unit - width / 2, top + PADDLE_Y * unit, width, 7, palette.SKY_BLUE, radius=3)


def build_wall(s):
    for i in range(BRICKS):
        s.bricks[i] = 1
    s.standing = BRICKS


def launch(s):
    s.speed = s.ball_speed
    aim = uniform(s, -0.6, 0.6)
    s.x = uniform(s, 3.0, WIDTH - 3.0)
    s.y = 8.0
    s.vx = s.speed * aim
    s.vy = s.speed * math.sqrt(1.0 - aim * aim)


@inline
def brick_at(bricks, row, column):
    """Index of the brick in this place, or -1 when there is none."""
    if row >= 0.0 and row < ROWS and column >= 0.0 and column < COLUMNS:
        brick = int(row) * COLUMNS + int(column)
        if bricks[brick] != 0:
            return brick
    return -1


@inline
def first_brick(bricks, x, y, dx, dy):
    """The brick that a ball at (x, y) touches first on its way (dx, dy), as ``(brick, share, from_side)``.

    ``brick`` is -1 when there is none, ``share`` how much of the way it is there. Walks along the lines
    between bricks in the order in which the ball's front edges cross them (Amanatides & Woo, 1987).
    """
    y, dy = (y - WALL_TOP) * ROWS_PER_UNIT, dy * ROWS_PER_UNIT  # in rows, as x is in columns
    half_x, half_y = RADIUS, RADIUS * ROWS_PER_UNIT
    right = 1.0 if dx > 0.0 else -1.0
    down = 1.0 if dy > 0.0 else -1.0
    # Flying left or up is flying right or down in a mirror.
    front_x, front_y = right * x + half_x, down * y + half_y
    line_x, line_y = np.floor(front_x - EPS) + 1.0, np.floor(front_y - EPS) + 1.0
    per_x, per_y = 1.0 / max(abs(dx), 1e-6), 1.0 / max(abs(dy), 1e-6)
    brick, share, from_side = -1, 0.0, False
    while brick < 0:
        share_x, share_y = (line_x - front_x) * per_x, (line_y - front_y) * per_y
        from_side = share_x < share_y
        share = max(min(share_x, share_y), 0.0)
        if share > 1.0:
            break
        ball_x, ball_y = x + share * dx, y + share * dy
        column, row = np.floor(ball_x), np.floor(ball_y)
        # Whichever line is crossed, the ball enters the cells behind it, up to two: its centre's counts first.
        if from_side:
            entered = np.floor(right * (line_x + 0.5))  # times right: back out of the mirror
            brick = brick_at(bricks, row, entered)
            if brick < 0:
                brick = brick_at(bricks, np.floor(down * (line_y - 0.5)), entered)
            if brick < 0:
                brick = brick_at(bricks, np.floor(ball_y - down * (half_y - EPS)), entered)
            line_x += 1.0
        else:
            entered = np.floor(down * (line_y + 0.5))
            brick = brick_at(bricks, entered, column)
            if brick < 0:
                brick = brick_at(bricks, entered, np.floor(right * (line_x - 0.5)))
            if brick < 0:
                brick = brick_at(bricks, entered, np.floor(ball_x - right * (half_x - EPS)))
            line_y += 1.0
    return brick, share, from_side
