"""A game that a person plays: alone, beside an agent, or against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from pufferbench.episodes import Episode
from pufferbench.errors import PufferBenchError
from pufferbench.games import Game, to_png
from pufferbench.inbetween import InBetween
from pufferbench.keyboard import Keyboard


class Match:
    """A person and, if wanted, an agent, in the same episode: seed for seed, step for step.

    A game for several has them in the same arena: the person takes the seat ``seat``, the agent all others (without
    an agent they play at random). In a game for one they play side by side, each in one of two equal games.

    :meth:`advance` is called once for every picture, with the keys that are down. It does not know about time.

    Args:
        env: a registered name, an env, or what :func:`pufferbench.emulate` understands.
        agent: a torch policy or a trainer; None: nobody, or random ones.
        seed: of the first episode.
        seat: which agent the person is.
        kwargs: of the env, where it is a name.

    Attributes:
        mine: the person's :class:`~pufferbench.games.Game`; ``theirs``: the agent's, None in the same arena.
        keyboard: which keys do what.
        started: a key was pressed: until then the game stands still.
        over: the person's episode has ended.
    """

    def __init__(self, env: Any, agent: Any = None, seed: int = 0, seat: int = 0, **kwargs: Any) -> None:
        self.mine = Game(env, agent, seed, **kwargs)
        agents = self.mine.env.num_agents
        if not 0 <= seat < agents:
            self.mine.close()
            raise PufferBenchError(f"{self.mine.title} has the seats 0 .. {agents - 1}, not {seat}")
        self.seat = seat
        self.theirs = Game(self.mine.env, agent, seed) if agent is not None and agents == 1 else None
        self.keyboard = Keyboard(self.mine.env)
        self._between = [InBetween(game.env) for game in self.games]
        self.frames_per_step = self._between[0].frames
        self.fps = float(getattr(self.mine.env, "fps", None) or 30) * self.frames_per_step
        self.start(seed)

    @property
    def games(self) -> list[Game]:
        return [self.mine] if self.theirs is None else [self.mine, self.theirs]

    def start(self, seed: int) -> None:
        """A new episode for everybody."""
        self.seed = seed
        for game in self.games:
            game.start(seed)
        self.started = False
        self._coming: list[deque[np.ndarray]] = [deque() for _ in self.games]
        self._actions: list[np.ndarray] = []
        self.rewards: list[float] = []

    @property
    def over(self) -> bool:
        """The person's episode has ended (a seat of several may go on, when others are not done)."""
        return self.mine.over

    def advance(self, held: Sequence[str] = (), pressed: Sequence[str] = ()) -> bool:
        """One picture further. Returns whether anything moved."""
        if self.over:
            return False
        if not self._actions:
            if not self.started and not self.keyboard.known([*held, *pressed]):
                return False
            action = self.keyboard.action(held, pressed)
            if action is None:
                return False
            self.started = True
            self._decide(action)
        if any(self._coming):
            for coming in self._coming:
                if coming:
                    coming.popleft()
        if not any(self._coming):
            self._finish()
        return True

    def _decide(self, action: np.ndarray) -> None:
        """Everybody has decided: the pictures of the step are made, the step itself comes after them."""
        actions = np.array(self.mine.actions())
        actions[self.seat] = action
        self._actions = [actions] if self.theirs is None else [actions, self.theirs.actions()]
        for game, between, coming, doing in zip(
            self.games, self._between, self._coming, self._actions, strict=True
        ):
            if not game.over:
                # The first place is for the picture that is there already
                coming.extend([np.empty(0), *between.play(doing)])

    def _finish(self) -> None:
        for game, actions in zip(self.games, self._actions, strict=True):
            if not game.over:
                game.step(actions)
        self._actions = []
        self.rewards.append(float(self.mine.rewards[self.seat]))

    def pngs(self) -> list[bytes | None]:
        """The present picture of each game."""
        return [
            to_png(coming[0]) if coming and coming[0].size else game.png()
            for game, coming in zip(self.games, self._coming, strict=True)
        ]

    @property
    def scores(self) -> list[float]:
        """The sum of rewards so far: the person's, and the agent's if it plays beside."""
        return [float(self.mine.total[self.seat])] + (
            [] if self.theirs is None else [float(self.theirs.total[0])]
        )

    @property
    def observation(self) -> np.ndarray:
        """What an agent in the person's seat would get now, ``[*shape]``."""
        return self.mine.env.observations[self.seat]

    def episode(self) -> Episode:
        """What was played so far; with an agent, judged by it."""
        return self.mine.episode()

    def close(self) -> None:
        """Closing twice is fine."""
        for game in self.games:
            game.close()
