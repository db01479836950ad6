"""What every test may rely on."""

from __future__ import annotations

import os

import pytest

# Lessons take their small budgets (pufferbench.budget) when they run among the tests.
os.environ.setdefault("PUFFERBENCH_FAST", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``gpu`` skip, visibly, where torch finds no CUDA."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch  # here: most runs of a few tests need no torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="torch finds no CUDA GPU"))
