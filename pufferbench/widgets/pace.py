"""How often a view of a training is redrawn. Measured by ``python tests/e2e/measure_panel.py``.

A browser spends 15 to 50 ms of a core on each redrawing of the curves and 5 ms on each frame of the agent. Where it
shares two cores with a training that uses both, the training loses that time. So there the first seconds, which
everybody watches, are lively, and what goes on for minutes is calmer.
"""

from __future__ import annotations

from pufferbench.system import cores

LIVELY = 20.0  # s of training
SHORTEST, LONGEST = 0.25, 2.0  # s between two redraws of the curves
FPS, CALM_FPS = 12, 4  # frames of the agent per second, while weights change


def crowded() -> bool:
    """Whether a browser on this machine would have no core for itself."""
    return cores() <= 2


def between_redraws(elapsed: float) -> float:
    """Seconds until the curves are redrawn, in a training that has been going on for ``elapsed`` seconds."""
    if not crowded():
        return SHORTEST
    return min(max(LONGEST * elapsed / LIVELY, SHORTEST), LONGEST)


def agent_fps(elapsed: float) -> int:
    """Frames of the live agent per second, in a training that has been going on for ``elapsed`` seconds."""
    return FPS if elapsed < LIVELY or not crowded() else CALM_FPS
