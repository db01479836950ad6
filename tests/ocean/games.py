"""Small games for the tests, each with one thing to test."""

import numpy as np

from ocean_numba import (
    Box,
    Dict,
    Discrete,
    MultiBinary,
    MultiDiscrete,
    OceanEnv,
    boolean,
    f32,
    i32,
    inline,
    normal,
    randint,
    u8,
    uniform,
)

SPEED = 0.25


@inline
def advance(s, amount):
    s.x += amount * SPEED


def bounded(value):
    return min(max(value, -1.0), 1.0)


class Counter(OceanEnv):
    """Counts up; terminated at ``end`` when the action is 1 then, truncated after ``limit`` steps."""

    observation = Box(-np.inf, np.inf, (2,), np.float32)
    action = Discrete(2)
    metrics = ("count",)

    class State:
        count: i32
        x: f32

    class Params:
        end: i32 = 3
        limit: i32 = 5

    def reset(s):
        s.x = uniform(s, -1.0, 1.0)

    def step(s, action):
        s.count += 1
        return 1.0, action == 1 and s.count >= s.end, s.count >= s.limit

    def observe(s, obs):
        obs[0] = s.count
        obs[1] = s.x


class Everything(OceanEnv):
    """All types, all random functions, helpers, a sized board, several choices per action."""

    observation = lambda p: Box(-np.inf, np.inf, (p.size + 3,), np.float32)  # noqa: E731
    action = MultiDiscrete([3, 2])
    metrics = ("hits",)

    class State:
        x: f32
        hits: u8
        flag: boolean
        board: i32["size", 2]

    class Params:
        size: i32 = 4
        scale: f32 = 0.5
        signed: boolean = True

    def reset(s):
        s.x = bounded(normal(s))
        for i in range(s.size):
            s.board[i, 0] = randint(s, 10)

    def step(s, action):
        advance(s, (action[0] - 1) * s.scale)
        board = s.board
        i = randint(s, s.size)
        board[i, 1] += action[1]
        s.flag = not s.flag
        if s.signed and board[i, 1] > 2:
            s.hits += 1
            board[i, 1] = 0
        return s.x + uniform(s, 0, 1), abs(s.x) > 1.0, s.episode_length >= 30

    def observe(s, obs):
        obs[0] = s.x
        obs[1] = s.flag
        obs[2] = s.hits
        for i in range(s.size):
            obs[3 + i] = s.board[i, 0] - s.board[i, 1]


class Arena(OceanEnv):
    """Several agents. One whose action is 2 is out (its episode ends) and waits, masked, for the others."""

    observation = Box(-np.inf, np.inf, (2,), np.float32)
    action = Discrete(3)
    agents = "agents"
    metrics = ("steps", "points")

    class State:
        steps: i32
        points: f32["agents"]

    class Params:
        agents: i32 = 3
        limit: i32 = 4
        win: i32 = 100

    def reset(s):
        for i in range(s.agents):
            s.points[i] = uniform(s, 0.0, 0.5)

    def step(s, actions, rewards, terminals, masks):
        s.steps += 1
        won = False
        for i in range(s.agents):
            if masks[i]:
                s.points[i] += 1
                rewards[i] = i + 1
                if actions[i] == 2:
                    terminals[i] = True
                    masks[i] = False
            won = won or s.points[i] >= s.win
        return won, s.steps >= s.limit

    def observe(s, i, obs):
        obs[0] = i
        obs[1] = s.points[i]


class Nim(OceanEnv):
    """Two in turn take 1 .. 3 of the stones; who takes the last wins. An illegal move loses."""

    observation = Box(0, 100, (2,), np.float32)
    action = Discrete(3)
    agents = 2
    metrics = ("moves",)

    class State:
        stones: i32
        turn: i32  # whose
        moves: i32

    class Params:
        most: i32.at_least(1) = 12

    def reset(s, masks):
        s.stones = 1 + randint(s, s.most)
        s.turn = randint(s, 2)
        masks[1 - s.turn] = False

    def step(s, actions, rewards, terminals, masks):
        taken = actions[s.turn] + 1
        s.moves += 1
        if taken >= s.stones:
            rewards[s.turn] = 1.0 if taken == s.stones else -1.0
            rewards[1 - s.turn] = -rewards[s.turn]
            return True, False
        s.stones -= taken
        s.turn = 1 - s.turn
        masks[s.turn] = True
        masks[1 - s.turn] = False
        return False, False

    def observe(s, i, obs):
        obs[0] = s.stones
        obs[1] = s.turn == i

    def legal(s, i, mask):
        for action in range(3):
            mask[action] = action < s.stones


class Locks(OceanEnv):
    """A choice of a lock and of a key, one of them missing in turn."""

    observation = Box(0, 10, (1,), np.float32)
    action = MultiDiscrete([2, 3])

    class State:
        count: i32

    def reset(s):
        s.count = randint(s, 6)

    def step(s, action):
        s.count += 1
        return 1.0 * action[1], s.count >= 9, False

    def observe(s, obs):
        obs[0] = s.count

    def legal(s, mask):
        for lock in range(2):
            mask[lock] = lock != s.count % 2
        for key in range(3):
            mask[2 + key] = key != s.count % 3


class Parts(OceanEnv):
    """A Dict observation with a part of every kind, of which some depend on parameters."""

    observation = lambda p: Dict(  # noqa: E731
        {
            "image": Box(-1, 1, (p.size, 3), np.float32),
            "counts": Box(0, 255, (2,), np.uint8),
            "wide": Box(-np.inf, np.inf, (), np.float64),
            "flags": MultiBinary(3),
            "level": Discrete(4),
            "pair": MultiDiscrete([3, 5]),
        }
    )
    action = Discrete(4)
    agents = "agents"

    class State:
        level: i32
        shift: f32

    class Params:
        size: i32 = 2
        agents: i32 = 2

    def reset(s):
        s.shift = uniform(s, -0.5, 0.5)

    def step(s, actions, rewards, terminals):
        for i in range(len(actions)):
            rewards[i] = actions[i] == s.level
        s.level = randint(s, 4)
        return False, s.episode_length >= 7

    def observe(s, i, obs):
        for row in range(s.size):
            for column in range(3):
                obs.image[row, column] = 0.1 * (row + column) * s.shift
        obs.counts[0] = 10 * s.level
        obs.counts[1] = i
        obs.wide = 1.0 / (1 + s.level)
        obs.flags[:] = 0
        obs.flags[s.level % 3] = 1
        obs.level = s.level
        obs.pair[0] = s.level % 3
        obs.pair[1] = s.level + i % 2
