import threading

import pytest

from pufferbench.trainer import StopTraining
from pufferbench.widgets import session as session_module
from pufferbench.widgets.session import Session

from .conftest import our_threads, wait_for

COLUMNS = ["global_step", "update", "sps"]
LONG = {"bptt_horizon": 100_000}  # an update of many seconds, to be interrupted in the middle


@pytest.fixture
def train(make_trainer):
    def make(**config):
        return Session.of(make_trainer(**config), COLUMNS)

    return make


def test_start_trains_in_a_thread_and_stop_ends_it(train):
    session = train()
    assert session.state == "idle"
    session.start()
    assert session.state == "training"
    wait_for(lambda: session.trainer.update >= 3, "three updates")
    session.stop()
    assert session.join(timeout=10)
    assert session.state == "idle"
    assert not our_threads()
    assert len(session.history) == session.trainer.update
    assert session.last_record == session.trainer.last_record


def test_stop_in_the_middle_drops_the_update_and_the_trainer_stays_usable(train):
    session = train(**LONG)
    session.start()
    wait_for(lambda: session.trainer.env.states["episode_length"].max() > 0, "the first steps")
    session.stop()
    assert session.join(timeout=10)
    assert session.trainer.update == 0
    assert session.state == "idle"
    assert session.error is None
    session.start()
    assert session.state == "training"


def test_pause_holds_in_the_middle_of_an_update_and_start_goes_on(train):
    session = train(**LONG)
    session.start()
    session.pause()
    wait_for(lambda: session.state == "paused", "paused")
    before = session.trainer.env.states.copy()
    threading.Event().wait(0.05)
    assert (session.trainer.env.states == before).all()
    assert session.trainer.update == 0
    session.start()
    assert session.state == "training"
    wait_for(lambda: (session.trainer.env.states != before).any(), "more steps")


def test_single_update_is_exactly_one_each_time(train):
    session = train()
    for count in (1, 2, 3):
        session.single_update()
        wait_for(lambda: session.state == "paused", "paused")
        assert session.trainer.update == count
    session.stop()
    session.join(timeout=10)
    session.single_update()
    wait_for(lambda: session.state == "paused", "paused")
    assert session.trainer.update == 4


def test_finishes_when_all_timesteps_are_done_and_says_why_it_cannot_go_on(train):
    session = train(total_timesteps=3 * 8 * 16)
    session.start()
    wait_for(lambda: session.state == "finished", "finished")
    assert session.trainer.update == 3
    with pytest.raises(RuntimeError, match="all 384 timesteps are done"):
        session.start()


def test_an_error_ends_the_thread_and_is_kept(train, capfd):
    session = train()
    session.trainer.subscribe(lambda record: 1 / 0)
    session.start()
    wait_for(lambda: session.state == "error", "the error")
    assert isinstance(session.error, ZeroDivisionError)
    assert capfd.readouterr() == ("", "")  # threads never print


def test_every_record_and_every_state_is_told(train):
    session = train()
    heard = []
    forget = session.listen(lambda record: heard.append(record or session.state))
    session.single_update()
    wait_for(lambda: session.state == "paused", "paused")
    assert heard == ["training", session.trainer.last_record, "paused"]
    forget()
    session.stop()
    session.join(timeout=10)
    assert len(heard) == 3


def test_a_loop_in_a_cell_is_followed_and_can_be_stopped_from_another_thread(train):
    session = train()
    steps = session.trainer.steps()
    for update in (1, 2, 3):
        record = next(steps)
        assert session.state == "training"
        assert session.last_record is record
        assert len(session.history) == update
    press(session.stop)
    with pytest.raises(StopTraining):
        next(steps)
    assert session.state == "idle"
    assert next(session.trainer.steps())["update"] == 4


def test_a_loop_in_a_cell_can_be_paused_from_another_thread_only(train):
    session = train()
    steps = session.trainer.steps()
    next(steps)
    session.pause()  # the loop's own thread: nobody could wake it up
    assert next(steps)["update"] == 2
    press(session.pause)
    waker = threading.Thread(
        target=lambda: (wait_for(lambda: session.state == "paused", "paused"), session.start())
    )
    waker.start()
    assert next(steps)["update"] == 3
    waker.join()


def press(button):
    """A button's callback, which comes in another thread while a cell runs."""
    thread = threading.Thread(target=button)
    thread.start()
    thread.join()


def test_a_loop_that_ended_is_over_after_a_while(train, monkeypatch):
    session = train()
    next(session.trainer.steps())
    monkeypatch.setattr(session_module, "CELL_TIMEOUT", -1.0)
    assert session.state == "idle"
    session.start()
    wait_for(lambda: session.trainer.update >= 3, "updates in the background")


def test_two_trainings_of_one_trainer_at_once_are_refused(train):
    session = train(**LONG)
    session.start()
    with pytest.raises(RuntimeError, match="training in the background.*panel.stop"):
        session.trainer.evaluate()
    assert session.state == "training"


def test_a_trainer_has_one_session(train):
    session = train()
    assert Session.of(session.trainer, COLUMNS) is session
    session.close()
    session.close()
    assert session.trainer.gate is None
    assert Session.of(session.trainer, COLUMNS) is not session


def test_a_kernel_interrupt_stops_the_training(train, monkeypatch):
    watched = []

    def watch(on_interrupt, on_cell_end):
        watched.append("watching")
        watch.interrupt = on_interrupt
        return lambda: watched.append("released")

    monkeypatch.setattr(session_module, "watch_kernel", watch)
    session = train(**LONG)
    session.start()
    watch.interrupt()
    assert session.join(timeout=10)
    assert session.state == "idle"
    assert watched == ["watching", "released"]
