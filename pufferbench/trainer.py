"""PuffeRL: proximal policy optimisation, to be read from top to bottom beside the paper.

Schulman et al. (2017), "Proximal policy optimization algorithms", https://arxiv.org/abs/1707.06347, with
the details of Huang et al. (2022), "The 37 implementation details of PPO". Each update is

    evaluate()      play ``bptt_horizon`` steps with every agent and remember them
    train()         estimate the advantages, then ``update_epochs`` passes of minibatch gradient steps
    mean_and_log()  one flat record of what happened

The arithmetic (advantages, loss) is in kernels.py, what computes gradients in learner.py, minibatches of whole rows in
segments.py, sampling in pytorch.py, the record in reports.py, files in records.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pufferbench import checkpoints, policies, records, recurrent, registry, reports
from pufferbench.collect import Collector
from pufferbench.config import TrainConfig, check_device, check_options, resolve
from pufferbench.emulation import as_puffer
from pufferbench.env import PufferEnv, game_seed
from pufferbench.errors import PufferBenchError
from pufferbench.kernels import LOSS_STATISTICS, Experience, Objective, advantages, explained_variance
from pufferbench.learner import choose_learner, minibatches
from pufferbench.live import LiveOptions, Requests
from pufferbench.meters import EpisodeMeter, Stopwatch
from pufferbench.optimizers import make_optimizer
from pufferbench.pytorch import draw_noise, send, torch_threads
from pufferbench.records import Record, RunFolder
from pufferbench.reports import Snapshot as Snapshot
from pufferbench.rollout import Rollout, places_of
from pufferbench.segments import Segments
from pufferbench.vector.make import make


class StopTraining(Exception):
    """Raised by a gate to leave evaluate() or train() at once; the trainer can go on afterwards."""


class NonFiniteLoss(PufferBenchError):
    """The loss or a gradient became NaN or infinite. The weights are those of the last good step."""


class PuffeRL(LiveOptions):
    """Trains a policy in an environment with PPO.

    Args:
        env: an environment of any kind (see :func:`pufferbench.emulate`), or the name of a registered one, which is
            made with its preset's ``[env]`` settings.
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
        learner: what computes the gradients, see :mod:`pufferbench.learner`; ``learner.name`` says which.
        update, global_step: updates done, and steps in them, counted over all agents.
        snapshot: the weights at the last update boundary.
        gate: called before every update, env step, pass over the batch and minibatch (where these are compiled:
            every few milliseconds); it may block (a pause) or raise :class:`StopTraining`. The partly done update
            is dropped, the trainer stays usable.
        last_record: what :meth:`mean_and_log` returned last.
    """

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
            env = make(env, **registry.spec(env).preset().get("env", {}))
        self.env = env = as_puffer(env)
        preset = env.spec.preset() if env.spec is not None else {}
        self.collector = Collector(env)
        self.config: TrainConfig = resolve(config, preset.get("train", {}), self.collector.rows)
        self.device = torch.device(check_device(self.config.device))
        if not isinstance(policy, nn.Module):
            policy = policies.from_preset(policy, preset.get("policy", {}), env, self.config.seed)
        self.policy = policy.to(self.device)
        self.optimizer = make_optimizer(self.policy, self.config)
        # Not torch's global one, which others use too; on the CPU, so that any device gets the same numbers
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.collector.reset(self.config.seed)
        self._set_up_device()

        self.update = 0
        self.global_step = 0
        self.elapsed = 0.0
        self.episodes = EpisodeMeter()
        self.last_checkpoint: Path | None = None
        self.gate: Callable[[], None] | None = None
        self.last_record: Record = {}
        self._recorded = 0  # the update of the last record
        self.logger = logger
        self._requests = Requests()
        self._changes: dict[str, dict[str, Any]] = {}
        self._subscribers: list[Callable[[Record], None]] = []
        self._losses: dict[str, float] = {}
        self._watch = Stopwatch()
        self.run = None if run_dir is None else RunFolder.create(run_dir, checkpoints.describe(self))
        self._publish()

    # -- collecting experience ------------------------------------------------------------------

    def evaluate(self) -> None:
        """Play ``bptt_horizon`` steps with every agent. Requested changes come into force first."""
        self._watch.start()
        self._wait_at_gate("other")  # what is asked for while it holds here is for this update
        self._apply_requests()
        self.episodes.start()
        rollout, collector = self.rollout, self.collector
        rollout.start()
        self._watch.lap("other")
        noise = send(draw_noise(self.env.action_space, rollout.rewards.shape, self.generator), self.device)
        self._watch.lap("policy")

        with torch.inference_mode(), torch_threads(self.learner.torch_threads):
            if self._player is not None:  # policy and games in one compiled loop
                for _ in self._player.pieces(noise, self.episodes):
                    self._wait_at_gate("policy")
            # A turn is the rows that act now: all of them, or those whose workers are not busy
            turns = collector.turns(rollout, self.episodes, self._watch) if self._player is None else ()
            for turn in turns:
                self._wait_at_gate("other")
                observations, legal, state = rollout.see(turn)
                self._watch.lap("copy")

                said = self.learner.act(observations, noise[turn.where], legal, *state)
                turn.actions = rollout.act(turn.where, *said)  # actions, logprobs, values, and the new state
                self._check_finite(torch.as_tensor(turn.actions), "an action")
                self._watch.lap("policy")
                # The rows step now; rewards, ends and infos go into the rollout when they are there

            rollout.masks[-1] = torch.from_numpy(collector.masks)
            last = rollout.stored(collector.observations)
            rollout.values[-1] = self.learner.values(last, *rollout.memory.now)
            self._watch.lap("policy")
            collector.review(rollout, self.policy, self.learner.act, noise, self._watch)
            self._watch.lap("other")
        rollout.complete = True

    # -- learning -------------------------------------------------------------------------------

    def train(self) -> None:
        """One PPO update from the experience that :meth:`evaluate` collected.

        Raises:
            NonFiniteLoss: the loss or a gradient is NaN or infinite; no such step is taken.
        """
        if not self.rollout.complete:
            raise RuntimeError("train() needs fresh experience: call evaluate() first")
        self.rollout.complete = False  # whatever happens: nothing is learned twice
        self._watch.lap("paused")  # since evaluate(): a user's time to think, say
        with torch_threads(self.learner.torch_threads):
            batch, rows = self._batch()
            self._losses = self._learn(batch, rows) if len(batch["returns"]) else {}
        self.update += 1
        self.global_step += self.rollout.size
        self._publish()
        self._watch.lap("train")

    def _batch(self) -> tuple[dict[str, Tensor], Segments | None]:
        """The decisions to learn from, with their advantages and returns, ``[decisions, ...]`` each.

        And the same as segments, where minibatches shall be segments.
        """
        rollout, config = self.rollout, self.config
        final_values = torch.zeros(rollout.rewards.shape)
        if rollout.truncations.any():  # they go on in the value function: once per update, all together
            with torch.inference_mode():
                pieces = zip(*(column.split(8192) for column in rollout.finals()), strict=True)
                found = [self.learner.values(rollout.stored(seen), *state) for seen, *state in pieces]
            final_values[rollout.truncations] = torch.cat(found).cpu()
        ends = rollout.terminals, rollout.truncations
        clip = config.reward_clip or math.inf
        parts = (rollout.rewards.clamp(-clip, clip), rollout.values, *ends, final_values, rollout.masks)
        experience = Experience._make(send(part, self.device) for part in parts)
        advantage, used = advantages(*experience, config.gamma, config.gae_lambda)
        batch = rollout.batch(advantage, used)
        if config.advantage == "puff" or config.prioritize:
            return batch, Segments(self.learner, batch, experience, places_of(used))
        return batch, None

    def _learn(self, batch: dict[str, Tensor], rows: Segments | None) -> dict[str, float]:
        """``update_epochs`` passes over what :meth:`_batch` gave; returns the means of the losses."""
        config, policy, returns = self.config, self.policy, batch["returns"]
        self._check_finite(batch["observations"], "an observation")  # before they get into any statistics
        self._check_finite(returns, "a return or value")
        result = {"explained_variance": explained_variance(batch["values"], returns)}
        # The value loss is measured against the error of a constant (and at least 1 % of the mean): so it
        # weighs the same beside the policy loss, whatever the size of the rewards
        constant_error = (returns - batch["values"].mean()).square().mean() + (0.01 * returns.mean()).square()
        weight = config.vf_coef / (constant_error.item() + 1e-8)
        vf_clip = config.vf_clip_coef * returns.std(correction=0).item() or math.inf
        objective = Objective(config.clip_coef, weight, config.ent_coef, config.normalize_advantages, vf_clip)
        if (update := getattr(policy, "update_value_scale", None)) is not None:
            update(returns)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(self.global_step)

        totals, steps = torch.zeros(len(LOSS_STATISTICS) + 1, device=self.device), 0
        for _ in range(config.update_epochs):
            sums, count, far = self._epoch(batch, rows, objective)
            if count or not steps:
                totals, steps = totals + sums, steps + count
            if far:
                break
        if (update := getattr(policy, "update_statistics", None)) is not None:
            update(batch["observations"])  # after learning: the logprobs belong to the statistics of before
        means = (totals / max(steps, 1)).tolist()
        result["gradient_steps"] = steps
        return result | dict(zip((*LOSS_STATISTICS, "grad_norm"), means, strict=True))

    def _epoch(
        self, batch: dict[str, Tensor], rows: Segments | None, objective: Objective
    ) -> tuple[Tensor, int, bool]:
        """A pass over the batch: a gradient step for each of its minibatches.

        Returns:
            ``(sums, steps, far)``: sums over the steps of :data:`LOSS_STATISTICS` and, last, of the gradients' norms;
            how many steps; and whether it stopped early: the policy is ``target_kl`` away from the one that played
            (the sums are, without any step, of the minibatch that showed it).
        """
        config, optimizer = self.config, self.optimizer
        assert config.minibatch_size is not None  # resolved
        self._wait_at_gate("train")
        if rows is None:
            indices = minibatches(batch, config.minibatch_size, self.generator)
            if not config.target_kl:
                sums = self.learner.epoch(batch, indices, objective, optimizer, config.max_grad_norm)
                if sums is not None:
                    self._check_finite(sums, "the loss")
                    return sums, len(indices), False
            parts: Iterable[tuple[dict[str, Tensor], Tensor]] = ((batch, index) for index in indices)
        else:
            parts = rows.minibatches(config, self.progress, self.generator)
            objective = objective._replace(normalize_advantages=False)  # that is done
        totals, steps = torch.zeros(len(LOSS_STATISTICS) + 1, device=self.device), 0
        for minibatch, index in parts:
            self._wait_at_gate("train")
            loss, statistics = self.learner.gradients(minibatch, index, objective)
            if config.target_kl and statistics[LOSS_STATISTICS.index("approx_kl")] > config.target_kl:
                if not steps:
                    totals[:-1] = statistics
                return totals, steps, True
            norm = nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
            self._check_finite(loss + norm, "the loss or a gradient")
            optimizer.step()
            totals[:-1] += statistics
            totals[-1] += norm
            steps += 1
        return totals, steps, False

    def _check_finite(self, numbers: Tensor, what: str) -> None:
        # The sum is many times as fast, and not finite if one of them is not; but it may overflow
        if not numbers.is_floating_point() or numbers.sum().isfinite() or numbers.isfinite().all():
            return
        hint = self.rollout.find_non_finite() or "lower the learning rate, or max_grad_norm"
        raise NonFiniteLoss(
            f"update {self.update + 1}: {what} became NaN or infinite, so the step was not taken and the weights "
            f"are still good; last checkpoint: {self.last_checkpoint or 'none was saved'}. Hint: {hint}"
        )

    # -- reporting ------------------------------------------------------------------------------

    def mean_and_log(self) -> Record:
        """The :func:`pufferbench.reports.record` of the last update, a flat dict of plain numbers.

        It is also stored in the run folder, logged, and given to the subscribers.
        """
        if self.update == self._recorded:
            return self.last_record  # nothing new
        seconds = self._watch.total()
        self.elapsed += seconds
        record = reports.record(self, self._watch.times, seconds, self._losses, self._changes)
        self._changes = {}
        self.last_record, self._recorded = record, self.update
        if self.run is not None:
            self.run.append(record)
            if checkpoints.due(self):
                self.save_checkpoint()
        if self.logger is not None:
            self.logger.log(record)
        for callback in list(self._subscribers):
            callback(record)
        return record

    def steps(self) -> Iterator[Record]:
        """Train until ``total_timesteps``: ``for record in trainer.steps(): ...``, one record per update."""
        while self.global_step < self.total_timesteps:
            self.evaluate()
            self.train()
            yield self.mean_and_log()
        if self.run is not None and self.last_checkpoint != self.run.checkpoint_path(self.update):
            self.save_checkpoint()

    def subscribe(self, callback: Callable[[Record], None]) -> Callable[[], None]:
        """Call ``callback(record)`` after every update, in the thread that trains. Returns how to end that."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    # -- changes from outside -------------------------------------------------------------------

    def request(self, by: str = "", **changes: Any) -> None:
        """Change live options, or ``device``, at the next update boundary. Safe from any thread.

        ``by`` says who wants it; the record's ``changes`` will say so too.

        Raises:
            ConfigError: at once, for an unknown option, an impossible value or one that cannot change.
        """
        self._requests.add(changes, by)

    @property
    def pending(self) -> dict[str, Any]:
        """Requested changes that are not in force yet."""
        return self._requests.waiting

    def _apply_requests(self) -> None:
        self.config, changes = self._requests.apply(self.config)
        self._changes |= changes
        if "device" in changes:
            self._move()

    def _move(self) -> None:
        """To the config's device, optimizer state included."""
        self.device = torch.device(self.config.device)
        moments = self.optimizer.state_dict()
        self.policy.to(self.device)
        self.optimizer = make_optimizer(self.policy, self.config)
        self.optimizer.load_state_dict(moments)
        memory = self.rollout.memory
        self._set_up_device()
        self.rollout.memory.resume(memory.now)  # episodes go on

    def _wait_at_gate(self, phase: str) -> None:
        if self.gate is not None:
            self._watch.lap(phase)
            self.gate()
            self._watch.lap("paused")  # in no time_*, and not in sps

    @property
    def total_timesteps(self) -> int:
        """The goal, in steps over all agents."""
        return self.config.total_timesteps

    @property
    def progress(self) -> float:
        """Part of ``total_timesteps`` done, 0 to 1."""
        return min(1.0, self.global_step / self.config.total_timesteps)

    # -- making, saving, closing ----------------------------------------------------------------

    def _set_up_device(self) -> None:
        """What depends on the device: storage, compiled policy; the policy is tried once, to explain errors."""
        assert self.config.bptt_horizon is not None and self.config.minibatch_size is not None  # resolved
        seen = torch.from_numpy(self.collector.observations).to(self.device)
        policies.check_fit(self.policy, self.env, seen)
        self.collector.begin_trial(possible=not self.config.compile)
        fresh = recurrent.initial_state(self.policy, self.collector.rows)
        rows, horizon, offload = self.collector.rows, self.config.bptt_horizon, self.config.cpu_offload
        self.rollout = Rollout(self.env, rows, horizon, self.device, fresh, offload)
        self.learner = choose_learner(self.policy, self.device, self.config)
        self._player = self.learner.player(self.env, self.rollout)

    def _publish(self) -> None:
        self.snapshot = Snapshot.of(self)

    def save_checkpoint(
        self, path: str | PathLike[str] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Path:
        """Write weights, optimizer, counters, generator and options to one .safetensors file.

        Args:
            path: None: the run folder's next. The suffix is added where it is missing.
            metadata: plain data of your own, which :meth:`load_checkpoint` returns.

        Raises:
            CheckpointError: it cannot be written; a previous file of that name is unharmed.
        """
        if path is None:
            if self.run is None:
                raise ValueError("save_checkpoint needs a path, since this trainer has no run_dir")
            path = self.run.checkpoint_path(self.update)
        path = records.checkpoint_path(path)
        checkpoints.save(self, path, metadata or {})
        self.last_checkpoint = path
        return path

    def load_checkpoint(self, path: str | PathLike[str]) -> dict[str, Any]:
        """Go on from a checkpoint: weights, optimizer, counters, schedule, generator and live options.

        The sizes (batch, minibatch) and ``total_timesteps`` stay this trainer's own. The environments'
        states are not in the file yet: their episodes begin anew. Returns the ``metadata`` it was saved with.

        Raises:
            CheckpointError: the file is damaged, foreign, or of another env or policy; nothing has changed.
        """
        path = records.checkpoint_path(path)
        metadata = checkpoints.load(self, path)
        self.last_checkpoint = path
        self.last_record, self._recorded = {}, self.update
        self.rollout.start()
        # Not the seed of the beginning, or the first episodes would be played once more
        self.collector.reset(game_seed(self.config.seed, self.update) % 2**31)
        self.rollout.memory.restart()
        if self.run is not None:
            self.run.rewind(self.update)
        self._publish()
        return metadata

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
