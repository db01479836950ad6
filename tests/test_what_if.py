"""Whole trainings as answers: the curves are PuffeRL's, the newest question wins, nothing is left running."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pufferbench import what_if
from pufferbench.config import ConfigError, TrainConfig, describe
from pufferbench.what_if import Answer, Answers, Curve, HeatMap, QuickTraining, in_bins, values_of

SMALL = {"total_timesteps": 2048, "num_envs": 8, "bptt_horizon": 32, "hidden_size": 8}


@pytest.fixture(scope="module")
def training():
    return QuickTraining("ocean-cartpole", **SMALL)


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("pufferbench-what-if")]


def test_bins_average_episodes_and_carry_over_gaps():
    grid = np.array([10.0, 20, 30, 40])
    values = in_bins(grid, np.array([12, 18, 40]), np.array([1.0, 4.0, 9.0]), np.array([2, 1, 5]))
    assert values.tolist() == [
        2,
        2,
        2,
        9,
    ]  # (2 x 1 + 4) / 3; the first bin has that of the next, the third carries on
    assert np.isnan(in_bins(grid, np.array([]), np.array([]), np.array([]))).all()


def test_a_curve_is_a_whole_training_and_depends_on_nothing_but_seed_and_options(training):
    first, again = training.curve(3), QuickTraining("cartpole", **SMALL).curve(3)
    other, slower = training.curve(4), training.curve(3, learning_rate=1e-5)
    assert first.steps[-1] == 2048
    np.testing.assert_array_equal(first.returns, again.returns)
    assert not np.array_equal(first.returns, other.returns)
    assert not np.array_equal(first.returns, slower.returns)
    records = list(training.trainer(3).steps())
    ended = [(r["episodes"], r["episode_return"]) for r in records if r["episodes"]]
    mean = sum(n * value for n, value in ended) / sum(n for n, _ in ended)
    assert first.returns.min() <= mean <= first.returns.max()


def test_cartpole_learns_within_the_usual_settings():
    training = QuickTraining("cartpole")
    assert training.curve(0).final > 300
    assert training.curve(0, learning_rate=1e-5).final < 60  # so the options do reach the trainer


def test_a_training_that_diverges_is_an_answer_too(training, monkeypatch):
    def broken(self):
        yield {"global_step": 256, "episodes": 2, "episode_return": 20.0}
        raise what_if.NonFiniteLoss("the loss became NaN")

    monkeypatch.setattr(what_if.PuffeRL, "steps", broken)
    curve = training.curve(0)
    assert curve.failure == "the loss became NaN"
    assert curve.final == 20


def test_unknown_and_impossible_options_are_refused_at_once(training):
    with pytest.raises(ConfigError, match="unknown option 'learning_rat'.*learning_rate"):
        QuickTraining("cartpole", learning_rat=1.0)
    answers = Answers(training, seeds=1)
    with pytest.raises(ConfigError, match="num_envs must be one of"):
        answers.ask(num_envs=3)
    answers.close()


def test_the_newest_question_is_answered_completely_and_older_ones_are_left(training):
    got: list[Answer] = []
    answers = Answers(training, seeds=3, on_answer=got.append, threads=2)
    for rate in (1e-4, 1e-3, 1e-2):
        answers.ask(learning_rate=rate)
    assert answers.wait(60)
    answers.close()
    last = got[-1]
    assert last.complete
    assert last.changes == {"learning_rate": 1e-2}
    assert last.returns.shape == (3, what_if.POINTS)
    low, high = last.band
    assert (low <= last.mean).all() and (last.mean <= high).all()
    assert not any(answer.complete for answer in got if answer.changes["learning_rate"] != 1e-2)
    assert answers.trained < 9
    for seed, curve in enumerate(last.curves):
        np.testing.assert_array_equal(curve.returns, training.curve(seed, learning_rate=1e-2).returns)
    assert not our_threads()


def test_a_heat_map_is_filled_coarse_places_first(training):
    heat = HeatMap(("learning_rate", [1e-4, 1e-3, 1e-2]), ("ent_coef", [0.0, 0.1]), seeds=1)
    assert [heat.take() for _ in range(3)] == [(0, 0, 0), (0, 2, 0), (0, 1, 0)]
    heat = HeatMap(("learning_rate", [1e-4, 1e-2]), ("ent_coef", [0.0, 0.1]), seeds=1)
    answers = Answers(training, seeds=1, threads=1)
    answers.fill(heat, clip_coef=0.3)
    assert answers.wait(60)
    answers.close()
    assert heat.done == heat.total == 4
    expected = training.curve(0, learning_rate=1e-2, ent_coef=0.1, clip_coef=0.3).final
    assert heat.scores[1, 1] == expected
    with pytest.raises(ValueError, match="two different options"):
        HeatMap(("gamma", [0.9]), ("gamma", [0.9]))


def test_an_unexpected_error_is_kept_and_the_threads_live_on(training, monkeypatch):
    answers = Answers(training, seeds=2, threads=1)
    with monkeypatch.context() as patch:
        patch.setattr(training, "trainer", lambda *args, **kwargs: 1 / 0)
        answers.ask(learning_rate=1e-3)
        assert answers.wait(30)
    assert answers.error == "ZeroDivisionError: division by zero"
    answers.ask(learning_rate=1e-3)
    assert answers.wait(30)
    assert answers.error == ""
    assert answers.trained == 2
    answers.close()


def test_values_of_axes():
    options = describe(TrainConfig)
    assert values_of(options["learning_rate"], 1e-4, 1e-2, 3) == [1e-4, 1e-3, 1e-2]
    assert values_of(options["gamma"], 0.9, 1.0, 3) == [0.9, 0.95, 1.0]
    assert values_of(options["update_epochs"], 1, 4, 9) == [1, 2, 3, 4]
    assert values_of(what_if.SIZES["num_envs"], 1, 8, 9) == [1, 2, 4, 8]


def test_final_is_the_mean_of_the_last_quarter():
    curve = Curve(np.arange(8.0), np.array([0, 0, 0, 0, 0, 0, 3.0, 5.0]), 1.0)
    assert curve.final == 4
