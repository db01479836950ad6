"""A network's layers as they are used: shapes, parameters, activations, and who feeds whom. Of any torch module.

Forward hooks see each layer's outputs; autograd's graph says which outputs a layer's inputs were made of, and by what
operations in between (``relu``, ``cat``), also where the code calls plain functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.recurrent import first_step

LONGEST = 400  # operations to go back through, at most


@dataclass(frozen=True)
class Layer:
    """A layer at work, or the observation, or an output of the whole network.

    Attributes:
        name: where it is in the module, e.g. ``"policy.hidden"``.
        kind: its class, e.g. ``"Linear"``.
        shape: of what comes out, without the rows.
        parameters: how many it has of its own.
        activations: what came out for the first row, flat.
        sources: ``(number of the layer, operations in between)``: what went in.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    activations: np.ndarray
    sources: tuple[tuple[int, str], ...]


def layers(policy: nn.Module, observations: Tensor) -> list[Layer]:
    """Run ``policy`` on ``observations [rows, *shape]`` and return its layers in the order in which they worked.

    Layer 0 is the observation; the last ones are what comes out. Recurrent policies begin an episode.

    Raises:
        ValueError: the observations do not fit; with the module's own message.
    """
    seen: list[_Seen] = []
    names = {module: name for name, module in policy.named_modules()}

    def watch(module: nn.Module, inputs: Any, outputs: Any) -> None:
        results = list(_tensors(outputs))
        if (
            results
        ):  # taken down now: a function that works in place changes what a tensor holds and where it is from
            seen.append(
                _Seen(
                    names[module] or type(module).__name__,
                    module,
                    [tensor.grad_fn for tensor in _tensors(inputs)],
                    [result.grad_fn for result in results],
                    tuple(results[0].shape[1:]),
                    _first(results[0]),
                )
            )

    leaves = [module for module in policy.modules() if not list(module.children())] or [policy]
    hooks = [leaf.register_forward_hook(watch) for leaf in leaves]
    training = policy.training
    policy.eval()
    try:
        with torch.enable_grad():
            outputs = first_step(policy, observations)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        shape = tuple(observations.shape)
        raise ValueError(
            f"{type(policy).__name__} cannot take observations of shape {shape}: {error}"
        ) from error
    finally:
        policy.train(training)
        for hook in hooks:
            hook.remove()

    found = [Layer("observation", "input", tuple(observations.shape[1:]), 0, _first(observations), ())]
    owners: dict[Any, int] = {}  # autograd's node -> the layer that made it
    plain = 0  # the last layer whose output has no gradient: it has no parameters, and none came before it
    for one in seen:
        number = len(found)
        own = sum(parameter.numel() for parameter in one.module.parameters(recurse=False))
        sources = _sources(one.inputs, owners, plain)
        found.append(Layer(one.name, type(one.module).__name__, one.shape, own, one.activations, sources))
        for node in one.outputs:
            if node is None:
                plain = number
            else:
                owners.setdefault(node, number)
    for name, result in _results(outputs):
        found.append(
            Layer(name, "output", tuple(result.shape[1:]), 0, _first(result),
                  _sources([result.grad_fn], owners, plain))
        )  # fmt: skip
    return found


@dataclass
class _Seen:
    """A layer's call: autograd's nodes of what went in and came out, and what came out."""

    name: str
    module: nn.Module
    inputs: list[Any]
    outputs: list[Any]
    shape: tuple[int, ...]
    activations: np.ndarray


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Normal):
        yield from (value.loc, value.scale)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def _results(outputs: Any) -> Iterator[tuple[str, Tensor]]:
    """What the network says, with the names that policies' outputs have."""
    if isinstance(outputs, tuple) and len(outputs) == 2:
        logits, value = outputs
        if isinstance(logits, Normal):
            yield from (("action mean", logits.loc), ("deviation", logits.scale))
        elif isinstance(logits, Tensor):
            yield ("logits", logits)
        else:
            yield from ((f"logits {number}", part) for number, part in enumerate(logits))
        yield ("value", value.flatten().unsqueeze(1))
    else:
        yield from ((f"output {number}", part) for number, part in enumerate(_tensors(outputs)))


def _sources(inputs: list[Any], owners: dict[Any, int], plain: int) -> tuple[tuple[int, str], ...]:
    """The nearest layers behind the nodes ``inputs``, each with the operations on the way; () for a parameter.

    What has no node came from layer ``plain``.
    """
    found: dict[int, str] = {plain: ""} if None in inputs or not inputs else {}
    waiting: list[tuple[Any, tuple[str, ...]]] = [(node, ()) for node in inputs if node is not None]
    been: set[Any] = set()
    while waiting and len(been) < LONGEST:
        node, operations = waiting.pop(0)
        if node in been:
            continue
        been.add(node)
        if node in owners:
            found.setdefault(owners[node], " · ".join(reversed(operations)))
            continue
        word = _operation(node)
        waiting += [
            (below, (*operations, word) if word else operations)
            for below, _ in node.next_functions
            if below is not None
        ]
    return tuple(found.items())


def _operation(node: Any) -> str:
    """``ReluBackward0`` -> ``relu``; "" for what only changes the view, and for autograd's own."""
    word = re.sub(r"Backward\d*$", "", type(node).__name__).lower()
    return (
        word
        if word in ("relu", "tanh", "sigmoid", "gelu", "elu", "silu", "leakyrelu", "cat", "softmax")
        else ""
    )


def _first(result: Tensor) -> np.ndarray:
    return (
        result.detach()[0].flatten().float().cpu().numpy().copy() if len(result) else np.zeros(0, np.float32)
    )
