"""Policies out of checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from pufferbench import records
from pufferbench.policies.names import POLICIES, make
from pufferbench.records import CheckpointError
from pufferbench.spaces import FlatBox


def load(
    path: str | Path,
    observation_space: spaces.Space,
    action_space: spaces.Space,
    policy: nn.Module | None = None,
) -> nn.Module:
    """The policy of a checkpoint, ready to play.

    Args:
        policy: the module to load into; None makes the one that the checkpoint names.

    Raises:
        CheckpointError: the file is damaged or foreign, does not fit these spaces or this policy, or names
            no policy known here and none was passed.
    """
    path = records.checkpoint_path(path)
    arrays, header = records.load_checkpoint(path)
    check_spaces(header, observation_space, action_space, path)
    if policy is None:
        about = header.get("policy", {})
        if about.get("name", "") not in POLICIES:
            raise CheckpointError(
                f"{path} holds a policy that is not one of PufferBench's ({', '.join(POLICIES)}); pass it: "
                "policy=MyPolicy(env.observation_space, env.action_space)"
            )
        try:
            policy = make(about["name"], observation_space, action_space, **about.get("arguments", {}))
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} describes a policy that cannot be made: {error}") from error
    load_weights(policy, arrays, path)
    return policy


def check_spaces(
    header: dict[str, Any], observation_space: spaces.Space, action_space: spaces.Space, path: Path
) -> None:
    """Raise :class:`CheckpointError` when a checkpoint was made for other spaces."""
    for kind, space in (("observation", observation_space), ("action", action_space)):
        saved = header.get(f"{kind}_space", "")
        if saved != describe_space(space):
            env = header.get("env", {}).get("id") or "another env"
            raise CheckpointError(
                f"{path} was trained on {env} with {kind} space {saved}; "
                f"this env's is {describe_space(space)}"
            )


def describe_space(space: spaces.Space) -> str:
    """A space's kind, shape and type in a line, without the bounds of each element."""
    if isinstance(space, spaces.Box) and not isinstance(space, FlatBox):
        return f"Box(shape {tuple(space.shape)}, {space.dtype})"
    return str(space)


def load_weights(policy: nn.Module, arrays: dict[str, np.ndarray], path: Path) -> None:
    """Put a checkpoint's weights into ``policy``, all or none. Raises :class:`CheckpointError`."""
    saved = check_weights(policy, arrays, path)
    policy.load_state_dict({name: torch.tensor(array) for name, array in saved.items()})


def check_weights(policy: nn.Module, arrays: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """The weights of a checkpoint, by their names in ``policy``; :class:`CheckpointError` when they do not fit."""
    saved = {name.removeprefix("policy."): a for name, a in arrays.items() if name.startswith("policy.")}
    wanted = policy.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in saved]
    wrong += [f"{name} is unknown" for name in saved if name not in wanted]
    wrong += [
        f"{name} has shape {saved[name].shape}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in saved and saved[name].shape != tuple(tensor.shape)
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"{path} does not fit this {type(policy).__name__}: {'; '.join(wrong[:3])}{more}; "
            "make the policy with the sizes it was trained with"
        )
    return saved
