import pytest

from pufferbench.widgets.frame_view import FrameView


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("pufferbench.widgets.frame_view.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def view(clock):
    return FrameView(label="The agent", alt="Breakout, played by the agent")


def drawn(view, visible=True):
    view._handle_custom_msg({"kind": "drawn", "view": "a", "visible": visible}, [])


def look(view, who="a", visible=True):
    view._handle_custom_msg({"kind": "visible", "view": who, "visible": visible}, [])


def test_only_the_newest_frame_waits_for_the_browser(view):
    view.show(b"1")
    view.show(b"2")
    view.show(b"3")
    assert view.frame == b"1"
    drawn(view)
    assert view.frame == b"3"
    drawn(view)
    assert view.frame == b"3"
    assert view.ready
    view.show(b"4")
    assert view.frame == b"4"


def test_a_lost_answer_does_not_stop_the_picture_for_good(view, clock):
    view.show(b"1")
    view.show(b"2")
    assert view.frame == b"1"
    clock[0] += FrameView.ACK_TIMEOUT + 0.1
    view.show(b"3")
    assert view.frame == b"3"


def test_the_same_frame_again_blocks_nothing(view):
    view.show(b"1")
    drawn(view)
    view.show(b"1")  # would never be acknowledged
    view.show(b"2")
    assert view.frame == b"2"


def test_back_to_what_is_shown_drops_what_waited(view):
    view.show(b"1")
    view.show(b"2")
    view.show(b"1")
    drawn(view)
    assert view.frame == b"1"


def test_a_film_may_play_before_it_counts_as_lost(view, clock):
    view.show(b"film", seconds=10.0)
    assert view.seconds == 10.0
    clock[0] += FrameView.ACK_TIMEOUT + 1
    assert not view.ready
    clock[0] += 10
    assert view.ready


def test_visible_while_any_page_shows_it(view):
    assert not view.visible
    look(view, "a")
    look(view, "b")
    look(view, "a", False)
    assert view.visible
    look(view, "b", False)
    assert not view.visible


def test_a_page_that_went_without_a_word_is_forgotten_and_may_come_back(view, clock):
    look(view)
    for _ in range(5):
        view.show(b"frame")
        clock[0] += FrameView.GONE / 4
    assert not view.visible
    drawn(view)  # the laptop was only asleep
    assert view.visible


def test_a_long_rest_is_no_absence(view, clock):
    look(view)
    view.show(b"1")
    drawn(view)
    clock[0] += 1000
    assert view.visible
    view.show(b"2")
    assert view.visible


def test_words_for_who_cannot_see(view):
    state = view.get_state()
    assert (state["label"], state["alt"]) == ("The agent", "Breakout, played by the agent")
