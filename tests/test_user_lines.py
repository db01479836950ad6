"""Every line of user_lines.md (a copy of ../shared/USER_LINES.md) runs, or is known to be missing.

The lines are taken from the file as they stand. What a test changes in them (budgets, a device that is not
here) is in the table below, beside the line. A line whose part is not built yet is a strict xfail that names
what is missing: when it begins to work, this test fails until the mark is taken away.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pufferbench
from pufferbench.cli import main
from pufferbench.registry import UnknownEnv

LINES = Path(__file__).with_name("user_lines.md")
ORIGINAL = Path(__file__).resolve().parents[2] / "shared" / "USER_LINES.md"

INTEGRATIONS = "needs the names atari-..., procgen-..., ... (a later issue)"
SWEEPS = "needs Protein and the loggers (a later issue)"
DISTRIBUTED = "needs training on several processes (a later issue)"


@dataclass
class Case:
    """How to run one line.

    Attributes:
        given: names that the line uses; a function, because making them takes time.
        check: what must be true of the names afterwards.
        replace: what the test changes in the line.
        missing: not built yet: why.
    """

    given: Callable[[], dict[str, Any]] = dict
    check: Callable[[dict[str, Any]], object] = lambda names: None
    replace: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def breakout() -> dict[str, Any]:
    env = pufferbench.make("ocean-breakout", num_envs=256)
    return {"env": env, "create_policy": pufferbench.policies.MLP, "PuffeRL": pufferbench.PuffeRL}


def training() -> dict[str, Any]:
    names = breakout()
    env = pufferbench.make("ocean-squared", num_envs=64)
    trainer = pufferbench.PuffeRL(env=env, bptt_horizon=8)
    return names | {"env": env, "trainer": trainer, "iterations": 2}


def with_policy() -> dict[str, Any]:
    names = breakout()
    policy = names["create_policy"](names["env"].observation_space, names["env"].action_space)
    return names | {"policy": policy, "NoLogger": pufferbench.NoLogger}


def simple_style() -> dict[str, Any]:
    step = {"observation": np.zeros(4), "reward": 1.0, "done": False, "info": {}}
    return {"PufferEnv": pufferbench.PufferEnv, **step}


def registered() -> dict[str, Any]:
    pufferbench.register(id="my-env", entry_point="my_package.envs:MyTask", kwargs={"difficulty": 2})
    env = pufferbench.make("my-env")
    return {
        "PuffeRL": pufferbench.PuffeRL,
        "policy": pufferbench.policies.MLP(env.observation_space, env.action_space),
    }


def gymnasium_names() -> dict[str, Any]:
    import gymnasium
    from my_package.envs import MyTask

    return {
        "gymnasium": gymnasium,
        "MyTask": MyTask,
        "MyGymEnv": type(gymnasium.make("CartPole-v1").unwrapped),
    }


def simple_task() -> dict[str, Any]:
    from my_package.simple import SimpleTask

    return {"MyTask": SimpleTask}


def pistonball() -> dict[str, Any]:
    butterfly = pytest.importorskip("pettingzoo.butterfly.pistonball_v6", exc_type=ImportError)
    return {"pistonball_v6": butterfly}


def drawn_with_pygame() -> dict[str, Any]:
    pytest.importorskip("pygame")
    return {}


def vectorizers() -> dict[str, Any]:
    from pufferbench.vector import Multiprocessing, Serial

    names = gymnasium_names()
    creator = names["MyTask"]
    return names | {
        "Serial": Serial,
        "Multiprocessing": Multiprocessing,
        "creator": creator,
        "create_serial_vec_env": lambda: Serial(env_creator=creator, num_envs=2),
    }


def learned_at(rate: float) -> Callable[[dict[str, Any]], None]:
    def check(names: dict[str, Any]) -> None:
        trainer = names["trainer"]
        trainer.evaluate()
        trainer.train()
        assert trainer.mean_and_log()["learning_rate"] == pytest.approx(rate)

    return check


def spaces_of_the_simple_style(names: dict[str, Any]) -> None:
    env = names["MyTask"]()
    assert env.observation_space.shape == (4,)
    assert env.action_space.n == 4
    assert set(env.make_space({"image": (84, 84, 3), "vector": (10,)})) == {"image", "vector"}
    assert list(env.make_multi_discrete([3, 3]).nvec) == [3, 3]
    assert env.make_space((3,)).shape == (3,)


def all_options_in_force(names: dict[str, Any]) -> None:
    config = names["trainer"].config
    assert (config.learning_rate, config.batch_size, config.update_epochs) == (3e-4, 32768, 4)
    assert (config.gamma, config.gae_lambda, config.clip_coef) == (0.99, 0.95, 0.2)
    assert (config.ent_coef, config.vf_coef, config.max_grad_norm, config.compile) == (0.01, 0.5, 0.5, True)


def rows_of_breakout(names: dict[str, Any]) -> None:
    assert names["env"].reset()[0].shape == (256, 118)


def metadata_comes_back(names: dict[str, Any]) -> None:
    assert names["trainer"].load_checkpoint("checkpoint") == {"iteration": 7, "best_return": 12.5}


def made_with_its_kwargs(names: dict[str, Any]) -> None:
    assert pufferbench.make("my-env").difficulty == 2


def last_stage(names: dict[str, Any]) -> None:
    assert names["env"].difficulty == 1.0
    assert names["trainer"].env is names["env"]


def steps_and_closes(name: str, rows: int) -> Callable[[dict[str, Any]], None]:
    def check(names: dict[str, Any]) -> None:
        with names[name] as env:
            assert env.reset(seed=1)[0].shape[0] == env.num_agents == rows
            for _ in range(3):
                _, rewards, *_ = env.step(np.zeros(rows, np.int32))
            assert np.isfinite(rewards).all() and rewards.any()

    return check


def pistons(names: dict[str, Any]) -> None:
    with names["env"] as env:
        assert env.reset(seed=1)[0].shape == (2 * 20, 457, 120, 3)
        _, rewards, *_ = env.step(np.zeros((40, 1), np.float32))
        assert rewards.any()


def knights(names: dict[str, Any]) -> None:
    with names["env"] as env:
        assert env.reset(seed=1)[0].shape == (2 * 4, 27, 5)
        env.step(np.zeros(8, np.int32))


def changes_nothing(names: dict[str, Any]) -> None:
    env, raw = (wrap(pufferbench.make("gym-CartPole-v1")) for wrap in (names["Shaped"], lambda env: env))
    assert env.reset(seed=1)[0].tolist() == raw.reset(seed=1)[0].tolist()
    assert env.step(np.array([1]))[0].tolist() == raw.step(np.array([1]))[0].tolist()


def two_updates(names: dict[str, Any]) -> None:
    assert names["trainer"].update == 2
    assert names["trainer"].last_record["update"] == 2


# The beginning of a line -> how to run it. Every line of the file must be here, and nothing else.
CASES = {
    "import pufferbench": Case(),
    "from pufferbench import PufferEnv, PuffeRL, Protein": Case(missing=SWEEPS),
    "from pufferbench.pytorch import layer_init": Case(),
    "from pufferbench.vector import Serial": Case(),
    'env = pufferbench.make("ocean-breakout"': Case(check=rows_of_breakout),
    'env = pufferbench.make("gym-CartPole-v1"': Case(check=steps_and_closes("env", 256)),
    'env = pufferbench.make("my-env", num_envs=1024': Case(registered, steps_and_closes("env", 1024)),
    "policy = create_policy(": Case(breakout),
    "trainer = PuffeRL(env=env, policy=policy)": Case(with_policy),
    'trainer = PuffeRL(env=env, policy=policy, device="cuda"': Case(
        with_policy, all_options_in_force, replace={'device="cuda"': 'device="cpu"'}
    ),
    "for _ in range(iterations):": Case(training, two_updates),
    "trainer.learning_rate = 1e-4": Case(training, learned_at(1e-4)),
    'trainer.save_checkpoint("checkpoint"': Case(training, metadata_comes_back),
    "class MyTask(PufferEnv):": Case(simple_style, spaces_of_the_simple_style),
    "env = pufferbench.emulate(MyTask": Case(simple_task, steps_and_closes("env", 256)),
    'env = pufferbench.emulate(gymnasium.make("CartPole-v1")': Case(
        gymnasium_names, steps_and_closes("env", 256)
    ),
    "env = pufferbench.emulate(MyGymEnv": Case(gymnasium_names, steps_and_closes("env", 128)),
    "env = pufferbench.emulate(lambda": Case(pistonball, pistons, replace={"num_envs=8": "num_envs=2"}),
    'env = pufferbench.make("pettingzoo-knights-archers-zombies"': Case(
        drawn_with_pygame, knights, replace={"num_envs=128": "num_envs=2"}
    ),
    'env = pufferbench.make("atari-pong"': Case(missing=INTEGRATIONS),
    'env = pufferbench.make("procgen-coinrun"': Case(missing=INTEGRATIONS),
    'pufferbench.register(id="my-env"': Case(check=made_with_its_kwargs),
    "class Shaped(pufferbench.Wrapper)": Case(check=changes_nothing),
    "vec = Serial(": Case(vectorizers, steps_and_closes("vec", 16)),
    "vec = Multiprocessing(env_creator=lambda: MyTask()": Case(vectorizers, steps_and_closes("vec", 256)),
    "vec = Multiprocessing(env_creator=create_serial_vec_env": Case(vectorizers, steps_and_closes("vec", 16)),
    "vec = Multiprocessing(env_creator=creator": Case(vectorizers, steps_and_closes("vec", 224)),
    "best = Protein(": Case(lambda: {"Protein": pufferbench.Protein}, missing=SWEEPS),
    "for difficulty in (0.1, 0.5, 1.0):": Case(registered, last_stage),
}

# What the test adds to a command, so that it takes seconds, and what is missing.
TRAIN = "--train.total-timesteps 4096 --env.num-envs 16"
COMMANDS = {
    "puffer train ocean-breakout --train.device cpu --train.learning-rate 3e-4": (TRAIN, ""),
    "puffer eval ocean-breakout --load RUN": ("--episodes 2", ""),
    "puffer sweep ocean-cartpole": ("", SWEEPS),
    "torchrun --nproc_per_node=2 train.py": ("", DISTRIBUTED),
}
TRAIN_PY = """
from pufferbench import PuffeRL, make
trainer = PuffeRL(env=make("ocean-squared", num_envs=16), bptt_horizon=8)
trainer.evaluate(); trainer.train(); trainer.mean_and_log()
assert trainer.global_step == 2 * 16 * 8, "counts the steps of both processes"
"""


def blocks(language: str) -> list[str]:
    """The fenced blocks of the file that are marked with ``language`` ("": with none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", LINES.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [text for marked, text in found if marked == language]


def statements() -> list[str]:
    """The python statements of the file; several on one line stay together."""
    found = []
    for block in blocks("python"):
        lines, start = block.splitlines(), {}
        for statement in ast.parse(block).body:
            start[statement.lineno] = max(start.get(statement.lineno, 0), statement.end_lineno or 0)
        found += ["\n".join(lines[first - 1 : last]) for first, last in start.items()]
    return found


def case_of(statement: str) -> str:
    """The longest key that the statement begins with."""
    return max((key for key in CASES if statement.startswith(key)), key=len, default="")


def as_parameter(text: str, missing: str) -> Any:
    # How a missing part shows; a NameError or a SyntaxError would be this test's own mistake.
    shows = (
        ImportError,
        AttributeError,
        TypeError,
        UnknownEnv,
        AssertionError,
        subprocess.CalledProcessError,
    )
    marks = [pytest.mark.xfail(strict=True, raises=shows, reason=missing)] if missing else []
    return pytest.param(text, id=text.partition("\n")[0][:70], marks=marks)


def test_the_copy_is_the_original() -> None:
    if not ORIGINAL.exists():
        pytest.skip(f"{ORIGINAL.name} is not beside this repository")
    assert LINES.read_text(encoding="utf-8") == ORIGINAL.read_text(encoding="utf-8"), "copy it anew"


def test_every_line_has_a_case_and_every_case_a_line() -> None:
    assert sorted(map(case_of, statements())) == sorted(CASES)
    assert [line for block in blocks("") for line in block.splitlines()] == list(COMMANDS)


@pytest.mark.parametrize(
    "statement", [as_parameter(s, CASES[case_of(s)].missing if case_of(s) else "") for s in statements()]
)
def test_line(statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = CASES[case_of(statement)]
    for old, new in case.replace.items():
        assert old in statement
        statement = statement.replace(old, new)
    names = {"pufferbench": pufferbench, **case.given()}
    exec(compile(statement, str(LINES), "exec"), names)
    case.check(names)


@pytest.mark.parametrize(
    "command", [as_parameter(command, missing) for command, (_, missing) in COMMANDS.items()]
)
def test_command(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command) + shlex.split(COMMANDS[command][0])
    if words[0] == "torchrun":
        Path("train.py").write_text(TRAIN_PY, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "torch.distributed.run", *words[1:]], check=True, timeout=100)
        return
    if "RUN" in words:
        assert main(["train", "ocean-breakout", *shlex.split(TRAIN), "--run-dir", "RUN"]) == 0
    assert main(words[1:]) == 0
