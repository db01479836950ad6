"""Which processes are ours."""

from contextlib import suppress

import psutil


def workers() -> list[psutil.Process]:
    """The worker processes of this one; a browser of other tests may be among its children too."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if any("pufferbench.vector.worker" in word for word in child.cmdline()):
                found.append(child)
    return found
