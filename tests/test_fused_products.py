"""The matrix products of the fused learner, against numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from pufferbench import fused_products as products


@njit
def call(function, a, b, c, rows, inner):
    function(a, b, c, rows, inner)


def arrays(rows, columns, inner, transposed):
    generator = np.random.default_rng(rows + columns + inner)
    a = generator.normal(size=(inner, rows) if transposed else (rows, inner)).astype(np.float32)
    b = generator.normal(size=(inner, columns)).astype(np.float32)
    c = generator.normal(size=(rows, columns)).astype(np.float32)
    return a.T if transposed else a, b, c


EXPECTED = {
    products.add_product: lambda product, c: c + product,
    products.relu_of_product: lambda product, c: np.maximum(product, 0),
    products.product_where_positive: lambda product, c: np.where(c > 0, product, 0),
}


@pytest.mark.parametrize("function", EXPECTED, ids=lambda function: function.__name__)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("rows", "columns", "inner"), [(8, 32, 1), (64, 128, 119), (40, 96, 5)])
def test_they_are_those_of_numpy(function, transposed, rows, columns, inner):
    a, b, c = arrays(rows, columns, inner, transposed)
    expected = EXPECTED[function](a.astype(np.float64) @ b.astype(np.float64), c.astype(np.float64))
    part = c.copy()
    call(function, a, b, c, rows, inner)
    np.testing.assert_allclose(c, expected, atol=2e-5)
    call(function, a, b, part, 8, inner)  # the same bits with fewer rows; the others are left alone
    assert (part[:8] == c[:8]).all()


def test_dots():
    generator = np.random.default_rng(0)
    a, b, c = (generator.normal(size=size).astype(np.float32) for size in ((24, 64), (3, 64), (5, 24)))
    expected = c.astype(np.float64)
    expected[:2, :16] += b[:2, :48].astype(np.float64) @ a[:16, :48].T.astype(np.float64)
    products_into(a, b, c)
    np.testing.assert_allclose(c, expected, atol=2e-5)


@njit
def products_into(a, b, c):
    products.add_dots(a, b, c, 16, 2, 48)


def test_nan_stays_nan():
    a, b, c = arrays(8, 32, 4, False)
    a[3, 2] = np.nan
    call(products.relu_of_product, a, b, c, 8, 4)
    assert np.isnan(c[3]).all() and np.isfinite(np.delete(c, 3, 0)).all()
