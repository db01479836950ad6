"""Coordination: several agents, rewarded only when all of them agree."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, randint


class Coordination(OceanEnv):
    """Agents sit at a round table with marks on it. In each round everyone points at a mark, all at once; they are
    rewarded when they point at the same one.

    Nobody can talk, so they need a habit, and each counts the marks from its own seat: for the same mark every
    agent needs another action, and which one depends on its seat. **A learner that fails here** and not with one
    agent mixes its rows up: observations of one agent with actions, rewards or advantages of another. All
    agents share one network; that they must act differently is what the seat in the observation is for.

    Observation, for each agent, ``float32[8]`` (in general 2 x ``marks``)

    | index | meaning |
    |---|---|
    | 0 .. 3 | 1 at the number of its own seat, else 0 |
    | 4 .. 7 | for each mark, counted from its seat: the share of agents that pointed there last; 0 at first |

    Action, ``Discrete(4)`` (in general ``marks``): the mark, counted from its own seat. Seat k and action a
    are the mark (k + a) modulo 4.

    Reward, for each agent: 1 / ``rounds`` when all point at the same mark, else 0. The highest return is 1.

    Starting state: the agents sit side by side, starting from a random seat; who sits where is different in every
    episode.

    Episode end: *terminated* for all after ``rounds`` rounds.

    Metric: ``score``, the share of rounds in which all agreed, 0 .. 1. Random play reaches 0.06
    (marks^(1 - agents)).

    Parameters: ``agents`` (3); ``marks`` (4), as many seats; ``rounds`` (16).

    Source: a pure coordination game (Lewis, "Convention", 1969), repeated.
    """

    observation = lambda p: Box(0.0, 1.0, (2 * p.marks,), np.float32)  # noqa: E731
    action = lambda p: Discrete(p.marks)  # noqa: E731
    agents = "agents"
    metrics = ("score",)
    keys = {str(number): number for number in range(10)}
    fps = 3
    size = (340, 340)

    class State:
        seat: i32["agents"]
        pointed: i32["agents"]  # at which mark, in the last round
        votes: i32["marks"]  # how many agents pointed at it in the last round
        agreed: i32  # rounds so far
        score: f32

    class Params:
        agents: i32.at_least(2) = 3
        marks: i32.at_least(2) = 4
        rounds: i32.at_least(1) = 16

    def reset(s):
        first = randint(s, s.marks)
        for i in range(len(s.seat)):
            s.seat[i] = (first + i) % s.marks
            s.pointed[i] = -1

    def step(s, actions, rewards, terminals):
        votes, agents = s.votes, len(s.seat)
        votes[:] = 0
        for i in range(agents):
            mark = s.seat[i] + actions[i]
            mark -= s.marks if mark >= s.marks else 0  # modulo, without a division
            s.pointed[i] = mark
            votes[mark] += 1
        if votes[s.pointed[0]] == agents:
            s.agreed += 1
            for i in range(agents):
                rewards[i] = 1.0 / s.rounds
        s.score = s.agreed / s.rounds
        return s.episode_length >= s.rounds, False

    def observe(s, i, obs):
        marks, seat = s.marks, s.seat[i]
        share = 1.0 / len(s.seat)
        for k in range(marks):
            mark = seat + k
            mark -= marks if mark >= marks else 0
            obs[k] = k == seat
            obs[marks + k] = s.votes[mark] * share

    def draw(s, canvas):
        x0, y0, table = canvas.width / 2, canvas.height / 2 + 14, 92
        canvas.clear(palette.NIGHT)
        canvas.text(12, 12, f"ROUND {s.episode_length}", palette.SNOW, 2)
        agreed = f"AGREED {s.agreed}"
        canvas.text(canvas.width - 12 - canvas.text_width(agreed, 2), 12, agreed, palette.FOG, 2)
        canvas.circle(x0, y0, table, palette.SLATE)
        for i in range(len(s.seat)):
            color = palette.CYCLE[i % 5]  # yellow is for agreement
            # Agents on the same seat sit behind each other.
            x, y = around(x0, y0, 1.3 * table + 26 * (i // s.marks), s.seat[i], s.marks)
            if s.pointed[i] >= 0:
                far_x, far_y = around(x0, y0, 0.62 * table, s.pointed[i], s.marks)
                length = math.hypot(far_x - x, far_y - y)
                reach = (length - 20) / length  # up to the mark, not onto its number
                tip_x, tip_y = x + reach * (far_x - x), y + reach * (far_y - y)
                canvas.line(x, y, tip_x, tip_y, color, 4)
                canvas.circle(tip_x, tip_y, 5, color)
            canvas.circle(x, y, 15, color)
            canvas.text(x - 5, y - 7, "ABCDEFGH"[i % 8], palette.NIGHT, 2)
        for mark in range(s.marks):
            x, y = around(x0, y0, 0.62 * table, mark, s.marks)
            everyone = s.votes[mark] == len(s.seat)
            canvas.circle(x, y, 16, palette.YELLOW if everyone else palette.NIGHT)
            color = palette.NIGHT if everyone else palette.FOG
            canvas.text(x - 5, y - 7, str(mark), color, 2)


def around(x, y, radius, place, places):
    """A point on a circle; place 0 is at the top, the others follow clockwise."""
    angle = 2 * math.pi * place / places
    return x + radius * math.sin(angle), y - radius * math.cos(angle)


def scripted(env: Coordination) -> np.ndarray:
    """Always mark 0, counted from the own seat."""
    marks = env.params["marks"]
    seat = env.observations[:, :marks].argmax(axis=1)
    return ((marks - seat) % marks).astype(np.int32)
