"""The trainer's options: one dataclass whose field docstrings are the documentation, the CLI's help
and the sliders' tooltips.

:class:`TrainConfig` declares them, :func:`describe` reads them back, :func:`resolve` checks the values and
works out the ones left to it (None).
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, get_type_hints

from pufferbench.errors import PufferBenchError, did_you_mean


class ConfigError(PufferBenchError, ValueError):
    """An option is unknown or its value impossible."""


@dataclass(frozen=True)
class Option:
    """What is known about one option.

    Attributes:
        name: the field's name.
        type: ``int``, ``float``, ``bool`` or ``str`` (of the value when it is not None).
        default: the value when nothing else is said; None: worked out from the rest.
        doc: the docstring under the field, on one line ("" where the source is not at hand).
        low, high: the smallest and largest value accepted, both included; None: no bound.
        unit: of the value, "" for pure numbers.
        live: True when it may be changed while training.
        log: True when a slider for it should be logarithmic.
        choices: the accepted values; empty: any within the bounds.
    """

    name: str
    type: type
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    live: bool = False
    log: bool = False
    choices: tuple[Any, ...] = ()

    def check(self, value: Any) -> Any:
        """``value`` as this option's type. Raises :class:`ConfigError` when it is impossible."""
        if value is None and self.default is None:
            return None
        value = self._convert(value)
        if self.choices and value not in self.choices:
            hint = did_you_mean(str(value), map(str, self.choices))
            known = ", ".join(map(str, self.choices))
            raise ConfigError(f"{self.name} must be one of {known}, not {value!r}{hint}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{self.name} must be a finite number, not {value}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ConfigError(f"{self.name} must be {self._range()}, not {value!r}")
        return value

    def _convert(self, value: Any) -> Any:
        """Accept what means the same (numpy scalars, 1e6 for an int), nothing that only looks like it."""
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = value.item()
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if self.type is int and isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, self.type) or (isinstance(value, bool) and self.type is not bool):
            kinds = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}
            raise ConfigError(f"{self.name} must be {kinds[self.type]}, not {value!r}")
        return value

    def _range(self) -> str:
        if self.high is None:
            return f"at least {self.low:g}"
        if self.low is None:
            return f"at most {self.high:g}"
        return f"between {self.low:g} and {self.high:g}"


def option(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    live: bool = False,
    log: bool = False,
    choices: Iterable[Any] = (),
) -> Any:
    """A dataclass field with what :class:`Option` says about it; its docstring goes under the field."""
    about = {"low": low, "high": high, "unit": unit, "live": live, "log": log, "choices": tuple(choices)}
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True)
class TrainConfig:
    """Options of :class:`pufferbench.PuffeRL`. PPO: Schulman et al. (2017), https://arxiv.org/abs/1707.06347."""

    total_timesteps: int = option(10_000_000, low=1, unit="steps", log=True)
    """Steps to train for, counted over all agents. The learning rate's schedule ends there."""

    batch_size: int | None = option(None, low=1, unit="steps")
    """Steps collected per update: agents x bptt_horizon. None: as bptt_horizon says."""

    minibatch_size: int | None = option(None, low=1, unit="steps")
    """Steps per gradient step; must divide batch_size. None: a quarter of the batch, at most 8192."""

    bptt_horizon: int | None = option(None, low=1, unit="steps")
    """Steps of each agent per update. None: batch_size / agents, or 64 and at least 4096 steps in all."""

    update_epochs: int = option(1, low=1, high=32, live=True)
    """How often each update goes through its batch. More learns more per step, and is less stable."""

    learning_rate: float = option(3e-3, low=1e-7, high=1.0, live=True, log=True)
    """Step size of the Adam optimizer. The first knob to turn: too high and learning collapses."""

    anneal_lr: bool = option(False)
    """Lower the learning rate in a straight line, to reach 0 at total_timesteps."""

    gamma: float = option(0.99, low=0.0, high=1.0, live=True)
    """Discount: a reward that comes n steps later counts gamma^n. 0.99 looks about 100 steps ahead."""

    gae_lambda: float = option(0.95, low=0.0, high=1.0, live=True)
    """Generalised advantage estimation: 0 trusts the value function (bias), 1 the rewards seen (noise)."""

    clip_coef: float = option(0.2, low=0.01, high=1.0, live=True)
    """PPO's clip: an action's probability gains nothing by moving by more than this fraction per update."""

    vf_coef: float = option(0.5, low=0.0, high=10.0, live=True)
    """Weight of the value function's squared error in the loss."""

    ent_coef: float = option(0.01, low=0.0, high=1.0, live=True)
    """Weight of the policy's entropy: higher explores more, too high never settles."""

    max_grad_norm: float = option(0.5, low=1e-3, high=100.0, live=True, log=True)
    """Gradients longer than this are shortened to it, so that one odd batch cannot throw the policy off."""

    normalize_advantages: bool = option(True)
    """Scale each minibatch's advantages to mean 0 and deviation 1: rewards of any size then learn alike."""

    device: str = option("cpu")
    """Where the policy runs: cpu, cuda, or cuda:0, cuda:1, ... Small policies are fastest on the CPU."""

    torch_threads: int = option(1, low=1, high=256, unit="threads")
    """CPU threads for torch. More are faster on a quiet machine, and very much slower on a busy one."""

    learner: str = option("auto", choices=("auto", "autograd", "fused"))
    """What computes gradients: autograd does for any policy; fused, for the standard MLP on a CPU, is several
    times as fast; auto takes fused where it can."""

    precision: str = option("float32", choices=("float32", "bfloat16"))
    """Numbers that large layers multiply, on the CPU and on CUDA. bfloat16 has 8 bits instead of 24: two to four times
    as fast where matrix products are the limit (LSTMs, wide layers, convolutions), for about 1 % of error. Weights,
    heads and loss stay float32."""

    cpu_offload: bool = option(False)
    """With device=cuda: keep an update's observations in the CPU's memory and send each minibatch to the GPU, for
    pictures that would fill its memory. Slower."""

    compile: bool = option(False)
    """Compile the policy with torch.compile: slow to start, then faster, above all on CUDA."""

    seed: int = option(0, low=0, high=2**63 - 1)
    """Start of all randomness. The same seed gives the same run on the same machine."""

    checkpoint_interval: int = option(50, low=0, unit="updates")
    """Updates between checkpoints in the run folder (if there is one); 0: only when training ends."""

    def live(self) -> dict[str, Any]:
        """The options that may change while training, as they are now."""
        return {name: getattr(self, name) for name, about in describe(TrainConfig).items() if about.live}

    def learning_rate_at(self, global_step: int) -> float:
        """The learning rate after ``global_step`` steps."""
        if not self.anneal_lr:
            return self.learning_rate
        if global_step >= self.total_timesteps:
            warnings.warn(
                f"training goes on beyond total_timesteps ({self.total_timesteps}) with the learning rate annealed "
                "to almost 0: give more total_timesteps, or anneal_lr=False",
                stacklevel=4,
            )
        return self.learning_rate * max(1 - global_step / self.total_timesteps, 0.001)


@cache
def describe(config_class: type) -> dict[str, Option]:
    """Every option of a config dataclass by name, in the order of the class."""
    docs, types = _field_docs(config_class), get_type_hints(config_class)
    options = {}
    for field in fields(config_class):
        kinds = [kind for kind in getattr(types[field.name], "__args__", ()) if kind is not type(None)]
        options[field.name] = Option(
            name=field.name,
            type=kinds[0] if kinds else types[field.name],
            default=field.default,
            doc=docs.get(field.name, ""),
            **field.metadata,
        )
    return options


def _field_docs(config_class: type) -> dict[str, str]:
    """The string under each field. Python drops them when it compiles, so they are read from the source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(config_class)))
    except (OSError, TypeError, SyntaxError):
        return {}  # no source (a frozen application, a notebook cell): options work, without their texts
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs = {}
    for field, text in zip(body, body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            docs[field.target.id] = " ".join(str(text.value.value).split())
    return docs


def check_options(values: Mapping[str, Any], *, live_only: bool = False) -> dict[str, Any]:
    """``values`` as their options' types; :class:`ConfigError` for the first unknown or impossible one.

    Args:
        live_only: also refuse options that cannot change while training.
    """
    options = describe(TrainConfig)
    checked = {}
    for name, value in values.items():
        if name not in options:
            hint = did_you_mean(name, options)
            raise ConfigError(f"unknown option {name!r}{hint} (all of them: {', '.join(options)})")
        # 'device' is no slider, but can move at an update boundary too
        if live_only and not options[name].live and name != "device":
            live = ", ".join(other for other, about in options.items() if about.live)
            raise ConfigError(f"{name} cannot change while training; these can: {live}, device")
        checked[name] = options[name].check(value)
    return checked


def resolve(explicit: Mapping[str, Any], preset: Mapping[str, Any], rows: int) -> TrainConfig:
    """The complete, checked config of a training with ``rows`` agents.

    What the user says (``explicit``) goes over the ``preset``, which goes over the defaults; sizes of the
    preset that do not fit sizes of the user's are worked out anew.
    """
    explicit, preset = check_options(explicit), check_options(preset)
    given = {name for name, value in explicit.items() if value is not None}
    if given & {"batch_size", "bptt_horizon"}:
        preset = {name: value for name, value in preset.items() if name not in ("batch_size", "bptt_horizon")}
    config = TrainConfig(**{**preset, **explicit})
    horizon = _horizon(config.batch_size, config.bptt_horizon, rows)
    batch_size = rows * horizon
    minibatch_size = config.minibatch_size
    if minibatch_size is not None and batch_size % minibatch_size:
        if "minibatch_size" in given:
            raise ConfigError(
                f"minibatch_size {minibatch_size} does not divide batch_size {batch_size} "
                f"({rows} agents x bptt_horizon {horizon}); try {_minibatch_size(batch_size)}"
            )
        minibatch_size = None
    if minibatch_size is None:
        minibatch_size = _minibatch_size(batch_size)
    return replace(config, batch_size=batch_size, bptt_horizon=horizon, minibatch_size=minibatch_size)


def _horizon(batch_size: int | None, horizon: int | None, rows: int) -> int:
    """Steps of each agent per update, from whichever of the two sizes is given."""
    if batch_size is not None and batch_size % rows:
        lower = batch_size // rows * rows
        near = f"{lower} or {lower + rows}" if lower else f"{rows}"
        raise ConfigError(f"batch_size {batch_size} is not a multiple of the env's {rows} agents; try {near}")
    if batch_size is not None and horizon is not None and batch_size != rows * horizon:
        raise ConfigError(
            f"batch_size {batch_size} and bptt_horizon {horizon} contradict each other: "
            f"{rows} agents x {horizon} steps = {rows * horizon}; give one of the two"
        )
    if horizon is not None:
        return horizon
    if batch_size is not None:
        return batch_size // rows
    enough = math.ceil(4096 / rows)
    return max(64, -(-enough // 4) * 4)  # a multiple of 4, so that four minibatches always fit


def _minibatch_size(batch_size: int) -> int:
    """About a quarter of the batch, at most about 8192; a divisor in any case."""
    fewest = max(4, math.ceil(batch_size / 8192))
    counts = (*range(fewest, 8 * fewest), *range(fewest, 0, -1))
    count = next(n for n in counts if batch_size % n == 0)
    return batch_size // count


def check_device(name: str) -> str:
    """``name`` when torch can use it here; otherwise a :class:`ConfigError` that says why not."""
    import torch  # here: reading the options (CLI help, sliders) needs no torch

    kind, colon, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and (kind == "cpu" or not index.isdecimal())):
        raise ConfigError(f"device must be cpu, cuda or cuda:0, cuda:1, ..., not {name!r}")
    if kind == "cpu":
        return name
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        raise ConfigError(f"device {name!r}: torch {torch.__version__} is built for the CPU only; use 'cpu'")
    if not torch.cuda.is_available():
        raise ConfigError(f"device {name!r}: torch finds no CUDA GPU (no driver, or none visible); use 'cpu'")
    if index and int(index) >= torch.cuda.device_count():
        raise ConfigError(f"device {name!r}: there are {torch.cuda.device_count()} GPUs, counted from cuda:0")
    return name


class Requests:
    """Checked changes of options that wait for the next update. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Any] = {}
        self._by: dict[str, str] = {}  # who wants it, where that was said

    def add(self, changes: Mapping[str, Any], by: str = "") -> None:
        """Raises :class:`ConfigError` at once, in the caller's thread; then nothing is added."""
        checked = check_options(changes, live_only=True)
        if "device" in checked:
            check_device(checked["device"])
        with self._lock:
            self._waiting.update(checked)
            self._by.update(dict.fromkeys(checked, by))

    @property
    def waiting(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._waiting)

    def apply(self, config: TrainConfig) -> tuple[TrainConfig, dict[str, dict[str, Any]]]:
        """``(new config, changes)``, where changes are ``{name: {"old": ..., "new": ...}}``.

        A change that somebody put their name to (``by``) has that too.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            by, self._by = self._by, {}
        changes = {}
        for name, new in waiting.items():
            if new != (old := getattr(config, name)):
                changes[name] = {"old": old, "new": new} | ({"by": by[name]} if by[name] else {})
        return replace(config, **waiting), changes


class LiveOption:
    """An attribute of the trainer: ``trainer.learning_rate = 1e-4`` is ``trainer.request(learning_rate=1e-4)``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, trainer: Any, owner: type | None = None) -> Any:
        if trainer is None:
            return self
        return trainer.pending.get(self.name, getattr(trainer.config, self.name))

    def __set__(self, trainer: Any, value: Any) -> None:
        trainer.request(**{self.name: value})
