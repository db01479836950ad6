"""Target: several agents chase goals in one arena."""

import math

import numpy as np

from ocean_numba import Box, MultiDiscrete, OceanEnv, f32, i32, palette, uniform

# The arena is the square -1 .. 1, x to the right, y down; one agent's step is its unit of time.
MAX_SPEED = 0.05
ACCELERATION = 0.0125
TURN = 0.05  # tangent of half the smallest turn: 4 of them are 22.6 degrees
REACH = 0.1  # distance at which a goal is reached
WIDTH = 0.1  # of an agent: nearer than this, two push each other apart

AGENT_COLORS = palette.CYCLE[:5]  # yellow is for goals
STAR = [
    (radius * math.sin(k * math.pi / 5), -radius * math.cos(k * math.pi / 5))
    for k, radius in enumerate([0.85, 0.36] * 5)
]


class Target(OceanEnv):
    """Agents drive about a square and collect goals; a goal that is reached moves to another place.

    All agents share the arena and the goals: whoever comes first gets the point. They push each
    other aside and stop at the walls. Each sees everything from its own seat: what is ahead of it is at positive
    x, what is on its right at positive y, however it is turned.

    Observation, for each agent, ``float32[28]`` (in general 2 x goals + 2 x (agents - 1) + 6)

    | index | meaning | range |
    |---|---|---|
    | 0 .. 7 | the four goals, the nearest first: ahead and right, for each | -2.8 .. 2.8 |
    | 8 .. 21 | the seven other agents: ahead and right, for each | -2.8 .. 2.8 |
    | 22, 23 | own position x, y | -1 .. 1 |
    | 24, 25 | own heading, a vector of length 1 | -1 .. 1 |
    | 26 | own speed, as a share of the highest | 0 .. 1 |
    | 27 | own reward in the last step | 0 .. 4 |

    Action, ``MultiDiscrete([9, 5])``

    | part | meaning |
    |---|---|
    | turn, 0 .. 8 | 4 straight on; 3 .. 0 left and 5 .. 8 right, by about 6, 11, 17 and 23 degrees |
    | pedal, 0 .. 4 | 2 keep the speed; 1, 0 brake and 3, 4 accelerate, by 1/4 or 1/2 of the top speed |

    Reward: 1 for each goal that the agent reaches (comes within 0.1 of, in an arena 2 wide). When two
    reach it in the same step, it goes to the one with the lower number.

    Starting state: agents, with speed 0, and goals anywhere, heading anywhere, all uniformly random.

    Episode end: *truncated* after ``max_steps`` steps, for all agents at once. Nothing terminates.

    Metric: ``score``, goals per agent. It has no sharp maximum, because the agents are in each other's way.
    Random play reaches 0.7, always steering for the nearest goal about 8.

    Parameters: ``agents`` (8), ``goals`` (4), ``max_steps`` (256).

    Source: after PufferLib's Ocean environment Target (Suarez, 2025); rules and code are our own.
    """

    observation = lambda p: Box(-np.inf, np.inf, (2 * p.goals + 2 * p.agents + 4,), np.float32)  # noqa: E731
    action = MultiDiscrete([9, 5])
    agents = "agents"
    metrics = ("score",)
    keys = {"ArrowLeft": (1, 3), "ArrowRight": (7, 3), "ArrowUp": (4, 4), "ArrowDown": (4, 0)}
    fps = 30
    size = (400, 400)

    class State:
        x: f32["agents"]
        y: f32["agents"]
        ahead_x: f32["agents"]  # heading, a vector of length 1
        ahead_y: f32["agents"]
        speed: f32["agents"]  # per step
        reward: f32["agents"]  # in the last step
        goal_x: f32["goals"]
        goal_y: f32["goals"]
        score: f32  # goals reached, per agent

    class Params:
        agents: i32.at_least(1) = 8
        goals: i32.at_least(1) = 4
        max_steps: i32.at_least(1) = 256

    def reset(s):
        for i in range(len(s.x)):
            s.x[i] = uniform(s, -1.0, 1.0)
            s.y[i] = uniform(s, -1.0, 1.0)
            angle = uniform(s, -math.pi, math.pi)
            s.ahead_x[i] = math.cos(angle)
            s.ahead_y[i] = math.sin(angle)
        for g in range(len(s.goal_x)):
            move_goal(s, g)

    def step(s, actions, rewards, terminals):
        xs, ys, aheads_x, aheads_y, speeds = s.x, s.y, s.ahead_x, s.ahead_y, s.speed
        for i in range(len(xs)):
            # A turn by the angle 2 * atan(t), without sine and cosine.
            t = TURN * (actions[i, 0] - 4)
            scale = 1.0 / (1.0 + t * t)
            cos, sin = (1.0 - t * t) * scale, 2.0 * t * scale
            ahead_x = cos * aheads_x[i] - sin * aheads_y[i]
            ahead_y = sin * aheads_x[i] + cos * aheads_y[i]
            speed = min(max(speeds[i] + ACCELERATION * (actions[i, 1] - 2), 0.0), MAX_SPEED)
            aheads_x[i], aheads_y[i], speeds[i] = ahead_x, ahead_y, speed
            xs[i] += speed * ahead_x
            ys[i] += speed * ahead_y

        for i in range(len(xs)):
            for j in range(i + 1, len(xs)):
                dx, dy = xs[j] - xs[i], ys[j] - ys[i]
                square = dx * dx + dy * dy
                if 0.0 < square < WIDTH * WIDTH:  # too near: each gives way by half of what is missing
                    push = 0.5 * (WIDTH / math.sqrt(square) - 1.0)
                    xs[i] -= push * dx
                    ys[i] -= push * dy
                    xs[j] += push * dx
                    ys[j] += push * dy

        goals_x, goals_y = s.goal_x, s.goal_y
        reached = 0
        for i in range(len(xs)):
            x, y = min(max(xs[i], -1.0), 1.0), min(max(ys[i], -1.0), 1.0)
            xs[i], ys[i] = x, y
            for g in range(len(goals_x)):
                dx, dy = goals_x[g] - x, goals_y[g] - y
                if dx * dx + dy * dy < REACH * REACH:
                    rewards[i] += 1.0
                    reached += 1
                    move_goal(s, g)
            s.reward[i] = rewards[i]
        if reached > 0:
            s.score += reached / len(xs)
        return False, s.episode_length >= s.max_steps

    def observe(s, i, obs):
        xs, ys, goals_x, goals_y = s.x, s.y, s.goal_x, s.goal_y
        x, y, ahead_x, ahead_y = xs[i], ys[i], s.ahead_x[i], s.ahead_y[i]
        goals, nearest, least = len(goals_x), 0, 100.0
        for g in range(goals):
            dx, dy = goals_x[g] - x, goals_y[g] - y
            if dx * dx + dy * dy < least:
                nearest, least = g, dx * dx + dy * dy
        k = 0
        for j in range(nearest, nearest + goals):  # the nearest first: a small network learns from it soon
            g = j if j < goals else j - goals
            dx, dy = goals_x[g] - x, goals_y[g] - y
            obs[k] = dx * ahead_x + dy * ahead_y
            obs[k + 1] = dy * ahead_x - dx * ahead_y
            k += 2
        n = len(xs)
        for j in range(i + 1, i + n):  # the others, starting with the next one
            other = j if j < n else j - n
            dx, dy = xs[other] - x, ys[other] - y
            obs[k] = dx * ahead_x + dy * ahead_y
            obs[k + 1] = dy * ahead_x - dx * ahead_y
            k += 2
        obs[k] = x
        obs[k + 1] = y
        obs[k + 2] = ahead_x
        obs[k + 3] = ahead_y
        obs[k + 4] = s.speed[i] / MAX_SPEED
        obs[k + 5] = s.reward[i]

    def draw(s, canvas):
        margin = 14
        unit = canvas.width / 2 - margin
        canvas.clear(palette.SLATE)
        canvas.rect(margin, margin, 2 * unit, 2 * unit, palette.NIGHT, radius=6)
        for goal_x, goal_y in zip(s.goal_x, s.goal_y, strict=True):
            x, y = margin + (1 + goal_x) * unit, margin + (1 + goal_y) * unit
            canvas.circle(x, y, REACH * unit, palette.mix(palette.NIGHT, palette.YELLOW, 0.18))
            canvas.polygon(
                [(x + REACH * unit * dx, y + REACH * unit * dy) for dx, dy in STAR], palette.YELLOW
            )
        for i in range(len(s.x)):
            x, y = margin + (1 + s.x[i]) * unit, margin + (1 + s.y[i]) * unit
            dx, dy = 11 * s.ahead_x[i], 11 * s.ahead_y[i]
            color = AGENT_COLORS[i % len(AGENT_COLORS)]
            tail = 1.2 + 30 * s.speed[i]  # its length tells the speed
            canvas.line(x, y, x - tail * dx, y - tail * dy, palette.mix(palette.NIGHT, color, 0.45), width=3)
            left = (x - 0.8 * dx + 0.65 * dy, y - 0.8 * dy - 0.65 * dx)
            right = (x - 0.8 * dx - 0.65 * dy, y - 0.8 * dy + 0.65 * dx)
            canvas.polygon([(x + dx, y + dy), left, (x - 0.4 * dx, y - 0.4 * dy), right], color)
        canvas.text(margin + 8, margin + 8, f"{s.score:.1f} goals per agent", palette.FOG)


def move_goal(s, g):
    s.goal_x[g] = uniform(s, -0.95, 0.95)
    s.goal_y[g] = uniform(s, -0.95, 0.95)


def scripted(env: OceanEnv) -> np.ndarray:
    """Always steers for the nearest goal, at full speed once it lies ahead. int32 ``[rows, 2]``."""
    ahead, right = env.observations[:, 0], env.observations[:, 1]
    turn = np.clip(np.round(4 + 10 * np.arctan2(right, ahead)), 0, 8)
    pedal = np.where(ahead > np.abs(right), 4, 1)
    return np.stack([turn, pedal], 1).astype(np.int32)
