"""The standard MLP and PPO's loss in Numba, for chunks of a few hundred rows that stay in the cache.

Inside a chunk rows lie side by side (``[features, rows]``): each inner loop does the same thing to neighbouring
numbers, which the compiler turns into SIMD instructions. Where a loop has to add up along rows instead, it may
do so in any order (``reassoc``); such kernels call nothing and are called by nothing compiled, so that they are
the same machine code whether fresh or from the cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}
ZERO, ONE = np.float32(0), np.float32(1)


@njit(**_OPTIONS)
def features_as_columns(observations, index, mean, scale, x):
    """Rows ``index`` of ``observations [n, inputs]``, normalised, into ``x [inputs + 1, rows]``; the last row is 1."""
    inputs, rows = mean.shape[0], index.shape[0]
    for k in range(inputs):
        m, s, out = mean[k], scale[k], x[k]
        for r in range(rows):
            value = (np.float32(observations[index[r], k]) - m) * s
            out[r] = min(max(value, np.float32(-10)), np.float32(10))
    for r in range(rows):
        x[inputs, r] = ONE


@njit(**_OPTIONS)
def features_as_rows(observations, index, mean, scale, x):
    """The same into ``x [rows, inputs + 1]``."""
    inputs = mean.shape[0]
    for r in range(index.shape[0]):
        seen, out = observations[index[r]], x[r]
        for k in range(inputs):
            value = (np.float32(seen[k]) - mean[k]) * scale[k]
            out[k] = min(max(value, np.float32(-10)), np.float32(10))
        out[inputs] = ONE


@njit(**_OPTIONS)
def hidden_from_columns(w1, x, h, rows):
    """``h = w1 @ x``: ``[hidden, rows]``. For few inputs faster than a library."""
    for j in range(w1.shape[0]):
        out = h[j]
        for r in range(rows):
            out[r] = ZERO
        for k in range(w1.shape[1]):
            w, seen = w1[j, k], x[k]
            for r in range(rows):
                out[r] += w * seen[r]


@njit(**_OPTIONS)
def relu_and_heads(h, w2, b2, out, rows):
    """``h = relu(h)`` in place; ``out = w2 @ h + b2``: ``[outputs, rows]``."""
    for a in range(w2.shape[0]):
        b, result = b2[a], out[a]
        for r in range(rows):
            result[r] = b
    for j in range(h.shape[0]):
        row = h[j]
        for r in range(rows):
            row[r] = max(row[r], ZERO)
        for a in range(w2.shape[0]):
            w, result = w2[a, j], out[a]
            for r in range(rows):
                result[r] += w * row[r]


@njit(inline="always", **_OPTIONS)
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


@njit(inline="always", **_OPTIONS)
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


@njit(**_OPTIONS)
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


@njit(**_OPTIONS)
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


@njit(**_OPTIONS)
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


@njit(**_OPTIONS)
def back_to_hidden(h, w2, d_out, rows, scratch):
    """``h`` (after relu) becomes the gradient before it: ``w2.T @ d_out`` where h was positive."""
    total = scratch[0]
    for j in range(h.shape[0]):
        row, w = h[j], w2[0, j]
        d = d_out[0]
        for r in range(rows):
            total[r] = w * d[r]
        for a in range(1, w2.shape[0]):
            w, d = w2[a, j], d_out[a]
            for r in range(rows):
                total[r] += w * d[r]
        for r in range(rows):
            row[r] = total[r] if row[r] > ZERO else ZERO


@njit(fastmath={"reassoc", "contract"}, **_OPTIONS)
def add_products(d, x, rows, result):
    """``result[j, k] += d[j] . x[k]`` over ``rows`` columns: the gradient of a matrix with few columns or rows."""
    for j in range(d.shape[0]):
        left = d[j]
        for k in range(x.shape[0]):
            right, total = x[k], ZERO
            for r in range(rows):
                total += left[r] * right[r]
            result[j, k] += total


@njit(fastmath={"reassoc", "contract"}, **_OPTIONS)
def add_sums(d, rows, result):
    """``result[a] += sum of d[a]`` over ``rows`` columns."""
    for a in range(d.shape[0]):
        row, total = d[a], ZERO
        for r in range(rows):
            total += row[r]
        result[a] += total
