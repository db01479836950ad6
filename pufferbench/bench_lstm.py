"""How fast policies with a memory play and learn: trainings end to end, and the cell's one step by itself.

Trainings are measured as by :mod:`pufferbench.bench_train`. The step is that of a rollout, against
``torch.nn.LSTM`` (``nn.GRU``) on a sequence of length one, in one thread. Both have to do two matrix products; these
alone are measured too, by our kernels, for no step can be faster than they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pufferbench.bench_train import Row

TARGET = 3.0  # times the speed of nn.LSTM's step
CELL_ROWS = (1, 16, 64, 256, 1024)
CELLS = 128
ROUNDS = 15  # of each, by turns; the fastest counts, for noise only ever slows
ROUND_SECONDS = 0.004


def training_rows(threads: int) -> tuple[Row, ...]:
    """The presets' own settings with a policy that remembers, 128 cells, in ``threads`` threads."""
    config = {"torch_threads": threads}
    half = {**config, "precision": "bfloat16"}
    return (
        Row("cartpole, LSTM", "ocean-cartpole", "LSTM", config, peer=0.062, target=0.11),
        Row("cartpole, LSTM, bfloat16", "ocean-cartpole", "LSTM", half, peer=0.062, target=0.14),
        Row("cartpole, GRU", "ocean-cartpole", "GRU", config),
        Row("breakout, LSTM", "ocean-breakout", "LSTM", config, peer=0.051, target=0.09),
    )


@dataclass(frozen=True)
class StepSpeed:
    """One step of ``rows`` rows, seconds each.

    Attributes:
        ours: of :func:`pufferbench.through_time.one_step`.
        torch: of nn.LSTM or nn.GRU.
        products: of the matrix products alone.
    """

    rows: int
    ours: float
    torch: float
    products: float

    @property
    def times(self) -> float:
        """How many times as fast as torch's ours is."""
        return self.torch / self.ours

    @property
    def possible(self) -> float:
        """How many times as fast as torch's anything could be."""
        return self.torch / self.products


def step_speed(kind: str, rows: int) -> StepSpeed:
    """Measure a step of "LSTM" or "GRU" by turns with torch's, so that a busy neighbour meets both."""
    import torch
    from torch import nn

    from pufferbench import fused_products, through_time
    from pufferbench.pytorch import torch_threads

    layer: Any = {"LSTM": nn.LSTM, "GRU": nn.GRU}[kind](CELLS, CELLS)
    cell: Any = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[kind](CELLS, CELLS)
    with torch_threads(1), torch.inference_mode():
        seen, h, c = torch.randn(3, rows, CELLS)
        state = (h, c) if kind == "LSTM" else (h,)
        stacked = tuple(part.unsqueeze(0) for part in state)
        stacked_seen, packed = seen.unsqueeze(0), stacked if kind == "LSTM" else stacked[0]
        weights = torch.cat([cell.weight_ih, cell.weight_hh], 1).t().contiguous().numpy()
        padded = -(-rows // fused_products.ROWS) * fused_products.ROWS
        both, out = torch.randn(padded, len(weights)).numpy(), torch.zeros(padded, weights.shape[1]).numpy()
        found = fastest(
            lambda: through_time.one_step(cell, seen, state),
            lambda: layer(stacked_seen, packed),
            lambda: fused_products.add_product(both, weights, out, padded, len(weights)),
        )
    return StepSpeed(rows, *found)


def fastest(*calls: Callable[[], object]) -> list[float]:
    """Seconds per call, of each of ``calls``."""
    counts, best = [], [float("inf")] * len(calls)
    for call in calls:
        call()  # may compile
        seconds = _timed(call, 3)
        counts.append(max(1, int(ROUND_SECONDS / seconds)))
    for _ in range(ROUNDS):
        for number, (call, count) in enumerate(zip(calls, counts, strict=True)):
            best[number] = min(best[number], _timed(call, count))
    return best


def _timed(call: Callable[[], object], count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        call()
    return max(time.perf_counter() - began, 1e-9) / count
