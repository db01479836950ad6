"""``puffer bench ocean`` and ``puffer warmup``: what they report, not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import pufferbench
from ocean_numba.registration import GAMES
from pufferbench import bench, bench_ocean
from pufferbench.cli import main, warmup
from pufferbench.cli.warmup import compile_all

SHORT = ["--seconds", "0.002", "--batch-sizes", "16"]


def test_the_table_has_a_row_for_each_game_that_was_asked_for(tmp_path, capsys) -> None:
    file = tmp_path / "speed.json"
    assert main(["bench", "ocean", "squared", "ocean-cartpole", *SHORT, "--json", str(file)]) == 0
    text = capsys.readouterr().out
    assert "ocean-squared" in text
    assert "68.6" in text
    result = json.loads(file.read_text(encoding="utf-8"))
    squared, cartpole = result["games"]
    assert (squared["game"], cartpole["game"]) == ("ocean-squared", "ocean-cartpole")
    assert squared["observation"] == 121
    assert cartpole["observation"] == 16
    assert squared["ratio"] == pytest.approx(squared["steps"] / 68.6e6)
    assert squared["limit"] == pytest.approx(squared["steps"] * 121 / squared["fill"])
    assert squared["two_threads"] is None  # far under 1 us


def test_json_alone_on_standard_output(capsys) -> None:
    assert main(["bench", "ocean", "bandit", *SHORT, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["games"][0]["peer"] is None


def test_heavy_games_are_measured_with_two_threads(monkeypatch) -> None:
    monkeypatch.setattr(bench_ocean, "HEAVY", 0.0)
    row = bench_ocean.measure("ocean-target", 0.002, (4,))
    assert row.two_threads is not None
    assert row.two_threads > 0


def test_every_peer_is_a_game() -> None:
    assert set(bench_ocean.PEERS) <= set(GAMES)


def test_where_rules_forbid_actions_a_legal_game_is_measured() -> None:
    env = pufferbench.make("ocean-tic-tac-toe", num_envs=8, backend="serial")
    played = bench.action_sets(env)
    assert len(played) == bench.LEGAL_STEPS
    env.reset(0)
    for actions in played:
        acting = env.masks
        assert env.action_masks[np.arange(len(actions)), actions][acting].all()
        env.step(actions)


def test_errors_are_sentences(capsys) -> None:
    assert main(["bench", "ocean", "squarred"]) == 2
    assert "did you mean 'squared'" in capsys.readouterr().err
    assert main(["bench", "ocean", "--seconds", "0"]) == 2
    assert "must be positive" in capsys.readouterr().err


# -- warmup -------------------------------------------------------------------------------------


def test_warmup_compiles_what_is_missing_once_and_nothing_is_left_for_trainings(tmp_path) -> None:
    environment = {**os.environ, "PUFFERBENCH_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": ""}

    def output(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    warm = "-m", "pufferbench.cli", "warmup"
    assert "2 learners and 1 games compiled" in output(*warm, "bandit", "--jobs", "1")
    assert list((tmp_path / "kernels").glob("bandit_*.py"))
    assert "0 learners and 0 games compiled" in output(*warm, "ocean-bandit")
    program = (
        "import pufferbench\n"
        "from numba.core import event\n"
        "class Compiled(event.Listener):\n"
        "    def on_start(self, event): print(event.data['dispatcher'])\n"
        "    def on_end(self, event): pass\n"
        "event.register('numba:compile', Compiled())\n"
        "for policy, size in (('MLP', 64), ('MLP', 4096), ('LSTM', 512), ('GRU', 512)):\n"
        "    env = pufferbench.make('bandit', num_envs=64)\n"
        "    trainer = pufferbench.PuffeRL(env, policy, bptt_horizon=64, minibatch_size=size)\n"
        "    trainer.evaluate()\n"
        "    trainer.train()\n"
    )
    assert output("-c", program) == ""


def test_a_game_at_fault_does_not_stop_the_others() -> None:
    shown: list[int] = []
    games = {"a": "ocean_numba.squared:Nothing", "b": "ocean_numba.squared:Squared"}
    failed = compile_all(games, 1, shown.append)
    assert list(failed) == ["a"]
    assert "has no attribute 'Nothing'" in failed["a"]
    assert shown == [1, 2]


def test_processes_that_die_are_reported(monkeypatch) -> None:
    monkeypatch.setattr(warmup, "WORKER", "ocean_numba.no_such_module")
    failed = compile_all({"a": "ocean_numba.squared:Squared"}, 1, lambda count: None)
    assert "its process has ended" in failed["a"]
