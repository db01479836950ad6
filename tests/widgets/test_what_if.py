"""what_if(): sliders ask, answers and the heat map are drawn, a click goes there, closing ends the threads."""

from __future__ import annotations

import threading

import pytest

from pufferbench.widgets import saved, what_if
from pufferbench.widgets.what_if import nearest_to

SMALL = {"total_timesteps": 1024, "num_envs": 8, "bptt_horizon": 32, "hidden_size": 8}


@pytest.fixture
def widget():
    widget = what_if("cartpole", seeds=2, **SMALL)
    assert widget.wait(60)
    yield widget
    widget.close()


def test_a_moved_slider_is_answered(widget):
    first = widget.plots.curve
    assert first["seeds"] == first["total"] == 2
    assert "2 complete trainings of 1,024 steps" in widget.status.value
    widget.sliders["learning_rate"].value = 0.05
    assert "training" in widget.status.value
    assert widget.wait(60)
    assert widget.answer.changes["learning_rate"] == pytest.approx(0.05)
    assert widget.plots.curve["mean"] != first["mean"]
    assert widget.plots.before["mean"] == first["mean"]  # to compare with
    low, high = widget.plots.range
    assert low <= 0 < max(widget.plots.curve["high"]) <= high + 1e-3


def test_every_slider_names_its_option_and_is_continuous(widget):
    assert {"learning_rate", "ent_coef", "gamma", "num_envs", "hidden_size"} <= set(widget.sliders)
    for name, slider in widget.sliders.items():
        assert slider.continuous_update
        assert slider.tooltip.startswith(f"{name}: ")


def test_the_map_is_filled_and_a_click_takes_the_sliders_there(widget):
    widget.x.value, widget.y.value = "hidden_size", "num_envs"
    widget.fill()
    assert widget.wait(120)
    heat = widget.plots.heat
    assert heat["done"] == heat["total"]
    assert heat["x"]["label"] == "Hidden units"
    assert all(score is not None for row in heat["scores"] for score in row)
    widget._clicked(widget.plots, {"kind": "cell", "i": 0, "j": 1}, [])
    assert widget.sliders["num_envs"].value == heat["y"]["values"][0]
    assert widget.sliders["hidden_size"].value == heat["x"]["values"][1]
    assert widget.plots.place == [0, 1]
    assert widget.wait(60)
    widget.y.value = "hidden_size"
    widget.fill()
    assert "two different options" in widget.status.value


def test_the_trainer_behind_the_sliders(widget):
    trainer = widget.trainer(seed=1)
    assert trainer.global_step == 1024
    assert trainer.learning_rate == widget.sliders["learning_rate"].value


def test_set_refuses_what_has_no_slider(widget):
    with pytest.raises(ValueError, match="no slider 'seed'"):
        widget.set(seed=3)


def test_displayed_with_a_picture_that_is_renewed(widget, monkeypatch):
    shown = []

    class Handle:
        def update(self, content):
            shown.append(content.data)

    monkeypatch.setattr(
        saved,
        "display",
        lambda content, **kwargs: shown.append(getattr(content, "data", content)) or Handle(),
    )
    widget._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
    assert 'alt="Learning curves of ocean-cartpole, 2 seeds' in shown[1]
    assert f".{widget._cover} {{ display: none; }}" in widget.children[-1].value  # the live view hides it
    widget._renew()
    assert "data:image/png;base64" in shown[2]


def test_closing_ends_the_threads():
    widget = what_if("cartpole", seeds=2, **SMALL)
    widget.close()
    widget.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pufferbench-what-if")]


def test_nearest_value():
    assert nearest_to([1e-4, 1e-3, 1e-2], 2e-3, log=True) == 1
    assert nearest_to([0.0, 0.5, 1.0], 0.8, log=False) == 2
