"""What a training leaves behind: a run folder, and the formats of the files in it.

::

    runs/ocean-breakout-20260131-142500/
        config.toml      what was trained, with which options (names and numbers, never code)
        metrics.jsonl    one metrics record (a flat JSON object) per line, one line per update
        checkpoints/     update_00000050.safetensors, ...

Files are written to a temporary name, flushed to the disk and renamed, so that a reader never meets half
a file, and a failure (a full disk, a killed process) leaves the previous one as it was.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import tempfile
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.errors import PufferBenchError

Record = dict[str, Any]
SUFFIX = ".safetensors"
_FORMAT = "pufferbench-checkpoint"
_VERSION = 1


class RunError(PufferBenchError):
    """A run folder cannot be read or written."""


class CheckpointError(PufferBenchError):
    """A checkpoint cannot be written, or read, or does not fit."""


# -- atomic writes ------------------------------------------------------------------------------


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file or nothing. Raises OSError; the previous file, if any, is then still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def plain(value: Any, where: str = "value") -> Any:
    """``value`` in types that JSON and TOML share. Raises TypeError for what is not data.

    NumPy and torch scalars and arrays become numbers and lists; NaN and infinities, which JSON has no
    word for, become None.
    """
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # numpy and torch
        return plain(value.tolist(), where)
    raise TypeError(
        f"{where} is a {type(value).__name__}; only numbers, strings, lists and dicts can be stored"
    )


# -- checkpoints --------------------------------------------------------------------------------


def checkpoint_path(path: str | os.PathLike[str]) -> Path:
    """``path`` with the suffix .safetensors added where it has none."""
    path = Path(path)
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def save_checkpoint(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write named arrays and a JSON-able header as one safetensors file.

    Raises:
        CheckpointError: it cannot be written; the previous file at ``path`` is untouched.
    """
    from safetensors.numpy import save

    text = json.dumps({**plain(header, "header"), "format": _FORMAT, "version": _VERSION}, allow_nan=False)
    # safetensors writes memory as it lies, so each array must lie in C order
    data = save({name: array.copy(order="C") for name, array in arrays.items()}, {"pufferbench": text})
    existed = path.exists()
    try:
        write_atomic(path, data)
    except OSError as error:
        kept = "; the previous checkpoint of this name is unharmed" if existed else ""
        raise CheckpointError(
            f"cannot write checkpoint {path} ({len(data) / 1e6:.1f} MB): {error.strerror or error}{kept}"
        ) from error


def load_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """``(arrays, header)`` of a file written by :func:`save_checkpoint`. Data only: nothing in it is run.

    Raises:
        CheckpointError: the file is missing, cut short, damaged, or not one of ours.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        text = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get("pufferbench")
        header = None if text is None else json.loads(text)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a usable checkpoint: it is damaged, cut short, or of another format "
            f"(a safetensors file is expected; pickles are never opened): {error}"
        ) from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise CheckpointError(f"{path} is a safetensors file, but not a checkpoint of PufferBench")
    if header.get("version") != _VERSION:
        raise CheckpointError(
            f"{path} has checkpoint version {header.get('version')}, this PufferBench reads {_VERSION}; "
            "update PufferBench"
        )
    return arrays, header


def versions() -> dict[str, str]:
    """Versions of what decides the numbers of a training."""
    found = {"python": platform.python_version()}
    for package in ("pufferbench", "torch", "numpy", "numba", "gymnasium"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


# -- the run folder -----------------------------------------------------------------------------


class RunFolder:
    """The folder of one training. Make one with :meth:`create`, read one back with :meth:`open`.

    Attributes:
        path: the folder.
        config: what config.toml says, a dict by section.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config
        self._last_update: int | None = None

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: Mapping[str, Any]) -> RunFolder:
        """A new run folder, or the one already there (then its own config.toml stays)."""
        folder = Path(path)
        if (folder / "config.toml").exists():
            return cls.open(folder)
        try:
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            write_atomic(folder / "config.toml", toml(config).encode("utf-8"))
        except OSError as error:
            raise RunError(f"cannot make run folder {folder}: {error.strerror or error}") from error
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """The run in an existing folder.

        Raises:
            RunError: there is none, or its config.toml is damaged.
        """
        folder = Path(path)
        try:
            config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"{folder} is not a run folder: it has no readable config.toml") from error
        except ValueError as error:
            raise RunError(f"{folder / 'config.toml'} is damaged: {error}") from error
        return cls(folder, config)

    @property
    def records(self) -> list[Record]:
        """All metrics records. A last line that was only half written (a killed run) is left out."""
        return read_records(self.path / "metrics.jsonl")

    @property
    def checkpoints(self) -> list[Path]:
        """All checkpoints, the latest last."""
        return sorted((self.path / "checkpoints").glob(f"update_*{SUFFIX}"))

    @property
    def latest_checkpoint(self) -> Path | None:
        """The checkpoint of the highest update, or None."""
        return next(iter(reversed(self.checkpoints)), None)

    def checkpoint_path(self, update: int) -> Path:
        """Where the checkpoint taken after ``update`` goes."""
        return self.path / "checkpoints" / f"update_{update:08d}{SUFFIX}"

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one record to metrics.jsonl.

        Raises:
            RunError: the disk refuses, or the run already has this update (it was not resumed).
        """
        if self._last_update is None:
            self._last_update = max((each.get("update", 0) for each in self.records), default=0)
            self._drop_half_line()
        if record["update"] <= self._last_update:
            raise RunError(
                f"run folder {self.path} already has update {self._last_update}, so update {record['update']} "
                "cannot be added: load its latest checkpoint to go on with it, or choose another folder"
            )
        line = json.dumps(plain(record, "record"), allow_nan=False) + "\n"
        try:
            with open(self.path / "metrics.jsonl", "ab") as file:
                file.write(line.encode("utf-8"))
        except OSError as error:
            self._last_update = None  # part of the line may be there: look again before the next one
            raise RunError(
                f"cannot add to metrics.jsonl of {self.path}: {error.strerror or error}"
            ) from error
        self._last_update = record["update"]

    def rewind(self, update: int) -> None:
        """Forget the records after ``update``: the run goes on from there and will write them anew."""
        kept = [record for record in self.records if record.get("update", 0) <= update]
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in kept)
        try:
            write_atomic(self.path / "metrics.jsonl", lines.encode("utf-8"))
        except OSError as error:
            raise RunError(f"cannot write metrics.jsonl of {self.path}: {error.strerror or error}") from error
        self._last_update = max((each.get("update", 0) for each in kept), default=0)

    def _drop_half_line(self) -> None:
        """Cut off what a killed process left after the last complete line."""
        with contextlib.suppress(FileNotFoundError), open(self.path / "metrics.jsonl", "rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def read_records(path: Path) -> list[Record]:
    """The records of a metrics.jsonl, without a half-written last line.

    Raises:
        RunError: a line within is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    records = []
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline is not complete
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise RunError(f"{path}, line {number} is damaged: {error}") from error
    return records


def toml(sections: Mapping[str, Any]) -> str:
    """TOML text of plain values, by section; None is left out (TOML has no word for it)."""
    sections = plain(sections, "config")
    lines = [f"{_key(name)} = {_value(value)}" for name, value in sections.items() if not _absent(value)]
    for name, table in sections.items():
        if isinstance(table, dict):
            lines += ["", f"[{_key(name)}]"]
            lines += [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]
    return "\n".join(lines).lstrip("\n") + "\n"


def _absent(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):  # a JSON string is a TOML string, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value if item is not None) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    return repr(value)
