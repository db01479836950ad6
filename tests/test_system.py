"""cores(): affinity and container quota decide, never the node's size."""

import os
import platform
import subprocess
import sys

import pytest

import pufferbench
from pufferbench.system import keep_freed_memory, queued_seconds


@pytest.fixture
def sixteen_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 16),
        ("9900000 100000", 16),
    ],
)
def test_cgroup_v2(tmp_path, sixteen_cores, cpu_max, expected):
    (tmp_path / "cpu.max").write_text(cpu_max)
    assert pufferbench.cores(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [(300_000, 3), (-1, 16), (10_000, 1)])
def test_cgroup_v1(tmp_path, sixteen_cores, quota, expected):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(str(quota))
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert pufferbench.cores(tmp_path) == expected


def test_without_cgroup_and_without_affinity(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert pufferbench.cores(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert pufferbench.cores(tmp_path) == 1


FAULTS = """
import resource, sys
import numpy as np
from pufferbench.system import keep_freed_memory, queued_seconds
if sys.argv[1] == "keep":
    assert keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [np.ones(2**20) for _ in range(3)]  # 8 MB each, freed and taken again
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a habit of glibc, which is not here")
def test_freed_memory_is_kept():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "not")
    }
    assert faults["keep"] < faults["not"] / 3, faults


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert keep_freed_memory.__wrapped__() is False


def test_queued_seconds(tmp_path):
    (tmp_path / "schedstat").write_text("834205303 1165768064 373\n")  # computed, queued, ns; turns
    assert queued_seconds(tmp_path / "schedstat") == 1.165768064
    assert queued_seconds(tmp_path / "not Linux") == 0.0
    assert queued_seconds() >= 0.0
