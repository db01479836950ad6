"""Breakout: a wall of bricks, a ball and a paddle."""

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
MOVES = (0.0, -0.3, 0.3)  # of the paddle, per frame: stay, left, right
WALLS, MAX_SCORE = 2, 864.0
STEEPEST = 0.85  # sideways share of the ball's speed after a hit with the paddle's very end
JITTER = 0.05
ACCELERATION = 1.03
EPS = 1e-3  # an edge this near to a line counts as before it: rounding must not push the ball through


class Breakout(OceanEnv):
    """Keep the ball in play with the paddle, and break two walls of bricks.

    The ball bounces off the walls, the ceiling, the bricks and the paddle. Where it meets the paddle sets
    the angle at which it leaves, as on the arcade machine; each such hit makes it 3 % faster, until it is
    lost or at full speed. One step is ``frameskip`` frames; 15 steps make a second when people play.

    Observation, ``float32[118]``, each about -1 .. 1

    | index | meaning |
    |---|---|
    | 0 | the paddle's middle, -1 at the left wall, 1 at the right |
    | 1, 2 | the ball: x likewise, y from -1 at the ceiling to 1 at the floor |
    | 3 | the ball's x minus the paddle's, in half arenas (-2 .. 2) |
    | 4, 5 | the ball's velocity to the right and down, as a share of the highest speed |
    | 6 | the ball's speed, as a share of the highest |
    | 7 | lives left, as a share of those at the start |
    | 8 | score / 864 |
    | 9 | the share of the present wall that still stands |
    | 10 .. 117 | the bricks, row by row from the top left: 1 stands, 0 is gone |

    Action, ``Discrete(3)``: 0 stay, 1 left, 2 right.

    Reward: the points of the bricks broken in this step. From the top, two rows each are worth 7, 4 and 1.

    Metric: ``score``, the sum of the points. **Its maximum is 864**: 2 walls x 18 columns x 2 x (7 + 4 + 1),
    as on the Atari 2600. Random play reaches about 1.

    Starting state: a whole wall, the paddle in the middle. Every ball starts at a random place below the
    wall and falls at a random angle. The second wall appears when the ball is back at the paddle.

    Episode end: *terminated* when the last ball is lost or the second wall is gone; *truncated* after
    ``max_steps`` steps.

    Parameters: ``frameskip`` (4) frames per step; ``lives`` (5); ``ball_speed`` (0.2) at first and
    ``max_ball_speed`` (0.35), per frame; ``paddle_width`` (2.4); ``max_steps`` (10,000). Lengths are in
    bricks: the arena is 18 wide and 16 high, a brick 1 x 0.5.

    A frame ends at the first thing that the ball meets, found exactly: no brick is passed at any speed. No
    loop is endless: at least half the ball's speed is up or down, and the paddle adds a little chance.

    Source: Atari's Breakout (Bristow and Wozniak, 1976) with the points of the Atari 2600 version (1978);
    paddle, bricks and ball as one flat observation follow PufferLib's Ocean.
    """

    # Bricks have bounds, so that a policy need not blow them up; the other numbers are for it to normalise.
    observation = Box(np.float32([-np.inf] * 10 + [0.0] * BRICKS), np.float32([np.inf] * 10 + [1.0] * BRICKS))
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
        frameskip: i32.at_least(1) = 4
        lives: i32.at_least(1) = 5
        ball_speed: f32.at_least(0.01) = 0.2
        max_ball_speed: f32.at_least(0.01) = 0.35
        paddle_width: f32.between(0.1, WIDTH) = 2.4
        max_steps: i32.at_least(1) = 10_000

    def reset(s):
        s.paddle = 0.5 * WIDTH
        s.balls = s.lives
        build_wall(s)
        launch(s)

    def step(s, action):
        bricks = s.bricks
        paddle, x, y, vx, vy = s.paddle, s.x, s.y, s.vx, s.vy
        half = 0.5 * s.paddle_width
        move = MOVES[action]
        points = 0
        for _ in range(s.frameskip):
            paddle = min(max(paddle + move, half), WIDTH - half)

            # The way of this frame, cut short at the first thing in it.
            dx, dy, side, flat = vx, vy, False, False
            if x + dx < RADIUS or x + dx > WIDTH - RADIUS:
                share = ((RADIUS if dx < 0.0 else WIDTH - RADIUS) - x) / dx
                dx, dy, side = share * dx, share * dy, True
            if y + dy < RADIUS:
                share = (RADIUS - y) / dy
                dx, dy, side, flat = share * dx, share * dy, False, True
            if min(y, y + dy) - RADIUS < WALL_BOTTOM:
                brick, share, from_side = first_brick(bricks, x, y, dx, dy)
                if brick >= 0:
                    dx, dy, side, flat = share * dx, share * dy, from_side, not from_side
                    bricks[brick] = 0
                    s.standing -= 1
                    points += 7 - 3 * (brick // (2 * COLUMNS))
            if y + RADIUS <= PADDLE_Y and y + dy + RADIUS > PADDLE_Y:
                share = (PADDLE_Y - RADIUS - y) / dy
                offset = x + share * dx - paddle
                if abs(offset) <= half + RADIUS:
                    dx, dy, side = share * dx, share * dy, False
                    s.speed = min(ACCELERATION * s.speed, s.max_ball_speed)
                    aim = STEEPEST * offset / (half + RADIUS) + uniform(s, -JITTER, JITTER)
                    aim = min(max(aim, -STEEPEST), STEEPEST)
                    vx, vy = s.speed * aim, -s.speed * math.sqrt(1.0 - aim * aim)
                    if s.standing == 0:
                        build_wall(s)

            x = min(max(x + dx, RADIUS), WIDTH - RADIUS)
            y = max(y + dy, RADIUS)
            vx = -vx if side else vx
            vy = -vy if flat else vy
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
        canvas.clear(palette.NIGHT)
        canvas.rect(0, 0, canvas.width, top, palette.SLATE)
        canvas.text(8, 11, f"SCORE {s.score}", palette.SNOW, scale=2)
        for i in range(s.balls):
            canvas.circle(canvas.width - 16 - 18 * i, 18, 5, palette.SNOW)
        for i, stands in enumerate(s.bricks):
            if stands:
                row, column = divmod(i, COLUMNS)
                x, y = column * unit, top + (WALL_TOP + row / ROWS_PER_UNIT) * unit
                canvas.rect(x + 1, y + 1, unit - 2, unit / ROWS_PER_UNIT - 2, palette.SPECTRUM[row], radius=2)
        x, y, vx, vy = s.x * unit, top + s.y * unit, s.vx * unit, s.vy * unit
        for i in range(6, 0, -1):  # a fading trail, back along the ball's way
            color = palette.mix(palette.NIGHT, palette.SNOW, 0.45 - 0.07 * i)
            canvas.circle(x - 0.7 * i * vx, y - 0.7 * i * vy, RADIUS * unit, color)
        canvas.circle(x, y, RADIUS * unit + 0.5, palette.SNOW)
        left, width = (s.paddle - 0.5 * s.paddle_width) * unit, s.paddle_width * unit
        canvas.rect(left, top + PADDLE_Y * unit, width, 7, palette.SKY_BLUE, radius=3)


def build_wall(s):
    for i in range(BRICKS):
        s.bricks[i] = 1
    s.standing = BRICKS


def launch(s):
    s.speed = s.ball_speed
    aim = uniform(s, -0.6, 0.6)
    s.x, s.y = uniform(s, 3.0, WIDTH - 3.0), 8.0
    s.vx, s.vy = s.speed * aim, s.speed * math.sqrt(1.0 - aim * aim)


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
    # Flying left or up is flying right or down in a mirror.
    right, down = (1.0 if dx > 0.0 else -1.0), (1.0 if dy > 0.0 else -1.0)
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
        # Behind the line that is crossed the ball enters up to two cells; that of its centre counts first.
        if from_side:
            column = np.floor(right * (line_x + 0.5))  # times right: back out of the mirror
            front, back = np.floor(down * (line_y - 0.5)), np.floor(ball_y - down * (half_y - EPS))
            for row in (np.floor(ball_y), front, back):
                brick = brick if brick >= 0 else brick_at(bricks, row, column)
            line_x += 1.0
        else:
            row = np.floor(down * (line_y + 0.5))
            front, back = np.floor(right * (line_x - 0.5)), np.floor(ball_x - right * (half_x - EPS))
            for column in (np.floor(ball_x), front, back):
                brick = brick if brick >= 0 else brick_at(bricks, row, column)
            line_y += 1.0
    return brick, share, from_side


def scripted(env: OceanEnv) -> np.ndarray:
    """Keeps the paddle under the ball. int32 ``[rows]``."""
    offset = env.observations[:, 3]
    return np.where(offset > 0.06, 2, np.where(offset < -0.06, 1, 0)).astype(np.int32)
