"""One step of an LSTM and of a GRU in Numba, forwards and backwards: all but the matrix products.

A step of one row with 128 cells takes 640 values of tanh and the like. As torch operations these are a dozen
passes over memory, and in autograd two dozen more; here a row stays in the first cache. Inner loops run over
one row's cells and have no branches, so that the compiler turns them into SIMD instructions. Products and sums may be
contracted (one rounding instead of two); the kernels call nothing compiled, so they are the same machine code
whether fresh or from the cache.

Arguments, for all of them:
    from_input, from_state: ``[rows, gates]``, the products of the weights with the input and with the state ``h``.
    bias_ih, bias_hh: ``[gates]``.
    used: bool ``[rows]``; where False the state stays as it is.
    ended: bool ``[rows]``; where True the next state is ``fresh_h``, that of an episode's beginning.
    hidden: ``[rows, cells]``, what the step puts out.
    h, next_h, fresh_h (c, ...): ``[rows, cells]``, the state before the step, for the next one, and fresh.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)


@njit(inline="always", **_OPTIONS)
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


@njit(inline="always", **_OPTIONS)
def tanh(x):
    """Within 2e-7."""
    return TWO * sigmoid(TWO * x) - ONE


@njit(**_OPTIONS)
def lstm_forward(
    from_input, from_state, bias_ih, bias_hh, used, ended, hidden,
    h, next_h, fresh_h, c, next_c, fresh_c,
):  # fmt: skip
    """Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    ``from_input`` becomes the gates: input, forget, new and output, ``cells`` each.
    """
    rows, cells = hidden.shape
    for r in range(rows):
        gates, product, out = from_input[r], from_state[r], hidden[r]
        cell, next_cell = c[r], next_c[r]
        if used[r]:
            for j in range(4 * cells):
                gates[j] += product[j] + bias_ih[j] + bias_hh[j]
            i, f = gates[:cells], gates[cells : 2 * cells]
            new, o = gates[2 * cells : 3 * cells], gates[3 * cells :]
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


@njit(**_OPTIONS)
def lstm_backward(gates, from_state, used, ended, d_hidden, d_h, past, d_bias, total, h, c, d_c):
    """The gradient of what is before a step from that of what is behind it.

    Args:
        gates: as :func:`lstm_forward` left them; become the gradient of both products.
        d_hidden: ``[rows, cells]``.
        d_h, past: ``[rows, cells]``, whose sum is the gradient of ``next_h``: what came through the matrix product,
            and what came past it. ``past`` becomes the part of the gradient of ``h`` that goes past the product.
        d_c: ``[rows, cells]``, the gradient of ``next_c``, then of ``c``.
        d_bias: ``[2, gates]``, of bias_ih and bias_hh, is added to.
        total: ``[2, gates]``, memory.
    """
    rows, cells = d_h.shape
    total[:] = ZERO
    for r in range(rows):
        d, cell, dc, sums = past[r], c[r], d_c[r], total[0]
        if ended[r]:  # what came then does not hang on what was before
            d[:] = d_hidden[r]
            dc[:] = ZERO
        else:
            for j in range(cells):
                d[j] += d_h[r, j] + d_hidden[r, j]
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
    for j in range(4 * cells):
        d_bias[0, j] += total[0, j]
        d_bias[1, j] += total[0, j]


@njit(**_OPTIONS)
def gru_forward(from_input, from_state, bias_ih, bias_hh, used, ended, hidden, h, next_h, fresh_h):
    """Cho et al. (2014), in the form of torch and cuDNN: the reset gate comes after the matrix product.

    ``from_input`` becomes the gates: reset, update and new, ``cells`` each; the last third of ``from_state`` what
    the new one reads of the state.
    """
    rows, cells = hidden.shape
    for r in range(rows):
        gates, product, out, old = from_input[r], from_state[r], hidden[r], h[r]
        if used[r]:
            for j in range(2 * cells):
                gates[j] += product[j] + bias_ih[j] + bias_hh[j]
            for j in range(2 * cells, 3 * cells):
                gates[j] += bias_ih[j]
                product[j] += bias_hh[j]
            reset, update = gates[:cells], gates[cells : 2 * cells]
            new, read = gates[2 * cells :], product[2 * cells :]
            for j in range(cells):
                reset[j], update[j] = sigmoid(reset[j]), sigmoid(update[j])
                new[j] = tanh(new[j] + reset[j] * read[j])
                out[j] = new[j] + update[j] * (old[j] - new[j])
        else:
            out[:] = old
        if ended[r]:
            next_h[r] = fresh_h[r]
        else:
            next_h[r] = out


@njit(**_OPTIONS)
def gru_backward(gates, from_state, used, ended, d_hidden, d_h, past, d_bias, total, h):
    """As :func:`lstm_backward`; here ``gates`` become the gradient of the product with the input, and ``from_state``,
    as :func:`gru_forward` left it, that of the product with the state."""
    rows, cells = d_h.shape
    total[:] = ZERO
    for r in range(rows):
        d, old, product = past[r], h[r], from_state[r]
        if ended[r]:
            d[:] = d_hidden[r]
        else:
            for j in range(cells):
                d[j] += d_h[r, j] + d_hidden[r, j]
        if not used[r]:
            gates[r] = ZERO
            product[:] = ZERO
            continue
        reset, update = gates[r, :cells], gates[r, cells : 2 * cells]
        new, read = gates[r, 2 * cells :], product[2 * cells :]
        for j in range(cells):
            d_new = d[j] * (ONE - update[j]) * (ONE - new[j] * new[j])
            d_reset = d_new * read[j] * reset[j] * (ONE - reset[j])
            d_update = d[j] * (old[j] - new[j]) * update[j] * (ONE - update[j])
            read[j] = d_new * reset[j]
            d[j] *= update[j]
            reset[j], update[j], new[j] = d_reset, d_update, d_new
        row = gates[r]
        for j in range(2 * cells):
            product[j] = row[j]
        for j in range(3 * cells):
            total[0, j] += row[j]
            total[1, j] += product[j]
    for j in range(3 * cells):
        d_bias[0, j] += total[0, j]
        d_bias[1, j] += total[1, j]
