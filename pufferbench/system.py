"""What this machine gives us. ``cores()`` is the only source for how many workers or threads to start."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path


def cores(cgroup: str | Path = "/sys/fs/cgroup") -> int:
    """How many CPU cores this process may really use, at least 1.

    The smaller of the CPU affinity and the container's CPU quota (cgroup v2 ``cpu.max``, v1
    ``cpu.cfs_quota_us``), rounded down. ``os.cpu_count()`` would be the whole node's.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    quota = _quota(Path(cgroup))
    return max(1, available if quota is None else min(available, int(quota)))


def _quota(cgroup: Path) -> float | None:
    """CPU quota in cores, None where there is no limit (or no cgroup at all)."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass  # not cgroup v2: look for v1
    try:
        limit_us = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return None if limit_us <= 0 else limit_us / period_us
    except (OSError, ValueError):
        return None


def queued_seconds(schedstat: str | Path = "/proc/thread-self/schedstat") -> float:
    """How long this thread, in its life, wanted a core and had none, s; 0 where only the system knows (not Linux)."""
    try:
        return int(Path(schedstat).read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory for reuse; returns whether it agreed.

    glibc hands every freed block of some MB back to the system, and takes it page by page again a moment
    later. A training frees and takes such blocks all the time: that was a tenth to a quarter of its time
    (page faults). Up to 1 GB of freed memory now stays with the process. Other C libraries do not do this.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    # 32 MB: more is refused by older versions
    return bool(mallopt(_M_TRIM_THRESHOLD, 2**30)) and bool(mallopt(_M_MMAP_THRESHOLD, 2**25))
