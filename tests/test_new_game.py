"""``puffer new-game``: what it writes works as it is, in a file and as a notebook cell."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pufferbench.cli import main
from pufferbench.cli.new_game import ACTIONS, OBSERVATIONS, class_name

KINDS = {"apple_race": [], "flag_race": ["--multi-agent"], "walk": ["--plain"]}


def run(folder: Path, *arguments: str, source: str | None = None) -> str:
    """What Python prints when it is started so, in ``folder``."""
    here = [str(Path(__file__).resolve().parents[1]), *filter(None, sys.path)]
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(here)},
        input=source,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def pytest_in(folder: Path) -> str:
    return run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:nbval", str(folder))


def test_a_games_own_test_passes_as_generated(tmp_path, capsys) -> None:
    for name, options in KINDS.items():
        assert main(["new-game", name, *options, "--folder", str(tmp_path)]) == 0
        assert f"pytest test_{name}.py" in capsys.readouterr().out
        text = (tmp_path / f"{name}.py").read_text(encoding="utf-8")
        assert f"class {class_name(name)}(" in text
        assert "mygame" not in text
        assert "MyGame" not in text
    output = pytest_in(tmp_path)
    assert "24 passed" in output, output


def test_its_test_fails_when_its_rules_are_broken(tmp_path) -> None:
    assert main(["new-game", "my_game", "--folder", str(tmp_path)]) == 0
    file = tmp_path / "my_game.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("reward = -1.0", "reward = 0.0"), encoding="utf-8")
    with pytest.raises(AssertionError, match="1 failed, 7 passed"):
        pytest_in(tmp_path)


def test_every_kind_of_plain_environment_keeps_the_rules(tmp_path) -> None:
    for observation, action in itertools.product(OBSERVATIONS, ACTIONS):
        name = f"walk_{observation}_{action.replace('-', '_')}"
        choice = ["--observation", observation, "--action", action]
        assert main(["new-game", name, "--plain", *choice, "--folder", str(tmp_path)]) == 0
    assert "72 passed" in pytest_in(tmp_path)


def test_as_notebook_cells_they_learn(tmp_path, capsys) -> None:
    cells = []
    for name, options in KINDS.items():
        assert main(["new-game", name, *options, "--cell", "--folder", str(tmp_path)]) == 0
        cell = capsys.readouterr().out
        assert '__name__ == "__main__"' not in cell
        cells.append(cell.replace("total_timesteps=200_000", f"total_timesteps=20_000); print('{name}'"))
    assert not list(tmp_path.iterdir())
    # From standard input they have no file, as in a notebook
    output = run(tmp_path, "-", source="\n".join(cells)).split()
    for name in KINDS:
        assert output[output.index(name) + 1].isdigit()  # steps


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["My-Game"], "must be of small letters, digits and _ (like apple_race), not 'My-Game'"),
        (["class"], "must be of small letters"),
        (["walk", "--plain", "--multi-agent"], "choose --plain or --multi-agent"),
        (["walk", "--observation", "dict"], "--observation and --action are for --plain"),
    ],
)
def test_impossible_wishes(arguments, message, capsys, tmp_path) -> None:
    assert main(["new-game", *arguments, "--folder", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_nothing_is_overwritten(tmp_path, capsys) -> None:
    (tmp_path / "test_walk.py").write_text("mine", encoding="utf-8")
    assert main(["new-game", "walk", "--folder", str(tmp_path)]) == 2
    assert "is there already: choose another name" in capsys.readouterr().err
    assert (tmp_path / "test_walk.py").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "walk.py").exists()
