"""The mistakes that everyone makes once, in a file and in a notebook's cell: one sentence with the line itself."""

import importlib.util
import sys
from collections.abc import Callable, Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ocean_numba import GameError

GAME = """\
import numpy as np
from ocean_numba import Box, Discrete, OceanEnv, f32, u8

class Game(OceanEnv):
    observation = Box(-np.inf, np.inf, (2,), np.float32)
    action = Discrete(2)

    class State:
        x: f32
        board: u8[3]

    def reset(s):
        s.x = 0.5

    def step(s, action):
        {step}

    def observe(s, obs):
        obs[0] = s.x
        obs[1] = s.board[0]
"""
FINE = "return 1.0, False, False"


def from_file(source: str, tmp_path, shell) -> type:
    """The class ``Game`` of a module that is imported from a file."""
    file = tmp_path / "my_mistake.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_mistake", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Game


def from_cell(source: str, tmp_path, shell) -> type:
    """The class ``Game`` of a cell, which belongs to ``__main__``, as in a notebook."""
    shell.reset()
    shell.run_cell(source).raise_error()
    return shell.user_ns["Game"]


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    """What runs the cells of a notebook."""
    main, hooks = sys.modules["__main__"], (sys.displayhook, sys.excepthook)
    yield InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    sys.modules["__main__"] = main
    sys.displayhook, sys.excepthook = hooks


@pytest.fixture(params=[from_file, from_cell])
def define(request, tmp_path, shell) -> Callable[[str], type]:
    return lambda step: request.param(GAME.format(step=step.replace("\n", "\n        ")), tmp_path, shell)


def test_the_game_without_a_mistake_plays(define):
    env = define(FINE)()
    env.reset(0)
    assert env.step([1])[1][0] == 1.0


@pytest.mark.parametrize(
    ("step", "message"),
    [
        pytest.param(
            f"s.speed = 1.0\n{FINE}",
            r"State has no field 'speed'; it has x, board, episode_length \(step, line 16: s\.speed = 1\.0\)",
            id="wrong field name",
        ),
        pytest.param(
            f"way = s if s.x > 9 else 1.0\n{FINE}",
            r"Game cannot be compiled: Cannot unify the game's state s and float.*\(step, line 16",
            id="type instability",
        ),
        pytest.param(
            "return 1.0, False",
            r"Game\.step must return reward, terminated, truncated, but returns 2 values \(line 16: return 1\.0",
            id="wrong tuple",
        ),
        pytest.param(
            f"s.board[3] = 1\n{FINE}",
            r"index out of range: index 3 is out of bounds.*\(step, line 16: s\.board\[3\] = 1\)",
            id="index out of range",
        ),
        pytest.param(
            f"s.x = uniform(s, 0.0, 1.0)\n{FINE}",
            r"unknown name 'uniform'; write from ocean_numba import uniform \(line 16: s\.x = uniform",
            id="forgotten import of ours",
        ),
        pytest.param(
            f"s.x = math.sin(s.x)\n{FINE}",
            r"unknown name 'math'; write import math \(line 16: s\.x = math\.sin",
            id="forgotten import",
        ),
        pytest.param(
            f"s.x = np.random.rand()\n{FINE}",
            r"Game\.step uses np\.random; use uniform\(s, low, high\).*\(line 16: s\.x = np\.random",
            id="np.random",
        ),
        pytest.param(
            f"places = [s.x, 1.0]\n{FINE}",
            r"Game\.step makes a list; declare an array in State instead \(line 16: places = \[s\.x",
            id="list",
        ),
        pytest.param(
            f"places = {{0: s.x}}\n{FINE}",
            r"Game\.step makes a dict; use numbers and arrays of State \(line 16: places = \{0",
            id="dict",
        ),
    ],
)
def test_one_sentence_with_the_line(define, step, message):
    with pytest.raises(GameError, match=message) as caught:
        define(step)().reset(0)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
