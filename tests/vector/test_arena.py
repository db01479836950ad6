"""The shared block of memory: where arrays lie in it, and that nothing of it is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from pufferbench.env import Buffers
from pufferbench.vector import arena
from pufferbench.vector.arena import LINE, Arena, ArenaError, place

KINDS = ["posix", "memfd"] if hasattr(os, "memfd_create") else ["posix"]
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has named mappings only")


def fields(rows: int = 3) -> dict[str, Any]:
    return Buffers.fields(rows, spaces.Box(0, 255, (5,), np.uint8), spaces.Discrete(2), 2)


def test_arrays_lie_on_their_own_cache_lines_and_do_not_overlap() -> None:
    places, size = place(fields(), 100)
    end = 100
    for name, (shape, dtype) in fields().items():
        offset, placed_shape, placed_type = places[name]
        assert offset % LINE == 0 and offset >= end
        assert (placed_shape, placed_type) == (shape, dtype)
        end = offset + np.dtype(dtype).itemsize * int(np.prod(shape))
    assert end == size


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_two_mappings_see_the_same_memory(kind: str) -> None:
    places, size = place(fields(), 0)
    ours = Arena.create(size, kind)
    assert ours.fd is not None
    theirs = Arena.attach(size, os.dup(ours.fd), None)
    ours.close_fd()
    ours.close_fd()  # twice is fine
    a, b = ours.buffers(places), theirs.buffers(places)
    assert not a.observations.any()
    a.observations[1, 2] = 7
    assert b.observations[1, 2] == 7
    b.rewards[:] = 3
    assert (a.rewards == 3).all()
    assert a.observations.flags.c_contiguous and a.observations.ctypes.data % LINE == 0


def test_windows_maps_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the mappings of Windows played by a dict: same name, same memory."""
    blocks: dict[str, bytearray] = {}

    def windows_mmap(fd: int, size: int, tagname: str) -> bytearray:
        assert fd == -1
        return blocks.setdefault(tagname, bytearray(size))

    monkeypatch.setattr(arena.mmap, "mmap", windows_mmap)
    places, size = place(fields(), 0)
    ours = Arena.create(size, "named")
    theirs = Arena.attach(size, ours.fd, ours.name)
    ours.buffers(places).rewards[:] = 2
    assert (theirs.buffers(places).rewards == 2).all()
    ours.close_fd()
    assert Arena.create(size, "named").name != ours.name


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_no_name_is_left_even_while_it_is_used(kind: str) -> None:
    shm = Path("/dev/shm")
    names = set(os.listdir(shm)) if shm.is_dir() else set()
    block = Arena.create(4096, kind)
    if shm.is_dir():
        assert not [name for name in set(os.listdir(shm)) - names if name.startswith(("pb-", "pufferbench"))]
    block.close_fd()


def test_more_memory_than_there_is_is_refused_with_its_size() -> None:
    with pytest.raises(ArenaError, match=r"cannot get 1,048,576 MB of shared memory .* use fewer") as caught:
        Arena.create(2**40)
    assert isinstance(caught.value, MemoryError)


def test_what_the_system_refuses_is_said_with_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arena, "available_memory", lambda: None)
    monkeypatch.setattr(os, "ftruncate", refuse)
    before = _open_files()
    with pytest.raises(ArenaError, match="cannot get 16 MB .*No space left on device"):
        Arena.create(2**24)
    assert _open_files() == before


def _open_files() -> int:
    import psutil

    process = psutil.Process()
    return process.num_fds() if hasattr(process, "num_fds") else process.num_handles()


def test_available_memory_knows_containers(tmp_path: Path) -> None:
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    assert arena.available_memory(meminfo, limit) is None
    meminfo.write_text("MemTotal:  999 kB\nMemAvailable:  100 kB\n")
    assert arena.available_memory(meminfo, limit) == 102400
    limit.write_text("max\n")
    assert arena.available_memory(meminfo, limit) == 102400
    limit.write_text("5000\n")
    assert arena.available_memory(meminfo, limit) == 5000


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="memfd, posix, named, not 'tape'"):
        Arena.create(10, "tape")
