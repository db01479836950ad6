"""What takes the gradient steps, and its memory as arrays for checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pufferbench.config import TrainConfig


def make_optimizer(policy: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of the parameters of ``policy`` that are to learn."""
    parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    return torch.optim.Adam(parameters, config.learning_rate, eps=1e-5, fused=True)


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What ``optimizer`` remembers of each parameter, by names for a checkpoint."""
    state = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{name}": tensor for index, kept in state.items() for name, tensor in kept.items()
    }


def optimizer_state(optimizer: torch.optim.Optimizer, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Adam's state in a checkpoint, as torch has it; ValueError when it belongs to another policy."""
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, index, moment = name.split(".")
            state[int(index)][moment] = torch.tensor(array)
    own = optimizer.state_dict()
    parameters = optimizer.param_groups[0]["params"]
    if state and sorted(state) != list(range(len(parameters))):
        raise ValueError(f"its optimizer has {len(state)} parameters, this policy {len(parameters)}")
    for number, kept in state.items():
        shape = tuple(parameters[number].shape)
        shapes = {name: tuple(tensor.shape) for name, tensor in kept.items()}
        if shapes != {"step": (), "exp_avg": shape, "exp_avg_sq": shape}:
            raise ValueError(f"its optimizer's state of parameter {number} is not Adam's for shape {shape}")
    return {"state": dict(state), "param_groups": own["param_groups"]}
