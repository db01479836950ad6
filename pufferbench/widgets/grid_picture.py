"""A gridworld with numbers in its cells, as SVG."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pufferbench.tabular.grid import GOAL, KINDS, PIT, WALL
from pufferbench.tabular.model import ACTIONS
from pufferbench.widgets.svg import number, picture, tag, text, tip

WIDEST, HIGHEST = 640, 470  # pixels; cells are squares that fit in
NUMBERS = 70  # pixels from which on a cell has room for four numbers
STRONGEST = 0.6  # opacity of the largest value's colour: text on it stays readable
# direction of each action, and the triangle of a cell that belongs to it, in units of the cell
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))
CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))
TRIANGLES = ((0, 3), (3, 2), (2, 1), (1, 0))


def grid_picture(
    grid: Any,
    values: np.ndarray,
    q: np.ndarray | None = None,
    policy: np.ndarray | None = None,
    agent: int | None = None,
    state: int | None = None,
    cursor: int | None = None,
    trace: np.ndarray | None = None,
    label: str = "A gridworld",
    title: str = "",
    limit: float | None = None,
    widest: int = WIDEST,
    highest: int = HIGHEST,
) -> str:
    """Draw the cells with their values; blue is good, orange is bad, and the stronger the more.

    Args:
        grid: a :class:`pufferbench.tabular.Grid`.
        values: ``[cells]``.
        q: ``[cells, 4]``; given, each cell shows four triangles instead of one value.
        policy: ``[cells, 4]``; arrows show the actions that it takes.
        agent, state, cursor: cells with the agent, of the last step, and under the keyboard's cursor.
        trace: ``[cells]``, eligibility traces, drawn as rings.
        label: what it shows, in words.
        widest, highest: pixels that the cells may take.
        limit: the value that has the strongest colour; None: the largest here.
    """
    cells = Cells(grid, values, q, policy, limit, widest, highest)
    parts = [tag("g", *(cells.cell(cell, trace) for cell in range(grid.kinds.size)))]
    if state is not None:
        parts.append(cells.outline(state, "pb-last"))
    if agent is not None:
        parts.append(cells.agent(agent))
    if cursor is not None:
        parts.append(cells.outline(cursor, "pb-cursor"))
    head = 26 if title else 0
    if title:
        parts = [text(1, 14, title, class_="pb-title"), tag("g", *parts, transform=f"translate(0 {head})")]
    height = head + cells.height
    parts.append(_legend(cells, height + 8))
    return picture(max(cells.width, 380.0), height + 28, *parts, label=label)


class Cells:
    """Where each cell is, and what is drawn in it."""

    def __init__(
        self,
        grid: Any,
        values: np.ndarray,
        q: np.ndarray | None,
        policy: np.ndarray | None,
        limit: float | None,
        widest: int,
        highest: int,
    ) -> None:
        self.grid, self.values, self.q, self.policy = grid, values, q, policy
        rows, self.columns = grid.shape
        self.side = side = float(min(widest // self.columns, highest // rows, 150))
        self.width, self.height = side * self.columns + 2, side * rows + 2
        shown = values if q is None else q
        self.limit = limit or float(np.abs(shown).max()) or 1.0

    def place(self, cell: int) -> tuple[float, float]:
        """The cell's left and top."""
        row, column = divmod(cell, self.columns)
        return 1 + column * self.side, 1 + row * self.side

    def cell(self, cell: int, trace: np.ndarray | None) -> str:
        (x, y), side = self.place(cell), self.side
        kind = int(self.grid.kinds.flat[cell])
        box = {"x": x + 0.75, "y": y + 0.75, "width": side - 1.5, "height": side - 1.5, "rx": 3}
        parts = [tip(self.words(cell))]
        if kind == WALL:
            parts.append(tag("rect", **box, class_="pb-wall"))
        elif kind in (GOAL, PIT):
            colour = "green" if kind == GOAL else "red"
            parts.append(tag("rect", **box, class_=f"pb-end pb-stroke-{colour}"))
            parts.append(
                _star(x + side / 2, y + side * 0.4, side * 0.24) if kind == GOAL else self._cross(x, y)
            )
            reward = self.grid.rewards.flat[cell]
            words = number(reward) if reward <= 0 else "+" + number(reward)
            parts.append(self._text(x + side / 2, y + side * 0.88, words, 0.19, "pb-strong"))
        else:
            parts.append(tag("rect", **box, class_="pb-floor"))
            parts += self._value(cell, x, y) if self.q is None else self._triangles(cell, x, y)
            parts += self._marks(cell, x, y, trace)
        return tag("g", *parts, data_pick=cell)

    def _value(self, cell: int, x: float, y: float) -> list[str]:
        side, value = self.side, float(self.values[cell])
        parts = [
            tag(
                "rect", x=x + 0.75, y=y + 0.75, width=side - 1.5, height=side - 1.5, rx=3, **self.paint(value)
            )
        ]
        if side >= 26:
            parts.append(self._text(x + side / 2, y + side * 0.57, number(value), 0.21, ""))
        if self.policy is not None:
            parts += [self._arrow(x, y, action) for action in self._taken(self.policy[cell])]
        return parts

    def _triangles(self, cell: int, x: float, y: float) -> list[str]:
        assert self.q is not None
        side, parts, best = self.side, [], self._taken(self.policy[cell]) if self.policy is not None else []
        for action, (a, b) in enumerate(TRIANGLES):
            value = float(self.q[cell, action])
            corners = [(x + side * i, y + side * j) for i, j in (CORNERS[a], CORNERS[b], (0.5, 0.5))]
            points = " ".join(f"{i:.1f},{j:.1f}" for i, j in corners)
            parts.append(tag("polygon", points=points, **self.paint(value)))
            parts.append(tag("polygon", points=points, class_="pb-edge"))
            if side >= NUMBERS:
                dx, dy = STEPS[action]
                middle, base = x + side * (0.5 + 0.28 * dx), y + side * (0.54 + 0.3 * dy)
                parts.append(
                    self._text(middle, base, number(value), 0.13, "pb-strong" if action in best else "")
                )
            if action in best:
                parts.append(self._arrow(x, y, action))
        if 26 <= side < NUMBERS:  # only the best one's
            parts.append(
                self._text(x + side / 2, y + side * 0.58, number(float(self.q[cell].max())), 0.23, "")
            )
        return parts

    def _marks(self, cell: int, x: float, y: float, trace: np.ndarray | None) -> list[str]:
        parts, side = [], self.side
        reward = float(self.grid.rewards.flat[cell])
        if reward:
            parts.append(
                self._text(x + side * 0.92, y + side * 0.2, f"{reward:+.3g}".replace("-", "\N{MINUS SIGN}"), 0.15,
                           "pb-strong", "end")
            )  # fmt: skip
        if cell in self.grid.starts:
            parts.append(self._text(x + side * 0.09, y + side * 0.22, "S", 0.19, "pb-strong", "start"))
        if trace is not None and trace[cell] > 0.01:
            share = min(float(trace[cell]), 1.0)
            parts.append(
                tag("circle", cx=x + side / 2, cy=y + side / 2, r=side * 0.4, class_="pb-trace",
                    stroke_opacity=share, stroke_width=1 + 3 * share)
            )  # fmt: skip
        return parts

    def _text(self, x: float, y: float, words: str, size: float, name: str, anchor: str = "middle") -> str:
        font = max(9.0, min(self.side * size, 22.0))
        return text(x, y, words, class_=name or None, text_anchor=anchor, style=f"font-size:{font:.1f}px")

    def _arrow(self, x: float, y: float, action: int) -> str:
        """A small head at the edge that the action goes to."""
        (dx, dy), side = STEPS[action], self.side
        tip_x, tip_y = x + side * (0.5 + 0.46 * dx), y + side * (0.5 + 0.46 * dy)
        size = max(side * 0.09, 4.0)
        back_x, back_y = tip_x - size * dx, tip_y - size * dy
        points = [
            (tip_x, tip_y),
            (back_x + size * dy, back_y + size * dx),
            (back_x - size * dy, back_y - size * dx),
        ]
        return tag("polygon", points=" ".join(f"{i:.1f},{j:.1f}" for i, j in points), class_="pb-arrow")

    @staticmethod
    def _taken(chances: np.ndarray) -> list[int]:
        """The actions to show: none when all are as likely, for then nothing is known."""
        best = np.flatnonzero(chances > 1e-9)
        return [] if len(best) == len(chances) else [int(action) for action in best]

    def _cross(self, x: float, y: float) -> str:
        side = self.side
        a, b, top, bottom = x + side * 0.32, x + side * 0.68, y + side * 0.22, y + side * 0.58
        return tag("path", d=f"M{a:.1f} {top:.1f}L{b:.1f} {bottom:.1f}M{b:.1f} {top:.1f}L{a:.1f} {bottom:.1f}",
                   class_="pb-cross pb-stroke-red", stroke_width=max(side * 0.07, 2.0))  # fmt: skip

    def outline(self, cell: int, name: str) -> str:
        x, y = self.place(cell)
        return tag("rect", x=x + 1.5, y=y + 1.5, width=self.side - 3, height=self.side - 3, rx=4, class_=name)

    def agent(self, cell: int) -> str:
        x, y = self.place(cell)
        size = self.side * 0.15
        return tag("circle", tip("the agent"), cx=x + self.side * 0.5, cy=y + self.side * 0.5, r=size,
                   class_="pb-agent")  # fmt: skip

    def paint(self, value: float) -> dict[str, Any]:
        """How a value looks."""
        share = min(abs(value) / self.limit, 1.0) ** 0.6  # small differences near 0 should be seen too
        colour = "blue" if value >= 0 else "orange"
        return {"class_": f"pb-fill-{colour}", "fill_opacity": f"{STRONGEST * share:.3f}"}

    def words(self, cell: int) -> str:
        """A cell's tooltip."""
        row, column = divmod(cell, self.columns)
        kind = int(self.grid.kinds.flat[cell])
        words = [f"row {row}, column {column}: {KINDS[kind]}"]
        if cell in self.grid.starts:
            words[0] += ", start"
        if self.grid.rewards.flat[cell]:
            words.append(f"reward on entering {self.grid.rewards.flat[cell]:+g}")
        if kind not in (WALL, GOAL, PIT):
            words.append(f"V = {self.values[cell]:.4f}")
            if self.q is not None:
                words += [
                    f"Q {name} = {value:.4f}" for name, value in zip(ACTIONS, self.q[cell], strict=True)
                ]
        return "\n".join(words)


def _star(x: float, y: float, size: float) -> str:
    points = [
        (x + size * radius * math.sin(k * math.pi / 5), y - size * radius * math.cos(k * math.pi / 5))
        for k, radius in enumerate([1.0, 0.42] * 5)
    ]
    return tag("polygon", points=" ".join(f"{i:.1f},{j:.1f}" for i, j in points), class_="pb-fill-green")


def _legend(cells: Cells, y: float) -> str:
    """What the colours mean: a strip from the worst to the best."""
    steps, size = 11, 16.0
    strip = [
        tag(
            "rect",
            x=40 + i * size,
            y=y,
            width=size,
            height=10,
            **cells.paint(cells.limit * (2 * i / (steps - 1) - 1)),
        )
        for i in range(steps)
    ]
    end = 40 + steps * size
    words = [
        text(34, y + 9, number(-cells.limit), class_="pb-tick", text_anchor="end"),
        text(
            end + 6,
            y + 9,
            number(cells.limit) + "  expected discounted reward",
            class_="pb-tick",
        ),
    ]
    return "".join(strip + words)
