"""``puffer bench ablate``: fair pairs, the table, and what cannot be asked."""

from __future__ import annotations

import json
import math

import pytest

from pufferbench.bench_ablate import BASE, SWITCHES, Trial, Variant, ablate, variants
from pufferbench.cli import main
from pufferbench.config import TrainConfig, check_options


def variant(name: str, *scores: float) -> Variant:
    return Variant(name, {}, [Trial(score, score / 2, 1.0, 1e6, "fused") for score in scores])


def test_every_switch_is_one_of_the_trainers_options_and_changes_it() -> None:
    for name, options in SWITCHES.items():
        check_options(options)
        same = all(getattr(TrainConfig(), option) == value for option, value in options.items())
        assert same == (name == "constant rate")


def test_a_switch_that_the_preset_has_already_is_left_out() -> None:
    found = variants("ocean-breakout")  # its preset has a linear schedule
    assert next(iter(found)) == BASE and found[BASE] == {}
    assert "linear schedule" not in found and {"constant rate", "cosine schedule", "Muon"} < set(found)
    assert "constant rate" not in variants("ocean-breakout", lr_schedule="constant")
    assert list(variants("ocean-breakout", ["Muon"])) == [BASE, "Muon"]


def test_differences_are_between_the_same_seeds() -> None:
    gain, error = variant("b", 11.0, 102.0, 1003.0).difference(variant("a", 10.0, 100.0, 1000.0))
    assert gain == 2.0
    assert error == pytest.approx(1 / math.sqrt(3))  # not that of seeds, which is hundreds
    assert math.isnan(variant("b", 1.0).difference(variant("a", 0.0))[1])


def test_trainings_of_one_seed_are_equal_where_nothing_is_changed() -> None:
    told: list[tuple[str, int]] = []
    found = ablate(
        "ocean-cartpole", {BASE: {}, "again": {}, "Muon": SWITCHES["Muon"]}, [0, 1],
        lambda name, seed: told.append((name, seed)), total_timesteps=130_000,
    )  # fmt: skip
    assert told == [(name, seed) for seed in (0, 1) for name in (BASE, "again", "Muon")]
    base, again, muon = found
    assert again.difference(base) == again.difference(base, "on_the_way") == (0.0, 0.0)
    assert muon.difference(base, "on_the_way")[0] != 0
    assert base.trials[0].score != base.trials[1].score
    assert {trial.learner for trial in muon.trials} == {"fused"}


def test_the_table_and_the_numbers(tmp_path, capsys) -> None:
    file = tmp_path / "ablate.json"
    asked = ["bench", "ablate", "cartpole", "--steps", "130_000"]
    assert main([*asked, "--seeds", "2", "--switches", "Muon", "value clip", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "ocean-cartpole: one switch at a time, means of 2 seeds" in printed
    for text in (BASE, "Muon", "optimizer=muon", "value clip", "autograd", "±"):
        assert text in printed
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [len(row["trials"]) for row in found["variants"]] == [2, 2, 2]
    assert main([*asked, "--seeds", "1", "--switches", "Muon", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["env"] == "ocean-cartpole"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bandit", "--switches", "muon"], "no switch 'muon'; did you mean 'Muon'"),
        (["bandit", "--seeds", "0"], "must be positive"),
        (["bandt"], "bandit"),
    ],
)
def test_what_cannot_be_asked(arguments, message, capsys) -> None:
    assert main(["bench", "ablate", *arguments]) == 2
    assert message in capsys.readouterr().err
