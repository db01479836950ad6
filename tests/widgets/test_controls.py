import ipywidgets
import pytest

from pufferbench.config import TrainConfig, describe
from pufferbench.widgets.controls import DeviceChoice, make_knobs, make_slider

OPTIONS = describe(TrainConfig)


@pytest.fixture
def trainer(make_trainer):
    return make_trainer()


@pytest.fixture
def knobs(trainer):
    return {knob.option.name: knob for knob in make_knobs(trainer)}


def update(trainer, knobs):
    trainer.evaluate()
    trainer.train()
    record = trainer.mean_and_log()
    for knob in knobs.values():
        knob.follow(record)
    return record


def test_there_is_a_knob_for_every_live_option_with_its_docs(knobs, trainer):
    assert set(knobs) == {
        n for n, option in OPTIONS.items() if option.live and option.matters(trainer.config)
    }
    assert next(iter(knobs)) == "learning_rate"
    for name, knob in knobs.items():
        assert knob.slider.value == getattr(trainer, name)
        assert OPTIONS[name].doc[:20] in knob.slider.tooltip
        assert name in knob.label.value


def test_knobs_that_would_do_nothing_are_not_there(make_trainer):
    knobs = {knob.option.name for knob in make_knobs(make_trainer(advantage="puff"))}
    assert {"rho_clip", "c_clip"} < knobs
    assert not {"prio_alpha", "prio_beta0"} & knobs


def test_the_learning_rate_is_logarithmic_and_epochs_are_whole(knobs):
    assert isinstance(knobs["learning_rate"].slider, ipywidgets.FloatLogSlider)
    assert isinstance(knobs["update_epochs"].slider, ipywidgets.IntSlider)
    assert isinstance(knobs["gamma"].slider, ipywidgets.FloatSlider)


def test_a_moved_slider_is_pending_until_the_next_update(knobs, trainer):
    knob = knobs["learning_rate"]
    update(trainer, knobs)
    old = trainer.learning_rate
    knob.slider.value = 1e-4
    assert knob.note.value == "pending"
    assert trainer.pending == {"learning_rate": 1e-4}
    record = update(trainer, knobs)
    assert record["changes"] == {"learning_rate": {"old": old, "new": 1e-4, "by": "slider"}}
    assert record["learning_rate"] == pytest.approx(1e-4)
    assert knob.note.value == "applied at update 2"
    assert all(other.note.value == "" for other in knobs.values() if other is not knob)


def test_a_slider_moved_away_and_back_changes_nothing(knobs, trainer):
    knob = knobs["gamma"]
    old = knob.slider.value
    knob.slider.value = 0.9
    knob.slider.value = old
    record = update(trainer, knobs)
    assert "changes" not in record
    assert knob.note.value == ""


def test_a_change_made_in_code_moves_the_slider(knobs, trainer):
    trainer.ent_coef = 0.05
    update(trainer, knobs)
    assert knobs["ent_coef"].slider.value == 0.05
    assert knobs["ent_coef"].note.value == "applied at update 1"
    assert trainer.pending == {}


def test_the_browsers_rounding_of_a_new_slider_is_no_request(knobs, trainer):
    knobs["learning_rate"].slider.value *= 1 + 1e-12
    assert trainer.pending == {}


def test_a_refused_value_is_explained(knobs, trainer):
    knob = knobs["clip_coef"]
    knob.slider.min = 0.0
    knob.slider.value = 0.0
    assert knob.note.value == "clip_coef must be between 0.01 and 1, not 0.0"
    assert trainer.pending == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 2.5e-4),
        ("learning_rate", 0.5),
        ("ent_coef", 0.0),
        ("ent_coef", 0.0005),
        ("gamma", 0.5),
        ("gamma", 0.9973),
        ("update_epochs", 16),
        ("vf_coef", 1 / 3),
    ],
)
def test_every_start_value_fits_its_slider_and_lies_on_a_step(name, value):
    import math

    slider = make_slider(OPTIONS[name], value)
    assert slider.value == value
    at = math.log10(value) if OPTIONS[name].log else value
    assert slider.min <= at + 1e-12
    assert at - 1e-12 <= slider.max
    steps = (at - slider.min) / slider.step
    assert steps == pytest.approx(round(steps), abs=1e-4)


def test_a_device_that_is_not_there_is_greyed_out_with_the_reason(trainer, monkeypatch):
    from pufferbench import config

    def only_cpu(name):
        if name != "cpu":
            raise config.ConfigError("torch finds no CUDA GPU")
        return name

    monkeypatch.setattr(config, "check_device", only_cpu)
    cpu, cuda = DeviceChoice(trainer).choice.options
    assert cpu == {"value": "cpu", "label": "CPU", "disabled": False, "reason": ""}
    assert cuda["disabled"]
    assert cuda["reason"] == "torch finds no CUDA GPU"


def test_choosing_a_device_is_a_request(trainer, monkeypatch):
    asked = []
    monkeypatch.setattr(trainer, "request", lambda **changes: asked.append(changes))
    device = DeviceChoice(trainer)
    device.choice.value = "cuda"
    assert asked == [{"device": "cuda"}]
    assert device.choice.note == "pending"
    device.follow({"update": 7, "changes": {"device": {"old": "cpu", "new": "cuda"}}})
    assert device.choice.note == "applied at update 7"
