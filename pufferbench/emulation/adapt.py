"""Which adapter makes a PufferEnv of what."""

from __future__ import annotations

from typing import Any

import gymnasium

from pufferbench.emulation.gymnasium import GymnasiumEnv
from pufferbench.env import PufferEnv


def as_puffer(env: Any) -> PufferEnv:
    """``env`` itself when it is a PufferEnv; a Gymnasium env in its adapter."""
    if isinstance(env, PufferEnv):
        return env
    if isinstance(env, gymnasium.Env):
        return GymnasiumEnv(env)
    raise TypeError(f"expected a PufferEnv or a gymnasium.Env, not {type(env).__name__}: {env!r}")
