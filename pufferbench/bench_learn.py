"""Does every preset learn its game? Trains them one after the other, beside random play and a scripted policy.

What it finds is kept in a JSON file after each game, so that it can be stopped and go on later.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocean_numba.ocean_env import OceanEnv
from ocean_numba.testing import random_actions
from pufferbench import bench
from pufferbench.play import play_episodes
from pufferbench.records import write_atomic
from pufferbench.registry import spec

EPISODES = 32  # of random play and of the scripted policy
SECONDS = 40.0  # of training, at most


@dataclass(frozen=True)
class Learned:
    """What became of one game.

    Attributes:
        metric: what the numbers are: the game's ``score``, or ``episode_return`` where it has none.
        random: mean of random play (legal actions, all equally likely).
        scripted: mean of the policy by hand in the game's file.
        reached: mean over the last 100 episodes of training, the policy still exploring.
        steps: agent steps of training.
        seconds: wall time of training.
        preset: hash of the settings; when they change, the entry is out of date.
    """

    metric: str
    random: float
    scripted: float
    reached: float
    steps: int
    seconds: float
    preset: str

    @property
    def learned(self) -> bool:
        """Whether it got at least a third of the way from random play to the scripted policy."""
        return self.reached >= self.random + (self.scripted - self.random) / 3


def preset_hash(name: str) -> str:
    """Changes when the settings that train the preset do."""
    sections = {name: values for name, values in spec(name).preset().items() if name != "solve"}
    return hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()[:12]


def scripted_policy(name: str) -> Callable[[OceanEnv], np.ndarray]:
    """The function ``scripted`` in the file of this game."""
    return importlib.import_module(spec(name).creator().__module__).scripted


def make_game(name: str, num_envs: int) -> OceanEnv:
    """The game with its preset's parameters."""
    kwargs = {**spec(name).preset().get("env", {}), "num_envs": num_envs}
    return spec(name).creator()(**kwargs)  # type: ignore[return-value]


def plays(name: str, policy: Callable[[OceanEnv], np.ndarray], episodes: int = EPISODES) -> tuple[str, float]:
    """The game's metric, and its mean over whole episodes of ``policy``."""
    env = make_game(name, episodes)
    found = play_episodes(env, lambda observations: policy(env), max(episodes, env.num_agents))
    metric = "score" if "score" in (found.dtype.names or ()) else "episode_return"
    return metric, float(found[metric].mean())


def learn(name: str, seconds: float = SECONDS, seed: int = 1, **config: Any) -> Learned:
    """Train the preset of ``name`` to its end, for ``seconds`` at most."""
    from pufferbench.trainer import PuffeRL  # here: torch

    generator = np.random.default_rng(0)
    metric, by_chance = plays(name, lambda env: random_actions(env, generator, illegal=0.0))
    _, by_hand = plays(name, scripted_policy(name))
    with PuffeRL(env=name, seed=seed, **config) as trainer:
        began = time.perf_counter()
        record: dict[str, Any] = {}
        for record in trainer.steps():  # noqa: B007 -- the last one is what we keep
            if time.perf_counter() - began >= seconds:
                break
        elapsed = time.perf_counter() - began
    return Learned(
        metric=metric,
        random=by_chance,
        scripted=by_hand,
        reached=float(record.get(f"{metric}_100", float("nan"))),
        steps=int(record["global_step"]),
        seconds=elapsed,
        preset=preset_hash(name),
    )


class Table:
    """The results so far, in ``file`` (JSON).

    Attributes:
        games: name -> what became of it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.games: dict[str, Learned] = {}
        if file.exists():
            entries = json.loads(file.read_text(encoding="utf-8"))["games"]
            self.games = {name: Learned(**entry) for name, entry in entries.items()}

    def is_current(self, name: str) -> bool:
        """Whether ``name`` was measured with the preset that it has now."""
        return name in self.games and self.games[name].preset == preset_hash(name)

    def add(self, name: str, result: Learned) -> None:
        """Keep a result, on the disk too."""
        self.games[name] = result
        entries = {key: asdict(self.games[key]) for key in sorted(self.games)}
        text = json.dumps({"machine": bench.machine(), "games": entries}, indent=1)
        write_atomic(self.file, f"{text}\n".encode())
