"""A branch goes on from where another trainer is, and the two do not touch each other."""

import numpy as np
import pytest
import torch
from training import run, same, weights

import pufferbench
from pufferbench.branch import Branching, branch
from pufferbench.config import ConfigError
from pufferbench.records import read_records
from pufferbench.wrappers import NormalizeObservation

SIZES = {"bptt_horizon": 8, "total_timesteps": 10**6}


@pytest.fixture
def trainer():
    with pufferbench.make("ocean-squared", num_envs=8) as env:
        trainer = pufferbench.PuffeRL(env=env, lr_schedule="linear", **SIZES)
        run(trainer, 3)
        yield trainer


def test_a_branch_has_everything_and_goes_its_own_way(trainer):
    before = weights(trainer)
    other = branch(trainer, learning_rate=1e-4)
    assert same(weights(other), before)
    assert (other.update, other.global_step) == (3, 3 * 64)
    assert torch.equal(other.generator.get_state(), trainer.generator.get_state())
    ours, theirs = trainer.optimizer.state_dict()["state"], other.optimizer.state_dict()["state"]
    assert all(torch.equal(ours[i]["exp_avg"], theirs[i]["exp_avg"]) for i in ours)
    assert other.episodes.recent == trainer.episodes.recent
    assert other.last_checkpoint is None
    assert other.env is not trainer.env
    assert other.env.num_agents == trainer.env.num_agents
    record = run(other, 1)
    assert record["update"] == 4
    assert record["changes"] == {"learning_rate": {"old": 0.003, "new": 1e-4, "by": "branch"}}
    assert record["learning_rate"] == pytest.approx(1e-4 * (1 - 192 / 10**6))  # its schedule goes on too
    assert same(weights(trainer), before)  # that one has not moved
    assert not same(weights(other), before)
    other.close()


def test_two_equal_branches_are_equal(trainer):
    moment = Branching(trainer)
    run(trainer, 2)  # meanwhile it goes on
    twins = [moment.grow() for _ in range(2)]
    assert [twin.update for twin in twins] == [3, 3]
    for twin in twins:
        run(twin, 2)
    assert same(*map(weights, twins))


def test_its_run_folder_lies_beside(tmp_path):
    with pufferbench.make("ocean-squared", num_envs=8) as env:
        trainer = pufferbench.PuffeRL(env=env, run_dir=tmp_path / "first", **SIZES)
        run(trainer, 2)
        one, two = (branch(trainer, gamma=gamma) for gamma in (0.9, 0.8))
        run(one, 1)
    assert (one.run.path.name, two.run.path.name) == ("first-branch-2", "first-branch-2-2")
    assert one.run.config["train"]["gamma"] == 0.9
    assert [record["update"] for record in read_records(one.run.path / "metrics.jsonl")] == [3]


def test_wrappers_learn_on_from_what_they_know_and_apart():
    env = NormalizeObservation(pufferbench.make("ocean-cartpole", num_envs=8))
    trainer = pufferbench.PuffeRL(env=env, **SIZES)
    run(trainer, 2)
    other = branch(trainer)
    known = env.statistics.mean.copy()
    run(other, 1)
    np.testing.assert_array_equal(env.statistics.mean, known)
    assert other.env.statistics.count > env.statistics.count
    watching = env.respawn(1)  # one that only watches still shares
    assert watching.statistics is env.statistics


@pytest.mark.parametrize("backend", ["serial", "multiprocessing"])
def test_any_vectorizer_s_env_is_made_again(backend):
    more = {"num_workers": 2} if backend == "multiprocessing" else {}
    with pufferbench.make("gym-CartPole-v1", num_envs=4, backend=backend, **more) as env:
        trainer = pufferbench.PuffeRL(env=env, **SIZES)
        run(trainer, 1)
        other = branch(trainer)
        assert other.env.num_agents == 4
        assert run(other, 1)["update"] == 2
        other.close()


def test_what_cannot_be_is_said(trainer):
    with pytest.raises(ConfigError, match="unknown option 'learning_rat'; did you mean"):
        branch(trainer, learning_rat=0.1)

    class Alone(pufferbench.PufferEnv):
        def __init__(self, buf=None):
            super().__init__(buf)
            self.observation_space, self.action_space = self.make_space((1,)), self.make_discrete(2)

        def reset(self, seed=None):
            return self.observations, []

        def step(self, actions):
            return self.observations, self.rewards, self.terminals, self.truncations, []

    alone = pufferbench.PuffeRL(env=Alone(), **SIZES)
    with pytest.raises(TypeError, match="cannot make another Alone"):
        branch(alone)
    assert branch(alone, env=Alone()).update == 0
