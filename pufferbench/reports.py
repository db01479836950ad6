"""What a trainer says about an update: its record, a flat dict of plain numbers, and the weights after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pufferbench.records import Record

if TYPE_CHECKING:
    from torch import Tensor

    from pufferbench.trainer import PuffeRL


def record(
    trainer: PuffeRL,
    times: Mapping[str, float],
    seconds: float,
    losses: Mapping[str, float],
    changes: Mapping[str, dict[str, Any]],
) -> Record:
    """What happened in the last update of ``trainer``.

    Counters (``update, global_step, total_timesteps``), time (``elapsed, eta, time_*`` in seconds, and
    ``sps``, steps per second), means over the ``episodes`` that ended in this update (``episode_return,
    episode_length`` and the environment's own; absent when none ended) and over the last 100
    (``episode_return_100``, ...), the losses, the options in force, and ``changes`` if there were any. With a policy
    that does not normalise its observations there is ``observation_max``, the largest size of a number in them.

    Args:
        times, seconds: of the update, by what took them and in all.
        losses: and other statistics of learning, by name.
        changes: of options, ``{name: {"old": ..., "new": ...}}``.
    """
    config = trainer.config
    told: Record = {
        "update": trainer.update,
        "global_step": trainer.global_step,
        "total_timesteps": config.total_timesteps,
        "elapsed": trainer.elapsed,
        "eta": trainer.elapsed / trainer.global_step * max(0, config.total_timesteps - trainer.global_step),
        "sps": trainer.rollout.size / seconds,
        "deterministic": trainer.collector.deterministic,
        **{f"time_{name}": times[name] for name in ("env", "policy", "copy", "train", "other")},
        **losses,
        **config.live(),
        "learning_rate": trainer.optimizer.param_groups[0]["lr"],
    }
    for name, value in trainer.episodes.means().items():
        told[f"env_{name}" if name in told else name] = value
    seen = trainer.rollout.observations
    if seen.is_floating_point() and not hasattr(trainer.policy, "update_statistics"):
        told["observation_max"] = seen[0].abs().max().item()  # of the first step: all of them would cost time
    if changes:
        told["changes"] = dict(changes)
    return told


@dataclass(frozen=True)
class Snapshot:
    """The policy's weights (copies, on the CPU) at an update boundary: what views play with."""

    update: int
    global_step: int
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, trainer: PuffeRL) -> Snapshot:
        weights = trainer.policy.state_dict().items()
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights}
        return cls(trainer.update, trainer.global_step, copies)
