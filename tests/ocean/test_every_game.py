"""What must hold for each game that is registered: a new one is tested here by its line in registration.py.

The rules of a game are tested in its own file. Here: that its compiled form is the game its Python says, that
a batch may be split at will, that nothing is written where it should not be, and that page, keys, picture,
preset and scripted policy are in order.
"""

from __future__ import annotations

import importlib
import math
import re
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary
from hypothesis import given, settings
from hypothesis import strategies as st

import pufferbench
from ocean_numba import OceanEnv
from ocean_numba.cartpole import CartPole
from ocean_numba.registration import GAMES
from ocean_numba.testing import compare_with_python, random_actions
from pufferbench.env import Buffers
from pufferbench.errors import InvalidAction
from pufferbench.registry import spec

every_game = pytest.mark.parametrize("name", GAMES)
STEPS = 10_000  # agent-steps of each game that are compared with Python mode
FUZZED = ("ocean-breakout", "ocean-connect-four", "ocean-snake", "ocean-tetris")  # in CI; all with -m slow


def game(name: str) -> type[OceanEnv]:
    return spec(name).creator()  # type: ignore[return-value]


def scripted(name: str):
    """The hand-written policy in the file of this game."""
    return importlib.import_module(game(name).__module__).scripted


def any_actions(env: OceanEnv, generator: np.random.Generator) -> np.ndarray:
    """Actions of the space, whatever the rules say."""
    masks, env.buffers.action_masks = env.action_masks, None
    try:
        return random_actions(env, generator)
    finally:
        env.buffers.action_masks = masks


def observed(env: OceanEnv, rows: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, values, lowest and highest value of each part of these observations."""
    space, record = env.observation_space, env._layout.observation_record
    if record is None:
        yield "obs", rows, space.low, space.high
        return
    seen = rows.view(record)[:, 0]
    for part, kind in space.source.spaces.items():
        if isinstance(kind, Box):
            yield part, seen[part], kind.low, kind.high
        elif isinstance(kind, MultiBinary):
            yield part, seen[part], np.array(0), np.array(1)
        else:
            n = kind.n if isinstance(kind, Discrete) else kind.nvec
            yield part, seen[part], np.zeros_like(n), np.asarray(n) - 1


# -- the compiled game ----------------------------------------------------------------------------


@every_game
def test_compiled_is_the_same_game_as_python(name):
    """One step from the same state; half of the games play well, to come where random play does not."""
    kind = game(name)
    steps = math.ceil(STEPS / 10 / kind().num_agents)
    compare_with_python(kind, steps=steps, num_envs=10, policy=scripted(name))


@pytest.mark.slow
@every_game
def test_compiled_is_the_same_game_as_python_for_long(name):
    for seed in (1, 2):
        compare_with_python(game(name), steps=STEPS // 10, num_envs=10, seed=seed)


def play(env: OceanEnv, parts: list[tuple[int, int]], steps: int = 24) -> list[bytes]:
    """All that random play of ``env`` gives when its games ``start .. stop - 1`` are stepped part by part."""
    generator = np.random.default_rng(0)
    env.reset(5)
    n = env.agents_per_env
    history = [env.observations.tobytes()]
    for _ in range(steps):
        env.actions[:] = random_actions(env, generator)
        ended = []
        for start, stop in parts:
            count = env.step_rows(start * n, stop * n)
            ended.append(env.ended[start * n : start * n + count].tobytes())
        arrays = [array for key, array in env.buffers.arrays().items() if key != "final_observations"]
        final = env.final_observations[env.truncations]
        history.append(b"".join([*(array.tobytes() for array in arrays), final.tobytes(), *ended]))
    return [*history, env.states.tobytes()]


@every_game
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
@given(cuts=st.sets(st.integers(1, 8), max_size=3))
def test_any_split_of_a_batch_gives_the_same_bits(name, cuts):
    bounds = [0, *sorted(cuts), 9]
    parts = list(zip(bounds, bounds[1:], strict=False))
    whole = play(game(name)(9), [(0, 9)])
    assert play(game(name)(9), parts) == whole
    start, stop = parts[
        -1
    ]  # and one of the parts as an env of its own, which knows the number of its first game
    alone = game(name)(stop - start)
    alone.first_env = start
    alone.reset(5)
    batch = game(name)(9)
    batch.reset(5)
    assert alone.observations.tobytes() == batch.observations[start * batch.agents_per_env :].tobytes()
    assert alone.states.tobytes() == batch.states[start:].tobytes()


@every_game
@pytest.mark.parametrize("player", ["random", "scripted"])
def test_observations_stay_within_their_space_and_rewards_are_numbers(name, player):
    env = game(name)(32)
    generator = np.random.default_rng(0)
    env.reset(1)
    for step in range(300):
        rows = [env.observations, env.final_observations[env.truncations]]
        for part, values, low, high in (
            found for array in rows if len(array) for found in observed(env, array)
        ):
            outside = ~((values >= low) & (values <= high))  # NaN too
            assert not outside.any(), (
                f"{part}{np.argwhere(outside)[0]} is {values[outside][0]} in step {step}"
            )
        assert np.isfinite(env.rewards).all()
        assert not (env.terminals & env.truncations).any()
        if env.action_masks is not None:
            assert env.action_masks[env.masks].any(axis=1).all(), f"no legal action in step {step}"
        env.step(random_actions(env, generator) if player == "random" else scripted(name)(env))


# -- nothing is written where it should not be ----------------------------------------------------


@every_game
def test_arbitrary_actions_never_write_outside_the_rows_of_their_game(name):
    """Rows of a stranger lie before and behind ours, states too; illegal actions are among ours."""
    kind = game(name)
    env = kind(3)
    n, masks = env.agents_per_env, env.num_action_masks
    fence = Buffers.allocate(5 * n, env.observation_space, env.action_space, masks)
    states = np.zeros(5, env.states.dtype)
    states[1:4] = env.states
    for array in (*fence.arrays().values(), states):
        for edge in (array[: len(array) // 5], array[-(len(array) // 5) :]):
            edge.view(np.uint8)[...] = 0xAB
    before = {
        key: array.tobytes() for key, array in {**fence.slice(0, n).arrays(), "states": states[:1]}.items()
    }
    env = kind(3, buf=fence.slice(n, 4 * n))
    env.states = states[1:4]
    generator = np.random.default_rng(0)
    env.reset(0)
    for _ in range(200):
        env.step(any_actions(env, generator))
    for edge, whole in ((fence.slice(0, n), states[:1]), (fence.slice(4 * n, 5 * n), states[4:])):
        for key, array in {**edge.arrays(), "states": whole}.items():
            assert array.tobytes() == before[key], f"{key} of a neighbour has changed"


@every_game
def test_actions_outside_the_space_are_refused_and_change_nothing(name):
    env = game(name)(3)
    env.reset(0)
    states, observations = env.states.copy(), env.observations.copy()
    good = env.actions.copy()
    space = env.action_space
    wrong = [-1.5, 1.5, np.nan, np.inf] if isinstance(space, Box) else [-1, 1_000, 2**31 - 1, -(2**31)]
    if isinstance(space, Box):
        wrong = [value if np.isnan(value) else value * 1e3 * np.max(np.abs(space.high)) for value in wrong]
    for value in wrong:
        actions = good.copy()
        actions[-1] = value
        with pytest.raises(InvalidAction, match=f"agent {env.num_agents - 1} has the action"):
            env.step(actions)
        assert (env.states == states).all()
        assert (env.observations == observations).all()
    env.step(good)


def fuzz(name: str, steps: int) -> None:
    """Any actions at all, with every index checked: debug mode raises GameError for one that is out of range."""
    env = game(name)(8, mode="debug")
    generator = np.random.default_rng(0)
    env.reset(0)
    for step in range(steps):
        env.step(any_actions(env, generator) if step % 3 else scripted(name)(env))


@pytest.mark.parametrize("name", FUZZED)
def test_no_index_is_out_of_range(name):
    fuzz(name, 500)


@pytest.mark.slow
@every_game
def test_no_index_is_out_of_range_for_long(name):
    fuzz(name, 20_000)


def test_a_million_cartpoles_fit_into_200_megabytes():
    tracemalloc.start()
    try:
        env = CartPole(1_000_000)
        env.reset(0)
        env.step(env.actions)
        peak = tracemalloc.get_traced_memory()[1]  # numpy's arrays are counted
    finally:
        tracemalloc.stop()
    assert peak < 200e6


# -- what makes a game usable ---------------------------------------------------------------------

HEADINGS = ("Observation", "Action", "Reward", "Starting state", "Episode end", "Source")


@every_game
def test_its_page_has_all_headings_in_order_and_names_every_parameter(name):
    kind = game(name)
    page = kind.__doc__
    assert re.match(r"[A-Z][^\n]+(\n    [^\n]+)*[.?!]", page), "it begins with a sentence"
    if kind._game.name != kind.__bases__[0].__name__ and issubclass(kind.__bases__[0], OceanEnv):
        parent = kind.__bases__[0]
        if parent._game is not None:  # a variation tells what is different
            assert f":class:`{parent.__name__}`" in page
            return
    places = [(heading, re.search(rf"^    {heading}[ s,:]", page, re.MULTILINE)) for heading in HEADINGS]
    missing = [heading for heading, place in places if place is None]
    assert not missing
    starts = [place.start() for _, place in places]
    assert starts == sorted(starts), f"their order must be {HEADINGS}"
    if kind._game.metrics:
        assert re.search(r"^    Metrics?:", page, re.MULTILINE)
        unnamed = [metric for metric in kind._game.metrics if f"``{metric}``" not in page]
        assert not unnamed
    for parameter in kind._game.params:
        assert f"``{parameter}``" in page


@every_game
def test_every_key_is_a_legal_action(name):
    env = game(name)(1)
    assert env.keys, "people want to play it"
    for key, action in env.keys.items():
        value = np.asarray(action, env.actions.dtype)
        assert value.shape == env.actions.shape[1:], key
        assert env.action_space.contains(
            int(value) if value.ndim == 0 else value.astype(env.action_space.dtype)
        )


@every_game
def test_its_picture_shows_something_and_changes_while_it_is_played(name):
    env = game(name)(2)
    env.reset(0)
    pictures = []
    for _ in range(40):
        pictures.append(env.render(1))
        env.step(scripted(name)(env))
    width, height = env.size
    assert pictures[0].shape == (height, width, 3)
    assert pictures[0].dtype == np.uint8
    colors, counts = np.unique(pictures[20].reshape(-1, 3), axis=0, return_counts=True)
    assert len(colors) >= 3
    assert counts.max() < 0.99 * width * height
    assert len({picture.tobytes() for picture in pictures}) > 2


@every_game
def test_its_preset_makes_an_update_with_finite_losses(name):
    with pufferbench.PuffeRL(env=name) as trainer:
        trainer.evaluate()
        trainer.train()
        record = trainer.mean_and_log()
    losses = {key: value for key, value in record.items() if "loss" in key or key in ("entropy", "approx_kl")}
    assert len(losses) >= 3
    assert all(math.isfinite(value) for value in losses.values()), losses


def first_returns(name: str, policy, steps: int = 500) -> np.ndarray:
    """The return of each agent's first episode, as far as it has come after so many steps."""
    env = game(name)(32)
    env.reset(0)
    returns, running = np.zeros(env.num_agents), np.ones(env.num_agents, bool)
    for _ in range(steps):
        env.step(policy(env))
        returns += env.rewards * running
        running &= ~(env.terminals | env.truncations)
        if not running.any():
            break
    return returns


@every_game
def test_the_scripted_policy_beats_random_play(name):
    generator = np.random.default_rng(0)
    guessed = first_returns(name, lambda env: random_actions(env, generator))
    known = first_returns(name, scripted(name))
    noise = math.sqrt(guessed.var() / len(guessed) + known.var() / len(known))
    assert known.mean() > guessed.mean() + 3 * noise, f"{known.mean():.3g} against {guessed.mean():.3g}"
