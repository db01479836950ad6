"""Where the time goes: the stopwatch, and that parts are found, add up, and leave no trace."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

import pufferbench as pb
from pufferbench import learner, profiling
from pufferbench.profiling import Limit, Nested, Part, Profile, profile_env, profile_trainer, wrapped


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_an_inner_part_stops_the_outer_one():
    watch = Nested()
    with watch.part("outer"):
        busy(0.02)
        with watch.part("inner"):
            busy(0.04)
        busy(0.02)
    assert watch.seconds["inner"] >= 0.04
    assert watch.seconds["outer"] >= 0.04
    total = sum(watch.seconds.values())
    with watch.part("another"):
        pass
    assert sum(watch.seconds.values()) >= total  # nothing is counted twice, nothing goes backwards


def test_wrapped_functions_are_put_back_even_after_an_error():
    class Owner:
        def work(self) -> str:
            return "done"

    owner, watch, before = Owner(), Nested(), learner.ppo_loss
    with (
        pytest.raises(ZeroDivisionError),
        wrapped(watch, [(owner, "work", "w"), (learner, "ppo_loss", "loss")]),
    ):
        assert owner.work() == "done"
        raise ZeroDivisionError
    assert watch.seconds["w"] > 0
    assert vars(owner) == {}
    assert learner.ppo_loss is before


@pytest.mark.parametrize("kind", ["fused", "autograd"])
def test_a_trainer_taken_apart(kind):
    trainer = pb.PuffeRL(env=pb.make("ocean-squared", num_envs=64), learner=kind, bptt_horizon=16)
    loss, backward = learner.ppo_loss, torch.autograd.grad
    found = profile_trainer(trainer, updates=2)
    names = [part.name for part in found.parts]
    assert names == [name for name in profiling.TRAINING if name in names]
    assert {"environment", "copy", "policy", "forward", "backward", "optimizer", "other"} <= set(names)
    assert ("loss" in names) == (kind == "autograd")
    assert sum(found.share(name) for name in names) == pytest.approx(1)
    assert found.per_second == pytest.approx(1 / found.seconds)
    assert found.limits[0].name == "arithmetic"
    assert found.limits[0].seconds > 0
    assert kind in found.title
    assert learner.ppo_loss is loss
    assert torch.autograd.grad is backward
    assert trainer.update > 4
    before = trainer.update
    trainer.evaluate()
    trainer.train()
    assert trainer.update == before + 1  # it goes on as if nothing had been


def test_a_slow_game_is_seen_to_be_slow():
    class Slow(pb.PufferEnv):
        def __init__(self, buf=None):
            super().__init__(buf)
            self.observation_space, self.action_space = self.make_space((2,)), self.make_discrete(2)

        def reset(self):
            return np.zeros(2, np.float32)

        def step(self, action):
            busy(0.0005)
            return np.zeros(2, np.float32), 1.0, False, {}

    env = pb.emulate(Slow, num_envs=2)
    assert profile_env(env, 0.2).share("game") > 0.7
    trainer = pb.PuffeRL(env=env, bptt_horizon=64, minibatch_size=128)
    found = profile_trainer(trainer, 1)
    assert found.share("environment") > 0.7 * (1 - found.share("idle"))  # others may have the processor
    assert found.seconds > 0.0005


def test_worker_processes_are_waited_for():
    with pb.make("gym-CartPole-v1", num_envs=4, num_workers=2) as env:
        found = profile_env(env, 0.2)
    assert found.share("waiting") + found.share("vectorizer") > 0.3


def test_impossible_requests():
    trainer = pb.PuffeRL(env=pb.make("ocean-squared", num_envs=64), bptt_horizon=16, total_timesteps=1024)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        profile_trainer(trainer, updates=0)
    list(trainer.steps())
    with pytest.raises(ValueError, match="larger total_timesteps"):
        profile_trainer(trainer)


def test_as_a_table():
    parts = (Part("environment", 3e-9, "green", ""), Part("policy", 1e-9, "blue", ""))
    words = str(Profile("Training x", parts, (Limit("memory", 2e-9, ""),), "A note."))
    assert words.splitlines()[0] == "Training x: 250,000,000 agent steps/s, 4.0 ns each"
    assert "75%" in words
    assert "limit: memory, 2.0 ns" in words
