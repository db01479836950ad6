"""check_env: does an environment keep its word? Findings that say what is wrong, where, and how to mend it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces

from pufferbench.emulation import as_puffer
from pufferbench.emulation.masks import number_of_choices, sample_legal
from pufferbench.env import Buffers, PufferEnv, StepResult
from pufferbench.vector.base import VectorEnv
from pufferbench.vector.emulate import emulate
from pufferbench.vector.make import make
from pufferbench.wrappers import Wrapper

STEPS = 512  # at most; of large batches fewer
FIELDS = ("observations", "rewards", "terminals", "truncations")
TIMED_SECONDS = 0.2


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed.

    Attributes:
        level: ``"error"``: it breaks the contract; ``"warning"``: it is probably not meant so; ``"note"``.
        where: ``"spaces"``, ``"reset"``, ``"step"``, ...
        what: what was seen, with its value.
        mend: what would be right; "" for notes.
    """

    level: str
    where: str
    what: str
    mend: str = ""


@dataclass
class Report:
    """What :func:`check_env` found; ``print(report)`` is meant to be read."""

    name: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not self.of("error")

    def of(self, level: str) -> list[Finding]:
        """The findings of a level."""
        return [finding for finding in self.findings if finding.level == level]

    def __str__(self) -> str:
        errors, warnings = len(self.of("error")), len(self.of("warning"))
        lines = [f"{self.name}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"]
        for level in ("error", "warning", "note"):
            for finding in self.of(level):
                lines.append(f"  {level:<8}{finding.where}: {finding.what}")
                if finding.mend:
                    lines.append(f"{'':10}-> {finding.mend}")
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what a notebook shows
        printer.text(str(self))


def check_env(env: Any) -> Report:
    """Play an environment with random actions and look closely.

    Looked at are its spaces, whether it writes in place, keeps the contract of ``reset`` and ``step`` (see
    :class:`pufferbench.PufferEnv`), gives the same trajectory for the same seed, shows NaN; and its speed.
    Adapted environments (Gymnasium's, PettingZoo's, ...) are compared with their own spaces at every step.

    Args:
        env: an environment of any kind that :func:`pufferbench.emulate` understands, a class or function that makes
            one, or a registered name. A given environment is played and left after a reset.

    Returns:
        What was found. It raises nothing: that an environment cannot even be made is a finding.
    """
    named = isinstance(env, str)
    report = Report(env if named else getattr(env, "__name__", type(env).__name__))
    ours = (
        named or isinstance(env, type) or (callable(env) and not hasattr(env, "step"))
    )  # made here, closed here
    checked: Any = None
    try:
        checked = make(env) if named else emulate(env) if ours else as_puffer(env)
    except Exception as error:
        report.findings.append(Finding("error", "making it", _say(error), "see the message"))
        return report
    checker = _Checker(checked, report)
    learned = checked.state_dict() if isinstance(checked, Wrapper) else {}
    for check in (
        checker.spaces,
        checker.steps,
        checker.determinism,
        checker.own_arrays,
        checker.bad_action,
        checker.drawing,
        checker.speed,
    ):
        try:
            check()
        except Exception as error:
            checker.error(check.__name__.replace("_", " "), _say(error), "it must not raise: see the message")
        if not report.ok:
            break  # what follows would only be consequences
    if learned:
        checked.load_state_dict(learned)
    if ours:
        _close_twice(checked, checker)
    return report


class _Checker:
    """The checks, one method each. They add to the report; an exception is a finding too."""

    def __init__(self, env: PufferEnv, report: Report) -> None:
        self.env, self.report = env, report
        self.num_steps = max(16, min(STEPS, 100_000 // max(1, int(env.num_agents))))
        for part in _inside(env):
            if hasattr(part, "look_at_every_step"):
                part.look_at_every_step()
        self._ended = 0
        self._actions: list[np.ndarray] = []

    def error(self, where: str, what: str, mend: str) -> None:
        self._add("error", where, what, mend)

    def warn(self, where: str, what: str, mend: str) -> None:
        self._add("warning", where, what, mend)

    def note(self, where: str, what: str) -> None:
        self._add("note", where, what, "")

    def _add(self, *finding: str) -> None:
        if not any(known.what == finding[2] for known in self.report.findings):  # once, not at every step
            self.report.findings.append(Finding(*finding))

    # -- checks ---------------------------------------------------------------------------------

    def spaces(self) -> None:
        """Box, Discrete or MultiDiscrete, with sensible bounds; numbers that go together."""
        env = self.env
        for name in ("num_agents", "num_envs"):
            value = getattr(env, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                self.error("spaces", f"{name} is {value!r}", "it must be a whole number of at least 1")
                return
        if env.num_agents % env.num_envs:
            self.error(
                "spaces",
                f"num_agents={env.num_agents} rows are not a multiple of num_envs={env.num_envs} games",
                "each game has the same number of rows",
            )
        Buffers.fields(1, env.observation_space, env.action_space)  # raises for spaces that have no arrays
        for name in ("observation_space", "action_space"):
            space = getattr(env, name)
            if not isinstance(space, spaces.Box):
                continue
            if np.isnan(space.low).any() or np.isnan(space.high).any() or (space.low > space.high).any():
                self.error("spaces", f"{name} {space} has bounds that are NaN or crossed", "low <= high")
            if space.dtype == np.float64:
                self.warn(
                    "spaces",
                    f"{name} is float64",
                    "float32 is what policies compute with, in half the memory",
                )
        action = env.action_space
        if isinstance(action, spaces.Box) and not np.isfinite([action.low, action.high]).all():
            self.warn(
                "spaces", f"action_space {action} has no bounds", "a policy starts within bounds: give some"
            )
        choices = number_of_choices(action)
        if env.num_action_masks not in (0, choices):
            self.error(
                "spaces",
                f"num_action_masks is {env.num_action_masks}, but action_space {action} has {choices} choices",
                f"set it to {choices}, or to 0 when all actions are always legal",
            )

    def steps(self) -> None:
        """The contract of reset and step, over random actions."""
        env = self.env
        result = env.reset(seed=0)
        if not isinstance(result, tuple) or len(result) != 2:
            self.error(
                "reset",
                f"it returned {_kind(result)}, not (observations, infos)",
                "return self.observations, (); or return values only, without naming self.observations anywhere "
                "(the simple style)",
            )
            return
        self._check_array("reset", "observations", result[0])
        self._check_infos("reset", result[1])
        self._check_values("reset")
        generator = np.random.default_rng(0)
        for _ in range(self.num_steps):
            actions = self._sample(generator)
            self._actions.append(actions)
            result = env.step(actions.copy())
            if not isinstance(result, tuple) or len(result) != 5:
                self.error(
                    "step",
                    f"it returned {_kind(result)}, not 5 values",
                    "return observations, rewards, terminals, truncations, infos",
                )
                return
            for name, array in zip(FIELDS, result, strict=False):
                self._check_array("step", name, array)
            self._check_infos("step", result[4])
            self._check_values("step")
            if not self.report.ok:
                return
        self._check_buffers("step")
        if self._ended == 0:
            self.note("step", f"no episode ended within {len(self._actions)} random steps")

    def determinism(self) -> None:
        """The same seed twice, another seed, and another env. Statistics that wrappers learn stand still."""
        if not isinstance(self.env, Wrapper):
            self._same_twice()
            return
        self.env.eval()
        try:
            self._same_twice()
        finally:
            self.env.train()

    def _same_twice(self) -> None:
        first, second, other = (self._play(self.env, seed) for seed in (1, 1, 2))
        if difference := _difference(first, second):
            self.error(
                "determinism",
                f"two runs with reset(seed=1) and the same actions differ: {difference}",
                "draw everything from a generator that reset(seed) seeds, and forget everything else in reset",
            )
        elif not _difference(first, other):
            self.note("determinism", "seeds 1 and 2 give the same trajectory: chance plays no part in it")
        try:
            twin = self.env.respawn(self.env.num_envs)
        except (TypeError, ValueError, NotImplementedError):
            return  # it came ready made, and cannot be made again
        with twin:
            if difference := _difference(first, self._play(twin, 1)):
                self.error(
                    "determinism",
                    f"another env of the same kind plays otherwise with the same seed: {difference}",
                    "an env must share no state with others: no module or class variables, no random generator "
                    "of the whole process",
                )

    def own_arrays(self) -> None:
        """Does it write into whatever arrays it is given?"""
        env = self.env
        if isinstance(env, VectorEnv):
            return  # has its own memory
        fields = (env.num_agents, env.observation_space, env.action_space, env.num_action_masks)
        arrays = Buffers.allocate(*fields)
        with warnings.catch_warnings():  # what belongs around a vectorizer says so; this is none
            warnings.simplefilter("ignore")
            env.use_buffers(arrays)
        env.reset(seed=1)
        seen = arrays.observations.copy()
        result = env.step(self._actions[0].copy())
        for name, array in zip(FIELDS, result, strict=False):
            if not np.shares_memory(array, getattr(arrays, name)):
                self.error(
                    "own arrays",
                    f"after use_buffers() it still writes its {name} into the arrays from before",
                    f"look self.{name} up at every step, or override use_buffers(buffers) and look it up there",
                )
        if _difference(self._play(self.env, 1)[:1], [(seen, None, None, None)]):
            self.error(
                "own arrays", "its observations differ after use_buffers()", "write into self.observations"
            )

    def bad_action(self) -> None:
        """A wrong number is refused, rather than read as some other action."""
        space: Any = self.env.action_space
        if isinstance(space, spaces.Box) or isinstance(self.env, VectorEnv):
            return
        self.env.reset(seed=1)
        wrong = self._actions[0].copy()
        wrong[0] = space.n if isinstance(space, spaces.Discrete) else space.nvec
        try:
            self.env.step(wrong)
        except Exception:
            return  # any way to say no will do
        self.warn(
            "bad action",
            f"step() takes the action {wrong[0]}, which is not in {space}",
            "raise an error for actions out of range, or a mistake in a policy stays unseen",
        )

    def drawing(self) -> None:
        """render() gives a picture, where there is one."""
        self.env.reset(seed=1)
        try:
            picture = self.env.render()
        except (NotImplementedError, TypeError) as error:  # what render() says when there is no drawing
            self.note("drawing", _say(error))
            return
        good = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3
        if not good or picture.shape[2] != 3:
            self.error("drawing", f"render() gave {_kind(picture)}", "an array uint8 [height, width, 3], RGB")

    def speed(self) -> None:
        """Steps per second, for information."""
        env = self.env
        try:
            env = env.respawn(env.num_envs)  # at this one's steps somebody looks closely
        except (TypeError, ValueError, NotImplementedError):
            self.note("speed", "measured while looking closely, since no other env like this can be made")
        env.reset(seed=1)
        generator = np.random.default_rng(0)
        steps, seconds = 0, 0.0
        while seconds < TIMED_SECONDS or not steps:
            chosen = self._again(steps, env, generator)
            start = time.perf_counter()
            env.step(chosen)
            seconds += time.perf_counter() - start
            steps += 1
        rate = steps * env.num_agents / seconds
        self.note("speed", f"{rate:,.0f} steps/s in batches of {_count(env.num_agents, 'row')}")
        if env is not self.env:
            env.close()
        self.env.reset(seed=1)

    # -- details --------------------------------------------------------------------------------

    def _sample(self, generator: np.random.Generator) -> np.ndarray:
        """Random legal actions, ``[rows, *shape]``."""
        env, space = self.env, self.env.action_space
        rows = env.num_agents
        if env.action_masks is not None:
            return sample_legal(env.action_masks, space, generator).astype(np.int32)
        if isinstance(space, spaces.Discrete):
            return generator.integers(space.n, size=rows).astype(np.int32)
        if isinstance(space, spaces.MultiDiscrete):
            return generator.integers(space.nvec, size=(rows, *space.shape)).astype(np.int32)
        space = deepcopy(space)
        space.seed(int(generator.integers(2**31)))
        return np.stack([space.sample() for _ in range(rows)])

    def _again(self, step: int, env: PufferEnv, generator: np.random.Generator) -> np.ndarray:
        """The actions of a step of the first run; where masks are, others: those may not be legal now."""
        if env.action_masks is not None:
            return sample_legal(env.action_masks, env.action_space, generator).astype(np.int32)
        return self._actions[step % len(self._actions)].copy()

    def _check_array(self, where: str, name: str, array: Any) -> None:
        """What was returned is the env's own array, of the right shape and type."""
        own = getattr(self.env, name)
        if not isinstance(array, np.ndarray):
            self.error(
                where, f"the {name} it returned are {_kind(array)}, not an array", f"return self.{name}"
            )
        elif array.shape != own.shape or array.dtype != own.dtype:
            self.error(
                where,
                f"the {name} it returned are {array.dtype} {array.shape}, not {own.dtype} {own.shape}",
                f"write into self.{name} and return it",
            )
        elif not np.shares_memory(array, own):
            self.error(
                where,
                f"the {name} it returned are not its own array: nothing was written in place",
                f"write self.{name}[:] = ... and return self.{name}",
            )

    def _check_buffers(self, where: str) -> None:
        env = self.env
        fields = Buffers.fields(env.num_agents, env.observation_space, env.action_space, env.num_action_masks)
        try:
            env.buffers.check(fields, type(env).__name__)
        except ValueError as error:
            self.error(where, str(error), "write self.rewards[:] = ..., never self.buffers.rewards = ...")

    def _check_infos(self, where: str, infos: Any) -> None:
        if not hasattr(infos, "__len__") or isinstance(infos, Mapping):
            self.error(
                where, f"its infos are {_kind(infos)}", "a list of dicts, [] when there is nothing to tell"
            )
            return
        if where == "reset":
            return
        ended = int((self.env.terminals | self.env.truncations).sum())
        self._ended += ended
        told = sum("episode_return" in info for info in infos)
        if ended > told:
            self.warn(
                where,
                "an episode ended, but no info has its episode_return and episode_length",
                "report them, or use pufferbench.wrappers.EpisodeStatistics(env)",
            )

    def _check_values(self, where: str) -> None:
        """No NaN, nothing outside of the space, flags that go together."""
        env = self.env
        for name, rows in (
            ("observations", env.observations),
            ("rewards", env.rewards),
            ("final_observations", env.final_observations[env.truncations]),
        ):
            if not len(rows):
                continue
            if rows.dtype.kind == "f" and not np.isfinite(rows).all():
                row = int(np.argwhere(~np.isfinite(rows))[0][0])
                self.error(
                    where,
                    f"{name} of row {row} contain NaN or infinity: {_short(rows[row])}",
                    "find where it comes from; a learner would stop at it",
                )
            elif (
                name != "rewards"
                and (outside := _outside(env.observation_space, rows, env.masks)) is not None
            ):
                self.error(
                    where,
                    f"{name} of row {outside} are outside of {env.observation_space}: {_short(rows[outside])}",
                    "widen the bounds of observation_space, or keep to them",
                )
        if (both := env.terminals & env.truncations).any():
            self.error(
                where,
                f"row {int(both.argmax())} is terminal and truncated in one step",
                "an episode that ended was not cut: only terminals",
            )
        if where == "reset" and (env.terminals | env.truncations).any():
            self.error(where, "terminals or truncations are True after reset()", "set them to False there")
        if not env.masks.any():
            self.warn(
                where, "no row acts (masks are all False)", "somebody must act, or the game stands still"
            )
        if env.action_masks is not None:
            sizes = np.ravel(getattr(env.action_space, "nvec", env.num_action_masks))
            legal = np.logical_or.reduceat(env.action_masks, np.cumsum(sizes) - sizes, axis=1).all(1)
            if (stuck := env.masks & ~legal).any():
                self.error(
                    where,
                    f"row {int(stuck.argmax())} must act, but has no legal action",
                    "leave it one (doing nothing, say), or set its mask to False",
                )

    def _play(self, env: PufferEnv, seed: int) -> list[tuple]:
        """Copies of what a run from a seed shows, step by step."""
        generator = np.random.default_rng(0)
        seen: list[tuple] = []
        env.reset(seed=seed)
        seen.append((env.observations.copy(), None, None, None))
        for step in range(min(128, len(self._actions))):
            result: StepResult = env.step(self._again(step, env, generator))
            seen.append(tuple(np.array(array) for array in result[:4]))
        return seen


def _difference(first: list[tuple], second: list[tuple]) -> str:
    """Where two runs part ways, in words; "" when they are the same."""
    for step, (one, other) in enumerate(zip(first, second, strict=False)):
        for name, a, b in zip(FIELDS, one, other, strict=True):
            if a is not None and b is not None and not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                unlike = (a != b) & ((a == a) | (b == b))  # two NaN are alike
                row, *inside = map(int, np.argwhere(unlike)[0])
                where = f" at {inside}" if inside else ""
                pair = f"{a[row, *inside]} and {b[row, *inside]}"
                return f"{name} of row {row}{where} after {_count(step, 'step')} are {pair}"
    return ""


def _outside(space: Any, rows: np.ndarray, masks: np.ndarray) -> int | None:
    """The first row that is not in the space. Rows without an agent may be zeros, whatever the space says."""
    if isinstance(space, spaces.Box):
        bad = (rows < space.low) | (rows > space.high)
    else:
        bad = (rows < 0) | (rows >= (space.n if isinstance(space, spaces.Discrete) else space.nvec))
    wrong = bad.reshape(len(rows), -1).any(1)
    if len(rows) == len(masks):
        wrong &= masks | rows.reshape(len(rows), -1).any(1)
    return int(wrong.argmax()) if wrong.any() else None


def _inside(env: Any) -> list[Any]:
    """An env and those within it."""
    found, waiting = [], [env]
    while waiting:
        found.append(one := waiting.pop())
        fields = getattr(one, "__dict__", {})
        waiting += [*fields.get("members", []), *([fields["env"]] if "env" in fields else [])]
    return found


def _close_twice(env: PufferEnv, checker: _Checker) -> None:
    for time_ in ("", " the second time"):
        try:
            env.close()
        except Exception as error:
            checker.error("close", f"close() raised{time_}: {_say(error)}", "closing twice must be fine")
            return


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {value!r}"[:80]


def _short(values: np.ndarray) -> str:
    text = np.array2string(np.asarray(values), threshold=6, edgeitems=2, precision=4)
    return " ".join(text.split())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
