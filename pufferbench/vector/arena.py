"""The arena: one block of memory that the parent and its workers share.

It has no name, so nothing can be left behind when a process is killed: on Linux a ``memfd``, on other
POSIX systems a block whose name is removed at once; both are handed to the workers as a file descriptor.
Windows has named mappings only, but those go with the last process that holds them.
"""

from __future__ import annotations

import mmap
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.env import Buffers
from pufferbench.vector.errors import ArenaError

# Where an array lies: offset in bytes, shape, type
Place = tuple[int, tuple[int, ...], np.dtype]

LINE = 64  # bytes; one cache line, so that two arrays never share one
KINDS = ("memfd", "posix", "named")


def default_kind() -> str:
    if hasattr(os, "memfd_create"):
        return "memfd"
    return "named" if sys.platform == "win32" else "posix"


def place(fields: Mapping[str, tuple[tuple[int, ...], np.dtype]], start: int) -> tuple[dict[str, Place], int]:
    """Lay arrays one behind the other from byte ``start`` on, each on its own cache lines.

    Returns:
        where each of them lies, and the size of the whole block in bytes.
    """
    places: dict[str, Place] = {}
    offset = start
    for name, (shape, dtype) in fields.items():
        offset = -(-offset // LINE) * LINE
        places[name] = (offset, tuple(shape), np.dtype(dtype))
        size = np.dtype(dtype).itemsize
        for length in shape:  # Python's integers: a product of int64 could overflow
            size *= int(length)
        offset += size
    return places, offset


class Arena:
    """A block of shared memory, zeroed when new.

    Attributes:
        fd: file descriptor for the workers (to be closed by :meth:`close_fd` when all have it), or None.
        name: what workers open it by, where there is no file descriptor, or None.
    """

    def __init__(self, size: int, memory: mmap.mmap, fd: int | None = None, name: str | None = None) -> None:
        self.size, self.memory, self.fd, self.name = size, memory, fd, name

    @classmethod
    def create(cls, size: int, kind: str | None = None) -> Arena:
        """A new block of ``size`` bytes.

        Args:
            kind: ``"memfd"``, ``"posix"`` or ``"named"``; None takes what this system has.

        Raises:
            ArenaError: there is not so much memory.
        """
        kind = default_kind() if kind is None else kind
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        available = available_memory()
        if available is not None and size > available:
            raise ArenaError(_too_large(size, f"{_mb(available)} are free"))
        fd = None
        try:
            if kind == "named":
                name = f"pufferbench-{secrets.token_hex(8)}"
                return cls(size, mmap.mmap(-1, size, tagname=name), name=name)  # type: ignore[call-arg]
            fd = _memfd() if kind == "memfd" else _unlinked()
            os.ftruncate(fd, size)
            return cls(size, mmap.mmap(fd, size), fd=fd)
        except (OSError, MemoryError, OverflowError, ValueError) as error:
            if fd is not None:
                os.close(fd)
            raise ArenaError(_too_large(size, str(error))) from error

    @classmethod
    def attach(cls, size: int, fd: int | None, name: str | None) -> Arena:
        """The block of another process. ``fd`` is closed: the mapping has its own."""
        if fd is None:
            return cls(size, mmap.mmap(-1, size, tagname=name), name=name)  # type: ignore[call-arg]
        arena = cls(size, mmap.mmap(fd, size))
        os.close(fd)
        return arena

    def close_fd(self) -> None:
        """The memory itself stays until the last array in it is gone."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def buffers(self, places: Mapping[str, Place]) -> Buffers:
        """The arrays of an env, without a copy."""
        arrays: dict[str, Any] = {
            name: np.ndarray(shape, dtype, self.memory, offset)
            for name, (offset, shape, dtype) in places.items()
        }
        return Buffers(**arrays)


def _memfd() -> int:
    return os.memfd_create("pufferbench", os.MFD_CLOEXEC)


def _unlinked() -> int:
    """A POSIX shared memory block that has lost its name before anything is in it."""
    import _posixshmem  # what multiprocessing.shared_memory is made of

    name = f"/pb-{secrets.token_hex(8)}"  # macOS allows 31 characters
    fd = _posixshmem.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    _posixshmem.shm_unlink(name)
    return fd


def available_memory(
    meminfo: str | Path = "/proc/meminfo", limit: str | Path = "/sys/fs/cgroup/memory.max"
) -> int | None:
    """Bytes that are free, None where the system does not say.

    Asked before, because Linux promises more than it has and kills processes later.
    """
    found = []
    with suppress(OSError, ValueError):  # not Linux
        for line in Path(meminfo).read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    with suppress(OSError, ValueError):  # no container, or "max": no limit
        found.append(int(Path(limit).read_text(encoding="utf-8")))
    return min(found, default=None)


def _too_large(size: int, why: str) -> str:
    return (
        f"cannot get {_mb(size)} of shared memory for the environments' arrays ({why}): "
        "use fewer environments or smaller observations"
    )


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
