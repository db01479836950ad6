"""value_map(): what a policy expects and would do, everywhere; in a gridworld beside the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from pufferbench.explain.values import GridValues, Plane, grid_values, plane
from pufferbench.tabular.grid import KINDS
from pufferbench.tabular.model import ACTIONS
from pufferbench.widgets.explainer import Explainer
from pufferbench.widgets.grid_picture import grid_picture
from pufferbench.widgets.svg import Plot, number, picture, tag, text

COLOURS = ("blue", "orange", "green", "purple", "red", "sky", "grey")
SIDE, GAP = 480, 40  # pixels: each of the two grids is at most this wide


class GridValueMap(Explainer):
    """A policy's values and likeliest actions beside those of value iteration. Made by :func:`value_map`.

    Attributes:
        data: the numbers, a :class:`pufferbench.explain.values.GridValues`.
    """

    def __init__(self, data: GridValues, title: str) -> None:
        self.data = data
        super().__init__(title, [])

    def picked(self, pick: str, kind: str) -> None:
        """Read out a cell's numbers."""
        cell, data = int(pick), self.data
        row, column = divmod(cell, data.grid.shape[1])
        words = f"Row {row}, column {column}: "
        if cell in data.grid.model().decisions:
            chances = ", ".join(
                f"{name} {chance:.0%}" for name, chance in zip(ACTIONS, data.chances[cell], strict=True)
            )
            best = " or ".join(np.array(ACTIONS)[_best(data.true_q[cell])])
            words += (
                f"the policy expects {number(float(data.values[cell]))}, and goes {chances}. "
                f"The best one gets {number(float(data.true_values[cell]))}, and goes {best}."
            )
        else:
            words += f"{KINDS[int(data.grid.kinds.flat[cell])]}. Nobody decides anything there."
        self.words.value = words

    def svg(self) -> str:
        data = self.data
        limit = float(np.abs(data.true_values).max()) or 1.0
        greedy = np.eye(4)[data.chances.argmax(axis=1)]
        best = _best(data.true_q)  # arrows for all of them
        about: dict[str, Any] = {"limit": limit, "widest": SIDE, "highest": 400}
        left = grid_picture(data.grid, data.values, policy=greedy, label="the policy", title="The policy",
                            **about)  # fmt: skip
        right = grid_picture(data.grid, data.true_values, policy=best,
                             label="value iteration", title="The best there is", **about)  # fmt: skip
        height = max(_height(left), _height(right))
        wrong = [cell for cell in data.grid.model().decisions if not data.agrees[cell]]
        marks = [text(SIDE + GAP, height + 16, _wrong_words(len(wrong)), class_="pb-muted")]
        return picture(
            2 * SIDE + GAP + 4,
            height + 24,
            _at(left, 0),
            _at(right, SIDE + GAP),
            *marks,
            label=self.describe(),
        )

    def describe(self) -> str:
        data, decide = self.data, self.data.grid.model().decisions
        start = int(data.grid.starts[0])
        return (
            f"Values of a policy in a gridworld: it expects {number(float(data.values[start]))} at the start, the best "
            f"policy gets {number(float(data.true_values[start]))}; in {int(data.agrees.sum())} of {len(decide)} cells "
            "its action is a best one"
        )

    def meaning(self) -> str:
        data = self.data
        return (
            f"In {int(data.agrees.sum())} of {len(data.grid.model().decisions)} cells the likeliest action is best. "
            f"The values are off by {number(data.error)} (root mean square): the policy's are of what it does itself, "
            f"chance included, those on the right of the best policy, with a discount of {data.grid.gamma:g}. "
            "Click a cell to read its numbers."
        )


def _best(q: np.ndarray) -> np.ndarray:
    """Which actions ``[..., 4]`` are best; several where it makes no difference."""
    return q >= q.max(axis=-1, keepdims=True) - 1e-6


def _wrong_words(count: int) -> str:
    return "Arrows point where to go; several where it makes no difference." if count == 0 else (
        f"In {count} cell{'s' if count > 1 else ''} the policy would do something else."
    )  # fmt: skip


def _height(svg: str) -> float:
    return float(svg.split('viewBox="', 1)[1].split('"', 1)[0].split()[3])


def _at(svg: str, x: float) -> str:
    """A picture inside of another one."""
    width, height = svg.split('viewBox="', 1)[1].split('"', 1)[0].split()[2:]
    inner = svg.split(">", 1)[1].rsplit("</svg>", 1)[0]
    return tag("svg", inner, x=x, y=0, width=width, height=height)


class PlaneValueMap(Explainer):
    """A policy's value and likeliest action over two numbers of its observation. Made by :func:`value_map`.

    Attributes:
        data: the numbers, a :class:`pufferbench.explain.values.Plane`.
    """

    def __init__(self, data: Plane, title: str) -> None:
        self.data = data
        super().__init__(title, [])

    def picked(self, pick: str, kind: str) -> None:
        """Read out the numbers at a place."""
        row, column = divmod(int(pick), len(self.data.xs))
        data = self.data
        words = (
            f"{data.names[0]} {number(float(data.xs[column]))}, {data.names[1]} {number(float(data.ys[row]))}: "
            f"value {number(float(data.values[row, column]))}, action {self._action(float(data.actions[row, column]))}"
        )
        self.words.value = words

    def svg(self) -> str:
        data = self.data
        low, high = float(data.values.min()), float(data.values.max())
        share = (data.values - low) / ((high - low) or 1.0)
        left = self._map(
            52, f"Value: {number(low)} (pale) to {number(high)} (strong)", np.full(share.shape, "blue"), share
        )
        if data.choices:
            colours = np.array(COLOURS)[data.actions.astype(int) % len(COLOURS)]
            right = self._map(560, "Likeliest action", colours, np.full(share.shape, 0.75))
            at = 560.0
            for action in np.unique(data.actions).astype(int):
                colour, words = COLOURS[action % len(COLOURS)], data.choices[action]
                right += tag("rect", x=at, y=461, width=12, height=12, class_=f"pb-fill-{colour}")
                right += text(at + 17, 471, words, class_="pb-muted")
                at += 32 + 6.6 * len(words)
        else:
            most = float(np.abs(data.actions).max()) or 1.0
            colours = np.where(data.actions >= 0, "blue", "orange")
            title = f"Action: orange {number(-most)} to blue {number(most)}"
            right = self._map(560, title, colours, np.abs(data.actions) / most)
        return picture(980, 478, left, right, label=self.describe())

    def _map(self, left: float, title: str, colours: np.ndarray, strength: np.ndarray) -> str:
        data = self.data
        plot = Plot((left, 46, 400, 370), _ends(data.xs), _ends(data.ys), title, data.names[0], data.names[1])
        width, height = plot.width / len(data.xs), plot.height / len(data.ys)
        cells = [
            tag("rect", x=left + width * column, y=46 + plot.height - height * (row + 1), width=width,
                height=height, class_=f"pb-fill-{colours[row, column]}",
                fill_opacity=f"{0.05 + 0.9 * float(strength[row, column]):.2f}", data_pick=row * len(data.xs) + column)
            for row in range(len(data.ys)) for column in range(len(data.xs))
        ]  # fmt: skip
        inside = (data.visited >= (data.xs[0], data.ys[0])).all(1) & (
            data.visited <= (data.xs[-1], data.ys[-1])
        ).all(1)
        dots = [
            tag("circle", cx=plot.at_x(a), cy=plot.at_y(b), r=1.6, class_="pb-visited")
            for a, b in data.visited[inside]
        ]
        return str(plot) + tag("g", *cells, shape_rendering="crispEdges") + "".join(dots)

    def _action(self, action: float) -> str:
        return self.data.choices[int(action)] if self.data.choices else number(action)

    def describe(self) -> str:
        data = self.data
        row, column = np.unravel_index(data.values.argmax(), data.values.shape)
        return (
            f"Values of a policy over {data.names[0]} and {data.names[1]}: from {number(float(data.values.min()))} to "
            f"{number(float(data.values.max()))}, highest at {number(float(data.xs[column]))} and "
            f"{number(float(data.ys[row]))}"
        )

    def meaning(self) -> str:
        held = ", ".join(f"{name} {number(value)}" for name, value in self.data.held.items())
        words = "Left what the policy expects from there on, right what it would do. "
        if len(self.data.visited):
            words += "Dots are where it was while it played; elsewhere it only guesses. "
        return (
            words + (f"Held at its median: {held}. " if held else "") + "Click a place to read its numbers."
        )


def _ends(values: np.ndarray) -> tuple[float, float]:
    half = (values[1] - values[0]) / 2
    return float(values[0] - half), float(values[-1] + half)


def value_map(
    policy: Any, env: Any = None, x: int = 0, y: int = 1, gamma: float | None = None, **about: Any
) -> GridValueMap | PlaneValueMap:
    """What a policy expects and would do: ``value_map(trainer)``, or ``value_map(policy, "ocean-frozen-lake")``.

    In a gridworld its values and actions stand beside those of value iteration. Elsewhere it is a heat map over
    two numbers of the observation.

    Args:
        policy: a policy, or a :class:`pufferbench.PuffeRL`, whose env and discount are then used.
        env: the environment, or the name of one.
        x, y: which numbers of the observation are the axes; for gridworlds they mean nothing.
        gamma: discount of the true values; None: the trainer's, or 0.99.
        about: ``x_range``, ``y_range``, ``observe``, ``names``: see :func:`pufferbench.explain.values.plane`.

    Raises:
        ValueError: no env, or one whose observations are no vector.
    """
    from pufferbench import make

    if hasattr(policy, "policy") and hasattr(policy, "env"):
        trainer, policy = policy, policy.policy
        env = trainer.env if env is None else env
        gamma = float(trainer.gamma) if gamma is None else gamma
    if isinstance(env, str):
        env = make(env, num_envs=1)
    if env is None:
        raise ValueError(
            "value_map(policy, env) needs the environment: an object, or a name such as 'ocean-frozen-lake'"
        )
    name = getattr(env.spec, "id", None) or type(env).__name__
    title = f"{type(policy).__name__} in {name}: what is a place worth?"
    if hasattr(env, "kinds") and hasattr(env, "tables"):
        return GridValueMap(grid_values(policy, env, 0.99 if gamma is None else gamma), title)
    return PlaneValueMap(plane(policy, env, x, y, **about), title)
