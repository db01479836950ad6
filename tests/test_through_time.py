"""The LSTM and GRU kernels against torch's cells going step by step, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from pufferbench import recurrent_kernels as kernels
from pufferbench.recurrent import choose
from pufferbench.through_time import can_do, many_steps, one_step

CELLS = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}


def some(kind, steps=9, rows=5, inputs=6, cells=19, seed=0):
    """A cell with weights of all sizes, and the arguments of many_steps with all that can be in a segment."""
    torch.manual_seed(seed)
    cell = CELLS[kind](inputs, cells)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(1.5 * cells**-0.5 * torch.randn_like(parameter))
    used, ended = torch.rand(steps, rows) < 0.8, torch.rand(steps, rows) < 0.2
    parts = 2 if kind == "LSTM" else 1
    fresh, state = ([torch.randn(rows, cells) for _ in range(parts)] for _ in range(2))
    seen = torch.randn(steps, rows, inputs)
    return cell, seen, used, ended, fresh, state


def step_by_step(cell, seen, used, ended, fresh, state):
    """The slow reference of many_steps, with torch's cell and autograd."""
    hidden = []
    for t in range(len(seen)):
        after = cell(seen[t], state if len(state) > 1 else state[0])
        state = choose(used[t], (after,) if isinstance(after, torch.Tensor) else after, state)
        hidden.append(state[0])
        state = choose(ended[t], fresh, state)
    return torch.stack(hidden)


def outcome(way, cell, seen, used, ended, fresh, state):
    """What comes out, and the gradients of all that has one, for random weights of the outputs."""
    changeable = [seen, *state, *cell.parameters()]
    hidden = way(cell, seen.requires_grad_(), used, ended, fresh, [part.requires_grad_() for part in state])
    weights = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(7))
    return [hidden.detach(), *torch.autograd.grad((hidden * weights * used.unsqueeze(2)).sum(), changeable)]


@pytest.mark.parametrize("cells", [19, 128])
@pytest.mark.parametrize("kind", CELLS)
def test_many_steps_are_step_by_step(kind, cells):
    """Outputs, and gradients of inputs, weights, biases and states."""
    arguments = some(kind, cells=cells)
    found, expected = (outcome(way, *arguments) for way in (many_steps, step_by_step))
    assert len(found) == (8 if kind == "LSTM" else 7)
    for number, (left, right) in enumerate(zip(found, expected, strict=True)):
        assert right.abs().max() > 1e-3
        torch.testing.assert_close(
            left, right, atol=2e-6 * right.abs().max().item(), rtol=1e-4, msg=f"{number}"
        )


@pytest.mark.parametrize("kind", CELLS)
def test_a_rows_bits_depend_on_nothing_but_its_own(kind):
    """So that halves of the rows, in two threads or one, are the same as all."""
    cell, seen, used, ended, fresh, state = some(kind, rows=70, cells=32)
    whole = many_steps(cell, seen, used, ended, fresh, state)
    for rows in (slice(0, 3), slice(3, 70)):
        parts = ([part[rows] for part in parts] for parts in (fresh, state))
        assert torch.equal(
            many_steps(cell, seen[:, rows], used[:, rows], ended[:, rows], *parts), whole[:, rows]
        )


def test_inputs_from_an_encoder_in_bfloat16():
    cell, seen, *rest = some("LSTM", cells=32)
    seen = seen.bfloat16()
    found, expected = (
        outcome(many_steps, cell, seen, *rest),
        outcome(many_steps, cell, seen.detach().float(), *rest),
    )
    assert found[1].dtype == torch.bfloat16
    assert torch.equal(found[1], expected[1].bfloat16())
    for left, right in zip([found[0], *found[2:]], [expected[0], *expected[2:]], strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("kind", CELLS)
def test_the_gradient_is_that_of_finite_differences(kind):
    cell, seen, used, _, _, state = arguments = some(kind, steps=5, rows=3, inputs=2, cells=3)
    gradients = outcome(many_steps, *arguments)[1:]
    weights = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(7)) * used.unsqueeze(2)

    def loss():
        return (many_steps(*arguments).double() * weights).sum().item()

    with torch.no_grad():
        for tensor, gradient in zip((seen, *state, *cell.parameters()), gradients, strict=True):
            flat, size = tensor.view(-1), 4e-3
            for k, expected in enumerate(gradient.flatten().tolist()):
                before = flat[k].item()
                flat[k] = before + size
                higher = loss()
                flat[k] = before - size
                difference = (higher - loss()) / (2 * size)
                flat[k] = before
                assert difference == pytest.approx(expected, abs=3e-3, rel=3e-3)


@pytest.mark.parametrize("rows", [1, 7, kernels.BLOCK + 3])
@pytest.mark.parametrize("kind", CELLS)
def test_one_step_is_the_cell(kind, rows):
    cell, seen, *_, state = some(kind, steps=1, rows=rows)
    with torch.inference_mode():
        found, expected = one_step(cell, seen[0], state), cell(seen[0], state if len(state) > 1 else state[0])
    for left, right in zip(found, [expected] if kind == "GRU" else expected, strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
def test_nan_stays_nan_and_in_its_row(kind):
    cell, seen, used, ended, fresh, state = some(kind)
    seen[3, 2] = torch.nan
    used[:], ended[:] = True, False
    hidden = many_steps(cell, seen, used, ended, fresh, state)
    assert hidden.isnan().any(2).nonzero().tolist() == [[t, 2] for t in range(3, 9)]


def test_the_way_back_is_gone_once():
    """It overwrites what it has read: a second gradient would be wrong."""
    cell, seen, *rest = some("LSTM")
    total = many_steps(cell, seen, *rest).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        total.backward()


def test_who_is_left_to_torch():
    cell, seen = some("GRU")[:2]
    assert can_do(cell, seen)
    assert not can_do(nn.RNNCell(6, 19), seen)
    assert not can_do(nn.GRUCell(6, 19, bias=False), seen)
    assert not can_do(nn.GRUCell(6, 19).double(), seen)
    assert not can_do(cell, seen.to("meta"))


def test_sigmoid_and_tanh():
    @njit
    def each(x, out):
        for k in range(len(x)):
            out[0, k], out[1, k] = kernels.sigmoid(x[k]), kernels.tanh(x[k])

    x = np.concatenate([np.linspace(-100, 100, 200_001), np.linspace(-0.1, 0.1, 20_001)]).astype(np.float32)
    out, exact = np.empty((2, len(x)), np.float32), x.astype(np.float64)
    each(x, out)
    assert np.abs(out[0] / (1 / (1 + np.exp(-exact.clip(-87, 87)))) - 1).max() < 3e-7
    assert np.abs(out[1] - np.tanh(exact)).max() < 2e-7
    strange = np.array([np.inf, -np.inf, np.nan], np.float32)
    each(strange, out[:, :3])
    np.testing.assert_allclose(out[:, :3], [[1, 0, np.nan], [1, -1, np.nan]], atol=1e-30)
