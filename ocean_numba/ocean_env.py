"""OceanEnv: a batch of one game behind the PufferEnv contract."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ocean_numba import rng
from ocean_numba.codegen import action_bounds
from ocean_numba.errors import GameError
from ocean_numba.game import Game, Layout, build_layout, read_game, signature
from ocean_numba.layout import as_records
from ocean_numba.python_mode import RecordsProxy, proxy
from pufferbench.env import Buffers, EpisodeInfos, Infos, PufferEnv, StepResult
from pufferbench.errors import InvalidAction, did_you_mean

MODES = ("compiled", "python", "debug")


class CompiledStep(NamedTuple):
    """What a compiled loop needs to step a batch by itself: ``function(*arrays, ended, start, stop)``.

    Attributes:
        function: Numba's object. It returns how many episodes ended; their records are ``ended[start:start + count]``.
        arrays: states, observations, actions, rewards, ...: those of the buffers that the env has now.
        name: equal exactly when the machine code is, in any process.
        allocates: whether it needs Numba's runtime.
    """

    function: Any
    arrays: tuple[np.ndarray, ...]
    name: str
    allocates: bool


class OceanEnv(PufferEnv):
    """Base class of games: write one game, get thousands at C speed.

    Declare ``observation``, ``action``, ``class State`` and, if wanted, ``class Params``, ``agents``,
    ``metrics``, ``keys``, ``idle``, ``fps``, ``size``; write ``reset(s)``, ``step(s, action)``, ``observe(s, obs)``,
    to see it, ``draw(s, canvas)``, and, where not every action is always allowed, ``legal(s, mask)``, which
    fills ``action_masks``. ocean_numba/cartpole.py is a complete example.

    With several agents: ``step(s, actions, rewards, terminals)``, ``observe(s, i, obs)``, ``legal(s, i, mask)``
    (target.py). Where they take turns or drop out: ``step(s, actions, rewards, terminals, masks)`` and, if
    already the first step is not everybody's, ``reset(s, masks)`` (connect_four.py). A Dict observation is
    written part by part, ``obs.image[r, c] = ...`` (spaces.py).

    Args:
        num_envs: games in the batch. It has ``num_envs * agents`` rows.
        buf: the arrays to write into, from a vectorizer; None makes our own.
        mode: ``"compiled"`` is fast; ``"debug"`` compiles bounds checks in (an index out of range is an
            error instead of a wrong value elsewhere); ``"python"`` runs the game as plain Python, where
            breakpoints and print work.
        params: the game's own parameters.

    Raises:
        TypeError, ValueError: a wrong parameter name or value.
        GameError: the game itself is at fault.
    """

    keys: dict[str, Any] = {}
    idle: Any = None  # what happens while no key is pressed; None: pufferbench.keyboard works it out
    fps: int = 30
    size: tuple[int, int] = (320, 320)
    _game: Game | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._game = read_game(cls, cls._game)
        if cls._game is not None:
            cls.__signature__ = signature(cls._game)  # type: ignore[attr-defined]

    def __init__(
        self, num_envs: int = 1, buf: Buffers | None = None, mode: str = "compiled", **params: Any
    ) -> None:
        super().__init__(buf)
        name = type(self).__name__
        if self._game is None:
            raise GameError(
                f"{name} has no game in it: it needs State, observation, action, reset, step and observe"
            )
        if isinstance(num_envs, bool) or not isinstance(num_envs, (int, np.integer)) or num_envs < 1:
            raise ValueError(f"{name}: num_envs must be an integer of at least 1, not {num_envs!r}")
        if mode not in MODES:
            raise ValueError(
                f"{name}: mode {mode!r} is none of {', '.join(MODES)}{did_you_mean(str(mode), MODES)}"
            )
        self._layout: Layout = build_layout(self._game, params)
        self.mode = mode
        self.params: dict[str, Any] = self._layout.params
        self.observation_space = self._layout.observation_space
        self.action_space = self._layout.action_space
        if callable(self._game.action):  # its size is a parameter's: keys of actions that are not there go
            self.keys = {key: action for key, action in self.keys.items() if self._has_action(action)}
        self.num_action_masks = self._layout.num_action_masks
        self.num_envs = int(num_envs)
        self.agents_per_env = self._layout.agents
        self.num_agents = self.num_envs * self.agents_per_env
        self.states = np.zeros(self.num_envs, self._layout.record)
        for key, value in self.params.items():
            self.states[key] = value
        self.ended = np.zeros(self.num_agents, self._layout.ended)
        self._seeded = False
        self.kernels: Any = None
        self._bound: Buffers | None = None  # the buffers that the two functions below write into
        self._step_bound: Any = None
        self._reset_bound: Any = None

    # -- the PufferEnv contract -----------------------------------------------------------------

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, Infos]:
        """Start new episodes in all games. See :meth:`pufferbench.env.PufferEnv.reset`."""
        if seed is not None or not self._seeded:
            self.states["rng"] = rng.seeds(0 if seed is None else int(seed), self.first_env, self.num_envs)
            self._seeded = True
        buffers = self.buffers
        if buffers is not self._bound:
            self._bind(buffers)
        buffers.rewards[:] = 0
        buffers.terminals[:] = False
        buffers.truncations[:] = False
        self._reset_bound(0, self.num_agents)
        return buffers.observations, ()

    def step(self, actions: Any) -> StepResult:
        """One step of every game. See :meth:`pufferbench.env.PufferEnv.step`."""
        buffers = self.buffers
        if actions is not buffers.actions:
            self.load_actions(actions)
        count = self.step_rows(0, self.num_agents)
        infos: Infos = EpisodeInfos(self.ended[:count].copy()) if count else ()
        return buffers.observations, buffers.rewards, buffers.terminals, buffers.truncations, infos

    def step_rows(self, start: int, stop: int) -> int:
        """Step the games of rows ``start``..``stop-1`` with the actions that are in ``self.actions``.

        Both must be multiples of ``agents_per_env``. Threads may step disjoint parts at the same time.

        Returns:
            How many episodes ended: their records are ``self.ended[start:start + count]``.

        Raises:
            InvalidAction: nothing of this part was stepped.
            ValueError: the rows are not whole games of this env.
        """
        if self._bound is not self._buffers or self._bound is None:
            self._bind(self.buffers)
        if not self._seeded:
            raise RuntimeError(f"{type(self).__name__}: call reset() before the first step()")
        agents = self.agents_per_env
        if start % agents or stop % agents or not 0 <= start <= stop <= self.num_agents:
            raise ValueError(
                f"{type(self).__name__}: rows {start}..{stop} are not whole games of {agents} agents "
                f"within 0..{self.num_agents}"
            )
        count = self._step_bound(start, stop)
        if count < 0:
            self._refuse(-1 - count)
        return count

    def compiled_step(self) -> CompiledStep | None:
        """For loops that step this batch from compiled code; None where a step is more than machine code."""
        own = type(self).step is OceanEnv.step and type(self).step_rows is OceanEnv.step_rows
        if self.mode != "compiled" or not own:
            return None
        if self._bound is not self._buffers or self._bound is None:
            self._bind(self.buffers)
        arrays = self._step_bound.args[:-1]  # without self.ended
        return CompiledStep(self.kernels.dispatchers[0], arrays, self.kernels.name, self.kernels.allocates)

    def render(self, index: int = 0) -> np.ndarray:
        """Game ``index`` drawn by its ``draw(s, canvas)``: RGB, uint8 ``[height, width, 3]``."""
        assert self._game is not None
        draw = self._game.functions.get("draw")
        if draw is None:
            raise TypeError(f"{type(self).__name__} cannot be drawn: it has no function draw(s, canvas)")
        if not 0 <= index < self.num_envs:
            raise IndexError(f"{type(self).__name__}: there is no game {index}; there are {self.num_envs}")
        from ocean_numba.canvas import Canvas

        canvas = Canvas(*self.size)
        draw(RecordsProxy(self.states)[index], canvas)
        return canvas.pixels

    def hints(self) -> list[str]:
        """How the game could be faster: its lines that compute in float64 without need, often none."""
        from ocean_numba.hints import double_precision_lines

        b, agents = self.buffers, self.agents_per_env
        s = self.states[0]
        step: tuple = (s, b.actions[0])
        row = as_records(b.observations, self._layout.observation_record)[0]
        observe: tuple = (s, row)
        if self._layout.game.several:
            step = (s, b.actions[:agents], b.rewards[:agents], b.terminals[:agents], b.masks[:agents])
            step = step if self._layout.game.uses_masks else step[:-1]
            observe = (s, 0, row)
        reset = (s, b.masks[:agents]) if self._layout.game.resets_masks else (s,)
        examples = {"reset": reset, "step": step, "observe": observe}
        if b.action_masks is not None:
            examples["legal"] = (*observe[:-1], b.action_masks[0])
        return double_precision_lines(self._layout, examples)

    def respawn(self, num_envs: int = 1) -> OceanEnv:
        """Another batch of the same game with the same parameters."""
        other = type(self)(num_envs=num_envs, mode=self.mode, **self.params)
        other.spec = self.spec
        return other

    def _has_action(self, action: Any) -> bool:
        low, high = action_bounds(self.action_space)  # type: ignore[arg-type]
        value = np.ravel(action)
        return value.shape == low.shape and bool(((value >= low) & (value <= high)).all())

    def _refuse(self, row: int) -> None:
        value = self.actions[row]
        raise InvalidAction(
            f"{type(self).__name__}: agent {row} has the action {value}, which is not in {self.action_space}"
        )

    # -- kernels --------------------------------------------------------------------------------

    def _bind(self, buffers: Buffers) -> None:
        """Make or load the kernels for these buffers and fix all arguments but the rows."""
        from ocean_numba.compile import compiled_kernels, python_kernels  # Numba only when a game runs
        from ocean_numba.debug import guarded

        b = buffers
        # Machine code does not check where it writes: wrong arrays must be refused here.
        fields = Buffers.fields(
            self.num_agents, self.observation_space, self.action_space, self.num_action_masks
        )
        b.check(fields, type(self).__name__)
        masks: tuple[Any, ...] = (b.masks,) if b.action_masks is None else (b.masks, b.action_masks)
        record = self._layout.observation_record
        observations = as_records(b.observations, record)
        final_observations = as_records(b.final_observations, record)
        for_step = (
            self.states, observations, b.actions, b.rewards, b.terminals, b.truncations, final_observations,
            *masks, self.ended,
        )  # fmt: skip
        for_reset = (self.states, observations, *masks)

        def in_python(array: np.ndarray) -> Any:
            return proxy(array, "obs" if array is observations or array is final_observations else "s")

        if self.mode != "compiled":
            slow = python_kernels(self._layout)
            slow_step = partial(slow.step_rows, *map(in_python, for_step))
            slow_reset = partial(slow.reset_rows, *map(in_python, for_reset))
        if self.mode == "python":
            self.kernels, self._step_bound, self._reset_bound = slow, slow_step, slow_reset
        else:
            debug = self.mode == "debug"
            self.kernels = compiled_kernels(self._layout, (*for_step, 0, 0), (*for_reset, 0, 0), debug)
            self._step_bound = partial(self.kernels.step_rows, *for_step)
            self._reset_bound = partial(self.kernels.reset_rows, *for_reset)
            if debug:
                self._step_bound = guarded(self._step_bound, slow_step, self._layout, self.states)
                self._reset_bound = guarded(self._reset_bound, slow_reset, self._layout, self.states)
        self._bound = buffers

    def __getstate__(self) -> dict[str, Any]:
        machine_code = ("kernels", "_bound", "_step_bound", "_reset_bound")
        return {**vars(self), **dict.fromkeys(machine_code), "_layout": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        assert self._game is not None
        self._layout = build_layout(self._game, self.params)
