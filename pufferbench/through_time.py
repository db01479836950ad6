"""LSTM and GRU layers on a CPU, one step or many: torch's side of the kernels in recurrent_kernels.

torch's own cell takes a dozen small operations for a step, autograd writes them all down, and its fused layers for
whole sequences know neither rows that wait nor episodes that end in the middle. Here many steps are one call of
compiled code, and the way back is written by hand (backpropagation through time; Werbos, 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from pufferbench import recurrent_kernels as kernels
from pufferbench.fused_products import COLUMNS, ROWS


class Kind(NamedTuple):
    """What differs between the layers.

    Attributes:
        gates: so many times the cells.
        forward, backward: kernels.
        keeps_products: whether the way back needs the products with the state.
    """

    gates: int
    forward: Callable[..., None]
    backward: Callable[..., None]
    keeps_products: bool


KINDS: dict[type[nn.Module], Kind] = {
    nn.LSTMCell: Kind(4, kernels.lstm, kernels.lstm_back, keeps_products=False),
    nn.GRUCell: Kind(3, kernels.gru, kernels.gru_back, keeps_products=True),
}


def can_do(cell: nn.RNNCellBase, inputs: Tensor) -> bool:
    """Whether the kernels can do the sums of ``cell``: they are for float32 on a CPU, and closed to torch.compile."""
    on_cpu = inputs.device.type == "cpu" and cell.weight_hh.dtype == torch.float32
    return on_cpu and type(cell) in KINDS and cell.bias and not torch.compiler.is_compiling()


def one_step(cell: nn.RNNCellBase, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The state after a step, without gradient: ``cell(inputs, state)``.

    Args:
        inputs: ``[rows, input_size]``.
        state: ``[rows, cells]`` each.
    """
    used = torch.ones(1, len(inputs), dtype=torch.bool)
    ended = torch.zeros_like(used)
    with torch.no_grad():  # nothing ends, so that any fresh state will do
        steps = _Steps(KINDS[type(cell)], used, ended, state, inputs.unsqueeze(0), *cell.parameters(), *state)
        steps.forward()
    return tuple(part[1, : len(inputs), : cell.hidden_size] for part in steps.states)


def many_steps(
    cell: nn.RNNCellBase,
    inputs: Tensor,
    used: Tensor,
    ended: Tensor,
    fresh: Sequence[Tensor],
    state: Sequence[Tensor],
) -> Tensor:
    """What ``cell`` puts out at each step, ``[steps, rows, cells]``, with gradient.

    Args:
        inputs: ``[steps, rows, input_size]``.
        used: bool ``[steps, rows]``; where False the state stays as it is.
        ended: bool ``[steps, rows]``; where True the state after the step is ``fresh``.
        fresh: ``[rows, cells]`` each, constant.
        state: before the first step, ``[rows, cells]`` each.
    """
    kind = KINDS[type(cell)]
    return _ThroughTime.apply(kind, used, ended, fresh, inputs, *cell.parameters(), *state)  # type: ignore[no-any-return, no-untyped-call]


class _ThroughTime(torch.autograd.Function):
    """See :func:`many_steps`."""

    @staticmethod
    def forward(
        ctx: Any, kind: Kind, used: Tensor, ended: Tensor, fresh: Sequence[Tensor], *tensors: Tensor
    ) -> Tensor:
        ctx.steps = _Steps(kind, used, ended, fresh, *tensors)
        ctx.save_for_backward(
            *tensors
        )  # so that torch complains if one of them is changed before the way back
        return ctx.steps.forward()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.steps is None:
            raise RuntimeError("the way back through time can be gone once: it overwrites what it has read")
        (inputs, *_), steps, ctx.steps = ctx.saved_tensors, ctx.steps, None
        d_inputs, *others = steps.backward(d_hidden)
        return None, None, None, None, d_inputs.to(inputs.dtype), *others


class _Steps:
    """The arrays of one way through time, and back. See :func:`many_steps`; weights as in torch's cells."""

    def __init__(
        self,
        kind: Kind,
        used: Tensor,
        ended: Tensor,
        fresh: Sequence[Tensor],
        inputs: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        *state: Tensor,
    ) -> None:
        self.kind, self.sizes = kind, (*inputs.shape, w_hh.shape[1])
        steps, rows, width, cells = self.sizes
        rows, width, cells = (
            -(-size // multiple) * multiple
            for size, multiple in ((rows, ROWS), (width, COLUMNS), (cells, COLUMNS))
        )
        gates = kind.gates * cells
        self.inputs = _padded(inputs.float(), rows, width)
        self.used, self.ended = _padded(used, rows), _padded(ended, rows)
        self.fresh = [_padded(part, rows, cells) for part in fresh]
        by_gate = [tensor.unflatten(0, (kind.gates, -1)) for tensor in (w_ih, w_hh, b_ih, b_hh)]
        self.w_ih, self.w_hh = (
            _padded(weight, cells, size).flatten(0, 1)
            for weight, size in zip(by_gate, (width, cells), strict=False)
        )
        self.biases = [_padded(bias, cells).flatten() for bias in by_gate[2:]]
        self.states = [torch.empty(steps + 1, rows, cells) for _ in state]
        for whole, part in zip(self.states, state, strict=True):
            whole[0] = _padded(part, rows, cells)
        self.gates = torch.empty(steps, rows, gates)
        self.products = torch.empty(self.gates.shape if kind.keeps_products else (0, 0, 0))

    def forward(self) -> Tensor:
        """What the steps put out."""
        steps, rows, _, cells = self.sizes
        hidden = torch.empty(steps, *self.states[0].shape[1:])
        states = [part for pair in zip(self.states, self.fresh, strict=True) for part in pair]
        self._call(
            self.kind.forward, self.w_ih.t().contiguous(), self.w_hh.t().contiguous(), *self.biases,
            self.used, self.ended, self.gates, self.products, hidden, *states,
        )  # fmt: skip
        return hidden[:, :rows, :cells]

    def backward(self, d_hidden: Tensor) -> tuple[Tensor, ...]:
        """The gradients of inputs, weights, biases and state, from that of what the steps put out."""
        _, rows, width, cells = self.sizes
        h, *c = self.states
        d_inputs, d_w_ih, d_w_hh = (
            torch.empty_like(self.inputs),
            torch.zeros_like(self.w_ih),
            torch.zeros_like(self.w_hh),
        )
        d_bias = torch.zeros(2, self.gates.shape[2])
        d_h, past, *d_c = (torch.zeros(h.shape[1:]) for _ in range(2 + len(c)))
        self._call(
            self.kind.backward, self.w_ih, self.w_hh, self.used, self.ended, self.gates, self.products,
            _padded(d_hidden, *h.shape[1:]), d_inputs, d_w_ih, d_w_hh, d_bias, d_h, past, h, *c, *d_c,
        )  # fmt: skip
        d_weights = [
            weight.unflatten(0, (self.kind.gates, -1))[:, :cells, :size].flatten(0, 1)
            for weight, size in ((d_w_ih, width), (d_w_hh, cells))
        ]
        d_biases = d_bias.unflatten(1, (self.kind.gates, -1))[:, :, :cells].flatten(1)
        d_state = [part[:rows, :cells] for part in (d_h.add_(past), *d_c)]
        return d_inputs[:, :rows, :width], *d_weights, *d_biases, *d_state

    def _call(self, kernel: Callable[..., None], *tensors: Tensor) -> None:
        kernel(*(tensor.detach().numpy() for tensor in (self.inputs, *tensors)))


def _padded(tensor: Tensor, *sizes: int) -> Tensor:
    """``tensor`` with zeros behind, so that its last dimensions have these ``sizes``."""
    missing = [size - have for size, have in zip(reversed(sizes), reversed(tensor.shape), strict=False)]
    return (
        pad(tensor, [n for count in missing for n in (0, count)]) if any(missing) else tensor
    ).contiguous()
