"""What all vectorizers share: the order of calls, checking members, joining infos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pufferbench.emulation import as_puffer
from pufferbench.env import Infos, PufferEnv, Space, StepResult
from pufferbench.env import join_infos as join_infos  # for the backends

Creator = Callable[[], Any]
# observations, rewards, terminals, truncations, infos, agent_ids, masks
Received = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos, np.ndarray, np.ndarray]


class VectorEnv(PufferEnv):
    """Many environments that look like one PufferEnv.

    ``reset(seed)`` and ``step(actions)`` are the synchronous way. The asynchronous pair splits them:
    ``async_reset(seed)`` or ``send(actions)`` begins, ``recv()`` waits for the result.

    A backend writes ``async_reset``, ``send``, ``recv`` and ``close``. Each begins with
    ``self._expect("send")`` (its own name), and ends by setting ``self._next``.

    Attributes:
        deterministic: whether one seed always gives one trajectory.
    """

    deterministic = True

    def __init__(self, env_creator: Creator | None = None) -> None:
        super().__init__()
        self._env_creator = env_creator  # for respawn
        self._next = "async_reset"  # the call that must come next; async_reset is always right
        self._interrupted = False

    # -- the interface --------------------------------------------------------------------------

    def async_reset(self, seed: int | None = None) -> None:
        """Begin what :meth:`reset` does; :meth:`recv` gives the first observations."""
        raise NotImplementedError(f"{type(self).__name__} has no async_reset(seed)")

    def send(self, actions: Any) -> None:
        """Begin a step: ``actions[i]`` is that of row ``i`` of the last :meth:`recv`."""
        raise NotImplementedError(f"{type(self).__name__} has no send(actions)")

    def recv(self) -> Received:
        """Wait for what ``send`` or ``async_reset`` began.

        Returns:
            ``(observations, rewards, terminals, truncations, infos, agent_ids, masks)``: views, valid
            until the next ``send``. ``agent_ids[i]`` is the row of the whole batch that row ``i`` is.
        """
        raise NotImplementedError(f"{type(self).__name__} has no recv()")

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        self.async_reset(seed)
        received = self.recv()
        return received[0], received[4]

    def step(self, actions: Any) -> StepResult:
        if self._interrupted and self._next == "recv":
            self.recv()  # what came of the step that Ctrl-C cut short
        self._interrupted = True
        self.send(actions)
        received = self.recv()
        self._interrupted = False
        return received[:5]

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """Another env with the same games, ``num_envs`` of them, in this process: to watch and evaluate."""
        if self._env_creator is None:
            return super().respawn(num_envs)
        member = make_member(self._env_creator, 0)
        if member.num_envs == num_envs:
            return member
        if member.num_envs > 1:  # it can make other sizes of itself
            other = member.respawn(num_envs)
            member.close()
            return other
        from pufferbench.vector.serial import Serial

        member.close()
        return Serial(self._env_creator, num_envs)

    def close(self) -> None:
        self._next = "closed"

    # -- for the backends -----------------------------------------------------------------------

    def _expect(self, call: str) -> None:
        """Raises RuntimeError unless ``call`` is right now."""
        if call == self._next:
            return
        name = type(self).__name__
        if self._next == "closed":
            raise RuntimeError(f"this {name} is closed: make a new one")
        if call == "async_reset":
            return
        if self._next == "async_reset":
            raise RuntimeError(f"{name}: call reset() or async_reset() before the first {call}()")
        if call == "send":
            raise RuntimeError(f"{name}: send() again before recv(): the last step is still to be received")
        raise RuntimeError(f"{name}: recv() without send(): nothing was sent since the last recv()")


def make_member(env_creator: Creator, index: int) -> PufferEnv:
    """One env from ``env_creator``; a Gymnasium env is adapted. ``index`` is for the message only."""
    if not callable(env_creator):
        raise TypeError(
            f"env_creator must be a class or function that makes one env, not {env_creator!r}; "
            "for example Serial(lambda: MyEnv(), num_envs=16)"
        )
    env = env_creator()
    try:
        return as_puffer(env)
    except TypeError as error:
        raise TypeError(f"env_creator, call {index}: {error}") from None


def check_count(value: Any, name: str) -> int:
    """``value`` as an int of at least 1, or a ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
    return int(value)


def check_equal_spaces(members: Sequence[tuple[Space, Space, int]]) -> None:
    """Members are ``(observation_space, action_space, num_action_masks)``; all must be equal.

    Raises:
        ValueError: names the first member that differs, and in what.
    """
    names = ("observation space", "action space", "number of action masks")
    for index, member in enumerate(members):
        for name, mine, first in zip(names, member, members[0], strict=True):
            if mine != first:
                raise ValueError(
                    f"all environments of a vector env must have equal spaces, but the {name} of env {index} "
                    f"is {mine}, and that of env 0 is {first}"
                )
