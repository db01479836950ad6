"""Which adapter makes a PufferEnv of what."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium

from pufferbench.emulation.gymnasium import GymnasiumEnv
from pufferbench.env import PufferEnv


def as_puffer(env: Any, max_agents: int | None = None, max_length: int | None = None) -> PufferEnv:
    """``env`` itself when it is a PufferEnv that writes in place; else in the adapter for its kind.

    Understood are PufferEnvs in the simple style, Gymnasium's envs and vector envs, old gym's, PettingZoo's
    (parallel and AEC), and whatever has their methods. Adapters are imported when they are needed.

    Args:
        max_agents: rows for the agents of a PettingZoo env that does not say who its agents may be.
        max_length: longest Text or Sequence of its observations, where its spaces set no bound.

    Raises:
        TypeError: it is nothing of the kind, or its spaces cannot be arrays; the message says what to do.
    """
    if isinstance(env, PufferEnv):
        from pufferbench.emulation.simple import SimpleEnv, is_simple

        return SimpleEnv(env, max_length) if is_simple(env) else env
    if isinstance(env, gymnasium.Env):
        return GymnasiumEnv(env, max_length)
    if isinstance(env, type) or not (hasattr(env, "reset") and hasattr(env, "step")):
        raise TypeError(
            "expected an environment (a PufferEnv, or one of Gymnasium, gym or PettingZoo), "
            f"not {type(env).__name__}: {env!r}"
            + ("; make one of it first, or use pufferbench.emulate()" if isinstance(env, type) else "")
        )
    kind = _pettingzoo_kind(env)
    if kind == "aec":
        from pufferbench.emulation.pettingzoo_aec import adapt_aec

        return adapt_aec(env, max_agents=max_agents, max_length=max_length)
    if kind == "parallel":
        from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel

        return PettingZooParallel(env, max_agents, max_length)
    if not hasattr(env, "action_space"):
        raise TypeError(f"{type(env).__name__} has reset() and step(), but no action_space: {env!r}")
    if isinstance(getattr(env, "num_envs", None), int):
        from pufferbench.emulation.vector import ThirdPartyVector

        return ThirdPartyVector(env, max_length)
    from pufferbench.emulation.legacy import LegacyEnv

    return LegacyEnv(env, max_length)


def _pettingzoo_kind(env: Any) -> str:
    """ "parallel" or "aec", or "" when it is not PettingZoo's. Someone else's is known by its methods."""
    if "pettingzoo" in sys.modules:
        import pettingzoo

        if isinstance(env, pettingzoo.AECEnv):
            return "aec"
        if isinstance(env, pettingzoo.ParallelEnv):
            return "parallel"
    if not callable(getattr(env, "observation_space", None)):  # a method: each agent has its own
        return ""
    return "aec" if hasattr(env, "agent_iter") else "parallel"
