"""What can go wrong with worker processes, as exceptions in the caller."""

from __future__ import annotations

from pufferbench.errors import PufferBenchError


def which_envs(envs: range) -> str:
    """``"environments 2..3"``, or ``"environment 2"``."""
    return f"environment {envs.start}" if len(envs) == 1 else f"environments {envs.start}..{envs.stop - 1}"


class WorkerError(PufferBenchError, RuntimeError):
    """A worker process failed.

    Attributes:
        worker: index of the worker, from 0.
        envs: the environments it plays, as indices of the whole batch.
        traceback: the worker's last traceback, ``""`` when there is none (killed from outside).
    """

    def __init__(self, worker: int, envs: range, what: str, traceback: str = "") -> None:
        self.worker, self.envs, self.what, self.traceback = worker, envs, what, traceback.strip()
        text = f"worker {worker} ({which_envs(envs)}) {what}"
        super().__init__(f"{text}\n\n{self.traceback}\n" if self.traceback else text)

    def __reduce__(self) -> tuple:
        return type(self), (self.worker, self.envs, self.what, self.traceback)


class WorkerTimeout(WorkerError, TimeoutError):
    """A worker process did not answer in time."""


class ArenaError(PufferBenchError, MemoryError):
    """There is not enough memory for the arrays that the processes share."""
