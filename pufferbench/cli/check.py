"""``puffer check``: does an environment keep its word?"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import tyro

from pufferbench.check import check_env
from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console


@dataclass
class CheckOptions:
    """Play an environment with random actions and say what is wrong with it; the exit status is 1 then."""

    env: Annotated[str, tyro.conf.Positional]
    """A name (puffer envs lists them), or my_module:MyEnv for a class or function of your own."""


def main(arguments: list[str]) -> int:
    """Prints the report."""
    options = tyro.cli(CheckOptions, args=arguments, prog="puffer check")
    report = check_env(_own(options.env) if ":" in options.env else options.env)
    console().print(str(report), highlight=False, markup=False, soft_wrap=True)
    return 0 if report.ok else 1


def _own(place: str) -> Any:
    """The class or function at ``module:name``; modules of the current folder are found."""
    module, _, name = place.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"there is no {place}: {error}") from error
