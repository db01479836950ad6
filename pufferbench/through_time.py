"""LSTM and GRU layers on a CPU, one step or many: torch's matrix products around the kernels of recurrent_kernels.

torch's own cell takes a dozen small operations for a step, autograd writes them all down, and its fused layers for
whole sequences know neither rows that wait nor episodes that end in the middle. Here a step is two matrix products
and one pass over their results, and the way back is written by hand (backpropagation through time; Werbos, 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pufferbench import recurrent_kernels as kernels

CHUNK = 256  # rows of a step at a time: what comes of the products for 128 cells is 512 kB, and stays in the cache


class Kind(NamedTuple):
    """What differs between the layers.

    Attributes:
        forward, backward: kernels.
        keeps_products: whether the way back needs the products with the state, and changes them.
    """

    forward: Callable[..., None]
    backward: Callable[..., None]
    keeps_products: bool


KINDS: dict[type[nn.Module], Kind] = {
    nn.LSTMCell: Kind(kernels.lstm_forward, kernels.lstm_backward, keeps_products=False),
    nn.GRUCell: Kind(kernels.gru_forward, kernels.gru_backward, keeps_products=True),
}


def can_do(cell: nn.RNNCellBase, inputs: Tensor) -> bool:
    """Whether the kernels can do the sums of ``cell``: they are for float32 on a CPU, and closed to torch.compile."""
    on_cpu = inputs.device.type == "cpu" and cell.weight_hh.dtype == torch.float32
    return on_cpu and type(cell) in KINDS and not torch.compiler.is_compiling() and cell.bias


def one_step(cell: nn.RNNCellBase, inputs: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The state after a step, without gradient: ``cell(inputs, state)``.

    Args:
        inputs: ``[rows, input_size]``.
        state: ``[rows, cells]`` each.
    """
    product, kind = _Product(), KINDS[type(cell)]
    weight_ih, weight_hh = (
        product.cast(cell.weight_ih.detach().t()),
        product.cast(cell.weight_hh.detach().t()),
    )
    biases = cell.bias_ih.detach().numpy(), cell.bias_hh.detach().numpy()
    before = [part.contiguous() for part in state]
    after = tuple(map(torch.empty_like, before))
    for start in range(0, len(inputs), CHUNK):
        rows = slice(start, start + CHUNK)
        seen, h = inputs[rows], before[0][rows]
        from_input, from_state = torch.empty(2, len(seen), weight_hh.shape[1])
        product(seen, weight_ih, from_input)
        product(h, weight_hh, from_state)
        used, ended = np.ones(len(seen), np.bool_), np.zeros(len(seen), np.bool_)
        around = []
        for old, new in zip(before, after, strict=True):  # nothing ends, so that any fresh state will do
            around += [old[rows].numpy(), new[rows].numpy(), old[rows].numpy()]
        hidden = around[1]
        kind.forward(from_input.numpy(), from_state.numpy(), *biases, used, ended, hidden, *around)
    return after


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
    flags = used.contiguous().numpy(), ended.contiguous().numpy()
    fresh = [part.detach().contiguous() for part in fresh]
    return _ThroughTime.apply(KINDS[type(cell)], flags, fresh, inputs, *cell.parameters(), *state)  # type: ignore[no-any-return, no-untyped-call]


class _ThroughTime(torch.autograd.Function):
    """See :func:`many_steps`."""

    @staticmethod
    def forward(
        ctx: Any,
        kind: Kind,
        flags: tuple[np.ndarray, np.ndarray],
        fresh: Sequence[Tensor],
        inputs: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        *state: Tensor,
    ) -> Tensor:
        product = _Product()
        (steps, rows), (gates, cells) = inputs.shape[:2], weight_hh.shape
        from_input = torch.empty(steps, rows, gates)
        product(inputs.flatten(0, 1), product.cast(weight_ih.t()), from_input.flatten(0, 1))
        # Where nobody asks for them again, the products of all steps are written to the same place
        from_state = torch.empty(steps if kind.keeps_products else 1, rows, gates).expand(steps, -1, -1)
        hidden = torch.empty(steps, rows, cells)
        states = [torch.empty(steps + 1, rows, cells) for _ in state]
        for whole, part in zip(states, state, strict=True):
            whole[0] = part
        given, products, out = (list(tensor.numpy()) for tensor in (from_input, from_state, hidden))
        parts = [(list(whole.numpy()), new.numpy()) for whole, new in zip(states, fresh, strict=True)]
        h, sums = states[0].unbind(), from_state.unbind()
        factor, biases, (used, ended) = product.cast(weight_hh.t()), (bias_ih.numpy(), bias_hh.numpy()), flags
        for t in range(steps):
            product(h[t], factor, sums[t])
            around = [array for part, new in parts for array in (part[t], part[t + 1], new)]
            kind.forward(given[t], products[t], *biases, used[t], ended[t], out[t], *around)
        ctx.kind, ctx.product, ctx.flags = kind, product, flags
        ctx.save_for_backward(inputs, weight_ih, weight_hh, from_input, from_state, *states)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_hidden: Tensor) -> tuple[Any, ...]:
        if ctx.product is None:
            raise RuntimeError("the way back through time can be gone once: it overwrites what it has read")
        kind, product, (used, ended), ctx.product = ctx.kind, ctx.product, ctx.flags, None
        inputs, weight_ih, weight_hh, from_input, from_state, *states = ctx.saved_tensors
        (steps, rows), (gates, cells) = inputs.shape[:2], weight_hh.shape
        d_bias, total = np.zeros((2, gates), np.float32), np.empty((2, gates), np.float32)
        # Of the states: h by way of the matrix product, and past it; and c
        d_h, *d_states = (torch.zeros(rows, cells) for _ in (None, *states))
        arrays = [tensor.numpy() for tensor in (d_h, *d_states)]
        of_state = from_state if kind.keeps_products else from_input  # becomes the gradient of the product
        given, products, d_out, *before = (
            list(tensor.numpy()) for tensor in (from_input, from_state, d_hidden.contiguous(), *states)
        )
        factor, d_sums = product.cast(weight_hh), of_state.unbind()
        for t in reversed(range(steps)):
            h, *c = (part[t] for part in before)
            kind.backward(
                given[t],
                products[t],
                used[t],
                ended[t],
                d_out[t],
                *arrays[:2],
                d_bias,
                total,
                h,
                *c,
                *arrays[2:],
            )
            product(d_sums[t], factor, d_h)
        d_states[0] += d_h
        d_input, d_state = (product.cast(part.flatten(0, 1)) for part in (from_input, of_state))
        seen, h = inputs.flatten(0, 1), states[0][:-1].flatten(0, 1)
        d_inputs, d_weight_ih, d_weight_hh = (
            torch.empty(seen.shape),
            torch.empty_like(weight_ih),
            torch.empty_like(weight_hh),
        )
        product(d_input, product.cast(weight_ih), d_inputs)
        product(d_input.t(), seen, d_weight_ih)
        product(d_state.t(), h, d_weight_hh)
        d_inputs = d_inputs.view(inputs.shape).to(inputs.dtype)
        return None, None, None, d_inputs, d_weight_ih, d_weight_hh, *torch.from_numpy(d_bias), *d_states


class _Product:
    """Matrix products in float32, or in the type that torch.autocast is set to here."""

    def __init__(self) -> None:
        self.dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32

    def cast(self, factor: Tensor) -> Tensor:
        """``factor`` in the type of the products: worth doing beforehand for one that is used often."""
        return factor.to(self.dtype)

    def __call__(self, left: Tensor, right: Tensor, out: Tensor) -> None:
        """``out = left @ right``."""
        if self.dtype == out.dtype:
            torch.mm(self.cast(left), self.cast(right), out=out)
        else:
            out.copy_(torch.mm(self.cast(left), self.cast(right)))
