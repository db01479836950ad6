"""Is the GPU worth it here? The same training on the CPU and on the GPU, for a few seconds each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pufferbench.config import ConfigError, check_device
from pufferbench.trainer import PuffeRL


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        device: where, by its name.
        learner: which computed the gradients.
        seconds: it took, without the making and the first update, in which kernels may be compiled.
        sps: steps per second in them.
        first, last: mean return of the last 100 episodes in the beginning and in the end; NaN where none ended.
    """

    device: str
    learner: str
    seconds: float
    sps: float
    first: float
    last: float


def train_for(seconds: float, device: str, env: str, policy: str | None = None, **config: Any) -> Trained:
    """Train in ``env``, with its preset, for so long.

    Raises:
        ConfigError: torch cannot use the device here.
    """
    with PuffeRL(env, policy, device=device, total_timesteps=10**12, **config) as trainer:
        returns = []
        spent, steps = 0.0, -trainer.rollout.size  # the first update does not count
        for record in trainer.steps():
            returns.append(record.get("episode_return_100", float("nan")))
            steps += trainer.rollout.size
            if steps:
                spent += trainer.rollout.size / record["sps"]
            if spent >= seconds:
                break
        place = name_of(device)
        return Trained(place, trainer.learner.name, spent, steps / spent, returns[0], returns[-1])


def name_of(device: str) -> str:
    """Of a GPU with what it is, as its maker calls it."""
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def compare(seconds: float, env: str) -> Iterator[Trained | ConfigError]:
    """First the CPU, then the GPU; where there is none, why."""
    yield train_for(seconds, "cpu", env)
    try:
        check_device("cuda")
    except ConfigError as error:
        yield error
        return
    yield train_for(seconds, "cuda", env)
