"""Connect four: four in a row, against yourself or against an opponent that looks ahead."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, i64, palette, randint
from ocean_numba.turns import finish, pass_turn

ROWS, COLUMNS = 6, 7
RANDOM, GREEDY, SEARCH = 0, 1, 2  # opponents
# A player's discs are bits of one number: column c, counted from the left, and row r, from the bottom, are bit 7 c + r.
# The seventh bit of each column stays empty, so that no line runs over from one column into the next.
BOTTOM = tuple(1 << 7 * c for c in range(COLUMNS))
COLUMN = tuple(0b111111 << 7 * c for c in range(COLUMNS))
FULL = sum(COLUMN)
MIDDLE_FIRST = (3, 2, 4, 1, 5, 0, 6)  # good moves first: alpha-beta then prunes more
DEEPEST = 12
WIN, INFINITY = 1000, 10_000


class ConnectFour(OceanEnv):
    """Two drop discs into seven columns in turn; four of one's own in a line, in any direction, win.

    Observation, for each agent, ``float32[6, 7]``: the board, top row first: 1 own disc, -1 the other's, 0 empty.

    Action, ``Discrete(7)``: the column, 0 on the left. Full columns are illegal (``action_masks``); who plays one all
    the same loses.

    Reward: 1 for a win, -1 for a loss, 0 for a draw, to both when the game ends.

    Starting state: an empty board. Who begins is drawn by lot.

    Episode end: *terminated* when somebody has won or the board is full.

    Metric: ``score``, 1 won, 0 drawn, -1 lost. Against the greedy opponent random play reaches
    -0.95, the hand-written rule 0.3 and a trained agent 0.65.

    Parameters: ``players`` (1): with 2, each seat is a row of the batch and plays when it is its turn
    (``masks``); with 1, the other seat is played by ``opponent`` (1): 0 random, 1 greedy (wins if it can, else
    prevents a win, else random), 2 an alpha-beta search ``depth`` (4) half-moves deep, which knows wins and
    losses only and prefers the middle.

    Source: the game of Wexler and Strongin (1974), solved by Allen and by Allis (1988): who begins can win.
    Discs as bits after Tromp's Fhourstones; alpha-beta after Knuth and Moore (1975). The code is our own.
    """

    observation = Box(-1, 1, (ROWS, COLUMNS), np.float32)
    action = Discrete(COLUMNS)
    agents = "players"
    metrics = ("score",)
    keys = {str(c + 1): c for c in range(COLUMNS)}
    fps = 2
    size = (378, 348)

    class State:
        discs: i64[2]  # of each seat; seat 0 is the first row's
        turn: i32  # whose seat
        score: f32["players"]
        # One entry per half-move of the opponent's search
        own: i64[DEEPEST]
        other: i64[DEEPEST]
        alpha: i32[DEEPEST]
        beta: i32[DEEPEST]
        value: i32[DEEPEST]
        tried: i32[DEEPEST]

    class Params:
        players: i32.between(1, 2) = 1
        opponent: i32.between(0, 2) = GREEDY
        depth: i32.between(1, DEEPEST) = 4

    def reset(s, masks):
        s.turn = randint(s, 2)
        pass_turn(s, masks)
        if s.players == 1 and s.turn == 1:
            drop(s, opponents_column(s))

    def step(s, actions, rewards, terminals, masks):
        seat = s.turn
        column = actions[seat]
        if COLUMN[column] & ~(s.discs[0] | s.discs[1]) == 0:
            return finish(s, rewards, 1 - seat)
        drop(s, column)
        if wins(s.discs[seat]):
            return finish(s, rewards, seat)
        if s.players == 1 and s.discs[0] | s.discs[1] != FULL:
            drop(s, opponents_column(s))
            if wins(s.discs[1]):
                return finish(s, rewards, 1)
        if s.discs[0] | s.discs[1] == FULL:
            return True, False
        pass_turn(s, masks)
        return False, False

    def observe(s, i, obs):
        own, other = s.discs[i], s.discs[1 - i]
        for r in range(ROWS):
            for c in range(COLUMNS):
                bit = 7 * c + ROWS - 1 - r
                obs[r, c] = (own >> bit & 1) - (other >> bit & 1)

    def legal(s, i, mask):
        empty = ~(s.discs[0] | s.discs[1])
        for c in range(COLUMNS):
            mask[c] = COLUMN[c] & empty != 0

    def draw(s, canvas):
        cell = canvas.width / COLUMNS
        canvas.clear(palette.NIGHT)
        canvas.rect(
            0, 24, canvas.width, ROWS * cell, palette.mix(palette.NIGHT, palette.BLUE, 0.75), radius=10
        )
        colors = palette.YELLOW, palette.VERMILLION
        for c in range(COLUMNS):
            for r in range(ROWS):
                x, y = (c + 0.5) * cell, 24 + (ROWS - 0.5 - r) * cell
                canvas.circle(x, y, 0.42 * cell, palette.NIGHT)
                for seat in range(2):
                    if s.discs[seat] >> 7 * c + r & 1:
                        canvas.circle(x, y, 0.4 * cell, colors[seat])
                        ring = palette.mix(colors[seat], palette.BLACK, 0.25)
                        if seat:  # a bar on the one, a ring on the other: not by colour alone
                            canvas.rect(x - 0.2 * cell, y - 3, 0.4 * cell, 6, ring, radius=3)
                        else:
                            canvas.circle(x, y, 0.24 * cell, ring)
                            canvas.circle(x, y, 0.18 * cell, colors[seat])
        canvas.text(8, 6, ("yellow" if s.turn == 0 else "red") + " to move", colors[s.turn])


def wins(discs):
    """Whether there are four in a line: shifted by one place, by two, and compared with itself."""
    pairs_up, pairs_right = discs & discs >> 1, discs & discs >> 7
    pairs_rising, pairs_falling = discs & discs >> 8, discs & discs >> 6
    fours = pairs_up & pairs_up >> 2 | pairs_right & pairs_right >> 14
    fours |= pairs_rising & pairs_rising >> 16 | pairs_falling & pairs_falling >> 12
    return fours != 0


def place(occupied, column):
    """The bit where a disc comes to rest; 0 in a full column. Adding 1 at the bottom carries up to the first gap."""
    return occupied + BOTTOM[column] & COLUMN[column]


def drop(s, column):
    """The player whose turn it is plays a column that is not full."""
    s.discs[s.turn] |= place(s.discs[0] | s.discs[1], column)
    s.turn = 1 - s.turn


def opponents_column(s):
    """What the opponent plays; the board is not full."""
    own, other = s.discs[1], s.discs[0]
    occupied = own | other
    if s.opponent == SEARCH:
        return search(s, own, other)
    if s.opponent == GREEDY:
        threatened = -1
        for c in range(COLUMNS):
            bit = place(occupied, c)
            if bit and wins(own | bit):
                return c
            if bit and wins(other | bit):
                threatened = c
        if threatened >= 0:
            return threatened
    column = randint(s, COLUMNS)
    while place(occupied, column) == 0:
        column = randint(s, COLUMNS)
    return column


def search(s, own, other):
    """The best column by an alpha-beta search of ``s.depth`` half-moves: recursion with a stack of our own."""
    best, d = 0, 0
    s.own[0], s.other[0] = own, other
    s.alpha[0], s.beta[0], s.value[0], s.tried[0] = -INFINITY, INFINITY, -INFINITY, 0
    while True:
        if s.tried[d] == COLUMNS or s.alpha[d] >= s.beta[d]:  # done here, or it will not be let come to this
            if d == 0:
                return best
            result = -s.value[d]
            d -= 1
        else:
            own, other = s.own[d], s.other[d]
            bit = place(own | other, MIDDLE_FIRST[s.tried[d]])
            if bit == 0:
                s.tried[d] += 1
                continue
            own |= bit
            if wins(own):
                result = WIN - d  # the sooner the better
            elif d + 1 == s.depth or own | other == FULL:
                result = 0
            else:
                s.own[d + 1], s.other[d + 1] = other, own
                s.alpha[d + 1], s.beta[d + 1] = -s.beta[d], -s.alpha[d]
                s.value[d + 1], s.tried[d + 1] = -INFINITY, 0
                d += 1
                continue
        if result > s.value[d]:
            s.value[d] = result
            s.alpha[d] = max(s.alpha[d], result)
            if d == 0:
                best = MIDDLE_FIRST[s.tried[0]]
        s.tried[d] += 1


def scripted(env):
    """Win if you can, else prevent a win, else the legal column nearest to the middle."""
    board = env.observations[:, ::-1]
    actions = np.zeros(env.num_agents, np.int32)
    for i in range(env.num_agents):
        boards = [sum(1 << 7 * c + r for r, c in np.argwhere(board[i] == who).tolist()) for who in (1, -1)]
        order = [c for c in MIDDLE_FIRST if env.action_masks[i, c]]
        for discs in reversed(boards):  # one's own wins last, so that they are what is kept
            order.sort(key=lambda c, d=discs: not wins(d | place(boards[0] | boards[1], c)))
        actions[i] = order[0]
    return actions
