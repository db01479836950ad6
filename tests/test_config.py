"""Options: what is declared, what is refused and with which words, and the sizes worked out."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pufferbench import config
from pufferbench.config import (
    ConfigError,
    TrainConfig,
    check_device,
    check_options,
    describe,
    option,
    resolve,
)
from pufferbench.live import Requests


def test_every_option_is_documented_and_its_default_is_valid():
    for name, about in describe(TrainConfig).items():
        assert len(about.doc) > 20, name
        assert about.name == name
        assert about.check(about.default) == about.default


def test_the_live_options():
    live = {name for name, about in describe(TrainConfig).items() if about.live}
    assert live == {
        "learning_rate", "ent_coef", "vf_coef", "clip_coef", "gamma", "gae_lambda", "update_epochs", "max_grad_norm",
        "target_kl", "reward_clip", "rho_clip", "c_clip", "prio_alpha", "prio_beta0",
    }  # fmt: skip
    assert set(TrainConfig(advantage="puff", prioritize=True).live()) == live
    assert live - set(TrainConfig().live()) == {"rho_clip", "c_clip", "prio_alpha", "prio_beta0"}


def test_describe_reads_docstrings_types_and_ranges():
    @dataclass(frozen=True)
    class Config:
        speed: float = option(2.0, low=1.0, high=3.0, unit="m/s", live=True, log=True)
        """How fast
        it goes."""

        gear: str = option("low", choices=("low", "high"))
        size: int | None = option(None)
        plain: bool = False

    about = describe(Config)["speed"]
    assert about.doc == "How fast it goes."
    assert (about.type, about.low, about.high, about.unit, about.live, about.log) == (
        float,
        1,
        3,
        "m/s",
        True,
        True,
    )
    assert describe(Config)["gear"].doc == ""
    assert describe(Config)["size"].type is int
    assert describe(Config)["plain"].check(True) is True
    with pytest.raises(ConfigError, match="one of low, high, not 'hihg'; did you mean 'high'"):
        describe(Config)["gear"].check("hihg")


def test_without_source_options_work_without_their_texts(monkeypatch):
    def absent(_):
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", absent)
    options = config.describe.__wrapped__(TrainConfig)
    assert options["gamma"].doc == ""
    assert options["gamma"].high == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rat": 1e-3}, "unknown option 'learning_rat'; did you mean 'learning_rate'"),
        ({"learning_rate": -1e-3}, "learning_rate must be between 1e-07 and 1, not -0.001"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, not 'fast'"),
        ({"gamma": 1.1}, "gamma must be between 0 and 1, not 1.1"),
        ({"update_epochs": 0}, "update_epochs must be between 1 and 32, not 0"),
        ({"update_epochs": 1.5}, "update_epochs must be a whole number, not 1.5"),
        ({"update_epochs": True}, "update_epochs must be a whole number, not True"),
        ({"compile": 1}, "compile must be True or False, not 1"),
        ({"lr_schedule": "cosin"}, "one of constant, linear, cosine, not 'cosin'; did you mean 'cosine'"),
        ({"gamma": None}, "gamma must be a number, not None"),
        ({"total_timesteps": 0}, "total_timesteps must be at least 1, not 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        check_options(options)


def test_what_means_the_same_is_accepted():
    values = {
        "total_timesteps": 1e6,
        "gamma": 1,
        "learning_rate": np.float32(0.5),
        "update_epochs": np.int64(3),
    }
    checked = check_options(values)
    assert checked == {"total_timesteps": 1_000_000, "gamma": 1.0, "learning_rate": 0.5, "update_epochs": 3}
    assert {type(value) for value in checked.values()} == {int, float}


def sizes(rows, preset=None, **explicit):
    found = resolve(explicit, preset or {}, rows)
    return found.batch_size, found.bptt_horizon, found.minibatch_size


def test_sizes_are_worked_out():
    assert sizes(1024) == (65536, 64, 8192)
    assert sizes(64) == (4096, 64, 1024)
    assert sizes(1) == (4096, 4096, 1024)
    assert sizes(256, batch_size=32768) == (32768, 128, 8192)
    assert sizes(100, bptt_horizon=10, minibatch_size=500) == (1000, 10, 500)
    assert sizes(3) == (4104, 1368, 1026)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 7, 64, 100, 999, 1000, 1024, 4096, 10_007])
def test_sizes_always_fit(rows):
    batch, horizon, minibatch = sizes(rows)
    assert batch == rows * horizon >= 4096
    assert batch % minibatch == 0
    assert minibatch <= 10_007  # 8192, but where no divisor is near


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1000}, "batch_size 1000 is not a multiple of the env's 64 agents; try 960 or 1024"),
        ({"batch_size": 32}, "batch_size 32 is not a multiple of the env's 64 agents; try 64"),
        ({"batch_size": 1024, "bptt_horizon": 8}, "contradict each other: 64 agents x 8 steps = 512"),
        (
            {"batch_size": 1024, "bptt_horizon": 32},
            "bptt_horizon 32 is longer than the batch: 64 agents x 32 steps = 2048, more than batch_size 1024; "
            "take bptt_horizon 16, or leave one of the two out",
        ),
        ({"batch_size": 1024, "minibatch_size": 1000}, "minibatch_size 1000 does not divide batch_size 1024"),
        ({"bptt_horizon": 2, "minibatch_size": 512}, "minibatch_size 512 does not divide batch_size 128"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        resolve(options, {}, 64)


def test_the_users_sizes_go_over_the_presets():
    preset = {"bptt_horizon": 64, "minibatch_size": 4096, "gamma": 0.9, "learning_rate": 0.1}
    assert sizes(64, preset) == (4096, 64, 4096)
    assert sizes(64, preset, batch_size=64 * 3) == (192, 3, 48)
    assert sizes(16, preset) == (1024, 64, 256)  # fewer games than the preset's
    found = resolve({"gamma": 0.5}, preset, 64)
    assert (found.gamma, found.learning_rate) == (0.5, 0.1)
    with pytest.raises(ConfigError, match="unknown option"):
        resolve({}, {"lr": 1}, 64)


@pytest.mark.parametrize(("schedule", "left"), [("linear", 0.25), ("cosine", (1 - 0.5**0.5) / 2)])
def test_annealing_goes_down_and_never_quite_to_zero(schedule, left):
    plan = TrainConfig(lr_schedule=schedule, learning_rate=0.1, total_timesteps=100)
    assert plan.learning_rate_at(0) == 0.1
    assert plan.learning_rate_at(50) == pytest.approx(0.05)
    assert plan.learning_rate_at(75) == pytest.approx(0.1 * left)
    for beyond in (100, 180):
        with pytest.warns(UserWarning, match="beyond total_timesteps"):
            assert 0 < plan.learning_rate_at(beyond) < 0.001
    assert TrainConfig(learning_rate=0.1).learning_rate_at(10**9) == 0.1


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "", "cuda:"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ConfigError, match="device must be cpu, cuda or cuda:0"):
        check_device(name)


def test_absent_cuda_says_why(monkeypatch):
    assert check_device("cpu") == "cpu"
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(ConfigError, match="built for the CPU only"):
        check_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA GPU"):
        check_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check_device("cuda:1") == "cuda:1"
    with pytest.raises(ConfigError, match="there are 2 GPUs"):
        check_device("cuda:2")


def test_requests_check_at_once_and_apply_later():
    requests = Requests()
    with pytest.raises(ConfigError, match="seed cannot change while training"):
        requests.add({"gamma": 0.5, "seed": 1})
    assert requests.waiting == {}
    requests.add({"gamma": 0.5, "clip_coef": 0.2})
    requests.add({"gamma": 0.7})
    assert requests.waiting == {"gamma": 0.7, "clip_coef": 0.2}
    changed, changes = requests.apply(TrainConfig())
    assert changes == {"gamma": {"old": 0.99, "new": 0.7}}  # what stays as it was is no change
    assert changed.gamma == 0.7
    assert requests.waiting == {}
