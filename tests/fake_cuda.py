"""A CUDA device without one: tensors on it have a shape, a type and a device, but no numbers.

torch's FakeTensorMode makes such tensors, and every operation that mixes devices in a way that a GPU would refuse
raises as it would there. The code of a whole training can so be gone through on any machine, from the
environment's arrays to the optimizer's step, for mistakes that otherwise only a machine with a GPU shows. What
is left out is the backward pass: there torch asks for a driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = "cuda:0"
aten = torch.ops.aten
real_numpy = Tensor.numpy


@contextmanager
def fake_cuda() -> Iterator[Answers]:
    """Inside, ``device="cuda:0"`` works. What is made there, on any device, has no numbers."""
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        answers = stack.enter_context(Answers())
        stack.enter_context(torch.no_grad())
        for module in ("trainer", "live"):
            stack.enter_context(mock.patch(f"pufferbench.{module}.check_device", lambda name: name))
        # Python's own ways to these ask for a driver before they ask what kind of tensor it is
        for name, function in (
            ("__getitem__", _get),
            ("__setitem__", _set),
            ("__float__", lambda tensor: float(aten._local_scalar_dense(tensor))),
            ("__invert__", lambda tensor: aten.bitwise_not(tensor)),
            ("contiguous", lambda tensor, **kwargs: aten.contiguous(tensor, **kwargs)),
            ("copy_", lambda tensor, source, non_blocking=False: aten.copy_(tensor, source, non_blocking)),
            ("nonzero", lambda tensor: aten.nonzero(tensor)),
            ("numpy", _numpy),
            ("pin_memory", _pin),
        ):
            stack.enter_context(mock.patch.object(Tensor, name, function))
        stack.enter_context(mock.patch("torch.autograd.grad", _gradients))
        stack.enter_context(
            mock.patch.object(nn.Module, "to", lambda module, device: answers.move(module, device))
        )
        yield answers


class Answers(TorchDispatchMode):
    """Where Python asks for a number that fake tensors do not have, it gets one: 1, or True.

    Attributes:
        waits: how often a GPU would have had to be waited for (``.item()``, ``if tensor:``, ``.cpu()``, ``nonzero``).
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (aten._local_scalar_dense.default, aten.is_nonzero.default):
            self.waits += args[0].device.type == "cuda"
            kind = args[0].dtype
            return True if kind == torch.bool else 1.0 if kind.is_floating_point else 1
        if func is aten.equal.default:
            return True
        if func is aten.nonzero.default:  # as if all were True
            self.waits += args[0].device.type == "cuda"
            return torch.zeros(args[0].numel(), args[0].ndim, dtype=torch.int64, device=args[0].device)
        if func is aten.gru_cell.default:  # torch does not say what shape comes out of its parts
            inputs, state, weight_ih, weight_hh, *biases = args
            gates = aten.linear(inputs, weight_ih, biases[0]) + aten.linear(state, weight_hh, biases[1])
            return state + gates[:, : state.shape[1]]
        if func is aten._thnn_fused_gru_cell.default:  # such a part, where nothing is in inference mode
            inputs, hidden, state, *biases = args
            return state + sum([hidden, *biases], inputs)[:, : state.shape[1]], inputs
        if func is aten._to_copy.default and args[0].device.type == "cuda":
            self.waits += kwargs.get("device", args[0].device).type == "cpu"
        return func(*args, **kwargs)

    def move(self, module: nn.Module, device: torch.device) -> nn.Module:
        """As Module.to, which cannot swap fake parameters: new ones take their places."""
        for part in module.modules():
            for name, parameter in part._parameters.items():
                if parameter is not None:
                    moved = nn.Parameter(parameter.detach().to(device), parameter.requires_grad)
                    part._parameters[name] = moved
            for name, buffer in part._buffers.items():
                if buffer is not None:
                    part._buffers[name] = buffer.to(device)
        return module


def _gradients(loss: Tensor, parameters: list[Tensor], allow_unused: bool = False) -> tuple[Tensor, ...]:
    """As torch.autograd.grad."""
    return tuple(torch.zeros_like(parameter) for parameter in parameters)


def _get(tensor: Tensor, index: Any) -> Tensor:
    picked, tensors = _slices(tensor, index)
    return aten.index(picked, tensors) if tensors else picked


def _set(tensor: Tensor, index: Any, value: Any) -> None:
    picked, tensors = _slices(tensor, index)
    if not isinstance(value, Tensor):
        value = torch.full((), value, dtype=tensor.dtype, device=tensor.device)
    if tensors:
        aten.index_put_(picked, tensors, value)
    else:
        aten.copy_(picked, value)


def _slices(tensor: Tensor, index: Any) -> tuple[Tensor, list[Tensor | None]]:
    """``tensor`` as the numbers and slices in ``index`` pick it, and what else there is: tensors, by dimension."""
    index = list(index) if isinstance(index, tuple) else [index]
    if any(part is Ellipsis for part in index):
        place = next(number for number, part in enumerate(index) if part is Ellipsis)
        taken = sum(part is not None for part in index) - 1
        index[place : place + 1] = [slice(None)] * (tensor.ndim - taken)
    tensors: list[Tensor | None] = []
    dimension = 0
    for part in index:
        if isinstance(part, Tensor):
            places = part.nonzero().unbind(1) if part.dtype == torch.bool else [part]
            tensors += [None] * (dimension - len(tensors)) + [*places]
            dimension += len(places)
        elif part is None:
            tensor, dimension = tensor.unsqueeze(dimension), dimension + 1
        elif isinstance(part, slice):
            stop = 2**63 - 1 if part.stop is None else part.stop
            tensor = aten.slice(tensor, dimension, part.start or 0, stop, part.step or 1)
            dimension += 1
        else:
            tensor = tensor.select(dimension, int(part))
    return tensor, tensors


def _numpy(tensor: Tensor, *, force: bool = False) -> np.ndarray:
    """As Tensor.numpy: what is on a GPU has none. Zeros stand for the numbers."""
    if not isinstance(tensor, FakeTensor):
        return real_numpy(tensor, force=force)
    if tensor.device.type != "cpu":
        raise TypeError(f"can't convert {tensor.device} device type tensor to numpy. Use Tensor.cpu() first")
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _pin(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cpu":
        raise RuntimeError(f"cannot pin '{tensor.device}': only dense CPU tensors can be pinned")
    return tensor
