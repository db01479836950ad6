"""Lines of a game that compute in float64 though their values are float32: correct, but slower."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ocean_numba.explain import source
from ocean_numba.functions import Converter, reachable, uses_double
from ocean_numba.game import Layout


def double_precision_lines(layout: Layout, arguments: dict[str, tuple]) -> list[str]:
    """One sentence for each line in which float32 or integers turn into float64.

    ``2 * s.v``, ``min(s.v, 0)`` and ``math.pi * s.v`` do; ``2.0 * s.v`` does not. Compiles the game anew,
    because what Numba stores on disk has no types.

    Args:
        arguments: example arguments of each compiled function.
    """
    import numba

    game = layout.game
    if uses_double({**game.state, **game.params}):
        return []  # it asked for float64
    converter = Converter(lambda function, inline: numba.njit(error_model="numpy")(function), False, __name__)
    for key, function in game.compiled.items():
        dispatcher = converter.convert(function)
        dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments[key]))
    found = []
    for function, _ in reachable(game.compiled):
        for overload in converter.convert(function).overloads.values():
            lines = sorted(set(_promotions(overload.type_annotation, numba)))
            found += [
                f"{game.name}.{function.__name__} computes in float64, {source(function.__code__, n)}"
                for n in lines
            ]
    return list(dict.fromkeys(found))


def _promotions(annotation: Any, numba: Any) -> Iterator[int]:
    """Line numbers where float64 begins: no operand has it, except for a constant such as ``math.pi``."""
    ir, types = numba.core.ir, annotation.typemap
    statements = [found for block in annotation.blocks.values() for found in block.find_insts(ir.Assign)]
    constants = {
        found.target.name
        for found in statements
        if isinstance(found.value, (ir.Const, ir.Global, ir.FreeVar))
        or (isinstance(found.value, ir.Expr) and found.value.op == "getattr")
    }
    for found in statements:
        value = found.value
        if types.get(found.target.name) != numba.float64 or not isinstance(value, ir.Expr):
            continue
        if value.op == "call":
            operands = [operand.name for operand in value.args]
        elif value.op in ("binop", "inplace_binop"):
            operands = [value.lhs.name, value.rhs.name]
        else:
            continue
        if all(types.get(name) != numba.float64 or name in constants for name in operands):
            yield found.loc.line
