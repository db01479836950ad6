"""How often a view of a training is redrawn."""

from __future__ import annotations

import pytest

from pufferbench.widgets import pace


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_lively_at_first_and_calm_later_where_cores_are_few(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "cores", lambda: cores)
    pauses = [pace.between_redraws(elapsed) for elapsed in (0.0, 1.0, 5.0, 10.0, 20.0, 1e6)]
    frames = [pace.agent_fps(elapsed) for elapsed in (0.0, 19.9, 20.0, 1e6)]
    if cores <= 2:
        assert pauses == [0.25, 0.25, 0.5, 1.0, 2.0, 2.0]
        assert frames == [12, 12, 4, 4]
    else:
        assert pauses == [0.25] * 6
        assert frames == [12] * 4
