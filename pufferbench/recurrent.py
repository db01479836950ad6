"""Policies that remember: an LSTM or a GRU around any encoder, and the state of every row while it plays.

A recurrent policy is recognised by a method that others do not have, ``initial_state``:

``initial_state(rows)``
    The state at the beginning of an episode: a tensor, or a tuple of tensors, ``[rows, ...]`` each; constant.
``forward(observations, state=None) -> (logits, value, state)``
    One step. None means the beginning.
``sequence(observations, used, ended, state) -> (logits, value)``
    Optional, for learning: many steps at once. :func:`one_by_one` does it for policies without, and says what
    the arguments are.

Learning is truncated backpropagation through time: a row's steps of one rollout are gone through again from the
state it had at their start, and gradients go back to there and no further. Playing and learning go by the same
rules: a row that waits keeps its state, and an episode's end, terminated or truncated, resets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench import through_time
from pufferbench.distributions import like

State = tuple[Tensor, ...]  # [rows, ...] each; a state that is one tensor is a tuple of one


class RecurrentWrapper(nn.Module):
    """A policy with a memory in its middle: what :class:`LSTMWrapper` and :class:`GRUWrapper` have in common.

    On a CPU playing and learning go by the kernels of :mod:`pufferbench.through_time`, elsewhere by torch's cell; the
    weights are the same, and so is what comes of them, but for the last digits.

    Args:
        policy: has ``encode(observations) -> features [rows, input_size]`` and
            ``decode(hidden [rows, hidden_size]) -> (logits, value)``, as :class:`pufferbench.policies.MLP` does.
        input_size: number of features.
        hidden_size: number of the layer's cells.

    Attributes:
        policy, cell: the parts.
    """

    make_cell: type[nn.LSTMCell] | type[nn.GRUCell]

    def __init__(self, policy: nn.Module, input_size: int = 128, hidden_size: int = 128) -> None:
        super().__init__()
        missing = [name for name in ("encode", "decode") if not callable(getattr(policy, name, None))]
        if missing:
            raise TypeError(
                f"{type(self).__name__} needs a policy with encode(observations) -> features and decode(hidden) -> "
                f"(logits, value); {type(policy).__name__} has no {' and no '.join(missing)}"
            )
        self.policy, self.cell = policy, self.make_cell(input_size, hidden_size)
        for name, parameter in self.cell.named_parameters():
            if "weight" in name:
                nn.init.orthogonal_(parameter, 1.0)
            else:
                nn.init.zeros_(parameter)

    def initial_state(self, rows: int) -> State:
        """Zeros: hidden and, of an LSTM, cell, ``[rows, hidden_size]`` each."""
        parts = 2 if isinstance(self.cell, nn.LSTMCell) else 1
        return tuple(self.cell.weight_hh.new_zeros(rows, self.cell.hidden_size) for _ in range(parts))

    def forward(self, observations: Tensor, state: State | Tensor | None = None) -> tuple[Any, Tensor, State]:
        """One step: observations ``[rows, *shape]`` -> logits, value and the state after it."""
        state = self.initial_state(len(observations)) if state is None else _as_tuple(state)
        features = self.policy.encode(observations)  # type: ignore[operator]
        if through_time.can_do(self.cell, features) and not torch.is_grad_enabled():
            state = through_time.one_step(self.cell, features, state)
        else:
            state = self._torch_step(features, state)
        return *self.policy.decode(state[0]), state  # type: ignore[operator]

    def sequence(self, observations: Tensor, used: Tensor, ended: Tensor, state: State) -> tuple[Any, Tensor]:
        """See :func:`one_by_one`. Only the cell itself goes step by step; the rest is done for all at once."""
        features = self.policy.encode(observations)  # type: ignore[operator]
        places = used.flatten().nonzero().squeeze(1)
        everywhere = len(places) == used.numel()
        if not everywhere:
            features = features.new_zeros(used.numel(), features.shape[1]).index_copy(0, places, features)
        inputs, fresh = features.view(*used.shape, -1), self.initial_state(used.shape[1])
        if through_time.can_do(self.cell, inputs):
            hidden = through_time.many_steps(self.cell, inputs, used, ended, fresh, state)
        else:
            hidden = self._torch_steps(inputs, used, ended, fresh, state)
        hidden = hidden.flatten(0, 1)
        return self.policy.decode(hidden if everywhere else hidden.index_select(0, places))  # type: ignore[operator, no-any-return]

    def _torch_step(self, features: Tensor, state: State) -> State:
        return _as_tuple(self.cell(features, state if len(state) > 1 else state[0]))

    def _torch_steps(self, inputs: Tensor, used: Tensor, ended: Tensor, fresh: State, state: State) -> Tensor:
        hidden = []
        for t in range(len(used)):
            state = choose(used[t], self._torch_step(inputs[t], state), state)
            hidden.append(state[0])
            state = choose(ended[t], fresh, state)
        return torch.stack(hidden)

    def update_statistics(self, observations: Tensor) -> None:
        """For policies that normalise their observations."""
        if (update := getattr(self.policy, "update_statistics", None)) is not None:
            update(observations)

    def update_value_scale(self, returns: Tensor) -> None:
        """For policies that scale their value."""
        if (update := getattr(self.policy, "update_value_scale", None)) is not None:
            update(returns)


class LSTMWrapper(RecurrentWrapper):
    """A policy with a long short-term memory in its middle (Hochreiter and Schmidhuber, 1997).

    Args:
        policy: has ``encode(observations) -> features [rows, input_size]`` and
            ``decode(hidden [rows, hidden_size]) -> (logits, value)``, as :class:`pufferbench.policies.MLP` does.
        input_size: number of features.
        hidden_size: number of LSTM cells.
    """

    make_cell = nn.LSTMCell


class GRUWrapper(RecurrentWrapper):
    """A policy with gated recurrent units in its middle (Cho et al., 2014): three gates and one state, where an LSTM
    has four and two.

    Args:
        policy, input_size, hidden_size: as for :class:`LSTMWrapper`.
    """

    make_cell = nn.GRUCell


# -- any recurrent policy -----------------------------------------------------------------------


def is_recurrent(policy: nn.Module) -> bool:
    """Whether ``policy`` takes and returns a state."""
    return hasattr(policy, "initial_state")


def initial_state(policy: nn.Module, rows: int) -> State:
    """The state of ``rows`` that begin an episode; () of a policy without memory.

    Raises:
        ValueError: it is not a tensor ``[rows, ...]`` or a tuple of those.
    """
    if not is_recurrent(policy):
        return ()
    state = _as_tuple(policy.initial_state(rows))  # type: ignore[operator]
    if not state or any(not isinstance(part, Tensor) or part.shape[:1] != (rows,) for part in state):
        raise ValueError(f"initial_state({rows}) must return a tensor [{rows}, ...] or a tuple of them")
    return tuple(part.detach() for part in state)


def step(forward: Callable[..., Any], observations: Tensor, state: State) -> tuple[Any, Tensor, State]:
    """One step of a recurrent policy: ``(logits, value, state)``.

    Raises:
        ValueError: it does not return these three, or a state of another shape.
    """
    outputs = forward(observations, state if len(state) > 1 else state[0])
    if not isinstance(outputs, tuple) or len(outputs) != 3:
        found = f"{len(outputs)} things" if isinstance(outputs, tuple) else type(outputs).__name__
        raise ValueError(f"a policy with initial_state() must return (logits, value, state), not {found}")
    after = _as_tuple(outputs[2])
    shapes, wanted = ([list(part.shape) for part in parts] for parts in (after, state))
    if shapes != wanted:
        raise ValueError(f"the policy's state must keep its shapes {wanted}, but it returned {shapes}")
    return outputs[0], outputs[1], after


def first_step(policy: nn.Module, observations: Tensor) -> Any:
    """What any policy, recurrent or not, says about the first ``observations`` of episodes, without its state."""
    if not is_recurrent(policy):
        return policy(observations)
    return step(policy, observations, initial_state(policy, len(observations)))[:2]


def one_by_one(
    policy: nn.Module, observations: Tensor, used: Tensor, ended: Tensor, state: State
) -> tuple[Any, Tensor]:
    """Go through the steps of some rows again, one after the other, with gradient.

    Args:
        policy: any recurrent one.
        observations: of the decisions, ``[decisions, *shape]``, in order of time, then row.
        used: where those belong, bool ``[steps, rows]``. At the other steps the state stays as it is.
        ended: whether the row's episode ended with the step, bool ``[steps, rows]``: a new state then.
        state: at the start.

    Returns:
        ``(logits, value)`` of the decisions.
    """
    seen = observations.new_zeros(*used.shape, *observations.shape[1:])
    seen[used] = observations
    fresh, said = initial_state(policy, used.shape[1]), []
    for t in range(len(used)):
        logits, value, after = step(policy, seen[t], state)
        said.append((logits, value.flatten()))
        state = choose(ended[t], fresh, choose(used[t], after, state))
    logits, values = zip(*said, strict=True)
    return _pick(logits, used), torch.stack(values)[used]


def _pick(logits: Sequence[Any], used: Tensor) -> Any:
    """Of the logits of each step, whatever their kind, those at ``used [steps, rows]``."""
    first = logits[0]
    if isinstance(first, Tensor):
        return torch.stack(list(logits))[used]
    if isinstance(first, Normal):
        loc, scale = (
            torch.stack([getattr(part, name) for part in logits])[used] for name in ("loc", "scale")
        )
        return like(first, loc, scale)
    return tuple(_pick(choice, used) for choice in zip(*logits, strict=True))


def choose(where: Tensor, yes: State, no: State) -> State:
    """``yes`` for the rows where ``where [rows]``, ``no`` for the others."""
    if where.all():
        return yes
    if not where.any():
        return no
    return tuple(
        torch.where(where.view(-1, *[1] * (new.ndim - 1)), new, old) for new, old in zip(yes, no, strict=True)
    )


def _as_tuple(state: Any) -> State:
    return (state,) if isinstance(state, Tensor) else tuple(state)


# -- playing ------------------------------------------------------------------------------------


class Memory:
    """The recurrent state of every row, from rollout to rollout. Of a policy without memory: nothing.

    ``rows`` are a slice or numbers of rows; what is said about them is in that order.

    Args:
        fresh: every row's state at the beginning of an episode.

    Attributes:
        now: every row's state.
        start: that at the start of the rollout.
    """

    def __init__(self, fresh: State) -> None:
        self._fresh = fresh
        self.now, self.start = (tuple(part.clone() for part in fresh) for _ in range(2))

    def begin(self) -> None:
        """A rollout starts here. A row whose state an env's NaN has spoilt begins anew, or it would stay so."""
        for part in self.now:
            finite = part.isfinite()
            if not finite.all():
                self.forget(slice(None), ~finite.flatten(1).all(1))
        for start, now in zip(self.start, self.now, strict=True):
            start.copy_(now)

    def restart(self) -> None:
        """All episodes begin anew."""
        self.resume(self._fresh)

    def resume(self, state: State) -> None:
        """Go on from ``state``, of all rows, on whatever device it is."""
        for now, part in zip(self.now, state, strict=True):
            now.copy_(part)

    def again(self) -> Memory:
        """Another one, as this was at the start of the rollout."""
        other = Memory(self._fresh)
        other.resume(self.start)
        return other

    def read(self, rows: slice | Tensor) -> State:
        return tuple(now[rows] for now in self.now)

    def write(self, rows: slice | Tensor, state: State, acts: Tensor) -> None:
        """After the policy's step: a row that waits (``acts`` False) keeps what it had."""
        if state:
            chosen = choose(acts.to(state[0].device), state, self.read(rows))
            for now, part in zip(self.now, chosen, strict=True):
                now[rows] = part

    def forget(self, rows: slice | Tensor, ended: Tensor) -> None:
        """After the env's step: where an episode ended, the next begins."""
        if self.now and ended.any():
            fresh = tuple(part[rows] for part in self._fresh)
            self.write(rows, fresh, ended)


class Player:
    """Plays with a policy of any kind and remembers for it.

    Args:
        policy: recurrent or not.
    """

    def __init__(self, policy: nn.Module) -> None:
        self.policy = policy
        self._memory: Memory | None = None

    @torch.inference_mode()  # here and below, or what was made in one mode could not be changed in the other
    def __call__(self, observations: Tensor) -> Any:
        """The logits of one step of all rows."""
        if not is_recurrent(self.policy):
            return self.policy(observations)[0]
        if self._memory is None:
            self._memory = Memory(initial_state(self.policy, len(observations)))
        logits, _, self._memory.now = step(self.policy, observations, self._memory.now)
        return logits

    @torch.inference_mode()
    def forget(self, ended: Any = None) -> None:
        """Begin new episodes: in the rows where ``ended [rows]``, or in all."""
        if ended is None:
            self._memory = None
        elif self._memory is not None:
            self._memory.forget(slice(None), torch.as_tensor(ended))
