"""What takes the gradient steps, and its memory as arrays for checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pufferbench.config import ConfigError, TrainConfig

Optimizer = torch.optim.Optimizer


def make_optimizer(policy: nn.Module, config: TrainConfig) -> Optimizer | Muon:
    """The optimizer of the parameters of ``policy`` that are to learn.

    Raises:
        ConfigError: Muon has nothing to do.
    """
    named = {name: weight for name, weight in policy.named_parameters() if weight.requires_grad}
    if config.optimizer == "adam":
        return torch.optim.Adam(named.values(), config.learning_rate, eps=1e-5, fused=True)
    matrices = [weight for name, weight in named.items() if is_hidden_matrix(name, weight)]
    if not matrices:
        raise ConfigError(
            f"optimizer='muon' is for hidden matrices, and {type(policy).__name__} has none; use 'adam'"
        )
    rest = [weight for name, weight in named.items() if not is_hidden_matrix(name, weight)]
    return Muon(matrices, rest, config.learning_rate)


def is_hidden_matrix(name: str, weight: Tensor) -> bool:
    """Whether Muon may have a policy's parameter: a matrix, but not of the heads, whose directions are not alike."""
    return weight.ndim == 2 and "heads" not in name.split(".")


class Muon:
    """Muon for matrices, AdamW for the rest (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon).

    Muon replaces a matrix's momentum by the nearest orthogonal matrix, so that a step moves every direction by the
    same amount, also those that a few large gradients would hide. Its steps are scaled to the size of Adam's (Liu
    et al., 2025, https://arxiv.org/abs/2502.16982), so that one learning rate fits both. Weights do not decay.

    To its users it is one optimizer: the methods are those of :class:`torch.optim.Optimizer`.

    Args:
        matrices: the parameters for Muon.
        rest: those for AdamW; there may be none.
    """

    def __init__(self, matrices: Sequence[Tensor], rest: Sequence[Tensor], learning_rate: float) -> None:
        muon = torch.optim.Muon(matrices, learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        self.parts: list[Optimizer] = [muon]
        if rest:
            adam = torch.optim.AdamW(rest, learning_rate, eps=1e-5, weight_decay=0.0, fused=True)
            self.parts.append(adam)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """As torch's: parameters are numbered, Muon's first."""
        state: dict[int, dict[str, Tensor]] = {}
        first = 0
        for part in self.parts:
            state |= {first + number: kept for number, kept in part.state_dict()["state"].items()}
            first += len(part.param_groups[0]["params"])
        return {"state": state, "param_groups": self.param_groups}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        first = 0
        for part in self.parts:
            numbers = range(len(part.param_groups[0]["params"]))
            state = {n: saved["state"][first + n] for n in numbers if first + n in saved["state"]}
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})
            first += len(numbers)


def optimizer_arrays(optimizer: Optimizer | Muon) -> dict[str, Tensor]:
    """What ``optimizer`` remembers of each parameter, by names for a checkpoint."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": tensor for index, kept in state.items() for name, tensor in kept.items()
    }


def optimizer_state(optimizer: Optimizer | Muon, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What ``optimizer`` shall remember from a checkpoint, as torch has it.

    Raises:
        ValueError: it belongs to another policy or another optimizer.
    """
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, index, moment = name.split(".")
            state[int(index)][moment] = torch.tensor(array)
    wanted = [kept for part in getattr(optimizer, "parts", [optimizer]) for kept in _kept(part)]
    if state and sorted(state) != list(range(len(wanted))):
        raise ValueError(f"its optimizer has {len(state)} parameters, this policy {len(wanted)}")
    for number, kept in state.items():
        shapes = {name: tuple(tensor.shape) for name, tensor in kept.items()}
        if shapes != wanted[number]:
            raise ValueError(
                f"what its optimizer keeps of parameter {number} is {shapes}, not {wanted[number]}: "
                "another optimizer or another policy"
            )
    return {"state": dict(state), "param_groups": optimizer.state_dict()["param_groups"]}


def _kept(part: Optimizer) -> list[dict[str, tuple[int, ...]]]:
    """The names and shapes of what one of torch's optimizers keeps of each parameter, once it has made a step."""
    shapes = [tuple(weight.shape) for weight in part.param_groups[0]["params"]]
    if isinstance(part, torch.optim.Muon):
        return [{"momentum_buffer": shape} for shape in shapes]
    return [{"step": (), "exp_avg": shape, "exp_avg_sq": shape} for shape in shapes]
