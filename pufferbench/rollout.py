"""The experience of one update, as flat time-major arrays: ``[horizon, rows, ...]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from pufferbench import policies
from pufferbench.env import PufferEnv
from pufferbench.out_of_memory import SMALLER_BATCH, room_for
from pufferbench.pytorch import send
from pufferbench.recurrent import Memory, State
from pufferbench.system import keep_freed_memory

if TYPE_CHECKING:
    from pufferbench.collect import Turn

# Which places of ``[horizon, rows]``: a step of all rows, of neighbours, or for each row a step of its own
Where = int | tuple[int, slice] | tuple[Tensor, Tensor]


def rows_of(where: Where) -> slice | Tensor:
    """Which rows."""
    return slice(None) if isinstance(where, int) else where[1]


def places_of(used: Tensor) -> Tensor:
    """The number of each decision in order of time, then row, where ``used [T, rows]``; -1 elsewhere."""
    return (used.flatten().cumsum(0).view(used.shape) - 1).masked_fill(~used, -1)


class Rollout:
    """What ``evaluate()`` collects and ``train()`` learns from.

    What the policy reads and writes lies on its device (with ``offload``, observations wait on the CPU until
    they are needed); what the environment reports lies on the CPU, where it is made, and moves once per update.
    It may come in any order, a few rows at a time: ``where`` says which rows at which of their steps.

    Args:
        env: has the spaces and types.
        rows: agents.
        horizon: steps of each.
        device: the policy's.
        fresh: a recurrent policy's state of all rows at the beginning of an episode.
        offload: keep the observations on the CPU.

    Attributes:
        observations, actions, logprobs: of steps 0 .. T-1, ``[T, rows, ...]``.
        values, masks: of the observations 0 .. T, ``[T + 1, rows]``.
        rewards, terminals, truncations: of steps 0 .. T-1, ``[T, rows]``.
        action_masks: ``[T, rows, n]``, or None.
        memory: a recurrent policy's state of every row.
        complete: whether all steps are there and nothing has been learned from them yet.
    """

    def __init__(
        self,
        env: PufferEnv,
        rows: int,
        horizon: int,
        device: torch.device,
        fresh: State = (),
        offload: bool = False,
    ) -> None:
        keep_freed_memory()  # what learning frees it takes again at once, minibatch after minibatch
        sizes = policies.output_sizes(env.action_space)
        shape: tuple[int, ...] = () if isinstance(env.action_space, spaces.Discrete) else (len(sizes),)
        self._box = env.action_space if isinstance(env.action_space, spaces.Box) else None
        kind = torch.int64 if self._box is None else torch.float32
        self.actions = _room("actions", (horizon, rows, *shape), kind, device)
        kind = torch.float32
        choices = isinstance(env.observation_space, (spaces.Discrete, spaces.MultiDiscrete))
        # Bytes may be the parts of a Dict: left as they are
        if choices or env.observations.dtype == np.uint8:
            kind = torch.from_numpy(env.observations).dtype
        self._device = device
        place = torch.device("cpu") if offload else device
        pinned = offload and device.type == "cuda"
        seen = (horizon, rows, *env.observations.shape[1:])
        self.observations = _room("observations", seen, kind, place, pinned)
        cpu = torch.device("cpu")
        self.logprobs = _room("log probabilities", (horizon, rows), torch.float32, device)
        self.values = _room("values", (horizon + 1, rows), torch.float32, device)
        self.rewards = _room("rewards", (horizon, rows), torch.float32, cpu)
        self.terminals = _room("terminals", (horizon, rows), torch.bool, cpu)
        self.truncations = _room("truncations", (horizon, rows), torch.bool, cpu)
        self.masks = _room("masks", (horizon + 1, rows), torch.bool, cpu)
        self.action_masks: Tensor | None = None
        if env.action_masks is not None:
            shape = (horizon, rows, env.action_masks.shape[1])
            self.action_masks = _room("action masks", shape, torch.bool, device)
        with room_for("the numbers of an update's steps", SMALLER_BATCH):
            self._order = torch.arange(horizon * rows).view(horizon, rows)
        # Of each cut: places in _order, what was seen there, and the state of before the reset
        self._finals: list[tuple[Tensor, ...]] = []
        self.memory = Memory(fresh)
        self.complete = False

    @property
    def size(self) -> int:
        """Steps in all."""
        return self.rewards.numel()

    def start(self) -> None:
        """Begin anew; a rollout that was left half done is dropped so."""
        self.complete = False
        self._finals.clear()

    def see(self, turn: Turn) -> tuple[Tensor, Tensor | None, State]:
        """Keep what the agents of ``turn`` see. Returns it, the legal actions and the state, on the device."""
        where = turn.where
        self.observations[where] = send(self._typed(turn.observations), self.observations.device)
        self.masks[where] = torch.from_numpy(turn.masks)
        state = self.memory.read(rows_of(where))
        if self.action_masks is None:
            return self.seen(where), None, state
        self.action_masks[where] = send(torch.from_numpy(turn.action_masks), self._device)
        return self.seen(where), self.action_masks[where], state

    def seen(self, where: Where) -> Tensor:
        """The observations kept at ``where``, on the policy's device."""
        return send(self.observations[where], self._device)

    def stored(self, observations: np.ndarray | Tensor) -> Tensor:
        """``observations`` as :meth:`seen` would give them: of that type, on the policy's device."""
        return send(self._typed(observations), self._device)

    def _typed(self, observations: np.ndarray | Tensor) -> Tensor:
        return torch.as_tensor(observations).to(self.observations.dtype)

    def act(
        self, where: Where, actions: Tensor, logprobs: Tensor, values: Tensor, *state: Tensor
    ) -> np.ndarray:
        """Keep what the policy says. Returns what the env gets: Box actions clipped to their bounds."""
        self.actions[where] = actions
        self.logprobs[where] = logprobs
        self.values[where] = values
        self.memory.write(rows_of(where), state, self.masks[where])
        chosen = actions.cpu().numpy()
        if self._box is not None:
            clipped = np.clip(chosen.reshape(len(chosen), *self._box.shape), self._box.low, self._box.high)
            chosen = clipped.astype(self._box.dtype, copy=False)
        return chosen

    def receive(
        self,
        where: Where,
        rewards: np.ndarray,
        terminals: np.ndarray,
        truncations: np.ndarray,
        final_observations: np.ndarray,
    ) -> None:
        """Keep what came of a step, final observations of cut episodes included."""
        self.rewards[where] = torch.from_numpy(rewards)
        self.terminals[where] = torch.from_numpy(terminals)
        self.truncations[where] = cut = torch.from_numpy(truncations)
        if truncations.any():
            state = (part[cut.to(part.device)] for part in self.memory.read(rows_of(where)))
            finals = torch.from_numpy(final_observations[truncations])
            self.add_finals(self._order[where][cut], finals, *state)
        if self.memory.now:  # this runs at every step, and few policies remember
            self.memory.forget(rows_of(where), self.terminals[where] | cut)

    def add_finals(self, places: Tensor, observations: Tensor, *state: Tensor) -> None:
        """Keep what cut rows saw before the reset, and their state: ``[n, ...]``.

        Args:
            places: where they are in the flattened ``[horizon, rows]``.
        """
        self._finals.append((places, observations, *state))

    def finals(self) -> list[Tensor]:
        """The final observations of all truncated rows, and the tensors of their state before the reset.

        In order of time, then row, as ``truncations`` flattens. There must be some.
        """
        places, *columns = map(torch.cat, zip(*self._finals, strict=True))
        order = places.argsort()
        return [column[order.to(column.device)] for column in columns]

    def batch(self, advantages: Tensor, used: Tensor) -> dict[str, Tensor]:
        """The decisions to learn from, in order of time, then row: every tensor is ``[decisions, ...]``.

        For a recurrent policy there is more: ``places [T, rows]``, the numbers of the decisions (-1: none);
        ``ended [T, rows]``; and each row's state at the start of the rollout, ``state.0``, ``state.1``, ...
        """
        values = self.values[:-1]
        parts = {
            "observations": self.observations,
            "actions": self.actions,
            "logprobs": self.logprobs,
            "values": values,
            "advantages": advantages,
            "returns": advantages + values,
        }
        if self.action_masks is not None:
            parts["action_masks"] = self.action_masks
        parts = {name: tensor.flatten(0, 1) for name, tensor in parts.items()}
        if not used.all():
            rows = used.flatten().nonzero().squeeze(1)  # rows that wait are in no loss
            with room_for(f"the {len(rows):,} decisions of an update", SMALLER_BATCH):
                parts = {
                    name: tensor.index_select(0, rows.to(tensor.device)) for name, tensor in parts.items()
                }
        if self.memory.start:
            parts["places"] = places_of(used)
            parts["ended"] = (self.terminals | self.truncations).to(used.device)
            parts |= {f"state.{number}": part for number, part in enumerate(self.memory.start)}
        return parts

    def find_non_finite(self) -> str:
        """What is wrong when the environment reported NaN or infinity, "" when it did not."""
        for name, tensor in (("rewards", self.rewards), ("observations", self.observations)):
            if not tensor.float().isfinite().all():
                return f"the environment's {name} contain NaN or infinity: mend them there"
        return ""


def _room(
    name: str, shape: tuple[int, ...], kind: torch.dtype, device: torch.device, pinned: bool = False
) -> Tensor:
    """Zeros ``[steps, rows, ...]``, a part of a rollout.

    Raises:
        OutOfMemory: there is no room for it.
    """
    on_the_cpu = ", or keep observations on the CPU: cpu_offload=True" if device.type == "cuda" else ""
    what = (
        f"the {name} of an update ({shape[0]:,} steps x {shape[1]:,} agents x {list(shape[2:])} "
        f"{str(kind).removeprefix('torch.')}, on {device})"
    )
    with room_for(what, f"{SMALLER_BATCH}{on_the_cpu}"):
        return torch.zeros(shape, dtype=kind, device=device, pin_memory=pinned)
