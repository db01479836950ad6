"""``puffer doctor``: what is installed, what this machine offers, what is wrong and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

import pufferbench
from pufferbench.cli.terminal import console
from pufferbench.system import cores

SECONDS = 20  # of training on each device


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``mend`` says what to do, and is empty where nothing is wrong."""

    subject: str
    value: str
    mend: str = ""


@dataclass
class DoctorOptions:
    """Say what is installed, and what is wrong; the exit status is 1 when something is."""

    gpu: bool = False
    """Also train Breakout, 20 s on the CPU and 20 s on the GPU, and say how fast each was."""


def main(arguments: list[str]) -> int:
    """Runs every check; one that fails itself is reported as a finding."""
    options = tyro.cli(
        DoctorOptions, args=arguments, prog="puffer doctor", config=(tyro.conf.FlagCreatePairsOff,)
    )
    screen = console()
    if options.gpu:
        screen.print(f"Training Breakout, {SECONDS} s on each device ...")
    return report(list(examine(training=options.gpu)), screen)


def report(findings: list[Finding], screen: Console) -> int:
    """Print the findings, then what is wrong; 1 when something is."""
    table = Table(show_header=False)
    for finding in findings:
        mark = "[red]✗[/]" if finding.mend else "[green]✓[/]"
        table.add_row(mark, finding.subject, finding.value)
    screen.print(table, highlight=False)
    wrong = [finding for finding in findings if finding.mend]
    for finding in wrong:
        screen.print(f"[red]{finding.subject}[/]: {finding.mend}", highlight=False)
    if not wrong:
        screen.print("Nothing is wrong.")
    return 1 if wrong else 0


def examine(training: bool = False) -> Iterator[Finding]:
    """All findings, in the order of the report.

    Args:
        training: whether to train a little, too.
    """
    checks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        _packages,
        _cores,
        _cuda,
        _environments,
        _kernel_cache,
        _ffmpeg,
        _jupyter,
        *([_training] if training else []),
    ]
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # a report that stops at the first trouble would be no report
            subject = check.__name__.strip("_").replace("_", " ")
            yield Finding(
                subject, f"{type(error).__name__}: {error}", "this check failed; see the error above"
            )


def _python() -> Iterator[Finding]:
    yield Finding("pufferbench", f"{pufferbench.__version__} in {Path(pufferbench.__file__).parent}")
    mend = "" if sys.version_info >= (3, 11) else "PufferBench needs Python 3.11 or newer"
    yield Finding("Python", f"{platform.python_version()} in {sys.prefix}, {platform.platform()}", mend)


def _packages() -> Iterator[Finding]:
    """The versions of what we depend on, by the package's own list."""
    from packaging.requirements import Requirement

    for text in requires("pufferbench") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Finding(requirement.name, "missing", f"pip install '{requirement}'")
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        mend = "" if fits else f"{found} does not satisfy {requirement}: pip install '{requirement}'"
        yield Finding(requirement.name, found, mend)


def _cores() -> Iterator[Finding]:
    total, usable = os.cpu_count() or 1, cores()
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    reasons = []
    if affinity < total:
        reasons.append(f"affinity allows {affinity}")
    if usable < affinity:
        reasons.append(f"the container's CPU quota allows {usable}")
    why = f" of {total}: {', '.join(reasons)}" if reasons else ""
    threads = os.environ.get("OMP_NUM_THREADS")
    told = f"; OMP_NUM_THREADS={threads}" if threads else ""
    yield Finding("cores", f"{usable}{why}{told}")


def _cuda() -> Iterator[Finding]:
    """Having no GPU is nothing to mend: everything works on a CPU."""
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        yield Finding("CUDA", f"{torch.version.cuda}: {names}")
    else:
        from pufferbench.config import ConfigError, check_device

        try:
            check_device("cuda")
        except ConfigError as error:
            yield Finding("CUDA", f"none ({error})")


def _environments() -> Iterator[Finding]:
    from pufferbench.registry import list_envs, spec

    names = list_envs()
    broken = []
    for name in names:
        try:
            spec(name).creator()
        except Exception as error:
            broken.append(f"{name}: {type(error).__name__}: {error}")
    if not names:
        yield Finding("environments", "none", "the installation is incomplete: pip install --force-reinstall")
    else:
        yield Finding("environments", f"{len(names)} registered", "; ".join(broken))


def _kernel_cache() -> Iterator[Finding]:
    from ocean_numba.cache import cache_dir

    folder = cache_dir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    free = shutil.disk_usage(folder).free / 1e9
    mend = ""
    if folder.name != "kernels":  # cache_dir() fell back to a temporary folder
        mend = (
            "the cache folder cannot be written, so games compile anew in every process (2 s each): "
            "make it yours, or set PUFFERBENCH_CACHE to a folder that is"
        )
    elif free < 0.1:
        mend = "the disk is full: kernels, runs and checkpoints cannot be saved"
    yield Finding("kernel cache", f"{folder}, {len(files)} files, {size:.1f} MB, {free:.0f} GB free", mend)


def _ffmpeg() -> Iterator[Finding]:
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
        yield Finding("ffmpeg", f"{imageio_ffmpeg.get_ffmpeg_version()} in {program}")
    except RuntimeError as error:
        yield Finding(
            "ffmpeg", f"none ({error})", "MP4 needs it: pip install imageio-ffmpeg; GIF works without"
        )


def _jupyter() -> Iterator[Finding]:
    """The browser's half of the widgets: without it a panel shows as text."""
    from jupyter_core.paths import jupyter_path

    for name, package in (
        ("@jupyter-widgets/jupyterlab-manager", "jupyterlab_widgets"),
        ("anywidget", "anywidget"),
    ):
        places = [Path(folder) / name for folder in jupyter_path("labextensions")]
        found = next((place for place in places if (place / "package.json").is_file()), None)
        mend = "" if found else f"widgets will not show: pip install --force-reinstall {package}"
        yield Finding(f"JupyterLab extension {name}", str(found or "missing"), mend)


def _training() -> Iterator[Finding]:
    """A GPU that is slower than the CPU is nothing to mend: small policies are, and the numbers say so."""
    from pufferbench.bench_device import Trained, compare

    for found in compare(SECONDS, "ocean-breakout"):
        if isinstance(found, Trained):
            learned = found.last > found.first
            yield Finding(
                f"training on {found.device}",
                f"{found.sps / 1e6:.2f} M steps/s ({found.learner}); in {found.seconds:.0f} s the mean return went "
                f"from {found.first:.3g} to {found.last:.3g}",
                "" if learned else "it did not learn: please report it, with this output",
            )
        else:
            yield Finding("training on cuda", f"left out: {found}")
