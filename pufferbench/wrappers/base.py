"""Wrapper: an environment seen through a function of its observations, rewards or actions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pufferbench.emulation import as_puffer
from pufferbench.env import Buffers, Infos, PufferEnv, Space, StepResult

# Of a vectorizer or a native env: reached through us, they would go past the wrapper
NOT_PASSED_ON = ("step_rows", "async_reset", "send", "recv", "members")


class Wrapper(PufferEnv):
    """Around one env or a whole batch: all arrays are ``[rows, ...]``, one row per agent.

    Override what should be different::

        class Shaped(pufferbench.Wrapper):
            def reward(self, rewards):
                return 0.1 * rewards

    - ``observation(observations)``: what the agents see; set ``self.observation_space`` in ``__init__``, after
      ``super().__init__(env)``, when it has another shape or type;
    - ``reward(rewards)``: what they get;
    - ``action(actions)``: what the env gets for the actions of ``self.action_space``;
    - or ``reset`` and ``step`` wholly.

    Arrays that a wrapper does not change are the env's own: nothing is copied. Anything else that the env has
    (``fps``, ``params``, ...) is reached through the wrapper.

    Args:
        env: any env that :func:`pufferbench.emulate` understands, or a batch of them. It must be the first
            argument of a subclass too; the others are remembered for :meth:`respawn`.

    Raises:
        ValueError: the rows of its batches change places (``mode="async"``): wrap the members instead.
    """

    env: PufferEnv
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        wrapper = super().__new__(cls)
        wrapper._made_with = arguments[1:], {name: o for name, o in options.items() if name != "env"}
        return wrapper

    def __init__(self, env: Any) -> None:
        super().__init__()
        self.env = env = as_puffer(env)
        if not getattr(env, "deterministic", True):
            raise ValueError(
                f"{type(self).__name__}: the rows of this env's batches change places (mode='async', batch_size); "
                f"wrap its members instead: Multiprocessing(lambda: {type(self).__name__}(...), ...)"
            )
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.num_envs, self.num_agents = env.num_envs, env.num_agents
        self.num_action_masks, self.spec, self.choice = env.num_action_masks, env.spec, env.choice

    def __getattr__(self, name: str) -> Any:
        # half made, being unpickled, or a way past the wrapper
        if name.startswith("_") or name == "env" or name in NOT_PASSED_ON:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.env, name)

    # -- what subclasses override ---------------------------------------------------------------

    def observation(self, observations: np.ndarray) -> np.ndarray:
        """What the agents see, for what the env shows. It must not change ``observations`` itself."""
        return observations

    def final_observation(self, observations: np.ndarray) -> np.ndarray:
        """The same for the last observations of cut episodes; other rows hold what they see now.

        Only a wrapper that remembers observations needs another one than :meth:`observation`.
        """
        return self.observation(observations)

    def reward(self, rewards: np.ndarray) -> np.ndarray:
        """What the agents get, for what the env gives."""
        return rewards

    def action(self, actions: np.ndarray) -> np.ndarray:
        """What the env gets, for what the agents do."""
        return actions

    # -- buffers --------------------------------------------------------------------------------

    def _changes(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Wrapper, method)

    def _own_arrays(self) -> set[str]:
        """The arrays that the wrapper has for itself: those in which it and the env differ."""
        own = set()
        if self._changes("observation") or self.observation_space != self.env.observation_space:
            own |= {"observations", "final_observations"}
        if self._changes("reward"):
            own.add("rewards")
        if self._changes("action") or self.action_space != self.env.action_space:
            own.add("actions")
        if self._changes("step"):  # what it does with them is not known
            own |= {"rewards", "terminals", "truncations", "final_observations"}
        if self.num_action_masks != self.env.num_action_masks:
            own.add("action_masks")
        return own

    @property
    def buffers(self) -> Buffers:
        if self._buffers is None:
            own = self._own_arrays()
            fields = Buffers.fields(
                self.num_agents, self.observation_space, self.action_space, self.num_action_masks
            )
            arrays = self.env.buffers.arrays()
            self._buffers = Buffers(
                **{n: np.zeros(*field) if n in own else arrays[n] for n, field in fields.items()}
            )
            if "action_masks" in own and self._buffers.action_masks is not None:
                self._buffers.action_masks[:] = True
        return self._buffers

    def use_buffers(self, buffers: Buffers) -> None:
        if self.own_state():
            name = type(self).__name__
            warnings.warn(
                f"{name} is inside of a vectorizer: each env learns for itself, and no checkpoint knows of it; put it "
                f"around the whole batch, {name}(make(...)), or give your creator a parameter num_envs",
                stacklevel=2,
            )
        _ = self.buffers  # so that there is something to copy from
        super().use_buffers(buffers)
        own, inner, outer = self._own_arrays(), self.env.buffers.arrays(), buffers.arrays()
        self.env.use_buffers(Buffers(**{n: a.copy() if n in own else outer[n] for n, a in inner.items()}))

    # -- the PufferEnv contract -----------------------------------------------------------------

    @property
    def source_observation_space(self) -> Space:
        same = self.observation_space is self.env.observation_space
        return self.env.source_observation_space if same else self.observation_space

    @property
    def source_action_space(self) -> Space:
        same = self.action_space is self.env.action_space
        return self.env.source_action_space if same else self.action_space

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        b = self.buffers
        self.env.first_env = self.first_env
        observations, infos = self.env.reset(seed)
        if b.observations is not observations:
            b.observations[...] = self.observation(observations)
        for array in (b.rewards, b.terminals, b.truncations):
            array[:] = 0
        return b.observations, infos

    def step(self, actions: Any) -> StepResult:
        b, env = self.buffers, self.env
        if actions is not b.actions:
            self.load_actions(actions)
        own = env.actions
        # Where an array below is the env's own, it is already as it should be
        observations, rewards, terminals, truncations, infos = env.step(
            own if own is b.actions else self.action(b.actions)
        )
        if b.rewards is not rewards:
            b.rewards[:] = self.reward(rewards)
        if b.terminals is not terminals:
            b.terminals[:] = terminals
        if b.truncations is not truncations:
            b.truncations[:] = truncations
        # what an episode showed last, before what the next one shows: so a wrapper may remember
        if b.final_observations is not env.final_observations and b.truncations.any():
            self._show_final(b.truncations)
        if b.observations is not observations:
            b.observations[...] = self.observation(observations)
        return b.observations, b.rewards, b.terminals, b.truncations, infos

    def _show_final(self, rows: np.ndarray) -> None:
        """The last observations of the cut episodes, in ``rows``; the env's other rows are not valid."""
        last = self.env.observations.copy()
        last[rows] = self.env.final_observations[rows]
        self.final_observations[rows] = self.final_observation(last)[rows]

    def render(self) -> np.ndarray:
        return self.env.render()

    def respawn(self, num_envs: int = 1) -> PufferEnv:
        """The same wrapper around another env like ours, knowing what this one has learned."""
        arguments, options = self._made_with
        other = type(self)(self.env.respawn(num_envs), *arguments, **options)
        learned = self.own_state()
        for name, array in other.own_state().items():
            array[...] = learned[name]
        other.eval()
        return other

    def close(self) -> None:
        self.env.close()

    @property
    def added_wrappers(self) -> list[str]:
        """Names of the wrappers around what ``spec`` makes, outermost first: a run must not forget them."""
        if self.spec is not self.env.spec:
            return []  # a registered env that has us in it
        return [type(self).__name__, *getattr(self.env, "added_wrappers", [])]

    # -- what is learned along the way ----------------------------------------------------------

    def own_state(self) -> dict[str, np.ndarray]:
        """Name -> array that the wrapper has learned and a checkpoint should keep; a view: load writes into it."""
        return {}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of what this wrapper and those within have learned; trainers put it into checkpoints."""
        state = {name: array.copy() for name, array in self.own_state().items()}
        inner = self.env.state_dict() if hasattr(self.env, "state_dict") else {}
        return state | {f"env.{name}": array for name, array in inner.items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises:
            ValueError: it is of other wrappers, or another env; nothing has changed.
        """
        present = self.state_dict()
        if state.keys() != present.keys():
            differ = ", ".join(sorted(state.keys() ^ present.keys()))
            raise ValueError(f"{type(self).__name__}: this state is of an env with other wrappers ({differ})")
        for name, array in present.items():
            if np.shape(state[name]) != array.shape:
                raise ValueError(
                    f"{type(self).__name__}: {name} has shape {np.shape(state[name])}, not {array.shape}"
                )
        for name, array in self.own_state().items():
            array[...] = state[name]
        inner = {name.removeprefix("env."): a for name, a in state.items() if name.startswith("env.")}
        if hasattr(self.env, "load_state_dict"):
            self.env.load_state_dict(inner)

    def eval(self) -> None:
        """From now on learn no statistics: the env is played to see how good an agent is."""
        if isinstance(self.env, Wrapper):
            self.env.eval()

    def train(self) -> None:
        """Learn them again."""
        if isinstance(self.env, Wrapper):
            self.env.train()
