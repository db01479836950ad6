"""What PuffeRL asks of a policy while it learns, answered in one of two ways.

:class:`Autograd` takes any torch module on any device: the readable one. :class:`pufferbench.fused.Fused` does
the same sums for the standard MLP on a CPU, several times as fast. A test holds them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from pufferbench.config import ConfigError, TrainConfig
from pufferbench.env import PufferEnv
from pufferbench.fused import Fused, misfit
from pufferbench.fused_play import Player
from pufferbench.halves import Halves
from pufferbench.kernels import LOSS_STATISTICS, Objective, ppo_loss
from pufferbench.optimizers import Muon
from pufferbench.out_of_memory import room_for
from pufferbench.policies import MLP, name_of
from pufferbench.pytorch import Logits, in_bfloat16, log_prob_entropy, sample, send
from pufferbench.recurrent import RecurrentWrapper, is_recurrent, one_by_one, step
from pufferbench.rollout import Rollout
from pufferbench.system import cores

Result = TypeVar("Result")
SMALLER_PARTS = "set max_minibatch_size, which changes nothing else, or take a smaller minibatch_size"
WORTH_HALVES = 2**15  # rows x cells (x steps); less is done before another thread has woken up
Cast = Callable[[Callable[..., Any]], Callable[..., Any]]


class Learner(Protocol):
    """How a policy acts, judges, and gets its gradients.

    Attributes:
        threads: that it computes in, torch's or its own.
        torch_threads: that torch may use meanwhile.
    """

    name: str
    threads: int
    torch_threads: int

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *state: Tensor
    ) -> tuple[Tensor, ...]:
        """Actions, their log probabilities, and values, of rows side by side; and a recurrent policy's new state.

        Args:
            observations: ``[rows, *shape]``.
            noise: what :func:`pufferbench.pytorch.draw_noise` gave for these rows.
            legal: ``[rows, n]`` bool, or None.
            state: the tensors of a recurrent policy's state, ``[rows, ...]``; most policies have none.
        """

    def player(self, env: PufferEnv, rollout: Rollout) -> Player | None:
        """What plays whole rollouts of ``env`` by itself, faster than step by step; None: no such thing."""

    def values(self, observations: Tensor, *state: Tensor) -> Tensor:
        """Values ``[rows]`` of ``observations [rows, *shape]``."""

    def gradients(
        self, batch: Mapping[str, Tensor], index: Tensor, objective: Objective
    ) -> tuple[Tensor, Tensor]:
        """PPO's loss over ``index``, one of the :func:`minibatches`; its gradients go into the parameters' ``grad``.

        Returns:
            ``(loss, statistics)``, the latter of :data:`pufferbench.kernels.LOSS_STATISTICS`.
        """

    def logprobs(self, batch: Mapping[str, Tensor], index: Tensor) -> Tensor:
        """Log probabilities, now, of the actions of the decisions in ``index``, without gradient.

        In the order of ``index``; of rows of a recurrent policy: of time, then as the rows are in ``index``.
        """

    def epoch(
        self,
        batch: Mapping[str, Tensor],
        parts: Sequence[Tensor],
        objective: Objective,
        optimizer: torch.optim.Optimizer | Muon,
        max_grad_norm: float,
    ) -> Tensor | None:
        """All gradient steps of a pass over the batch in one go, for learners that have a faster way to take them.

        Args:
            parts: the minibatches, as for :meth:`gradients`.
            max_grad_norm: longer gradients are shortened to it before a step.

        Returns:
            The sums over the minibatches of the statistics and, last, of the gradients' norms; something that is not
            finite if it stopped before a bad step. None: no such way, so that PuffeRL takes one step after another.
        """


def choose_learner(policy: nn.Module, device: torch.device, config: TrainConfig) -> Learner:
    """The fastest that can do it, unless ``config.learner`` names one.

    Raises:
        ConfigError: it names one that cannot.
    """
    if config.compile:
        reason = "compile=True asks for torch's code"
    elif config.precision != "float32":
        reason = f"precision={config.precision!r} asks for torch's code"
    else:
        reason = misfit(policy, device) or (
            "it does not clip values (vf_clip_coef)" if config.vf_clip_coef else ""
        )
    if config.learner == "fused" and reason:
        raise ConfigError(f"learner='fused' cannot be: {reason}; use learner='auto'")
    if config.learner != "autograd" and not reason and isinstance(policy, MLP):
        return Fused(policy, config.torch_threads or min(2, cores()))
    cast = partial(in_bfloat16, device=device.type) if config.precision == "bfloat16" else None
    if (
        isinstance(policy, RecurrentWrapper)
        and name_of(policy.policy)
        and device.type == "cpu"
        and not config.compile
    ):
        threads = config.torch_threads or min(2, cores())
        return RecurrentHalves(policy, policy, cast, config.max_minibatch_size, threads)
    kind = RecurrentAutograd if is_recurrent(policy) else Autograd
    forward = torch.compile(policy) if config.compile else policy
    return kind(policy, forward, cast, config.max_minibatch_size, config.torch_threads or 1)


def minibatches(batch: Mapping[str, Tensor], size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Random parts of ``batch``, of about ``size`` decisions each, as indices.

    They are numbers of decisions; of a recurrent policy, numbers of rows, whose steps stay together.
    """
    count, device = len(batch["returns"]), batch["returns"].device
    if "places" not in batch:
        return torch.randperm(count, generator=generator).to(device).tensor_split(math.ceil(count / size))
    rows = (batch["places"] >= 0).any(0).nonzero().squeeze(1)  # those that did not wait all the time
    order = torch.randperm(len(rows), generator=generator).to(device)
    return rows[order].tensor_split(min(len(rows), math.ceil(count / size)))


class Autograd:
    """Any policy, on any device.

    Args:
        policy: holds the parameters.
        forward: observations -> (logits, value): the policy, or what torch.compile made of it.
        max_decisions: to be in memory at a time; None: any number.
        cast: makes a function that computes in other numbers, such as :func:`pufferbench.pytorch.in_bfloat16`.
        torch_threads: see :class:`Learner`.
    """

    name = "autograd"

    def __init__(
        self,
        policy: nn.Module,
        forward: Callable[..., Any],
        cast: Cast | None = None,
        max_decisions: int | None = None,
        torch_threads: int = 1,
    ) -> None:
        self.max_decisions, self.threads, self.torch_threads = max_decisions, torch_threads, torch_threads
        self.policy, self._cast = policy, cast or (lambda function: function)
        self._forward = self._cast(forward)

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *state: Tensor
    ) -> tuple[Tensor, ...]:
        logits, value = self._forward(observations)
        return *sample(logits, noise, legal), value.flatten()

    def player(self, env: PufferEnv, rollout: Rollout) -> None:
        return None

    def values(self, observations: Tensor, *state: Tensor) -> Tensor:
        return self._forward(observations)[1].flatten()

    def gradients(
        self, batch: Mapping[str, Tensor], index: Tensor, objective: Objective
    ) -> tuple[Tensor, Tensor]:
        advantages = batch["advantages"].index_select(0, self.decisions(batch, index))
        mean: Tensor | float = 0.0
        scale: Tensor | float = 1.0
        if objective.normalize_advantages:
            mean, scale = advantages.mean(), advantages.std(correction=0) + 1e-8
        coefs = objective.clip_coef, objective.vf_coef, objective.ent_coef, objective.vf_clip
        parameters = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]

        def learn(piece: Tensor) -> tuple[Any, ...]:
            count = len(self.decisions(batch, piece))
            share = count / len(advantages)  # of means, so that they add up to the whole's
            with room_for(f"the layers' numbers of {count:,} steps, kept for the gradient,", SMALLER_PARTS):
                part, logits, value = self.again(batch, piece)
                part["advantages"] = (part["advantages"] - mean) / scale
                loss, statistics = ppo_loss(logits, value.flatten(), part, *coefs)
                gradients = torch.autograd.grad(share * loss, parameters, allow_unused=True)
            return share * loss.detach(), share * statistics, *gradients

        self.policy.zero_grad()
        loss = torch.zeros((), device=advantages.device)
        statistics = torch.zeros(len(LOSS_STATISTICS), device=advantages.device)
        for its_loss, its_statistics, *gradients in self.each(learn, self.pieces(batch, index)):
            loss, statistics = loss + its_loss, statistics + its_statistics
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is None:  # the loss does not hang on it
                    continue
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)  # laid out as the fused Adam expects it
                parameter.grad += gradient
        return loss, statistics

    def logprobs(self, batch: Mapping[str, Tensor], index: Tensor) -> Tensor:
        def judge(piece: Tensor) -> Tensor:
            with torch.no_grad():
                part, logits, _ = self.again(batch, piece)
                return log_prob_entropy(logits, part["actions"], part.get("action_masks"))[0]

        pieces = self.pieces(batch, index)
        found = torch.empty_like(batch["logprobs"])
        for piece, theirs in zip(pieces, self.each(judge, pieces), strict=True):
            found[self.decisions(batch, piece)] = (
                theirs  # whose order, with a recurrent policy, is by time first
            )
        return found[self.decisions(batch, index)]

    def epoch(self, *_: Any) -> None:
        return None

    def decisions(self, batch: Mapping[str, Tensor], index: Tensor) -> Tensor:
        """The numbers of the decisions in ``index``."""
        return index

    def pieces(self, batch: Mapping[str, Tensor], index: Tensor) -> tuple[Tensor, ...]:
        """``index`` in parts of at most ``max_decisions``."""
        return index.split(self.max_decisions or len(index))

    def each(self, function: Callable[[Tensor], Result], pieces: Sequence[Tensor]) -> Iterator[Result]:
        """``function`` of each of ``pieces``."""
        return map(function, pieces)

    def again(self, batch: Mapping[str, Tensor], index: Tensor) -> tuple[dict[str, Tensor], Logits, Tensor]:
        """The decisions of ``index``, and what the policy says about them now: ``(decisions, logits, value)``."""
        part = {name: take(tensor, index) for name, tensor in batch.items()}
        return part, *self._forward(part["observations"])


class RecurrentAutograd(Autograd):
    """Any recurrent policy (see :mod:`pufferbench.recurrent`), on any device: backpropagation through time.

    With ``compile`` it plays with compiled code; learning, whose steps depend on each other, stays as it is.
    """

    name = "recurrent"

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *state: Tensor
    ) -> tuple[Tensor, ...]:
        logits, value, state = step(self._forward, observations, state)
        return *sample(logits, noise, legal), value.flatten(), *state

    def values(self, observations: Tensor, *state: Tensor) -> Tensor:
        return step(self._forward, observations, state)[1].flatten()

    def decisions(self, batch: Mapping[str, Tensor], index: Tensor) -> Tensor:
        places = batch["places"][:, index]
        return places[places >= 0]

    def pieces(self, batch: Mapping[str, Tensor], index: Tensor) -> tuple[Tensor, ...]:
        horizon = len(batch["places"])
        return index.split(max(1, self.max_decisions // horizon) if self.max_decisions else len(index))

    def again(self, batch: Mapping[str, Tensor], index: Tensor) -> tuple[dict[str, Tensor], Logits, Tensor]:
        batch = dict(batch)
        places, ended = batch.pop("places")[:, index], batch.pop("ended")[:, index]
        names = [name for name in batch if name.startswith("state.")]
        state = tuple(batch.pop(name).index_select(0, index) for name in names)
        used = places >= 0
        part = {name: take(tensor, places[used]) for name, tensor in batch.items()}
        go = getattr(self.policy, "sequence", None) or partial(one_by_one, self.policy)
        return part, *self._cast(go)(part["observations"], used, ended, state)


class RecurrentHalves(RecurrentAutograd):
    """Our own wrappers on a CPU: large numbers of rows are always cut into two halves, for two threads if there are.

    Not for a policy of which nothing is known: it might draw random numbers, in whatever order the threads come.

    Any number of threads gives the same bits.
    """

    def __init__(self, policy: nn.Module, *args: Any) -> None:
        super().__init__(policy, *args)
        self._halves, self.threads, self.torch_threads = Halves(self.threads), min(2, self.threads), 1
        self._cells = int(self.policy.cell.hidden_size)  # type: ignore[union-attr, arg-type]

    def act(
        self, observations: Tensor, noise: Tensor, legal: Tensor | None, *state: Tensor
    ) -> tuple[Tensor, ...]:
        go = super().act
        return self._in_halves(
            lambda rows: go(
                observations[rows],
                noise[rows],
                None if legal is None else legal[rows],
                *(part[rows] for part in state),
            ),
            len(observations),
        )

    def values(self, observations: Tensor, *state: Tensor) -> Tensor:
        go = super().values
        return self._in_halves(
            lambda rows: (go(observations[rows], *(part[rows] for part in state)),), len(observations)
        )[0]

    def _in_halves(self, function: Callable[[slice], tuple[Tensor, ...]], rows: int) -> tuple[Tensor, ...]:
        if rows * self._cells < WORTH_HALVES:
            return function(slice(None))
        halves = self._halves.each(function, (slice(0, rows // 2), slice(rows // 2, rows)))
        return tuple(torch.cat(parts) for parts in zip(*halves, strict=True))

    def pieces(self, batch: Mapping[str, Tensor], index: Tensor) -> tuple[Tensor, ...]:
        pieces, steps = super().pieces(batch, index), len(batch["places"])
        if steps * len(pieces[0]) * self._cells < WORTH_HALVES:
            return pieces
        return tuple(half for piece in pieces for half in piece.tensor_split(2) if len(half))

    def each(self, function: Callable[[Tensor], Result], pieces: Sequence[Tensor]) -> Iterator[Result]:
        return self._halves.each(function, pieces)


def take(tensor: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` of ``tensor``, on the index's device: observations may wait on the CPU (``cpu_offload``)."""
    return send(tensor.index_select(0, index.to(tensor.device)), index.device)
