"""The ``puffer`` command: what works, and what it says when it does not.

Most tests call main() in this process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pufferbench
from pufferbench.cli import COMMANDS, main
from pufferbench.cli.dashboard import Lines, display, line, picture
from pufferbench.records import RunFolder

SHORT = ["--env.num-envs", "16", "--train.total-timesteps", "8192", "--train.batch-size", "1024"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a short training of cartpole, made once by ``puffer train``."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", "ocean-cartpole", *SHORT, "--run-dir", str(folder)]) == 0
    return folder


def fails(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    """What the command says on stderr when it ends with status 2, as a usage error must (no traceback)."""
    try:
        status = main(list(arguments))
    except SystemExit as ending:  # tyro ends the program itself
        status = ending.code
    captured = capsys.readouterr()
    assert status == 2, captured
    assert "Traceback" not in captured.err
    return " ".join(captured.err.split())


# -- the command itself -------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert all(f"  {command} " in text for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture) -> None:
    assert main(["--version"]) == 0
    assert pufferbench.__version__ in capsys.readouterr().out


def test_unknown_command(capsys: pytest.CaptureFixture) -> None:
    assert "unknown command 'trian'; did you mean 'train'?" in fails(capsys, "trian")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ending:
        main([command, "--help"])
    assert ending.value.code == 0
    assert f"puffer {command}" in capsys.readouterr().out


# -- options ------------------------------------------------------------------------------------


def test_help_shows_the_environments_options_with_the_presets_defaults(capsys: pytest.CaptureFixture) -> None:
    from pufferbench.registry import spec

    with pytest.raises(SystemExit):
        main(["train", "ocean-cartpole", "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    preset = spec("ocean-cartpole").preset()
    for option, value in (("--env.num-envs", preset["env"]["num_envs"]), ("--env.max-steps", 500)):
        assert re.search(rf"{option} INT [^(]*\(default: {value}\)", text), option
    assert f"width of the hidden layer. (default: {preset['policy']['hidden_size']})" in text
    assert "max_steps (500), the longest episode" in text, "the game's page explains its parameters"
    assert "Step size of the optimizer." in text, "help is the docstring under the field"


def test_options_reach_the_run(tmp_path: Path) -> None:
    options = ["--train.learning-rate", "3e-4", "--env.frameskip", "2", "--policy.hidden-size", "8"]
    budget = ["--train.total-timesteps", "1e3", "--env.num-envs", "16", "--train.device", "cpu"]
    assert main(["train", "ocean-breakout", *options, *budget, "--run-dir", str(tmp_path / "run")]) == 0
    run = RunFolder.open(tmp_path / "run")
    assert run.config["train"]["learning_rate"] == 3e-4
    assert run.config["train"]["total_timesteps"] == 1000
    assert run.config["env"]["kwargs"]["frameskip"] == 2
    assert run.config["policy"]["arguments"] == {"hidden_size": 8}
    assert run.records[-1]["learning_rate"] == pytest.approx(3e-4)
    assert run.latest_checkpoint is not None


def test_an_obligatory_option_of_an_environment(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from my_package.envs import MyTask

    def guess(difficulty: float, num_envs: int = 4) -> MyTask:
        return MyTask(num_envs, difficulty)

    pufferbench.register("test-guess", guess)
    assert "--env.difficulty" in fails(capsys, "train", "test-guess")
    options = ["--env.difficulty", "0.5", "--train.total-timesteps", "100", "--train.batch-size", "64"]
    assert main(["train", "test-guess", *options, "--run-dir", str(tmp_path / "run")]) == 0
    assert RunFolder.open(tmp_path / "run").config["env"]["kwargs"] == {"difficulty": 0.5, "num_envs": 4}


def test_training_that_fails_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from pufferbench.trainer import NonFiniteLoss, PuffeRL

    train = PuffeRL.train

    def fail_at_three(trainer: PuffeRL) -> None:
        if trainer.update == 2:
            raise NonFiniteLoss("update 3: the loss became NaN")
        train(trainer)

    monkeypatch.setattr(PuffeRL, "train", fail_at_three)
    assert main(["train", "cartpole", *SHORT, "--run-dir", str(tmp_path / "run")]) == 1
    captured = capsys.readouterr()
    assert captured.err == "puffer train: update 3: the loss became NaN\n"
    assert "update 2 " in captured.out, "the last good update is shown"


def test_default_run_folder_is_named_after_env_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "cartpole", *SHORT]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("ocean-cartpole-20")


def test_same_seed_same_weights(tmp_path: Path) -> None:
    from pufferbench.records import load_checkpoint

    weights = []
    for name in ("a", "b"):
        main(["train", "cartpole", *SHORT, "--train.seed", "3", "--run-dir", str(tmp_path / name)])
        arrays, _ = load_checkpoint(RunFolder.open(tmp_path / name).latest_checkpoint)
        weights.append(arrays["policy.hidden.weight"])
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which environment?"),
        (["ocean-breakuot"], "did you mean 'ocean-breakout'?"),
        (["cartpole", "--env.max-stepz", "3"], "--env.max-steps INT"),
        (["cartpole", "--train.learning-rat", "3"], "--train.learning-rate FLOAT"),
        (["cartpole", "--train.learning-rate", "fast"], "could not convert string to float: 'fast'"),
        (["cartpole", "--train.total-timesteps", "1.5"], "1.5 is not a whole number"),
        (["cartpole", "--train.gamma", "1.5"], "gamma must be between 0 and 1, not 1.5"),
        (["cartpole", "--train.device", "tpu"], "device must be cpu, cuda"),
        (["cartpole", "--env.num-envs", "0"], "num_envs must be an integer of at least 1, not 0"),
        (["cartpole", "--env.mode", "fast"], "'fast'"),
        (
            ["cartpole", "--policy.hidden-size", "0"],
            "hidden_size must be a whole number of at least 1, not 0",
        ),
        (
            ["cartpole", "--train.batch-size", "100", "--env.num-envs", "64"],
            "not a multiple of the env's 64 agents",
        ),
        (["--resume"], "--resume needs a run folder"),
        (["--resume", "runs/missing"], "is not a run folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_train_refuses(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, "train", *arguments)
    assert not (tmp_path / "runs").exists(), "nothing was written"


# -- runs ---------------------------------------------------------------------------------------


def test_resume_continues_the_counters(run: Path, capsys: pytest.CaptureFixture) -> None:
    before = RunFolder.open(run).records[-1]
    more = ["--train.total-timesteps", "12288", "--train.learning-rate", "1e-4"]
    assert main(["train", "--resume", str(run), *more]) == 0
    assert "the environments start new episodes" in capsys.readouterr().out
    records = RunFolder.open(run).records
    assert [record["update"] for record in records] == list(range(1, len(records) + 1))
    following = records[before["update"]]
    assert following["global_step"] == before["global_step"] + 1024
    assert following["changes"]["learning_rate"]["new"] == 1e-4
    assert records[-1]["global_step"] == 12288


def test_resume_of_a_finished_run(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert "give it more with --train.total-timesteps" in fails(capsys, "train", "--resume", str(run))


def test_resume_takes_no_other_environment(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert "is a run of ocean-cartpole, not of ocean-squared" in fails(
        capsys, "train", "ocean-squared", "--resume", str(run)
    )
    assert "--env.max-steps" in fails(capsys, "train", "--resume", str(run), "--env.max-steps", "3")


def test_a_run_is_never_overwritten(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert "already holds a run" in fails(capsys, "train", "cartpole", *SHORT, "--run-dir", str(run))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one child process")
def test_ctrl_c_saves_and_says_how_to_resume(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pufferbench.cli", "train"]
    options = ["--env.num-envs", "16", "--train.batch-size", "1024", "--train.total-timesteps", "1e9"]
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*command, "ocean-cartpole", *options, "--run-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        deadline = time.monotonic() + 120
        while (
            not (folder / "metrics.jsonl").exists() and time.monotonic() < deadline and process.poll() is None
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert f"puffer train --resume {folder}" in out
    assert "their states come in a later version" in out
    stopped = RunFolder.open(folder)
    last = stopped.records[-1]["update"]
    assert stopped.latest_checkpoint == stopped.checkpoint_path(last), "saved at the update's boundary"

    budget = str(stopped.records[-1]["global_step"] + 2048)
    assert main(["train", "--resume", str(folder), "--train.total-timesteps", budget]) == 0
    assert [record["update"] for record in RunFolder.open(folder).records] == list(range(1, last + 3))


# -- eval ---------------------------------------------------------------------------------------


def test_eval_prints_statistics_of_whole_episodes(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["eval", "ocean-cartpole", "--load", str(run), "--episodes", "7", "--greedy"]) == 0
    text = capsys.readouterr().out
    assert "7 episodes" in text
    assert "episode_return" in text


def test_eval_takes_a_checkpoint_file_and_the_runs_own_environment_options(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "run"
    main(["train", "cartpole", *SHORT, "--env.max-steps", "5", "--run-dir", str(folder)])
    capsys.readouterr()
    checkpoint = RunFolder.open(folder).latest_checkpoint
    assert main(["eval", "cartpole", "--load", str(checkpoint), "--episodes", "3"]) == 0
    assert "│ episode_length │ 5.00 │ 0.00 │" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_eval_films_a_random_policy(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    import imageio

    film = tmp_path / "new folder" / f"play.{ending}"
    assert main(["eval", "ocean-squared", "--policy", "random", "--episodes", "2", "--video", str(film)]) == 0
    assert f"{film.name}:" in capsys.readouterr().out.replace("\n", "")
    frames = imageio.mimread(film)
    assert frames[0].shape[2] in (3, 4)
    assert len(frames) > 1
    assert any((frame != frames[0]).any() for frame in frames[1:]), "something moves"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which environment?"),
        (["ocean-cartpole"], "give a run or checkpoint (--load RUN), or --policy random"),
        (["ocean-cartpole", "--load", "runs/none"], "there is no run or checkpoint"),
        (["ocean-cartpole", "--policy", "random", "--episodes", "0"], "--episodes must be at least 1, not 0"),
        (["ocean-cartpole", "--policy", "random", "--video", "x.avi"], "must end in .gif, .mp4, .webp"),
        (["ocean-cartpole", "--policy", "best"], "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_eval_refuses(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert message in fails(capsys, "eval", *arguments)


def test_eval_refuses_another_environments_checkpoint(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert "was trained on ocean-cartpole, not on ocean-squared" in fails(
        capsys, "eval", "ocean-squared", "--load", str(run)
    )


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04garbage", b"\xff" * 64], ids=["empty", "a pickle", "noise"]
)
def test_eval_refuses_a_corrupt_checkpoint(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    assert "is not a usable checkpoint" in fails(capsys, "eval", "ocean-cartpole", "--load", str(path))


def test_eval_suggests_the_run_that_was_meant(run: Path, capsys: pytest.CaptureFixture) -> None:
    assert "did you mean 'run'?" in fails(capsys, "eval", "ocean-cartpole", "--load", str(run.parent / "rum"))


# -- bench, envs, doctor ------------------------------------------------------------------------


def test_bench_prints_targets_beside_measurements(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from pufferbench import bench

    speeds = {64: 50e6, 256: 90e6}
    measured = []

    def fake(name: str, num_envs: int) -> bench.EnvironmentSpeed:
        measured.append((name, num_envs))
        return bench.EnvironmentSpeed(num_envs, speeds[num_envs], speeds[num_envs] / 2, 0.5, 40)

    monkeypatch.setattr(bench, "environment_speed", fake)
    assert main(["bench", "cartpole", "--batch-sizes", "64", "256"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert measured == [("ocean-cartpole", 64), ("ocean-cartpole", 256)]
    assert "ocean-cartpole │ 90.0 │ 45.0 │ 256 │ 40 │ 34 │ 80 │ yes" in text
    assert "Other programs used this core" in text


def test_bench_measures_agent_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from pufferbench import bench

    speed = bench.environment_speed("ocean-target", num_envs=4, seconds=0.01, rounds=1)
    assert speed.cpu > 0
    assert 0 < speed.share < 1.5
    env = pufferbench.make("ocean-target", num_envs=2)
    sets = bench.action_sets(env)
    assert all(env.action_space.contains(action) for actions in sets for action in actions)
    assert len({actions.tobytes() for actions in sets}) == len(sets), "actions differ from step to step"
    assert bench.bytes_per_step(env) > env.observations.nbytes / env.num_agents


def test_bench_refuses_nonsense(capsys: pytest.CaptureFixture) -> None:
    assert "must be positive" in fails(capsys, "bench", "cartpole", "--batch-sizes", "0")
    assert "must be positive" in fails(capsys, "bench", "train", "cartpole", "--threads", "0")
    assert "must be positive" in fails(capsys, "bench", "train", "cartpole", "--seconds", "-1")
    assert "did you mean" in fails(capsys, "bench", "cartpol")


def test_envs_lists_names_spaces_and_stories(capsys: pytest.CaptureFixture) -> None:
    assert main(["envs", "ocean-"]) == 0
    text = capsys.readouterr().out
    for name in pufferbench.list_envs("ocean-"):
        assert name in text
    assert "Box(118) float32" in text
    assert "x 8 agents" in text
    assert "cannot be made" not in text


def test_envs_with_an_unknown_prefix(capsys: pytest.CaptureFixture) -> None:
    assert "no environment's name begins with 'atari'" in fails(capsys, "envs", "atari")


def test_doctor_finds_nothing_wrong_here(capsys: pytest.CaptureFixture) -> None:
    status = main(["doctor"])
    text = capsys.readouterr().out
    assert status == 0, text
    for subject in (
        "Python",
        "torch",
        "cores",
        "CUDA",
        "kernel cache",
        "ffmpeg",
        "anywidget",
        "Nothing is wrong",
    ):
        assert subject in text


def test_doctor_trains_on_both_devices_or_says_why_not(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pufferbench.cli import doctor

    monkeypatch.setattr(doctor, "SECONDS", 2)
    monkeypatch.setattr(doctor, "_packages", lambda: iter(()))
    status = main(["doctor", "--gpu"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert status == 0, text
    assert "training on cpu" in text
    assert "M steps/s (fused)" in text
    import torch

    if not torch.cuda.is_available():
        assert "training on cuda left out: device 'cuda'" in text


def test_doctor_says_what_is_wrong_and_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from pufferbench.cli import doctor

    def absent(name: str) -> str:
        if name == "numba":
            raise doctor.PackageNotFoundError(name)
        return "0.0.1"

    monkeypatch.setattr(doctor, "version", absent)
    monkeypatch.setattr(doctor, "_cores", lambda: 1 / 0)
    assert main(["doctor"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "numba: pip install 'numba" in text
    assert "does not satisfy" in text
    assert "ZeroDivisionError" in text, "a check that fails is reported, and the others go on"
    assert "JupyterLab extension anywidget" in text


def test_doctor_notices_an_unwritable_kernel_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("PUFFERBENCH_CACHE", str(tmp_path / "file"))  # a folder cannot be made below a file
    assert main(["doctor"]) == 1
    assert "set PUFFERBENCH_CACHE" in " ".join(capsys.readouterr().out.split())


# -- the dashboard ------------------------------------------------------------------------------


def test_dashboard_shows_the_record(run: Path) -> None:
    from rich.console import Console

    record = RunFolder.open(run).records[-1]
    console = Console(width=120, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(picture("cartpole", {**record, "eta": 3725.0, "score_100": 12.5}))
    text = console.export_text()
    for part in (
        "ETA 1:02:05",
        "steps/s",
        "policy_loss",
        "explained_variance",
        "score_100",
        "12.5",
        "env",
        "train",
    ):
        assert part in text
    assert "learning_rate" not in text.split("losses")[0]


def test_dashboard_survives_missing_numbers() -> None:
    record = {
        "update": 1,
        "global_step": 5,
        "total_timesteps": 10,
        "elapsed": 1.0,
        "sps": 5.0,
        "value_loss": None,
    }
    assert "ETA -" in line(record)
    picture("x", record)


def test_lines_come_now_and_then_and_the_last_always(capsys: pytest.CaptureFixture) -> None:
    with display("x", seconds=60) as screen:
        assert isinstance(screen, Lines), "pytest's output is no terminal"
        for update in range(1, 6):
            screen.show(
                {
                    "update": update,
                    "global_step": update,
                    "total_timesteps": 5,
                    "sps": 1.0,
                    "elapsed": 1.0,
                    "eta": 0.0,
                }
            )
    shown = [text.split("  ")[0] for text in capsys.readouterr().out.splitlines()]
    assert shown == ["update 1", "update 5"]


def test_metrics_file_is_plain_json(run: Path) -> None:
    for text in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        assert all(isinstance(value, (int, float, dict, type(None))) for value in json.loads(text).values())
