"""What a policy believes: its values and greedy actions over the cells of a gridworld, or over two numbers it sees."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.labels import action_parts, observation_parts
from pufferbench.play import policy_actions, start
from pufferbench.recurrent import first_step
from pufferbench.tabular import Grid, optimal_values

PLAYED = 400  # steps that are played to see which observations there are
ROWS = 16  # games at once


@dataclass(frozen=True)
class GridValues:
    """A policy in a gridworld, beside the truth.

    Attributes:
        grid: the world.
        values: what the policy expects in each cell, ``[cells]``.
        chances: the probabilities of its actions, ``[cells, 4]``.
        true_values, true_q: what the best policy gets, by value iteration, ``[cells]`` and ``[cells, 4]``.
        agrees: bool ``[cells]``, whether the likeliest action is one of the best.
        error: root mean square of ``values - true_values`` over the cells where there is something to decide.
    """

    grid: Grid
    values: np.ndarray
    chances: np.ndarray
    true_values: np.ndarray
    true_q: np.ndarray
    agrees: np.ndarray
    error: float


def grid_values(policy: nn.Module, env: Any, gamma: float = 0.99) -> GridValues:
    """Ask ``policy`` about every cell of ``env``, and value iteration too.

    Raises:
        GridError: ``env`` is no gridworld.
        NeverEnds: with ``gamma = 1`` the best values are not finite.
    """
    grid = Grid.of(env, gamma)
    model = grid.model()
    cells = grid.kinds.size
    logits, values = ask(policy, np.eye(cells, dtype=env.observation_space.dtype))
    true = optimal_values(model)
    q = model.action_values(true)
    chances = torch.softmax(logits, 1).numpy()
    decide = model.decisions
    chosen = q[np.arange(cells), chances.argmax(axis=1)]
    agrees = np.zeros(cells, bool)
    agrees[decide] = (chosen >= q.max(axis=1) - 1e-3 * (1 + np.abs(q).max()))[decide]
    error = float(np.sqrt(np.mean((values - true)[decide] ** 2)))
    return GridValues(grid, values, chances, true, q, agrees, error)


@dataclass(frozen=True)
class Plane:
    """A policy over two dimensions of what it sees; the others are held.

    Attributes:
        xs, ys: ``[columns]`` and ``[rows]``, ascending.
        values: what it expects, ``[rows, columns]``.
        actions: the likeliest action, ``[rows, columns]``: a number of a choice, or the first dimension of a Box.
        choices: what the actions are called; empty where they are numbers.
        names: of the two dimensions.
        held: what the other dimensions were, by name.
        visited: ``[n, 2]``, where the policy was when it played; empty with an ``observe`` of the caller's.
    """

    xs: np.ndarray
    ys: np.ndarray
    values: np.ndarray
    actions: np.ndarray
    choices: tuple[str, ...]
    names: tuple[str, str]
    held: dict[str, float]
    visited: np.ndarray


def plane(
    policy: nn.Module,
    env: Any,
    x: int = 0,
    y: int = 1,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    observe: Callable[[float, float], Sequence[float]] | None = None,
    names: Sequence[str] | None = None,
    size: int = 25,
    seed: int = 0,
) -> Plane:
    """Ask ``policy`` about ``size * size`` observations.

    Args:
        x, y: which numbers of the observation are the axes. The others are held at their median while it plays.
        x_range, y_range: the axes' ends; None: the middle 98 % of what is seen while it plays.
        observe: makes an observation of the two, where they are no numbers of it, such as an angle that is seen as
            sine and cosine. Needs both ranges.
        names: of the axes; None: from the game's page.

    Raises:
        ValueError: the observation is not a vector, has no such number, or ``observe`` comes without ranges.
    """
    space = env.observation_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise ValueError(f"value_map needs a gridworld, or observations that are a vector, not {space}")
    if observe is None:
        for name, index in (("x", x), ("y", y)):
            if not 0 <= index < space.shape[0]:
                raise ValueError(f"{name}={index}: the observation has numbers 0 .. {space.shape[0] - 1}")
        if x == y:
            raise ValueError(
                f"x and y are both {x}: the two axes must be different numbers of the observation"
            )
    elif x_range is None or y_range is None:
        raise ValueError("observe= needs x_range= and y_range=, the ends of the two axes")

    seen = np.zeros((0, space.shape[0]))
    if observe is None:
        seen = _play(policy, env, seed)
        low, high = np.quantile(seen, [0.01, 0.99], axis=0)
        x_range = x_range or (float(low[x]), float(high[x]))
        y_range = y_range or (float(low[y]), float(high[y]))
    assert x_range is not None and y_range is not None
    xs, ys = np.linspace(*x_range, size), np.linspace(*y_range, size)
    known = _names(env)
    held: dict[str, float] = {}
    if observe is None:
        middle = np.median(seen, axis=0)
        observations = np.tile(middle, (size * size, 1))
        observations[:, x], observations[:, y] = np.tile(xs, size), np.repeat(ys, size)
        held = {known[k]: float(middle[k]) for k in range(len(middle)) if k not in (x, y)}
    else:
        observations = np.array([observe(a, b) for b in ys for a in xs], float)
    logits, values = ask(policy, observations.astype(space.dtype))
    actions = _likeliest(logits).reshape(size, size)
    axes = (known[x], known[y]) if names is None else (names[0], names[1])
    visited = seen[:: max(len(seen) // 250, 1), [x, y]] if len(seen) else np.zeros((0, 2))
    choices = action_parts(env)[0].options
    return Plane(xs, ys, values.reshape(size, size), actions, choices, axes, held, visited)


@torch.no_grad()
def ask(policy: nn.Module, observations: np.ndarray) -> tuple[Any, np.ndarray]:
    """Logits and values ``[rows]`` of a copy of ``policy``, for the first observations of episodes."""
    player = copy.deepcopy(policy).cpu().eval()
    logits, values = first_step(player, torch.from_numpy(observations))
    return logits, values.flatten().numpy()


def _likeliest(logits: Any) -> np.ndarray:
    if isinstance(logits, Normal):
        return logits.loc[:, 0].numpy()
    first: Tensor = logits if isinstance(logits, Tensor) else logits[0]
    return first.argmax(1).numpy()


def _play(policy: nn.Module, env: Any, seed: int) -> np.ndarray:
    """Observations while ``policy`` plays, ``[n, features]``."""
    games = env.respawn(ROWS)
    try:
        with torch.random.fork_rng(devices=[]):
            act = policy_actions(games, policy, seed=seed)
            observations = start(games, act, seed)
            seen = [observations.copy()]
            for _ in range(PLAYED):
                observations = games.step(act(observations))[0]
                seen.append(observations.copy())
    finally:
        games.close()
    return np.concatenate(seen).astype(float)


def _names(env: Any) -> list[str]:
    """What the numbers of an observation are, in short, from the game's page; else their index."""
    named = observation_parts(env)[0].names
    short = [re.split(r"[;,:]", name)[0] for name in named]
    return [name or f"observation {k}" for k, name in enumerate(short)]
