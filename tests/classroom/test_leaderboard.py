"""The leaderboard reads what strangers wrote. Hostile folders are refused with a reason, the others played."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save as save_arrays

import pufferbench as pb
from pufferbench import records
from pufferbench.classroom.children import python
from pufferbench.classroom.collect import collect
from pufferbench.classroom.course import Course, CourseError
from pufferbench.classroom.judge import curve, header_of, open_policy
from pufferbench.classroom.leaderboard import LEADERBOARD, judged, leaderboard
from pufferbench.classroom.rules import SETTINGS, Rules, rules
from pufferbench.classroom.untrusted import Refused, read
from pufferbench.errors import PufferBenchError

pytestmark = pytest.mark.classroom
GAME = "ocean-cartpole"
TOLD = Rules("project", GAME, episodes=8, seed=3, seconds=120, megabytes=8000)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a short training of CartPole."""
    run = tmp_path_factory.mktemp("good") / "run"
    trainer = pb.PuffeRL(env=pb.make(GAME, num_envs=64), run_dir=run, total_timesteps=20_000, batch_size=4096)
    list(trainer.steps())
    trainer.save_checkpoint()
    trainer.close()
    return run


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(good, tmp_path / "run"))


@pytest.fixture(scope="module")
def env():
    return pb.make(GAME, num_envs=2)


def checkpoint(run: Path) -> Path:
    return sorted((run / "checkpoints").iterdir())[-1]


def rewrite(run: Path, change) -> None:
    """Save the checkpoint again after ``change(header, arrays)``."""
    arrays, header = records.load_checkpoint(checkpoint(run))
    change(header, arrays)
    records.save_checkpoint(checkpoint(run), arrays, header)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_an_agent_is_played_on_the_teachers_seeds(good: Path) -> None:
    first = judged("anna", good, TOLD)
    assert first.refused == "" and len(first.scores) == TOLD.episodes
    assert first.mean > 25, "chance has about 20"
    assert first.steps >= 20_000 and len(first.curve) > 2 and first.settings["batch_size"] == "4096"


def test_a_pickle_with_the_right_name_is_not_opened(run: Path, env, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (pickle.dumps(Bomb()), pickle.dumps(Bomb(), protocol=0)):
        checkpoint(run).write_bytes(data)
        with pytest.raises(Refused, match=r"no safetensors file|no checkpoint of PufferBench"):
            open_policy(run, env, GAME)
    torch.save({"weights": Bomb()}, checkpoint(run))
    with pytest.raises(Refused, match="a pickle is never opened"):
        open_policy(run, env, GAME)
    assert not (tmp_path / "exploded").exists()


def test_a_header_of_ten_gigabytes(run: Path, env) -> None:
    checkpoint(run).write_bytes(struct.pack("<Q", 10_000_000_000) + b'{"__metadata__":{}}')
    with pytest.raises(Refused, match="10,000 MB; at most 1 MB"):
        open_policy(run, env, GAME)


def test_a_file_of_ten_gigabytes_is_not_read(run: Path, env) -> None:
    with open(checkpoint(run), "r+b") as file:
        file.truncate(10_000_000_000)  # a hole: it takes no room on the disk
    with pytest.raises(Refused, match="10,000 MB; at most 50 MB"):
        open_policy(run, env, GAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h["env"].update(id="antigravity:hello"), "names are compared, never imported"),
        (
            lambda h, a: h["env"].update(id="ocean-breakout"),
            "trained in 'ocean-breakout', not in ocean-cartpole",
        ),
        (lambda h, a: h.update(env=["x"]), "names are compared"),
        (lambda h, a: h["env"].update(wrappers=["TimeLimit"]), "wrappers"),
        (lambda h, a: h["policy"].update(name="os.system"), "is not one of PufferBench's"),
        (lambda h, a: h["policy"].update(name=["MLP"]), "is not one of PufferBench's"),
        (lambda h, a: h.update(policy="MLP"), "is not one of PufferBench's"),
        (lambda h, a: h["policy"].update(arguments={"hidden_size": 10**12}), "numbers up to 4096"),
        (lambda h, a: h["policy"].update(arguments={"hidden_size": [8]}), "numbers up to 4096"),
        (lambda h, a: h["policy"].update(arguments={"hidden_size": 4096}), "another shape"),
        (lambda h, a: h["policy"].update(arguments={"colour": 1}), "cannot be made"),
        (lambda h, a: h["policy"].update(name="LSTM"), "cannot be made"),
        (lambda h, a: h.update(action_space="Discrete(7)"), "action space"),
        (lambda h, a: a.pop("policy.heads.weight"), "cannot be made"),
    ],
)
def test_what_a_checkpoint_says_is_not_believed(run: Path, env, change, message: str) -> None:
    rewrite(run, change)
    with pytest.raises(PufferBenchError, match=message):
        open_policy(run, env, GAME)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        struct.pack("<Q", 4) + b"{[}]",
        save_arrays({"x": np.zeros(2)}),
        b'\x02\0\0\0\0\0\0\0"a"',
    ],
)
def test_what_is_no_checkpoint(data: bytes) -> None:
    with pytest.raises(Refused):
        header_of(data)


def test_a_header_nested_deeply() -> None:
    text = json.dumps({"__metadata__": {"pufferbench": "[" * 100_000}}).encode()
    with pytest.raises(Refused, match="no checkpoint of PufferBench"):
        header_of(struct.pack("<Q", len(text)) + text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_links_and_pipes_are_not_opened(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the teacher's", encoding="utf-8")
    (run / "link").symlink_to(secret)
    (run / "folder").symlink_to(tmp_path)
    os.mkfifo(run / "pipe")
    for name, message in (
        ("link", "is a link"),
        ("folder/secret.txt", "link to somewhere else"),
        ("pipe", "no plain"),
    ):
        with pytest.raises(Refused, match=message):
            read(run / name, run, 1)


def test_damaged_metrics_are_left_out(run: Path, good: Path) -> None:
    hostile = [
        '{"global_step": 1e999, "score": 1}',
        '{"global_step": 1, "score": "x"}',
        "[" * 50_000,
        "\x00",
        "[]",
    ]
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write("\n".join(hostile) + "\n")
    assert curve(run, "episode_return") == curve(good, "episode_return") != []


@pytest.mark.parametrize("said", ["no JSON", '{"points": 1}', "[]", "3"])
def test_an_answer_that_cannot_be_read_is_no_score(
    said: str, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", f"print({said!r})"]
    monkeypatch.setattr("pufferbench.classroom.leaderboard.python", lambda *arguments: command)
    entry = judged("eve", good, TOLD)
    assert entry.scores == [] and "no answer that can be read" in entry.refused


def test_an_agent_that_takes_too_long_is_stopped(good: Path) -> None:
    entry = judged("slow", good, Rules("project", GAME, 8, 3, seconds=1, megabytes=8000))
    assert entry.refused == "it took more than 1 s, and was stopped"


TRY = """
from pufferbench.classroom import judge
import socket, subprocess, sys, os
def main(arguments):
    cut = judge.cut_network() if arguments[1] == "cut" else judge.lock()
    for act in (
        lambda: socket.create_connection(("127.0.0.1", int(arguments[0])), timeout=5),
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        lambda: os.system("exit 0"),
    ):
        try:
            act()
            print("done")
        except OSError as error:
            print(type(error).__name__, error)
    print(cut)
"""


@pytest.mark.parametrize("how", ["lock", "cut"])
def test_no_network_and_no_new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    (tmp_path / "attempt.py").write_text(TRY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = python("attempt", str(server.getsockname()[1]), how)
        tried = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    connected, ran, shell, cut = tried.stdout.splitlines()
    if how == "lock":
        assert "not allowed while a submission is judged" in connected
        assert "not allowed" in ran and "not allowed" in shell
    elif cut == "True":
        assert connected != "done", "the system has cut the network"


def test_a_hostile_folder_is_collected_without_what_is_hostile(
    course: Course, good: Path, tmp_path: Path
) -> None:
    anna, mallory = tmp_path / "anna" / "project", tmp_path / "mallory" / "project"
    for home in (anna, mallory):
        home.mkdir(parents=True)
        shutil.copy(course.root / "release" / "project" / "project.ipynb", home)
        shutil.copytree(good, home / "run")
    (mallory / "run" / "config.toml").unlink()
    (mallory / "run" / "config.toml").symlink_to(course.root / SETTINGS)
    (mallory / "run" / "checkpoints" / "zzz.safetensors").symlink_to(course.root / "gradebook.db")
    (mallory / "sitecustomize.py").write_text("print('run')", encoding="utf-8")
    (tmp_path / "eve[*]").mkdir()
    shutil.copy(
        course.root / "release" / "bandit" / "bandit.ipynb", mallory.parent
    )  # its run is not the project's
    shutil.copytree(good, mallory.parent / "run")
    by_name = {found.student: found for found in collect(course, tmp_path) if found.assignment != "bandit"}
    assert not (course.root / "submitted" / "mallory" / "bandit" / "run").exists()
    assert by_name["anna"].problems == []
    assert len(by_name["mallory"].problems) == 2 and "is a link" in by_name["mallory"].problems[0]
    assert "cannot be a student's name" in by_name["eve[*]"].problems[0]
    taken = course.root / "submitted" / "mallory" / "project"
    files = sorted(path.relative_to(taken).as_posix() for path in taken.rglob("*") if path.is_file())
    assert files == ["project.ipynb", "run/metrics.jsonl"]

    text = (course.root / SETTINGS).read_text(encoding="utf-8")
    (course.root / SETTINGS).write_text(
        text.replace("ocean-breakout", GAME).replace("= 64", "= 8"), encoding="utf-8"
    )
    entries = leaderboard(course)
    assert [entry.student for entry in entries] == ["anna", "mallory"]
    assert "no checkpoint" in entries[1].refused
    rows = list(csv.DictReader((course.root / LEADERBOARD).open(encoding="utf-8")))
    assert (rows[0]["place"], rows[0]["student"], rows[1]["place"]) == ("1", "anna", "")
    (course.root / SETTINGS).write_text(text, encoding="utf-8")


def test_every_course_has_a_seed_of_its_own(course: Course) -> None:
    assert rules(course).seed > 0, "and it is not the shipped one"


def test_a_teachers_mistake_is_told(course: Course) -> None:
    text = (course.root / SETTINGS).read_text(encoding="utf-8")
    for change, message in (
        (text.replace("ocean-breakout", "ocean-breakuot"), "did you mean 'ocean-breakout'"),
        (text.replace("episodes", "episode"), "episode"),
        (text.replace("= 64", "= 0"), "above 0, not 0"),
    ):
        (course.root / SETTINGS).write_text(change, encoding="utf-8")
        with pytest.raises(PufferBenchError, match=message):
            rules(course)
    (course.root / SETTINGS).unlink()
    with pytest.raises(CourseError, match="cannot be used"):
        rules(course)
    (course.root / SETTINGS).write_text(text, encoding="utf-8")
