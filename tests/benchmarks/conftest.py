"""Benchmarks measure; they are no tests. They run when asked for: pytest tests/benchmarks --benchmark-enable"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("benchmark_enable") or config.getoption("benchmark_only"):
        return
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason="benchmarks run with --benchmark-enable"))
