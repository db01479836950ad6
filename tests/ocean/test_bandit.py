"""The bandit pays what its page says, and a learner finds the best arm."""

from __future__ import annotations

import numpy as np
import pytest

from ocean_numba.bandit import Bandit, payout, scripted
from ocean_numba.testing import compare_with_python


def test_the_best_arm_is_where_the_parameters_say():
    chances = [payout(arm, 7, 10) for arm in range(10)]
    np.testing.assert_allclose(sorted(chances), np.linspace(0.1, 0.9, 10))
    assert np.argmax(chances) == 7
    assert chances[8] == pytest.approx(0.1)  # the worst is right of the best
    assert [payout(arm, 0, 2) for arm in range(2)] == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize(("arms", "best"), [(10, 7), (3, 0)])
def test_every_arm_pays_as_often_as_it_should(arms, best):
    env = Bandit(num_envs=4000, arms=arms, best=best)
    env.reset(0)
    for arm in range(arms):
        coins = [env.step(np.full(4000, arm))[1].mean() for _ in range(5)]
        assert np.mean(coins) == pytest.approx(payout(arm, best, arms), abs=0.012)  # 3.5 standard errors


def test_observation_reward_and_state():
    env = Bandit(num_envs=64)
    observations, _ = env.reset(0)
    np.testing.assert_array_equal(observations, np.ones((64, 1)))
    _, rewards, terminals, truncations, _ = env.step(np.full(64, 3))
    assert set(rewards.tolist()) == {0.0, 1.0}
    np.testing.assert_array_equal(env.states["paid"], rewards)
    np.testing.assert_array_equal(env.states["counts"], np.tile(np.eye(10)[3], (64, 1)))
    assert not terminals.any() and not truncations.any()
    np.testing.assert_array_equal(env.observations, 1.0)


def test_score_is_the_share_of_the_best_arm_and_the_episode_ends():
    env = Bandit(pulls=5)
    env.reset(0)
    for arm in (7, 7, 1, 7):
        assert not env.step([arm])[2][0]
    _, _, terminals, truncations, infos = env.step([8])
    assert terminals[0] and not truncations[0]
    assert infos[0]["score"] == pytest.approx(3 / 5)
    assert infos[0]["episode_length"] == 5
    assert env.states["counts"].sum() == 0


def test_an_arm_beyond_the_last_counts_round():
    env = Bandit(num_envs=2000, arms=4, best=7)  # 7 is 3
    env.reset(0)
    assert env.step(scripted(env))[1].mean() == pytest.approx(0.9, abs=0.03)
    assert (scripted(env) == 3).all()


def test_scripted_play_is_optimal_and_random_play_is_not():
    returns = {}
    for name in ("random", "scripted"):
        env, generator = Bandit(num_envs=200), np.random.default_rng(0)
        env.reset(0)
        total = 0.0
        for _ in range(100):
            total += env.step(generator.integers(0, 10, 200) if name == "random" else scripted(env))[1].sum()
        returns[name] = total / 200
    assert returns["scripted"] == pytest.approx(90, abs=1)
    assert returns["random"] == pytest.approx(50, abs=1.5)


@pytest.mark.parametrize("params", [{"pulls": 20}, {"arms": 2, "best": 1, "pulls": 7}])
def test_compiled_equals_python(params):
    compare_with_python(Bandit, steps=150, num_envs=4, **params)


def test_the_picture_fills_the_arm_that_was_pulled():
    from ocean_numba import palette

    env = Bandit()
    env.reset(0)
    for _ in range(3):
        env.step([2])
    picture = env.render()
    assert picture.shape == (260, 420, 3)
    assert tuple(picture[100, 105]) == palette.SKY_BLUE  # all pulls so far: a full column
    assert tuple(picture[200, 315]) == palette.SLATE


@pytest.mark.learn
def test_ppo_finds_the_best_arm():
    from pufferbench import PuffeRL

    records = list(PuffeRL("ocean-bandit", seed=1, total_timesteps=500_000).steps())
    first = next(record for record in records if "score_100" in record)
    assert first["score_100"] < 0.3
    assert records[-1]["score_100"] > 0.97
    assert records[-1]["episode_return_100"] > 87  # of 90
