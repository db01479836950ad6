import threading

import pytest
from numba.core import event

from pufferbench import fused_kernels
from pufferbench.machine_code import NOTICE
from pufferbench.widgets import TrainerPanel, saved
from pufferbench.widgets import panel as panel_module

from .conftest import our_threads, wait_for


@pytest.fixture
def panel(make_trainer):
    panel = TrainerPanel(make_trainer())
    yield panel
    panel.close()


def enabled(panel):
    return [name for name, button in panel.buttons.items() if not button.disabled]


def test_buttons_follow_the_state(panel):
    wait_for(lambda: enabled(panel) == ["Start", "Single update"], "the buttons follow")
    panel.buttons["Start"].click()
    assert enabled(panel) == ["Pause", "Stop"]
    panel.buttons["Pause"].click()
    wait_for(lambda: enabled(panel) == ["Start", "Single update", "Stop"], "paused")
    assert panel.status.state == "paused"
    panel.buttons["Single update"].click()
    wait_for(lambda: panel.status.state == "paused", "paused again")
    panel.buttons["Stop"].click()
    wait_for(lambda: enabled(panel) == ["Start", "Single update"], "stopped")


def test_every_button_has_words_an_icon_and_a_tooltip(panel):
    for button in panel.buttons.values():
        assert button.description
        assert button.icon
        assert button.tooltip


def test_a_finished_training_cannot_be_started(make_trainer):
    panel = TrainerPanel(make_trainer(total_timesteps=128))
    panel.start()
    wait_for(lambda: panel.status.state == "finished", "finished")
    assert enabled(panel) == []
    assert panel.status.progress["done"] == 1
    assert panel.status.progress["update"] == 1
    panel.close()


def test_an_error_is_shown_in_the_panel(panel):
    def fail(record):
        raise ValueError("the loss is NaN at update 1")

    panel.trainer.subscribe(fail)
    panel.start()
    wait_for(lambda: panel.status.state == "error", "the error")
    assert panel.status.message.startswith("ValueError: the loss is NaN at update 1")
    wait_for(lambda: enabled(panel) == ["Start", "Single update"], "the buttons follow")


def test_a_loop_in_a_cell_moves_the_panel(panel, monkeypatch):
    monkeypatch.setattr(panel_module, "between_redraws", lambda elapsed: 0.0)
    monkeypatch.setattr(panel_module, "COST", 1e9)
    sent = []
    monkeypatch.setattr(panel.returns, "send", lambda content, buffers: sent.append(content["start"]))
    for record in panel.trainer.steps():
        if record["update"] == 3:
            break
    assert sent == [0, 1, 2]
    assert panel.status.progress["update"] == 3
    assert set(panel.times.shares) == {"time_env", "time_policy", "time_copy", "time_train", "time_other"}


def test_redrawing_is_throttled_but_the_last_numbers_are_never_lost(panel, monkeypatch):
    monkeypatch.setattr(panel_module, "between_redraws", lambda elapsed: 1e9)
    sent = []
    monkeypatch.setattr(panel.returns, "send", lambda content, buffers: sent.append(len(buffers[0])))
    steps = panel.trainer.steps()
    for _ in range(20):
        next(steps)
    assert sent == []
    panel.update()
    assert sent == [20 * 8 * len(panel.returns.names)]


def test_a_moved_slider_is_applied_and_recorded(panel):
    panel.knobs[0].slider.value = 1e-4
    assert panel.knobs[0].note.value == "pending"
    panel.single_update()
    wait_for(lambda: panel.status.state == "paused", "paused")
    assert panel.knobs[0].note.value == "applied at update 1"
    assert panel.session.last_record["changes"]["learning_rate"]["new"] == pytest.approx(1e-4)


def test_a_second_panel_takes_over_without_disturbing_the_training(panel):
    panel.start()
    wait_for(lambda: panel.trainer.update >= 2, "two updates")
    second = TrainerPanel(panel.trainer)
    assert second.session is panel.session
    assert second.status.state == "training"
    assert len(second.returns.history) >= 2
    assert panel.comm is None  # off the page
    before = panel.trainer.update
    wait_for(lambda: panel.trainer.update > before, "another update")
    panel.close()  # of the old one: not its business any more
    assert second.session.state == "training"
    second.close()


def test_close_ends_all_threads_and_frees_the_trainer(panel):
    panel.start()
    wait_for(our_threads, "threads")
    panel.close()
    panel.close()
    assert not our_threads()
    assert panel.trainer.gate is None
    assert all(knob.slider.comm is None for knob in panel.knobs)
    next(panel.trainer.steps())


def test_the_saved_picture_needs_no_kernel_and_has_words(panel):
    assert "nothing trained yet" in panel.snapshot_html()
    next(panel.trainer.steps())
    html = panel.snapshot_html()
    assert 'src="data:image/png;base64,iVBOR' in html
    assert "Training panel of ocean-squared" in html
    assert "at update 1, step 128" in html
    assert len(html) < 150_000


def test_displayed_twice_over_live_view_and_picture_which_pause_refreshes(panel, monkeypatch):
    shown = []

    class Handle:
        def update(self, content):
            shown.append(("update", content.data))

    def display(content, raw=False, display_id=None):
        shown.append(("live", sorted(content)) if raw else ("picture", content.data))
        return Handle()

    monkeypatch.setattr(saved, "display", display)
    panel._ipython_display_()
    assert shown[0] == ("live", ["application/vnd.jupyter.widget-view+json", "text/plain"])
    assert shown[1][0] == "picture"
    panel.single_update()
    wait_for(lambda: len(shown) == 3, "a new picture")
    kind, html = shown[2]
    assert kind == "update"
    assert "paused at update 1" in html
    assert f"pb-saved-{panel.model_id}" in html  # by which the live view hides it


def test_repr_says_what_it_is(panel):
    assert repr(panel) == "TrainerPanel(ocean-squared, idle, update 0)"


def test_no_thread_but_ours_and_none_that_keeps_python_alive(panel):
    panel.start()
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("pufferbench")]
    assert ours
    assert all(thread.daemon for thread in ours)


def test_the_panel_says_that_the_learner_is_being_compiled(panel, monkeypatch, capsys):
    seen = []

    def steps():
        with event.trigger_event("numba:compile", data={"dispatcher": fused_kernels.act}):
            seen.append(panel.status.note)
        record = {"update": 1, "global_step": 8}
        panel.session._on_record(record)
        yield record

    monkeypatch.setattr(panel.trainer, "steps", steps)
    panel.start()
    assert panel.session.join(timeout=10)
    assert seen == [NOTICE]
    assert panel.status.note == ""
    assert NOTICE not in "".join(capsys.readouterr())
