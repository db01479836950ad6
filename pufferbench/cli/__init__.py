"""The ``puffer`` command. Each subcommand is a module that is imported only when it is used.

``puffer --help`` therefore answers at once, and ``puffer lab`` never imports torch.
"""

from __future__ import annotations

import sys
from importlib import import_module

import pufferbench
from pufferbench.errors import PufferBenchError, did_you_mean

# command -> module with main(arguments) -> exit status, one line of help
COMMANDS = {
    "train": ("pufferbench.cli.train", "train an agent: puffer train ocean-breakout"),
    "eval": ("pufferbench.cli.evaluate", "play episodes with a trained agent, film them"),
    "check": ("pufferbench.cli.check", "say what is wrong with an environment"),
    "autotune": ("pufferbench.cli.autotune", "find the fastest backend for an environment here"),
    "bench": ("pufferbench.cli.bench", "measure environments and training on this machine"),
    "new-game": ("pufferbench.cli.new_game", "write a small game to start from, and its test"),
    "warmup": ("pufferbench.cli.warmup", "compile learners and games now, once, so that none is waited for"),
    "lab": ("pufferbench.cli.lab", "open the lessons in JupyterLab"),
    "notebooks": (
        "pufferbench.cli.notebooks",
        "solutions of a lesson's exercises; run, clean, check notebooks",
    ),
    "class": ("pufferbench.cli.classroom", "for teachers: hand out assignments, grade a class"),
    "envs": ("pufferbench.cli.envs", "list the environments"),
    "doctor": ("pufferbench.cli.doctor", "say what is installed, and what is wrong"),
}

USAGE_ERROR = 2  # exit status for a command that cannot be carried out as it was typed


class UsageError(PufferBenchError):
    """The command line asks for something impossible; the message says what would be right."""


def main(arguments: list[str] | None = None) -> int:
    """Run ``puffer`` with ``arguments`` (default: the process's own); returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"pufferbench {pufferbench.__version__}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        hint = did_you_mean(command, COMMANDS)
        print(f"puffer: unknown command {command!r}{hint} (it has: {', '.join(COMMANDS)})", file=sys.stderr)
        return USAGE_ERROR
    try:
        return import_module(COMMANDS[command][0]).main(rest)
    except PufferBenchError as error:  # what we say ourselves needs no traceback
        print(f"puffer {command}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print(f"\npuffer {command}: interrupted", file=sys.stderr)
        return 130  # what a shell reports for a program ended by Ctrl-C


def _help() -> str:
    commands = "\n".join(f"  {name:<10}{line}" for name, (_, line) in COMMANDS.items())
    return (
        f"puffer {pufferbench.__version__}: learn, teach and do reinforcement learning.\n\n"
        f"usage: puffer COMMAND ...\n\n{commands}\n\n"
        "puffer COMMAND --help has each command's options; "
        "puffer train ENV --help also the environment's own."
    )
