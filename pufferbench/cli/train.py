"""``puffer train``: PuffeRL with options from the command line, a dashboard, and a clean end on Ctrl-C."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import tyro

from pufferbench.cli import UsageError
from pufferbench.cli.dashboard import display
from pufferbench.cli.options import changed, section, signature_options, train_options
from pufferbench.config import TrainConfig, describe
from pufferbench.errors import PufferBenchError
from pufferbench.records import RunFolder, load_checkpoint
from pufferbench.registry import EnvSpec, spec
from pufferbench.vector.make import make

SPACES = ("observation_space", "action_space")  # a policy gets them from the environment


def _help(kind: Any, text: str) -> Any:
    return Annotated[kind, tyro.conf.arg(help=text)]


RESUME = ("resume", _help(str | None, "Go on with this run folder."), dataclasses.field(default=None))


def main(arguments: list[str]) -> int:
    """Train until the budget is used up or Ctrl-C; 0 in both cases, 1 when training fails on the way."""
    name, run = what_to_train(arguments)
    trainer = resumed(name, run, arguments) if run else fresh(name, arguments)
    folder = trainer.run.path
    print(f"Run folder: {folder}", flush=True)
    from pufferbench.machine_code import announced  # Numba: not before the options are understood

    try:
        with (
            trainer,
            stop_on_interrupt() as interrupted,
            display(f"{name}  {folder}") as screen,
            announced(screen.say),
        ):
            for record in trainer.steps():
                screen.show(record)
                if interrupted():
                    break
            if interrupted():
                trainer.save_checkpoint()
    except PufferBenchError as error:
        print(f"puffer train: {error}", file=sys.stderr)
        return 1
    print(f"Saved {trainer.run.latest_checkpoint}")
    if trainer.global_step < trainer.total_timesteps:
        print(
            f"Stopped at update {trainer.update}. Go on with: puffer train --resume {folder}\n"
            "(weights, optimizer, schedule and counters continue; the environments start new episodes: "
            "their states come in a later version)"
        )
    else:
        print(f"Watch it: puffer eval {name} --load {folder} --video {folder / 'play.gif'}")
    return 0


def what_to_train(arguments: list[str]) -> tuple[str, RunFolder | None]:
    """The environment's name and, with --resume, the run: the options depend on both."""
    name = spec(arguments[0]).id if arguments and not arguments[0].startswith("-") else None
    run = None
    for number, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag == "--resume":
            if not equals and number + 1 == len(arguments):
                raise UsageError(
                    "--resume needs a run folder, e.g. --resume runs/ocean-breakout-20260131-142500"
                )
            run = RunFolder.open(value if equals else arguments[number + 1])
    if run is not None:
        trained = run.config.get("env", {}).get("id", "")
        if name is not None and trained and name != trained:
            raise UsageError(f"{run.path} is a run of {trained}, not of {name}")
        return spec(trained or str(name)).id, run
    if name is None and {"-h", "--help"} & set(arguments):
        name = "ocean-breakout"  # show the options of some environment
    if name is None:
        raise UsageError("which environment? puffer train ENV ...; puffer envs lists them")
    return name, None


def fresh(name: str, arguments: list[str]) -> Any:
    """A trainer for a new run."""
    import torch

    from pufferbench import policies
    from pufferbench.trainer import PuffeRL

    entry = spec(name)
    policy_class = policies.POLICIES[entry.preset().get("policy", {}).get("name", "MLP")]
    options_class = new_run_options(entry, policy_class)
    options = parse(options_class, arguments, f"puffer train {name}")
    env = make_env(entry, dataclasses.asdict(options.env))
    torch.manual_seed(options.train.seed)  # the same first weights for the same seed
    with as_usage_error():
        policy = policy_class(env.observation_space, env.action_space, **dataclasses.asdict(options.policy))
    run_dir = options.run_dir or Path("runs") / f"{entry.id}-{time.strftime('%Y%m%d-%H%M%S')}"
    if (run_dir / "config.toml").exists():
        raise UsageError(
            f"{run_dir} already holds a run: go on with it (--resume {run_dir}), or choose another"
        )
    return PuffeRL(env=env, policy=policy, run_dir=run_dir, **changed(options.train))


def new_run_options(entry: EnvSpec, policy: Callable[..., Any]) -> type:
    """All options of ``puffer train ENV``, with the environment's preset as defaults."""
    preset = entry.preset()
    defaults = {**entry.kwargs, **preset.get("env", {})}
    own = signature_options("OwnOptions", entry.creator(), ("buf",), defaults)
    how_to_step = signature_options("VectorOptions", make, ("name", "batch_size"), defaults)
    env = dataclasses.make_dataclass("EnvOptions", [], bases=(own, how_to_step))
    env.__doc__ = own.__doc__
    about_policy = signature_options("PolicyOptions", policy, SPACES, preset.get("policy", {}))
    train = train_options(preset.get("train", {}))
    folder = _help(Path | None, "Folder for this run; default: runs/ENV-TIME.")
    return dataclasses.make_dataclass(
        "Options",
        [
            section("train", train),
            section("env", env),
            section("policy", about_policy),
            ("run_dir", folder, dataclasses.field(default=None)),
            RESUME,
        ],
        kw_only=True,
    )


def resumed(name: str, run: RunFolder, arguments: list[str]) -> Any:
    """A trainer that goes on where ``run`` stopped. Only --train.* may change: the rest is the run's."""
    from pufferbench import policies
    from pufferbench.trainer import PuffeRL

    checkpoint = run.latest_checkpoint
    if checkpoint is None:
        raise UsageError(f"{run.path} has no checkpoint to go on from: start anew with puffer train {name}")
    # Not config.toml's: an earlier resume, or a slider, may have changed some.
    saved = load_checkpoint(checkpoint)[1].get("train", {})
    train = train_options(saved)
    options_class = dataclasses.make_dataclass("ResumeOptions", [section("train", train), RESUME])
    options = parse(options_class, arguments, f"puffer train {name}")
    env = make_env(spec(name), run.config.get("env", {}).get("kwargs", {}))
    policy = policies.load(checkpoint, env.observation_space, env.action_space)
    asked = changed(options.train)
    settings = {option: value for option, value in saved.items() if option not in asked}
    if {"batch_size", "bptt_horizon"} & set(asked):  # the other sizes follow from the one asked for
        for size in ("batch_size", "bptt_horizon", "minibatch_size"):
            settings.pop(size, None)
    trainer = PuffeRL(env=env, policy=policy, run_dir=run.path, **settings, **asked)
    trainer.load_checkpoint(checkpoint)
    live = {option: value for option, value in asked.items() if describe(TrainConfig)[option].live}
    trainer.request(**live)  # the checkpoint brought its own; the record of the next update shows the change
    if trainer.global_step >= trainer.total_timesteps:
        trainer.close()
        raise UsageError(
            f"{run.path} has used its budget of {trainer.total_timesteps:,} steps: "
            "give it more with --train.total-timesteps"
        )
    print(f"Goes on after update {trainer.update}; the environments start new episodes.")
    return trainer


def parse(options_class: type, arguments: list[str], program: str) -> Any:
    """Read the options; a wrong one ends the program with its own message and status 2 (tyro does that)."""
    named = arguments[1:] if arguments and not arguments[0].startswith("-") else arguments
    description = "Train an agent. Options with their defaults for this environment:"
    return tyro.cli(options_class, args=named, prog=program, description=description)


def make_env(entry: EnvSpec, kwargs: Mapping[str, Any]) -> Any:
    """The environment; what it says about its own parameters is a usage error here."""
    with as_usage_error():
        return make(entry.id, **kwargs)


@contextmanager
def as_usage_error() -> Iterator[None]:
    """What a constructor says about its arguments, when these came from the command line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


class stop_on_interrupt:
    """Within it, Ctrl-C sets a flag instead of interrupting: training stops at the update's end.

    Entering gives a function that says whether Ctrl-C was pressed. A second Ctrl-C interrupts at once.
    """

    def __enter__(self) -> Callable[[], bool]:
        self.pressed = False
        self.before = signal.signal(signal.SIGINT, self._press)
        return lambda: self.pressed

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
