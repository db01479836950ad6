"""One game, played step by step, and looked at: by a policy, at random, or by a person for one of the agents."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from pufferbench.decisions import Decision, Thinker
from pufferbench.env import PufferEnv
from pufferbench.episodes import Episode, Recorder
from pufferbench.errors import PufferBenchError
from pufferbench.play import random_actions
from pufferbench.policies import check_fit
from pufferbench.vector.emulate import emulate
from pufferbench.vector.make import make


def one_game(env: Any, **kwargs: Any) -> PufferEnv:
    """One game of ``env``, for us alone: nothing that trains or plays elsewhere is disturbed.

    Args:
        env: a registered name, an env or batch of envs, or whatever :func:`pufferbench.emulate` understands.
        kwargs: of the env, where it is a name.
    """
    if isinstance(env, str):
        return make(env, num_envs=1, **kwargs)
    if kwargs:
        raise TypeError(
            f"options ({', '.join(kwargs)}) are for an env given by name, not for {type(env).__name__}"
        )
    return env.respawn(1) if isinstance(env, PufferEnv) else emulate(env, num_envs=1)


def title_of(env: PufferEnv) -> str:
    """The name it is registered by, or its class."""
    return getattr(env.spec, "id", None) or type(env).__name__


def policy_of(player: Any) -> Any:
    """The policy of a trainer; a policy is its own; None plays at random."""
    return player.policy if hasattr(player, "evaluate") and hasattr(player, "policy") else player


class Game:
    """One game that ``policy`` plays, step by step, recorded.

    Args:
        env: see :func:`one_game`.
        policy: a torch module or a trainer; None plays at random.
        seed: of the first episode, and of the actions that are drawn.
        greedy: always the likeliest action.
        ours: ``env`` is one game, made for this: play in it itself.
        record: keep the steps, for :meth:`episode`.

    Attributes:
        env: the one game.
        thinker: what decides, None when it is played at random.
        rewards: of the last step, ``[n]``.
        total: the sum of the episode's rewards so far, ``[n]``.
        steps: of the episode so far.
        over: the episode has ended. What the env shows is the next one; :meth:`start` begins it properly.
    """

    KEEP = 4000  # steps of an episode that are recorded, at most: 20 MB of pictures

    def __init__(
        self,
        env: Any,
        policy: Any = None,
        seed: int = 0,
        greedy: bool = False,
        ours: bool = False,
        record: bool = True,
        **kwargs: Any,
    ) -> None:
        self.env = env if ours else one_game(env, **kwargs)
        self.record = record
        self.title = title_of(self.env)
        policy = policy_of(policy)
        self.thinker = None if policy is None else Thinker(policy, self.env.action_space, seed, greedy)
        self.start(seed)
        if self.thinker is not None:
            try:
                check_fit(self.thinker.policy, self.env, torch.tensor(self.env.observations), self.title)
            except PufferBenchError:
                self.close()
                raise

    def start(self, seed: int) -> None:
        """A new episode."""
        self.seed = seed
        self.env.reset(seed)
        if self.thinker is None:
            self._random = random_actions(self.env, seed)
        else:
            self.thinker.start(seed)
        self._recorder = Recorder(self.env, seed)
        self._kept: Episode | None = None
        self._decision: Decision | None = None
        self._picture: np.ndarray | None = None
        self._png: bytes | None = None
        self.rewards = np.zeros(self.env.num_agents, np.float32)
        self.total = np.zeros(self.env.num_agents, np.float64)
        self.steps = 0
        self.over = False
        self._ended = np.zeros(self.env.num_agents, bool)
        self.statistics: dict[str, float] = {}  # the env's own, of the episode that ended

    def decide(self) -> Decision | None:
        """What the policy says about the present; asked once per step. None of who plays at random."""
        if self._decision is None and self.thinker is not None:
            env = self.env
            self._decision = self.thinker.decide(env.observations, env.action_masks, env.masks)
        return self._decision

    def step(self, actions: np.ndarray | None = None) -> None:
        """One step, with the policy's actions or these."""
        own = self.actions()
        actions = own if actions is None else np.asarray(actions, own.dtype)
        env = self.env
        if self.record and self._kept is None:
            self._recorder.before(self.png())
        infos = env.step(actions)[4]
        self._ended |= env.terminals | env.truncations
        if self.record and self._kept is None:
            self._recorder.after(actions)
            if len(self._recorder) >= self.KEEP:
                self._kept = self._recorder.episode(self.title, self.statistics)
        self.rewards = env.rewards.copy()
        self.total += env.rewards
        self.steps += 1
        self.over = bool(self._ended.all())
        if len(infos):
            numbers: dict[str, Any] = {str(k): v for k, v in infos[0].items() if np.isscalar(v)}
            self.statistics = {name: float(number) for name, number in numbers.items()}
        if self.thinker is not None:
            self.thinker.forget(env.terminals | env.truncations)
        self._decision = None
        if not self.over:
            self._picture = self._png = None

    def actions(self) -> np.ndarray:
        """What the policy would do now, or random actions."""
        decision = self.decide()
        return self._random(self.env.observations) if decision is None else decision.actions

    def png(self) -> bytes | None:
        """The present picture as a PNG file; None where the game cannot be drawn."""
        if self._png is None and (picture := self.picture()) is not None:
            self._png = to_png(picture)
        return self._png

    def picture(self) -> np.ndarray | None:
        """The present picture: RGB, uint8 ``[height, width, 3]``; None where the game cannot be drawn.

        At an episode's end it is the last one that was asked for: the env already shows the next episode.
        """
        if self._picture is None:
            try:
                self._picture = self.env.render()
            except (NotImplementedError, TypeError):  # what render() says when there is no drawing
                return None
        return self._picture

    def episode(self) -> Episode:
        """What was played so far, judged by the policy if there is one."""
        episode = self._kept or self._recorder.episode(self.title, self.statistics)
        return episode if self.thinker is None else episode.judged_by(self.thinker.policy)

    def close(self) -> None:
        """Closing twice is fine."""
        self.env.close()

    def __enter__(self) -> Game:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def record_episode(
    policy: Any, env: Any, seed: int = 0, greedy: bool = False, limit: int = 2000, frames: bool = True
) -> Episode:
    """Let ``policy`` play one episode, and keep all of it.

    Args:
        policy: a torch module, or a trainer, whose policy it is now; None plays at random.
        env: a name, or an env of any size, which is not touched: the episode is played in another one like it.
        seed: of the game and of the actions that are drawn.
        greedy: always the likeliest action.
        limit: steps, at most.
        frames: keep pictures, where the game can be drawn.
    """
    with Game(env, policy, seed, greedy) as game:
        while not game.over and game.steps < limit:
            game.step()
        episode = game.episode()
    return episode if frames else dataclasses.replace(episode, frames=[])


def to_png(picture: np.ndarray) -> bytes:
    """RGB uint8 ``[height, width, 3]`` as a PNG file's bytes."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()
