"""Kept machine code: never stale, and announced when it has to be made."""

import os
import subprocess
import sys

from numba.core import event

from pufferbench import fused_kernels, kernels
from pufferbench.cli.dashboard import display
from pufferbench.machine_code import NOTICE, announced


def test_an_edit_in_another_file_is_noticed(tmp_path):
    """Numba's own cache would go on with what ``part.py`` said before."""
    (tmp_path / "whole.py").write_text(
        "import part\n"
        "from pufferbench.machine_code import kept\n"
        "@kept(__name__, part.__name__)\n"
        "def whole(): return part.part()\n"
    )
    environment = {
        **os.environ,
        "PUFFERBENCH_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), *sys.path])),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    found = []
    for number in (1, 1, 2):
        (tmp_path / "part.py").write_text(f"import numba\n@numba.njit\ndef part(): return {number}\n")
        command = [sys.executable, "-c", "from whole import whole; print(whole())"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append((done.stdout.strip(), done.stderr.strip()))
    assert found == [("1", NOTICE), ("1", ""), ("2", NOTICE)]  # also: said exactly when it compiles


def compiling(kernel):
    """As if Numba compiled it."""
    return event.trigger_event("numba:compile", data={"dispatcher": kernel})


def test_whoever_listens_is_told_and_nothing_is_printed(capsys):
    told = []
    with announced(told.append), compiling(fused_kernels.act):
        pass
    assert told == [NOTICE]
    with announced(told.append), compiling(kernels._advantages_numba):  # takes half a second
        pass
    assert told == [NOTICE]
    assert capsys.readouterr().err == ""


def test_puffer_train_says_it_once(capsys):
    with display("title") as screen, announced(screen.say):
        for _ in range(2):
            with compiling(fused_kernels.act):
                pass
    assert capsys.readouterr().out.count(NOTICE) == 1
