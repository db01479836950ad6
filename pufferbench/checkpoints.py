"""What of a trainer goes into a checkpoint, and back. The file format is in records.py."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pufferbench import policies, records
from pufferbench.config import check_options
from pufferbench.env import PufferEnv
from pufferbench.optimizers import optimizer_arrays, optimizer_state
from pufferbench.records import CheckpointError
from pufferbench.vector.make import make

if TYPE_CHECKING:
    from pufferbench.trainer import PuffeRL


# Shares of a training after which a checkpoint is kept whatever the interval: most is learned early, and a film strip
# shall show it (pufferbench.widgets.film_strip)
MILESTONES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75)


def due(trainer: PuffeRL) -> bool:
    """Whether a checkpoint belongs after the update that was just made; the same in a run that was resumed."""
    interval, done = trainer.config.checkpoint_interval, trainer.global_step
    before = done - trainer.rollout.size
    passed = any(before < share * trainer.total_timesteps <= done for share in MILESTONES)
    return bool(interval) and (passed or trainer.update % interval == 0)


def describe(trainer: PuffeRL) -> dict[str, Any]:
    """What a training is, in plain data by section: for config.toml, and for the header of checkpoints."""
    policy = trainer.policy
    return {
        "deterministic": trainer.collector.deterministic,
        "learner": trainer.learner.name,
        "env": _describe_env(trainer.env),
        "policy": {"name": policies.name_of(policy), "arguments": getattr(policy, "arguments", {})},
        "train": asdict(trainer.config),
        "versions": records.versions(),
    }


def _describe_env(env: PufferEnv) -> dict[str, Any]:
    """Its name and arguments, and the wrappers that somebody put around what the name stands for."""
    spec = env.spec
    described: dict[str, Any] = {"id": "", "kwargs": {}}
    if spec is not None:
        described = {"id": spec.id, "kwargs": dict(spec.kwargs)}
    wrappers = getattr(env, "added_wrappers", [])
    return {**described, "wrappers": wrappers} if wrappers else described


def env_arguments(described: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of the env itself, of what :func:`describe` says: not how it was stepped."""
    how_it_was_stepped = inspect.signature(make).parameters  # num_envs, num_workers, ...
    return {k: v for k, v in described.get("kwargs", {}).items() if k not in how_it_was_stepped}


def save(trainer: PuffeRL, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write weights, optimizer, generator, counters and options. Raises :class:`CheckpointError`."""
    tensors = {f"policy.{name}": tensor for name, tensor in trainer.policy.state_dict().items()}
    tensors |= optimizer_arrays(trainer.optimizer)
    tensors["generator"] = trainer.generator.get_state()
    header = {
        **describe(trainer),
        "observation_space": policies.describe_space(trainer.env.observation_space),
        "action_space": policies.describe_space(trainer.env.action_space),
        "update": trainer.update,
        "global_step": trainer.global_step,
        "elapsed": trainer.elapsed,
        "recent": {name: list(values) for name, values in trainer.episodes.recent.items()},
        "metadata": dict(metadata),
    }
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    if hasattr(trainer.env, "state_dict"):
        arrays |= {f"env.{name}": array for name, array in trainer.env.state_dict().items()}
    records.save_checkpoint(path, arrays, header)


def load(trainer: PuffeRL, path: Path) -> dict[str, Any]:
    """Put a checkpoint into ``trainer``, all of it or nothing. Returns its metadata.

    Raises:
        CheckpointError: the file is damaged, foreign, or of another env or policy.
    """
    arrays, header = records.load_checkpoint(path)
    policies.check_spaces(header, trainer.env.observation_space, trainer.env.action_space, path)
    policies.check_weights(
        trainer.policy, arrays, path
    )  # another policy has another optimizer: this says it plainly
    try:  # read everything first: the file may be anybody's
        live = trainer.config.live()
        options = check_options({name: value for name, value in header["train"].items() if name in live})
        counters = int(header["update"]), int(header["global_step"]), float(header["elapsed"])
        recent = {str(name): [float(v) for v in values] for name, values in header["recent"].items()}
        generator = torch.Generator()
        generator.set_state(torch.tensor(arrays["generator"]))
        moments = optimizer_state(trainer.optimizer, arrays)
        metadata = dict(header["metadata"])
        env_state = _env_state(trainer.env, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is incomplete or does not fit: {error}") from error
    policies.load_weights(trainer.policy, arrays, path)
    if env_state:
        trainer.env.load_state_dict(env_state)  # type: ignore[attr-defined]
    trainer.optimizer.load_state_dict(moments)
    trainer.config = replace(trainer.config, **options)
    trainer.update, trainer.global_step, trainer.elapsed = counters
    trainer.generator = generator
    trainer.episodes.load(recent)
    return metadata


def load_env(env: PufferEnv, path: Path) -> None:
    """Give ``env``, which is to be played and not trained in, what its wrappers had learned (if they do).

    Raises:
        CheckpointError: the file is damaged, or of an env with other wrappers.
    """
    arrays, _ = records.load_checkpoint(path)
    try:
        state = _env_state(env, arrays)
    except ValueError as error:
        raise CheckpointError(f"{path} does not fit: {error}") from error
    if state:
        env.load_state_dict(state)  # type: ignore[attr-defined]
    if hasattr(env, "eval"):
        env.eval()


def _env_state(env: PufferEnv, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the env had learned, of a checkpoint's arrays; ValueError when this env learns something else."""
    saved = {name.removeprefix("env."): a for name, a in arrays.items() if name.startswith("env.")}
    own = env.state_dict() if hasattr(env, "state_dict") else {}
    shapes = {name: array.shape for name, array in saved.items()}
    wanted = {name: np.shape(array) for name, array in own.items()}
    if shapes != wanted:
        differ = sorted(name for name in shapes | wanted if shapes.get(name) != wanted.get(name))
        raise ValueError(
            f"it was saved with other wrappers around the env: {', '.join(differ)} "
            f"{'are' if len(differ) > 1 else 'is'} in one of them only, or of another shape"
        )
    return saved
