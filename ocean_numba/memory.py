"""Memory: see a shape, wait, and say which it was."""

import math

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, i32, palette, randint

# The cues' shapes: how many corners, and whether every other one is drawn in, as in a star.
SHAPES = ((3, False), (4, False), (10, True), (6, False))


class Memory(OceanEnv):
    """A shape is shown for one step. Then there is nothing to see until the question: which was it?

    When the question comes, the observation is the same whatever the shape was: **an agent without memory
    cannot do better than chance**, however long it learns. With ``delay=0`` shape and question come together, and
    any learner must reach 1: if yours does so with 0 and not with 1, its recurrent state is lost or mixed up
    between steps, rows or episodes. The same state must *not* survive into the next episode, where it
    is another shape.

    Observation, ``float32[3]`` (in general ``cues`` + 1)

    | index | meaning |
    |---|---|
    | 0, 1 | which shape it is, as 1 in its place; all 0 after the first step |
    | 2 | 1 when the question is asked, else 0 |

    Action, ``Discrete(2)`` (in general ``cues``): which shape it was. It counts only at the question.

    Reward: 1 for the right answer, else 0.

    Starting state: the shape is shown; all are equally likely.

    Episode end: *terminated* with the answer, after ``delay`` + 1 steps.

    Metric: ``score``, 1 for the right answer, else 0. Chance reaches 0.5 (1 / cues), and so does every policy
    without memory unless ``delay`` is 0.

    Parameters: ``delay`` (4), steps from the shape to the question; ``cues`` (2), 2 .. 10 shapes.

    Source: a delayed match to sample, the classical test of working memory (Blough, "Delayed matching in the
    pigeon", 1959); as a test of recurrent learners after Hochreiter and Schmidhuber, 1997.
    """

    observation = lambda p: Box(0.0, 1.0, (p.cues + 1,), np.float32)  # noqa: E731
    action = lambda p: Discrete(p.cues)  # noqa: E731
    metrics = ("score",)
    keys = {str(number): number for number in range(10)}
    fps = 2
    size = (300, 300)

    class State:
        cue: i32
        score: i32  # 1 for the right answer

    class Params:
        delay: i32.at_least(0) = 4
        cues: i32.between(2, 10) = 2

    def reset(s):
        s.cue = randint(s, s.cues)

    def step(s, action):
        asked = s.episode_length > s.delay  # before this action
        s.score = asked and action == s.cue
        return s.score, asked, False

    def observe(s, obs):
        obs[:] = 0
        if s.episode_length == 0:
            obs[s.cue] = 1
        if s.episode_length == s.delay:
            obs[s.cues] = 1

    def draw(s, canvas):
        middle, y = canvas.width / 2, 130
        canvas.clear(palette.NIGHT)
        asked = s.episode_length == s.delay
        shown = s.episode_length == 0
        if asked:
            title = "WHICH IS IT?" if shown else "WHICH WAS IT?"
        else:
            title = "REMEMBER" if shown else "WAIT"
        canvas.text(middle - canvas.text_width(title, 2) / 2, 16, title, palette.SNOW, 2)
        canvas.rect(middle - 75, y - 75, 150, 150, palette.SLATE, radius=10)
        if shown:
            draw_cue(canvas, s.cue, middle, y, 52)
        elif asked:
            canvas.text(middle - canvas.text_width("?", 8) / 2, y - 28, "?", palette.YELLOW, 8)
        else:
            canvas.text(middle - canvas.text_width("...", 4) / 2, y - 14, "...", palette.FOG, 4)
        for number in range(s.cues):  # the possible answers, with their keys
            x = (number + 0.5) * canvas.width / s.cues
            draw_cue(canvas, number, x, 240, min(15, 0.4 * canvas.width / s.cues))
            canvas.text(x - 3, 262, str(number), palette.FOG)
        for time in range(min(s.delay + 1, 30)):  # the time line: one dot a step
            color = palette.SNOW if time == s.episode_length else palette.SLATE
            canvas.circle(middle + 9 * (time - min(s.delay, 29) / 2), 285, 3, color)


def draw_cue(canvas, cue, x, y, radius):
    """Cues differ in shape and colour: triangle, square, star, hexagon; then the same in other colours."""
    corners, star = SHAPES[cue % 4]
    points = []
    for corner in range(corners):
        far = 0.45 * radius if star and corner % 2 else radius
        angle = 2 * math.pi * corner / corners + (math.pi / 4 if corners == 4 else 0)
        points.append((x + far * math.sin(angle), y - far * math.cos(angle)))
    canvas.polygon(points, palette.CYCLE[(cue + cue // 4) % len(palette.CYCLE)])


def scripted(env: Memory) -> np.ndarray:
    """The right answer, read from ``env.states``: a single observation does not show it."""
    return env.states["cue"].astype(np.int32)
