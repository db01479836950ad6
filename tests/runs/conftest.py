"""Run folders as a training leaves them, with curves that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pufferbench.records import RunFolder


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """``write_run(name, returns, **train options)``: a run whose updates of 100 steps take 2 s each."""

    def write(
        name: str, returns: list[float], env: str = "ocean-squared", total: int = 400, **train: Any
    ) -> Path:
        config = {
            "env": {"id": env, "kwargs": {}},
            "policy": {"name": "MLP", "arguments": {"hidden_size": 64}},
            "train": {"learning_rate": 0.01, "seed": 0, "total_timesteps": total, **train},
        }
        run = RunFolder.create(tmp_path / "runs" / name, config)
        for update, value in enumerate(returns, 1):
            run.append(
                {
                    "update": update,
                    "global_step": 100 * update,
                    "total_timesteps": total,
                    "elapsed": 2.0 * update,
                    "deterministic": True,
                    "episode_return_100": value,
                }
            )
        return run.path

    return write
