"""A second trainer that goes on from where another one is now: what if, from here, ...?"""

from __future__ import annotations

import copy
import tempfile
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from pufferbench import checkpoints
from pufferbench.config import TrainConfig, check_options, describe
from pufferbench.env import PufferEnv
from pufferbench.trainer import PuffeRL

FRESH = "weights, optimizer, schedules and generators are copied; the environments start new episodes"


class Branching:
    """A trainer as it is now, from which others can go on, while it goes on itself.

    To be made between two updates (in a subscriber, say): it copies weights, optimizer, counters, schedules,
    generators and options.

    Args:
        trainer: the one to branch from.
    """

    def __init__(self, trainer: PuffeRL) -> None:
        self.update = trainer.update
        self._config = asdict(trainer.config)
        self._policy = copy.deepcopy(trainer.policy)
        self._env, self._games = trainer.env, trainer.collector.rows // _seats(trainer.env)
        self._run = trainer.run
        self._folder = tempfile.TemporaryDirectory(prefix="pufferbench-branch-")
        self._file = Path(self._folder.name) / "branch.safetensors"
        checkpoints.save(trainer, self._file, {})

    def grow(
        self, env: PufferEnv | None = None, run_dir: str | PathLike[str] | None = None, **changes: Any
    ) -> PuffeRL:
        """A trainer that goes on from there, with ``changes`` of options, which its first record names.

        Args:
            env: fresh environments; None makes as many again, in this process.
            run_dir: its run folder; None: one beside the other trainer's, if that has one.

        Raises:
            ConfigError: an option is unknown or impossible.
            TypeError: the env cannot be made again; then give one.
        """
        check_options(changes)
        own = env is None
        if env is None:
            env = self._env.respawn(self._games)
            if hasattr(env, "train"):
                env.train()  # wrappers learn again, from what they know
        if run_dir is None and self._run is not None:
            run_dir = _unused(self._run.path.with_name(f"{self._run.path.name}-branch-{self.update}"))
        try:
            config = {**self._config, **changes}
            trainer = PuffeRL(env=env, policy=copy.deepcopy(self._policy), run_dir=run_dir, **config)
            trainer._owns_env = own
            trainer.load_checkpoint(self._file)
        except BaseException:
            if own:
                env.close()
            raise
        trainer.last_checkpoint = None  # that file will be gone
        live = describe(TrainConfig)
        trainer.request(by="branch", **{name: value for name, value in changes.items() if live[name].live})
        return trainer


def branch(
    trainer: PuffeRL,
    env: PufferEnv | None = None,
    run_dir: str | PathLike[str] | None = None,
    **changes: Any,
) -> PuffeRL:
    """``branch(trainer, learning_rate=1e-3)``: a second trainer that goes on from here. See :class:`Branching`.

    Not while the first one trains in another thread: its panel has a button for that.
    """
    return Branching(trainer).grow(env, run_dir, **changes)


def _seats(env: PufferEnv) -> int:
    """Agents in one game."""
    return env.num_agents // env.num_envs


def _unused(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{number}") for number in range(2, 1000))
    return path if not path.exists() else next(other for other in numbered if not other.exists())
