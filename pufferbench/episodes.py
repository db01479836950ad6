"""One episode, kept: what was seen and done, what came of it, and what a policy thinks of every step.

::

    episode = pufferbench.record_episode(policy, "ocean-breakout", seed=1)      # games.py
    episode.rewards.sum(), episode.values[0], episode.advantages(gamma=0.99, gae_lambda=0.95)
    episode.save("episode.npz"); pufferbench.Episode.load("episode.npz")

Who played does not matter: a person's episode can be judged by a policy too (:meth:`Episode.judged_by`).
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from PIL import Image
from torch import nn

from pufferbench import kernels, records
from pufferbench.decisions import Thinker
from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError
from pufferbench.labels import ActionPart, ObservationPart, action_parts, observation_parts
from pufferbench.spaces import FlatBox, flatten_observations, layout_of

_FORMAT = "pufferbench-episode-1"


class EpisodeError(PufferBenchError):
    """An episode cannot be read, or was not judged by a policy."""


@dataclasses.dataclass
class Episode:
    """``T`` steps of one game with ``n`` agents.

    Attributes:
        env: name of the environment.
        seed: it was reset with.
        fps: steps per second of a picture in real time.
        actions_are, observations_are: names, see :mod:`pufferbench.labels`.
        frames: ``T`` pictures as PNG files, what was to be seen before each step; empty when there are none.
        observations: ``[T + 1, n, *shape]``; the last is what comes after the last step.
        actions: ``[T, n, ...]``.
        rewards, terminals, truncations: of each step, ``[T, n]``.
        masks: whether the agent acts on observation t, bool ``[T + 1, n]``.
        legal: legal actions, bool ``[T + 1, n, k]``, or None: all.
        cuts: where truncated, ``[c, 2]``: step and agent; ``cut_observations [c, *shape]``: what it saw last.
        statistics: the env's own, when the episode ended, such as ``score``.
        distribution, values, entropy: what a policy says of each step: ``[T, n, k]``, ``[T + 1, n]``, ``[T, n]``
            (:class:`pufferbench.decisions.Decision`); None when no policy was asked.
        cut_values: ``[c]``, of ``cut_observations``.
        policy: the one that was asked; not saved.
    """

    env: str
    seed: int
    fps: float
    actions_are: list[ActionPart]
    observations_are: list[ObservationPart]
    frames: list[bytes]
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    truncations: np.ndarray
    masks: np.ndarray
    legal: np.ndarray | None
    cuts: np.ndarray
    cut_observations: np.ndarray
    action_space: Any
    observation_space: Any
    statistics: dict[str, float] = dataclasses.field(default_factory=dict)
    distribution: np.ndarray | None = None
    values: np.ndarray | None = None
    entropy: np.ndarray | None = None
    cut_values: np.ndarray | None = None
    policy: nn.Module | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def num_agents(self) -> int:
        return self.rewards.shape[1]

    @property
    def episode_return(self) -> np.ndarray:
        """The sum of each agent's rewards, ``[n]``."""
        return self.rewards.sum(0)

    def frame(self, step: int) -> np.ndarray | None:
        """The picture before ``step``: RGB, uint8 ``[height, width, 3]``; None when there is none."""
        return np.asarray(Image.open(io.BytesIO(self.frames[step])).convert("RGB")) if self.frames else None

    def judged_by(self, policy: Any) -> Episode:
        """The same episode with what ``policy`` says of every step, whoever played it."""
        thinker = Thinker(policy, self.action_space)
        ended = self.terminals | self.truncations
        said, cut_values = [], np.zeros(len(self.cuts), np.float32)
        for t in range(len(self)):
            legal = None if self.legal is None else self.legal[t]
            said.append(thinker.decide(self.observations[t], legal, self.masks[t]))
            for index in np.flatnonzero(self.cuts[:, 0] == t):
                row, seen = self.cuts[index, 1], self.observations[t].copy()
                seen[row] = self.cut_observations[index]
                cut_values[index] = thinker.values(seen)[row]
            thinker.forget(ended[t])
        return dataclasses.replace(
            self,
            distribution=np.stack([each.distribution for each in said]),
            values=np.stack([*(each.values for each in said), thinker.values(self.observations[-1])]),
            entropy=np.stack([each.entropy for each in said]),
            cut_values=cut_values,
            policy=thinker.policy,
        )

    def advantages(self, gamma: float, gae_lambda: float) -> np.ndarray:
        """How much better each step turned out than the policy expected, float32 ``[T, n]``; NaN where it waited.

        Computed by the trainer's own kernel, :func:`pufferbench.kernels.advantages`.

        Raises:
            EpisodeError: no policy has judged the episode.
        """
        if self.values is None or self.cut_values is None:
            raise EpisodeError("advantages need values: episode.judged_by(policy).advantages(...)")
        final_values = np.zeros(self.rewards.shape, np.float32)
        final_values[self.cuts[:, 0], self.cuts[:, 1]] = self.cut_values
        result, used = kernels.advantages(
            torch.from_numpy(self.rewards),
            torch.from_numpy(self.values),
            torch.from_numpy(self.terminals),
            torch.from_numpy(self.truncations),
            torch.from_numpy(final_values),
            torch.from_numpy(self.masks),
            gamma,
            gae_lambda,
        )
        return np.where(used.numpy(), result.numpy(), np.nan)

    # -- files ----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write everything but the policy into one ``.npz`` file. Data only: no pickle."""
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        header = {
            "format": _FORMAT,
            **{name: getattr(self, name) for name in ("env", "seed", "fps", "statistics")},
            "actions_are": [_plain(part) for part in self.actions_are],
            "observations_are": [_plain(part) for part in self.observations_are],
            "action_space": _describe(self.action_space),
            "observation_space": _describe(self.observation_space),
        }
        file = io.BytesIO()
        np.savez_compressed(
            file,
            header=np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8),
            frames=np.frombuffer(b"".join(self.frames), np.uint8),
            frame_sizes=np.array([len(frame) for frame in self.frames], np.int64),
            **arrays,
        )
        path = Path(path)
        try:
            records.write_atomic(path, file.getvalue())
        except OSError as error:
            raise EpisodeError(f"cannot write {path}: {error.strerror or error}") from error
        return path

    @classmethod
    def load(cls, path: str | Path) -> Episode:
        """Read back what :meth:`save` wrote. Nothing in the file is executed.

        ``observation_space`` is None where the parts of an observation are of kinds that a file cannot describe (texts,
        graphs): set it to the env's to look into them.

        Raises:
            EpisodeError: the file is missing, damaged, or not an episode.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop("header").tobytes())
            if header.pop("format") != _FORMAT:
                raise ValueError("of another version")
            ends = np.cumsum(arrays.pop("frame_sizes"))
            data = arrays.pop("frames").tobytes()
            frames = [data[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)] if len(ends) else []
            parts = {
                "actions_are": [ActionPart(**_tuples(part)) for part in header.pop("actions_are")],
                "observations_are": [
                    ObservationPart(**_tuples(part)) for part in header.pop("observations_are")
                ],
            }
            known = {name: arrays.get(name) for name in _ARRAYS}
            spaces_are = {name: _space(header.pop(name)) for name in ("action_space", "observation_space")}
            fields: Any = {"frames": frames, **spaces_are, **header, **parts, **known}
            episode = cls(**fields)
            episode._check()
        except OSError as error:
            raise EpisodeError(f"cannot read episode {path}: {error.strerror or error}") from error
        # zip, npy, JSON and our own checks: whatever it is, the file is not one of ours
        except Exception as error:
            raise EpisodeError(f"{path} is not a usable episode: {type(error).__name__}: {error}") from error
        return episode

    def _check(self) -> None:
        steps, agents = self.rewards.shape
        lengths = {"actions": steps, "terminals": steps, "truncations": steps}
        lengths |= {"observations": steps + 1, "masks": steps + 1, "values": steps + 1}
        lengths |= {"legal": steps + 1, "distribution": steps, "entropy": steps}
        for name, length in lengths.items():
            array = getattr(self, name)
            if array is not None and array.shape[:2] != (length, agents):
                raise ValueError(f"{name} has shape {array.shape}, not ({length}, {agents}, ...)")
        if self.frames and len(self.frames) != steps:
            raise ValueError(f"it has {len(self.frames)} frames for {steps} steps")


_ARRAYS = (
    *("observations", "actions", "rewards", "terminals", "truncations", "masks", "legal", "cuts"),
    *("cut_observations", "distribution", "values", "entropy", "cut_values"),
)


def _plain(part: ActionPart | ObservationPart) -> dict[str, Any]:
    return {k: v for k, v in dataclasses.asdict(part).items() if v not in (np.inf, -np.inf)}


def _tuples(part: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in part.items()}


def _describe(space: Any) -> dict[str, Any] | None:
    """A space as data, the parts of a flattened one included; None where there is a part of another kind."""
    if isinstance(space, FlatBox):
        source = _describe(space.source)
        # An adapter may lay the same parts out in another way: then what is read back would be wrong
        same = source is not None and layout_of(_space(source)).dtype == space.layout.dtype
        return {"flat": source} if same else None
    if isinstance(space, spaces.Dict):
        return _describe_parts("dict", dict(space.spaces))
    if isinstance(space, spaces.Tuple):
        return _describe_parts("tuple", {str(place): part for place, part in enumerate(space.spaces)})
    if isinstance(space, spaces.Discrete):
        return {"n": int(space.n)} | ({"start": int(space.start)} if space.start else {})
    if isinstance(space, spaces.MultiDiscrete):
        return {"nvec": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"bits": list(space.shape)}
    if isinstance(space, spaces.Box):
        low, high = float(space.low.min()), float(space.high.max())
        bounds = {"low": low, "high": high} if math.isfinite(low) and math.isfinite(high) else {}
        return {"shape": list(space.shape), "dtype": space.dtype.name, **bounds}
    return None


def _describe_parts(kind: str, parts: dict[str, Any]) -> dict[str, Any] | None:
    described = {name: _describe(part) for name, part in parts.items()}
    return None if None in described.values() else {kind: described}


def _space(described: dict[str, Any] | None) -> Any:
    """The space that :func:`_describe` described."""
    if described is None:
        return None
    if "flat" in described:
        return flatten_observations(_space(described["flat"]))
    if "dict" in described:  # an OrderedDict: gymnasium sorts the names of a plain one
        return spaces.Dict(OrderedDict((name, _space(part)) for name, part in described["dict"].items()))
    if "tuple" in described:
        return spaces.Tuple([_space(part) for part in described["tuple"].values()])
    if "n" in described:
        return spaces.Discrete(described["n"], start=described.get("start", 0))
    if "nvec" in described:
        return spaces.MultiDiscrete(np.array(described["nvec"]))
    if "bits" in described:
        return spaces.MultiBinary(described["bits"])
    low, high = described.get("low", -math.inf), described.get("high", math.inf)
    return spaces.Box(low, high, tuple(described["shape"]), np.dtype(described["dtype"]).type)


# -- recording ----------------------------------------------------------------------------------


class Recorder:
    """Collects the steps of one episode: :meth:`before` each step, :meth:`after` it, and at last :meth:`episode`.

    Args:
        env: one game; its buffers are read, never written.
        seed: it was reset with.
    """

    def __init__(self, env: PufferEnv, seed: int) -> None:
        self.env, self.seed = env, seed
        self.rewards: list[np.ndarray] = []
        self._steps: dict[str, list[np.ndarray]] = {
            name: [] for name in ("observations", "masks", "legal", "actions", "terminals", "truncations")
        }
        self._frames: list[bytes] = []
        self._cuts: list[tuple[int, int]] = []
        self._cut_observations: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.rewards)

    def before(self, frame: bytes | None) -> None:
        """What is seen now, before the next step."""
        if frame is not None:
            self._frames.append(frame)
        self._look()

    def after(self, actions: np.ndarray) -> None:
        """The step was made: what came of it is in the env's buffers."""
        env = self.env
        self.rewards.append(env.rewards.copy())
        self._add(actions=np.asarray(actions), terminals=env.terminals, truncations=env.truncations)
        for row in np.flatnonzero(env.truncations):
            self._cuts.append((len(self) - 1, int(row)))
            self._cut_observations.append(env.final_observations[row].copy())

    def episode(self, title: str, statistics: dict[str, float]) -> Episode:
        """What was recorded, up to the last step."""
        if not self.rewards:
            raise EpisodeError("nothing was played yet")
        self._steps = {name: values[: len(self)] for name, values in self._steps.items()}
        self._look()
        env, steps = self.env, {name: np.stack(v) for name, v in self._steps.items() if v}
        shape = env.observations.shape[1:]
        episode = Episode(
            env=title,
            seed=self.seed,
            fps=float(getattr(env, "fps", None) or 30),
            actions_are=action_parts(env),
            observations_are=observation_parts(env),
            frames=self._frames[: len(self)],
            rewards=np.stack(self.rewards),
            cuts=np.array(self._cuts, np.int64).reshape(-1, 2),
            cut_observations=np.array(self._cut_observations, env.observations.dtype).reshape(-1, *shape),
            action_space=env.action_space,
            observation_space=env.observation_space,
            statistics=dict(statistics),
            **{"legal": None, **steps},  # type: ignore[arg-type]
        )
        for values in ("observations", "masks", "legal"):
            self._steps[values] = self._steps[values][: len(self)]  # it may go on
        return episode

    def _look(self) -> None:
        self._add(observations=self.env.observations, masks=self.env.masks)
        if self.env.action_masks is not None:
            self._add(legal=self.env.action_masks)

    def _add(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            self._steps[name].append(array.copy())
