"""Threads: one native env whose rows are stepped in slices at the same time."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import numpy as np

from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv
from pufferbench.vector.base import Received, VectorEnv, check_count


class Threads(VectorEnv):
    """Steps slices of one native env on threads: its compiled kernels run outside Python's lock (GIL).

    It pays when one step of all rows takes over about 0.1 ms: waking a thread costs 10 to 50 us. The
    result is the same to the last bit. Whatever else the env has (``states``, ``params``, ...) is
    reached through this one.

    Args:
        env: has ``step_rows(start, stop)`` and ``ended``, as games of ``ocean_numba`` do.
        num_threads: slices; one of them is stepped by the caller itself. At most one per game.

    Raises:
        TypeError: the env cannot be stepped in parts.
    """

    def __init__(self, env: PufferEnv, num_threads: int) -> None:
        if not hasattr(env, "step_rows"):
            raise TypeError(
                f"{type(env).__name__} cannot be stepped in parts (it has no step_rows): threads would not "
                "make it faster; use Multiprocessing"
            )
        super().__init__()
        self.env: Any = env
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.num_envs, self.num_agents = env.num_envs, env.num_agents
        self.num_action_masks, self.spec = env.num_action_masks, env.spec
        self.num_threads = min(check_count(num_threads, "num_threads"), env.num_envs)
        agents = env.num_agents // env.num_envs
        bounds = [agents * (env.num_envs * i // self.num_threads) for i in range(self.num_threads + 1)]
        self._own, *others = zip(bounds, bounds[1:], strict=False)
        self._helpers = [_Helper(self.env, start, stop) for start, stop in others]
        self._agent_ids = np.arange(self.num_agents)
        self._infos: Infos = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "env":  # half made, or being unpickled
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def buffers(self) -> Buffers:
        return self.env.buffers

    def use_buffers(self, buffers: Buffers) -> None:
        self.env.use_buffers(buffers)

    def async_reset(self, seed: int | None = None) -> None:
        self._expect("async_reset")
        self.env.first_env = self.first_env
        self._infos = self.env.reset(seed)[1]
        self._next = "recv"

    def send(self, actions: Any) -> None:
        self._expect("send")
        if actions is not self.actions:
            self.load_actions(actions)
        for helper in self._helpers:
            helper.begin()
        counts, errors = [], []
        try:
            counts.append(self.env.step_rows(*self._own))
        finally:  # also when the caller's own slice failed: no helper may be left at work
            for helper in self._helpers:
                helper.wait()
                counts.append(helper.count)
                if helper.error is not None:
                    errors.append(helper.error)
        if errors:
            raise errors[0]
        self._infos = ()
        if any(counts):
            starts = [self._own[0], *(helper.start for helper in self._helpers)]
            parts = [self.env.ended[s : s + count] for s, count in zip(starts, counts, strict=True)]
            self._infos = EpisodeInfos(np.concatenate(parts))
        self._next = "recv"

    def recv(self) -> Received:
        self._expect("recv")
        self._next = "send"
        b = self.env.buffers
        return b.observations, b.rewards, b.terminals, b.truncations, self._infos, self._agent_ids, b.masks

    def render(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self.env.render(*args, **kwargs)

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        return self.env.respawn(num_envs)

    def close(self) -> None:
        super().close()
        for helper in self._helpers:
            helper.end()
        self.env.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # not fully made
            for helper in self._helpers:
                helper.end()


class _Helper:
    """A thread that steps one slice whenever it is told to.

    Two locks are its flags: taking one that is held sleeps without using the CPU, and costs less than
    threading.Event, which is Python code around the same.
    """

    def __init__(self, env: Any, start: int, stop: int) -> None:
        self.start = start
        self.count = 0
        self.error: BaseException | None = None
        self._go, self._done = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._done.acquire()
        self._begun = self._finished = 0
        self._ending = False
        # The thread must not know the Threads object: it could then never be collected.
        name = f"pufferbench rows {start}-{stop - 1}"
        self._thread = threading.Thread(target=self._run, args=(env, start, stop), name=name, daemon=True)
        self._thread.start()

    def _run(self, env: Any, start: int, stop: int) -> None:
        while True:
            self._go.acquire()
            if self._ending:
                return
            try:
                self.error = None
                self.count = env.step_rows(start, stop)
            except BaseException as error:  # it belongs to the caller
                self.count, self.error = 0, error
            self._done.release()
            self._finished += 1

    def begin(self) -> None:
        while self._begun != self._finished:  # only after Ctrl-C in wait(): the last step is still going on
            time.sleep(0)
        self._done.acquire(blocking=False)  # and nobody has taken its flag
        self._begun += 1
        self._go.release()

    def wait(self) -> None:
        self._done.acquire()

    def end(self) -> None:
        """End the thread; twice is fine."""
        if not self._ending:
            self._ending = True
            self._go.release()
            self._thread.join()
