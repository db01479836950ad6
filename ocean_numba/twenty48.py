"""2048: slide numbered tiles; equal ones become one."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, i32, palette, randint, u8

SIDE = 4
CELLS = SIDE * SIDE
UP, DOWN, LEFT, RIGHT = 0, 1, 2, 3
LARGEST = 17  # 2 ** 17 = 131072 is the largest tile that can be reached
POINT = 0.001  # reward of one point


class Twenty48(OceanEnv):
    """Sixteen cells with numbers. Slide them all in one direction; two equal ones that meet become their sum.

    After each move, a 2 (9 times of 10) or a 4 appears on a random empty cell. Each tile can be merged once in a
    move, those nearest to the side that is moved to first: 2 2 2 2 to the left is 4 4, and 2 2 2 is 4 2.

    Observation, ``uint8[4, 4]``: the board, row by row; 0 is empty, n is the tile 2^n

    Action, ``Discrete(4)``: 0 up, 1 down, 2 left, 3 right. Legal is what changes the board
    (``env.action_masks``); any other action does nothing at all: no new tile, no reward.

    Reward: a thousandth of the points of this move, which are the sum of the tiles that were made.

    Metrics: ``score``, the points (random play reaches about 1,100; the tile 2048 needs about 20,000), and
    ``highest``, the largest tile.

    Starting state: two tiles on random cells.

    Episode end: *terminated* when no action is legal; *truncated* after ``max_steps`` steps.

    Parameters: ``max_steps`` (10,000).

    Source: 2048 (Gabriele Cirulli, 2014).
    """

    observation = Box(0, LARGEST, (SIDE, SIDE), np.uint8)
    action = Discrete(4)
    metrics = ("score", "highest")
    keys = {"ArrowUp": UP, "ArrowDown": DOWN, "ArrowLeft": LEFT, "ArrowRight": RIGHT}
    fps = 4
    size = (320, 360)

    class State:
        board: u8[CELLS]
        can: u8[4]  # 1 for each action that is legal
        score: i32
        highest: i32

    class Params:
        max_steps: i32.at_least(1) = 10_000

    def reset(s):
        add_tile(s)
        add_tile(s)
        find_legal(s)

    def step(s, action):
        points = 0
        if s.can[action] == 1:
            for line in range(SIDE):
                points += slide(s, line, action)
            s.score += points
            add_tile(s)
            find_legal(s)
        over = s.can[UP] + s.can[DOWN] + s.can[LEFT] + s.can[RIGHT] == 0
        return POINT * points, over, s.episode_length >= s.max_steps

    def legal(s, mask):
        for action in range(4):
            mask[action] = s.can[action] == 1

    def observe(s, obs):
        for row in range(SIDE):
            for column in range(SIDE):
                obs[row, column] = s.board[row * SIDE + column]

    def draw(s, canvas):
        cell = canvas.width / SIDE
        top = canvas.height - canvas.width
        canvas.clear(palette.NIGHT)
        canvas.text(10, 13, f"SCORE {s.score}", palette.SNOW, scale=2)
        for i, tile in enumerate(s.board):
            x, y = (i % SIDE) * cell, top + (i // SIDE) * cell
            color = palette.SLATE
            if tile > 0:  # from dark blue over green and yellow to red, as the numbers grow
                color = palette.SPECTRUM[::-1][min((tile - 1) // 2, 6)]
                color = palette.mix(color, palette.NIGHT, 0.35 if tile % 2 else 0.0)
            canvas.rect(x + 4, y + 4, cell - 8, cell - 8, color, radius=8)
            if tile > 0:
                number = str(1 << tile)
                scale = 4 if len(number) < 3 else 3 if len(number) < 4 else 2
                text_x = x + (cell - canvas.text_width(number, scale)) / 2
                ink = palette.BLACK if tile in (5, 6, 7, 8, 9, 10) else palette.WHITE
                canvas.text(text_x, y + (cell - 7 * scale) / 2, number, ink, scale)


def first_and_step(line, action):
    """Where a row or column begins, on the side that is moved to, and how many cells its next one is away."""
    if action == UP:
        return line, SIDE
    if action == DOWN:
        return CELLS - SIDE + line, -SIDE
    if action == LEFT:
        return SIDE * line, 1
    return SIDE * line + SIDE - 1, -1


def slide(s, line, action):
    """Slide one row or column. Returns the points."""
    board, points = s.board, 0
    first, step = first_and_step(line, action)
    free, last = first, 0  # the next free cell, and the tile before it if it can still be merged
    for k in range(SIDE):
        cell = first + k * step
        tile = board[cell]
        if tile == 0:
            continue
        board[cell] = 0
        if tile == last:
            board[free - step] = tile + 1
            points += 2 << tile
            s.highest = max(s.highest, 2 << tile)
            last = 0
        else:
            board[free] = tile
            free += step
            last = tile
    return points


def add_tile(s):
    """A 2 or a 4 on a random empty cell; after a legal move there is one."""
    board, empty = s.board, 0
    for cell in range(CELLS):
        empty += board[cell] == 0
    skip = randint(s, empty)
    for cell in range(CELLS):
        if board[cell] == 0:
            if skip == 0:
                board[cell] = 2 if randint(s, 10) == 0 else 1
                s.highest = max(s.highest, 1 << board[cell])
                break
            skip -= 1


def find_legal(s):
    """An action is legal when a tile has an empty cell before it, or an equal tile."""
    board, can = s.board, s.can
    for action in range(4):
        can[action] = 0
        for line in range(SIDE):
            first, step = first_and_step(line, action)
            for k in range(1, SIDE):
                before, tile = board[first + (k - 1) * step], board[first + k * step]
                can[action] |= tile != 0 and (before == 0 or before == tile)


def scripted(env) -> np.ndarray:
    """Keep the largest tiles in the lower left corner: down, else left, else right, else up."""
    legal = env.states["can"]
    order = np.array([DOWN, LEFT, RIGHT, UP])
    return order[legal[:, order].argmax(axis=1)].astype(np.int32)
