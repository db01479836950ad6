"""The line that says how much of the machine is in use."""

import subprocess
import sys
import time

import pytest

from pufferbench import machine
from pufferbench.machine import Machine, Usage


def test_a_busy_process_uses_about_a_core_and_an_idle_one_hardly_any():
    looker = Machine()
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    busy = looker.look()
    time.sleep(0.1)
    idle = looker.look()
    assert busy.cpu > idle.cpu
    assert idle.cpu < 0.5
    assert busy.cores >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only /proc knows about children")
def test_workers_count_too():
    looker = Machine()
    before = looker.look().memory
    code = "x = bytearray(50_000_000)\nprint('ready', flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as worker:
        worker.stdout.readline()
        time.sleep(0.3)
        usage = looker.look()
        worker.kill()
    assert usage.memory > before + 40_000_000
    assert usage.cpu > 0.05


def test_without_proc_the_process_itself_is_still_known(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "PROC", tmp_path)
    usage = Machine().look()
    assert usage.cpu >= 0
    assert usage.memory is None or sys.platform == "darwin"


def test_in_words():
    assert str(Usage(1.43, 2, 812 * 2**20, 8 * 2**30, None, None)) == (
        "CPU 1.4 of 2 cores · memory 812 MB of 8.0 GB"
    )
    assert str(Usage(0.0, 4, None, None, 2**30, 80 * 2**30)) == (
        "CPU 0.0 of 4 cores · GPU memory 1.0 GB of 80.0 GB"
    )
