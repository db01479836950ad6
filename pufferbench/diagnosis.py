"""What is wrong with a training, by its metrics records: findings with evidence and remedy.

::

    from pufferbench.diagnosis import diagnose
    for finding in diagnose(pufferbench.runs.load("runs/first").records):
        print(finding)       # KL 0.3 at update 12: the step is too big; try a third of the learning rate

A rule is a function of the records since the last change of a hyperparameter: what was before is not judged by it.
Thresholds are rules of thumb: Huang et al. (2022), "The 37 implementation details of PPO"; Andrychowicz et al. (2021),
"What matters for on-policy deep actor-critic methods?", https://arxiv.org/abs/2006.05990. A healthy run has no finding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev
from typing import Any

from pufferbench.config import TrainConfig, describe

Records = Sequence[Mapping[str, Any]]

WINDOW = 5  # updates that are judged; one odd update is no finding
ENOUGH = 3  # updates since the last change before anything is judged anew
MEMORY = 200  # updates that diagnose() looks at, at most


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or could be better.

    Attributes:
        rule: its short name, a key of :data:`RULES`.
        evidence: what was seen, with numbers, and what it means.
        remedy: what to do about it.
        option, factor, at_least: the hyperparameter to change, by which factor, and to how much at least; ``option``
            is "" when no live option helps.
        problem: False for a hint: it learns, but could learn faster.
    """

    rule: str
    evidence: str
    remedy: str
    option: str = ""
    factor: float = 1.0
    at_least: float = -math.inf
    problem: bool = True

    def change(self, now: float) -> float:
        """The remedy's new value of ``option``, which is ``now``: within its bounds, and no more digits than needed."""
        about = describe(TrainConfig)[self.option]
        value = max(now * self.factor, self.at_least)
        value = min(max(value, about.low or 0.0), math.inf if about.high is None else about.high)
        return max(1, int(value)) if about.type is int else float(f"{value:.2g}")

    def __str__(self) -> str:
        return f"{self.evidence}; {self.remedy}"


def diagnose(records: Records) -> list[Finding]:
    """All findings for a training with these metrics records, the gravest first; [] for a healthy one."""
    records = records[-MEMORY:]
    changed = [number for number, record in enumerate(records) if record.get("changes")]
    recent = records[changed[-1] if changed else 0 :]
    if len(recent) < ENOUGH:
        return []
    found = {name: finding for name, rule in RULES.items() if (finding := rule(recent)) is not None}
    hidden = {consequence for name in found for consequence in CONSEQUENCES.get(name, ())}
    return [finding for name, finding in found.items() if name not in hidden]


# -- what the rules ask of the records ------------------------------------------------------------


def _values(records: Records, name: str) -> list[float]:
    return [float(record[name]) for record in records if record.get(name) is not None]


def _typical(records: Records, name: str) -> float | None:
    """The median of the newest updates: None where that is not known."""
    values = _values(records[-WINDOW:], name)
    return median(values) if len(values) >= ENOUGH else None


def _improved(records: Records) -> bool:
    """Whether the episodes' return has risen by more than its noise since the first of ``records``."""
    returns = _values(records, "episode_return")
    if len(returns) < 2 * ENOUGH:
        return True  # nobody knows yet
    first, last = returns[:WINDOW], returns[-WINDOW:]
    return fmean(last) > fmean(first) + max(pstdev(first), 0.05 * abs(fmean(first)))


def _at(records: Records) -> str:
    return f"at update {records[-1]['update']}"


# -- the rules ------------------------------------------------------------------------------------


def too_big_steps(records: Records) -> Finding | None:
    """An update moves the policy so far that its data say nothing about the new one."""
    kl = _typical(records, "approx_kl")
    if kl is None or kl < 0.05:
        return None
    return Finding(
        "KL divergence",
        f"KL {kl:.2g} {_at(records)}: the step is too big",
        "try a third of the learning rate",
        "learning_rate",
        1 / 3,
    )


def clipping(records: Records) -> Finding | None:
    """Most decisions are beyond the clip range: they give no gradient, and the passes over them are wasted."""
    clipped, epochs = _typical(records, "clip_fraction"), records[-1].get("update_epochs", 1)
    if clipped is None or clipped < 0.4:
        return None
    words = f"{clipped:.0%} of the decisions are clipped {_at(records)}: most of the batch teaches nothing"
    if epochs > 1:
        return Finding("Clip fraction", words, f"try {epochs // 2} epochs per update", "update_epochs", 0.5)
    return Finding("Clip fraction", words, "try half the learning rate", "learning_rate", 0.5)


def value_explosion(records: Records) -> Finding | None:
    """The value function runs away from the returns."""
    losses, explained = _values(records, "value_loss"), _typical(records, "explained_variance")
    if len(losses) < 2 * WINDOW or explained is None:
        return None
    before, now = median(losses[:-WINDOW]), median(losses[-WINDOW:])
    if now < 10 * before or explained > 0.2:
        return None
    return Finding(
        "Value loss",
        f"the value loss is {now / max(before, 1e-12):,.0f} times what it was ({before:.2g} -> {now:.2g}), and the "
        f"explained variance {explained:.2g} {_at(records)}: the value function runs away",
        "try a third of the learning rate",
        "learning_rate",
        1 / 3,
    )


def worse_than_a_constant(records: Records) -> Finding | None:
    """The value function knows less about the returns than their mean does."""
    explained = _typical(records, "explained_variance")
    if len(records) < 2 * WINDOW or explained is None or explained > -0.05:
        return None
    losses = _values(records, "value_loss")
    if median(losses[-WINDOW:]) < 0.5 * median(losses):
        return (
            None  # nearly all returns are the same now (a solved game, say): there is nothing left to explain
        )
    return Finding(
        "Explained variance",
        f"explained variance {explained:.2g} {_at(records)}: the value function predicts worse than a constant",
        "give it twice the weight (value coefficient)",
        "vf_coef",
        2.0,
        at_least=0.5,
    )


def dead_entropy(records: Records) -> Finding | None:
    """The policy has stopped trying anything else before it found out what is good.

    For choices only: a Gaussian's entropy has no zero.
    """
    entropies = _values(records, "entropy")
    now = _typical(records, "entropy")
    if now is None or entropies[0] <= 0 or not -1e-6 < now < 0.02 or _improved(records):
        return None
    return Finding(
        "Entropy",
        f"entropy {max(now, 0.0):.2g} nats {_at(records)}, and the return does not rise: the policy decided too early "
        "and tries nothing else",
        "raise the entropy coefficient",
        "ent_coef",
        3.0,
        at_least=0.02,
    )


def standing_still(records: Records) -> Finding | None:
    """The policy does not move, and not because it is done."""
    kl = _typical(records, "approx_kl")
    last = records[-1]
    late = last.get("global_step", 0) > 0.8 * last.get("total_timesteps", math.inf)
    if len(records) < 2 * WINDOW or kl is None or kl > 1e-6 or late or _improved(records):
        return None
    return Finding(
        "Small steps",
        f"KL {kl:.1g} {_at(records)}: the policy hardly moves, and the return does not rise",
        "try ten times the learning rate",
        "learning_rate",
        10.0,
    )


def no_episode_ends(records: Records) -> Finding | None:
    """Without ended episodes there is no return to show, and credit has no end."""
    if len(records) < 30 or "episode_return_100" in records[-1] or any(_values(records, "episodes")):
        return None
    steps = records[-1]["global_step"] - records[0]["global_step"]
    return Finding(
        "Episodes",
        f"no episode has ended in {len(records)} updates ({steps:,} steps): there is no return to show",
        "give the environment an end or a time limit",
    )


def reward_scale(records: Records) -> Finding | None:
    """Rewards that are never there, or of a size that numbers and networks are not made for."""
    returns, loss = _values(records, "episode_return"), _typical(records, "value_loss")
    explained = _typical(records, "explained_variance")
    if len(returns) < 3 * WINDOW or loss is None or explained is None:
        return None
    error = math.sqrt(2 * loss)
    if not any(returns):
        return Finding(
            "Reward",
            f"no reward in {len(returns)} updates: there is nothing to learn from",
            "explore more (entropy coefficient), or reward steps on the way",
            "ent_coef",
            3.0,
            at_least=0.02,
        )
    if error > 1000 and explained < 0.2:
        return Finding(
            "Reward",
            f"the value function is off by {error:,.0f} and explains {max(explained, 0):.0%} of the returns "
            f"{_at(records)}: the rewards are too large for this network",
            "scale them to about 1 (wrappers.NormalizeReward)",
        )
    if max(map(abs, returns)) < 1e-3:
        return Finding(
            "Reward",
            f"returns of {max(map(abs, returns)):.1g}: such rewards drown in rounding",
            "scale them to about 1 (wrappers.NormalizeReward)",
        )
    return None


def observation_scale(records: Records) -> Finding | None:
    """Large inputs saturate a network that does not normalise them. (Ours do; then the record has no such number.)"""
    largest = _typical(records, "observation_max")
    if largest is None or largest < 20:
        return None
    return Finding(
        "Observation scale",
        f"observations reach {largest:,.0f}, and this policy does not normalise them",
        "scale them to about 1 (wrappers.NormalizeObservation), or take a policy of pufferbench.policies",
    )


def idle_learner(records: Records) -> Finding | None:
    """Nearly all of the time goes into stepping the environment."""
    share = _share(records, "time_env")
    if share is None or share < 0.75:
        return None
    return Finding(
        "Idle learner",
        f"the environment takes {share:.0%} of the time: the learner waits",
        "give it workers (num_workers=), or learn more from every step (epochs per update)",
        "update_epochs",
        2.0,
        problem=False,
    )


def idle_env(records: Records) -> Finding | None:
    """Nearly all of the time goes into learning, and by more than one pass over the batch."""
    share, epochs = _share(records, "time_train"), records[-1].get("update_epochs", 1)
    if share is None or share < 0.9 or epochs < 4:
        return None
    return Finding(
        "Idle environment",
        f"learning takes {share:.0%} of the time, with {epochs} epochs per update: the environment waits",
        f"try {epochs // 2} epochs: fresh steps cost less here",
        "update_epochs",
        0.5,
        problem=False,
    )


def _share(records: Records, name: str) -> float | None:
    def shares() -> Iterator[float]:
        for record in records[-WINDOW:]:
            total = sum(value for key, value in record.items() if key.startswith("time_"))
            if total and name in record:
                yield record[name] / total

    values = list(shares())
    return median(values) if len(values) >= ENOUGH else None


RULES: dict[str, Callable[[Records], Finding | None]] = {
    "KL divergence": too_big_steps,
    "Value loss": value_explosion,
    "Clip fraction": clipping,
    "Explained variance": worse_than_a_constant,
    "Entropy": dead_entropy,
    "Small steps": standing_still,
    "Episodes": no_episode_ends,
    "Reward": reward_scale,
    "Observation scale": observation_scale,
    "Idle learner": idle_learner,
    "Idle environment": idle_env,
}

# A rule's finding -> rules whose findings would only say the same again
CONSEQUENCES = {
    "Reward": ("Explained variance", "Small steps", "Entropy"),
    "Entropy": ("Explained variance", "Small steps"),
    "Value loss": ("Explained variance", "Reward"),
    "KL divergence": ("Clip fraction",),
}
