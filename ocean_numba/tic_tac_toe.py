"""Tic-tac-toe: three in a row on nine squares, against yourself or against an opponent that may be perfect."""

from functools import cache

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, randint
from ocean_numba.turns import finish, pass_turn

RANDOM, GREEDY, PERFECT = 0, 1, 2  # opponents
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
# A player's marks are bits of one number, square 0 (top left) the lowest
LINE_BITS = tuple(1 << a | 1 << b | 1 << c for a, b, c in LINES)
FULL = 0b111111111


@cache
def minimax(own: int, other: int) -> int:
    """The value of a position for the player to move, if both play as well as can be: 1, 0 or -1."""
    if wins(other):
        return -1
    if own | other == FULL:
        return 0
    return max(-minimax(other, own | 1 << k) for k in range(9) if not (own | other) >> k & 1)


def wins(marks):
    for line in LINE_BITS:  # noqa: SIM110  (Numba knows no generators in any())
        if marks & line == line:
            return True
    return False


TERNARY = np.array([sum(3**k for k in range(9) if marks >> k & 1) for marks in range(FULL + 1)], np.int32)


def best_moves() -> np.ndarray:
    """The best squares of each position, as bits. Position: ``TERNARY[own marks] + 2 * TERNARY[other's]``."""
    table = np.zeros(3**9, np.int16)

    def fill(own: int, other: int) -> None:
        position = TERNARY[own] + 2 * TERNARY[other]
        if table[position] or wins(other) or own | other == FULL:
            return
        free = [k for k in range(9) if not (own | other) >> k & 1]
        values = [-minimax(other, own | 1 << k) for k in free]
        table[position] = sum(1 << k for k, value in zip(free, values, strict=True) if value == max(values))
        for k in free:
            fill(other, own | 1 << k)

    fill(0, 0)
    return table


BEST = best_moves()


class TicTacToe(OceanEnv):
    """Two mark the nine squares in turn; three of one's own in a line win.

    The smallest board game: both sides can force a draw, and a table of all positions fits into memory. So one can
    see what a learner has missed.

    Observation, for each agent, ``uint8[2, 3, 3]``: 1 where there is a mark of its own (layer 0) or the other's (1).

    Action, ``Discrete(9)``: the square, in reading order. Marked squares are illegal (``action_masks``); who plays one
    all the same loses.

    Reward: 1 for a win, -1 for a loss, 0 for a draw, to both when the game ends.

    Starting state: an empty board. Who begins is drawn by lot.

    Episode end: *terminated* when somebody has won or the board is full.

    Metric: ``score``, 1 won, 0 drawn, -1 lost. Against the greedy opponent random play reaches about
    -0.78, the hand-written rule 0.15 and a trained agent 0.35; against the perfect one 0 is the best there is.

    Parameters: ``players`` (1): with 2, each seat is a row of the batch and plays when it is its turn
    (``masks``); with 1, the other seat is played by ``opponent`` (1): 0 random, 1 greedy (wins if it can, else
    prevents a win, else random), 2 perfect (any of the best moves).

    Source: the known game; the perfect opponent by minimax over all positions (von Neumann, 1928).
    """

    observation = Box(0, 1, (2, 3, 3), np.uint8)
    action = Discrete(9)
    agents = "players"
    metrics = ("score",)
    keys = dict(zip("789456123", range(9), strict=True))  # as on a keypad
    fps = 2
    size = (300, 324)

    class State:
        marks: i32[2]  # of each seat; seat 0 is the first row's
        turn: i32  # whose seat
        score: f32["players"]

    class Params:
        players: i32.between(1, 2) = 1
        opponent: i32.between(0, 2) = GREEDY

    def reset(s, masks):
        s.turn = randint(s, 2)
        pass_turn(s, masks)
        if s.players == 1 and s.turn == 1:
            mark(s, opponents_square(s))

    def step(s, actions, rewards, terminals, masks):
        seat = s.turn
        square = actions[seat]
        if (s.marks[0] | s.marks[1]) >> square & 1:
            return finish(s, rewards, 1 - seat)
        mark(s, square)
        if wins(s.marks[seat]):
            return finish(s, rewards, seat)
        if s.players == 1 and s.marks[0] | s.marks[1] != FULL:
            mark(s, opponents_square(s))
            if wins(s.marks[1]):
                return finish(s, rewards, 1)
        if s.marks[0] | s.marks[1] == FULL:
            return True, False
        pass_turn(s, masks)
        return False, False

    def observe(s, i, obs):
        own, other = s.marks[i], s.marks[1 - i]
        for r in range(3):
            for c in range(3):
                obs[0, r, c] = own >> 3 * r + c & 1
                obs[1, r, c] = other >> 3 * r + c & 1

    def legal(s, i, mask):
        taken = s.marks[0] | s.marks[1]
        for k in range(9):
            mask[k] = not taken >> k & 1

    def draw(s, canvas):
        cell, top = canvas.width / 3, 24
        canvas.clear(palette.NIGHT)
        for k in (1, 2):
            canvas.line(k * cell, top + 8, k * cell, top + 3 * cell - 8, palette.SLATE, width=4)
            canvas.line(8, top + k * cell, canvas.width - 8, top + k * cell, palette.SLATE, width=4)
        r = 0.3 * cell
        for k in range(9):
            x, y = (k % 3 + 0.5) * cell, top + (k // 3 + 0.5) * cell
            if s.marks[0] >> k & 1:
                canvas.line(x - r, y - r, x + r, y + r, palette.SKY_BLUE, width=9)
                canvas.line(x - r, y + r, x + r, y - r, palette.SKY_BLUE, width=9)
            elif s.marks[1] >> k & 1:
                canvas.circle(x, y, 1.1 * r, palette.ORANGE)
                canvas.circle(x, y, 1.1 * r - 9, palette.NIGHT)
        canvas.text(8, 6, ("crosses" if s.turn == 0 else "noughts") + " to move", palette.SNOW)


def mark(s, square):
    """The player whose turn it is marks a free square."""
    s.marks[s.turn] |= 1 << square
    s.turn = 1 - s.turn


def opponents_square(s):
    """What the opponent plays; the board is not full."""
    own, other = s.marks[1], s.marks[0]
    candidates = FULL & ~(own | other)
    if s.opponent == PERFECT:
        candidates = BEST[TERNARY[own] + 2 * TERNARY[other]]
    elif s.opponent == GREEDY:
        winning, threatened = 0, 0
        for k in range(9):
            if candidates >> k & 1:
                winning |= wins(own | 1 << k) << k
                threatened |= wins(other | 1 << k) << k
        candidates = winning or threatened or candidates
    square = randint(s, 9)
    while not candidates >> square & 1:
        square = randint(s, 9)
    return square


def scripted(env):
    """Win if you can, else prevent a win, else the middle, else a corner."""
    own, other = env.observations.reshape(-1, 2, 9).transpose(1, 0, 2).astype(bool)
    values = np.tile([1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0, 1.0], (env.num_agents, 1))
    for line in LINES:
        for who, value in ((own, 100.0), (other, 10.0)):
            two = who[:, line].sum(1) == 2
            values[np.ix_(two, line)] += value
    return np.where(own | other, -1.0, values).argmax(1).astype(np.int32)
