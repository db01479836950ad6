"""From keys to actions: how a person plays a game that was made for agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

THINKING = 7  # steps/s; a game that is slower is one to think in: it waits for a key
ARROWS = (("ArrowLeft", "ArrowRight"), ("ArrowDown", "ArrowUp"))


class Keyboard:
    """The keys of a game, and what they do.

    A game says which (``keys``, names as in browsers -> action). Of others, digits choose among the actions of a
    Discrete, and arrows push the first two dimensions or choices one way or the other; the rest stay in the middle.

    Keys that are held together are combined where an action has several parts. While none is held, the agent does
    what the game says (``idle``), or the action that no key has, or nothing, which is the middle of a Box or
    MultiDiscrete; and where every action has a key, what it did before, as a snake does.

    Args:
        env: one game.

    Attributes:
        keys: key -> action.
        waits: the game waits for a key before every step, as one can think in it.
    """

    def __init__(self, env: Any) -> None:
        self.space = env.action_space
        self.keys: dict[str, Any] = dict(getattr(env, "keys", {}) or _usual_keys(self.space))
        self.waits = float(getattr(env, "fps", None) or 30) < THINKING
        self.idle = self._idle(getattr(env, "idle", None))
        self._before: Any = self.idle if self.idle is not None else next(iter(self.keys.values()))

    def action(self, held: Sequence[str], pressed: Sequence[str] = ()) -> np.ndarray | None:
        """The action of the next step.

        Args:
            held: keys that are down, in the order in which they went down.
            pressed: keys that went down since the last step, be it for a moment only.

        Returns:
            One agent's action; None when the game waits and no key of its own was pressed.
        """
        pressed, held = self.known(pressed), self.known(held)
        if self.waits:
            return np.asarray(self.keys[pressed[0]]) if pressed else None
        down = [*held, *(key for key in pressed if key not in held)]
        if isinstance(self.space, spaces.Discrete):
            newest = pressed[-1:] or held[-1:]
            action = self.keys[newest[0]] if newest else self._before if self.idle is None else self.idle
        else:
            action = self._together([self.keys[key] for key in down])
        self._before = action
        return np.asarray(action)

    def known(self, keys: Sequence[str]) -> list[str]:
        """Those of ``keys`` that do something."""
        return [key for key in keys if key in self.keys]

    def _together(self, actions: list[Any]) -> np.ndarray:
        """Several keys at once: each moves the parts that it moves away from idle."""
        idle = np.asarray(self.idle)
        result = idle.copy()
        for action in map(np.asarray, actions):
            if isinstance(self.space, spaces.Box):
                result = result + (action - idle)
            else:
                result = np.where(action == idle, result, action)
        if isinstance(self.space, spaces.Box):
            result = np.clip(result, self.space.low, self.space.high)
        return result

    def _idle(self, declared: Any) -> Any:
        if declared is not None:
            return declared
        if isinstance(self.space, spaces.Discrete):
            free = sorted(set(range(int(self.space.n))) - {int(action) for action in self.keys.values()})
            return free[0] if free else None
        if isinstance(self.space, spaces.MultiDiscrete):
            return self.space.nvec // 2
        return np.clip(np.zeros(self.space.shape, self.space.dtype), self.space.low, self.space.high)


def _usual_keys(space: Any) -> dict[str, Any]:
    """Keys for a game that has none of its own."""
    if isinstance(space, spaces.Discrete):
        keys: dict[str, Any] = {str(index): index for index in range(min(10, int(space.n)))}
        return keys | ({"ArrowLeft": 0, "ArrowRight": 1} if space.n == 2 else {})
    keys = {}
    if isinstance(space, spaces.MultiDiscrete):
        middle, low, high = space.nvec // 2, np.zeros_like(space.nvec), space.nvec - 1
    elif isinstance(space, spaces.Box):
        middle = np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
        low, high = np.maximum(space.low, -1), np.minimum(space.high, 1)
    else:
        raise TypeError(f"there are keys for Discrete, MultiDiscrete and Box actions, not for {space}")
    for index, pair in zip(range(middle.size), ARROWS, strict=False):
        for key, end in zip(pair, (low, high), strict=True):
            action = middle.copy()
            action.reshape(-1)[index] = np.ravel(end)[index]
            keys[key] = action
    return keys
