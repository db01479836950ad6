"""LSTM and GRU in Numba: many steps of many rows, forwards and backwards.

A step of one row with 128 cells takes 640 values of tanh and the like. As torch operations these are a dozen
passes over memory, and in autograd two dozen more. Here a few dozen rows go through all their steps while the
weights and they themselves stay in the cache: matrix products (:mod:`pufferbench.fused_products`), then one pass over
what came of them. Loops over a row's cells have no branches, so that the compiler turns them into SIMD instructions.
Each row is computed by itself, so that neither a split of the rows nor threads change a bit.

Products and sums within the cells' formulas may be contracted (rounded once instead of twice). Only the four functions
at the end are cached, each as a whole with all that it calls: they are the same machine code whether fresh or not.

Shapes: ``gates`` is 4 times the cells for an LSTM, 3 times for a GRU. Cells and inputs are multiples of
``fused_products.COLUMNS``, rows of ``fused_products.ROWS``; who has fewer appends zeros and rows that are not used.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pufferbench import fused_products
from pufferbench.fused_products import add_product
from pufferbench.machine_code import OPTIONS, kept

BLOCK = 64  # rows that go through time together
_PART = {**OPTIONS, "fastmath": {"contract"}}
_whole = kept(__name__, fused_products.__name__)
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)


@njit(inline="always", **_PART)
def sigmoid(x):
    """1 / (1 + exp(-x)) within 4 units in the last place; NaN stays NaN. exp as in Moshier's Cephes."""
    y = np.float32(87.0) if x < np.float32(-87.0) else -x  # exp of more would be infinite
    y = np.float32(-87.0) if y < np.float32(-87.0) else y
    n = np.floor(y * np.float32(1.44269504088896341) + HALF)
    f = y - n * np.float32(0.693359375)
    f = f + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * f + np.float32(1.3981999507e-3)
    p = p * f + np.float32(8.3334519073e-3)
    p = p * f + np.float32(4.1665795894e-2)
    p = p * f + np.float32(1.6666665459e-1)
    p = p * f + np.float32(5.0000001201e-1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return ONE / (ONE + (p * f * f + f + ONE) * power.view(np.float32))


@njit(inline="always", **_PART)
def tanh(x):
    """Within 2e-7."""
    return TWO * sigmoid(TWO * x) - ONE


# -- one step of some rows, without the matrix products -----------------------------------------
#
#   used, ended     bool [rows]: see many_steps in through_time.py
#   hidden          [rows, cells]: what the step puts out
#   h, next_h, fresh_h (and c, ...)     [rows, cells]: the state before the step, for the next one, and fresh


@njit(**_PART)
def lstm_step(gates, used, ended, hidden, h, next_h, fresh_h, c, next_c, fresh_c):
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    ``gates [rows, gates]``, the sum of both matrix products and biases, becomes the gates: input, forget, new, output.
    """
    rows, cells = hidden.shape
    for r in range(rows):
        out, cell, next_cell = hidden[r], c[r], next_c[r]
        if used[r]:
            i, f = gates[r, :cells], gates[r, cells : 2 * cells]
            new, o = gates[r, 2 * cells : 3 * cells], gates[r, 3 * cells :]
            for j in range(cells):
                i[j], f[j], new[j], o[j] = sigmoid(i[j]), sigmoid(f[j]), tanh(new[j]), sigmoid(o[j])
                next_cell[j] = f[j] * cell[j] + i[j] * new[j]
                out[j] = o[j] * tanh(next_cell[j])
        else:
            out[:] = h[r]
            next_cell[:] = cell
        if ended[r]:
            next_h[r] = fresh_h[r]
            next_cell[:] = fresh_c[r]
        else:
            next_h[r] = out


@njit(**_PART)
def lstm_step_back(gates, used, ended, d_hidden, d_h, past, d_bias, total, c, d_c):
    """The gradient of what is before a step from that of what is behind it.

    Args:
        gates: as :func:`lstm_step` left them; become their gradient.
        d_hidden: ``[rows, cells]``.
        d_h, past: ``[rows, cells]``, whose sum is the gradient of ``next_h``: what came through the matrix product,
            and what came past it. ``past`` becomes the part of the gradient of ``h`` that goes past the product.
        d_c: ``[rows, cells]``, the gradient of ``next_c``, then of ``c``.
        d_bias: ``[2, gates]``, of both biases, is added to.
        total: ``[2, gates]``, memory.
    """
    rows, cells = d_h.shape
    total[:] = ZERO
    for r in range(rows):
        d, cell, dc, sums = past[r], c[r], d_c[r], total[0]
        _gather(ended[r], d, d_h[r], d_hidden[r])
        if ended[r]:
            dc[:] = ZERO
        if not used[r]:
            gates[r] = ZERO
            continue
        i, f = gates[r, :cells], gates[r, cells : 2 * cells]
        new, o = gates[r, 2 * cells : 3 * cells], gates[r, 3 * cells :]
        for j in range(cells):
            squashed = tanh(f[j] * cell[j] + i[j] * new[j])
            d_cell = dc[j] + d[j] * o[j] * (ONE - squashed * squashed)
            d_i, d_new = d_cell * new[j] * i[j] * (ONE - i[j]), d_cell * i[j] * (ONE - new[j] * new[j])
            dc[j] = d_cell * f[j]
            f[j] = d_cell * cell[j] * f[j] * (ONE - f[j])
            o[j] = d[j] * squashed * o[j] * (ONE - o[j])
            i[j], new[j] = d_i, d_new
            d[j] = ZERO
        row = gates[r]
        for j in range(4 * cells):
            sums[j] += row[j]
    for j in range(d_bias.shape[1]):
        d_bias[0, j] += total[0, j]
        d_bias[1, j] += total[0, j]


@njit(**_PART)
def gru_step(gates, product, used, ended, hidden, h, next_h, fresh_h):
    """Cho et al. (2014), in the form of torch and cuDNN: the reset gate comes after the matrix product.

    ``gates [rows, gates]``, the product with the input, becomes the gates: reset, update, new. ``product``, of the
    same shape, is that with the state. Both with their biases.
    """
    rows, cells = hidden.shape
    for r in range(rows):
        out, old = hidden[r], h[r]
        if used[r]:
            reset, update, new = gates[r, :cells], gates[r, cells : 2 * cells], gates[r, 2 * cells :]
            reset_h, update_h, new_h = (
                product[r, :cells],
                product[r, cells : 2 * cells],
                product[r, 2 * cells :],
            )
            for j in range(cells):
                reset[j], update[j] = sigmoid(reset[j] + reset_h[j]), sigmoid(update[j] + update_h[j])
                new[j] = tanh(new[j] + reset[j] * new_h[j])
                out[j] = new[j] + update[j] * (old[j] - new[j])
        else:
            out[:] = old
        if ended[r]:
            next_h[r] = fresh_h[r]
        else:
            next_h[r] = out


@njit(**_PART)
def gru_step_back(gates, product, used, ended, d_hidden, d_h, past, d_bias, total, h):
    """As :func:`lstm_step_back`; here ``gates`` and ``product`` both become their gradients."""
    rows, cells = d_h.shape
    total[:] = ZERO
    for r in range(rows):
        d, old = past[r], h[r]
        _gather(ended[r], d, d_h[r], d_hidden[r])
        if not used[r]:
            gates[r] = ZERO
            product[r] = ZERO
            continue
        reset, update, new = gates[r, :cells], gates[r, cells : 2 * cells], gates[r, 2 * cells :]
        reset_h, update_h, new_h = product[r, :cells], product[r, cells : 2 * cells], product[r, 2 * cells :]
        for j in range(cells):
            d_new = d[j] * (ONE - update[j]) * (ONE - new[j] * new[j])
            d_reset = d_new * new_h[j] * reset[j] * (ONE - reset[j])
            d_update = d[j] * (old[j] - new[j]) * update[j] * (ONE - update[j])
            reset_h[j], update_h[j], new_h[j] = d_reset, d_update, d_new * reset[j]
            d[j] *= update[j]
            reset[j], update[j], new[j] = d_reset, d_update, d_new
        left, right = gates[r], product[r]
        for j in range(3 * cells):
            total[0, j] += left[j]
            total[1, j] += right[j]
    for j in range(d_bias.shape[1]):
        d_bias[0, j] += total[0, j]
        d_bias[1, j] += total[1, j]


@njit(**_PART)
def _gather(ended, past, d_h, d_hidden):
    """All that comes back to one row's ``hidden``, into ``past``; nothing comes over the end of an episode."""
    for j in range(past.shape[0]):
        past[j] = d_hidden[j] if ended else past[j] + d_h[j] + d_hidden[j]


@njit(**_PART)
def _biased_product(a, b, bias, other_bias, c):
    """``c = bias + other_bias + a @ b``."""
    rows, width = c.shape
    for r in range(rows):
        row = c[r]
        for j in range(width):
            row[j] = bias[j] + other_bias[j]
    add_product(a, b, c, rows, b.shape[0])


@njit(**_PART)
def _product_back(d, x, w, d_x, d_w):
    """The gradients of ``x @ w.T`` from its own, ``d``: that of ``x``, and what comes to that of ``w [d, x]``."""
    d_x[:] = ZERO
    add_product(d, w, d_x, d.shape[0], d.shape[1])
    add_product(d.T, x, d_w, d.shape[1], d.shape[0])


# -- all steps of all rows ----------------------------------------------------------------------
#
#   inputs          [steps, rows, inputs]
#   hidden, h, c    [steps, rows, cells], [steps + 1, rows, cells]: of the states, before each step and after the last
#   gates, products [steps, rows, gates]: what the way back needs


@_whole
def lstm(inputs, w_ih, w_hh, b_ih, b_hh, used, ended, gates, products, hidden, h, fresh_h, c, fresh_c):
    """Sets gates, hidden, and the states but the first. ``w_ih [inputs, gates]``, ``w_hh [cells, gates]``."""
    steps, rows = used.shape
    for start in range(0, rows, BLOCK):
        part = slice(start, min(start + BLOCK, rows))
        for t in range(steps):
            g = gates[t, part]
            _biased_product(inputs[t, part], w_ih, b_ih, b_hh, g)
            add_product(h[t, part], w_hh, g, g.shape[0], w_hh.shape[0])
            lstm_step(
                g, used[t, part], ended[t, part], hidden[t, part],
                h[t, part], h[t + 1, part], fresh_h[part], c[t, part], c[t + 1, part], fresh_c[part],
            )  # fmt: skip


@_whole
def lstm_back(
    inputs, w_ih, w_hh, used, ended, gates, products, d_hidden, d_inputs, d_w_ih, d_w_hh, d_bias, d_h, past, h, c, d_c
):  # fmt: skip
    """Sets d_inputs and adds to the gradients of the weights, ``w_ih [gates, inputs]``, ``w_hh [gates, cells]``."""
    steps, rows = used.shape
    total = np.empty_like(d_bias)
    for start in range(0, rows, BLOCK):
        part = slice(start, min(start + BLOCK, rows))
        for t in range(steps - 1, -1, -1):
            g = gates[t, part]
            lstm_step_back(
                g, used[t, part], ended[t, part], d_hidden[t, part], d_h[part], past[part], d_bias, total,
                c[t, part], d_c[part],
            )  # fmt: skip
            _product_back(g, inputs[t, part], w_ih, d_inputs[t, part], d_w_ih)
            _product_back(g, h[t, part], w_hh, d_h[part], d_w_hh)


@_whole
def gru(inputs, w_ih, w_hh, b_ih, b_hh, used, ended, gates, products, hidden, h, fresh_h):
    """As :func:`lstm`; sets products too."""
    steps, rows = used.shape
    nothing = np.zeros_like(b_ih)
    for start in range(0, rows, BLOCK):
        part = slice(start, min(start + BLOCK, rows))
        for t in range(steps):
            g, product = gates[t, part], products[t, part]
            _biased_product(inputs[t, part], w_ih, b_ih, nothing, g)
            _biased_product(h[t, part], w_hh, b_hh, nothing, product)
            gru_step(
                g,
                product,
                used[t, part],
                ended[t, part],
                hidden[t, part],
                h[t, part],
                h[t + 1, part],
                fresh_h[part],
            )


@_whole
def gru_back(
    inputs, w_ih, w_hh, used, ended, gates, products, d_hidden, d_inputs, d_w_ih, d_w_hh, d_bias, d_h, past, h
):  # fmt: skip
    """As :func:`lstm_back`."""
    steps, rows = used.shape
    total = np.empty_like(d_bias)
    for start in range(0, rows, BLOCK):
        part = slice(start, min(start + BLOCK, rows))
        for t in range(steps - 1, -1, -1):
            g, product = gates[t, part], products[t, part]
            gru_step_back(
                g, product, used[t, part], ended[t, part], d_hidden[t, part], d_h[part], past[part], d_bias, total,
                h[t, part],
            )  # fmt: skip
            _product_back(g, inputs[t, part], w_ih, d_inputs[t, part], d_w_ih)
            _product_back(product, h[t, part], w_hh, d_h[part], d_w_hh)
