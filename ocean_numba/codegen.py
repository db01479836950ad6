"""The loop over all games, written as the text of a small Python module.

Compiled and Python mode run this same text. Text, because Numba's on-disk cache only works for functions
of a real file; generated, because which fields are zeroed and reported differs from game to game.

The text calls ``game_reset``, ``game_step``, ``game_observe`` and, where there is one, ``game_legal`` (the
game's functions) and uses the decorators ``kernel`` and ``inner``; all of them, and
``ACTION_LOW``/``ACTION_HIGH``, are put into the module's globals by whoever loads it.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from ocean_numba.game import Layout

# Part of every kernel's hash: raise it when the text below changes its meaning.
KERNELS_VERSION = 4

_STEP_ARRAYS = ("observations", "actions", "rewards", "terminals", "truncations", "final_observations")

_RESET = '''
@inner
def restart({restart_arguments}):
    """A new episode: everything zero except the parameters and the generator, then the game's own reset."""
{zero_lines}
    game_reset({restart_arguments})
'''

_ONE_AGENT = '''
@kernel
def reset_rows({for_reset}, start, stop):
    for i in range(start, stop):
        s = states[i]
        restart(s)
        game_observe(s, observations[i])
{legal_line}


@kernel
def step_rows({for_step}, start, stop):
    """One step of games start..stop-1. Returns how many episodes ended, or -1-i when action i is invalid."""
    invalid = find_invalid(actions, start, stop)
    if invalid >= 0:
        return -1 - invalid
    count = 0
    for i in range(start, stop):
        s = states[i]
        s.episode_length += 1
        reward, terminated, truncated = game_step(s, actions[i])
        cut = bool(truncated) and not terminated
        s.episode_return += reward
        rewards[i] = reward
        terminals[i] = terminated
        truncations[i] = cut
        if terminated or cut:
            if cut:
                game_observe(s, final_observations[i])
            e = ended[start + count]
            e.episode_return = s.episode_return
            e.episode_length = s.episode_length
{metric_lines}
            count += 1
            restart(s)
        game_observe(s, observations[i])
{legal_line}
    return count
'''

_SEVERAL_AGENTS = '''
@kernel
def reset_rows({for_reset}, start, stop):
    for game in range(start // {agents}, stop // {agents}):
        first = game * {agents}
        last = first + {agents}
        s = states[game]
        masks[first:last] = True
        restart({restart_arguments})
        for k in range({agents}):
            game_observe(s, k, observations[first + k])
{legal_line}


@kernel
def step_rows({for_step}, start, stop):
    """One step of the games of rows start..stop-1. Returns how many agents' episodes ended, or -1-i when
    row i's action is invalid."""
    invalid = find_invalid(actions, start, stop)
    if invalid >= 0:
        return -1 - invalid
    count = 0
    for game in range(start // {agents}, stop // {agents}):
        first = game * {agents}
        last = first + {agents}
        s = states[game]
        s.episode_length += 1
        lengths = s.agent_lengths
        returns = s.agent_returns
        for k in range({agents}):
            rewards[first + k] = 0
            terminals[first + k] = False
            lengths[k] += {acting}
        terminated, truncated = game_step({step_arguments})
        cut = bool(truncated) and not terminated
        for k in range({agents}):
            i = first + k
            returns[k] += rewards[i]
            if terminated:
                terminals[i] = True
            agent_cut = cut and not terminals[i]
            truncations[i] = agent_cut
            if agent_cut:
                game_observe(s, k, final_observations[i])
            # An agent that is out since its own episode ended has played no step: nothing to report.
            if (agent_cut or terminals[i]) and lengths[k] > 0:
                e = ended[start + count]
                e.episode_return = returns[k]
                e.episode_length = lengths[k]
{metric_lines}
                count += 1
                returns[k] = 0
                lengths[k] = 0
        if terminated or cut:
{unmask_line}
            restart({restart_arguments})
        for k in range({agents}):
            game_observe(s, k, observations[first + k])
{legal_line}
    return count
'''

_FIND_INVALID_NUMBERS = '''
@inner
def find_invalid(actions, start, stop):
    """The first row whose action is not {low}..{high}, or -1. The first loop has no branch: it is vectorised."""
    invalid = False
    for i in range(start, stop):
        invalid |= (actions[i] < {low}) | (actions[i] > {high})
    if invalid:
        for i in range(start, stop):
            if actions[i] < {low} or actions[i] > {high}:
                return i
    return -1
'''

_FIND_INVALID_VECTORS = '''
@inner
def find_invalid(actions, start, stop):
    """The first row with an action outside ACTION_LOW..ACTION_HIGH (NaN is outside), or -1."""
    rows = actions.reshape(actions.shape[0], {size})
    invalid = False
    for i in range(start, stop):
        for j in range({size}):
            a = rows[i, j]
            invalid |= not ((a >= ACTION_LOW[j]) & (a <= ACTION_HIGH[j]))
    if invalid:
        for i in range(start, stop):
            for j in range({size}):
                a = rows[i, j]
                if not ((a >= ACTION_LOW[j]) & (a <= ACTION_HIGH[j])):
                    return i
    return -1
'''


def kernel_text(layout: Layout) -> str:
    """The module that steps and resets batches of this game."""
    game, record = layout.game, layout.record
    cleared = list(game.state)
    cleared += ["agent_returns", "agent_lengths"] if game.several else ["episode_return"]
    zero_lines = ["    s.episode_length = 0"]
    for name in cleared:
        target = f"s.{name}[:]" if record[name].shape else f"s.{name}"
        zero = "False" if record[name].base.kind == "b" else "0"
        zero_lines.append(f"    {target} = {zero}")

    indent = " " * (16 if game.several else 12)
    metric_lines = "\n".join(
        f"{indent}e.{name} = s.{name}{'[k]' if name in layout.agent_metrics else ''}" for name in game.metrics
    )
    rows = "actions[first:last], rewards[first:last], terminals[first:last]"
    if game.several:
        legal_line = "            game_legal(s, k, action_masks[first + k])"
    else:
        legal_line = "        game_legal(s, action_masks[i])"
    masks = ("masks", "action_masks") if game.has_legal else ("masks",)
    main = (_SEVERAL_AGENTS if game.several else _ONE_AGENT).format(
        agents=layout.agents,
        for_reset=", ".join(("states", "observations", *masks)),
        for_step=", ".join(("states", *_STEP_ARRAYS, *masks, "ended")),
        metric_lines=metric_lines,
        legal_line=legal_line if game.has_legal else "",
        step_arguments=f"s, {rows}, masks[first:last]" if game.uses_masks else f"s, {rows}",
        restart_arguments="s, masks[first:last]" if game.resets_masks else "s",
        acting="masks[first + k]" if game.uses_masks else "1",
        unmask_line="            masks[first:last] = True" if game.uses_masks else "",
    )
    restart = _RESET.format(
        zero_lines="\n".join(zero_lines), restart_arguments="s, masks" if game.resets_masks else "s"
    )
    title = f'"""Generated by ocean_numba for {game.name}: a cache, deleting it is safe."""\n'
    return title + "\n".join([_find_invalid(layout.action_space), restart, main])


def action_bounds(space: Discrete | MultiDiscrete | Box) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest legal value of each part of an action, inclusive and flat."""
    if isinstance(space, Discrete):
        return np.array([space.start]), np.array([space.start + space.n - 1])
    if isinstance(space, MultiDiscrete):
        low = np.broadcast_to(space.start, space.nvec.shape).astype(np.int64)
        return low.reshape(-1), (low + space.nvec - 1).reshape(-1)
    return space.low.reshape(-1), space.high.reshape(-1)


def _find_invalid(space: Discrete | MultiDiscrete | Box) -> str:
    if isinstance(space, Discrete):
        return _FIND_INVALID_NUMBERS.format(low=int(space.start), high=int(space.start + space.n - 1))
    return _FIND_INVALID_VECTORS.format(size=int(np.prod(space.shape)))
