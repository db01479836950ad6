"""The standard MLP and PPO's loss in Numba, for chunks of rows that stay in the nearest cache.

Where numbers of a row belong together (observations, hidden units) they lie side by side: ``[rows, features]``, for
:mod:`pufferbench.fused_products`. From the heads' outputs on it is ``[outputs, rows]``: each inner loop does the same
thing to neighbouring numbers, which the compiler turns into SIMD instructions. No sum is reordered (no ``fastmath``):
a kernel fresh from the compiler, one from the cache, and one copied into another give the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pufferbench import fused_products
from pufferbench.fused_products import (
    COLUMNS,
    LANES,
    ROWS,
    add_dots,
    add_product,
    pad,
    product_where_positive,
    relu_of_product,
)
from pufferbench.machine_code import OPTIONS, kept

_kernel = kept(__name__, fused_products.__name__)
ZERO, ONE = np.float32(0), np.float32(1)
CHUNK = 64


class Network(NamedTuple):
    """The weights, as the products want them.

    Attributes:
        mean, scale: of the observations, ``[inputs]``.
        w1: ``[inputs + 1, hidden]``; its last row is the bias, the weight of an input that is always 1.
        w2, b2: the heads, ``[outputs, hidden]``, and their bias.
        starts: where each choice begins among the outputs, and where the last one ends: at the value.
        unit: mean and deviation of the value.

    All are filled up with zeros to the sizes of whole tiles.
    """

    mean: np.ndarray
    scale: np.ndarray
    w1: np.ndarray
    w2: np.ndarray
    b2: np.ndarray
    starts: np.ndarray
    unit: np.ndarray


class Work(NamedTuple):
    """What one thread needs for a chunk of rows, and the gradients that it has summed up.

    Attributes:
        x, h: observations and hidden units, ``[CHUNK, features]``; h becomes their gradient.
        out: the outputs, ``[outputs, CHUNK]``.
        scratch: ``[4, CHUNK]``.
        places, ones: 0 .. CHUNK - 1, and 1 as often, ``[1, CHUNK]``.
        d_w1, d_w2, d_b2: sums of gradients, as ``w1``, ``w2`` and ``b2``.
        statistics: sums of policy loss, value loss, entropy, approximate KL and clipped ratios.
    """

    x: np.ndarray
    h: np.ndarray
    out: np.ndarray
    scratch: np.ndarray
    places: np.ndarray
    ones: np.ndarray
    d_w1: np.ndarray
    d_w2: np.ndarray
    d_b2: np.ndarray
    statistics: np.ndarray


def network(inputs: int, hidden: int, starts: np.ndarray) -> Network:
    """Zeros for a network of this size."""
    outputs, wide = int(starts[-1]) + 1, pad(hidden, COLUMNS)
    sizes = {"mean": inputs, "scale": inputs, "b2": outputs, "unit": 2}
    shapes: dict[str, Any] = {
        **sizes,
        "w1": (pad(inputs + 1, ROWS), wide),
        "w2": (outputs, wide),
    }
    return Network(starts=starts, **{name: np.zeros(shape, np.float32) for name, shape in shapes.items()})


def work(net: Network) -> Work:
    """Arrays for one thread."""
    (inputs, wide), outputs = net.w1.shape, pad(len(net.b2), ROWS)
    shapes = {
        "x": (CHUNK, inputs),
        "h": (CHUNK, wide),
        "out": (outputs, CHUNK),
        "scratch": (4, CHUNK),
        "d_w1": (inputs, wide),
        "d_w2": (outputs, wide),
        "d_b2": (1, outputs),
    }
    arrays: dict[str, Any] = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    ones = np.ones((1, CHUNK), np.float32)
    return Work(places=np.arange(CHUNK), ones=ones, statistics=np.zeros(5), **arrays)


@_kernel
def load(net, hidden_weight, hidden_bias, heads_weight, heads_bias):
    """The weights of torch's layers, ``[outputs, inputs]`` each, into ``net``."""
    hidden, inputs = hidden_weight.shape
    for j in range(hidden):
        for k in range(inputs):
            net.w1[k, j] = hidden_weight[j, k]
        net.w1[inputs, j] = hidden_bias[j]
    for a in range(heads_weight.shape[0]):
        for j in range(hidden):
            net.w2[a, j] = heads_weight[a, j]
        net.b2[a] = heads_bias[a]


@_kernel
def features(observations, index, mean, scale, x, padded):
    """Rows ``index`` of ``observations [n, inputs]``, normalised, and a 1 behind each, into ``x``; zeros follow."""
    inputs, rows = mean.shape[0], index.shape[0]
    for r in range(rows):
        seen, out = observations[index[r]], x[r]
        for k in range(inputs):
            value = (np.float32(seen[k]) - mean[k]) * scale[k]
            out[k] = min(max(value, np.float32(-10)), np.float32(10))
        out[inputs] = ONE
    for r in range(rows, padded):
        for k in range(inputs + 1):
            x[r, k] = ZERO


@_kernel
def forward(net, work, observations, index, legal):
    """Log probabilities, and the value's output below them, of rows ``index`` into ``work.out``."""
    rows, inputs, outputs = index.shape[0], net.mean.shape[0], net.b2.shape[0]
    padded = -(-rows // ROWS) * ROWS
    out = work.out
    features(observations, index, net.mean, net.scale, work.x, padded)
    relu_of_product(work.x, net.w1, work.h, padded, inputs + 1)
    for a in range(outputs):
        row, b = out[a], net.b2[a]
        for r in range(padded):
            row[r] = b
    add_dots(work.h, net.w2, out, padded, outputs, net.w2.shape[1])
    for c in range(net.starts.shape[0] - 1):
        log_softmax(out, net.starts[c], net.starts[c + 1], legal, index, rows, work.scratch)


@_kernel
def backward(net, work, rows):
    """Adds up the gradients of the weights, from those of the outputs of the last ``forward`` in ``work.out``."""
    outputs, padded = net.b2.shape[0], -(-rows // ROWS) * ROWS
    filled = -(-rows // LANES) * LANES
    x, h, out = work.x, work.h, work.out
    for a in range(outputs):
        for r in range(rows, filled):
            out[a, r] = ZERO
    add_dots(out, work.ones, work.d_b2, out.shape[0], 1, filled)
    add_product(out, h, work.d_w2, out.shape[0], padded)
    product_where_positive(out.T, net.w2, h, padded, outputs)
    add_product(x.T, h, work.d_w1, x.shape[1], padded)


@_kernel
def act(net, work, observations, legal, noise, actions, logprobs, values):
    """What the policy does and expects, of all rows side by side.

    Args:
        observations: ``[rows, inputs]``.
        legal: ``[rows, n]``, or ``[0, 0]`` where everything is.
        noise, actions: ``[rows, choices]``.
        logprobs, values: ``[rows]``.
    """
    for start in range(0, observations.shape[0], CHUNK):
        stop = min(start + CHUNK, observations.shape[0])
        rows = stop - start
        forward(net, work, observations[start:stop], work.places[:rows], legal[start:stop])
        logprobs[start:stop] = ZERO
        for c in range(net.starts.shape[0] - 1):
            sample(
                work.out, net.starts[c], net.starts[c + 1], noise[start:stop], c,
                actions[start:stop], logprobs[start:stop], rows, work.scratch,
            )  # fmt: skip
        for r in range(rows):
            values[start + r] = net.unit[0] + net.unit[1] * work.out[net.starts[-1], r]


@_kernel
def judge(net, work, observations, legal, values):
    """The values ``[rows]`` of ``observations [rows, inputs]``; ``legal`` is ``[0, 0]``."""
    for start in range(0, observations.shape[0], CHUNK):
        stop = min(start + CHUNK, observations.shape[0])
        forward(net, work, observations[start:stop], work.places[: stop - start], legal)
        for r in range(stop - start):
            values[start + r] = net.unit[0] + net.unit[1] * work.out[net.starts[-1], r]


@_kernel
def look_up(net, work, observations, legal, actions, index, logprobs):
    """The log probabilities ``[rows]`` of the actions of the rows ``index`` of a batch."""
    for start in range(0, index.shape[0], CHUNK):
        chunk = index[start : start + CHUNK]
        forward(net, work, observations, chunk, legal)
        for r in range(chunk.shape[0]):
            logprobs[start + r] = ZERO
            for c in range(net.starts.shape[0] - 1):
                logprobs[start + r] += work.out[net.starts[c] + actions[chunk[r], c], r]


@_kernel
def mean_and_deviation(numbers, index):
    """Of ``numbers[index]``."""
    total, square = 0.0, 0.0
    for i in index:
        total += numbers[i]
    mean = total / index.shape[0]
    for i in index:
        square += (numbers[i] - mean) ** 2
    return mean, np.sqrt(square / index.shape[0])


@_kernel
def gradients(
    net, work, observations, legal, actions, logprobs, advantages, returns, index,
    mean, inverse_std, clip_coef, vf_coef, ent_coef, share,
):  # fmt: skip
    """Sums of the loss' gradients over the rows ``index`` of a batch, see :func:`loss_gradient`."""
    for array in (work.d_w1, work.d_w2, work.d_b2):
        array[:] = ZERO
    work.statistics[:] = 0
    for start in range(0, index.shape[0], CHUNK):
        chunk = index[start : start + CHUNK]
        forward(net, work, observations, chunk, legal)
        loss_gradient(
            work.out, net.starts, actions, logprobs, advantages, returns, chunk, chunk.shape[0],
            mean, inverse_std, clip_coef, vf_coef, ent_coef, net.unit[0], net.unit[1], share,
            work.statistics, work.scratch,
        )  # fmt: skip
        backward(net, work, chunk.shape[0])


@_kernel
def hand_over(first, second, hidden_weight, hidden_bias, heads_weight, heads_bias):
    """The sums of both halves, in the shapes of torch's layers."""
    hidden, inputs = hidden_weight.shape
    for k in range(inputs):
        for j in range(hidden):
            hidden_weight[j, k] = first.d_w1[k, j] + second.d_w1[k, j]
    for j in range(hidden):
        hidden_bias[j] = first.d_w1[inputs, j] + second.d_w1[inputs, j]
    for a in range(heads_weight.shape[0]):
        for j in range(hidden):
            heads_weight[a, j] = first.d_w2[a, j] + second.d_w2[a, j]
        heads_bias[a] = first.d_b2[0, a] + second.d_b2[0, a]


@njit(inline="always", **OPTIONS)
def _exp(exponent):
    """e to the ``exponent`` within 2 units in the last place, 0 below -87 (after Moshier's Cephes); no branches."""
    x = min(max(exponent, np.float32(-87.0)), np.float32(88.0))
    n = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    f = x - n * np.float32(0.693359375)
    f = f + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * f + np.float32(1.3981999507e-3)
    p = p * f + np.float32(8.3334519073e-3)
    p = p * f + np.float32(4.1665795894e-2)
    p = p * f + np.float32(1.6666665459e-1)
    p = p * f + np.float32(5.0000001201e-1)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    return (p * f * f + f + ONE) * power.view(np.float32) if exponent >= np.float32(-87.0) else ZERO


@njit(inline="always", **OPTIONS)
def _log(x):
    """Natural logarithm of a normal, positive float32 (after Moshier's Cephes)."""
    bits = np.float32(x).view(np.int32)
    e = np.float32((bits >> np.int32(23)) - np.int32(126))
    m = np.int32((bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)  # 0.5 .. 1
    small = m < np.float32(0.707106781186547524)
    e = e - ONE if small else e
    m = m + m - ONE if small else m - ONE
    p = np.float32(7.0376836292e-2)
    p = p * m - np.float32(1.1514610310e-1)
    p = p * m + np.float32(1.1676998740e-1)
    p = p * m - np.float32(1.2420140846e-1)
    p = p * m + np.float32(1.4249322787e-1)
    p = p * m - np.float32(1.6668057665e-1)
    p = p * m + np.float32(2.0000714765e-1)
    p = p * m - np.float32(2.4999993993e-1)
    p = p * m + np.float32(3.3333331174e-1)
    z = m * m
    y = m * z * p + e * np.float32(-2.12194440e-4) - np.float32(0.5) * z
    return m + y + e * np.float32(0.693359375)


@_kernel
def log_softmax(out, start, stop, legal, index, rows, scratch):
    """``out[start:stop]``, one choice's logits, become log probabilities in place; illegal actions get a tiny one."""
    largest, total = scratch[0], scratch[1]
    if legal.shape[0] > 0:
        for a in range(start, stop):
            row = out[a]
            for r in range(rows):
                row[r] = row[r] if legal[index[r], a] else np.float32(-8.5e37)
    for r in range(rows):
        largest[r] = out[start, r]
        total[r] = ZERO
    for a in range(start + 1, stop):
        row = out[a]
        for r in range(rows):
            largest[r] = max(largest[r], row[r])
    for a in range(start, stop):
        row = out[a]
        for r in range(rows):
            row[r] -= largest[r]
            total[r] += _exp(row[r])
    for r in range(rows):
        total[r] = _log(total[r])
    for a in range(start, stop):
        row = out[a]
        for r in range(rows):
            row[r] -= total[r]


@_kernel
def sample(out, start, stop, noise, column, actions, logprobs, rows, scratch):
    """Actions of one choice by inverting the cumulative distribution at ``noise``; adds to ``logprobs``."""
    total, chosen, running = scratch[0], scratch[1], scratch[2]
    for r in range(rows):
        total[r] = ZERO
    for a in range(start, stop):
        row = out[a]
        for r in range(rows):
            total[r] += _exp(row[r])
    for r in range(rows):
        total[r] *= noise[r, column]
        running[r] = ZERO
        chosen[r] = ZERO
    for a in range(start, stop - 1):
        row = out[a]
        for r in range(rows):
            running[r] += _exp(row[r])
            chosen[r] += ONE if total[r] >= running[r] else ZERO
    for r in range(rows):
        action = np.int64(chosen[r])
        actions[r, column] = action
        logprobs[r] += out[start + action, r]


@_kernel
def loss_gradient(
    out, starts, actions, logprobs, advantages, returns, index, rows,
    mean, inverse_std, clip_coef, vf_coef, ent_coef, value_mean, value_std, share, statistics, scratch,
):  # fmt: skip
    """``out`` (log probabilities, then the value's output) becomes the loss' gradient there, in place.

    Args:
        starts: where each choice begins in ``out``, and where the last one ends: the value's row.
        mean, inverse_std: of the minibatch's advantages, to normalise them.
        share: 1 / rows of the minibatch.
        statistics: sums of policy loss, value loss, entropy, approximate KL and clipped ratios are added to it.
    """
    log_ratio, slope, entropy, picked = scratch[0], scratch[1], scratch[2], scratch[3]
    choices = starts.shape[0] - 1
    for r in range(rows):
        log_ratio[r] = -logprobs[index[r]]
    for c in range(choices):
        for r in range(rows):
            picked[r] = np.float32(actions[index[r], c] + starts[c])
        for a in range(starts[c], starts[c + 1]):
            row, number = out[a], np.float32(a)
            for r in range(rows):
                log_ratio[r] += row[r] if picked[r] == number else ZERO
    low, high = ONE - clip_coef, ONE + clip_coef
    sum_policy, sum_value, sum_entropy, sum_kl, sum_clipped = 0.0, 0.0, 0.0, 0.0, 0.0
    for r in range(rows):
        slope[r] = _exp(log_ratio[r])
    for r in range(rows):
        ratio = slope[r]
        advantage = (advantages[index[r]] - mean) * inverse_std
        clipped = min(max(ratio, low), high)
        sum_policy -= min(advantage * ratio, advantage * clipped)
        sum_kl += (ratio - ONE) - log_ratio[r]
        sum_clipped += ratio != clipped
        # Where the clipped ratio is the smaller one, the loss does not change with the policy
        moves = ratio == clipped or advantage * ratio < advantage * clipped
        slope[r] = -advantage * ratio * share if moves else ZERO
    for c in range(choices):
        start, stop = starts[c], starts[c + 1]
        for r in range(rows):
            entropy[r] = ZERO
            picked[r] = np.float32(actions[index[r], c] + start)
        for a in range(start, stop):
            row = out[a]
            for r in range(rows):
                entropy[r] -= _exp(row[r]) * row[r]
        for r in range(rows):
            sum_entropy += entropy[r]
        for a in range(start, stop):
            row, number = out[a], np.float32(a)
            for r in range(rows):
                p = _exp(row[r])
                chosen = ONE if picked[r] == number else ZERO
                row[r] = slope[r] * (chosen - p) + ent_coef * share * p * (row[r] + entropy[r])
    row = out[starts[choices]]
    for r in range(rows):
        error = value_mean + value_std * row[r] - returns[index[r]]
        sum_value += np.float32(0.5) * error * error
        row[r] = vf_coef * share * value_std * error
    statistics[0] += sum_policy
    statistics[1] += sum_value
    statistics[2] += sum_entropy
    statistics[3] += sum_kl
    statistics[4] += sum_clipped
