"""Space shooter: one raider after the other comes down the sky; shoot it before it lands, and dodge."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, boolean, f32, i32, palette, randint, uniform

# The sky is the square -1 .. 1, x to the right, y down; one step is the unit of time.
STAY, LEFT, RIGHT, UP, DOWN, FIRE = 0, 1, 2, 3, 4, 5
SHIP_SPEED = 0.06
BULLET_SPEED = 0.12  # the ship's, upwards
BOMB_SPEED = 0.05  # the raider's, downwards
RAIDER_SPEED = 0.03  # of the first raider; each one that was shot makes the next faster
FASTER = 0.0015
FASTEST = 0.09
SIZE = 0.09  # half the width of ship and raider
CEILING = 0.4  # the ship stays below
DESCENT = 0.2  # the raider comes this much lower each time it turns round
NO_BULLET = 2.0  # how far away a bullet that does not exist seems to be


class SpaceShooter(OceanEnv):
    """Raiders fly to and fro, lower with each turn, and drop bombs on a ship that is below them; shoot them.

    There is one raider at a time, one bullet of the ship and one bomb of the raider. The ship moves in the
    lower part of the sky.

    Observation, ``float32[10]``

    | index | meaning | range |
    |---|---|---|
    | 0, 1 | the ship's x, y | -1 .. 1 |
    | 2, 3 | the raider, relative to the ship: x, y | -2 .. 2 |
    | 4 | the raider's speed, positive to the right, as a share of the fastest | -1 .. 1 |
    | 5 | lives left, as a share of all | 0 .. 1 |
    | 6, 7 | the ship's bullet, relative to the raider: x, y (0, 2 when there is none) | -2 .. 2 |
    | 8, 9 | the raider's bomb, relative to the ship: x, y (0, -2 when there is none) | -2 .. 2 |

    Action, ``Discrete(6)``: 0 stay, 1 left, 2 right, 3 up, 4 down, 5 fire. There is a next bullet when the last one has
    hit something or left the sky.

    Reward: 1 for a raider that is shot, -1 for a life that is lost: to a bomb, or to a raider that comes down to
    the ship's height.

    Starting state: the ship in the middle, three lives; the first raider comes from either side.

    Episode end: *terminated* when the last life is lost, *truncated* after ``max_steps`` steps.

    Metric: ``score``, raiders shot. Random play shoots 3 in a game, a hand-written rule 23, a trained agent about 34.

    Parameters: ``lives`` (3), ``bombs`` (0.25), chance per step that a raider above the ship drops one,
    ``max_steps`` (1000).

    Source: after the arcade games of the kind (Space Invaders, 1978; Blastar, 1984); rules and code are our own.
    """

    observation = Box(-2, 2, (10,), np.float32)
    action = Discrete(6)
    metrics = ("score",)
    keys = {"ArrowLeft": LEFT, "ArrowRight": RIGHT, "ArrowUp": UP, "ArrowDown": DOWN, " ": FIRE}
    fps = 30
    size = (360, 360)

    class State:
        x: f32  # of the ship
        y: f32
        raider_x: f32
        raider_y: f32
        raider_speed: f32  # positive to the right
        bullet: boolean  # whether it is there
        bullet_x: f32
        bullet_y: f32
        bomb: boolean
        bomb_x: f32
        bomb_y: f32
        lives_left: i32
        score: i32

    class Params:
        lives: i32.between(1, 100) = 3
        bombs: f32.between(0, 1) = 0.25
        max_steps: i32.at_least(1) = 1000

    def reset(s):
        s.y = 0.9
        s.lives_left = s.lives
        send_raider(s)

    def step(s, action):
        # Comparisons are 0 or 1: arithmetic instead of branches that a processor cannot foresee
        x = min(max(s.x + SHIP_SPEED * ((action == RIGHT) - (action == LEFT)), -1.0), 1.0)
        y = min(max(s.y + SHIP_SPEED * ((action == DOWN) - (action == UP)), CEILING), 1.0)
        s.x, s.y = x, y
        reward = 0.0

        raider_x, raider_y, speed = s.raider_x + s.raider_speed, s.raider_y, s.raider_speed
        if raider_x < -1.0 or raider_x > 1.0:
            raider_x = min(max(raider_x, -1.0), 1.0)
            raider_y += DESCENT
            speed = -speed
        s.raider_x, s.raider_y, s.raider_speed = raider_x, raider_y, speed

        if s.bullet:
            s.bullet_y -= BULLET_SPEED
            # As high as its own flight in one step, or a raider could slip through
            if abs(s.bullet_x - raider_x) < SIZE and abs(s.bullet_y - raider_y) < SIZE:
                s.bullet = False
                s.score += 1
                reward = 1.0
                send_raider(s)
            elif s.bullet_y < -1.0:
                s.bullet = False
        elif action == FIRE:
            s.bullet = True
            s.bullet_x, s.bullet_y = x, y

        hit = raider_y >= y - SIZE and reward == 0.0  # it came down to the ship's height
        if hit:
            send_raider(s)
        if s.bomb:
            s.bomb_y += BOMB_SPEED
            if abs(s.bomb_x - x) < SIZE and abs(s.bomb_y - y) < SIZE:
                hit = True
            s.bomb = not hit and s.bomb_y <= 1.0
        elif abs(s.raider_x - x) < SIZE and uniform(s, 0.0, 1.0) < s.bombs:
            s.bomb = True
            s.bomb_x, s.bomb_y = s.raider_x, s.raider_y
        if hit:
            s.lives_left -= 1
            reward -= 1.0
        return reward, s.lives_left == 0, s.episode_length >= s.max_steps

    def observe(s, obs):
        x, y, raider_x, raider_y = s.x, s.y, s.raider_x, s.raider_y
        obs[0] = x
        obs[1] = y
        obs[2] = raider_x - x
        obs[3] = raider_y - y
        obs[4] = s.raider_speed * (1.0 / FASTEST)
        obs[5] = s.lives_left / s.lives
        obs[6] = s.bullet_x - raider_x if s.bullet else 0.0
        obs[7] = s.bullet_y - raider_y if s.bullet else NO_BULLET
        obs[8] = s.bomb_x - x if s.bomb else 0.0
        obs[9] = s.bomb_y - y if s.bomb else -NO_BULLET

    def draw(s, canvas):
        unit = canvas.width / 2.4
        middle = canvas.width / 2

        def place(x, y):
            return middle + x * unit, middle + y * unit

        canvas.clear(palette.NIGHT)
        for k in range(1, 60):  # stars, spread evenly without a pattern (Roberts, 2018: the R2 sequence)
            canvas.rect(k * 0.7549 % 1 * canvas.width, k * 0.5698 % 1 * canvas.height, 2, 2, palette.SLATE)
        if s.bullet:
            x, y = place(s.bullet_x, s.bullet_y)
            canvas.line(x, y - 7, x, y + 7, palette.YELLOW, width=3)
        if s.bomb:
            canvas.circle(*place(s.bomb_x, s.bomb_y), 5, palette.VERMILLION)
        x, y = place(s.raider_x, s.raider_y)
        canvas.polygon([(x - 20, y - 8), (x + 20, y - 8), (x + 9, y + 9), (x - 9, y + 9)], palette.ORANGE)
        canvas.circle(x, y - 8, 8, palette.mix(palette.ORANGE, palette.WHITE, 0.4))
        x, y = place(s.x, s.y)
        canvas.polygon([(x, y - 14), (x + 15, y + 11), (x, y + 5), (x - 15, y + 11)], palette.SKY_BLUE)
        canvas.text(10, 8, f"{s.score} raiders", palette.SNOW)
        for k in range(min(s.lives_left, 10)):
            x = canvas.width - 14 - 16 * k
            canvas.polygon([(x, 6), (x + 6, 18), (x - 6, 18)], palette.SKY_BLUE)


def send_raider(s):
    side = 2 * randint(s, 2) - 1
    s.raider_x = side
    s.raider_y = uniform(s, -0.9, -0.5)
    s.raider_speed = -side * min(RAIDER_SPEED + FASTER * s.score, FASTEST)


def scripted(env):
    """Get out of a bomb's way; else go where a bullet would meet the raider, and fire."""
    _, _, raider_x, raider_y, speed, _, _, bullet_y, bomb_x, bomb_y = env.observations.T
    # Flight time of a bullet fired now, and where the raider will be then (it turns round at the border)
    ahead = env.observations[:, 0] + raider_x + speed * FASTEST * (-raider_y / BULLET_SPEED + 1)
    aim = np.where(np.abs(ahead) > 1, np.sign(ahead) * 2 - ahead, ahead) - env.observations[:, 0]
    actions = np.where(aim > 0, RIGHT, LEFT)
    ready = bullet_y == NO_BULLET
    actions = np.where(np.abs(aim) < SIZE / 2, np.where(ready, FIRE, STAY), actions)
    danger = (np.abs(bomb_x) < 2 * SIZE) & (bomb_y < SIZE) & (bomb_y > -0.5)
    side = np.where(env.observations[:, 0] > 0.8, LEFT, np.where(env.observations[:, 0] < -0.8, RIGHT, 0))
    dodge = np.where(side > 0, side, np.where(bomb_x > 0, LEFT, RIGHT))
    return np.where(danger, dodge, actions).astype(np.int32)
