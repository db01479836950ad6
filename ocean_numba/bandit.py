"""Bandit: find the slot machine that pays best."""

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, f32, i32, palette, uniform

LOWEST, HIGHEST = 0.1, 0.9  # chance of a coin from the worst and from the best arm


def payout(arm, best, arms):
    """The chance that this arm pays. It rises in equal steps: lowest right after the best arm, then round."""
    rank = arm - best - 1  # then modulo arms, without a division: 0 is the worst arm, arms - 1 the best
    rank += arms if rank < 0 else 0
    return LOWEST + (HIGHEST - LOWEST) * rank / (arms - 1)


class Bandit(OceanEnv):
    """A row of slot machines, each with its own chance to pay a coin. Find the best one and stay with it.

    The smallest problem in which trying must be weighed against using what is known. There is nothing to
    see and nothing to plan: an action's only consequence is its reward. **A learner that fails here** does
    not raise the probability of what was rewarded: the sign of its loss is wrong, or actions and rewards
    do not belong together. One that stops at a good arm next to the best explores too little.

    Observation, ``float32[1]``: always 1.

    Action, ``Discrete(10)`` (in general ``arms``): which arm to pull.

    Reward: 1 when the arm pays, else 0. The chances are 0.1 .. 0.9 in equal steps: 0.1 for the arm right of
    the best one, rising to the right and on from the left end, 0.9 for the best.

    Starting state: nothing pulled yet. Which arm is best is the same in every episode.

    Episode end: *terminated* after ``pulls`` pulls.

    Metric: ``score``, the share of pulls of the best arm, 0 .. 1. Random play reaches 0.1 (1 / arms). Always
    pulling the best arm is the optimal policy, worth 0.9 a pull: 90 an episode; random play gets 50.

    Parameters: ``arms`` (10); ``best`` (7), the number of the best arm (counted on from 0 when there are
    fewer arms); ``pulls`` (100).

    Source: Robbins, "Some aspects of the sequential design of experiments", 1952; with ten arms as in
    Sutton and Barto, "Reinforcement Learning", 2nd edition, chapter 2.
    """

    observation = Box(0.0, 1.0, (1,), np.float32)
    action = lambda p: Discrete(p.arms)  # noqa: E731
    metrics = ("score",)
    keys = {str(number): number for number in range(10)}
    fps = 5
    size = (420, 260)

    class State:
        counts: i32["arms"]  # pulls of each arm so far
        arm: i32  # pulled last
        paid: i32  # 1 when it paid
        score: f32

    class Params:
        arms: i32.at_least(2) = 10
        best: i32.at_least(0) = 7
        pulls: i32.at_least(1) = 100

    def reset(s):
        s.arm = -1

    def step(s, action):
        best = s.best % s.arms
        paid = uniform(s, 0.0, 1.0) < payout(action, best, s.arms)
        s.counts[action] += 1
        s.arm, s.paid = action, paid
        over = s.episode_length >= s.pulls
        if over:
            s.score = s.counts[best] / s.pulls
        return 1.0 * paid, over, False

    def observe(s, obs):
        obs[0] = 1.0

    def draw(s, canvas):
        width, top, floor = canvas.width / s.arms, 52, canvas.height - 34
        canvas.clear(palette.NIGHT)
        canvas.text(12, 14, f"PULL {s.episode_length} OF {s.pulls}", palette.SNOW, 2)
        share = f"BEST ARM {100 * s.counts[s.best % s.arms] / max(s.episode_length, 1):.0f} %"
        canvas.text(canvas.width - 12 - canvas.text_width(share, 2), 14, share, palette.FOG, 2)
        for arm in range(s.arms):
            left, middle = arm * width + 3, (arm + 0.5) * width
            chance = payout(arm, s.best % s.arms, s.arms)
            share = s.counts[arm] / max(s.episode_length, 1)
            height = floor - top
            # The outline is the chance to pay, the filling the share of all pulls.
            canvas.rect(left, floor - chance * height, width - 6, chance * height, palette.SLATE, radius=4)
            canvas.rect(
                left + 4, floor - share * height, width - 14, share * height, palette.SKY_BLUE, radius=2
            )
            number = str(arm)
            color = palette.SNOW if arm == s.arm else palette.FOG
            canvas.text(middle - canvas.text_width(number, 2) / 2, floor + 10, number, color, 2)
            if arm == s.best % s.arms:  # a crown, for those who watch
                crown = [(-9, 0), (-9, -10), (-4, -5), (0, -12), (4, -5), (9, -10), (9, 0)]
                y = floor - chance * height - 4
                canvas.polygon([(middle + dx, y + dy) for dx, dy in crown], palette.YELLOW)
            if arm == s.arm and s.paid:
                canvas.circle(middle, floor - 12, 9, palette.ORANGE)
                canvas.text(middle - 2, floor - 15, "1", palette.NIGHT)


def scripted(env: Bandit) -> np.ndarray:
    """Always the best arm (known from the parameters, because observations do not show it)."""
    return np.full(env.num_agents, env.params["best"] % env.params["arms"], np.int32)
