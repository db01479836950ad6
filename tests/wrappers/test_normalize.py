"""Running normalisation: the statistics are right, and come back with a checkpoint."""

from typing import Any

import numpy as np
import pytest
from envs import Aim, Bandit, Truncated, Waiting

import pufferbench
from pufferbench.cli import main
from pufferbench.records import CheckpointError
from pufferbench.vector import Serial
from pufferbench.wrappers import NormalizeObservation, NormalizeReward
from pufferbench.wrappers.normalize import RunningStatistics


def test_batches_merge_into_the_statistics_of_all_rows():
    generator = np.random.default_rng(0)
    rows = generator.normal([3, -100], [0.5, 20], (500, 2)).astype(np.float32)
    known = RunningStatistics((2,))
    for batch in np.split(rows, [1, 7, 7, 100]):
        known.update(batch)
    np.testing.assert_allclose(known.mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(known.variance, rows.var(0), rtol=1e-3)
    assert known.count == pytest.approx(500)


def test_observations_get_mean_0_and_deviation_1():
    env = NormalizeObservation(Aim(num_envs=64, low=100.0, high=140.0))
    env.reset(seed=0)
    for _ in range(50):
        env.step(np.full((64, 2), 120.0, np.float32))
    recent = np.concatenate([env.step(np.full((64, 2), 120, np.float32))[0].copy() for _ in range(50)])
    np.testing.assert_allclose(recent.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(recent.std(0), 1, atol=0.1)
    assert env.observation_space.contains(recent[0])


def test_rows_that_wait_are_not_learned_from():
    env = NormalizeObservation(Waiting(num_envs=8))  # half of them show 1,000,000
    env.reset(seed=0)
    env.step(np.zeros(8, int))
    assert (env.statistics.mean <= 1).all()


def test_final_observations_are_normalised_and_not_learned_from():
    env = NormalizeObservation(Truncated(num_envs=4))  # always shows 1
    env.reset()
    for _ in range(5):
        env.step(np.zeros(4, int))
    assert env.truncations.all()
    np.testing.assert_allclose(env.final_observations, env.observations, atol=1e-3)
    assert env.statistics.count == pytest.approx(6 * 4, abs=1e-3)


def test_rewards_are_divided_by_the_deviation_of_the_return():
    env = NormalizeReward(Bandit(num_envs=64), gamma=0.5)
    raw = Bandit(num_envs=64)
    env.reset(seed=0)
    raw.reset(seed=0)
    returns, seen = np.zeros(64), []
    for _ in range(20):
        actions = np.zeros(64, int)
        rewards, expected = env.step(actions)[1].copy(), raw.step(actions)[1]
        returns = 0.5 * returns + expected
        seen.append(returns.copy())
        deviation = np.concatenate(seen).std()
        np.testing.assert_allclose(rewards, np.clip(expected / deviation, -10, 10), rtol=1e-3)
        returns[raw.terminals] = 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NormalizeObservation(pufferbench.make("gym-FrozenLake-v1")), "that are a Box, not Discrete"),
        (lambda: NormalizeObservation(Bandit(), clip=0), "clip must be above 0, not 0"),
        (lambda: NormalizeReward(Bandit(), gamma=2), "gamma must be within 0..1, not 2"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def normalised(num_envs: int = 16) -> Any:
    return NormalizeReward(NormalizeObservation(pufferbench.make("ocean-cartpole", num_envs=num_envs)))


def test_checkpoints_have_what_was_learned(tmp_path):
    trainer = pufferbench.PuffeRL(env=normalised(), bptt_horizon=8)
    trainer.evaluate()
    trainer.train()
    path = trainer.save_checkpoint(tmp_path / "one")
    saved = trainer.env.state_dict()
    other = pufferbench.PuffeRL(env=normalised(8), bptt_horizon=8)  # also with another number of games
    other.env.eval()  # so that the reset after loading adds nothing
    other.load_checkpoint(path)
    for name, array in other.env.state_dict().items():
        np.testing.assert_array_equal(array, saved[name])
    assert saved["env.count"] == pytest.approx(16 * 9)


@pytest.mark.parametrize("wrap", [lambda env: env, NormalizeReward], ids=["none", "another"])
def test_a_checkpoint_of_other_wrappers_is_refused(wrap, tmp_path):
    trainer = pufferbench.PuffeRL(env=normalised(), bptt_horizon=8)
    path = trainer.save_checkpoint(tmp_path / "one")
    other = pufferbench.PuffeRL(env=wrap(pufferbench.make("ocean-cartpole", num_envs=16)), bptt_horizon=8)
    with pytest.raises(CheckpointError, match=r"saved with other wrappers around the env: .*env\.mean"):
        other.load_checkpoint(path)


def test_views_share_the_statistics_and_add_nothing():
    env = normalised()
    env.reset(seed=0)
    view = env.respawn(1)
    view.reset(seed=0)
    for _ in range(5):
        view.step(np.zeros(1, int))
    assert env.env.statistics.count == pytest.approx(16, abs=1e-3)
    env.step(np.zeros(16, int))
    assert view.env.statistics is env.env.statistics
    assert view.statistics is env.statistics


def test_puffer_eval_plays_with_what_was_learned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pufferbench.register(
        "test-normalised",
        lambda num_envs=1: NormalizeObservation(pufferbench.make("ocean-cartpole", num_envs)),
    )
    seen: list[Any] = []
    monkeypatch.setattr(NormalizeObservation, "eval", lambda env: seen.append(env.state_dict()["count"]))
    train = "train test-normalised --train.total-timesteps 512 --env.num-envs 16 --run-dir RUN"
    assert main(train.split()) == 0
    assert main(["eval", "test-normalised", "--load", "RUN", "--episodes", "2"]) == 0
    assert seen[0] > 512  # not the few of its own


def test_puffer_eval_refuses_what_a_name_does_not_tell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pufferbench.PuffeRL(env=normalised(), bptt_horizon=8, run_dir="RUN") as trainer:
        trainer.save_checkpoint()
    assert main(["eval", "ocean-cartpole", "--load", "RUN"]) == 2
    assert (
        "trained in NormalizeReward around NormalizeObservation around ocean-cartpole"
        in capsys.readouterr().err
    )


def test_inside_of_a_vectorizer_each_has_its_own():
    with pytest.warns(
        UserWarning, match="NormalizeObservation is inside of a vectorizer: each env learns for"
    ):
        env = Serial(lambda: NormalizeObservation(pufferbench.make("gym-CartPole-v1")), 3)
    env.reset(seed=0)
    env.step(np.zeros(3, int))
    assert [float(member.statistics.count) for member in env.members] == pytest.approx([2, 2, 2], abs=1e-3)
