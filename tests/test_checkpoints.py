"""Checkpoints: the round trip, bad files, foreign ones, a full disk."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from envs import Aim, Bandit
from safetensors.numpy import save as save_arrays
from torch import nn
from training import run, same, weights

from pufferbench import PuffeRL, policies, records
from pufferbench.records import CheckpointError, RunFolder


def trained(updates=2, env=None, **config):
    trainer = PuffeRL(env or Bandit(8), bptt_horizon=16, **config)
    run(trainer, updates)
    return trainer


def test_round_trip(tmp_path):
    trainer = trained(3, learning_rate=0.01, lr_schedule="linear", total_timesteps=10_000)
    trainer.learning_rate = 0.02
    run(trainer, 1)
    path = trainer.save_checkpoint(
        tmp_path / "checkpoint", metadata={"iteration": 7, "best": np.float32(12.5)}
    )
    assert path == tmp_path / "checkpoint.safetensors"

    other = PuffeRL(Bandit(8), bptt_horizon=16, seed=5, lr_schedule="linear", total_timesteps=10_000)
    assert not same(weights(other), weights(trainer))
    assert other.load_checkpoint(tmp_path / "checkpoint") == {"iteration": 7, "best": 12.5}
    assert same(weights(other), weights(trainer))
    assert same(other.snapshot.weights, weights(trainer))
    assert (other.update, other.global_step, other.learning_rate) == (4, 4 * 128, 0.02)
    assert other.optimizer.state_dict()["state"][0]["step"] == 4 * 4
    for number, moments in trainer.optimizer.state_dict()["state"].items():
        assert same(moments, other.optimizer.state_dict()["state"][number])
    assert torch.equal(other.generator.get_state(), trainer.generator.get_state())
    record = run(other, 1)
    assert (record["update"], record["global_step"]) == (5, 5 * 128)
    assert record["learning_rate"] == pytest.approx(0.02 * (1 - 4 * 128 / 10_000))  # the schedule goes on
    assert record["elapsed"] > trainer.elapsed


def test_two_resumed_trainings_are_equal(tmp_path):
    path = trained().save_checkpoint(tmp_path / "a")
    records_ = []
    for _ in range(2):
        other = PuffeRL(Bandit(8), bptt_horizon=16)
        other.load_checkpoint(path)
        records_.append({k: v for k, v in run(other, 3).items() if not k.startswith(("time", "sps", "e"))})
    assert records_[0] == records_[1]


def test_nothing_is_recorded_by_loading_alone(tmp_path):
    path = trained().save_checkpoint(tmp_path / "a")
    other = PuffeRL(Bandit(8), bptt_horizon=16)
    other.load_checkpoint(path)
    assert other.mean_and_log() == {}
    with pytest.raises(RuntimeError, match="evaluate"):
        other.train()


def test_a_run_goes_on_where_its_checkpoint_was_taken(tmp_path):
    trainer = trained(5, run_dir=tmp_path, checkpoint_interval=2)
    assert trainer.last_checkpoint == trainer.run.checkpoint_path(4)
    resumed = PuffeRL(Bandit(8), bptt_horizon=16, run_dir=tmp_path)
    resumed.load_checkpoint(RunFolder.open(tmp_path).latest_checkpoint)
    run(resumed, 2)
    assert [record["update"] for record in resumed.run.records] == [1, 2, 3, 4, 5, 6]


def updates_kept(folder):
    return [int(path.stem.rpartition("_")[2]) for path in RunFolder.open(folder).checkpoints]


def test_checkpoints_are_kept_at_milestones_of_the_training_and_at_every_interval(tmp_path):
    trained(20, run_dir=tmp_path / "a", checkpoint_interval=6, total_timesteps=20 * 128)
    assert updates_kept(tmp_path / "a") == [1, 2, 5, 6, 10, 12, 15, 18]  # 1 and 5, 10, 25, 50, 75 %
    trained(20, run_dir=tmp_path / "b", checkpoint_interval=0, total_timesteps=20 * 128)
    assert updates_kept(tmp_path / "b") == []


def test_a_resumed_run_keeps_the_same_milestones(tmp_path):
    options = {"run_dir": tmp_path, "checkpoint_interval": 100, "total_timesteps": 20 * 128}
    trained(7, **options)
    resumed = PuffeRL(Bandit(8), bptt_horizon=16, **options)
    resumed.load_checkpoint(RunFolder.open(tmp_path).latest_checkpoint)
    run(resumed, 15)
    assert updates_kept(tmp_path) == [1, 2, 5, 10, 15]


def test_a_policy_is_loaded_by_its_name_or_must_be_passed(tmp_path):
    trainer = trained(policy="MLP")
    path = trainer.save_checkpoint(tmp_path / "a")
    spaces = trainer.env.observation_space, trainer.env.action_space
    assert same(policies.load(path, *spaces).state_dict(), weights(trainer))

    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 5)

        def forward(self, x):
            y = self.layer(x)
            return y[:, :4], y[:, 4:]

    trainer = trained(policy=Mine())
    path = trainer.save_checkpoint(tmp_path / "b")
    with pytest.raises(CheckpointError, match="pass it: policy=MyPolicy"):
        policies.load(path, *spaces)
    assert same(policies.load(path, *spaces, policy=Mine()).state_dict(), weights(trainer))


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def bad_files(good):
    header = int.from_bytes(good[:8], "little")
    yield "empty", b""
    yield "short", good[: len(good) // 2]
    yield "header_cut", good[: 8 + header // 2]
    yield "one_byte_less", good[:-1]
    yield "text", b"not a checkpoint at all, just text"
    yield "pickle", pickle.dumps(Bomb())
    yield "huge_header", (2**60).to_bytes(8, "little") + good[8:]
    yield "foreign", save_arrays({"weight": np.zeros(3)})
    yield "other_format", save_arrays({"weight": np.zeros(3)}, {"pufferbench": json.dumps({"format": "x"})})
    yield "no_json", save_arrays({"weight": np.zeros(3)}, {"pufferbench": "{"})
    ours = {"format": "pufferbench-checkpoint", "version": 1}
    yield "no_fields", save_arrays({"weight": np.zeros(3)}, {"pufferbench": json.dumps(ours)})
    yield "future", save_arrays({"weight": np.zeros(3)}, {"pufferbench": json.dumps({**ours, "version": 99})})


NAMES = [
    "empty", "short", "header_cut", "one_byte_less", "text", "pickle", "huge_header", "foreign", "other_format",
    "no_json", "no_fields", "future",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_bad_files_are_refused_and_change_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    trainer = trained()
    good = trainer.save_checkpoint("good").read_bytes()
    files = dict(bad_files(good))
    assert list(files) == NAMES
    (tmp_path / "bad.safetensors").write_bytes(files[name])
    before = weights(trainer)
    with pytest.raises(CheckpointError, match=r"bad\.safetensors"):
        trainer.load_checkpoint("bad")
    assert same(before, weights(trainer))
    assert trainer.update == 2
    assert not (tmp_path / "exploded").exists()
    run(trainer, 1)


def test_a_pickle_with_the_right_name_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Bomb()}, tmp_path / "torch.safetensors")
    with pytest.raises(CheckpointError, match="pickles are never opened"):
        trained().load_checkpoint("torch")
    assert not (tmp_path / "exploded").exists()


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors: No such file"):
        trained().load_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, arrays: arrays.pop("generator"), "incomplete or does not fit"),
        (lambda header, arrays: arrays.update(generator=np.zeros(3, np.uint8)), "does not fit"),
        (lambda header, arrays: header.update(update="many"), "does not fit"),
        (lambda header, arrays: header.update(train=[1]), "does not fit"),
        (lambda header, arrays: header["train"].update(learning_rate=-1), "learning_rate must be"),
        (lambda header, arrays: arrays.pop("optimizer.0.exp_avg"), "another optimizer"),
        (lambda header, arrays: arrays.pop("policy.heads.weight"), "heads.weight is missing"),
        (lambda header, arrays: arrays.update({"policy.extra": np.zeros(1)}), "extra is unknown"),
    ],
)
def test_incomplete_checkpoints_change_nothing(tmp_path, change, message):
    trainer = trained()
    arrays, header = records.load_checkpoint(trainer.save_checkpoint(tmp_path / "good"))
    change(header, arrays)
    records.save_checkpoint(tmp_path / "bad.safetensors", arrays, header)
    before, generator = weights(trainer), trainer.generator.get_state()
    with pytest.raises(CheckpointError, match=message):
        trainer.load_checkpoint(tmp_path / "bad")
    assert same(before, weights(trainer))
    assert torch.equal(generator, trainer.generator.get_state())


def test_other_envs_and_policies_are_refused(tmp_path):
    trainer = trained()
    path = trainer.save_checkpoint(tmp_path / "a")
    with pytest.raises(
        CheckpointError, match=r"observation space Box\(shape \(4,\), float32\); this env's is"
    ):
        PuffeRL(Aim(8)).load_checkpoint(path)
    with pytest.raises(
        CheckpointError, match=r"does not fit this MLP: hidden.weight has shape \(128, 4\), not"
    ):
        small = policies.MLP(trainer.env.observation_space, trainer.env.action_space, hidden_size=8)
        PuffeRL(Bandit(8), policy=small).load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"hidden.weight has shape \(128, 4\), not \(8, 4\)"):
        policies.load(path, trainer.env.observation_space, trainer.env.action_space, policy=small)


def test_metadata_must_be_data(tmp_path):
    with pytest.raises(TypeError, match=r"metadata.*is a function"):
        trained().save_checkpoint(tmp_path / "a", metadata={"f": lambda: 0})
    assert os.listdir(tmp_path) == []


def test_without_a_run_folder_a_path_is_needed():
    with pytest.raises(ValueError, match="needs a path"):
        trained().save_checkpoint()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_previous_checkpoint(tmp_path, monkeypatch, failing):
    trainer = trained()
    path = trainer.save_checkpoint(tmp_path / "a")
    before = path.read_bytes()
    run(trainer, 1)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(records.os, failing, full)
        with pytest.raises(
            CheckpointError, match="No space left on device; the previous checkpoint .* unharmed"
        ):
            trainer.save_checkpoint(tmp_path / "a")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]
    trainer.save_checkpoint(tmp_path / "a")
    assert path.read_bytes() != before


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from envs import Bandit
from pufferbench import PuffeRL
from pufferbench.records import CheckpointError
trainer = PuffeRL(Bandit(8))
path = trainer.save_checkpoint(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    trainer.save_checkpoint(sys.argv[1])
except CheckpointError as error:
    print("refused:", error)
trainer.load_checkpoint(path)
print("loaded")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limits")
def test_a_write_that_really_fails_half_way(tmp_path):
    arguments = [str(tmp_path / "a"), os.path.dirname(__file__)]
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert "refused: cannot write checkpoint" in result.stdout, result.stderr
    assert "loaded" in result.stdout
    assert os.listdir(tmp_path) == ["a.safetensors"]
