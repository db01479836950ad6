"""Snake: many snakes on one board eat, grow, and must not run into anything."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, i32, palette, randint, u8

# What a cell may hold, from good to bad: a network that adds up numbers learns faster so. From WALL on, entering it
# is death.
FOOD, EMPTY, WALL, BODY, HEAD = 0, 1, 2, 3, 4
UP, DOWN, LEFT, RIGHT = 0, 1, 2, 3  # direction ^ 1 is the opposite one
VISION = (
    5  # cells that a snake sees in each direction; the wall is as thick, so that no view leaves the board
)
WINDOW = 2 * VISION + 1
TRIES = 100  # random cells that are tried before the board is searched for an empty one


class Snake(OceanEnv):
    """Many snakes share one board. Each grows by what it eats, and dies when it runs into anything.

    All snakes move in every step, one after the other, the one with the lowest number first: when two want
    the same cell, it is the second that dies. A dead snake leaves food in every second of its cells and
    starts again at once, one cell long, somewhere else. Turning straight back is not possible: a snake that
    is told to goes straight on.

    Observation, for each agent, ``uint8[11, 11]``: the cells around its head, which is in the middle

    | value | meaning |
    |---|---|
    | 0 | food |
    | 1 | empty |
    | 2 | wall |
    | 3 | a snake's body, the own one or another's |
    | 4 | a snake's head |

    Action, ``Discrete(4)``: 0 up, 1 down, 2 left, 3 right.

    Reward: 1 for eating, -1 for dying, by running into a wall or a snake, itself included (the tip of a
    tail too: it moves away only afterwards).

    Metric: ``score``, the length reached. It has no maximum. Random play reaches about 2.4.

    Starting state: snakes of one cell and all the food on random cells.

    Episode end: *terminated* for a snake that dies, while the others play on; *truncated* for all after
    ``max_steps`` steps.

    Parameters: ``snakes`` (16), up to 64; ``food`` (96), pieces that are on the board at least, as long as
    there is room; ``rows`` (46) and ``columns`` (74) of the board with its wall, which is 5 cells thick;
    ``max_steps`` (1000).

    Source: Blockade (Gremlin, 1976) and what became of it on telephones; many snakes with a view of
    11 x 11 cells on one board are those of PufferLib's Ocean.
    """

    observation = Box(0, 4, (WINDOW, WINDOW), np.uint8)
    action = Discrete(4)
    agents = "snakes"
    metrics = ("score",)
    keys = {"ArrowUp": UP, "ArrowDown": DOWN, "ArrowLeft": LEFT, "ArrowRight": RIGHT}
    fps = 8
    size = (640, 360)

    class State:
        grid: u8["rows", "columns"]
        way: u8[
            "rows", "columns"
        ]  # where a snake went on from this cell: so its tail finds the way behind it
        head_row: i32["snakes"]
        head_column: i32["snakes"]
        tail_row: i32["snakes"]
        tail_column: i32["snakes"]
        direction: i32["snakes"]
        length: i32["snakes"]
        score: i32["snakes"]  # the length; after death, that of the snake that died
        meals: i32  # pieces of food on the board

    class Params:
        snakes: i32.between(1, 64) = 16
        food: i32.at_least(0) = 96
        rows: i32.at_least(18) = 46  # at least 8 x 8 free cells: room for all the snakes
        columns: i32.at_least(18) = 74
        max_steps: i32.at_least(1) = 1000

    def reset(s):
        for row in range(s.rows):
            for column in range(s.columns):
                s.grid[row, column] = WALL
        for row in range(VISION, s.rows - VISION):
            for column in range(VISION, s.columns - VISION):
                s.grid[row, column] = EMPTY
        for i in range(len(s.length)):
            spawn(s, i)
            s.score[i] = 1
        refill(s)

    def step(s, actions, rewards, terminals):
        grid, way = s.grid, s.way
        for i in range(len(s.length)):
            direction, before = actions[i], s.direction[i]
            if direction == before ^ 1 and s.length[i] > 1:
                direction = before
            row, column = s.head_row[i], s.head_column[i]
            next_row = row + (direction == DOWN) - (direction == UP)
            next_column = column + (direction == RIGHT) - (direction == LEFT)
            cell = grid[next_row, next_column]
            if cell >= WALL:
                rewards[i] = -1.0
                terminals[i] = True
                s.score[i] = s.length[i]
                remove(s, i)
                spawn(s, i)
                continue

            way[row, column] = direction
            grid[row, column] = BODY
            grid[next_row, next_column] = HEAD
            s.head_row[i], s.head_column[i], s.direction[i] = next_row, next_column, direction
            if cell == FOOD:
                rewards[i] = 1.0
                s.meals -= 1
                s.length[i] += 1
            else:
                row, column = s.tail_row[i], s.tail_column[i]
                grid[row, column] = EMPTY
                direction = way[row, column]
                s.tail_row[i] = row + (direction == DOWN) - (direction == UP)
                s.tail_column[i] = column + (direction == RIGHT) - (direction == LEFT)
            s.score[i] = s.length[i]
        refill(s)
        return False, s.episode_length >= s.max_steps

    def observe(s, i, obs):
        grid, top, left = s.grid, s.head_row[i] - VISION, s.head_column[i] - VISION
        for row in range(WINDOW):
            for column in range(WINDOW):
                obs[row, column] = grid[top + row, left + column]

    def draw(s, canvas):
        rows, columns = s.rows - 2 * VISION, s.columns - 2 * VISION
        cell = min(canvas.width / columns, canvas.height / rows)
        x = (canvas.width - columns * cell) / 2 + 0.5 * cell - VISION * cell  # middle of column 0
        y = (canvas.height - rows * cell) / 2 + 0.5 * cell - VISION * cell
        canvas.clear(palette.SLATE)
        canvas.rect(
            x + (VISION - 0.5) * cell, y + (VISION - 0.5) * cell, columns * cell, rows * cell, palette.NIGHT
        )
        for row in range(VISION, s.rows - VISION):
            for column in range(VISION, s.columns - VISION):
                if s.grid[row, column] == FOOD:
                    canvas.circle(x + column * cell, y + row * cell, 0.2 * cell, palette.YELLOW)
        for i in range(len(s.length)):
            color = palette.CYCLE[:5][i % 5]  # yellow is for food
            row, column = s.tail_row[i], s.tail_column[i]
            for _ in range(s.length[i] - 1):
                direction = s.way[row, column]
                next_row = row + (direction == DOWN) - (direction == UP)
                next_column = column + (direction == RIGHT) - (direction == LEFT)
                canvas.line(
                    x + column * cell,
                    y + row * cell,
                    x + next_column * cell,
                    y + next_row * cell,
                    color,
                    0.6 * cell,
                )
                row, column = next_row, next_column
            canvas.circle(x + column * cell, y + row * cell, 0.5 * cell, color)
            canvas.circle(x + column * cell, y + row * cell, 0.2 * cell, palette.NIGHT)


def find_empty(s):
    """A random empty cell as ``row * columns + column``, or -1 when there is none."""
    for _ in range(TRIES):
        row = VISION + randint(s, s.rows - 2 * VISION)
        column = VISION + randint(s, s.columns - 2 * VISION)
        if s.grid[row, column] == EMPTY:
            return row * s.columns + column
    for row in range(VISION, s.rows - VISION):  # a crowded board
        for column in range(VISION, s.columns - VISION):
            if s.grid[row, column] == EMPTY:
                return row * s.columns + column
    return -1


def refill(s):
    """Put food on the board until there is enough of it, or no room."""
    for _ in range(s.food - s.meals):
        cell = find_empty(s)
        if cell < 0:
            break
        s.grid[cell // s.columns, cell % s.columns] = FOOD
        s.meals += 1


def spawn(s, i):
    """Snake ``i`` starts, one cell long. There is room: one that died has just left a cell."""
    row, column = divmod(find_empty(s), s.columns)
    s.head_row[i], s.head_column[i] = row, column
    s.tail_row[i], s.tail_column[i] = row, column
    s.length[i] = 1
    s.grid[row, column] = HEAD


def remove(s, i):
    """Take dead snake ``i`` off the board, from its tail on; every second cell becomes food."""
    row, column = s.tail_row[i], s.tail_column[i]
    for k in range(s.length[i]):
        s.grid[row, column] = FOOD if k % 2 == 1 else EMPTY
        s.meals += k % 2
        direction = s.way[row, column]
        row += (direction == DOWN) - (direction == UP)
        column += (direction == RIGHT) - (direction == LEFT)


def scripted(env) -> np.ndarray:
    """Go towards the nearest food in sight without running into anything; without food, where there is room."""
    view, n = env.observations, len(env.observations)
    rows, columns = np.mgrid[:WINDOW, :WINDOW]
    worth = np.full((n, 4), -1000.0)
    for direction, (down, right) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        row, column = VISION + down, VISION + right
        distance = abs(rows - row) + abs(columns - column)
        nearest = np.where(view == FOOD, distance, 2 * WINDOW).min(axis=(1, 2))
        room = (view < WALL)[:, (distance > 0) & (distance <= 2)].mean(axis=1)
        worth[:, direction] = np.where(view[:, row, column] >= WALL, -1000.0, 2.0 * room - nearest)
    return worth.argmax(axis=1).astype(np.int32)
