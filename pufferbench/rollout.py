"""The experience of one update, as flat time-major arrays: ``[horizon, rows, ...]``."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from pufferbench import policies
from pufferbench.env import PufferEnv
from pufferbench.system import keep_freed_memory


class Rollout:
    """What ``evaluate()`` collects and ``train()`` learns from.

    What the policy reads and writes lies on its device; what the environment reports lies on the CPU,
    where it is made, and moves once per update.

    Attributes:
        observations, actions, logprobs: of steps 0 .. T-1, ``[T, rows, ...]``.
        values, masks: of the observations 0 .. T, ``[T + 1, rows]``.
        rewards, terminals, truncations: of steps 0 .. T-1, ``[T, rows]``.
        action_masks: ``[T, rows, n]``, or None.
        complete: whether all steps are there and nothing has been learned from them yet.
    """

    def __init__(self, env: PufferEnv, horizon: int, device: torch.device) -> None:
        if not getattr(env, "deterministic", True):
            raise ValueError(
                "PuffeRL learns from whole trajectories, but the rows of this env's batches change places "
                "(mode='async', batch_size): make it with mode='sync', or without batch_size"
            )
        keep_freed_memory()  # what learning frees it takes again at once, minibatch after minibatch
        rows, sizes = env.num_agents, policies.output_sizes(env.action_space)
        shape: tuple[int, ...] = () if isinstance(env.action_space, spaces.Discrete) else (len(sizes),)
        self._box = env.action_space if isinstance(env.action_space, spaces.Box) else None
        kind = torch.int64 if self._box is None else torch.float32
        self.actions = torch.zeros((horizon, rows, *shape), dtype=kind, device=device)
        kind = torch.uint8 if env.observations.dtype == np.uint8 else torch.float32
        self.observations = torch.zeros((horizon, *env.observations.shape), dtype=kind, device=device)
        self.logprobs = torch.zeros((horizon, rows), device=device)
        self.values = torch.zeros((horizon + 1, rows), device=device)
        self.rewards = torch.zeros(horizon, rows)
        self.terminals = torch.zeros(horizon, rows, dtype=torch.bool)
        self.truncations = torch.zeros(horizon, rows, dtype=torch.bool)
        self.masks = torch.zeros(horizon + 1, rows, dtype=torch.bool)
        self.action_masks: Tensor | None = None
        if env.action_masks is not None:
            self.action_masks = torch.zeros(
                (horizon, *env.action_masks.shape), dtype=torch.bool, device=device
            )
        self._finals: list[np.ndarray] = []
        self.complete = False

    @property
    def size(self) -> int:
        """Steps in all."""
        return self.rewards.numel()

    def start(self) -> None:
        """Begin anew; a rollout that was left half done is dropped so."""
        self.complete = False
        self._finals.clear()

    def see(self, t: int, observations: np.ndarray, env: PufferEnv) -> tuple[Tensor, Tensor | None]:
        """Keep what the agents see before step ``t``. Returns it and the legal actions, on the device."""
        self.observations[t] = torch.from_numpy(observations)
        self.masks[t] = torch.from_numpy(env.masks)
        if self.action_masks is None:
            return self.observations[t], None
        self.action_masks[t] = torch.from_numpy(env.action_masks)
        return self.observations[t], self.action_masks[t]

    def act(self, t: int, actions: Tensor) -> np.ndarray:
        """Keep the actions of step ``t``. Returns what the env gets: Box actions clipped to their bounds."""
        self.actions[t] = actions
        chosen = actions.cpu().numpy()
        if self._box is not None:
            clipped = np.clip(chosen.reshape(len(chosen), *self._box.shape), self._box.low, self._box.high)
            chosen = clipped.astype(self._box.dtype, copy=False)
        return chosen

    def receive(
        self, t: int, rewards: np.ndarray, terminals: np.ndarray, truncations: np.ndarray, env: PufferEnv
    ) -> None:
        """Keep what came of step ``t``, final observations of cut episodes included."""
        self.rewards[t] = torch.from_numpy(rewards)
        self.terminals[t] = torch.from_numpy(terminals)
        self.truncations[t] = torch.from_numpy(truncations)
        if truncations.any():
            self._finals.append(env.final_observations[truncations])

    def final_observations(self) -> Tensor | None:
        """Those of all truncated rows, in order of time, then row (as ``truncations`` flattens); or None."""
        return torch.from_numpy(np.concatenate(self._finals)) if self._finals else None

    def batch(self, advantages: Tensor, used: Tensor) -> dict[str, Tensor]:
        """The decisions to learn from, out of their order in time: every tensor is ``[decisions, ...]``."""
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
        if used.all():
            return parts
        rows = used.flatten().nonzero().squeeze(1)  # rows that wait are in no loss
        return {name: tensor.index_select(0, rows) for name, tensor in parts.items()}

    def find_non_finite(self) -> str:
        """What is wrong when the environment reported NaN or infinity, "" when it did not."""
        for name, tensor in (("rewards", self.rewards), ("observations", self.observations)):
            if not tensor.float().isfinite().all():
                return f"the environment's {name} contain NaN or infinity: mend them there"
        return ""
