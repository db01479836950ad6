"""policy_graph(): a network as boxes, with shapes, parameters, and what each layer says just now."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from pufferbench.explain.network import Layer, layers
from pufferbench.widgets.explainer import Explainer
from pufferbench.widgets.svg import number, picture, tag, text, tip

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 172, 86, 44, 22
CELLS = 24  # activations in a row of a box, at most


class PolicyGraph(Explainer):
    """Made by :func:`policy_graph`. The numbers are those of :mod:`pufferbench.explain.network`.

    Attributes:
        layers: the network at work on the present observation.
    """

    def __init__(self, policy: nn.Module, observations: torch.Tensor, env: Any) -> None:
        self.policy, self.env, self.observations = policy, env, observations
        self.layers = layers(policy, observations)
        self._act: Any = None
        buttons = []
        if env is not None:
            button = ipywidgets.Button(
                description="Next observation", icon="step-forward", layout={"width": "auto"},
                tooltip="Let the policy play one step, and look at what it sees then",
            )  # fmt: skip
            button.on_click(lambda _: self.step())
            buttons = [button.add_class("pb-push")]
        super().__init__(f"{type(policy).__name__}: {_count(self.total)} parameters", [], tuple(buttons))

    @property
    def total(self) -> int:
        """Parameters of the whole network."""
        return sum(parameter.numel() for parameter in self.policy.parameters())

    def step(self) -> None:
        """Play one step in the env, and show what the network makes of the next observation."""
        from pufferbench.play import policy_actions

        if self._act is None:
            self._act = policy_actions(self.env, self.policy)
        observations = self.env.step(self._act(self.env.observations))[0]
        self.observations = torch.from_numpy(np.array(observations))
        self.layers = layers(self.policy, self.observations)
        self.redraw()

    def svg(self) -> str:
        columns = _columns(self.layers)
        rows = [0] * (max(columns) + 1)
        places = []
        for column in columns:
            places.append((column, rows[column]))
            rows[column] += 1
        highest = max(rows)
        # So many columns side by side, then a new line of boxes
        per_line = len(rows) if len(rows) <= 6 else 5
        line_height = highest * (BOX_HEIGHT + GAP_Y) + 26
        spots = [
            (
                2 + (column % per_line) * (BOX_WIDTH + GAP_X),
                8 + (column // per_line) * line_height + row * (BOX_HEIGHT + GAP_Y)
                + (highest - rows[column]) * (BOX_HEIGHT + GAP_Y) / 2,
            )
            for column, row in places
        ]  # fmt: skip
        parts = [
            self._edge(spots[source], spots[target], words)
            for target, layer in enumerate(self.layers)
            for source, words in layer.sources
        ]
        parts += [self._box(spot, layer) for spot, layer in zip(spots, self.layers, strict=True)]
        lines = max(columns) // per_line + 1
        width = min(max(columns) + 1, per_line) * (BOX_WIDTH + GAP_X) - GAP_X + 4
        return picture(width, lines * line_height + 4, _ARROW, *parts, label=self.describe())

    def _box(self, spot: tuple[float, float], layer: Layer) -> str:
        x, y = spot
        colour = {"input": "green", "output": "orange"}.get(
            layer.kind, "blue" if layer.parameters else "grey"
        )
        shape = " \N{MULTIPLICATION SIGN} ".join(map(str, layer.shape)) or "1"
        third = shape + (f", {_count(layer.parameters)} parameters" if layer.parameters else "")
        words = (
            f"{layer.name}: {layer.kind}, shape {shape}, {layer.parameters:,} parameters\n{_numbers(layer)}"
        )
        parts = [
            tip(words),
            tag(
                "rect",
                x=x,
                y=y,
                width=BOX_WIDTH,
                height=BOX_HEIGHT,
                rx=6,
                class_=f"pb-node pb-stroke-{colour}",
            ),
            text(x + 10, y + 18, _fit(layer.name, 24), class_="pb-strong"),
            text(x + 10, y + 34, layer.kind, class_="pb-muted"),
            text(x + 10, y + 50, _fit(third, 27), class_="pb-muted"),
            _strip(layer.activations, x + 10, y + 58, BOX_WIDTH - 20, 20),
        ]
        return tag("g", *parts)

    def _edge(self, source: tuple[float, float], target: tuple[float, float], words: str) -> str:
        x0, y0 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT / 2
        x1, y1 = target[0] - 3, target[1] + BOX_HEIGHT / 2
        if x1 > x0:  # to the right
            middle = (x0 + x1) / 2
            path = f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
            at = (middle, min(y0, y1) + abs(y1 - y0) / 2 - 6)
        else:  # to the next line of boxes
            x0, y0 = source[0] + BOX_WIDTH / 2, source[1] + BOX_HEIGHT
            x1, y1 = target[0] + BOX_WIDTH / 2, target[1] - 3
            middle = (y0 + y1) / 2
            path = f"M{x0:.1f} {y0:.1f}C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
            at = (x0 + 14, y0 + 14)
        line = tag("path", d=path, class_="pb-edge-line", marker_end="url(#pb-arrowhead)")
        label = text(*at, words, class_="pb-tick", text_anchor="middle") if words else ""
        return line + label

    def describe(self) -> str:
        inner = [layer for layer in self.layers if layer.parameters]
        path = ", ".join(f"{layer.name} ({layer.kind}, {_count(layer.parameters)})" for layer in inner)
        return f"The network {type(self.policy).__name__} with {self.total:,} parameters: {path}"

    def meaning(self) -> str:
        said = "; ".join(
            f"{layer.name} {', '.join(f'{value:.3g}' for value in layer.activations[:6])}"
            for layer in self.layers
            if layer.kind == "output"
        )
        words = "a live observation" if self.env is not None else "the observation that was given"
        return f"For {words} it says: {said}. Blue is above 0, orange below; boxes in grey have nothing to learn."


_ARROW = tag(
    "defs",
    tag("marker", tag("path", d="M0 0L7 3.5L0 7z", class_="pb-fill-grey"), id="pb-arrowhead", markerWidth=7,
        markerHeight=7, refX=6, refY=3.5, orient="auto", markerUnits="userSpaceOnUse"),
)  # fmt: skip


def _columns(found: list[Layer]) -> list[int]:
    """How far each layer is from the observation: one more than the farthest of its sources."""
    columns: list[int] = []
    for layer in found:
        columns.append(1 + max((columns[source] for source, _ in layer.sources), default=-1))
    return columns


def _strip(values: np.ndarray, x: float, y: float, width: float, height: float) -> str:
    """Activations as coloured cells; where there are many, each cell is the mean of its share."""
    if not len(values):
        return ""
    count = min(len(values), CELLS)
    groups = [float(group.mean()) for group in np.array_split(values, count)]
    limit = max(map(abs, groups)) or 1.0
    side = width / count
    cells = []
    for k, value in enumerate(groups):
        box = {"x": x + side * k + 0.25, "y": y, "width": side - 0.5, "height": height}
        colour = "blue" if value >= 0 else "orange"
        strength = f"{0.95 * abs(value) / limit:.2f}"
        cells.append(tag("rect", **box, class_="pb-fill-sunken"))
        cells.append(tag("rect", **box, class_=f"pb-fill-{colour}", fill_opacity=strength))
    return "".join(cells)


def _numbers(layer: Layer) -> str:
    values = layer.activations
    if not len(values):
        return "no activations"
    zero = f", {100 * np.mean(values == 0):.0f} % are 0" if len(values) > 1 else ""
    return f"activations {number(float(values.min()))} .. {number(float(values.max()))}{zero}"


def _fit(words: str, most: int) -> str:
    return words if len(words) <= most else "…" + words[1 - most :]


def _count(parameters: int) -> str:
    return f"{parameters:,}" if parameters < 1e6 else f"{parameters / 1e6:.2f} M"


def policy_graph(policy: nn.Module, env: Any = None, observation: Any = None) -> PolicyGraph:
    """The network as a picture: ``policy_graph(trainer.policy, trainer.env)`` as the last line of a cell.

    Args:
        policy: any torch module. The policies of :mod:`pufferbench.policies` need nothing else.
        env: an environment, or the name of one; it plays, one step at a press of the button. A copy of it (one game) is
            made where it can be, so that training is not disturbed.
        observation: one observation to look at instead, without the row.

    Raises:
        ValueError: nothing says what an observation looks like, or it does not fit.
    """
    from pufferbench import make

    if isinstance(env, str):
        env = make(env, num_envs=1)
    elif env is not None:
        env = env.respawn(1)
    if observation is not None:
        return PolicyGraph(policy, torch.as_tensor(np.asarray(observation)).unsqueeze(0), None)
    if env is not None:
        return PolicyGraph(policy, torch.from_numpy(np.array(env.reset(seed=0)[0])), env)
    for module in policy.modules():
        space = getattr(module, "space", None)
        if isinstance(space, spaces.Space):
            space.seed(0)
            return PolicyGraph(policy, torch.as_tensor(np.asarray(space.sample())).unsqueeze(0), None)
    raise ValueError(
        f"{type(policy).__name__} does not say what it sees: pass env=, or observation=, an array as one agent gets it"
    )
