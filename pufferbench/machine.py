"""How much of the machine this process and its children use, without further packages."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pufferbench.system import cores

PROC = Path("/proc")


@dataclass(frozen=True)
class Usage:
    """A moment's use of the machine; None where this system does not say.

    Attributes:
        cpu: cores in use since the last look, workers included (Linux; elsewhere this process alone).
        cores: cores there are.
        memory: bytes that this process and its workers hold.
        memory_total: bytes that the machine (or the container) has.
        gpu_memory, gpu_memory_total: bytes, on the GPU that torch uses.
    """

    cpu: float
    cores: int
    memory: int | None
    memory_total: int | None
    gpu_memory: int | None
    gpu_memory_total: int | None

    def __str__(self) -> str:
        parts = [f"CPU {self.cpu:.1f} of {self.cores} cores"]
        if self.memory is not None:
            total = f" of {_size(self.memory_total)}" if self.memory_total else ""
            parts.append(f"memory {_size(self.memory)}{total}")
        if self.gpu_memory is not None and self.gpu_memory_total:
            parts.append(f"GPU memory {_size(self.gpu_memory)} of {_size(self.gpu_memory_total)}")
        return " · ".join(parts)


class Machine:
    """Looks at the use of the machine: ``machine.look()`` every second or so."""

    def __init__(self) -> None:
        self._cores, self._total = cores(), _memory_total()
        self._before = time.monotonic(), self._cpu_seconds(_family())

    def look(self) -> Usage:
        """What is used now; of the CPU, the mean since the last look."""
        family = _family()
        (then, used_then), now, used = self._before, time.monotonic(), self._cpu_seconds(family)
        self._before = now, used
        cpu = max(0.0, used - used_then) / max(now - then, 1e-9)
        return Usage(cpu, self._cores, _memory(family), self._total, *_gpu())

    def _cpu_seconds(self, family: list[int]) -> float:
        others = (_cpu_of(pid) for pid in family[1:])
        return time.process_time() + sum(seconds for seconds in others if seconds is not None)


def spent() -> tuple[float, int | None]:
    """What this process has used since it began.

    Returns:
        CPU seconds, those of its children too (Windows: without); and the most bytes of memory that this
        process alone ever held (None on Windows, which does not say).
    """
    times = os.times()
    ended = times.user + times.system + times.children_user + times.children_system
    alive = sum(_cpu_of(pid) or 0.0 for pid in _family()[1:])
    return ended + alive, peak_memory()


def peak_memory() -> int | None:
    """The most bytes that this process ever held; None on Windows, which does not say."""
    with contextlib.suppress(OSError):
        # Not getrusage: on Linux its figure begins with what the process that started this one held
        for line in (PROC / "self" / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _family() -> list[int]:
    """This process and its children (their own too), by process id; only itself where /proc does not say."""
    found = [os.getpid()]
    for pid in found:
        for children in (PROC / str(pid) / "task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread or process that has just ended
                found += map(int, children.read_text().split())
    return found


def _cpu_of(pid: int) -> float | None:
    """CPU seconds of a process, from /proc; None when it has ended."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(family: list[int]) -> int | None:
    """Bytes in memory that belong to these processes; shared ones count once, in the first."""
    total = None
    for number, pid in enumerate(family):
        with contextlib.suppress(OSError):
            _, resident, shared, *_ = map(int, (PROC / str(pid) / "statm").read_text().split())
            total = (total or 0) + (resident - (shared if number else 0)) * os.sysconf("SC_PAGE_SIZE")
    if total is None and sys.platform == "darwin":
        import resource

        total = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # its highest so far: macOS says no more
    return total


def _memory_total() -> int | None:
    """Bytes of the machine, or of the container when it may have less (cgroup v2)."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    with contextlib.suppress(OSError, ValueError):  # no cgroup, or "max"
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def _gpu() -> tuple[int | None, int | None]:
    """Bytes used and there, on torch's GPU; without torch in this process there is none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None, None
    free, total = torch.cuda.mem_get_info()
    return total - free, total


def _size(count: int | None) -> str:
    amount = float(count or 0)
    return f"{amount / 2**30:.1f} GB" if amount >= 2**30 else f"{amount / 2**20:.0f} MB"
