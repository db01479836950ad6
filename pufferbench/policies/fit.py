"""Whether a policy is for the observations and actions of an environment: found out by asking it once."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError
from pufferbench.out_of_memory import room_for
from pufferbench.policies.heads import check_outputs
from pufferbench.recurrent import first_step


class Misfit(PufferBenchError, ValueError):
    """A policy is for other observations or actions."""


@torch.inference_mode()
def check_fit(policy: nn.Module, env: PufferEnv, observations: Tensor, title: str = "this env") -> None:
    """Ask the policy about the first ``observations`` of ``env``, on its device.

    Raises:
        Misfit: it cannot take them, or what it says is not for the env's actions.
        OutOfMemory: its layers have no room for so many.
    """
    many = f"a layer's numbers for {len(observations):,} agents"
    try:
        with room_for(many, "take fewer num_envs, or a smaller policy"):
            check_outputs(first_step(policy, observations), env.action_space, len(observations))
    except (RuntimeError, ValueError, IndexError) as error:  # what torch says of other shapes and types
        raise Misfit(
            f"this {type(policy).__name__} does not fit {title}, whose observations are "
            f"{env.observation_space} and actions {env.action_space}: {error}"
        ) from error
