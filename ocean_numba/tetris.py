"""Tetris: falling pieces, full lines, and a stack that must not reach the top."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, boolean, f32, i32, palette, randint, u8

ROWS, COLUMNS = 20, 10
CELLS = ROWS * COLUMNS
NOTHING, LEFT, RIGHT, ROTATE, SOFT_DROP, HARD_DROP, HOLD = range(7)
REWARDS = (0.0, 1.0, 3.0, 5.0, 8.0)  # for 0 .. 4 lines at once: a hundredth of the classic points
LANDED = 0.1  # reward for each piece that lands: who lives longer has kept the stack low
LINES_PER_LEVEL = 10
KINDS = 7
PIECES = (  # I O T S Z J L
    ("....", "####", "....", "...."),
    ("##", "##"),
    (".#.", "###", "..."),
    (".##", "##.", "..."),
    ("##.", ".##", "..."),
    ("#..", "###", "..."),
    ("..#", "###", "..."),
)
COLORS = (
    palette.SKY_BLUE, palette.YELLOW, palette.PURPLE, palette.GREEN, palette.VERMILLION, palette.BLUE,
    palette.ORANGE,
)  # fmt: skip


def turned(piece):
    """A picture of a piece, a quarter turn to the right."""
    return tuple("".join(column) for column in zip(*piece[::-1], strict=True))


def cells_of(piece, turns):
    """Row and column of the four cells of ``piece`` in its box, after ``turns`` quarter turns."""
    for _ in range(turns):
        piece = turned(piece)
    return [(r, c) for r, row in enumerate(piece) for c, cell in enumerate(row) if cell == "#"]


# [kind, quarter turns, cell, row or column]
CELLS_OF = np.array([[cells_of(piece, turns) for turns in range(4)] for piece in PIECES], np.int32)
START_COLUMNS = np.array([(COLUMNS - len(piece[0])) // 2 for piece in PIECES], np.int32)


class Tetris(OceanEnv):
    """Pieces of four cells fall one by one into a pit. Turn and move them so that they fill whole lines.

    A full line disappears, and what is above it moves down. One step moves the piece once; by itself it
    falls one row every ``gravity`` steps, and faster with every ten lines. The seven kinds of pieces come
    in random order, but each once before any comes again (the "bag"). Once per piece, it may be put aside
    ("hold") for the piece that was put aside before, or for the next one.

    Observation, ``float32[234]``, each within -1 .. 1

    | index | meaning |
    |---|---|
    | 0 .. 199 | the pit, row by row from the top: 0 is empty, 1 full, -1 the falling piece |
    | 200 | row of the top of the piece's box / 20 |
    | 201 | column of the left side of the piece's box / 10; less than 0 when it juts out |
    | 202 | quarter turns of the piece / 3 |
    | 203 | steps until it falls by itself / ``gravity`` |
    | 204 | steps per row at the present level / ``gravity`` |
    | 205 | 1 when the piece may be put aside |
    | 206 .. 212 | kind of the falling piece, one of I O T S Z J L |
    | 213 .. 219, 220 .. 226 | kinds of the next two pieces, likewise |
    | 227 .. 233 | kind of the piece put aside, likewise; all 0 when there is none |

    Action, ``Discrete(7)``: 0 nothing, 1 left, 2 right, 3 turn to the right, 4 down by one row, 5 drop,
    6 put aside. What does not fit does nothing. A piece lands when it should fall and cannot.

    Reward: 1, 3, 5 or 8 for one to four lines at once, and 0.1 for each piece that lands.

    Metric: ``score``, the lines cleared. Random play clears one line in many games.

    Starting state: an empty pit and a new bag.

    Episode end: *terminated* when the next piece does not fit in at the top; *truncated* after
    ``max_steps`` steps.

    Parameters: ``gravity`` (6), steps per row at first; every ten lines one step less, down to 1;
    ``max_steps`` (10,000).

    Source: Tetris (Alexey Pajitnov, 1985), with bag, hold and drop as in Tetris games since 2001, without
    their wall kicks. The size of the observation follows PufferLib's Ocean.
    """

    observation = Box(-1.0, 1.0, (CELLS + 6 + 4 * KINDS,), np.float32)
    action = Discrete(7)
    metrics = ("score",)
    keys = {
        "ArrowLeft": LEFT, "ArrowRight": RIGHT, "ArrowUp": ROTATE, "ArrowDown": SOFT_DROP, " ": HARD_DROP,
        "c": HOLD,
    }  # fmt: skip
    fps = 15
    size = (320, 420)

    class State:
        cells: u8[CELLS]  # row by row: 0 is empty, otherwise 1 + the kind of the piece
        kind: i32  # of the falling piece
        turns: i32
        row: i32  # of the top of its box
        column: i32  # of the left side of its box; less than 0 when an empty part of it juts out
        wait: i32  # steps until it falls
        next: i32
        later: i32  # the kind after the next
        held: i32  # kind of the piece put aside, or -1
        may_hold: boolean
        bag: u8[KINDS]
        in_bag: i32
        pieces: i32  # that have landed
        score: i32  # lines cleared

    class Params:
        gravity: i32.at_least(1) = 6
        max_steps: i32.at_least(1) = 10_000

    def reset(s):
        s.held = -1
        s.may_hold = True
        s.next = draw_from_bag(s)
        s.later = draw_from_bag(s)
        next_piece(s)

    def step(s, action):
        cells = s.cells
        turns, column = s.turns, s.column
        if action == HOLD:
            if s.may_hold:
                hold(s)
        elif action <= ROTATE:
            turns = (turns + (action == ROTATE)) & 3
            column += (action == RIGHT) - (action == LEFT)
            if fits(cells, s.kind, turns, s.row, column):
                s.turns, s.column = turns, column

        reward, over = 0.0, False
        s.wait -= 1
        if action in (SOFT_DROP, HARD_DROP) or s.wait <= 0:
            s.wait = steps_per_row(s)
            turns = s.turns
            row = s.row + 1
            while action == HARD_DROP and fits(cells, s.kind, turns, row, s.column):
                row += 1
            if action != HARD_DROP and fits(cells, s.kind, turns, row, s.column):
                s.row = row
            else:
                s.row = row - 1
                lines = land(s)
                s.score += lines
                reward = REWARDS[lines] + LANDED
                s.may_hold = True
                over = not next_piece(s)
        return reward, over, s.episode_length >= s.max_steps

    def observe(s, obs):
        cells = s.cells
        for i in range(CELLS):
            obs[i] = cells[i] != 0
        for i in range(4):
            row, column = CELLS_OF[s.kind, s.turns, i, 0], CELLS_OF[s.kind, s.turns, i, 1]
            obs[(s.row + row) * COLUMNS + s.column + column] = -1.0
        obs[200] = s.row * (1.0 / ROWS)
        obs[201] = s.column * (1.0 / COLUMNS)
        obs[202] = s.turns * (1.0 / 3.0)
        per_step = f32(1.0 / s.gravity)
        obs[203] = s.wait * per_step
        obs[204] = steps_per_row(s) * per_step
        obs[205] = s.may_hold
        for i in range(206, 234):
            obs[i] = 0.0
        obs[206 + s.kind] = 1.0
        obs[213 + s.next] = 1.0
        obs[220 + s.later] = 1.0
        if s.held >= 0:
            obs[227 + s.held] = 1.0

    def draw(s, canvas):
        cell = canvas.height / (ROWS + 1)
        x, y = 0.5 * cell, 0.5 * cell
        canvas.clear(palette.SLATE)
        canvas.rect(x, y, COLUMNS * cell, ROWS * cell, palette.NIGHT)

        def block(row, column, color, size=cell, x=x, y=y):
            canvas.rect(
                x + column * size + 1, y + row * size + 1, size - 2, size - 2, color, radius=0.15 * size
            )

        for row in range(ROWS):
            for column in range(COLUMNS):
                if s.cells[row * COLUMNS + column]:
                    block(
                        row,
                        column,
                        palette.mix(COLORS[s.cells[row * COLUMNS + column] - 1], palette.NIGHT, 0.25),
                    )
        ghost = s.row  # where the piece would land
        while fits(s.cells, s.kind, s.turns, ghost + 1, s.column):
            ghost += 1
        for row, column in CELLS_OF[s.kind, s.turns]:
            block(ghost + row, s.column + column, palette.mix(palette.NIGHT, COLORS[s.kind], 0.3))
        for row, column in CELLS_OF[s.kind, s.turns]:
            block(s.row + row, s.column + column, COLORS[s.kind])
        left = (COLUMNS + 1) * cell + 4
        canvas.text(left, y, "LINES", palette.FOG)
        canvas.text(left, y + 12, str(s.score), palette.SNOW, scale=2)
        for i, (title, kind) in enumerate((("NEXT", s.next), ("", s.later), ("HOLD", s.held))):
            top = y + 60 + 70 * i
            canvas.text(left, top, title, palette.FOG)
            for row, column in CELLS_OF[kind, 0] if kind >= 0 else ():
                block(row, column, COLORS[kind], size=0.8 * cell, x=left, y=top + 14)


def draw_from_bag(s):
    """A random kind out of the bag; an empty bag is filled with one of each."""
    if s.in_bag == 0:
        for kind in range(KINDS):
            s.bag[kind] = kind
        s.in_bag = KINDS
    i = randint(s, s.in_bag)
    kind = s.bag[i]
    s.in_bag -= 1
    s.bag[i] = s.bag[s.in_bag]
    return kind


def steps_per_row(s):
    return max(s.gravity - s.score // LINES_PER_LEVEL, 1)


def fits(cells, kind, turns, row, column):
    """Whether a piece with the top left corner of its box here is inside the pit and on no full cell."""
    for i in range(4):
        r, c = row + CELLS_OF[kind, turns, i, 0], column + CELLS_OF[kind, turns, i, 1]
        if r >= ROWS or c < 0 or c >= COLUMNS or cells[r * COLUMNS + c] != 0:
            return False
    return True


def start(s, kind):
    """Let a piece of this kind begin at the top. False when there is no room."""
    s.kind, s.turns = kind, 0
    s.row, s.column = 0, START_COLUMNS[kind]
    s.wait = steps_per_row(s)
    return fits(s.cells, kind, 0, 0, s.column)


def next_piece(s):
    kind = s.next
    s.next = s.later
    s.later = draw_from_bag(s)
    return start(s, kind)


def hold(s):
    """Change the falling piece for the one put aside, unless that one has no room at the top."""
    kind, other = s.kind, s.held if s.held >= 0 else s.next
    if fits(s.cells, other, 0, 0, START_COLUMNS[other]):
        if s.held < 0:
            next_piece(s)
        else:
            start(s, other)
        s.held = kind
        s.may_hold = False


def land(s):
    """The piece becomes part of the stack. Returns how many lines that filled; they are gone."""
    cells, lines = s.cells, 0
    for i in range(4):
        row, column = s.row + CELLS_OF[s.kind, s.turns, i, 0], s.column + CELLS_OF[s.kind, s.turns, i, 1]
        cells[row * COLUMNS + column] = 1 + s.kind
    s.pieces += 1
    for row in range(s.row, min(s.row + 4, ROWS)):
        full = True
        for i in range(row * COLUMNS, (row + 1) * COLUMNS):
            full &= cells[i] != 0
        if full:
            lines += 1
            for i in range((row + 1) * COLUMNS - 1, COLUMNS - 1, -1):
                cells[i] = cells[i - COLUMNS]
            for i in range(COLUMNS):
                cells[i] = 0
    return lines


def scripted(env) -> np.ndarray:
    """Try every place for the piece and drop it at the best: full lines, a low and even stack, no holes.

    The four weights are those of Yiyuan Lee, "Tetris AI - the (near) perfect bot", 2013.
    """
    seen, n = env.observations, len(env.observations)
    pit, each = seen[:, :CELLS].reshape(n, ROWS, COLUMNS) == 1, np.arange(n)
    kind = seen[:, 206:213].argmax(axis=1)
    depth = np.where(pit.any(axis=1), pit.argmax(axis=1), ROWS)  # empty rows from the top, of each column
    best, best_turns, best_column = np.full(n, -np.inf), np.zeros(n), np.zeros(n)
    for turns in range(4):
        cells = CELLS_OF[kind, turns]
        for left in range(-2, COLUMNS):
            columns = cells[..., 1] + left
            inside = (columns >= 0).all(axis=1) & (columns < COLUMNS).all(axis=1)
            columns = columns.clip(0, COLUMNS - 1)
            drop = (np.take_along_axis(depth, columns, axis=1) - 1 - cells[..., 0]).min(axis=1)
            after = pit.copy()
            after[each[:, None], np.maximum(drop[:, None] + cells[..., 0], 0), columns] = True
            full = after.all(axis=2)
            after[full] = False
            after = np.take_along_axis(after, np.argsort(~full, axis=1, kind="stable")[..., None], axis=1)
            covered = np.logical_or.accumulate(after, axis=1)
            heights, holes = covered.sum(axis=1), (covered & ~after).sum(axis=(1, 2))
            uneven = abs(np.diff(heights, axis=1)).sum(axis=1)
            value = 0.76 * full.sum(axis=1) - 0.51 * heights.sum(axis=1) - 0.36 * holes - 0.18 * uneven
            better = inside & (drop >= 0) & (value > best + 1e-9)
            best = np.where(better, value, best)
            best_turns, best_column = np.where(better, turns, best_turns), np.where(better, left, best_column)
    turns, column = np.rint(3 * seen[:, 202]), np.rint(COLUMNS * seen[:, 201])
    sideways = np.where(column < best_column, RIGHT, np.where(column > best_column, LEFT, HARD_DROP))
    return np.where(turns != best_turns, ROTATE, sideways).astype(np.int32)
