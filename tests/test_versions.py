"""One policy at several times of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pufferbench
from pufferbench.errors import PufferBenchError
from pufferbench.records import CheckpointError, RunError
from pufferbench.versions import LiveVersions, Version, spread, versions_of


def train(path: Path, first: dict[str, torch.Tensor] | None = None, **options: Any) -> pufferbench.PuffeRL:
    """Six updates, a checkpoint after every second; ``first`` gets the weights before them."""
    env = pufferbench.make("ocean-squared", num_envs=8, size=7)
    trainer = pufferbench.PuffeRL(
        env=env,
        bptt_horizon=16,
        minibatch_size=64,
        total_timesteps=6 * 128,
        checkpoint_interval=0,
        run_dir=path,
        **options,
    )
    if first is not None:
        first.update({name: tensor.clone() for name, tensor in trainer.policy.state_dict().items()})
    for _ in trainer.steps():
        if trainer.update % 2 == 0:
            trainer.save_checkpoint()
    return trainer


def test_a_run_from_untrained_to_its_end(tmp_path: Path) -> None:
    first: dict[str, torch.Tensor] = {}
    trainer = train(tmp_path, first)
    versions = versions_of(tmp_path)
    assert [(v.update, v.label) for v in versions.list()] == [
        (0, "untrained"), (2, "update 2"), (4, "update 4"), (6, "update 6"),
    ]  # fmt: skip
    assert [v.progress for v in versions.list()] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    untrained, last = versions.weights(0), versions.weights(-1)
    assert untrained is not None and last is not None
    assert all(torch.equal(untrained[name], first[name]) for name in first if "weight" in name)
    assert all(torch.equal(last[name], tensor) for name, tensor in trainer.policy.state_dict().items())
    assert not torch.equal(versions.weights(1)["hidden.weight"], last["hidden.weight"])  # type: ignore[index]
    with versions.make_env() as game:
        assert game.num_envs == 1 and game.params["size"] == 7


def test_a_live_trainer_is_followed_and_old_snapshots_thinned_out() -> None:
    trainer = pufferbench.PuffeRL(
        env=pufferbench.make("ocean-squared", num_envs=2),
        bptt_horizon=8,
        minibatch_size=16,
        total_timesteps=16 * 200,
    )
    versions = LiveVersions(trainer)
    assert [v.update for v in versions.list()] == [0]
    for update in trainer.steps():
        found = [v.update for v in versions.list()]
        assert found[0] == 0 and found[-1] == update["update"] and found == sorted(set(found))
        assert len(found) <= LiveVersions.MOST + 1
    np.testing.assert_array_equal(
        versions.weights(-1)["hidden.weight"], trainer.policy.hidden.weight.detach()
    )
    versions.close()


def test_spread() -> None:
    versions = [Version(update, update / 100, "") for update in (0, 4, 11, 50, 100)]
    assert spread(versions, (0, 0.01, 0.05, 0.1, 0.5, 1)) == [0, 1, 2, 3, 4]
    assert spread(versions[:1], (0, 1)) == [0]


def test_who_cannot_play(tmp_path: Path) -> None:
    with pytest.raises(PufferBenchError, match="name the env too"):
        versions_of(None)
    with pytest.raises(PufferBenchError, match="who shall play"):
        versions_of(3, "ocean-cartpole")
    with pytest.raises(RunError, match="not a run folder"):
        versions_of(tmp_path)
    trainer = pufferbench.PuffeRL(env="ocean-squared", run_dir=tmp_path / "empty")
    with pytest.raises(RunError, match="has no checkpoint"):
        versions_of(tmp_path / "empty")
    trainer.close()


def test_a_policy_of_ones_own_is_passed_and_never_imported(tmp_path: Path) -> None:
    class Mine(pufferbench.policies.MLP):
        pass

    env = pufferbench.make("ocean-squared", num_envs=8, size=7)
    mine = Mine(env.observation_space, env.action_space)
    train(tmp_path, policy=mine)
    with pytest.raises(CheckpointError, match="pass it"):
        versions_of(tmp_path)
    versions = versions_of(tmp_path, policy=Mine(env.observation_space, env.action_space))
    assert [v.update for v in versions.list()] == [2, 4, 6]
    newest = versions.newest()
    assert newest is not None and torch.equal(newest.hidden.weight, mine.hidden.weight)
    one = versions_of(tmp_path / "checkpoints" / "update_00000002.safetensors", env, newest)
    assert len(one.list()) == 1
