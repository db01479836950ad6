"""One policy at several times of its training: the checkpoints of a run, or the snapshots of a live trainer."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pufferbench import checkpoints, policies, records
from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError
from pufferbench.games import one_game
from pufferbench.records import RunError, RunFolder


@dataclass(frozen=True)
class Version:
    """The weights of one moment.

    Attributes:
        update: updates done; 0 is untrained.
        progress: the share of the run that was done, 0 .. 1; None where that is not known.
        label: for people.
    """

    update: int
    progress: float | None
    label: str


class Versions:
    """A policy that does not change: one version. The others below have more.

    Attributes:
        policy: a module of the right kind, None for random play; its weights are any version's.
        env: what it plays in, as :func:`pufferbench.games.one_game` takes it.
    """

    def __init__(self, policy: nn.Module | None, env: Any) -> None:
        if env is None:
            raise PufferBenchError(
                "where shall it play? name the env too, such as watch(policy, 'ocean-breakout')"
            )
        self.policy, self.env = policy, env

    def list(self) -> Sequence[Version]:
        """The versions there are now, the newest last."""
        return [Version(0, None, "random play" if self.policy is None else "as it is")]

    def weights(self, index: int) -> Mapping[str, Tensor] | None:
        """Of version ``index`` of :meth:`list`; None: those that ``policy`` has."""
        return None

    def newest(self) -> nn.Module | None:
        """A copy of the policy with its newest weights; None plays at random."""
        if self.policy is None:
            return None
        policy, weights = copy.deepcopy(self.policy).cpu(), self.weights(-1)
        if weights is not None:
            policy.load_state_dict(dict(weights))
        return policy

    def make_env(self) -> PufferEnv:
        """One game to play in."""
        return one_game(self.env)

    def close(self) -> None:
        """Follow the trainer no longer."""


class LiveVersions(Versions):
    """What a trainer has published while it was looked at; old ones are thinned out, as memory is finite.

    Args:
        trainer: a :class:`pufferbench.PuffeRL`, training or not.
    """

    MOST = 24

    def __init__(self, trainer: Any, env: Any = None) -> None:
        super().__init__(trainer.policy, trainer.env if env is None else env)
        self.trainer = trainer
        self._snapshots = [trainer.snapshot]
        self._every, self._seen = 1, 0
        self._unsubscribe = trainer.subscribe(self._published)

    def _published(self, record: Any) -> None:
        self._seen += 1
        if self._seen % self._every:
            return
        kept = [*self._snapshots, self.trainer.snapshot]
        if len(kept) > self.MOST:  # every second, but always the first
            kept, self._every = kept[::2], 2 * self._every
        self._snapshots = kept

    def list(self) -> Sequence[Version]:
        total = self.trainer.total_timesteps
        return [
            Version(each.update, min(1.0, each.global_step / total), f"update {each.update}")
            for each in self._all()
        ]

    def weights(self, index: int) -> Mapping[str, Tensor]:
        return self._all()[index].weights

    def _all(self) -> Sequence[Any]:
        newest = self.trainer.snapshot
        return self._snapshots if self._snapshots[-1] is newest else [*self._snapshots, newest]

    def close(self) -> None:
        self._unsubscribe()


class RunVersions(Versions):
    """The checkpoints of a run folder, and before them the untrained policy.

    The folder names env and policy by names that are registered in this process; nothing in it is executed.

    Args:
        run: a run folder, or its path.
        env: None: the one that it was trained in.
        policy: a module to load the weights into; None makes the one that the run names.

    Raises:
        RunError: it has no checkpoint, or was trained in wrappers that its name does not tell.
    """

    def __init__(self, run: RunFolder, env: Any = None, policy: nn.Module | None = None) -> None:
        self.run = run
        self.paths = run.checkpoints
        if not self.paths:
            raise RunError(
                f"the run {run.path} has no checkpoint (yet): trainer.save_checkpoint() writes one"
            )
        described = run.config.get("env", {})
        if env is None and (described.get("wrappers") or not described.get("id")):
            how = " around ".join(described.get("wrappers", [])) or "an env without a name"
            raise RunError(
                f"{run.path} was trained in {how}, which a name does not tell: pass the env itself"
            )
        self._kwargs = checkpoints.env_arguments(described) if env is None else {}
        super().__init__(policy, described["id"] if env is None else env)
        with self.make_env() as game:
            spaces = game.observation_space, game.action_space
            given = policy is not None
            self.policy = policies.load(self.paths[-1], *spaces, policy)
            about = run.config.get("policy", {})
            preset = {"name": about.get("name", "MLP"), **about.get("arguments", {})}
            seed = int(run.config.get("train", {}).get("seed", 0))
            # One of the user's own cannot be made anew from here: its first checkpoint is the beginning
            self._untrained = None if given else policies.from_preset(None, preset, game, seed).state_dict()

    def list(self) -> Sequence[Version]:
        last = _update(self.paths[-1])
        steps = [(_update(path), f"update {_update(path)}") for path in self.paths]
        if self._untrained is not None and steps[0][0] > 0:
            steps = [(0, "untrained"), *steps]
        return [Version(update, update / max(1, last), label) for update, label in steps]

    def weights(self, index: int) -> Mapping[str, Tensor]:
        versions = self.list()
        untrained = len(versions) > len(self.paths)
        if untrained and index % len(versions) == 0:
            assert self._untrained is not None
            return self._untrained
        path = self.paths[index - 1 if untrained and index >= 0 else index]
        arrays, _ = records.load_checkpoint(path)
        assert self.policy is not None
        policies.load_weights(self.policy, arrays, path)
        return {name: tensor.clone() for name, tensor in self.policy.state_dict().items()}

    def make_env(self) -> PufferEnv:
        game = one_game(self.env, **self._kwargs) if isinstance(self.env, str) else one_game(self.env)
        checkpoints.load_env(game, self.paths[-1])
        return game


def versions_of(player: Any, env: Any = None, policy: nn.Module | None = None) -> Versions:
    """Who plays, in all its versions.

    Args:
        player: a torch policy; a trainer; a run folder, its path, or a run of :mod:`pufferbench.runs`; a checkpoint
            file; None: random play.
        env: where; a trainer and a run know it themselves.
        policy: of a run whose policy is one of your own: a module to load the weights into.
    """
    if isinstance(player, nn.Module) or player is None:
        return Versions(player, env)
    if hasattr(player, "snapshot"):
        return LiveVersions(player, env)
    if isinstance(player, (str, os.PathLike)) and Path(player).is_file():
        if env is None:
            raise PufferBenchError(f"{player} is one checkpoint: name the env too, or give its run folder")
        with one_game(env) as game:
            loaded = policies.load(Path(player), game.observation_space, game.action_space, policy)
        return Versions(loaded, env)
    path = getattr(player, "path", player)  # a RunFolder, or a run of pufferbench.runs
    if not isinstance(path, (str, os.PathLike)):
        raise PufferBenchError(
            f"who shall play? a policy, a trainer, a run folder or its path, not {type(player).__name__}"
        )
    return RunVersions(RunFolder.open(path), env, policy)


def spread(versions: Sequence[Version], shares: Sequence[float]) -> list[int]:
    """For each share of the training (0 .. 1) the version nearest to it, none twice, in their order."""
    found = {
        min(range(len(versions)), key=lambda i: abs((versions[i].progress or 0) - share)) for share in shares
    }
    return sorted(found)


def _update(path: Path) -> int:
    """Of a checkpoint's file name, ``update_00000050.safetensors``."""
    return int(path.stem.rpartition("_")[2])
