"""Rollouts in one compiled call: those of the step-by-step way, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

import pufferbench
from pufferbench import PuffeRL, fused_play
from pufferbench.fused_play import LEAST_FOUND
from pufferbench.trainer import StopTraining

# name, games, horizon, parameters
GAMES = {
    "cut episodes": ("ocean-cartpole", 9, 40, {"max_steps": 7}),
    "bytes, several agents": ("ocean-target", 6, 32, {}),
    "turns and illegal actions": ("ocean-connect-four", 5, 50, {"players": 2}),
    "wide observations": ("ocean-breakout", 70, 16, {}),
    "more ends than a thread can hold": ("ocean-cartpole", 600, 16, {"max_steps": 1}),
}


def played(case, alone, threads=1, updates=2):
    """The rollouts, records and weights of a few updates; ``alone``: step by step."""
    name, games, horizon, params = GAMES[case]
    env = pufferbench.make(name, num_envs=games, **params)
    found = []
    with PuffeRL(env, bptt_horizon=horizon, torch_threads=threads, seed=3, learner="fused") as trainer:
        assert trainer._player is not None
        assert len(trainer._player._found) == threads or fused_play.WORTH_A_THREAD
        if alone:
            trainer._player = None
        for _ in range(updates):
            trainer.evaluate()
            r = trainer.rollout
            kept = [
                r.observations,
                r.actions,
                r.logprobs,
                r.values,
                r.rewards,
                r.terminals,
                r.truncations,
                r.masks,
            ]
            kept += [r.action_masks] * (r.action_masks is not None)
            kept += r.finals() if r.truncations.any() else []
            found += [tensor.clone() for tensor in kept]
            trainer.train()
            record = trainer.mean_and_log()
            found.append(
                {k: v for k, v in record.items() if not k.startswith(("time_", "elapsed", "eta", "sps"))}
            )
    return [*found, *trainer.policy.state_dict().values()]


def equal(some, others):
    pairs = zip(some, others, strict=True)
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in pairs)


@pytest.mark.parametrize("case", GAMES)
def test_same_bits_as_step_by_step_with_one_thread_and_two(case, monkeypatch):
    monkeypatch.setattr(fused_play, "WORTH_A_THREAD", 0)
    expected = played(case, alone=True)
    assert equal(expected, played(case, alone=False))
    assert equal(expected, played(case, alone=False, threads=2))


def test_the_cases_are_what_they_say():
    cut = played("cut episodes", alone=False, updates=1)
    assert cut[6].any()
    waiting = played("turns and illegal actions", alone=False, updates=1)
    assert not waiting[7].all() and not waiting[8].all()
    many = played("more ends than a thread can hold", alone=False, updates=1)
    assert (many[5] | many[6]).sum() > LEAST_FOUND


def test_fresh_and_cached_code_play_the_same(tmp_path):
    program = (
        "import hashlib, pufferbench\n"
        "trainer = pufferbench.PuffeRL(pufferbench.make('ocean-cartpole', num_envs=8), bptt_horizon=64)\n"
        "for _ in range(3): trainer.evaluate(); trainer.train()\n"
        "weights = b''.join(w.numpy().tobytes() for w in trainer.policy.state_dict().values())\n"
        "function = trainer._player._function\n"
        "print(hashlib.sha256(weights).hexdigest(), sum(function.stats.cache_hits.values()))\n"
    )
    environment = {**os.environ, "PUFFERBENCH_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-c", program]
    runs = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert [hits for _, hits in runs] == ["0", "1"]
    assert runs[0][0] == runs[1][0]


def test_a_gate_can_stop_it_and_the_next_update_is_whole():
    env = pufferbench.make("ocean-cartpole", num_envs=4096)
    with PuffeRL(env, bptt_horizon=32) as trainer:
        calls = 0

        def gate():
            nonlocal calls
            calls += 1
            if calls == 3:
                raise StopTraining

        trainer.gate = gate
        with pytest.raises(StopTraining):
            trainer.evaluate()
        trainer.gate = None
        with pytest.raises(RuntimeError, match="evaluate"):
            trainer.train()
        trainer.evaluate()
        trainer.train()
        assert trainer.update == 1


def test_an_env_that_moved_to_other_arrays_is_followed():
    env = pufferbench.make("ocean-cartpole", num_envs=8)
    with PuffeRL(env, bptt_horizon=16) as trainer:
        trainer.evaluate()
        buffers = type(env.buffers).allocate(8, env.observation_space, env.action_space)
        env.use_buffers(buffers)
        trainer.evaluate()
        assert torch.equal(
            trainer.rollout.stored(buffers.observations), trainer.rollout.stored(env.observations)
        )
        assert (env.states["episode_length"] > 0).any()
        assert buffers.rewards.all()


class Louder(pufferbench.Wrapper):
    def observation(self, observations):
        return observations * 2


def test_what_needs_python_at_each_step_is_left_alone():
    for env in (
        Louder(pufferbench.make("ocean-cartpole", num_envs=8)),
        pufferbench.make("ocean-cartpole", num_envs=8, mode="python"),
        pufferbench.make("gym-CartPole-v1", num_envs=2),
    ):
        with PuffeRL(env, bptt_horizon=16) as trainer:
            assert trainer._player is None
