"""Where compiled kernels are kept between processes.

One folder per user: ``PUFFERBENCH_CACHE``, else the platform's cache folder, else a temporary one. It is
readable by its owner only, because Numba's index files are pickles: never load someone else's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

# Numba compares a source file's time of change: it must be the same in every process that writes it.
_MTIME = 1_600_000_000


def cache_dir() -> Path:
    """The folder of compiled kernels, made when missing."""
    return _cache_dir(os.environ.get("PUFFERBENCH_CACHE"))


@cache
def _cache_dir(chosen: str | None) -> Path:
    if chosen:
        root = Path(chosen)
    else:
        from platformdirs import user_cache_path

        root = user_cache_path("pufferbench")
    try:
        return _private(root / "kernels")
    except OSError:
        # Read-only home, full disk, someone else's folder: compile anew in each process rather than fail.
        return Path(tempfile.mkdtemp(prefix="pufferbench-kernels-"))


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid"):  # POSIX; on Windows the user's profile is private already
        status = folder.stat()
        if status.st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        if stat.S_IMODE(status.st_mode) != 0o700:
            folder.chmod(0o700)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def kernel_path(name: str, parts: list[str]) -> Path:
    """The file for a kernel with this content; equal content gives the same file in every process."""
    digest = hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()[:20]
    return cache_dir() / f"{name.lower()}_{digest}.py"


def write(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` in one step, so that processes starting together never see half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.utime(temporary, (_MTIME, _MTIME))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def remove(path: Path) -> None:
    """Forget a kernel: its module and what Numba stored for it."""
    for file in (path, *path.parent.glob(f"__pycache__/{path.stem}.*")):
        with contextlib.suppress(OSError):  # read-only, or in use (Windows): then it is simply not forgotten
            file.unlink()
