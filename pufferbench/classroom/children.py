"""Starting a Python that finds the same packages as this one."""

from __future__ import annotations

import sys


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs ``main(arguments)`` of ``module``, found where this process finds it.

    Not ``python -m``: that looks in the current folder first, in which a student's files may lie.
    """
    path = [entry for entry in sys.path if entry]
    program = f"import sys; sys.path[:] = {path!r}; from {module} import main; main(sys.argv[1:])"
    return [sys.executable, "-P", "-c", program, *arguments]
