"""The trainer's options: one dataclass whose field docstrings are the documentation, the CLI's help
and the sliders' tooltips.

:class:`TrainConfig` declares them, :func:`describe` reads them back, :func:`resolve` checks the values and
works out the ones left to it (None).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from pufferbench.errors import did_you_mean
from pufferbench.options import ConfigError as ConfigError
from pufferbench.options import Option as Option
from pufferbench.options import describe, option


@dataclass(frozen=True)
class TrainConfig:
    """Options of :class:`pufferbench.PuffeRL`. PPO: Schulman et al. (2017), https://arxiv.org/abs/1707.06347."""

    total_timesteps: int = option(10_000_000, low=1, unit="steps", log=True)
    """Steps to train for, counted over all agents. The learning rate's schedule ends there."""

    batch_size: int | None = option(None, low=1, unit="steps")
    """Steps collected per update: agents x bptt_horizon. None: as bptt_horizon says."""

    minibatch_size: int | None = option(None, low=1, unit="steps")
    """Steps per gradient step; must divide batch_size. None: a quarter of the batch, at most 8192."""

    max_minibatch_size: int | None = option(None, low=1, unit="steps")
    """Steps in memory at a time: a larger minibatch is gone through in parts whose gradients add up to the same.
    For policies whose minibatches do not fit. None: whole minibatches. The fused learner has small parts anyway."""

    bptt_horizon: int | None = option(None, low=1, unit="steps")
    """Steps of each agent per update. None: batch_size / agents, or 64 and at least 4096 steps in all."""

    update_epochs: int = option(1, low=1, high=32, live=True)
    """How often each update goes through its batch. More learns more per step, and is less stable."""

    learning_rate: float = option(3e-3, low=1e-7, high=1.0, live=True, log=True)
    """Step size of the optimizer. The first knob to turn: too high and learning collapses."""

    lr_schedule: str = option("constant", choices=("constant", "linear", "cosine"))
    """How the learning rate gets from its value to 0 at total_timesteps: not at all, in a straight line, or along half
    a cosine, which stays high for longer and ends gently (Loshchilov & Hutter, 2017, arXiv 1608.03983)."""

    optimizer: str = option("adam", choices=("adam", "muon"))
    """What makes steps of gradients. adam scales each weight by itself (Kingma & Ba, 2015, arXiv 1412.6980); muon turns
    the gradient of each hidden matrix into one that moves all directions equally (Jordan et al., 2024,
    kellerjordan.github.io/posts/muon), and takes AdamW for the rest. A step costs more: for large minibatches."""

    gamma: float = option(0.99, low=0.0, high=1.0, live=True)
    """Discount: a reward that comes n steps later counts gamma^n. 0.99 looks about 100 steps ahead."""

    gae_lambda: float = option(0.95, low=0.0, high=1.0, live=True)
    """Generalised advantage estimation: 0 trusts the value function (bias), 1 the rewards seen (noise)."""

    advantage: str = option("gae", choices=("gae", "puff"))
    """How advantages are estimated: once per update (gae; Schulman et al., 2016, arXiv 1506.02438); or anew for each
    minibatch, with corrections for what the policy has changed since it played (puff; PufferLib's blend of gae and
    V-trace, Espeholt et al., 2018, arXiv 1802.01561)."""

    rho_clip: float = option(1.0, low=0.0, high=100.0, live=True, needs=("advantage", "puff"))
    """Puff advantage: the most that a step's own error counts, whatever more likely its action has become."""

    c_clip: float = option(1.0, low=0.0, high=100.0, live=True, needs=("advantage", "puff"))
    """Puff advantage: the most that what came after a step counts for it; 0 looks one step ahead only."""

    reward_clip: float = option(0.0, low=0.0, high=1e6, live=True)
    """Rewards beyond this size, of either sign, are cut to it for learning (Mnih et al., 2015, cut at 1); 0: not at
    all. Returns are told as the environment gave them."""

    prioritize: bool = option(False)
    """Draw minibatches from whole rows, those with large advantages more often, instead of from all steps alike
    (prioritised replay: Schaul et al., 2016, arXiv 1511.05952)."""

    prio_alpha: float = option(0.8, low=0.0, high=2.0, live=True, needs=("prioritize", True))
    """Prioritised rows: the power of a row's advantages that makes its probability; 0 draws all rows alike."""

    prio_beta0: float = option(0.2, low=0.0, high=1.0, live=True, needs=("prioritize", True))
    """Prioritised rows: how much of the bias that this brings is taken back, at first; rises to 1, all of it, at
    total_timesteps."""

    clip_coef: float = option(0.2, low=0.01, high=1.0, live=True)
    """PPO's clip: an action's probability gains nothing by moving by more than this fraction per update."""

    vf_coef: float = option(0.5, low=0.0, high=10.0, live=True)
    """Weight of the value function's squared error in the loss."""

    vf_clip_coef: float = option(0.0, low=0.0, high=10.0)
    """The value function's clip: it gains nothing by moving by more than this per update, in deviations of the returns
    (Schulman et al., 2017, as implemented; of doubtful use: Andrychowicz et al., 2021, arXiv 2006.05990); 0: none."""

    ent_coef: float = option(0.01, low=0.0, high=1.0, live=True)
    """Weight of the policy's entropy: higher explores more, too high never settles."""

    max_grad_norm: float = option(0.5, low=1e-3, high=100.0, live=True, log=True)
    """Gradients longer than this are shortened to it, so that one odd batch cannot throw the policy off."""

    target_kl: float = option(0.0, low=0.0, high=10.0, live=True)
    """End an update early, before the gradient step whose minibatch finds the policy farther than this KL divergence
    (nats) from the one that played; 0: never. 0.01 to 0.05 are usual."""

    normalize_advantages: bool = option(True)
    """Scale each minibatch's advantages to mean 0 and deviation 1: rewards of any size then learn alike."""

    device: str = option("cpu")
    """Where the policy runs: cpu, cuda, or cuda:0, cuda:1, ... Small policies are fastest on the CPU."""

    torch_threads: int | None = option(None, low=1, high=256, unit="threads")
    """CPU threads. None: two for the fused learner and for LSTM and GRU, whose results do not depend on them; one for
    torch, whose own are faster on a quiet machine, and very much slower on a busy one."""

    learner: str = option("auto", choices=("auto", "autograd", "fused"))
    """What computes gradients: autograd does for any policy; fused, for the standard MLP on a CPU, is several
    times as fast; auto takes fused where it can."""

    precision: str = option("float32", choices=("float32", "bfloat16"))
    """Numbers that large layers multiply, on the CPU and on CUDA. bfloat16 has 8 bits instead of 24: two to four times
    as fast where matrix products are the limit (wide layers, convolutions), for about 1 % of error. Weights, heads and
    loss stay float32, and so do an LSTM's own products on the CPU, whose kernels are as fast in it."""

    cpu_offload: bool = option(False)
    """With device=cuda: keep an update's observations in the CPU's memory and send each minibatch to the GPU, for
    pictures that would fill its memory. Slower."""

    compile: bool = option(False)
    """Compile the policy with torch.compile: slow to start, then faster, above all on CUDA."""

    seed: int = option(0, low=0, high=2**63 - 1)
    """Start of all randomness. The same seed gives the same run on the same machine."""

    checkpoint_interval: int = option(50, low=0, unit="updates")
    """Updates between checkpoints in the run folder (if there is one), with more at 1, 5, 10, 25, 50 and 75 % of the
    training; 0: only when it ends."""

    def live(self) -> dict[str, Any]:
        """The options that may change while training and do something, as they are now."""
        options = {name: about for name, about in describe(TrainConfig).items() if about.live}
        return {name: getattr(self, name) for name, about in options.items() if about.matters(self)}

    def learning_rate_at(self, global_step: int) -> float:
        """The learning rate after ``global_step`` steps."""
        if self.lr_schedule == "constant":
            return self.learning_rate
        progress = global_step / self.total_timesteps
        if progress >= 1:
            warnings.warn(
                f"training goes on beyond total_timesteps ({self.total_timesteps}) with the learning rate annealed "
                "to almost 0: give more total_timesteps, or lr_schedule='constant'",
                stacklevel=4,
            )
        left = (
            1 - progress if self.lr_schedule == "linear" else (1 + math.cos(math.pi * min(progress, 1))) / 2
        )
        return self.learning_rate * max(left, 0.001)


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
    if batch_size is not None and horizon is not None and rows <= batch_size < rows * horizon:
        raise ConfigError(
            f"bptt_horizon {horizon} is longer than the batch: {rows} agents x {horizon} steps = {rows * horizon}, "
            f"more than batch_size {batch_size}; take bptt_horizon {batch_size // rows}, or leave one of the two out"
        )
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
    counts = chain(range(fewest, 8 * fewest), range(fewest, 0, -1))
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
