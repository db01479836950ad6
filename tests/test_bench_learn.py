"""``puffer bench learn``: results are kept, come back, and say what they mean."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pufferbench import bench_learn
from pufferbench.bench_learn import Learned, Table, learn, plays, scripted_policy
from pufferbench.cli import bench_learn as command
from pufferbench.cli import main

RESULT = Learned("score", random=0.1, scripted=0.7, reached=0.5, steps=1000, seconds=1.5, preset="")


def test_a_third_of_the_way_counts_as_learned() -> None:
    assert RESULT.learned
    assert replace(RESULT, reached=0.31).learned
    assert not replace(RESULT, reached=0.29).learned
    assert not replace(RESULT, reached=float("nan")).learned


def test_policies_are_measured_over_whole_episodes() -> None:
    metric, score = plays("ocean-chain", scripted_policy("ocean-chain"), episodes=8)
    assert metric == "score"
    assert 3 < score < 4
    metric, length = plays("ocean-cartpole", scripted_policy("ocean-cartpole"), episodes=4)
    assert (metric, length) == ("episode_return", 500)


def test_training_stops_in_time_and_has_the_presets_parameters() -> None:
    result = learn("ocean-bandit", seconds=0.0)  # one update is begun, and ended
    assert result.steps == 8192
    assert 0.05 < result.random < 0.15
    assert result.scripted == 1
    assert bench_learn.make_game("ocean-commons", 2).params["shared"] == 1


def test_results_are_kept_until_the_preset_changes(tmp_path, monkeypatch, capsys) -> None:
    file = tmp_path / "learned.json"
    trained = []

    def fake(name: str, *args, **kwargs) -> Learned:
        trained.append(name)
        if name == "ocean-squared":
            raise ValueError("broken")
        return replace(RESULT, preset=bench_learn.preset_hash(name))

    monkeypatch.setattr(bench_learn, "learn", fake)
    monkeypatch.setattr(
        command.bench_ocean, "games", lambda: ["ocean-bandit", "ocean-chain", "ocean-squared"]
    )
    arguments = ["bench", "learn", "--file", str(file)]
    assert main(arguments) == 1  # one is broken, the others are trained all the same
    assert trained == ["ocean-bandit", "ocean-chain", "ocean-squared"]
    assert "ocean-squared: ValueError: broken" in capsys.readouterr().out
    entries = json.loads(file.read_text(encoding="utf-8"))["games"]
    assert list(entries) == ["ocean-bandit", "ocean-chain"]
    assert entries["ocean-chain"]["reached"] == 0.5

    trained.clear()
    main(arguments)
    assert trained == ["ocean-squared"]
    trained.clear()
    assert main([*arguments, "chain"]) == 0  # a name: again
    assert trained == ["ocean-chain"]
    assert Table(file).games["ocean-chain"].scripted == 0.7
    entries["ocean-chain"]["preset"] = "that of yesterday"
    file.write_text(json.dumps({"games": entries}), encoding="utf-8")
    trained.clear()
    main(arguments)
    assert trained == ["ocean-chain", "ocean-squared"]


@pytest.mark.learn
@pytest.mark.parametrize(
    ("name", "steps", "reached"),
    [  # cartpole and squared: tests/test_learning.py
        ("ocean-bandit", 500_000, 0.9),
        ("ocean-chain", 400_000, 3.0),
        ("ocean-target", 1_500_000, 4.0),
    ],
)
def test_presets_learn_within_a_budget_of_steps(name, steps, reached) -> None:
    result = learn(name, seconds=300, total_timesteps=steps)
    assert result.reached >= reached > result.random


@pytest.mark.slow
@pytest.mark.learn
@pytest.mark.parametrize("name", command.bench_ocean.games())
def test_every_preset_learns(name) -> None:
    """A nightly matter: ``pytest -m learn`` trains all of them, half an hour."""
    result = learn(name, seconds=120)
    assert result.learned, result
