"""The screen's side of the talk with the browser: ticks, keys, answers."""

import pytest

from pufferbench.widgets.screen import Screen


@pytest.fixture
def screen(monkeypatch):
    heard = []
    screen = Screen(lambda held, pressed: heard.append((held, pressed)), labels=["one"])
    screen.heard, screen.sent = heard, []
    monkeypatch.setattr(screen, "send", lambda content, buffers=None: screen.sent.append((content, buffers)))
    return screen


def say(screen, kind, view="a", **content):
    screen._on_message(None, {"kind": kind, "view": view, **content}, [])


def test_every_tick_is_answered_with_what_was_shown_in_it(screen):
    say(screen, "tick", tick=1, held=["x"], pressed=[])
    assert screen.heard == [(["x"], [])]
    assert screen.sent == [({"kind": "frame", "view": "a", "tick": 1, "pictures": []}, [])]
    screen.on_tick = lambda held, pressed: screen.show([b"1"], ["note"])
    say(screen, "tick", tick=2, held=[], pressed=[])
    assert screen.sent[1:] == [({"kind": "frame", "view": "a", "tick": 2, "pictures": [0]}, [b"1"])]
    assert screen.notes == ["note"]


def test_only_changed_pictures_travel_and_a_new_page_gets_all(screen):
    one, two = b"1", b"2"
    screen.show([one, two])
    screen.show([one, b"3"])
    assert [content["pictures"] for content, _ in screen.sent] == [[0, 1], [1]]
    say(screen, "hello", view="b")
    assert screen.sent[-1] == ({"kind": "frame", "pictures": [0, 1]}, [one, b"3"])


def test_of_two_pages_the_newer_one_is_the_clock(screen):
    say(screen, "hello", view="a")
    say(screen, "hello", view="b")
    say(screen, "tick", view="a", tick=1)
    assert not screen.heard
    say(screen, "tick", view="b", tick=1)
    assert len(screen.heard) == 1
    say(screen, "bye", view="b")
    say(screen, "tick", view="a", tick=2)
    assert len(screen.heard) == 2


def test_an_error_is_shown_and_ends_the_game(screen):
    screen.on_tick = lambda held, pressed: 1 / 0
    say(screen, "tick", tick=1)
    assert screen.overlay == "ZeroDivisionError: division by zero"
    assert screen.sent[-1][0]["tick"] == 1
    screen.on_tick = lambda held, pressed: pytest.fail("it had ended")
    say(screen, "tick", tick=2)
