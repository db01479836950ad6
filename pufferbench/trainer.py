"""PuffeRL: proximal policy optimisation, to be read from top to bottom beside the paper.

Schulman et al. (2017), "Proximal policy optimization algorithms", https://arxiv.org/abs/1707.06347, with
the details of Huang et al. (2022), "The 37 implementation details of PPO". Each update is

    evaluate()      play ``bptt_horizon`` steps with every agent and remember them
    train()         estimate the advantages, then ``update_epochs`` passes of minibatch gradient steps
    mean_and_log()  one flat record of what happened

The arithmetic (advantages, loss) is in kernels.py, sampling in pytorch.py, files in records.py.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from pufferbench import policies, records, registry
from pufferbench.config import ConfigError, TrainConfig, check_device, check_options, describe, resolve
from pufferbench.env import PufferEnv, game_seed
from pufferbench.errors import PufferBenchError
from pufferbench.kernels import LOSS_STATISTICS, advantages, explained_variance, ppo_loss
from pufferbench.pytorch import Logits, draw_noise, sample, torch_threads
from pufferbench.records import CheckpointError, Record, RunFolder
from pufferbench.system import cores

RESUME_NOTE = (
    "weights, optimizer, schedule and counters are restored; the environments' states are not, their "
    "episodes begin anew"
)


class StopTraining(Exception):
    """Raised by a gate to leave evaluate() or train() at once; the trainer can go on afterwards."""


class NonFiniteLoss(PufferBenchError):
    """The loss or a gradient became NaN or infinite. The weights are those of the last good step."""


@dataclass(frozen=True)
class Snapshot:
    """The policy's weights (copies, on the CPU) at an update boundary: what views play with."""

    update: int
    global_step: int
    weights: dict[str, Tensor]


class LiveOption:
    """``trainer.learning_rate = 1e-4`` means ``trainer.request(learning_rate=1e-4)``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, trainer: PuffeRL, owner: type | None = None) -> Any:
        return trainer.pending.get(self.name, getattr(trainer.config, self.name))

    def __set__(self, trainer: PuffeRL, value: Any) -> None:
        trainer.request(**{self.name: value})


class Stopwatch:
    """Splits the time of an update: ``lap(name)`` books the time since the last lap under ``name``."""

    def start(self) -> None:
        self.times: dict[str, float] = defaultdict(float)
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.times[name] += now - self._last
        self._last = now


class Rollout:
    """The experience of one update, time-major: ``[horizon, rows, ...]``.

    What the policy reads and writes lies on its device; what the environment reports lies on the CPU,
    where it is made, and moves once per update.
    """

    def __init__(self, env: PufferEnv, horizon: int, device: torch.device) -> None:
        rows, num_actions = env.num_agents, len(policies.output_sizes(env.action_space))
        continuous = isinstance(env.action_space, spaces.Box)
        shape: tuple[int, ...] = () if isinstance(env.action_space, spaces.Discrete) else (num_actions,)
        self.actions = torch.zeros(
            (horizon, rows, *shape), dtype=torch.float32 if continuous else torch.int64, device=device
        )
        kind = torch.uint8 if env.observation_space.dtype == np.uint8 else torch.float32
        self.observations = torch.zeros((horizon, rows, *env.observations.shape[1:]), dtype=kind, device=device)
        self.logprobs = torch.zeros((horizon, rows), device=device)
        self.values = torch.zeros((horizon + 1, rows), device=device)
        self.rewards = torch.zeros(horizon, rows)
        self.terminals = torch.zeros(horizon, rows, dtype=torch.bool)
        self.truncations = torch.zeros(horizon, rows, dtype=torch.bool)
        self.masks = torch.zeros(horizon + 1, rows, dtype=torch.bool)
        self.action_masks: Tensor | None = None
        if env.action_masks is not None:
            legal = torch.from_numpy(env.action_masks)
            self.action_masks = torch.zeros((horizon, *legal.shape), dtype=torch.bool, device=device)
        self.finals: list[np.ndarray] = []  # final observations of truncated rows, step by step
        self.complete = False


class PuffeRL:
    """Trains a policy in an environment with PPO.

    Args:
        env: a PufferEnv, or the name of a registered one (made with its preset's ``[env]`` settings).
        policy: a torch module (see :mod:`pufferbench.policies`) or the name of one; None: an MLP.
        logger: gets every metrics record, see :mod:`pufferbench.loggers`.
        run_dir: folder for config, metrics and checkpoints; None writes nothing.
        config: options of :class:`pufferbench.TrainConfig`. They go over the env's preset, if it has
            one, which goes over the defaults.

    Raises:
        ConfigError: an option is unknown or impossible.

    Attributes:
        config: the options in force. Live ones change by :meth:`request`, or simply by
            ``trainer.learning_rate = 1e-4``, at the next update.
        update, global_step: updates done, and steps in them, counted over all agents.
        snapshot: the weights at the last update boundary.
        gate: called before every env step and every minibatch; it may block (a pause) or raise
            :class:`StopTraining`. The partly done update is dropped, the trainer stays usable.
        last_record: what :meth:`mean_and_log` returned last.
    """

    learning_rate = LiveOption()
    update_epochs = LiveOption()
    gamma = LiveOption()
    gae_lambda = LiveOption()
    clip_coef = LiveOption()
    vf_coef = LiveOption()
    ent_coef = LiveOption()
    max_grad_norm = LiveOption()

    def __init__(
        self,
        env: PufferEnv | str | None = None,
        policy: nn.Module | str | None = None,
        logger: Any = None,
        run_dir: str | PathLike[str] | None = None,
        **config: Any,
    ) -> None:
        check_options(config)  # before anything is made
        self._owns_env = isinstance(env, str)
        if isinstance(env, str):
            env = registry.make(env, **registry.spec(env).preset().get("env", {}))
        if not isinstance(env, PufferEnv):
            raise ConfigError(f"env must be a PufferEnv (from pufferbench.make) or the name of one, not {env!r}")
        self.env = env
        preset = env.spec.preset() if env.spec is not None else {}
        self.config: TrainConfig = resolve(config, preset.get("train", {}), env.num_agents)
        self.device = torch.device(check_device(self.config.device))
        self.policy = self._make_policy(policy, preset.get("policy", {})).to(self.device)
        self.optimizer = self._make_optimizer()
        # Our own generator, on the CPU: other users of torch's global one do not disturb this training,
        # and it gives the same numbers whatever the device
        self._generator = torch.Generator().manual_seed(self.config.seed)
        self._observations, _ = env.reset(seed=self.config.seed)
        self._set_up_device()

        self.update = 0
        self.global_step = 0
        self.gate: Callable[[], None] | None = None
        self.last_record: Record = {}
        self.logger = logger
        self._lock = threading.Lock()
        self._pending: dict[str, Any] = {}
        self._changes: dict[str, dict[str, Any]] = {}
        self._subscribers: list[Callable[[Record], None]] = []
        self._elapsed = 0.0
        self._losses: dict[str, float] = {}
        self._episodes: list[np.ndarray | list[Mapping[str, Any]]] = []
        self._recent: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=100))
        self._watch = Stopwatch()
        self._last_checkpoint: Path | None = None
        self.run = None if run_dir is None else RunFolder.create(run_dir, self._description())
        self._publish()

    # -- collecting experience ------------------------------------------------------------------

    def evaluate(self) -> None:
        """Play ``bptt_horizon`` steps with every agent. Requested changes come into force first."""
        self._watch.start()
        self._apply_requests()
        rollout, env, config = self.rollout, self.env, self.config
        rollout.complete = False
        rollout.finals.clear()
        self._episodes.clear()
        assert config.bptt_horizon is not None
        box = env.action_space if isinstance(env.action_space, spaces.Box) else None
        noise = draw_noise(env.action_space, (config.bptt_horizon, env.num_agents), self._generator).to(self.device)
        self._watch.lap("policy")

        with torch.inference_mode(), torch_threads(self._threads):
            for t in range(config.bptt_horizon):
                self._wait_at_gate()
                observations = self._remember(t)
                self._watch.lap("copy")

                logits, values = self._forward(observations)
                legal = None if rollout.action_masks is None else rollout.action_masks[t]
                actions, logprobs = sample(logits, noise[t], legal)
                rollout.values[t], rollout.actions[t], rollout.logprobs[t] = values, actions, logprobs
                chosen = actions.cpu().numpy()
                if box is not None:  # the policy's own action is remembered, the env gets a legal one
                    chosen = self._clip(chosen, box)
                self._watch.lap("policy")

                self._observations, rewards, terminals, truncations, infos = env.step(chosen)
                self._watch.lap("env")

                rollout.rewards[t] = torch.from_numpy(rewards)
                rollout.terminals[t] = torch.from_numpy(terminals)
                rollout.truncations[t] = torch.from_numpy(truncations)
                if truncations.any():
                    rollout.finals.append(env.final_observations[truncations])
                if len(infos):
                    self._episodes.append(infos.records.copy() if hasattr(infos, "records") else list(infos))
                self._watch.lap("copy")

            rollout.masks[-1] = torch.from_numpy(env.masks)
            rollout.values[-1] = self._forward(torch.from_numpy(self._observations).to(self.device))[1]
            self._watch.lap("policy")
        rollout.complete = True

    def _remember(self, t: int) -> Tensor:
        """Copy what the agents see at step ``t`` into the rollout; returns it, on the policy's device."""
        rollout = self.rollout
        rollout.observations[t] = torch.from_numpy(self._observations)
        rollout.masks[t] = torch.from_numpy(self.env.masks)
        if rollout.action_masks is not None:
            rollout.action_masks[t] = torch.from_numpy(self.env.action_masks)
        return rollout.observations[t]

    def _clip(self, actions: np.ndarray, box: spaces.Box) -> np.ndarray:
        if not np.isfinite(actions).all():
            raise self._non_finite("the policy's actions")
        return np.clip(actions.reshape(len(actions), *box.shape), box.low, box.high).astype(box.dtype, copy=False)

    # -- learning -------------------------------------------------------------------------------

    def train(self) -> None:
        """One PPO update from the experience that :meth:`evaluate` collected.

        Raises:
            NonFiniteLoss: the loss or a gradient is NaN or infinite; no such step is taken.
        """
        rollout, config = self.rollout, self.config
        if not rollout.complete:
            raise RuntimeError("train() needs fresh experience: call evaluate() first (a dropped update does not count)")
        rollout.complete = False
        self._watch.lap("other")
        with torch_threads(self._threads):
            advantage, used = self._advantages()
            returns = (advantage + rollout.values[:-1]).flatten()
            advantage = advantage.flatten()
            observations, actions = rollout.observations.flatten(0, 1), rollout.actions.flatten(0, 1)
            logprobs = rollout.logprobs.flatten()
            legal = None if rollout.action_masks is None else rollout.action_masks.flatten(0, 1)
            if used.all():
                rows = None
                count = len(returns)
            else:  # waiting rows are in no loss
                rows = used.flatten().nonzero().squeeze(1)
                count = len(rows)
            for group in self.optimizer.param_groups:
                group["lr"] = self._learning_rate_now()

            assert config.minibatch_size is not None
            totals = torch.zeros(len(LOSS_STATISTICS) + 1, device=self.device)
            minibatches = 0
            for _ in range(config.update_epochs if count else 0):
                order = torch.randperm(count, generator=self._generator).to(self.device)
                if rows is not None:
                    order = rows[order]
                for index in order.tensor_split(math.ceil(count / config.minibatch_size)):
                    self._wait_at_gate("train")
                    logits, values = self._forward(observations[index])
                    loss, statistics = ppo_loss(
                        logits,
                        values,
                        actions[index],
                        logprobs[index],
                        self._normalized(advantage[index]),
                        returns[index],
                        None if legal is None else legal[index],
                        clip_coef=config.clip_coef,
                        vf_coef=config.vf_coef,
                        ent_coef=config.ent_coef,
                    )
                    self.optimizer.zero_grad()
                    loss.backward()
                    norm = nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
                    if not math.isfinite(loss.item() + norm.item()):
                        self.optimizer.zero_grad()
                        raise self._non_finite("the loss")
                    self.optimizer.step()
                    totals[:-1] += statistics
                    totals[-1] += norm
                    minibatches += 1

            means = (totals / max(1, minibatches)).tolist()
            self._losses = dict(zip((*LOSS_STATISTICS, "grad_norm"), means, strict=True))
            before = rollout.values[:-1].flatten()
            self._losses["explained_variance"] = (
                explained_variance(before, returns) if rows is None else explained_variance(before[rows], returns[rows])
            )
            if hasattr(self.policy, "update_statistics"):
                self.policy.update_statistics(observations if rows is None else observations[rows])
        self.update += 1
        self.global_step += rollout.rewards.numel()
        self._publish()
        self._watch.lap("train")

    def _advantages(self) -> tuple[Tensor, Tensor]:
        """Advantages, and where there is one. Cut episodes are bootstrapped here, once per update."""
        rollout, config = self.rollout, self.config
        final_values = torch.zeros_like(rollout.rewards)
        if rollout.finals:
            finals = torch.from_numpy(np.concatenate(rollout.finals))
            with torch.inference_mode():
                parts = [self._forward(part.to(self.device))[1].cpu() for part in finals.split(config.minibatch_size)]
            final_values[rollout.truncations] = torch.cat(parts)  # both in order of time, then row
        reported = (rollout.rewards, rollout.terminals, rollout.truncations, final_values, rollout.masks)
        rewards, terminals, truncations, final_values, masks = (part.to(self.device) for part in reported)
        return advantages(
            rewards, rollout.values, terminals, truncations, final_values, masks, config.gamma, config.gae_lambda
        )

    def _normalized(self, advantage: Tensor) -> Tensor:
        if not self.config.normalize_advantages:
            return advantage
        return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)

    def _learning_rate_now(self) -> float:
        config = self.config
        if not config.anneal_lr:
            return config.learning_rate
        if self.global_step >= config.total_timesteps:
            warnings.warn(
                f"training goes on beyond total_timesteps ({config.total_timesteps}) with the learning rate "
                "annealed to almost 0; give more total_timesteps or anneal_lr=False",
                stacklevel=3,
            )
        return config.learning_rate * max(1 - self.progress, 0.001)

    def _forward(self, observations: Tensor) -> tuple[Logits, Tensor]:
        logits, value = self._compiled(observations)
        return logits, value.flatten()

    def _non_finite(self, what: str) -> NonFiniteLoss:
        checkpoint = self._last_checkpoint or "none was saved"
        rollout, hint = self.rollout, "lower the learning rate, or max_grad_norm"
        if not rollout.rewards.isfinite().all():
            hint = "the environment's rewards contain NaN or infinity: mend them there"
        elif not rollout.observations.float().isfinite().all():
            hint = "the environment's observations contain NaN or infinity: mend them there"
        return NonFiniteLoss(
            f"update {self.update + 1}: {what} became NaN or infinite, so the step was not taken and the weights "
            f"are still good; last checkpoint: {checkpoint}. Hint: {hint}"
        )

    # -- reporting ------------------------------------------------------------------------------

    def mean_and_log(self) -> Record:
        """The record of the last update: one flat dict of plain numbers, which is also logged and stored.

        Counters (``update, global_step, total_timesteps``), time (``elapsed, eta, time_*``, in seconds, and
        ``sps``, steps per second), means over the episodes that ended in this update
        (``episode_return, episode_length`` and the environment's own; absent when none ended) and over the last
        100 (``episode_return_100``, ...), the losses, the options in force, and ``changes`` if there were any.
        """
        if self.update == self.last_record.get("update", 0):
            return self.last_record  # nothing new
        config, times = self.config, self._watch.times
        self._watch.lap("other")
        seconds = sum(spent for name, spent in times.items() if name != "paused")
        self._elapsed += seconds
        record: Record = {
            "update": self.update,
            "global_step": self.global_step,
            "total_timesteps": config.total_timesteps,
            "elapsed": self._elapsed,
            "eta": self._elapsed / self.global_step * max(0, config.total_timesteps - self.global_step),
            "sps": self.rollout.rewards.numel() / seconds,
            **{f"time_{name}": times[name] for name in ("env", "policy", "copy", "train", "other")},
            **self._losses,
            **{name: getattr(config, name) for name, about in describe(TrainConfig).items() if about.live},
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        for name, value in self._episode_means().items():
            record[f"env_{name}" if name in record else name] = value
        if self._changes:
            record["changes"] = self._changes
            self._changes = {}
        self.last_record = record
        if self.run is not None:
            self.run.append(record)
            if config.checkpoint_interval and self.update % config.checkpoint_interval == 0:
                self.save_checkpoint()
        if self.logger is not None:
            self.logger.log(record)
        for callback in list(self._subscribers):
            callback(record)
        return record

    def _episode_means(self) -> dict[str, float]:
        ended: dict[str, list[float]] = defaultdict(list)
        for part in self._episodes:
            if isinstance(part, np.ndarray):
                for name in part.dtype.names or ():
                    ended[name].extend(part[name].tolist())
                continue
            for info in part:
                for name, value in info.items():
                    if "episode_return" in info and isinstance(value, (int, float, np.number)):
                        ended[name].append(float(value))
        means: dict[str, float] = {"episodes": len(ended["episode_return"])}
        for name, values in ended.items():
            self._recent[name].extend(values)
            if values:
                means[name] = sum(values) / len(values)
        means |= {f"{name}_100": sum(window) / len(window) for name, window in self._recent.items() if window}
        return means

    def steps(self) -> Iterator[Record]:
        """Train until ``total_timesteps``: ``for record in trainer.steps(): ...``, one record per update."""
        while self.global_step < self.total_timesteps:
            self.evaluate()
            self.train()
            yield self.mean_and_log()
        if self.run is not None:
            self.save_checkpoint()

    def subscribe(self, callback: Callable[[Record], None]) -> Callable[[], None]:
        """Call ``callback(record)`` after every update, in the thread that trains. Returns how to end that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    # -- changes from outside -------------------------------------------------------------------

    def request(self, **changes: Any) -> None:
        """Change live options, or ``device``, at the next update boundary. Safe from any thread.

        Raises:
            ConfigError: at once, for an unknown option, an impossible value or one that cannot change.
        """
        checked = check_options(changes, live_only=True)
        if "device" in checked:
            check_device(checked["device"])
        with self._lock:
            self._pending = {**self._pending, **checked}

    @property
    def pending(self) -> dict[str, Any]:
        """Requested changes that are not in force yet."""
        return dict(self._pending)

    def _apply_requests(self) -> None:
        with self._lock:
            changes = {name: new for name, new in self._pending.items() if new != getattr(self.config, name)}
            for name, new in changes.items():
                self._changes[name] = {"old": getattr(self.config, name), "new": new}
            self.config = replace(self.config, **changes)
            self._pending = {}
        if "device" in changes:
            self.device = torch.device(self.config.device)
            moments = self.optimizer.state_dict()
            self.policy.to(self.device)
            self.optimizer = self._make_optimizer()
            self.optimizer.load_state_dict(moments)
            self._set_up_device()

    def _wait_at_gate(self, phase: str = "other") -> None:
        if self.gate is not None:
            self._watch.lap(phase)
            self.gate()
            self._watch.lap("paused")  # in no time_*, and not in sps

    @property
    def total_timesteps(self) -> int:
        return self.config.total_timesteps

    @property
    def progress(self) -> float:
        """Part of ``total_timesteps`` done, 0 to 1."""
        return min(1.0, self.global_step / self.config.total_timesteps)

    # -- making, saving, closing ----------------------------------------------------------------

    def _make_policy(self, policy: nn.Module | str | None, preset: Mapping[str, Any]) -> nn.Module:
        if policy is None or isinstance(policy, str):
            arguments = dict(preset)
            name = arguments.pop("name", "MLP")
            if policy is not None and policy != name:
                name, arguments = policy, {}
            with torch.random.fork_rng(devices=[]):  # the same weights for the same seed, whatever ran before
                torch.manual_seed(self.config.seed)
                policy = policies.make(name, self.env.observation_space, self.env.action_space, **arguments)
        if not isinstance(policy, nn.Module):
            raise ConfigError(
                f"policy must be a torch module such as MyPolicy(env.observation_space, env.action_space), not {policy!r}"
            )
        if not any(parameter.requires_grad for parameter in policy.parameters()):
            raise ConfigError(f"{type(policy).__name__} has no parameters to train")
        return policy

    def _make_optimizer(self) -> torch.optim.Optimizer:
        parameters = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        return torch.optim.Adam(parameters, self.config.learning_rate, eps=1e-5, fused=True)

    def _set_up_device(self) -> None:
        """What depends on the device: storage, compiled policy; and try the policy once, to explain errors."""
        assert self.config.bptt_horizon is not None
        self.rollout = Rollout(self.env, self.config.bptt_horizon, self.device)
        self._compiled = torch.compile(self.policy) if self.config.compile else self.policy
        self._threads = min(torch.get_num_threads(), cores())
        with torch.inference_mode():
            outputs = self.policy(torch.from_numpy(self._observations).to(self.device))
        policies.check_outputs(outputs, self.env.action_space, self.env.num_agents)

    def _publish(self) -> None:
        weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.policy.state_dict().items()}
        self.snapshot = Snapshot(self.update, self.global_step, weights)

    def _description(self) -> dict[str, Any]:
        """What this training is, in plain data: for config.toml and checkpoints."""
        spec, policy = self.env.spec, self.policy
        return {
            "env": {"id": "", "kwargs": {}} if spec is None else {"id": spec.id, "kwargs": dict(spec.kwargs)},
            "policy": {"name": policies.name_of(policy), "arguments": getattr(policy, "arguments", {})},
            "train": asdict(self.config),
            "versions": records.versions(),
        }

    def save_checkpoint(
        self, path: str | PathLike[str] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Path:
        """Write weights, optimizer, counters, generator and options to one .safetensors file.

        Args:
            path: None: the run folder's next; the suffix is added where it is missing.
            metadata: plain data of your own, which :meth:`load_checkpoint` returns.

        Raises:
            CheckpointError: it cannot be written; a previous file of that name is unharmed.
        """
        if path is None:
            if self.run is None:
                raise ValueError("save_checkpoint needs a path, since this trainer has no run_dir")
            path = self.run.checkpoint_path(self.update)
        path = records.checkpoint_path(path)
        arrays = {f"policy.{name}": tensor for name, tensor in self.policy.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
        arrays["generator"] = self._generator.get_state()
        header = {
            **self._description(),
            "observation_space": policies.describe_space(self.env.observation_space),
            "action_space": policies.describe_space(self.env.action_space),
            "update": self.update,
            "global_step": self.global_step,
            "elapsed": self._elapsed,
            "recent": {name: list(window) for name, window in self._recent.items()},
            "metadata": dict(metadata or {}),
        }
        records.save_checkpoint(path, {name: tensor.detach().cpu().numpy() for name, tensor in arrays.items()}, header)
        self._last_checkpoint = path
        return path

    def load_checkpoint(self, path: str | PathLike[str]) -> dict[str, Any]:
        """Go on from a checkpoint: weights, optimizer, counters, schedule, generator and live options.

        The sizes (batch, minibatch) and ``total_timesteps`` stay this trainer's own. The environments'
        states are not in the file yet: their episodes begin anew. Returns the ``metadata`` it was saved with.

        Raises:
            CheckpointError: the file is damaged, foreign, or of another env or policy; nothing has changed then.
        """
        path = records.checkpoint_path(path)
        arrays, header = records.load_checkpoint(path)
        policies.check_spaces(header, self.env.observation_space, self.env.action_space, path)
        try:
            live = {name for name, about in describe(TrainConfig).items() if about.live}
            options = check_options({name: value for name, value in header["train"].items() if name in live})
            update, global_step, elapsed = int(header["update"]), int(header["global_step"]), float(header["elapsed"])
            recent = {name: [float(value) for value in values] for name, values in header["recent"].items()}
            generator = torch.Generator().manual_seed(0)
            generator.set_state(torch.tensor(arrays["generator"]))
            moments = self._optimizer_state(arrays)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(f"{path} is incomplete or does not fit: {error}") from error
        policies.load_weights(self.policy, arrays, path)
        self.optimizer.load_state_dict(moments)
        self.config = replace(self.config, **options)
        self.update, self.global_step, self._elapsed, self._generator = update, global_step, elapsed, generator
        self._recent.clear()
        for name, values in recent.items():
            self._recent[name].extend(values)
        self._last_checkpoint = path
        self.last_record = {}
        self.rollout.complete = False
        # Not the seed of the beginning, or the first episodes would be played once more
        self._observations, _ = self.env.reset(seed=game_seed(self.config.seed, update) % 2**31)
        if self.run is not None:
            self.run.rewind(update)
        self._publish()
        metadata: dict[str, Any] = header.get("metadata", {})
        return metadata

    def _optimizer_state(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A checkpoint's optimizer state as torch's; ValueError when it is another policy's."""
        state: dict[int, dict[str, Tensor]] = defaultdict(dict)
        for name, array in arrays.items():
            if name.startswith("optimizer."):
                _, index, moment = name.split(".")
                state[int(index)][moment] = torch.tensor(array)
        parameters = self.optimizer.param_groups[0]["params"]
        if state and sorted(state) != list(range(len(parameters))):
            raise ValueError(f"the optimizer has {len(state)} parameters, this policy {len(parameters)}")
        for index, moments in state.items():
            shape = tuple(parameters[index].shape)
            if set(moments) != {"step", "exp_avg", "exp_avg_sq"} or tuple(moments["exp_avg"].shape) != shape:
                raise ValueError(f"the optimizer's state of parameter {index} is not Adam's for shape {shape}")
        return {"state": dict(state), "param_groups": self.optimizer.state_dict()["param_groups"]}

    def close(self) -> None:
        """Close the logger, and the env if the trainer made it. Closing twice is fine."""
        if self.logger is not None:
            self.logger.close()
            self.logger = None
        if self._owns_env:
            self.env.close()

    def __enter__(self) -> PuffeRL:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
