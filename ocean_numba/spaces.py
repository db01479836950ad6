"""Spaces: read a picture, numbers, flags and cards, and answer one question about each."""

import numpy as np

from ocean_numba import (
    Box,
    Dict,
    Discrete,
    MultiBinary,
    MultiDiscrete,
    OceanEnv,
    f32,
    i8,
    i32,
    palette,
    randint,
    uniform,
)

SIDE = 5  # of the picture, pixels
NUMBERS = 5
LARGEST = 9  # number
FLAGS = 5
CARDS = 4
COINS = 3  # kinds of coins, of which the pair shows two
QUESTIONS = 5


def answers(s):
    """The right answer to each question: picture, numbers, flags, card, pair."""
    light = 0.0
    for row in range(SIDE):
        for column in range(SIDE):
            light += s.picture[row, column]
    total = 0
    for i in range(NUMBERS):
        total += s.numbers[i]
    raised = 0
    for i in range(FLAGS):
        raised += s.flags[i]
    return int(light > 0.0), int(total > 0), int(2 * raised > FLAGS), s.card, int(s.pair[0] == s.pair[1])


class Spaces(OceanEnv):
    """Five things are shown, each of another kind; say one thing about each. Every kind of space is in it.

    A learner that takes an observation apart in the wrong way (parts mixed up, bytes read as another type, a card taken
    for an amount) fails at some questions and not at others, and the metrics say at which. There is nothing
    to remember and nothing to plan: an episode is one step.

    Observation, ``Dict``, drawn anew in each episode, all values equally likely

    | part | space | question |
    |---|---|---|
    | `picture` | ``Box(-1, 1, float32[5, 5])`` | is it bright: is the sum of its pixels above 0? |
    | `numbers` | ``Box(-9, 9, int8[5])`` | is their sum above 0? |
    | `flags` | ``MultiBinary(5)`` | are most of them raised? |
    | `card` | ``Discrete(4)`` | which of the four is it? |
    | `pair` | ``MultiDiscrete([3, 3])`` | are the two coins alike? |

    Action, ``MultiDiscrete([2, 2, 2, 4, 2])``: the answers in this order, 0 no and 1 yes, or the card's number.

    Reward: the share of right answers, 0.2 for each; the highest return is 1.

    Starting state: see above. A pair is alike in one of three cases.

    Episode end: *terminated* after one step.

    Metrics: ``score``, the share of right answers (random play reaches 0.45, reading everything 1), and
    ``picture_read``, ``numbers_read``, ``flags_read``, ``card_read``, ``pair_read``: 1 for a right answer to that
    question, else 0.

    Source: the idea is that of Spaces in PufferLib's Ocean, which has a picture and a vector.
    """

    observation = Dict(
        {
            "picture": Box(-1, 1, (SIDE, SIDE), np.float32),
            "numbers": Box(-LARGEST, LARGEST, (NUMBERS,), np.int8),
            "flags": MultiBinary(FLAGS),
            "card": Discrete(CARDS),
            "pair": MultiDiscrete([COINS, COINS]),
        }
    )
    action = MultiDiscrete([2, 2, 2, CARDS, 2])
    metrics = ("score", "picture_read", "numbers_read", "flags_read", "card_read", "pair_read")
    # One key for each card; it answers the other questions with yes.
    keys = {str(card + 1): (1, 1, 1, card, 1) for card in range(CARDS)}
    fps = 1
    size = (320, 320)

    class State:
        picture: f32[SIDE, SIDE]
        numbers: i8[NUMBERS]
        flags: i8[FLAGS]  # 1 raised, 0 not
        card: i32
        pair: i32[2]
        score: f32
        picture_read: i32
        numbers_read: i32
        flags_read: i32
        card_read: i32
        pair_read: i32

    def reset(s):
        for row in range(SIDE):
            for column in range(SIDE):
                s.picture[row, column] = uniform(s, -1.0, 1.0)
        for i in range(NUMBERS):
            s.numbers[i] = randint(s, 2 * LARGEST + 1) - LARGEST
        for i in range(FLAGS):
            s.flags[i] = randint(s, 2)
        s.card = randint(s, CARDS)
        s.pair[0] = randint(s, COINS)
        s.pair[1] = randint(s, COINS)

    def step(s, action):
        picture, numbers, flags, card, pair = answers(s)
        s.picture_read = action[0] == picture
        s.numbers_read = action[1] == numbers
        s.flags_read = action[2] == flags
        s.card_read = action[3] == card
        s.pair_read = action[4] == pair
        right = s.picture_read + s.numbers_read + s.flags_read + s.card_read + s.pair_read
        s.score = right * (1.0 / QUESTIONS)
        return s.score, True, False

    def observe(s, obs):
        picture, shown = s.picture, obs.picture
        for row in range(SIDE):
            for column in range(SIDE):
                shown[row, column] = picture[row, column]
        for i in range(NUMBERS):
            obs.numbers[i] = s.numbers[i]
        for i in range(FLAGS):
            obs.flags[i] = s.flags[i]
        obs.card = s.card
        obs.pair[0] = s.pair[0]
        obs.pair[1] = s.pair[1]

    def draw(s, canvas):
        canvas.clear(palette.NIGHT)
        for row in range(SIDE):
            for column in range(SIDE):
                shade = palette.mix(palette.NIGHT, palette.SNOW, 0.5 + 0.5 * s.picture[row, column])
                canvas.rect(24 + 28 * column, 24 + 28 * row, 26, 26, shade)
        for i in range(NUMBERS):  # bars up (blue) for positive numbers, down (orange) for negative ones
            x, height = 190 + 22 * i, 7 * s.numbers[i]
            color = palette.CYCLE[0] if height > 0 else palette.CYCLE[1]
            canvas.rect(x, 94 - max(height, 0), 16, abs(height), color)
        canvas.line(186, 94, 300, 94, palette.FOG)
        for i in range(FLAGS):
            x = 32 + 28 * i
            canvas.line(x, 186, x, 226, palette.FOG, width=2)
            y = 186 if s.flags[i] else 212
            canvas.polygon(
                [(x, y), (x + 18, y + 7), (x, y + 14)], palette.CYCLE[2] if s.flags[i] else palette.SLATE
            )
        canvas.rect(204, 178, 76, 100, palette.SNOW, radius=8)
        for pip in range(s.card + 1):  # the card shows 1 .. 4 pips
            canvas.circle(224 + 36 * (pip % 2), 206 + 44 * (pip // 2), 11, palette.NIGHT)
        for i in range(2):
            x, y, coin = 64 + 64 * i, 270, s.pair[i]
            canvas.circle(x, y, 24, palette.CYCLE[3 + coin])
            for mark in range(coin + 1):  # as many marks as the kind of coin: colour is not all that tells
                canvas.rect(x - 9 * coin + 18 * mark - 3, y - 10, 6, 20, palette.NIGHT)


def scripted(env) -> np.ndarray:
    """Reads every part from the observations and answers all questions rightly. int32 ``[rows, 5]``."""
    seen = env.observations.view(env.observation_space.layout.dtype)[:, 0]
    bright = seen["picture"].sum((1, 2)) > 0
    above = seen["numbers"].sum(1) > 0
    raised = 2 * seen["flags"].sum(1) > FLAGS
    alike = seen["pair"][:, 0] == seen["pair"][:, 1]
    return np.stack([bright, above, raised, seen["card"], alike], 1).astype(np.int32)
