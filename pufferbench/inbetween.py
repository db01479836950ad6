"""Pictures of what happens within a step, for eyes that are faster than the agent's decisions."""

from __future__ import annotations

from typing import Any

import numpy as np


class InBetween:
    """The frames of a game that plays several per step (``frameskip``), of which it shows only the last.

    Breakout decides 15 times a second and moves 60 times. A second copy of the game, with one frame per step, is
    given the state and plays the step again in slow motion; the game itself stays what agents know.

    Args:
        env: one game. Only games of ``ocean_numba`` have a state that can be copied; others have one frame per step.

    Attributes:
        frames: per step.
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        self.frames = int(getattr(env, "params", {}).get("frameskip", 1)) if hasattr(env, "states") else 1
        self._copy = type(env)(num_envs=1, **{**env.params, "frameskip": 1}) if self.frames > 1 else None
        if self._copy is not None:
            self._copy.reset(0)

    def play(self, actions: np.ndarray) -> list[np.ndarray]:
        """The pictures before the last one of the step that is about to be made with ``actions``."""
        copy, pictures = self._copy, []
        if copy is None:
            return []
        copy.states[:] = self.env.states
        copy.states["frameskip"] = 1
        for _ in range(self.frames - 1):
            copy.step(np.asarray(actions, copy.actions.dtype))
            if copy.terminals.any() or copy.truncations.any():
                break
            pictures.append(copy.render())
        return pictures
