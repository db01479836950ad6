"""Compare a game's compiled kernels with the same game run by Python, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ocean_numba.layout import as_records
from ocean_numba.ocean_env import OceanEnv

_OUTPUTS = ("rewards", "terminals", "truncations", "masks", "action_masks")
NEARBY_STATES = 64  # to try, where a step differs
NEARBY_TOLERANCE = 1e-3  # of what comes out of them: a bounce multiplies small distances
ILLEGAL = 1 / 16  # share of actions that random_actions does not ask the rules about


def random_actions(env: OceanEnv, generator: np.random.Generator, illegal: float = ILLEGAL) -> np.ndarray:
    """A random action for every row of ``env``; unbounded ones from -1000..1000.

    Where the game says which are legal, nearly all are (all but the share ``illegal`` of the calls): a board
    game that is lost by the first illegal move would else never be played to its end.
    """
    from ocean_numba.checks import legal_actions
    from ocean_numba.codegen import action_bounds

    space, shape = env.action_space, env.actions.shape
    if env.action_masks is not None and generator.random() >= illegal:
        return legal_actions(space, env.action_masks, generator)
    low, high = (bound.reshape(space.shape or ()) for bound in action_bounds(space))  # type: ignore[arg-type]
    if env.actions.dtype.kind == "f":
        return generator.uniform(np.maximum(low, -1e3), np.minimum(high, 1e3), shape).astype(
            env.actions.dtype
        )
    return generator.integers(low, high, shape, endpoint=True).astype(env.actions.dtype)


def compare_with_python(
    game: type[OceanEnv],
    steps: int = 200,
    num_envs: int = 8,
    seed: int = 0,
    tolerance: float = 1e-5,
    policy: Callable[[OceanEnv], np.ndarray] | None = None,
    **params: Any,
) -> OceanEnv:
    """Step ``game`` compiled and in Python mode from the same state and require the same result.

    The compiled state is copied into the other one before each step: rounding adds up along a trajectory,
    so that two free-running ones prove nothing. Integers, flags and the random generator must be equal,
    floats within ``tolerance`` (absolute and relative). What depends on a threshold (an episode's end, a hit) may
    differ only where a state within ``tolerance`` of this one is on the other side of it.

    Args:
        policy: gives the actions of every second game, to see more of a game than random play does.

    Returns:
        The compiled env after the last step.

    Raises:
        AssertionError: names what differs, where, and by how much.
    """
    compiled = game(num_envs, **params)
    python = game(num_envs, mode="python", **params)
    generator = np.random.default_rng(seed)
    compiled.reset(seed)
    python.reset(seed)
    for message in _differences(compiled, python, tolerance).values():
        raise AssertionError(f"{message}, after reset (seed {seed})")
    near_threshold = 0
    for step in range(steps):
        before, masks = compiled.states.copy(), compiled.masks.copy()
        actions = random_actions(compiled, generator)
        if policy is not None:
            guided = np.arange(compiled.num_agents) // compiled.agents_per_env % 2 == 1
            actions[guided] = np.asarray(policy(compiled), actions.dtype)[guided]
        *_, ended = compiled.step(actions)
        python.states[:], python.masks[:] = before, masks
        *_, expected = python.step(actions)
        when = f"in step {step} (seed {seed})"
        different = _differences(compiled, python, tolerance)
        for index, message in different.items():
            if not _near_threshold(compiled, python, index, before, masks, tolerance):
                raise AssertionError(f"{message}, {when}")
        near_threshold += len(different)
        assert near_threshold <= 1 + steps * num_envs / 500, (
            f"{near_threshold} steps differ by what depends on a threshold, the last: {message}, {when}"
        )
        if different:
            continue
        assert len(ended) == len(expected), (
            f"{len(ended)} episodes ended, {len(expected)} in Python mode, {when}"
        )
        for name in compiled.ended.dtype.names or ():
            if len(ended):
                pair = ended.records[name], expected.records[name]  # type: ignore[attr-defined]
                assert not (found := _different(*pair, tolerance)).any(), _message(
                    f"infos {name}", *pair, found
                )
    return compiled


def _outputs(env: OceanEnv) -> Iterator[tuple[str, np.ndarray, int]]:
    """Name, array and rows per game of all that a step writes; records field by field."""
    agents, record = env.agents_per_env, env._layout.observation_record
    for name in _OUTPUTS:
        array = getattr(env, name)
        if array is not None and not name.endswith("observations"):
            yield name, array, agents
    for name in ("observations", "final_observations"):
        seen = as_records(getattr(env, name), record)
        for part in seen.dtype.names or ("",):
            yield f"{name}.{part}".rstrip("."), seen[part] if part else seen, agents
    for name in env.states.dtype.names or ():
        yield f"state {name}", env.states[name], 1


def _differences(compiled: OceanEnv, python: OceanEnv, tolerance: float) -> dict[int, str]:
    """What is different: number of the game -> the first thing that is."""
    found: dict[int, str] = {}
    for (name, actual, rows), (_, expected, _) in zip(_outputs(compiled), _outputs(python), strict=True):
        different = _different(actual, expected, tolerance)
        if name.startswith("final_"):  # valid in rows that were cut
            cut = compiled.truncations & python.truncations
            different &= cut.reshape(-1, *[1] * (different.ndim - 1))
        if different.any():
            for index in np.unique(np.nonzero(different)[0] // rows):
                found.setdefault(int(index), _message(name, actual, expected, different))
    return found


def _different(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> np.ndarray:
    if actual.dtype.kind != "f":
        return actual != expected
    return ~np.isclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def _message(name: str, actual: np.ndarray, expected: np.ndarray, different: np.ndarray) -> str:
    at = tuple(int(i) for i in np.argwhere(different)[0])
    return f"{name}{list(at)} is {actual[at]!r}, in Python mode {expected[at]!r}"


def _near_threshold(
    compiled: OceanEnv, python: OceanEnv, game: int, before: np.ndarray, masks: np.ndarray, tolerance: float
) -> bool:
    """Whether Python mode does the same as the compiled game from a state within ``tolerance`` of this one."""
    chance = np.random.default_rng(game)
    rows = slice(game * python.agents_per_env, (game + 1) * python.agents_per_env)
    floats = [name for name in before.dtype.names or () if before.dtype[name].base.kind == "f"]
    for _ in range(NEARBY_STATES):
        python.states[game], python.masks[rows] = before[game], masks[rows]
        for name in floats:
            value = before[name][game]
            distance = tolerance * chance.uniform(-1, 1, np.shape(value)) * (1 + np.abs(value))
            python.states[name][game] = value + distance
        python.step_rows(rows.start, rows.stop)
        if game not in _differences(compiled, python, NEARBY_TOLERANCE):
            return True
    return False
