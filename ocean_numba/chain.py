"""Chain: pass up a small reward now for a larger one at the end of the chain."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform
from ocean_numba.tabular import Tables

FORWARD, BACK = 0, 1
SMALL, LARGE = 2.0, 10.0  # rewards: for going back to the start, for going on at the end


class Chain(OceanEnv):
    """A chain of cells. Going forward pays nothing until the end; going back to the start pays a little at once.

    The wish for a quick reward leads back to the start; whoever thinks further ahead walks on to the end,
    although it slips. **A learner that fails here** (and settles for going back) does not carry
    rewards back through time: look at its discount, its advantages and what it does where a rollout is cut.
    The optimal values are known (``tables()`` and ``ocean_numba.tabular.value_iteration``), so that a
    learner's value function can be compared with them, number by number.

    Observation, ``float32[5]`` (in general ``length``): 1 at the cell where the agent is, else 0.

    Action, ``Discrete(2)``: 0 forward, 1 back to the start. With probability ``slip`` the other one happens.

    Reward, by what happens: 2 for going back to the start, 10 for going forward in the last cell (where the
    agent stays), else 0.

    Starting state: the first cell.

    Episode end: *truncated* after ``max_steps`` steps. Nothing terminates: the values are those of a game
    that goes on.

    Metric: ``score``, the mean reward of a step. Random play reaches 1.3, always going back 1.6, always going
    forward, the best policy (for a discount of 0.9 and more), 3.6.

    Parameters: ``length`` (5) cells; ``slip`` (0.2); ``max_steps`` (100).

    Source: Strens, "A Bayesian framework for reinforcement learning", ICML 2000; its numbers.
    """

    observation = lambda p: Box(0.0, 1.0, (p.length,), np.float32)  # noqa: E731
    action = Discrete(2)
    metrics = ("score",)
    keys = {"ArrowRight": FORWARD, "ArrowLeft": BACK}
    fps = 4
    size = (480, 170)

    class State:
        cell: i32
        reward: f32  # of the last step
        total: f32  # of the rewards in this episode
        score: f32

    class Params:
        length: i32.at_least(2) = 5
        slip: f32.between(0.0, 1.0) = 0.2
        max_steps: i32.at_least(1) = 100

    def reset(s):
        s.cell = 0

    def step(s, action):
        slips = uniform(s, 0.0, 1.0) < s.slip
        cell, reward = walk(s.cell, s.length, (action == BACK) != slips)
        s.cell, s.reward = cell, reward
        s.total += reward
        over = s.episode_length >= s.max_steps
        if over:
            s.score = s.total / s.episode_length
        return reward, False, over

    def observe(s, obs):
        obs[:] = 0
        obs[s.cell] = 1

    def draw(s, canvas):
        spacing, y = canvas.width / s.length, canvas.height / 2 + 14
        radius = min(0.32 * spacing, 34)
        canvas.clear(palette.NIGHT)
        canvas.text(12, 12, f"STEP {s.episode_length}", palette.SNOW, 2)
        mean = f"{s.total / max(s.episode_length, 1):.2f} A STEP"
        canvas.text(canvas.width - 12 - canvas.text_width(mean, 2), 12, mean, palette.FOG, 2)
        canvas.line(spacing / 2, y, canvas.width - spacing / 2, y, palette.SLATE, 6)
        for cell in range(s.length):
            x = (cell + 0.5) * spacing
            canvas.circle(x, y, radius, palette.SLATE)
            label = f"+{SMALL:.0f}" if cell == 0 else f"+{LARGE:.0f}" if cell == s.length - 1 else ""
            canvas.text(x - canvas.text_width(label, 2) / 2, y + radius + 8, label, palette.YELLOW, 2)
        x = (s.cell + 0.5) * spacing
        canvas.circle(x, y, 0.7 * radius, palette.SKY_BLUE)
        if s.reward > 0:
            gain = f"+{s.reward:.0f}"
            canvas.text(x - canvas.text_width(gain, 2) / 2, y - 7, gain, palette.NIGHT, 2)

    def tables(self) -> Tables:
        """Transitions and rewards for dynamic programming; state number = cell. See :class:`Tables`."""
        length, slip = self.params["length"], self.params["slip"]
        transitions, rewards = np.zeros((2, length, 2, length))
        for cell in range(length):
            for action in (FORWARD, BACK):
                for slips, chance in ((False, 1 - slip), (True, slip)):
                    following, reward = walk(cell, length, (action == BACK) != slips)
                    transitions[cell, action, following] += chance
                    rewards[cell, action, following] = reward
        return Tables(transitions, rewards, np.zeros(length, bool))


def walk(cell, length, back):
    """Where a step leads, and its reward."""
    # All three cases are computed and one is chosen: faster than branches that a processor cannot foresee.
    at_end = cell == length - 1
    following, reward = cell + (not at_end), LARGE * at_end
    return (0 if back else following), (SMALL if back else reward)


def scripted(env: Chain) -> np.ndarray:
    """Always forward."""
    return np.full(env.num_agents, FORWARD, np.int32)
