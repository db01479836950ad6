"""The README is a contract: its Python runs, its claims are measured."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_ten_lines_train_and_save(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = BLOCKS[0].replace("range(100)", "range(3)").replace("num_envs=1024", "num_envs=64")
    assert code != BLOCKS[0]
    names = {}
    exec(code, names)
    assert names["trainer"].update == 3
    assert (tmp_path / "breakout.safetensors").exists()
    assert "steps  score" in capsys.readouterr().out


def test_the_game_in_a_cell_is_learned():
    names = {"pb": __import__("pufferbench"), "__name__": "readme"}
    exec(BLOCKS[1], names)
    trainer = names["trainer"]
    for record in trainer.steps():
        if record.get("episode_return_100", 0) > 190 or trainer.update == 60:
            break
    assert record["episode_return_100"] > 190  # of 200; random play gets about 15


def test_own_and_others_environments(capsys):
    names = {"pb": __import__("pufferbench"), "np": __import__("numpy"), "__name__": "readme"}
    exec(BLOCKS[2], names)
    assert capsys.readouterr().out.startswith("Guess: 0 errors, 0 warnings\n")
    trainer = names["trainer"]
    trainer.evaluate()
    trainer.train()
    assert trainer.mean_and_log()["episode_length"] == 1
    observation, _ = names["env"].reset(seed=0)
    assert observation in names["env"].observation_space
