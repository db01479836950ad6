"""PuffeRL: what it learns, reports, refuses and survives. Longer learning tests are in test_learning.py."""

from __future__ import annotations

import json
import math
import threading
import time

import numpy as np
import pytest
import torch
from envs import Aim, Bandit, TestEnv, Truncated, TwoBandits, Waiting
from gymnasium import spaces
from torch import nn
from training import run, same, weights

from pufferbench import NoLogger, PuffeRL, TrainConfig, policies
from pufferbench.config import ConfigError
from pufferbench.errors import PufferBenchError
from pufferbench.trainer import NonFiniteLoss, StopTraining


def numbers(record):
    """A record without its times."""
    return {
        name: v
        for name, v in record.items()
        if not name.startswith("time_") and name not in ("elapsed", "eta", "sps")
    }


# -- learning -----------------------------------------------------------------------------------


def test_truncated_episodes_are_bootstrapped():
    """Reward 1 for ever is worth 1 / (1 - 0.9) = 10. Taken for an end, the cut after 5 steps would give 4.1 at most."""
    trainer = PuffeRL(Truncated(16), gamma=0.9, bptt_horizon=64)
    run(trainer, 100)
    value = trainer.policy(torch.ones(1, 2))[1].item()
    assert value == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("env", [Bandit, TwoBandits, Aim])
def test_each_kind_of_action_is_learned(env):
    trainer = PuffeRL(env(64), gamma=0.0, total_timesteps=120_000, ent_coef=0.0)
    records = list(trainer.steps())
    untrained, trained = records[0]["episode_return"], records[-1]["episode_return_100"]
    assert untrained < 0.5 * TestEnv.length
    assert trained > {Bandit: 7.8, TwoBandits: 7.8, Aim: 5.0}[env]


def test_uint8_observations_are_learned_from_and_stored_as_they_are():
    trainer = PuffeRL(Bandit(64, dtype=np.uint8), gamma=0.0, total_timesteps=60_000)
    assert trainer.rollout.observations.dtype == torch.uint8
    assert list(trainer.steps())[-1]["episode_return_100"] > 7.5


def test_actions_outside_the_box_are_clipped_for_the_env_and_kept_for_learning():
    trainer = PuffeRL(Aim(16, low=2.0, high=3.0), bptt_horizon=8)
    trainer.evaluate()  # the env asserts the bounds
    kept = trainer.rollout.actions
    assert ((kept < 2) | (kept > 3)).any()
    assert kept.shape == (8, 16, 2)
    low, high = trainer.env.actions.min(), trainer.env.actions.max()
    assert (low, high) == (2.0, 3.0)


def test_rows_that_wait_are_in_no_loss():
    """Their rubbish (observations 1e6, rewards -1e6) must not be noticed at all."""
    trainer = PuffeRL(Waiting(64), gamma=0.0, total_timesteps=60_000)
    records = list(trainer.steps())
    assert all(record["value_loss"] < 10 for record in records)
    assert trainer.policy.observation_mean.abs().max() < 1
    env = Bandit(64)
    env.reset(seed=3)
    chosen = trainer.policy(torch.from_numpy(env.observations))[0].argmax(1)
    assert (chosen.numpy() == env.shown).mean() > 0.95


def test_nobody_acts_nothing_is_learned():
    class Asleep(Bandit):
        def look(self):
            super().look()
            self.masks[:] = False

    trainer = PuffeRL(Asleep(4), bptt_horizon=16)
    before = weights(trainer)
    record = run(trainer, 1)
    assert record["update"] == 1
    assert "policy_loss" not in record
    assert same(before, weights(trainer))


class Choosy(Bandit):
    """Only the number shown is legal: a policy that ever does another thing is caught."""

    num_action_masks = 4

    def look(self):
        super().look()
        self.action_masks[:] = np.arange(4) == self.shown[:, None]

    def earn(self):
        assert (self.actions == self.shown).all()
        super().earn()


def test_illegal_actions_are_never_taken():
    record = run(PuffeRL(Choosy(32), bptt_horizon=32), 2)
    assert record["entropy"] == pytest.approx(0, abs=1e-5)


def test_rewards_of_any_size_learn_alike():
    class Rich(Bandit):
        def earn(self):
            super().earn()
            self.rewards[:] *= 1e4

    plain = run(PuffeRL(Bandit(64), total_timesteps=10**6), 12)["episode_return"]
    rich = run(PuffeRL(Rich(64), total_timesteps=10**6), 12)["episode_return"]
    assert plain > 4
    assert rich / 1e4 == pytest.approx(plain, rel=0.1)


# -- determinism --------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [Bandit, TwoBandits, Aim, Truncated])
def test_same_seed_same_numbers_whatever_else_uses_torch(env):
    first = PuffeRL(env(16), bptt_horizon=32, seed=3)
    expected = [numbers(run(first, 1)) for _ in range(3)]

    second, other = PuffeRL(env(16), bptt_horizon=32, seed=3), PuffeRL(Bandit(4), bptt_horizon=8)
    found = []
    for _ in range(3):
        torch.manual_seed(99)
        torch.rand(5)
        run(other, 1)
        found.append(numbers(run(second, 1)))
    assert found == expected
    third = PuffeRL(env(16), bptt_horizon=32, seed=4)
    assert numbers(run(third, 1)) != expected[0]


def test_making_a_trainer_leaves_torchs_generator_and_threads_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    run(PuffeRL(Bandit(4), bptt_horizon=8), 1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


# -- the record ---------------------------------------------------------------------------------


def test_the_record_is_flat_json_and_complete():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16, total_timesteps=1000)
    record = run(trainer, 2)
    assert json.loads(json.dumps(record)) == record
    assert set(record) == {
        "update", "global_step", "total_timesteps", "elapsed", "eta", "sps", "deterministic",
        "time_env", "time_policy", "time_copy", "time_train", "time_other",
        "policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "explained_variance", "grad_norm",
        "learning_rate", "ent_coef", "clip_coef", "gamma", "gae_lambda", "vf_coef", "update_epochs", "max_grad_norm",
        "target_kl", "reward_clip", "gradient_steps",
        "episodes", "episode_return", "episode_length", "score",
        "episode_return_100", "episode_length_100", "score_100",
    }  # fmt: skip
    assert (record["update"], record["global_step"], record["episodes"]) == (2, 256, 16)
    assert record["episode_length"] == 8
    assert record["score"] == pytest.approx(2 * record["episode_return"])
    spent = sum(record[f"time_{name}"] for name in ("env", "policy", "copy", "train", "other"))
    assert spent == pytest.approx(128 / record["sps"])
    assert record["eta"] == pytest.approx(record["elapsed"] / 256 * (1000 - 256))
    assert trainer.progress == 0.256
    assert trainer.mean_and_log() is record  # nothing new


def test_no_episode_ended_no_mean_but_the_last_hundred():
    trainer = PuffeRL(Bandit(8), bptt_horizon=4)
    records = [run(trainer, 1) for _ in range(3)]
    assert [record["episodes"] for record in records] == [0, 8, 0]
    assert ["episode_return" in record for record in records] == [False, True, False]
    assert "episode_return_100" not in records[0]
    assert records[2]["episode_return_100"] == records[1]["episode_return"]


def test_infos_may_be_plain_dicts():
    class Plain(Bandit):
        def step(self, actions):
            *rest, infos = super().step(actions)
            return (*rest, [{**info, "note": "text", "update": 5.0} for info in infos] + [{"other": 1}])

    expected, found = run(PuffeRL(Bandit(8), bptt_horizon=16), 1), run(PuffeRL(Plain(8), bptt_horizon=16), 1)
    assert found["episode_return"] == expected["episode_return"]
    assert found["update"] == 1
    assert found["env_update"] == 5.0
    assert "note" not in found
    assert "other" not in found


def test_records_go_to_run_logger_and_subscribers(tmp_path):
    class Logger(NoLogger):
        def __init__(self):
            self.records, self.closed = [], False

        def log(self, record):
            self.records.append(record)

        def close(self):
            self.closed = True

    logger, seen = Logger(), []
    with PuffeRL(Bandit(8), bptt_horizon=16, logger=logger, run_dir=tmp_path, total_timesteps=256) as trainer:
        unsubscribe = trainer.subscribe(seen.append)
        made = list(trainer.steps())
        unsubscribe()
        unsubscribe()
        run(trainer, 1)
    assert made == seen == logger.records[:2] == trainer.run.records[:2]
    assert len(logger.records) == len(trainer.run.records) == 3
    assert logger.closed
    assert trainer.run.latest_checkpoint == trainer.run.checkpoint_path(2)
    assert trainer.run.config["train"]["bptt_horizon"] == 16
    assert trainer.run.config["deterministic"] is True
    assert trainer.run.config["policy"] == {"name": "MLP", "arguments": {"hidden_size": 128}}
    assert not trainer.env.closed  # not the trainer's


def test_steps_ends_at_the_goal_and_not_before():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16, total_timesteps=300)
    assert [record["global_step"] for record in trainer.steps()] == [128, 256, 384]
    assert list(trainer.steps()) == []
    assert trainer.progress == 1


# -- changes from outside -----------------------------------------------------------------------


def test_a_request_waits_for_the_update_boundary_and_is_recorded():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16, learning_rate=0.003)
    trainer.evaluate()
    trainer.learning_rate = 0.001
    trainer.request(gamma=0.5, update_epochs=2)
    assert trainer.learning_rate == 0.001
    assert trainer.pending == {"learning_rate": 0.001, "gamma": 0.5, "update_epochs": 2}
    assert trainer.config.learning_rate == 0.003
    trainer.train()
    first = trainer.mean_and_log()
    assert (first["learning_rate"], first["gamma"], "changes" in first) == (0.003, 0.99, False)
    second = run(trainer, 1)
    assert (second["learning_rate"], second["gamma"], second["update_epochs"]) == (0.001, 0.5, 2)
    assert second["changes"] == {
        "learning_rate": {"old": 0.003, "new": 0.001},
        "gamma": {"old": 0.99, "new": 0.5},
        "update_epochs": {"old": 1, "new": 2},
    }
    assert trainer.pending == {}
    assert "changes" not in run(trainer, 1)


def test_requests_are_checked_in_the_callers_thread():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16)
    with pytest.raises(ConfigError, match="between"):
        trainer.learning_rate = -1
    with pytest.raises(ConfigError, match="did you mean 'ent_coef'"):
        trainer.request(ent_coeff=0.1)
    with pytest.raises(ConfigError, match="cannot change while training"):
        trainer.request(batch_size=64)
    with pytest.raises(ConfigError, match="device must be"):
        trainer.request(device="tpu")
    assert trainer.pending == {}


def test_requests_from_many_threads_are_all_applied_and_recorded():
    trainer = PuffeRL(Bandit(8), bptt_horizon=8)
    stop = threading.Event()
    rates = [1e-4 * n for n in range(1, 51)]

    def move_sliders():
        for rate in rates:
            trainer.learning_rate = rate
            time.sleep(0.001)
        stop.set()

    thread = threading.Thread(target=move_sliders)
    records = []
    thread.start()
    while not stop.is_set():
        records.append(run(trainer, 1))
    thread.join()
    records.append(run(trainer, 1))
    changes = [record["changes"]["learning_rate"] for record in records if "changes" in record]
    assert changes[-1]["new"] == rates[-1] == trainer.learning_rate
    assert [change["new"] for change in changes[:-1]] == [
        change["old"] for change in changes[1:]
    ]  # none is lost


def test_a_device_request_rebuilds_and_trains_on():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16)
    run(trainer, 1)
    trainer.request(device="cpu")
    assert "changes" not in run(trainer, 1)
    moments = trainer.optimizer.state_dict()["state"][0]["exp_avg"].clone()
    trainer._move()  # what a change of device does
    assert torch.equal(trainer.optimizer.state_dict()["state"][0]["exp_avg"], moments)
    run(trainer, 1)


def test_the_snapshot_is_a_copy_made_at_update_boundaries():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16)
    first = trainer.snapshot
    assert (first.update, first.global_step) == (0, 0)
    assert same(first.weights, weights(trainer))
    trainer.evaluate()
    assert trainer.snapshot is first
    trainer.train()
    assert (trainer.snapshot.update, trainer.snapshot.global_step) == (1, 128)
    assert same(trainer.snapshot.weights, weights(trainer))
    assert not same(first.weights, trainer.snapshot.weights)


# -- interruptions ------------------------------------------------------------------------------


@pytest.mark.parametrize("interruption", [StopTraining, KeyboardInterrupt])
@pytest.mark.parametrize("calls", [1, 7, 17, 19])  # of 16 env steps, then 4 minibatches
def test_an_interrupted_update_is_dropped_and_the_trainer_stays_usable(interruption, calls):
    trainer = PuffeRL(Bandit(8), bptt_horizon=16, total_timesteps=10_000, learner="autograd")
    run(trainer, 1)
    left = calls

    def gate():
        nonlocal left
        left -= 1
        if not left:
            raise interruption

    trainer.gate = gate
    with pytest.raises(interruption):
        run(trainer, 1)
    trainer.gate = None
    assert (trainer.update, trainer.global_step, trainer.snapshot.update) == (1, 128, 1)
    with pytest.raises(RuntimeError, match="evaluate"):
        trainer.train()
    assert trainer.last_record["update"] == 1
    assert run(trainer, 1)["update"] == 2


def test_the_gate_is_called_before_every_step_pass_and_minibatch_and_its_time_does_not_count():
    trainer = PuffeRL(Bandit(8), bptt_horizon=16, minibatch_size=32, update_epochs=2, learner="autograd")
    calls = 0

    def gate():
        nonlocal calls
        calls += 1
        if calls in (3, 20):
            time.sleep(0.3)

    trainer.gate = gate
    record = run(trainer, 1)
    assert calls == 1 + 16 + 2 * (1 + 4)  # the update; steps; passes, and the minibatches of each
    assert record["elapsed"] < 0.3


# -- bad numbers --------------------------------------------------------------------------------


class Spoiled(Bandit):
    """Reports NaN from its 40th step on: as a reward or as an observation."""

    steps, where = 0, "rewards"

    def earn(self):
        super().earn()
        self.steps += 1
        if self.steps >= 40 and self.where == "rewards":
            self.rewards[3] = self.what

    def look(self):
        super().look()
        if self.steps >= 40 and self.where == "observations":
            self.observations[3] = self.what


@pytest.mark.parametrize("policy", ["MLP", "LSTM"])
@pytest.mark.parametrize("what", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["rewards", "observations"])
def test_nan_from_the_env_stops_with_the_reason(tmp_path, where, what, policy):
    env = Spoiled(8)
    env.where, env.what = where, what
    trainer = PuffeRL(env, policy, bptt_horizon=16, run_dir=tmp_path)
    run(trainer, 2)
    path = trainer.save_checkpoint()
    with pytest.raises(NonFiniteLoss) as caught:
        run(trainer, 1)
    assert "update 3" in str(caught.value)
    assert str(path) in str(caught.value)
    assert f"the environment's {where} contain NaN" in str(caught.value)
    assert all(tensor.isfinite().all() for tensor in trainer.policy.state_dict().values())
    assert trainer.update == 2


class Exploding(nn.Module):
    """Fine at first; then its gradient is infinite, or its output."""

    def __init__(self, how):
        super().__init__()
        self.layer, self.how, self.calls = nn.Linear(4, 5), how, 0

    def forward(self, x):
        y = self.layer(x)
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls > 6:
                y = y * float("inf") if self.how == "output" else (y * 0).abs().sqrt() + y
        return y[:, :4], y[:, 4]


@pytest.mark.parametrize("how", ["output", "gradient"])
def test_nan_in_learning_takes_no_step(how):
    trainer = PuffeRL(Bandit(8), policy=Exploding(how), bptt_horizon=16)
    run(trainer, 1)
    with pytest.raises(NonFiniteLoss, match=r"update 2: .* none was saved. Hint: lower the learning rate"):
        run(trainer, 1)
    assert trainer.policy.calls == 7
    assert all(parameter.isfinite().all() for parameter in trainer.policy.parameters())
    trainer.policy.calls = -1000
    assert math.isfinite(run(trainer, 1)["policy_loss"])


def test_actions_that_are_not_numbers_never_reach_the_env():
    trainer = PuffeRL(Aim(8), bptt_horizon=16)
    with torch.no_grad():
        trainer.policy.log_std.fill_(float("nan"))
    with pytest.raises(NonFiniteLoss, match="an action became NaN"):
        trainer.evaluate()


# -- making one ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"env": None}, TypeError, "expected an environment .*, not NoneType"),
        ({"env": "ocean-brekout"}, KeyError, "did you mean"),
        ({"learning_rat": 1}, ConfigError, "did you mean 'learning_rate'"),
        ({"batch_size": 100}, ConfigError, "multiple of the env's 8 agents"),
        ({"device": "cuda:99"}, ConfigError, "device"),
        ({"policy": "MPL"}, ValueError, "did you mean 'MLP'"),
        ({"policy": nn.Linear}, TypeError, "policy must be a torch module"),
        ({"policy": nn.Linear(4, 4)}, ValueError, r"must return \(logits, value\), not \[8, 4\]"),
    ],
)
def test_bad_arguments_are_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        PuffeRL(**{"env": Bandit(8), **arguments})


BOX = spaces.Box(-1, 1, (7,), np.float32)
PICTURE = spaces.Box(0, 255, (4, 36, 36), np.uint8)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (lambda: policies.MLP(BOX, spaces.Discrete(4)), "shape"),
        (lambda: policies.LSTM(BOX, spaces.Discrete(4)), "shape"),
        (lambda: policies.GRU(BOX, spaces.Discrete(4)), "shape"),
        (lambda: policies.CNN(PICTURE, spaces.Discrete(4)), ""),
        (lambda: policies.MLP(Bandit().observation_space, spaces.Discrete(5)), r"\[8, 4\], not \[8, 5\]"),
        (lambda: policies.LSTM(Bandit().observation_space, spaces.Discrete(5)), r"\[8, 4\], not \[8, 5\]"),
        (lambda: policies.MLP(Bandit().observation_space, spaces.Box(-1, 1, (4,))), "not Normal with loc"),
    ],
)
def test_a_policy_for_another_space_is_refused_before_it_plays(policy, reason):
    policy = policy()
    words = rf"this {type(policy).__name__} does not fit this env, whose observations are Box.*\(4,\).* and "
    with pytest.raises(PufferBenchError, match=rf"{words}actions Discrete\(4\): .*{reason}"):
        PuffeRL(Bandit(8), policy=policy)


def test_defaults_then_preset_then_the_users_own():
    trainer = PuffeRL("ocean-squared", gamma=0.5)
    preset = trainer.env.spec.preset()
    assert trainer.config.gamma == 0.5
    assert (
        trainer.config.total_timesteps == preset["train"]["total_timesteps"] != TrainConfig().total_timesteps
    )
    assert trainer.config.clip_coef == preset["train"].get("clip_coef", TrainConfig().clip_coef)
    assert trainer.env.num_envs == preset["env"]["num_envs"]
    assert trainer.policy.arguments == preset["policy"]
    trainer.close()
    trainer.close()


def test_the_trainer_closes_the_env_that_it_made(monkeypatch):
    from pufferbench import registry

    monkeypatch.setattr(registry, "_specs", {**registry._specs})
    registry.register("test-bandit", Bandit)
    with PuffeRL("test-bandit", bptt_horizon=8) as trainer:
        run(trainer, 1)
    assert trainer.env.closed
