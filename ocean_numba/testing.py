"""Compare a game's compiled kernels with the same game run by Python, one step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ocean_numba.layout import as_records
from ocean_numba.ocean_env import OceanEnv

_OUTPUTS = ("observations", "rewards", "terminals", "truncations", "masks", "action_masks")
ILLEGAL = 1 / 16  # share of actions that random_actions does not ask the rules about


def random_actions(env: OceanEnv, generator: np.random.Generator) -> np.ndarray:
    """A random action for every row of ``env``; unbounded ones from -1000..1000.

    Where the game says which are legal, nearly all are: a board game that is lost by the first illegal move
    would else never be played to its end.
    """
    from ocean_numba.checks import legal_actions
    from ocean_numba.codegen import action_bounds

    space, shape = env.action_space, env.actions.shape
    if env.action_masks is not None and generator.random() >= ILLEGAL:
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
    **params: Any,
) -> OceanEnv:
    """Step ``game`` compiled and in Python mode from the same state and require the same result.

    The compiled state is copied into the other one before each step: rounding adds up along a trajectory,
    so that two free-running ones prove nothing. Integers, flags and the random generator must be equal,
    floats within ``tolerance`` (absolute and relative).

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
    _compare(compiled, python, "after reset", tolerance)
    for step in range(steps):
        python.states[:] = compiled.states
        python.masks[:] = compiled.masks
        actions = random_actions(compiled, generator)
        *_, ended = compiled.step(actions)
        *_, expected = python.step(actions)
        when = f"in step {step} (seed {seed})"
        _compare(compiled, python, when, tolerance)
        rows = compiled.truncations
        name = "final_observations"
        _equal(name, _seen(compiled, name)[rows], _seen(python, name)[rows], when, tolerance)
        assert len(ended) == len(expected), (
            f"{len(ended)} episodes ended, {len(expected)} in Python mode, {when}"
        )
        for name in compiled.ended.dtype.names or ():
            if len(ended):
                _equal(f"infos {name}", ended.records[name], expected.records[name], when, tolerance)  # type: ignore
    return compiled


def _compare(compiled: OceanEnv, python: OceanEnv, when: str, tolerance: float) -> None:
    for name in _OUTPUTS:
        if getattr(compiled, name) is not None:
            _equal(name, _seen(compiled, name), _seen(python, name), when, tolerance)
    for name in compiled.states.dtype.names or ():
        _equal(f"state {name}", compiled.states[name], python.states[name], when, tolerance)


def _seen(env: OceanEnv, name: str) -> np.ndarray:
    """One of the buffers of ``env``; observations of a Dict as records: bytes would be compared exactly."""
    array = getattr(env, name)
    return as_records(array, env._layout.observation_record) if "observations" in name else array


def _equal(name: str, actual: np.ndarray, expected: np.ndarray, when: str, tolerance: float) -> None:
    for part in actual.dtype.names or ():
        _equal(f"{name}.{part}", actual[part], expected[part], when, tolerance)
    if actual.dtype.names:
        return
    if actual.dtype.kind == "f":
        same = np.isclose(actual, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = actual == expected
    if not same.all():
        at = tuple(int(i) for i in np.argwhere(~same)[0])
        raise AssertionError(f"{name}{list(at)} is {actual[at]!r}, in Python mode {expected[at]!r}, {when}")
