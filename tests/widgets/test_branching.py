"""Branch and A/B: two trainings that take turns, in one panel."""

import threading

import numpy as np
import pytest

from pufferbench.branch import branch
from pufferbench.widgets import TrainerPanel
from pufferbench.widgets.ab import ABPanel, Both
from pufferbench.widgets.charts import COLUMNS
from pufferbench.widgets.history import History
from pufferbench.widgets.session import Session
from pufferbench.widgets.turns import Turns

from .conftest import our_threads, wait_for


@pytest.fixture
def panel(make_trainer):
    panel = TrainerPanel(make_trainer())
    yield panel
    panel.close()


@pytest.fixture
def branches(panel):
    return panel.more.branching


def test_branching_while_it_trains_gives_a_second_trainer_that_trains_too(panel, branches):
    panel.start()
    wait_for(lambda: panel.trainer.update >= 2, "two updates")
    panel.branch(learning_rate=1e-4)
    assert branches.note.value == "Branching at the end of this update …"
    assert branches.button.disabled
    wait_for(lambda: branches.ab is not None, "the branch")
    other = branches.trainer
    start = other.update
    assert start >= 2
    wait_for(lambda: other.update >= start + 2 and panel.trainer.update >= start + 4, "both train")
    assert other.learning_rate == 1e-4
    assert panel.trainer.learning_rate == 3e-3
    assert "weights, optimizer, schedules and generators are copied" in branches.note.value
    assert branches.ab.statuses[1].subtitle == "learning_rate 0.0001"
    with pytest.raises(RuntimeError, match="there is a branch already"):
        panel.branch(gamma=0.9)
    panel.pause()
    wait_for(lambda: panel.session.state == "paused", "A is paused")
    before = other.update
    wait_for(lambda: other.update > before, "B does not wait for a paused A")
    branches.end.click()
    assert branches.trainer is None
    assert not branches.button.disabled
    assert not any(isinstance(child, ABPanel) for child in branches.children)
    assert panel.session.turns is None


def test_branching_from_buttons_before_anything_trains(panel, branches):
    branches.option.value, branches.factor.value = "update_epochs", "three times"
    branches.button.click()
    wait_for(lambda: branches.ab is not None, "the branch")
    assert branches.trainer.pending == {"update_epochs": 3}
    assert branches.ab.sessions[1].state == "idle"


def test_branching_after_a_single_update_is_at_once(panel, branches):
    panel.single_update()
    wait_for(lambda: panel.session.state == "paused", "paused")
    panel.branch(gamma=0.5)
    wait_for(lambda: branches.ab is not None, "the branch")
    assert branches.trainer.update == 1


def test_what_cannot_be_branched_says_why(panel, branches):
    panel.branch(learning_rate=-1.0)
    wait_for(lambda: "Cannot branch: learning_rate must be" in branches.note.value, "the reason")
    assert not branches.button.disabled


def test_a_new_panel_shows_the_branch_that_is_there(panel, branches):
    panel.branch(gamma=0.5)
    wait_for(lambda: branches.ab is not None, "the branch")
    second = TrainerPanel(panel.trainer)
    assert second.more.branching.trainer is branches.trainer
    assert second.more.branching.ab is not None
    second.close()
    assert panel.session.rival is None


def test_closing_the_panel_ends_the_branch_and_all_threads(panel, branches):
    panel.start()
    panel.branch(gamma=0.5)
    wait_for(lambda: branches.ab is not None, "the branch")
    panel.close()
    assert not our_threads()


def test_when_b_ends_in_its_turn_a_goes_on(make_trainer):
    a, b = make_trainer(), make_trainer()
    view = ABPanel(a, b, a_has_panel=True)
    first, second = view.sessions
    turns = first.turns
    assert turns.take(second, lambda: True)  # B is in the middle of an update
    first.start()
    wait_for(lambda: turns._waiting == [first], "A waits for its turn")
    view.close()
    wait_for(lambda: a.update > 0, "A trains")
    first.close()


def test_two_trainers_in_turns(make_trainer):
    a = make_trainer()
    next(a.steps())
    b = branch(a, ent_coef=0.5)
    view = ABPanel(a, b)
    view.buttons["Start both"].click()
    wait_for(lambda: a.update >= 6 and b.update >= 6, "both train")
    view.buttons["Pause both"].click()
    wait_for(lambda: all(session.state == "paused" for session in view.sessions), "both are paused")
    assert abs(a.update - b.update) <= 2  # none has run ahead
    view.update()
    rows = view.both.rows()
    assert (np.diff(rows[:, 0]) >= 0).all()
    assert len(rows) == a.update - 1 + b.update - 1
    assert [len(knobs) for knobs in view.knobs] == [len(a.config.live())] * 2
    assert [status.state for status in view.statuses] == ["paused", "paused"]
    view.close()
    view.close()
    b.close()
    with pytest.raises(ValueError, match="same trainer"):
        ABPanel(a, a)


def test_both_histories_in_one_table():
    a, b = History(COLUMNS), History(COLUMNS)
    for step in (1, 2, 3):
        a.append({"global_step": 10 * step, "update": step, "episode_return_100": step})
    b.append({"global_step": 20, "update": 2, "episode_return_100": 7.0})
    both = Both((a, b))
    both.refresh()
    nan = np.nan
    np.testing.assert_array_equal(
        both.rows(), [[10, 1, 1, nan], [20, 2, 2, nan], [20, 2, nan, 7], [30, 3, 3, nan]]
    )
    epoch = both.epoch
    both.refresh()
    assert both.epoch == epoch  # nothing new


def test_turns_alternate_and_one_alone_need_not_wait():
    turns, order = Turns(), []
    assert turns.take("a", lambda: False)
    assert turns.take("a", lambda: False)  # still its turn
    assert not turns.take("b", lambda: True)  # it did not want to wait

    def other():
        turns.take("b", lambda: False)
        order.append("b")
        turns.give_up("b")

    thread = threading.Thread(target=other)
    thread.start()
    wait_for(lambda: "b" in turns._waiting, "b waits")
    turns.give_up("b")  # it was not b's turn: nothing happens
    turns.give_up("a")
    turns.take("a", lambda: False)
    order.append("a")
    thread.join()
    assert order == ["b", "a"]
    turns.give_up("a")
    assert turns.take("a", lambda: False)  # alone


def test_at_boundary_waits_for_the_end_of_an_update(make_trainer):
    session = Session.of(make_trainer(), COLUMNS)
    seen = []
    session.at_boundary(lambda: seen.append(session.trainer.update))
    assert seen == [0]  # nothing trains: at once
    session.start()
    session.at_boundary(lambda: seen.append((session.trainer.update, threading.current_thread().name)))
    wait_for(lambda: len(seen) == 2, "the boundary")
    update, name = seen[1]
    assert update >= 1
    assert name == "pufferbench-training"
    session.close()
