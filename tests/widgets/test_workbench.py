"""Workbench(): tabs made when they are opened, from what is chosen above them; nothing left behind."""

from __future__ import annotations

import pytest

import pufferbench as pb
from pufferbench.widgets import Comparison, FilmStrip, Play, PolicyGraph, TrainerPanel, Watch, Workbench


@pytest.fixture
def bench(tmp_path):
    bench = Workbench("squared", folder=tmp_path / "runs")
    yield bench
    bench.close()


def test_a_tab_is_made_when_it_is_opened(bench):
    assert list(bench.tabs) == ["Train"]
    assert isinstance(bench.tabs["Train"], TrainerPanel)
    assert isinstance(bench.go("Play"), Play)
    watching = bench.go("Watch")
    assert isinstance(watching, Watch)
    assert bench.go("Watch") is watching
    assert isinstance(bench.go("Network"), PolicyGraph)
    assert bench.trainer is bench.tabs["Train"].trainer
    with pytest.raises(ValueError, match="no tab 'Sweep'; there are: Train, Play"):
        bench.go("Sweep")


def test_another_choice_begins_another_training_and_keeps_the_run_of_the_first(bench, tmp_path):
    first = bench.trainer
    first.evaluate()
    first.train()
    first.mean_and_log()
    bench.env.value = "ocean-cartpole"
    assert bench.trainer is not first
    assert bench.trainer.env.spec.id == "ocean-cartpole"
    bench.policy.value = "LSTM"
    assert isinstance(bench.trainer.policy, pb.policies.LSTM)
    assert len(list((tmp_path / "runs").iterdir())) == 3
    bench.env.value = "ocean-squared"
    strip = bench.go("Film strip")
    assert isinstance(strip, FilmStrip)


def test_comparing_what_was_trained(bench):
    assert bench.go("Compare") is None  # nothing has been trained yet: said in words
    assert "role='alert'" in bench.note.value or 'role="alert"' in bench.note.value
    for seed in (0, 1):
        bench.seed.value = seed
        for _ in range(40):
            bench._trained().evaluate()
            bench.trainer.train()
            bench.trainer.mean_and_log()
    assert isinstance(bench.go("Compare"), Comparison)
    assert bench.note.value == ""


def test_a_policy_that_does_not_fit_is_said_in_words(bench):
    bench.policy.value = "Independent"
    assert "AgentID" in bench.note.value
    assert "Train" not in bench.tabs
    bench.policy.value = "MLP"
    assert bench.note.value == ""
    assert "Train" in bench.tabs


def test_racing_the_agent(bench):
    alone = bench.go("Play")
    bench.race.value = True
    assert bench.tabs["Play"] is not alone


def test_the_picture_is_that_of_the_open_tab(bench):
    assert "Workbench(ocean-squared, Train)" in repr(bench)
    assert "ocean-squared" in bench.picture()[1]


def test_closing_leaves_no_thread(tmp_path):
    bench = Workbench("squared", folder=tmp_path)
    bench.tabs["Train"].start()
    bench.close()
    bench.close()
    assert bench.trainer is None
    # That no thread is left is asked after every test here (conftest.py)
