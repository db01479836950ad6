"""The chain's rules, its tables against linear equations, and a learner's values against the true ones."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.chain import BACK, FORWARD, Chain, scripted
from ocean_numba.tabular import action_values, value_iteration
from ocean_numba.testing import compare_with_python


def at(cell: int, num_envs: int = 1, **params) -> Chain:
    env = Chain(num_envs=num_envs, **params)
    env.reset(0)
    env.states["cell"] = cell
    return env


@pytest.mark.parametrize(
    ("cell", "action", "following", "reward"),
    [
        (0, FORWARD, 1, 0),
        (3, FORWARD, 4, 0),
        (4, FORWARD, 4, 10),
        (0, BACK, 0, 2),
        (3, BACK, 0, 2),
        (4, BACK, 0, 2),
    ],
)
def test_a_step_without_slipping(cell, action, following, reward):
    env = at(cell, slip=0.0)
    observations, rewards, terminals, truncations, _ = env.step([action])
    assert rewards[0] == reward
    np.testing.assert_array_equal(observations[0], np.eye(5)[following])
    assert not terminals[0] and not truncations[0]
    other = at(cell, slip=1.0)  # then the other action happens, always
    np.testing.assert_array_equal(other.step([1 - action])[0], observations)


def test_it_slips_one_time_in_five():
    env = at(2, num_envs=20_000)
    env.step(np.full(20_000, FORWARD))
    assert (env.states["cell"] == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert ((env.states["cell"] == 0) | (env.states["cell"] == 3)).all()


def test_the_episode_is_truncated_and_the_score_is_the_mean_reward():
    env = Chain(slip=0.0, max_steps=6)
    env.reset(0)
    for _ in range(5):
        assert not env.step([FORWARD])[3][0]
    _, _, terminals, truncations, infos = env.step([FORWARD])
    assert truncations[0] and not terminals[0]
    assert infos[0]["episode_return"] == 20  # 4 steps to the end, 2 there
    assert infos[0]["score"] == pytest.approx(20 / 6)
    np.testing.assert_array_equal(env.final_observations[0], np.eye(5)[4])
    np.testing.assert_array_equal(env.observations[0], np.eye(5)[0])


@pytest.mark.parametrize("params", [{}, {"length": 8, "slip": 0.1}, {"length": 2, "slip": 0.0}])
def test_the_tables_are_what_happens(params):
    """Every cell and action, 4,000 times each."""
    tables = Chain(**params).tables()
    states = len(tables.terminals)
    for cell in range(states):
        for action in (FORWARD, BACK):
            env = at(cell, num_envs=4000, **params)
            _, rewards, *_ = env.step(np.full(4000, action))
            shares = np.bincount(env.states["cell"], minlength=states) / 4000
            np.testing.assert_allclose(shares, tables.transitions[cell, action], atol=0.025)
            np.testing.assert_array_equal(rewards, tables.rewards[cell, action, env.states["cell"]])
    np.testing.assert_allclose(tables.transitions.sum(axis=2), 1)
    assert not tables.terminals.any()


def values_of_going_forward(gamma: float, length: int = 5, slip: float = 0.2) -> np.ndarray:
    """From the rules alone: V(i) = (1 - slip) (r + gamma V(next)) + slip (2 + gamma V(0)), solved for V."""
    system, constant = np.eye(length), np.full(length, slip * 2.0)
    system[:, 0] -= slip * gamma
    for cell in range(length):
        system[cell, min(cell + 1, length - 1)] -= (1 - slip) * gamma
    constant[-1] += (1 - slip) * 10
    return np.linalg.solve(system, constant)


@pytest.mark.parametrize("gamma", [0.9, 0.95, 0.99])
def test_going_forward_is_optimal_and_its_values_are_known(gamma):
    tables = Chain().tables()
    values = value_iteration(tables, gamma)
    np.testing.assert_allclose(values, values_of_going_forward(gamma), rtol=1e-6)
    assert (action_values(tables, values, gamma).argmax(axis=1) == FORWARD).all()


def test_the_short_sighted_go_back():
    tables = Chain().tables()
    values = value_iteration(tables, gamma=0.5)
    assert action_values(tables, values, gamma=0.5).argmax(axis=1)[0] == BACK
    assert values[4] > values[3] > values[2] > values[1] > values[0]


def test_scripted_play_beats_random_play():
    scores = {}
    for name in ("random", "scripted"):
        env, generator = Chain(num_envs=300), np.random.default_rng(0)
        env.reset(0)
        for _ in range(100):
            *_, infos = env.step(generator.integers(0, 2, 300) if name == "random" else scripted(env))
        scores[name] = infos.records["score"].mean()
    # A game of 100 steps, by dynamic programming backwards from its end:
    left = np.zeros(5)
    for _ in range(100):
        left = action_values(Chain().tables(), left, 1.0)[:, FORWARD]
    assert scores["scripted"] == pytest.approx(left[0] / 100, abs=0.1)
    assert scores["random"] == pytest.approx(1.3, abs=0.1)


@pytest.mark.parametrize("params", [{"max_steps": 20}, {"length": 2, "slip": 0.5, "max_steps": 9}])
def test_compiled_equals_python(params):
    compare_with_python(Chain, steps=150, num_envs=4, **params)


def test_the_picture_shows_the_agent():
    from ocean_numba import palette

    env = at(2)
    picture = env.render()
    assert picture.shape == (170, 480, 3)
    assert tuple(picture[99, 240]) == palette.SKY_BLUE
    assert tuple(picture[99, 144]) == palette.SLATE


@pytest.mark.learn
def test_ppo_walks_to_the_end_and_knows_the_true_values():
    """The values are a sharp test of the learner: of its discount, its advantages and its bootstrapping where
    an episode or a rollout is cut."""
    import torch

    from pufferbench import PuffeRL

    trainer = PuffeRL("ocean-chain", seed=1)
    records = list(trainer.steps())
    first = next(record for record in records if "score_100" in record)
    assert first["score_100"] < 2.2
    assert records[-1]["score_100"] > 3.3
    with torch.inference_mode():
        logits, values = trainer.policy(torch.eye(5))
    assert (logits.argmax(dim=1) == FORWARD).all()
    expected = values_of_going_forward(trainer.config.gamma)
    np.testing.assert_allclose(values.numpy().reshape(-1), expected, rtol=0.05)
