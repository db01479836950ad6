"""One seed, one trajectory: whatever the backend and however the games are split."""

from functools import partial

import gymnasium
import numpy as np
import pytest

import pufferbench
from ocean_numba.breakout import Breakout
from ocean_numba.target import Target
from pufferbench.vector import Multiprocessing, Serial, Threads

GAMES = 6


def cartpole():
    return gymnasium.make("CartPole-v1", max_episode_steps=20)


def native(game, games, **params):
    return partial(game, num_envs=games, **params)


NATIVE = {
    "plain": lambda game, **p: game(num_envs=GAMES, **p),
    "serial of games": lambda game, **p: Serial(native(game, 1, **p), GAMES),
    "serial of batches": lambda game, **p: Serial(native(game, 3, **p), 2),
    "2 threads": lambda game, **p: Threads(game(num_envs=GAMES, **p), 2),
    "4 threads": lambda game, **p: Threads(game(num_envs=GAMES, **p), 4),
    "1 worker": lambda game, **p: Multiprocessing(native(game, 6, **p), 1, 1),
    "2 workers": lambda game, **p: Multiprocessing(native(game, 3, **p), 2, 2),
    "3 workers": lambda game, **p: Multiprocessing(native(game, 1, **p), GAMES, 3),
    "serials in workers": lambda game, **p: Multiprocessing(
        partial(Serial, native(game, 1, **p), 3), num_envs=2, num_workers=2
    ),
}
GYMNASIUM = {
    "serial": lambda: Serial(cartpole, GAMES),
    "1 worker": lambda: Multiprocessing(cartpole, GAMES, 1),
    "2 workers": lambda: Multiprocessing(cartpole, GAMES, 2),
    "3 workers": lambda: Multiprocessing(cartpole, GAMES, 3),
    "unequal workers": lambda: Multiprocessing(cartpole, GAMES, 4),
    "serials in workers": lambda: Multiprocessing(partial(Serial, cartpole, 2), num_envs=3, num_workers=2),
}
PETTINGZOO = {
    "serial": lambda game: Serial(game, GAMES),
    "1 worker": lambda game: Multiprocessing(game, GAMES, 1),
    "2 workers": lambda game: Multiprocessing(game, GAMES, 2),
    "3 workers": lambda game: Multiprocessing(game, GAMES, 3),
    "serials in workers": lambda game: Multiprocessing(partial(Serial, game, 2), num_envs=3, num_workers=2),
}


def in_turns():
    """Random cards, legal actions in masks, and one agent at a time."""
    return pufferbench.make("pettingzoo-leduc-holdem")


def at_once():
    """Agents of two kinds, whose spaces differ, in one game."""
    return pufferbench.make("pettingzoo-simple-speaker-listener", max_cycles=20)


def trajectory(env, steps):
    """Everything that comes out, as plain data. Seeded once, then reset once more without a seed."""
    seen = []
    with env:
        high = getattr(env.action_space, "nvec", getattr(env.action_space, "n", None))
        rng = np.random.default_rng(1)
        for seed in (7, None):
            observations, infos = env.reset(seed)
            seen.append((observations.tobytes(), list(infos)))
            for _ in range(steps):
                actions = rng.integers(0, high, env.actions.shape)
                if env.action_masks is not None:
                    actions = (rng.random(env.action_masks.shape) * env.action_masks).argmax(1)
                *arrays, infos = env.step(actions)
                finals = env.final_observations[env.truncations]
                arrays += [env.masks, finals, *([] if env.action_masks is None else [env.action_masks])]
                seen.append((*(a.tobytes() for a in arrays), list(infos)))
    return seen


@pytest.mark.parametrize("backend", list(NATIVE)[1:])
@pytest.mark.parametrize(("game", "params"), [(Breakout, {}), (Target, {"agents": 3})])
def test_native_games(game, params, backend):
    expected = trajectory(NATIVE["plain"](game, **params), 600)
    assert sum(len(seen[-1]) for seen in expected) > GAMES, "no episode ended"
    assert trajectory(NATIVE[backend](game, **params), 600) == expected


@pytest.mark.parametrize("backend", list(GYMNASIUM)[1:])
def test_gymnasium_envs(backend):
    expected = trajectory(GYMNASIUM["serial"](), 100)
    assert sum(len(seen[-1]) for seen in expected) > GAMES
    assert trajectory(GYMNASIUM[backend](), 100) == expected


@pytest.mark.parametrize("backend", list(PETTINGZOO)[1:])
@pytest.mark.parametrize("game", [in_turns, at_once])
def test_pettingzoo_envs(game, backend):
    expected = trajectory(PETTINGZOO["serial"](game), 100)
    assert sum(len(seen[-1]) for seen in expected) > GAMES
    assert trajectory(PETTINGZOO[backend](game), 100) == expected


# -- what is learned ----------------------------------------------------------------------------

TIMES = {"elapsed", "eta", "sps"}


def metrics(env, updates=5, way=None):
    """The records of a short training, without what a clock says. ``way`` to take turns: None tries them."""
    import torch

    torch.manual_seed(3)
    with env, pufferbench.PuffeRL(env=env, seed=3, bptt_horizon=16, total_timesteps=10**6) as trainer:
        if way is not None:
            trainer.collector.settle_on(way)
        records = []
        for _ in range(updates):
            trainer.evaluate()
            trainer.train()
            record = trainer.mean_and_log()
            records.append({k: v for k, v in record.items() if k not in TIMES and not k.startswith("time_")})
        return records


TWO_WORKERS = {"backend": "multiprocessing", "num_workers": 2}
WAYS = [(TWO_WORKERS, "whole"), (TWO_WORKERS, "halves"), (TWO_WORKERS, None)]


@pytest.mark.parametrize(("how", "way"), [({"backend": "threads", "num_workers": 2}, None), *WAYS])
def test_five_updates_learn_the_same_from_native_games(how, way):
    serial = metrics(pufferbench.make("ocean-cartpole", num_envs=64, backend="serial"))
    assert any(record.get("episodes") for record in serial)
    assert metrics(pufferbench.make("ocean-cartpole", num_envs=64, **how), way=way) == serial


@pytest.mark.parametrize(("how", "way"), WAYS)
def test_five_updates_learn_the_same_from_gymnasium_envs(how, way):
    serial = metrics(pufferbench.make("gym-CartPole-v1", num_envs=16))
    assert any(record.get("episodes") for record in serial)
    assert metrics(pufferbench.make("gym-CartPole-v1", num_envs=16, **how), way=way) == serial
