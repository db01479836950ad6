"""Rules of Squared."""

import numpy as np
import pytest

from ocean_numba.squared import AGENT, DOWN, LEFT, NOOP, RIGHT, TARGET, UP, Squared


def fresh(size=5, target=(0, 0)):
    env = Squared(size=size)
    env.reset(0)
    env.states["target_row"], env.states["target_column"] = target
    env.states["step_reward"] = 1 / sum(abs(size // 2 - cell) for cell in target)
    return env


def test_targets_are_all_over_the_edge_and_nowhere_else():
    env = Squared(5000, size=5)
    observations, _ = env.reset(0)
    assert (observations[:, 2, 2] == AGENT).all()
    targets = (observations == TARGET).sum(0)
    assert (targets[1:4, 1:4] == 0).all()
    edge = targets[[0, 4]].ravel().tolist() + targets[1:4, [0, 4]].ravel().tolist()
    assert len(edge) == 16
    assert min(edge) > 5000 / 16 * 0.8
    assert max(edge) < 5000 / 16 * 1.2


@pytest.mark.parametrize(
    ("action", "cell"), [(NOOP, (2, 2)), (DOWN, (3, 2)), (UP, (1, 2)), (LEFT, (2, 1)), (RIGHT, (2, 3))]
)
def test_actions_move(action, cell):
    env = fresh()
    observations, rewards, terminals, _, _ = env.step([action])
    assert observations[0][cell] == AGENT
    assert (observations[0] == AGENT).sum() == (observations[0] == TARGET).sum() == 1
    assert rewards[0] == {NOOP: 0, UP: 0.25, LEFT: 0.25, DOWN: -0.25, RIGHT: -0.25}[action]
    assert not terminals[0]


def test_the_way_to_the_target_is_worth_one():
    env = fresh(target=(0, 2))
    assert env.step([UP])[1][0] == 0.5
    _, rewards, terminals, truncations, infos = env.step([UP])
    assert rewards[0] == 0.5
    assert terminals[0]
    assert not truncations[0]
    assert infos[0] == {"episode_return": 1.0, "episode_length": 2, "score": 1}


def test_leaving_the_arena_costs_one():
    env = fresh(target=(4, 4))
    for _ in range(2):
        _, rewards, terminals, *_ = env.step([UP])
        assert not terminals[0]
    _, rewards, terminals, _, infos = env.step([UP])
    assert rewards[0] == -1
    assert terminals[0]
    assert infos[0]["score"] == 0


def test_time_runs_out():
    env = fresh()
    for _ in range(14):
        assert not env.step([NOOP])[2][0]
    _, rewards, terminals, _, infos = env.step([NOOP])
    assert rewards[0] == -1
    assert terminals[0]
    assert infos[0]["episode_length"] == 15


def test_a_walker_to_the_target_always_wins():
    env = Squared(64)
    observations, _ = env.reset(1)
    scores, returns = [], []
    for _ in range(200):
        agent = np.argwhere(observations == AGENT)[:, 1:]
        target = np.argwhere(observations == TARGET)[:, 1:]
        down, right = (target - agent).T
        actions = np.where(down > 0, DOWN, np.where(down < 0, UP, np.where(right > 0, RIGHT, LEFT)))
        observations, *_, infos = env.step(actions)
        scores += [info["score"] for info in infos]
        returns += [info["episode_return"] for info in infos]
    assert len(scores) > 1000
    assert all(score == 1 for score in scores)
    np.testing.assert_allclose(returns, 1, rtol=1e-6)
