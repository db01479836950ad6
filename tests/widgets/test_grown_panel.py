"""What the panel has beside curves and knobs: diagnosis, timeline, metrics, runs, the machine."""

import pytest

from pufferbench.widgets import TrainerPanel
from pufferbench.widgets import panel as panel_module
from pufferbench.widgets.findings import Findings
from pufferbench.widgets.log import TrainingLog
from pufferbench.widgets.table import Table

from .conftest import wait_for


@pytest.fixture
def panel(make_trainer, monkeypatch):
    monkeypatch.setattr(panel_module, "between_redraws", lambda elapsed: 0.0)
    monkeypatch.setattr(panel_module, "COST", 1e9)
    panel = TrainerPanel(make_trainer("ocean-cartpole", learning_rate=0.3, update_epochs=4))
    yield panel
    panel.close()


def step(panel, count=1):
    for _ in range(count):
        panel.single_update()
        wait_for(lambda: panel.session.state == "paused", "paused")
    panel.update()


def test_a_finding_has_a_button_that_requests_its_remedy(panel):
    assert (panel.findings.found, panel.findings.looked) == ([], False)
    step(panel, 6)
    (finding, *_) = panel.findings.found
    assert finding["rule"] == "KL divergence"
    assert finding["label"] == "Learning rate 0.3 → 0.1"
    panel.findings._on_message(None, {"apply": "KL divergence"}, [])  # what the button sends
    assert panel.trainer.pending == {"learning_rate": 0.1}
    step(panel)
    assert panel.trainer.learning_rate == 0.1
    assert panel.knobs[0].note.value == "applied at update 7"
    assert panel.findings.found == []  # judged anew
    (row,) = panel.more.timeline.cells
    assert row == [7, panel.trainer.global_step, "Learning rate", 0.3, 0.1, "diagnosis"]
    (marked,) = panel.returns.marks
    assert marked == {"x": panel.trainer.global_step, "text": "lr 0.1"}


def test_a_remedy_of_a_finding_that_is_gone_does_nothing(panel):
    panel.findings.apply("KL divergence")
    assert panel.trainer.pending == {}


def test_the_timeline_says_who(panel):
    panel.knobs[1].slider.value = 0.02
    step(panel)
    panel.trainer.gamma = 0.9
    step(panel)
    assert [row[2:] for row in panel.more.timeline.cells] == [
        ["Discount (gamma)", 0.99, 0.9, "code"],
        ["Entropy coefficient", 0.01, 0.02, "slider"],
    ]
    assert [each["text"] for each in panel.returns.marks] == ["entropy 0.02", "gamma 0.9"]


def test_the_machine_is_in_the_status(panel):
    step(panel)
    assert panel.status.machine.startswith("CPU ")


def test_the_game_s_own_metrics_get_curves():
    log = TrainingLog()
    log.append({"update": 1, "global_step": 8})
    assert log.metric_history is None
    log.append({"update": 2, "global_step": 16, "score": 1.0, "score_100": 2.0, "episode_return_100": 1.0})
    assert log.metrics == ["score"]
    log.append({"update": 3, "global_step": 24, "score": 1.0, "score_100": 3.0, "env_sps_100": 5.0})
    assert log.metrics == ["score", "env_sps"]
    rows = log.metric_history.rows()
    assert rows[:, 2].tolist()[1:] == [2, 3]
    assert rows[2, 3] == 5


def test_metrics_tab(make_trainer):
    panel = TrainerPanel(make_trainer("ocean-breakout"))
    assert panel.more.metrics.curves is None
    panel.session.log.append({"update": 1, "global_step": 8, "score_100": 2.0})
    panel.update()
    assert [chart["title"] for chart in panel.more.metrics.curves.charts] == ["Score"]
    panel.close()


def test_runs_tab_reads_the_folder_when_it_is_opened(make_trainer, tmp_path):
    trainer = make_trainer(run_dir=tmp_path / "runs" / "mine", total_timesteps=256)
    panel = TrainerPanel(trainer)
    for _ in trainer.steps():
        pass
    assert panel.more.runs.table.cells == []
    panel.more.selected_index = 3
    wait_for(lambda: panel.more.runs.table.cells, "the table")
    assert panel.more.runs.table.cells[0][:3] == ["mine", "finished", "ocean-squared"]
    assert panel.more.runs.table.colours == ["var(--pb-blue)"]
    panel.close()


def test_without_runs_it_says_how_to_make_one(make_trainer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = TrainerPanel(make_trainer())
    panel.more.runs.button.click()
    assert "run_dir='runs/first'" in panel.more.runs.table.empty.replace("\\", "/")
    panel.close()


def test_a_table_keeps_numbers_and_shows_rows():
    table = Table(caption="x")
    table.show([{"a": 1, "b": None}, {"a": 2.5, "b": (1, 2)}])
    assert table.names == ["a", "b"]
    assert table.cells == [[1, None], [2.5, "(1, 2)"]]
    table.show([])
    assert table.cells == []


def test_a_healthy_training_shows_no_finding(make_trainer):
    findings = Findings(make_trainer())
    findings.look([])
    assert not findings.looked
    findings.look([{"update": 1}])
    assert (findings.looked, findings.found) == (True, [])
