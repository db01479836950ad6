"""Run folders: what is written is read back, also after a crash or on a full disk."""

from __future__ import annotations

import errno
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from pufferbench import records
from pufferbench.records import RunError, RunFolder, plain, read_records, toml, write_atomic

CONFIG = {
    "env": {"id": "ocean-squared", "kwargs": {"size": 11, "name": 'a "quoted" ü \\ \n line'}},
    "train": {"learning_rate": 1e-3, "big": 1e22, "compile": True, "missing": None, "list": [1, 2]},
}


def test_toml_is_read_back_the_same():
    expected = json.loads(json.dumps(CONFIG))
    del expected["train"]["missing"]
    assert tomllib.loads(toml({"title": "x", **CONFIG})) == {"title": "x", **expected}
    assert tomllib.loads(toml({"a": {"odd key.": "\x7f\x00\t"}})) == {"a": {"odd key.": "\x7f\x00\t"}}


def test_plain_turns_arrays_into_numbers_and_refuses_code():
    assert plain({"a": np.float32(0.5), "b": np.arange(2), "c": (torch.tensor(3), Path("x"))}) == {
        "a": 0.5, "b": [0, 1], "c": [3, "x"],
    }  # fmt: skip
    assert plain([float("nan"), np.inf, 1.0]) == [None, None, 1.0]
    with pytest.raises(TypeError, match=r"metadata\['f'\]\[1\] is a function"):
        plain({"f": [1, lambda: 0]}, "metadata")


def test_a_run_is_read_back(tmp_path):
    run = RunFolder.create(tmp_path / "runs" / "one", CONFIG)
    run.append({"update": 1, "episode_return": np.float32(2.5), "bad": float("nan")})
    run.append({"update": 2, "changes": {"gamma": {"old": 0.9, "new": 0.8}}})
    for update in (9, 100, 20):
        run.checkpoint_path(update).write_bytes(b"")
    again = RunFolder.open(tmp_path / "runs" / "one")
    assert again.config["env"]["id"] == "ocean-squared"
    assert again.records == [
        {"update": 1, "episode_return": 2.5, "bad": None},
        {"update": 2, "changes": {"gamma": {"old": 0.9, "new": 0.8}}},
    ]
    assert again.latest_checkpoint == again.checkpoint_path(100)
    assert RunFolder.create(tmp_path / "empty", CONFIG).latest_checkpoint is None


def test_a_half_written_line_is_left_out_and_then_replaced(tmp_path):
    run = RunFolder.create(tmp_path, CONFIG)
    run.append({"update": 1})
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(b'{"update": 2, "epi')
    again = RunFolder.open(tmp_path)
    assert again.records == [{"update": 1}]
    again.append({"update": 2})
    assert again.records == [{"update": 1}, {"update": 2}]


def test_a_damaged_line_within_is_an_error_that_names_it(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"update": 1}\n{"upd\n{"update": 3}\n')
    with pytest.raises(RunError, match=r"metrics.jsonl, line 2 is damaged"):
        read_records(tmp_path / "metrics.jsonl")


def test_an_update_is_recorded_once(tmp_path):
    RunFolder.create(tmp_path, CONFIG).append({"update": 5})
    run = RunFolder.create(tmp_path, {"env": {"id": "another"}})  # the folder's own config stays
    assert run.config["env"]["id"] == "ocean-squared"
    with pytest.raises(RunError, match="already has update 5, so update 1 cannot"):
        run.append({"update": 1})
    run.rewind(4)
    run.append({"update": 5, "again": True})
    assert run.records == [{"update": 5, "again": True}]


def test_no_run_folder(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder: it has no readable config.toml"):
        RunFolder.open(tmp_path / "nothing")
    (tmp_path / "config.toml").write_text("a = ", encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        RunFolder.open(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="cannot make run folder"):
        RunFolder.create(tmp_path / "file", CONFIG)


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    monkeypatch.setattr(records.os, failing, full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_full_disk_while_adding_a_record_spoils_no_other(tmp_path, monkeypatch):
    run = RunFolder.create(tmp_path, CONFIG)
    run.append({"update": 1})
    real_open = open

    class HalfWriter:
        def __init__(self, *args):
            self.file = real_open(*args)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(records, "open", HalfWriter, raising=False)
        with pytest.raises(RunError, match=r"cannot add to metrics\.jsonl .* No space left"):
            run.append({"update": 2})
    run.append({"update": 2})
    assert run.records == [{"update": 1}, {"update": 2}]
