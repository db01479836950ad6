"""``puffer bench train --solve``: luck does not pass, and a solved game is one."""

from __future__ import annotations

import math
import re

import numpy as np

from pufferbench import bench_solve
from pufferbench.bench_solve import EPISODES, Criterion, Result, Solved
from pufferbench.cli import main

BAR = Criterion("episode_return", bar=475)


def episodes(*means: float):
    """A player whose parts of tests have these means, one after the other; and the seeds that it was given."""
    left, seeds = list(means), []

    def play(count: int, seed: int) -> np.ndarray:
        seeds.append((count, seed))
        found = np.zeros(count, [("episode_return", "f8")])
        found["episode_return"] = left.pop(0)
        return found

    return play, seeds


def test_luck_does_not_pass() -> None:
    play, asked = episodes(500, 188)
    assert not BAR.passed(play, 0)
    assert [count for count, _ in asked] == list(EPISODES)
    assert not BAR.passed(episodes(474.9, 500)[0], 0)
    assert BAR.passed(episodes(475, 475)[0], 0)


def test_the_second_part_is_only_played_after_the_first_is_passed() -> None:
    play, asked = episodes(100)
    assert not BAR.passed(play, 7)
    assert asked == [(20, 7)]


def test_games_won_are_a_share() -> None:
    won = Criterion("score", bar=0.9, above=0)
    assert won.mean([21, 0, -3, 5]) == 0.5
    assert Criterion("score", bar=2).mean([21, 0, -3, 6]) == 6


def test_tests_are_made_when_training_suggests_it_each_with_games_of_its_own(monkeypatch) -> None:
    play, asked = episodes(480, 100, 480, 480, 480)  # the first test is lucky, the second is passed
    monkeypatch.setattr(bench_solve, "player", lambda trainer: play)
    run = bench_solve.solve("ocean-cartpole", seed=3)
    assert run.tests == 2
    assert math.isfinite(run.seconds)
    assert run.testing < run.seconds
    assert len(set(asked)) == len(asked) == 4
    early = run.updates
    assert early > 2, "an untrained policy's returns do not suggest a test"
    never = bench_solve.solve("ocean-cartpole", seed=3, total_timesteps=1024)
    assert (never.tests, never.seconds, never.updates) == (0, math.inf, 2)


def test_cartpole_is_solved_from_the_command_line(capsys) -> None:
    assert main(["bench", "train", "--solve", "cartpole", "--seeds", "2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "20 greedy episodes, then a fresh 100" in text
    assert "seed 2: " in text
    median, worst = map(float, re.findall(r"median ([\d.]+) s, worst ([\d.]+) s of 2", text)[0])
    assert 0 < median <= worst
    assert re.search(r"Imports .* took [\d.]+ s before that: [\d.]+ s in all", text)


def test_a_solved_game_stays_solved() -> None:
    """The policy that passed plays as well in games that no test has seen."""
    from pufferbench.bench_solve import make_trainer, player, solve

    run = solve("ocean-cartpole", seed=1)
    with make_trainer("ocean-cartpole", 1) as trainer, trainer.env:
        for record in trainer.steps():
            if record["update"] == run.updates:
                break
        assert BAR.mean(player(trainer)(50, 123)["episode_return"]) > 450


def test_the_median_of_a_seed_that_failed_is_honest() -> None:
    runs = [Solved(seed, seconds, 0.0, 1, 1, 1) for seed, seconds in enumerate((0.1, 0.3, math.inf))]
    result = Result(2.0, tuple(runs), 1.0)
    assert (result.median, result.worst) == (0.3, math.inf)


def test_games_without_a_bar_are_refused(capsys) -> None:
    assert main(["bench", "train", "--solve", "squared"]) == 2
    assert "no section [solve] (these have: ocean-breakout" in capsys.readouterr().err
