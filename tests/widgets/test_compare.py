"""compare(): runs side by side, and their files."""

import pytest

from pufferbench.records import RunError, RunFolder
from pufferbench.widgets import compare


@pytest.fixture
def folder(tmp_path):
    for name, rate, seed in (("a", 0.01, 0), ("b", 0.01, 1), ("c", 0.1, 0)):
        config = {"env": {"id": "ocean-squared"}, "train": {"learning_rate": rate, "seed": seed}}
        run = RunFolder.create(tmp_path / "runs" / name, config)
        for update in (1, 2, 3):
            numbers = {"update": update, "global_step": 10 * update, "elapsed": 1.0 * update}
            run.append({**numbers, "episode_return_100": update * rate + seed, "entropy": 0.5})
    return tmp_path / "runs"


def test_it_shows_a_figure_in_the_theme_s_colours_and_a_table(folder):
    view = compare(folder)
    assert view.view.value.startswith('<svg role="img" aria-label="Comparison of 3 runs')
    assert "var(--pb-blue)" in view.view.value
    assert "#0072b2" not in view.view.value
    assert view.table.names[-1] == "learning_rate"
    assert [row[0] for row in view.table.cells] == ["a", "b", "c"]
    assert len(view.figure.axes) == 3
    assert repr(view) == "Comparison(3 runs, episode_return_100)"
    png, alt = view.picture()
    assert png.startswith(b"\x89PNG")
    assert "learning_rate 0.01" in alt


def test_axis_metric_and_refresh(folder):
    view = compare(folder)
    view.axis.value = "elapsed"
    assert "training time, s" in view.view.value
    view.metric.value = "entropy"
    assert view.figure.axes[0].get_ylabel() == "entropy"
    run = RunFolder.open(folder / "a")
    run.append({"update": 4, "global_step": 40, "elapsed": 9.0, "episode_return_100": 5.0, "entropy": 0.1})
    view.again.click()
    assert view.table.cells[0][view.table.names.index("updates")] == 4


def test_files(folder, tmp_path, monkeypatch):
    view = compare([folder / "a", folder / "c"])
    assert [path.name for path in view.save(tmp_path)] == [
        "comparison.png", "comparison.svg", "comparison.csv", "runs.csv",
    ]  # fmt: skip
    assert all((tmp_path / name).stat().st_size > 50 for name in ("comparison.svg", "runs.csv"))


def test_nothing_to_compare_is_said(tmp_path):
    with pytest.raises(RunError, match="no run"):
        compare(tmp_path / "nothing")
