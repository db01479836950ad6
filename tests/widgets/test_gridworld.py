"""gridworld(): clicks and keys edit the grid, buttons work, and the picture shows what is known."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from widgets.conftest import wait_for

from pufferbench.tabular import METHODS, Grid, GridError
from pufferbench.widgets import gridworld


@pytest.fixture
def view():
    view = gridworld()
    yield view
    view.close()


def press(view, row, column, kind="press"):
    view.drawing._handle_custom_msg({"kind": kind, "pick": str(view.grid.cell(row, column))}, [])


def key(view, *names):
    for name in names:
        view.drawing._handle_custom_msg({"kind": "key", "key": name}, [])


def words_of(view, row, column):
    """What stands in a cell of the picture."""
    cells = {
        group.get("data-pick"): group for group in ET.fromstring(view.svg()).iter() if group.get("data-pick")
    }
    cell = cells[str(view.grid.cell(row, column))]
    return [element.text for element in cell if element.tag.endswith("text")]


def test_step_sweep_run_and_done(view):
    view._buttons["Step"].click()
    assert (view.method.steps, view.method.sweeps) == (1, 0)
    assert "V(0, 0) ← max(left" in view.words.value
    view._buttons["Sweep"].click()
    assert (view.method.steps, view.method.sweeps) == (9, 1)
    view.speed.value = 10_000
    view._buttons["Run"].click()
    wait_for(lambda: view._buttons["Run"].description == "Run", "it has stopped by itself")
    assert view.method.done
    assert words_of(view, 0, 2) == ["0.92"]
    assert "done: the start is worth 0.705" in view.drawing.alt


def test_an_edit_changes_the_values_at_once_when_they_were_solved(view):
    view.method.run()
    before = view.method.values[8]
    press(view, 1, 3)  # a wall where the pit was
    assert view.grid.map == "...G\n.#.#\nS..."
    assert view.method.done
    assert view.method.values[8] > before + 0.03
    key(view, "z")
    assert view.grid.map == "...G\n.#.P\nS..."
    assert view.method.values[8] == pytest.approx(before, abs=1e-5)


def test_a_stroke_over_cells_draws_or_takes_away_walls(view):
    press(view, 0, 0)
    press(view, 0, 1, "paint")
    assert view.grid.map == "##.G\n.#.P\nS..."
    press(view, 1, 1)
    press(view, 0, 1, "paint")
    assert view.grid.map == "#..G\n...P\nS..."


def test_keys_move_the_cursor_and_edit(view):
    key(view, "ArrowUp", "ArrowRight", "ArrowRight", "g")
    assert view.grid.map == "...G\n.#GP\nS..."
    assert "Row 1, column 2 is a goal" in view.drawing.alt
    key(view, "ArrowDown", "s", "ArrowLeft", "ArrowLeft", "ArrowLeft", "p")
    assert view.grid.map == "...G\n.#GP\nP.S."
    view._reward.value = -0.5
    key(view, "ArrowRight", "r")
    assert view.grid.rewards[2, 1] == -0.5
    assert "\N{MINUS SIGN}0.5" in words_of(view, 2, 1)
    key(view, " ", "n")
    assert view.method.sweeps == 1


def test_a_mistake_is_said_and_changes_nothing(view):
    press(view, 2, 0)
    assert "the start is in row 2, column 0" in view.words.value
    assert view.grid.map == "...G\n.#.P\nS..."


def test_sliders_change_the_world_and_the_learner(view):
    view.method.run()
    view.knobs["step_reward"].value = -1.0
    assert view.grid.step_reward == -1.0
    assert view.method.values[8] < 0
    view._method.value = "Q-learning"
    view.knobs["alpha"].value = 0.5
    assert view.method.alpha == 0.5
    view.reset()
    assert view.method.alpha == 0.5
    assert view.knobs["lam"].layout.display == "none"
    assert view.knobs["epsilon"].layout.display is None


def test_a_preset_brings_its_own_numbers(view):
    view._preset.value = "cliff"
    assert view.grid.shape == (4, 12)
    assert view.knobs["step_reward"].value == view.grid.step_reward == -1.0
    assert view.method.values.shape == (48,)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_drawn_and_explained(name):
    view = gridworld("two rooms", name)
    view.run()
    wait_for(lambda: view.method.steps > 5, "it runs")
    view.pause()
    ET.fromstring(view.svg())
    assert re.search(r"\d", view.words.value)
    assert name in view.describe() and view.describe() in view.svg().replace("&#x27;", "'")
    triangles = view.svg().count("<polygon")
    assert (triangles > 4 * 20) == (view.method.q is not None and not view.method.plans)
    view.close()


def test_policy_iteration_evaluates_and_improves_apart():
    view = gridworld(method="Policy iteration")
    assert view._buttons["Improve"].layout.display is None
    view.sweep()
    view._buttons["Improve"].click()
    assert (view.method.sweeps, view.method.improvements) == (1, 1)
    assert "Improvement 1: the policy changes in 5 states." in view.words.value
    view.close()


def test_closing_ends_a_run_without_end():
    view = gridworld("S#G", "Q-learning")
    view.speed.value = 1000
    view.run()
    wait_for(lambda: view.method.steps > 20, "it runs")
    thread = view._thread
    view.close()
    assert not thread.is_alive()


def test_worlds_can_be_given_in_three_ways():
    for world, shape in (("S..G", (1, 4)), ("empty", (5, 5)), (Grid("S.\n.G"), (2, 2))):
        view = gridworld(world)
        assert view.grid.shape == shape
        view.close()
    with pytest.raises(GridError, match="did you mean 'cliff'"):
        gridworld("clif")
    with pytest.raises(ValueError, match="did you mean 'SARSA'"):
        gridworld(method="SARSSA")


def test_what_stays_needs_no_kernel(view, tmp_path):
    page = view.snapshot_html()
    assert 'alt="Gridworld, 3 by 4, Value iteration after 0 sweeps' in page
    assert "data:image/svg+xml;base64," in page and "<script" not in page
    view.save(tmp_path / "grid.svg")
    text = (tmp_path / "grid.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    assert "--pb-blue: #0072b2" in text


def test_every_control_has_a_tooltip(view):
    controls = [
        *view._buttons.values(),
        *view.knobs.values(),
        view.speed,
        view._preset,
        view._method,
        view._reward,
    ]
    assert all(control.tooltip for control in controls)
    assert len(view._tool.tooltips) == len(view._tool.options)


def test_the_last_picture_comes_though_an_answer_was_lost(view, monkeypatch):
    """The browser never acknowledges the first one; what is newest is sent with the next sign of life."""
    now = [100.0]
    monkeypatch.setattr("pufferbench.widgets.frame_view.time.monotonic", lambda: now[0])
    view.drawing._sent_at = None
    view.step()
    view.step()
    assert view.drawing.frame != view.drawing.svg.encode()
    now[0] += 3
    view.drawing._handle_custom_msg({"kind": "visible", "view": "a", "visible": True}, [])
    assert view.drawing.frame == view.drawing.svg.encode()


def test_the_same_picture_again_is_not_sent(view):
    view.drawing._sent_at = None
    view.redraw()
    assert view.drawing._sent_at is None
