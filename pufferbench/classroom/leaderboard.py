"""The leaderboard of the project: submitted agents play on seeds that nobody saw, each in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import statistics
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pufferbench.classroom.children import python
from pufferbench.classroom.course import Course
from pufferbench.classroom.rules import Rules, rules
from pufferbench.records import write_atomic
from pufferbench.registry import spec
from pufferbench.system import cores

LEADERBOARD = "leaderboard.csv"
# One answer is some KB; a child that says more is not listened to
LONGEST_ANSWER = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One student's agent.

    Attributes:
        scores: of each episode; empty when it was refused.
        refused: why, "" when it was not.
        steps: of its training, as the *checkpoint says*: nobody can see that in the weights.
        curve: ``[steps, score]``, as its metrics say.
        digest: of its weights.
        cut: whether the system had cut the network while it was judged.
    """

    student: str
    scores: list[float] = field(default_factory=list)
    refused: str = ""
    steps: int = 0
    curve: list[list[float]] = field(default_factory=list)
    digest: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def mean(self) -> float:
        return statistics.fmean(self.scores) if self.scores else -math.inf

    @property
    def error(self) -> float:
        """Standard error of the mean: agents nearer than twice this are not told apart."""
        return statistics.stdev(self.scores) / math.sqrt(len(self.scores)) if len(self.scores) > 1 else 0.0


def leaderboard(
    course: Course, progress: Callable[[int, int], object] = lambda done, of: None
) -> list[Entry]:
    """Every collected run of the project's assignment, judged; the best first, the refused ones last.

    Also writes ``leaderboard.csv``.
    """
    told = rules(course)
    homes = sorted(path for path in course.root.glob(f"submitted/*/{told.assignment}/run") if path.is_dir())
    entries = []
    # Two at a time take the memory of two; more agents than cores take no less time
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        waiting = [pool.submit(judged, home.parent.parent.name, home, told) for home in homes]
        for job in as_completed(waiting):
            entries.append(job.result())
            progress(len(entries), len(homes))
    entries.sort(key=lambda entry: (-entry.mean, entry.student))
    write_atomic(course.root / LEADERBOARD, table(entries).encode("utf-8"))
    return entries


def judged(student: str, run: Path, told: Rules) -> Entry:
    """Let a child judge ``run``; whatever happens to the child becomes an entry."""
    numbers = (told.episodes, told.seed, told.seconds, told.megabytes)
    command = python("pufferbench.classroom.judge", str(run), spec(told.env).id, *map(str, numbers))
    # A child that is told no secret has none to tell: of the environment it gets only what Python needs
    kept = {name: value for name, value in os.environ.items() if name.upper() in _NEEDED}
    kept |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "check": False}
    try:
        child = subprocess.run(command, **quiet, env=kept, timeout=told.seconds)
    except subprocess.TimeoutExpired:
        return Entry(student, refused=f"it took more than {told.seconds} s, and was stopped")
    if child.returncode != 0 or len(child.stdout) > LONGEST_ANSWER:
        last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing"]
        return Entry(student, refused=f"playing failed (status {child.returncode}): {last[0][:300]}")
    try:
        return Entry(student, **json.loads(child.stdout))
    except (ValueError, TypeError) as error:
        return Entry(student, refused=f"playing gave no answer that can be read: {str(error)[:200]}")


# Where Python, numba's cache and Windows find their things
_NEEDED = {
    "PATH", "HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "PUFFERBENCH_CACHE",
    "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL",
}  # fmt: skip


def table(entries: list[Entry]) -> str:
    """CSV: place, student, mean score with its standard error, the steps that the run claims, why it was refused."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["place", "student", "score", "error", "steps (as the run says)", "refused"])
    for place, entry in enumerate(entries, 1):
        played = [place, entry.student, f"{entry.mean:.2f}", f"{entry.error:.2f}", entry.steps, ""]
        writer.writerow(["", entry.student, "", "", "", entry.refused] if entry.refused else played)
    return text.getvalue()
