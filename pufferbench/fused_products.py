"""Matrix products for a few dozen rows, two to three times as fast as a library's.

A result is computed in tiles that fit into the processor's registers: eight rows times two vectors of 16 numbers. For
each step along the inner dimension, a vector of ``b`` is multiplied by one number of each row of ``a`` and added up
(Goto and van de Geijn, 2008, "Anatomy of high-performance matrix multiplication"). Numba makes no such loop from
Python, so tiles are written in the compiler's own language, LLVM's.

The order in which numbers are added up depends on the inner dimension only, not on tiles. So a row's numbers do not
depend on the rows beside it, nor on how a batch is split: any number of threads gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pufferbench.machine_code import OPTIONS

LANES = 16  # numbers in a vector; the compiler splits it where the processor's are shorter
ROWS = 8  # heights of arrays must be multiples of it,
COLUMNS = 32  # and widths of this
# Of a tile. A processor without AVX-512 has half as many registers, of half the size
_ROWS, _VECTORS = (8, 2) if llvmlite.binding.get_host_cpu_features().get("avx512f") else (4, 1)
_DOTS = 4  # side by side: each has to wait for its own last sum

_NUMBER = ir.IntType(32)
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_ZERO, _NOTHING = ir.Constant(_VECTOR, None), ir.Constant(_VECTOR, ir.Undefined)


def pad(count: int, multiple: int) -> int:
    """The next multiple."""
    return -(-count // multiple) * multiple


class _Code:
    """What both kinds of tiles need to write their code."""

    def __init__(self, context: Any, builder: Any, kinds: Any, arrays: Any) -> None:
        self.context, self.builder, self.kinds, self.arrays = context, builder, kinds, arrays

    def place(self, array: int, row: Any, column: Any) -> Any:
        """Where that number is, of the first, second or third array."""
        kind = self.kinds[array]
        found = self.context.make_array(kind)(self.context, self.builder, value=self.arrays[array])
        return cgutils.get_item_pointer(self.context, self.builder, kind, found, (row, column))

    def vector(self, array: int, row: Any, column: Any) -> Any:
        """Where a vector begins."""
        return self.builder.bitcast(self.place(array, row, column), _VECTOR.as_pointer())

    def load(self, array: int, row: Any, column: Any) -> Any:
        return self.builder.load(self.vector(array, row, column), align=4)

    def moved(self, index: Any, distance: int) -> Any:
        return self.builder.add(index, ir.Constant(index.type, distance))

    def sums(self, count: int) -> list[Any]:
        """Vectors of zeros, which become registers."""
        return [cgutils.alloca_once_value(self.builder, _ZERO) for _ in range(count)]

    def add_product(self, total: Any, left: Any, right: Any) -> None:
        """A product and a sum in one instruction, where there is one."""
        kind, name = ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fmuladd.v{LANES}f32"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.store(self.builder.call(function, [left, right, self.builder.load(total)]), total)

    def spread(self, number: Any) -> Any:
        """A vector of equal numbers."""
        first = self.builder.insert_element(_NOTHING, number, ir.Constant(_NUMBER, 0))
        everywhere = ir.Constant(ir.VectorType(_NUMBER, LANES), [0] * LANES)
        return self.builder.shuffle_vector(first, _NOTHING, everywhere)

    def sum_of(self, vector: Any) -> Any:
        """Of its numbers: first half and second half, until one is left."""
        size = LANES
        while size > 1:
            size //= 2
            kind, nothing = ir.VectorType(_NUMBER, size), ir.Constant(vector.type, ir.Undefined)
            low, high = (ir.Constant(kind, list(range(start, start + size))) for start in (0, size))
            low, high = (self.builder.shuffle_vector(vector, nothing, part) for part in (low, high))
            vector = self.builder.fadd(low, high)
        return self.builder.extract_element(vector, ir.Constant(_NUMBER, 0))


def _tile(finish: Callable[[Any, Any, Any], Any]) -> Any:
    """``tile(a, b, c, i, j, inner)`` for the part of ``c`` that begins at ``[i, j]``.

    Args:
        finish: (builder, old, total) -> what is stored, given what was in ``c`` and the sum of products.
    """

    @intrinsic
    def tile(typing_context, a, b, c, i, j, inner):
        return types.void(a, b, c, types.intp, types.intp, types.intp), generate

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i, j, inner = arguments[3:]
        code = _Code(context, builder, signature.args[:3], arguments[:3])
        sums = [code.sums(_VECTORS) for _ in range(_ROWS)]
        with cgutils.for_range(builder, inner, intp=i.type) as loop:
            right = [code.load(1, loop.index, code.moved(j, LANES * v)) for v in range(_VECTORS)]
            for m, row in enumerate(sums):
                left = code.spread(builder.load(code.place(0, code.moved(i, m), loop.index)))
                for total, vector in zip(row, right, strict=True):
                    code.add_product(total, left, vector)
        for m, row in enumerate(sums):
            for v, total in enumerate(row):
                there = code.vector(2, code.moved(i, m), code.moved(j, LANES * v))
                result = finish(builder, builder.load(there, align=4), builder.load(total))
                builder.store(result, there, align=4)
        return context.get_dummy_value()

    return tile


_adding = _tile(lambda builder, old, total: builder.fadd(old, total))
# Written so that NaN stays NaN
_relu = _tile(
    lambda builder, old, total: builder.select(builder.fcmp_ordered("<", total, _ZERO), _ZERO, total)
)
_where = _tile(
    lambda builder, old, total: builder.select(builder.fcmp_ordered(">", old, _ZERO), total, _ZERO)
)


@intrinsic
def _dots(typing_context, a, b, c, i, j, inner):
    """``c[j, i : i + _DOTS] += a[i : i + _DOTS] . b[j]``, over the first ``inner`` columns of ``a`` and ``b``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i, j, inner = arguments[3:]
        code = _Code(context, builder, signature.args[:3], arguments[:3])
        sums = code.sums(_DOTS)
        start, step = ir.Constant(i.type, 0), ir.Constant(i.type, LANES)
        with cgutils.for_range_slice(builder, start, inner, step, i.type) as (k, _):
            right = code.load(1, j, k)
            for m, total in enumerate(sums):
                code.add_product(total, code.load(0, code.moved(i, m), k), right)
        for m, total in enumerate(sums):
            there = code.place(2, j, code.moved(i, m))
            builder.store(builder.fadd(builder.load(there), code.sum_of(builder.load(total))), there)
        return context.get_dummy_value()

    return types.void(a, b, c, types.intp, types.intp, types.intp), generate


# All arrays are float32. A product's inner dimension is the first ``inner`` columns of a and rows of b; a may be a
# transposed array. ``rows`` is a multiple of ROWS, the width of c one of COLUMNS.


@njit(**OPTIONS)
def add_product(a, b, c, rows, inner):
    """``c += a @ b``, of the first ``rows`` rows."""
    for j in range(0, c.shape[1], _VECTORS * LANES):  # these columns of b stay in the nearest cache
        for i in range(0, rows, _ROWS):
            _adding(a, b, c, i, j, inner)


@njit(**OPTIONS)
def relu_of_product(a, b, c, rows, inner):
    """``c = max(a @ b, 0)``."""
    for j in range(0, c.shape[1], _VECTORS * LANES):
        for i in range(0, rows, _ROWS):
            _relu(a, b, c, i, j, inner)


@njit(**OPTIONS)
def product_where_positive(a, b, c, rows, inner):
    """``c = a @ b`` where ``c`` was positive, elsewhere 0."""
    for j in range(0, c.shape[1], _VECTORS * LANES):
        for i in range(0, rows, _ROWS):
            _where(a, b, c, i, j, inner)


@njit(**OPTIONS)
def add_dots(a, b, c, rows, count, inner):
    """``c += b @ a.T``: the products of ``rows`` rows of ``a`` with ``count`` rows of ``b``, ``[count, rows]``.

    ``inner`` is a multiple of LANES. For few rows of b faster than a product, whose vectors would be mostly empty.
    """
    for i in range(0, rows, _DOTS):
        for j in range(count):
            _dots(a, b, c, i, j, inner)
