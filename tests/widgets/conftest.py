"""Trainers for widget tests: real ones, on the smallest game."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pufferbench


@pytest.fixture
def make_trainer() -> Iterator[Callable[..., Any]]:
    """``make_trainer(**config)``: a trainer on ocean-squared whose updates take milliseconds."""
    made = []

    def make(env: str = "ocean-squared", num_envs: int = 8, **config: Any) -> Any:
        trainer = pufferbench.PuffeRL(
            env=pufferbench.make(env, num_envs=num_envs),
            **{"bptt_horizon": 16, "total_timesteps": 10**7, **config},
        )
        made.append(trainer)
        return trainer

    yield make
    for trainer in made:
        session = getattr(trainer.gate, "__self__", None)
        if session is not None:
            session.close()
        trainer.env.close()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves one of our threads running."""
    yield
    wait_for(lambda: not our_threads(), "all threads have ended")


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pufferbench")]


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 20) -> None:
    """Wait for something that another thread does. The limit is generous: it only keeps a failure short."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"still not after {timeout} s: {what}"
        time.sleep(0.002)
