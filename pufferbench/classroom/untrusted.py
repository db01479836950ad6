"""Reading what a student handed in: plain files, inside their folder, of a known size, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pufferbench.errors import PufferBenchError

CHECKPOINT_MB = 50.0  # the largest that are read
METRICS_MB = 50.0


class Refused(PufferBenchError):
    """Something handed in is not read; the message says what and why, for the student and the teacher."""


def read(path: Path, root: Path, megabytes: float) -> bytes:
    """The contents of a plain file in ``root``.

    A link (it may lead to the teacher's own files), a device or a pipe (reading may never end) and a file that is too
    large (for the memory) are refused before anything is read.

    Raises:
        Refused: it is one of these, or cannot be read.
    """
    limit = int(megabytes * 1e6)
    try:
        if not path.parent.resolve().is_relative_to(root.resolve()):
            raise Refused(
                f"{path.name}: its folder is a link to somewhere else; hand in the files themselves"
            )
        _plain(path, os.lstat(path).st_mode)
        # The file may have been exchanged since: what is opened is looked at again
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NOFOLLOW", 0)
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
        )
        with open(os.open(path, flags), "rb") as file:
            about = os.fstat(file.fileno())
            _plain(path, about.st_mode)
            if about.st_size > limit:
                raise Refused(
                    f"{path.name} has {about.st_size / 1e6:,.0f} MB; at most {megabytes:g} MB are read"
                )
            data = file.read(limit + 1)
    except OSError as error:
        raise Refused(f"{path.name} cannot be read: {error.strerror or error}") from error
    if len(data) > limit:
        raise Refused(f"{path.name} grew over {megabytes:g} MB while it was read")
    return data


def _plain(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "no plain file"
        raise Refused(f"{path.name} is {kind}; only plain files are read")
