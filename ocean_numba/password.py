"""Password: open a door whose code nobody tells."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, i32, palette

KEYPAD = ((1, 2, 3), (4, 5, 6), (7, 8, 9), (-1, 0, -1))


class Password(OceanEnv):
    """A door with a code. A wrong digit locks it at once; only the whole code opens it, and nothing else is rewarded.

    Nothing hints at the code: it must be found by chance, once, before there is anything to learn. **A learner
    that fails here** stops exploring too early (its entropy falls before the first reward: the value of a
    rare success is lost in noise, or the entropy bonus is too small), or finds the code and forgets it,
    because a success in a thousand episodes does not move the policy. Every digit more makes chance ten times
    as rare: ``length`` says how well a method explores.

    Observation, ``float32[3]`` (in general ``length``): 1 at the number of digits typed so far, else 0.

    Action, ``Discrete(10)``: the digit to type.

    Reward: 1 when the door opens, else 0.

    Starting state: nothing typed. The code is the same in every episode.

    Episode end: *terminated* at the first wrong digit, or when the door opens.

    Metric: ``score``, 1 when the door opened, else 0. Random play reaches 0.001 (one code in 10^length).

    Parameters: ``length`` (3), 1 .. 9 digits; ``code`` (271), of which the last ``length`` digits count.

    Source: the combination lock of Kakade, "On the sample complexity of reinforcement learning", 2003; the
    name is that of PufferLib's Ocean, whose rules differ.
    """

    observation = lambda p: Box(0.0, 1.0, (p.length,), np.float32)  # noqa: E731
    action = Discrete(10)
    metrics = ("score",)
    keys = {str(digit): digit for digit in range(10)}
    fps = 3
    size = (260, 340)

    class State:
        typed: i32  # digits that were right so far
        score: i32  # 1 when the door opened

    class Params:
        length: i32.between(1, 9) = 3
        code: i32.at_least(0) = 271

    def reset(s):
        s.typed = 0

    def step(s, action):
        to_come = s.length - 1 - s.typed  # digits after this one
        right = action == digit(s.code, to_come)
        s.score = right and to_come == 0
        s.typed += right and to_come > 0
        return s.score, not right or to_come == 0, False

    def observe(s, obs):
        obs[:] = 0
        obs[s.typed] = 1

    def draw(s, canvas):
        middle = canvas.width / 2
        canvas.clear(palette.NIGHT)
        canvas.rect(20, 16, canvas.width - 40, 56, palette.SLATE, radius=6)
        spacing = min(44, (canvas.width - 60) / s.length)
        for place in range(s.length):
            x = middle + (place - (s.length - 1) / 2) * spacing
            number = str(digit(s.code, s.length - 1 - place))
            if place < s.typed:
                canvas.text(x - 10, 30, number, palette.YELLOW, 4)
            else:  # the code, faintly, for those who watch
                canvas.text(x - 10, 30, number, palette.mix(palette.SLATE, palette.NIGHT, 0.5), 4)
            canvas.rect(x - 12, 62, 24, 3, palette.SNOW if place == s.typed else palette.FOG)
        last = digit(s.code, s.length - s.typed) if s.typed > 0 else -1
        for row, numbers in enumerate(KEYPAD):
            for column, number in enumerate(numbers):
                if number >= 0:
                    x, y = middle + 62 * (column - 1), 116 + 60 * row
                    color = palette.SKY_BLUE if number == last else palette.SLATE
                    canvas.circle(x, y, 25, color)
                    canvas.text(x - 7, y - 10, str(number), palette.SNOW, 3)


def digit(code, place):
    """The decimal digit of ``code`` at this place; 0 is the last one."""
    for _ in range(place):
        code //= 10
    return code % 10


def scripted(env: Password) -> np.ndarray:
    """Types the code, which it knows from the parameters: no observation shows it."""
    places = env.params["length"] - 1 - env.states["typed"]
    return (env.params["code"] // 10**places % 10).astype(np.int32)
