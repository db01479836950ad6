"""Run folders read back: lists, names, damage, curves, tables, the figure."""

import csv
import io

import numpy as np
import pytest

import pufferbench
from pufferbench import runs
from pufferbench.records import RunError


def test_list_has_all_runs_oldest_first(write_run, tmp_path):
    for name in ("b", "a"):
        write_run(name, [1, 2])
    (tmp_path / "runs" / "notes").mkdir()
    found = runs.list(tmp_path / "runs")
    assert [run.name for run in found] == ["b", "a"]
    assert [len(run.records) for run in found] == [2, 2]
    assert (found[0].env, found[0].seed, found[0].last("episode_return_100")) == ("ocean-squared", 0, 2)


def test_states(write_run, tmp_path):
    done, going, none = write_run("done", [1] * 4), write_run("going", [1]), write_run("none", [])
    assert [runs.load(path).state for path in (done, going, none)] == ["finished", "training", "empty"]
    import os

    os.utime(going / "metrics.jsonl", (0, 0))
    assert runs.load(going).state == "stopped"


def test_a_killed_run_is_read_as_far_as_it_goes(write_run):
    path = write_run("killed", [1, 2, 3])
    with open(path / "metrics.jsonl", "ab") as file:
        file.write(b'{"update": 4, "global')
    assert runs.load(path).last("update") == 3
    assert len(runs.aggregate([path])) == 1


def test_a_damaged_run_is_left_out_of_the_list_and_named(write_run, tmp_path):
    write_run("good", [1])
    damaged = write_run("damaged", [1])
    (damaged / "metrics.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="left out .*damaged, line 1|left out .*damaged.*line 1 is damaged"):
        found = runs.list(tmp_path / "runs")
    assert [run.name for run in found] == ["good"]


def test_load_takes_a_name_a_folder_and_a_trainer(write_run, tmp_path, monkeypatch):
    path = write_run("first", [1])
    monkeypatch.chdir(tmp_path)
    assert runs.load("first").path.resolve() == runs.load(path).path.resolve()
    with pytest.raises(RunError, match="no run 'frist'; did you mean 'first'.*runs has first"):
        runs.load("frist")
    with pytest.raises(RunError, match="no folder nowhere"):
        runs.list("nowhere")
    env = pufferbench.make("ocean-squared", num_envs=8)
    trainer = pufferbench.PuffeRL(env=env, run_dir=tmp_path / "runs" / "live", bptt_horizon=8)
    trainer.evaluate(), trainer.train(), trainer.mean_and_log()
    assert runs.load(trainer).last("update") == 1
    with pytest.raises(RunError, match="writes no run folder.*run_dir="):
        runs.load(pufferbench.PuffeRL(env=env, bptt_horizon=8))


def test_seeds_are_one_curve_with_a_band_and_settings_are_several(write_run, tmp_path):
    write_run("a0", [0, 10, 20, 30], seed=0)
    write_run("a1", [0, 20, 40, 60], seed=1)
    write_run("b0", [5, 5, 5, 5], seed=0, learning_rate=0.1)
    slow, fast = runs.aggregate(tmp_path / "runs", points=4)
    assert (slow.label, fast.label) == ("learning_rate 0.01", "learning_rate 0.1")
    assert slow.runs == ("a0", "a1")
    np.testing.assert_allclose(slow.x, [100, 200, 300, 400])
    np.testing.assert_allclose(slow.value, [0, 15, 30, 45])
    np.testing.assert_allclose(slow.low, [0, 10, 20, 30])  # of two runs: from the lower to the higher
    np.testing.assert_allclose(slow.high, [0, 20, 40, 60])
    np.testing.assert_allclose(fast.low, fast.high)
    by_time = runs.aggregate(tmp_path / "runs", by="elapsed", points=4)[0]
    np.testing.assert_allclose(by_time.x, [2, 4, 6, 8])


def test_where_a_run_ended_early_the_others_go_on(write_run, tmp_path):
    write_run("long", [0, 10, 20, 30], seed=0)
    write_run("killed", [0, 20], seed=1)
    (curve,) = runs.aggregate(tmp_path / "runs", points=4)
    np.testing.assert_array_equal(curve.count, [2, 2, 1, 1])
    np.testing.assert_allclose(curve.value, [0, 15, 20, 30])


def test_a_metric_that_nobody_has(write_run, tmp_path):
    write_run("one", [1])
    with pytest.raises(RunError, match="'episode_retrun_100'; did you mean 'episode_return_100'"):
        runs.aggregate(tmp_path / "runs", "episode_retrun_100")
    with pytest.raises(ValueError, match="by must be one of global_step, elapsed, not 'time'"):
        runs.aggregate(tmp_path / "runs", by="time")
    empty = write_run("empty", [])
    with pytest.raises(RunError, match="none of these runs has finished an update"):
        runs.aggregate([empty])
    with pytest.raises(RunError, match="is named twice"):
        runs.aggregate([empty, empty])


def test_scores_of_several_environments_are_scaled_by_environment(write_run, tmp_path):
    write_run("a0", [10], env="ocean-squared", learning_rate=0.01)
    write_run("a1", [30], env="ocean-squared", learning_rate=0.1)
    write_run("b0", [500], env="ocean-target", learning_rate=0.01)
    write_run("b1", [0], env="ocean-target", learning_rate=0.1)
    small, large = runs.compare_scores(tmp_path / "runs")
    assert small.label == "learning_rate 0.01"
    assert small.scores == {"ocean-squared": [0], "ocean-target": [1]}
    assert (small.value, large.value) == (0.5, 0.5)
    (alone,) = runs.compare_scores([tmp_path / "runs" / "a0"])
    assert (alone.value, alone.low, alone.high) == (10, 10, 10)


def test_the_table_has_what_differs(write_run, tmp_path):
    write_run("a", [1, 5, 3], gamma=0.9)
    write_run("b", [2], gamma=0.99, seed=1)
    first, second = runs.table(tmp_path / "runs")
    assert (first["gamma"], second["gamma"]) == (0.9, 0.99)
    assert "learning_rate" not in first
    assert (first["last"], first["best"], first["steps"], second["seed"]) == (3, 5, 300, 1)
    assert runs.differences(tmp_path / "runs") == {"gamma": [0.9, 0.99]}
    rows = list(csv.DictReader(io.StringIO(runs.csv_of_table([first, second]))))
    assert [row["run"] for row in rows] == ["a", "b"]


def test_curves_as_csv(write_run, tmp_path):
    write_run("a", [1, 3])
    rows = list(csv.DictReader(io.StringIO(runs.csv_of_curves(runs.aggregate(tmp_path / "runs", points=2)))))
    assert rows[1] == {
        "group": "ocean-squared", "global_step": "200", "value": "3", "low": "3", "high": "3", "runs": "1",
    }  # fmt: skip


def test_the_figure_shows_every_group(write_run, tmp_path):
    for seed in range(3):
        write_run(f"a{seed}", [0, seed, 2 * seed], seed=seed)
        write_run(f"b{seed}", [0, 1, 1], seed=seed, gamma=0.9)
    page = runs.figure(tmp_path / "runs")
    main, bars, profile = page.axes
    assert [text.get_text() for text in main.get_legend().get_texts()] == [
        "ocean-squared (3 runs)",
        "gamma 0.9 (3 runs)",
    ]
    assert main.get_xlabel() == "environment steps"
    assert len(bars.get_yticklabels()) == 2
    assert profile.get_ylabel() == "share of runs above"
    page.savefig(tmp_path / "figure.svg")
