"""Small controls that several views have: buttons, speed, seed, a heading."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets

SPEEDS = {"1/8": 0.125, "1/4": 0.25, "1/2": 0.5, "1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0}
MOST_FPS = 60  # pictures/s; faster games skip some


def button(name: str, icon: str, tooltip: str, act: Callable[[], Any]) -> ipywidgets.Button:
    """A button with an icon of Font Awesome, which is part of Jupyter."""
    made = ipywidgets.Button(description=name, icon=icon, tooltip=tooltip, layout={"width": "auto"})
    made.on_click(lambda _: act())
    return made


def pause_button(changed: Callable[[bool], None]) -> ipywidgets.ToggleButton:
    """Pause, and go on."""
    made = ipywidgets.ToggleButton(
        False, description="Pause", icon="pause", tooltip="Hold, and go on", layout={"width": "auto"}
    )
    made.observe(lambda change: changed(change["new"]), names="value")
    return made


def speed_slider(changed: Callable[[float], None], about: str) -> ipywidgets.SelectionSlider:
    """How fast time goes by."""
    made = ipywidgets.SelectionSlider(
        options=list(SPEEDS),
        value="1",
        description="Speed",
        tooltip=about,
        continuous_update=False,
        layout={"width": "210px"},
    )
    made.observe(lambda change: changed(SPEEDS[change["new"]]), names="value")
    return made


def seed_box(seed: int, changed: Callable[[int], None]) -> ipywidgets.BoundedIntText:
    """The seed of the episode."""
    made = ipywidgets.BoundedIntText(
        seed,
        min=0,
        max=2**31 - 1,
        description="Seed",
        tooltip="One seed is one game",
        layout={"width": "130px"},
    )
    made.observe(lambda change: changed(change["new"]), names="value")
    return made


def heading(title: str, subtitle: str) -> ipywidgets.HTML:
    """What it is, and a few words more."""
    made = ipywidgets.HTML(heading_html(title, subtitle))
    return made.add_class("pb-heading")


def heading_html(title: str, subtitle: str) -> str:
    return f"<b>{html.escape(title)}</b><span>{html.escape(subtitle)}</span>"


def row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """Side by side, wrapped where there is no room."""
    return ipywidgets.HBox(widgets).add_class("pb-row")


def beside(left: list[ipywidgets.Widget], right: list[ipywidgets.Widget]) -> ipywidgets.Box:
    """Two columns; below each other where there is no room."""
    return ipywidgets.Box([ipywidgets.VBox(left), ipywidgets.VBox(right)]).add_class("pb-beside")


def clock(fps: float, speed: float) -> tuple[float, int]:
    """``(period, steps)``: ms between two pictures, and steps from one to the next."""
    steps = max(1, round(fps * speed / MOST_FPS))
    return 1000 * steps / (fps * speed), steps
