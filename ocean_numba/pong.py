"""Pong: two paddles, one ball, and whoever misses it loses a point."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, randint, uniform

# Lengths are in units of the ball's side, y points down, speeds are per frame. The ball's centre stays within
# the court by RADIUS; where it reaches the left or the right end, a paddle meets it or a point is lost.
WIDTH, HEIGHT = 40.0, 30.0
RADIUS = 0.5  # the ball is a square, as in 1972
HALF_PADDLE = 2.25
REACH = HALF_PADDLE + RADIUS  # a ball within this of the paddle's middle is hit
MOVES = (0.0, -0.4, 0.4)  # of a paddle: stay, up, down
SERVE_SPEED, MAX_SPEED = 0.8, 1.6  # of the ball, sideways
STEEPEST = 0.7  # the ball's speed up or down after a hit with a paddle's very end
ACCELERATION = 1.05
JITTER = 0.03
RIGHT, LEFT = 0, 1  # the two seats


class Pong(OceanEnv):
    """Two paddles play a ball to and fro; whoever lets it pass loses the point. First to 21 wins.

    With ``players=1`` the agent has the right paddle against a computer that follows the ball, but not as
    fast as the ball can be. With ``players=2`` both paddles are agents (self-play); each sees the court
    as if its own paddle were the right one, so that one policy can play both. Where the ball meets the
    paddle sets the angle at which it leaves; each hit makes it 5 % faster, up to twice the first speed.

    Observation, for each agent, ``float32[8]``, each within -1 .. 1

    | index | meaning |
    |---|---|
    | 0, 1 | the middle of the own paddle and of the other one, -1 at the top, 1 at the bottom |
    | 2 | the ball from the other end, -1, to the own end, 1 |
    | 3 | the ball's height, -1 at the top, 1 at the bottom |
    | 4 | the ball's velocity towards the own end, as a share of the highest |
    | 5 | the ball's velocity down, as a share of the highest |
    | 6, 7 | own points and the other's, as a share of those that win |

    Action, ``Discrete(3)``: 0 stay, 1 up, 2 down.

    Reward: 1 for a point won, -1 for a point lost.

    Metric: ``score``, points won minus points lost, -21 .. 21. Random play reaches about -16 with
    ``players=1``, and 0 against itself.

    Starting state: both paddles in the middle. Every ball starts from the middle of the court at a random
    height, angle and side.

    Episode end: *terminated* when one side has ``points`` points; *truncated* after ``max_steps`` steps.

    Parameters: ``players`` (1), 1 against the computer, 2 for self-play; ``frameskip`` (4) frames per step;
    ``points`` (21) that win; ``opponent_speed`` (0.3), of the computer's paddle per frame (the agent's is
    0.4, the ball's up to 0.7 up or down); ``max_steps`` (10,000). Lengths are in sides of the ball: the
    court is 40 wide and 30 high, a paddle 4.5.

    Source: Atari's Pong (Alcorn, 1972); the eight numbers of the observation are those of PufferLib's Ocean.
    """

    observation = Box(-np.inf, np.inf, (8,), np.float32)
    action = Discrete(3)
    agents = "players"
    metrics = ("score",)
    keys = {"ArrowUp": 1, "ArrowDown": 2}
    fps = 15
    size = (400, 330)

    class State:
        paddle: f32[2]  # the middle of each seat's paddle
        x: f32  # centre of the ball
        y: f32
        vx: f32
        vy: f32
        won: i32[2]  # points of each seat
        share: f32  # 1 / points, worked out once
        score: i32["players"]  # points won minus points lost

    class Params:
        players: i32.between(1, 2) = 1
        frameskip: i32.at_least(1) = 4
        points: i32.at_least(1) = 21
        opponent_speed: f32.at_least(0) = 0.3
        max_steps: i32.at_least(1) = 10_000

    def reset(s):
        s.share = 1.0 / s.points
        s.paddle[RIGHT] = 0.5 * HEIGHT
        s.paddle[LEFT] = 0.5 * HEIGHT
        serve(s)

    def step(s, actions, rewards, terminals):
        players = len(s.score)
        x, y, vx, vy = s.x, s.y, s.vx, s.vy
        right, left = s.paddle[RIGHT], s.paddle[LEFT]
        move_right = MOVES[actions[RIGHT]]
        move_left = MOVES[actions[players - 1]]
        loser = -1
        for _ in range(s.frameskip):
            if players == 1:
                move_left = min(max(y - left, -s.opponent_speed), s.opponent_speed)
            right = min(max(right + move_right, HALF_PADDLE), HEIGHT - HALF_PADDLE)
            left = min(max(left + move_left, HALF_PADDLE), HEIGHT - HALF_PADDLE)

            x += vx
            y += vy
            if y < RADIUS or y > HEIGHT - RADIUS:
                y = (2.0 * RADIUS if y < RADIUS else 2.0 * (HEIGHT - RADIUS)) - y
                vy = -vy

            if x < RADIUS or x > WIDTH - RADIUS:
                seat = RIGHT if vx > 0.0 else LEFT
                offset = y - (right if seat == RIGHT else left)
                if abs(offset) > REACH:
                    loser = seat
                    break
                x = WIDTH - RADIUS if seat == RIGHT else RADIUS
                speed = min(ACCELERATION * abs(vx), MAX_SPEED)
                vx = -speed if seat == RIGHT else speed
                aim = STEEPEST * offset / REACH + uniform(s, -JITTER, JITTER)
                vy = min(max(aim, -STEEPEST), STEEPEST)

        s.x, s.y, s.vx, s.vy = x, y, vx, vy
        s.paddle[RIGHT], s.paddle[LEFT] = right, left
        if loser >= 0:
            s.won[1 - loser] += 1
            for i in range(players):
                rewards[i] = -1.0 if i == loser else 1.0
                s.score[i] = s.won[i] - s.won[1 - i]
            serve(s)
        return max(s.won[RIGHT], s.won[LEFT]) >= s.points, s.episode_length >= s.max_steps

    def observe(s, i, obs):
        own = 1.0 if i == RIGHT else -1.0  # the left player's court is a mirror image
        obs[0] = s.paddle[i] * (2.0 / HEIGHT) - 1.0
        obs[1] = s.paddle[1 - i] * (2.0 / HEIGHT) - 1.0
        obs[2] = own * (s.x * (2.0 / WIDTH) - 1.0)
        obs[3] = s.y * (2.0 / HEIGHT) - 1.0
        obs[4] = own * s.vx * (1.0 / MAX_SPEED)
        obs[5] = s.vy * (1.0 / STEEPEST)
        obs[6] = s.won[i] * s.share
        obs[7] = s.won[1 - i] * s.share

    def draw(s, canvas):
        margin = 10  # outside of the court, for the paddles
        unit = (canvas.width - 2 * margin) / WIDTH
        top = canvas.height - HEIGHT * unit
        middle = canvas.width / 2
        canvas.clear(palette.NIGHT)
        canvas.rect(0, 0, canvas.width, top, palette.SLATE)
        for y in range(int(top) + 6, canvas.height, 18):
            canvas.rect(middle - 1, y, 2, 9, palette.SLATE)
        for seat, color in ((LEFT, palette.ORANGE), (RIGHT, palette.SKY_BLUE)):
            points = str(s.won[seat])
            x = middle + (24 if seat == RIGHT else -24 - canvas.text_width(points, 3))
            canvas.text(x, (top - 21) / 2, points, color, scale=3)
            x = canvas.width - margin if seat == RIGHT else margin - 6
            y = top + (s.paddle[seat] - HALF_PADDLE) * unit
            canvas.rect(x, y, 6, 2 * HALF_PADDLE * unit, color, radius=2)
        x, y = margin + s.x * unit, top + s.y * unit
        for i in range(5, 0, -1):  # a fading trail, back along the ball's way
            color = palette.mix(palette.NIGHT, palette.SNOW, 0.4 - 0.07 * i)
            canvas.circle(x - 0.8 * i * s.vx * unit, y - 0.8 * i * s.vy * unit, RADIUS * unit, color)
        canvas.rect(x - RADIUS * unit, y - RADIUS * unit, 2 * RADIUS * unit, 2 * RADIUS * unit, palette.SNOW)


def serve(s):
    """A new ball from the middle of the court."""
    s.x, s.y = 0.5 * WIDTH, uniform(s, 0.25 * HEIGHT, 0.75 * HEIGHT)
    s.vx = SERVE_SPEED if randint(s, 2) == 0 else -SERVE_SPEED
    s.vy = uniform(s, -0.5 * STEEPEST, 0.5 * STEEPEST)


def scripted(env) -> np.ndarray:
    """Run to where the ball will arrive, and hit it with the paddle's end, away from the other paddle."""
    own, other, x, y, vx, vy = env.observations[:, :6].astype(np.float64).T
    own, other, y = ((1.0 + height) * 0.5 * HEIGHT for height in (own, other, y))
    frames = (WIDTH - RADIUS - (1.0 + x) * 0.5 * WIDTH) / np.maximum(vx * MAX_SPEED, 1e-3)
    # Unfold the walls: the ball flies straight on through mirror images of the court.
    high = HEIGHT - 2.0 * RADIUS
    way = (y - RADIUS + vy * STEEPEST * frames) % (2.0 * high)
    arrival = RADIUS + np.minimum(way, 2.0 * high - way)
    aim = np.where(other > 0.5 * HEIGHT, 1.0, -1.0) * 0.7 * HALF_PADDLE  # above its middle: the ball flies up
    goal = np.where(vx > 0.0, arrival + aim, 0.5 * HEIGHT)
    return np.where(goal > own + 0.8, 2, np.where(goal < own - 0.8, 1, 0)).astype(np.int32)
