"""emulate: any environment, as many of it as wanted, behind the PufferEnv contract."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cloudpickle
import gymnasium

from pufferbench.emulation import as_puffer
from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError
from pufferbench.registry import EnvSpec
from pufferbench.vector.base import check_count
from pufferbench.vector.make import make_batch


class CannotCopy(PufferBenchError, TypeError):
    """No second environment can be made from the one that was given."""


def emulate(
    x: Any,
    num_envs: int = 1,
    num_workers: int | None = None,
    envs_per_worker: int | None = None,
    batch_size: int | None = None,
    backend: str = "auto",
    max_agents: int | None = None,
    max_length: int | None = None,
) -> PufferEnv:
    """``num_envs`` games of any environment, as one PufferEnv.

        pufferbench.emulate(MyTask, num_envs=256)                              # a class
        pufferbench.emulate(lambda: pistonball_v6.parallel_env(), num_envs=8)  # a creator
        pufferbench.emulate(gymnasium.make("CartPole-v1"), num_envs=256)       # an instance

    Understood are PufferEnvs (also in the simple style, see :mod:`pufferbench.emulation.simple`), Gymnasium's
    envs and vector envs, old gym's, PettingZoo's, and whatever has their methods. The spaces of the result
    are flat (see :mod:`pufferbench.spaces`); the env's own are ``source_observation_space`` and
    ``source_action_space``.

    Args:
        x: a class or function that makes one environment, or an environment. Of that, copies are made: by its
            ``spec``, which has its arguments and wrappers, or else by pickling it. It becomes the first game
            itself, unless the games are in worker processes; in any case it is yours no longer.
        num_envs: games that step together. (Of a creator whose every env holds many: how many such envs.)
        num_workers, envs_per_worker, batch_size, backend: see :func:`pufferbench.make`.
        max_agents: rows for the agents of a PettingZoo env that does not say who its agents may be.
        max_length: longest Text or Sequence of its observations, where its spaces set no bound.

    Raises:
        CannotCopy: of this instance no copies can be made: give a creator.
        TypeError: it is no environment, or one whose spaces cannot be arrays.
        ValueError: numbers that do not go together; the message says which do.
    """
    num_envs = check_count(num_envs, "num_envs")
    given = {"max_agents": max_agents, "max_length": max_length}
    limits = {name: limit for name, limit in given.items() if limit is not None}
    in_workers = backend == "multiprocessing" or num_workers or envs_per_worker or batch_size
    if isinstance(x, str):
        raise TypeError(f"emulate() takes an environment; for the one called {x!r}: pufferbench.make({x!r})")
    if callable(x) and (isinstance(x, type) or not hasattr(x, "step")):
        entry = EnvSpec(getattr(x, "__name__", type(x).__name__), x, limits=limits)
    elif not (hasattr(x, "reset") and hasattr(x, "step")):
        parts = [name for name in ("parallel_env", "env") if callable(getattr(x, name, None))]
        hint = f"; did you mean {x.__name__}.{parts[0]}?" if parts else ""
        raise TypeError(
            f"emulate() takes an environment, or a class or function that makes one, not {x!r}{hint}"
        )
    elif getattr(x, "num_envs", 1) != 1:  # a batch is taken as it is
        return _batch(x, num_envs, limits)
    else:
        entry = EnvSpec(
            type(getattr(x, "unwrapped", x)).__name__, Copies(x, first=not in_workers), limits=limits
        )
    return make_batch(entry, num_envs, num_workers, envs_per_worker, batch_size, backend)


def _batch(x: Any, num_envs: int, limits: dict[str, int]) -> PufferEnv:
    """An instance that holds several games already."""
    if num_envs not in (1, x.num_envs):
        raise ValueError(
            f"this {type(x).__name__} has {x.num_envs} games already, so it cannot be made num_envs={num_envs}; "
            "leave num_envs away, or give a creator: emulate(lambda: ..., num_envs=...)"
        )
    return as_puffer(x, **limits)


class Copies:
    """A creator of copies of one environment.

    Args:
        original: the environment.
        first: whether the first that is asked for is the original itself.
    """

    def __init__(self, original: Any, first: bool) -> None:
        self._original = original
        self._give = first
        self._copy: Callable[[], Any] | None = None

    def __call__(self) -> Any:
        if self._give:
            self._give = False
            # Before it is played: a copy of a half-played game would be a half-played game
            self._prepare(must=False)
            return self._original
        self._prepare(must=True)
        assert self._copy is not None
        return self._copy()

    def _prepare(self, must: bool) -> None:
        """Find out how copies are made. Raises :class:`CannotCopy` when they ``must`` be and cannot."""
        if self._copy is not None:
            return
        reasons = []
        for way in (_by_spec, _by_respawn, _by_pickle):
            try:
                self._copy = way(self._original)
            except Exception as error:  # whatever a foreign constructor or pickle raises
                reasons.append(f"{type(error).__name__}: {error}")
            if self._copy is not None:
                return
        if must:
            raise CannotCopy(
                f"cannot make copies of this {type(self._original).__name__} ({'; '.join(reasons)}); give a "
                "function that makes one instead: emulate(lambda: ..., num_envs=...)"
            )

    def __getstate__(self) -> dict[str, Any]:
        """For workers, which never get the original itself."""
        self._prepare(must=True)
        return {"_original": None, "_give": False, "_copy": self._copy}


def _by_spec(env: Any) -> Callable[[], Any] | None:
    """As ``gymnasium.make`` made it, wrappers included; None when it did not."""
    spec = getattr(env, "spec", None)
    if not isinstance(env, gymnasium.Env) or spec is None:
        return None
    gymnasium.make(spec).close()  # does it work?
    options: dict[str, Any] = {"disable_env_checker": True}
    if env.render_mode is None and "rgb_array" in env.metadata.get("render_modes", ()):
        options["render_mode"] = "rgb_array"  # views play in copies
    return partial(gymnasium.make, spec, **options)


def _by_respawn(env: Any) -> Callable[[], Any] | None:
    """A PufferEnv that came from ``pufferbench.make``, by its spec."""
    if isinstance(env, PufferEnv) and env.spec is not None:
        return env.spec.make
    return None


def _by_pickle(env: Any) -> Callable[[], Any]:
    """As it is now; classes of a notebook go by value."""
    copy = partial(cloudpickle.loads, cloudpickle.dumps(env))
    copy()  # does it work?
    return copy
