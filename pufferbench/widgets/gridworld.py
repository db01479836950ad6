"""gridworld(): draw a world, and watch methods solve it, step by step."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets

from pufferbench.errors import PufferBenchError, did_you_mean
from pufferbench.tabular import METHODS, PRESETS, Grid, Method
from pufferbench.tabular.grid import GOAL, PIT, WALL
from pufferbench.widgets.drawing import Drawing, View
from pufferbench.widgets.grid_picture import grid_picture
from pufferbench.widgets.gridworld_knobs import knobs
from pufferbench.widgets.kernel import watch_kernel
from pufferbench.widgets.method_chart import method_chart

DRAWN = "(drawn)"  # the name of worlds that are no preset
FRAME = 0.05  # s between two pictures while it runs

# name -> key, tooltip
TOOLS = {
    "Wall": ("w", "Cells that nobody can enter. Press again for floor"),
    "Floor": ("f", "Plain ground"),
    "Goal": ("g", "The episode ends here, with a reward"),
    "Pit": ("p", "The episode ends here, with a punishment"),
    "Start": ("s", "Where episodes begin"),
    "Reward": ("r", "Entering the cell gives the number beside this button"),
}
KEYS = {key: name for name, (key, _) in TOOLS.items()}
ARROWS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}
HELP = (
    "Click cells, or move with the arrow keys and type w wall, f floor, g goal, p pit, s start, r reward, z undo; "
    "space steps, n does a sweep, Enter runs or pauses."
)


class Gridworld(View):
    """An editable gridworld and a method at work in it. Made by :func:`gridworld`.

    Attributes:
        grid: the :class:`~pufferbench.tabular.Grid` that is edited.
        method: the :class:`~pufferbench.tabular.Method` at work.
        cursor: the cell under the keyboard's cursor.
        tool: what a click puts, one of ``TOOLS``.
    """

    def __init__(self, grid: Grid, world: str, method: str) -> None:
        self.grid = grid
        self.cursor = int(grid.starts[0])
        self._lock = threading.RLock()  # of grid and method: buttons and the running thread use both
        self._running = threading.Event()
        self._thread: threading.Thread | None = None
        self._release: Callable[[], None] = lambda: None
        self._quiet = False  # while sliders are set by us
        self.drawing = Drawing(self._picked, self._typed, note=HELP,
                               typed=[*ARROWS, *KEYS, "z", "n", " ", "Enter"])  # fmt: skip
        self.chart = Drawing()
        self.words = ipywidgets.HTML().add_class("pb-words")
        self._make_controls(world, method)
        self.method: Method = self._make_method()
        sides = ipywidgets.Box([self.drawing, self._side()]).add_class("pb-sides")
        super().__init__([self._head(), self._tools(), sides, self.words])
        self._show_knobs()
        self._say(HELP)

    # -- what a person does ---------------------------------------------------------------------

    @property
    def tool(self) -> str:
        return str(self._tool.value)

    @tool.setter
    def tool(self, name: str) -> None:
        if name not in TOOLS:
            raise ValueError(
                f"tool must be one of {', '.join(TOOLS)}, not {name!r}{did_you_mean(name, TOOLS)}"
            )
        self._tool.value = name

    def put(self, row: int, column: int, what: str) -> None:
        """Make a cell wall, floor, goal, pit or the start. What was solved is solved again at once."""
        self._edit(lambda: self.grid.put(row, column, what))

    def set_reward(self, row: int, column: int, reward: float) -> None:
        """What entering a cell gives."""
        self._edit(lambda: self.grid.set_reward(row, column, reward))

    def undo(self) -> None:
        """Take back the last edit."""
        self._edit(self.grid.undo)

    def step(self) -> None:
        """The smallest piece of work: one cell's backup, or one step of the agent."""
        self._work(lambda: self.method.advance_step())

    def sweep(self) -> None:
        """One sweep over all cells, or the episode to its end. Policy iteration only evaluates here."""
        self._work(lambda: self.method.sweep())

    def improve(self) -> None:
        """Policy iteration: act greedily on the present values from now on."""
        self._work(lambda: self.method.improve())  # type: ignore[attr-defined]

    def run(self) -> None:
        """Go on by itself, at the slider's speed, until it is done or paused."""
        if self._running.is_set() or self.method.done:
            return
        self.pause()
        self._running.set()
        self._buttons["Run"].description, self._buttons["Run"].icon = "Pause", "pause"
        self._release = watch_kernel(self.pause, lambda: None)
        self._thread = threading.Thread(target=self._run, name="pufferbench-gridworld", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Stop going on by itself."""
        self._running.clear()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def reset(self) -> None:
        """Forget everything that was learned. The world stays."""
        self.pause()
        with self._lock:
            self.method = self._make_method()
        self._say(HELP)
        self._show_knobs()
        self.redraw()

    def close(self) -> None:
        self.pause()
        super().close()

    # -- controls -------------------------------------------------------------------------------

    def _make_controls(self, world: str, method: str) -> None:
        self._preset = ipywidgets.Dropdown(
            options=[DRAWN, *PRESETS], value=world, description="World", layout={"width": "170px"}
        )
        self._preset.tooltip = "Worlds from the books; what you have drawn is lost"
        self._preset.observe(self._chose_preset, names="value")
        self._method = ipywidgets.Dropdown(options=list(METHODS), value=method, description="Method",
                                           layout={"width": "210px"})  # fmt: skip
        self._method.tooltip = "Planning methods know the rules; the others learn from steps"
        self._method.observe(lambda change: self.reset(), names="value")
        self._tool = ipywidgets.ToggleButtons(
            options=list(TOOLS), value="Wall", tooltips=[f"{words} (key {key})" for key, words in TOOLS.values()],
            style={"button_width": "72px"},
        )  # fmt: skip
        self._reward = ipywidgets.FloatText(0.5, step=0.1, layout={"width": "76px"},
                                            tooltip="The reward that the tool Reward puts")  # fmt: skip
        about = {
            "Step": (self.step, "step-forward", "One cell's backup, or one step of the agent (space)"),
            "Sweep": (self.sweep, "fast-forward", "Over all cells, or to the end of the episode (n)"),
            "Improve": (
                self.improve,
                "arrow-up",
                "Make the policy greedy with respect to the present values",
            ),
            "Run": (self._toggle, "play", "Go on until it is done (Enter)"),
            "Reset": (self.reset, "refresh", "Forget what was learned"),
            "Undo": (self.undo, "undo", "Take back the last edit (z)"),
        }
        self._buttons = {}
        for name, (act, icon, words) in about.items():
            button = ipywidgets.Button(description=name, icon=icon, tooltip=words, layout={"width": "auto"})
            button.on_click(lambda _, act=act: act())
            self._buttons[name] = button
        self.speed = ipywidgets.FloatLogSlider(30, min=0, max=4, step=0.25, description="Speed, steps/s",
                                               readout_format=".0f", tooltip="How fast it runs")  # fmt: skip
        self.knobs = knobs()
        self._learning = {"alpha": 0.2, "epsilon": 0.1, "lam": 0.8}
        for name, slider in self.knobs.items():
            value = self._learning.get(name)
            value = getattr(self.grid, name) if value is None else value
            slider.min, slider.max = min(slider.min, value), max(slider.max, value)
            slider.value = value
            slider.observe(lambda change, name=name: self._turned(name, change["new"]), names="value")

    def _head(self) -> ipywidgets.Widget:
        name = ipywidgets.Label("Gridworld").add_class("pb-name")
        return ipywidgets.HBox([name, self._preset.add_class("pb-push"), self._method]).add_class("pb-row")

    def _tools(self) -> ipywidgets.Widget:
        put = ipywidgets.Label("Draw")
        undo = self._buttons["Undo"].add_class("pb-push")
        return ipywidgets.HBox([put, self._tool, self._reward, undo]).add_class("pb-row")

    def _side(self) -> ipywidgets.Widget:
        names = ("Step", "Sweep", "Improve", "Run", "Reset")
        buttons = ipywidgets.HBox([self._buttons[name] for name in names]).add_class("pb-row")
        knobs = ipywidgets.VBox([self.speed, *self.knobs.values()]).add_class("pb-knobs-narrow")
        return ipywidgets.VBox([buttons, knobs, self.chart])

    def _show_knobs(self) -> None:
        """Only the sliders that the method listens to."""
        for name, slider in self.knobs.items():
            shown = name in ("gamma", "slip", "step_reward") or hasattr(self.method, name)
            if name == "epsilon":
                shown = shown and self.method.q is not None
            slider.layout.display = None if shown else "none"
        self._buttons["Improve"].layout.display = None if hasattr(self.method, "improve") else "none"

    def _make_method(self) -> Method:
        method = METHODS[self._method.value](self.grid)
        for name, value in self._learning.items():
            if hasattr(method, name):
                setattr(method, name, value)
        return method

    def _chose_preset(self, change: dict[str, Any]) -> None:
        if change["new"] in PRESETS and not self._quiet:
            self.pause()
            with self._lock:
                self.grid = Grid.preset(change["new"])
                self.cursor = int(self.grid.starts[0])
            self._quiet = True
            for name in ("gamma", "slip", "step_reward"):
                self.knobs[name].value = getattr(self.grid, name)
            self._quiet = False
            self.reset()

    def _turned(self, name: str, value: float) -> None:
        if self._quiet:
            return
        if name in self._learning:
            self._learning[name] = value
            if hasattr(self.method, name):
                setattr(self.method, name, value)
        else:
            self._edit(lambda: setattr(self.grid, name, value))

    # -- clicks and keys ------------------------------------------------------------------------

    def _picked(self, pick: str, kind: str) -> None:
        self.cursor = int(pick)
        row, column = divmod(self.cursor, self.grid.shape[1])
        if kind == "press":  # a press on a wall takes it away, and so does the rest of the stroke
            self._erasing = self.tool == "Wall" and self.grid.kinds[row, column] == WALL
        self._apply("Floor" if self.tool == "Wall" and self._erasing else self.tool)

    def _typed(self, key: str) -> None:
        if key in ARROWS:
            (row, column), (down, right) = divmod(self.cursor, self.grid.shape[1]), ARROWS[key]
            rows, columns = self.grid.shape
            self.cursor = min(max(row + down, 0), rows - 1) * columns + min(
                max(column + right, 0), columns - 1
            )
            self.redraw()
        elif key in KEYS:
            self._apply(KEYS[key])
        else:
            {"z": self.undo, " ": self.step, "n": self.sweep, "Enter": self._toggle}[key]()

    def _apply(self, tool: str) -> None:
        row, column = divmod(self.cursor, self.grid.shape[1])
        if tool == "Reward":
            self.set_reward(row, column, float(self._reward.value))
        else:
            self.put(row, column, tool.lower())

    def _toggle(self) -> None:
        if self._running.is_set():
            self.pause()
        else:
            self.run()

    # -- work -----------------------------------------------------------------------------------

    def _edit(self, change: Callable[[], object]) -> None:
        with self._lock:
            solved = self.method.done
            try:
                change()
            except PufferBenchError as error:
                self._say(str(error), error=True)
                return
            self.method.adopt(self.grid)
            if solved:
                self.method.run()
        self._say(self.method.words)
        self.redraw()

    def _work(self, work: Callable[[], object]) -> None:
        self.pause()
        with self._lock:
            if not self.method.done:
                work()
        self._say(self.method.words)
        self.redraw()

    def _run(self) -> None:
        due, owed, seen = time.monotonic(), 0.0, False
        while self._running.is_set():
            seen = seen or self.drawing.visible
            if not seen or self.drawing.visible:  # out of sight it rests
                owed += self.speed.value * FRAME
                stop = time.monotonic() + FRAME  # the speed there is, when it is less than wanted
                with self._lock:
                    while owed >= 1 and not self.method.done and time.monotonic() < stop:
                        self.method.advance_step()
                        owed -= 1
                    owed = min(owed, 1.0)
                    if self.method.done:
                        self._running.clear()
                self._say(self.method.words)
                self.redraw()
            due = max(due + FRAME, time.monotonic() - FRAME)
            time.sleep(max(0.005, due - time.monotonic()))
        self._release()
        self._buttons["Run"].description, self._buttons["Run"].icon = "Run", "play"
        self.redraw()

    def _say(self, words: str, error: bool = False) -> None:
        kind = ' class="pb-said-error"' if error else ""
        words = re.sub(r"-(?=\d)", "\N{MINUS SIGN}", words or HELP)
        self.words.value = f"<span{kind}>{html.escape(words)}</span>"

    # -- pictures -------------------------------------------------------------------------------

    def redraw(self) -> None:
        with self._lock:
            self.chart.draw(
                method_chart(self.method),
                f"{self.method.measure}, by {'sweep' if self.method.plans else 'episode'}",
            )
        super().redraw()

    def svg(self) -> str:
        """The grid with the method's numbers, as SVG."""
        with self._lock:
            method = self.method
            agent = None if method.plans else method.position  # type: ignore[attr-defined]
            return grid_picture(
                self.grid,
                method.values,
                q=None if method.plans else method.q,
                policy=method.policy,
                agent=agent,
                state=method.state if method.plans else None,
                cursor=self.cursor,
                trace=method.trace,
                label=self.describe(),
            )

    def describe(self) -> str:
        """The state of things in words, for who cannot see it."""
        method, rows, columns = self.method, *self.grid.shape
        what = "sweeps" if method.plans else "episodes"
        start = int(self.grid.starts[0])
        return (
            f"Gridworld, {rows} by {columns}, {method.name} after {method.sweeps} {what}"
            f"{', done' if method.done else ''}: the start is worth {method.values[start]:.3f}. {self._under_cursor()}"
        )

    def _under_cursor(self) -> str:
        row, column = divmod(self.cursor, self.grid.shape[1])
        kind = self.grid.kinds[row, column]
        what = {WALL: "a wall", GOAL: "a goal", PIT: "a pit"}.get(
            kind, f"worth {self.method.values[self.cursor]:.3f}"
        )
        return f"Row {row}, column {column} is {what}."


def gridworld(world: str | Grid = "4x3", method: str = "Value iteration") -> Gridworld:
    """Draw a gridworld and watch it being solved: ``gridworld()`` as the last line of a cell.

    Args:
        world: the name of a preset (``"4x3"``, ``"cliff"``, ``"two rooms"``, ``"empty"``), a map of letters
            (``"S..G ..#."``, see :class:`~pufferbench.tabular.Grid`), or a Grid.
        method: the one to begin with, see :data:`pufferbench.tabular.METHODS`.

    Raises:
        GridError: ``world`` is none of these.
        ValueError: no method has this name.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}{did_you_mean(method, METHODS)} (known: {', '.join(METHODS)})")
    if isinstance(world, Grid):
        return Gridworld(world, DRAWN, method)
    if world not in PRESETS and set(world) <= set("S.#GP \n"):
        return Gridworld(Grid(world), DRAWN, method)
    return Gridworld(Grid.preset(world), world, method)
