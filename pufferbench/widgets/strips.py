"""film_strip(run): what an agent learned, and when: at 0, 1, 5, 10, ... 100 % of its training, side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.games import Game
from pufferbench.mosaic import mosaic
from pufferbench.play import write_video
from pufferbench.versions import Version, spread, versions_of
from pufferbench.widgets import parts
from pufferbench.widgets.game_view import GameView
from pufferbench.widgets.screen import Screen

SHARES = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1)
PREVIEW = 120  # steps until the picture that a saved notebook has before anything was played
REST = 1.5  # s after all have ended


class FilmStrip(GameView):
    """The same game, played by the same agent at several times of its training, see :func:`film_strip`.

    Attributes:
        moments: the :class:`pufferbench.versions.Version` s, in their order.
        games: one for each.
    """

    def __init__(
        self,
        run: Any,
        shares: Sequence[float] = SHARES,
        env: Any = None,
        policy: Any = None,
        seed: int = 0,
        greedy: bool = False,
    ) -> None:
        self.versions = versions_of(run, env, policy)
        versions = self.versions.list()
        chosen = spread(versions, shares)
        self.moments: list[Version] = [versions[index] for index in chosen]
        self._weights = [self.versions.weights(index) for index in chosen]
        self._policy, self._greedy = self.versions.newest(), greedy
        self.games = self._cast(seed)
        self.title = self.games[0].title
        self.paused = False
        self._ended_at: float | None = None
        self.screen = Screen(
            self._tick,
            alt=f"{self.title}, played by the agent at {len(self.moments)} times of its training",
            labels=[_label(moment) for moment in self.moments],
            notes=[""] * len(self.moments),
            columns=min(4, len(self.moments)),
        )
        self.pause = parts.pause_button(self._pause)
        self.step = parts.button("Step", "step-forward", "One step in all of them", self._one)
        self.again = parts.button(
            "From the start", "refresh", "The same seed again", lambda: self.start(self.seed.value)
        )
        self.seed = parts.seed_box(seed, self.start)
        self.speeds = parts.speed_slider(self._set_speed, "Slow motion, or faster")
        super().__init__(
            [
                parts.heading(
                    self.title, f"one agent, at {len(self.moments)} times of its training; the same seed"
                ),
                self.screen,
                parts.row(self.again, self.pause, self.step, self.seed, self.speeds),
            ]
        )
        self._set_speed(1.0)
        self._show()

    def start(self, seed: int) -> None:
        """All from the start, with this seed."""
        with self.screen.lock:
            self.seed.value = seed
            for game in self.games:
                game.start(seed)
            self._ended_at = None
            self._show()

    def advance(self, steps: int = 1) -> None:
        """So many steps in all games that have not ended."""
        with self.screen.lock:
            _advance(self.games, steps)
            self._show()

    def export(self, path: str | Path, seconds: float = 20) -> Path:
        """Write a film of all, from the start: ``.gif``, ``.mp4`` or ``.webp``. Needs no display."""
        games = self._cast(self.seed.value)
        try:
            write_video(path, self._film(games, int(seconds * self.fps)), self.fps)
        finally:
            for game in games:
                game.close()
        return Path(path)

    @property
    def fps(self) -> float:
        """Steps per second in real time."""
        return float(getattr(self.games[0].env, "fps", None) or 30)

    def _cast(self, seed: int) -> list[Game]:
        games = []
        for weights in self._weights:
            game = Game(self.versions.make_env(), self._policy, seed, self._greedy, ours=True, record=False)
            if weights is not None and game.thinker is not None:
                game.thinker.load(weights)
            games.append(game)
        return games

    def _film(self, games: list[Game], limit: int) -> Iterator[np.ndarray]:
        for _ in range(limit):
            yield self._sheet(games)
            if all(game.over for game in games):
                return
            _advance(games, 1)

    def _sheet(self, games: list[Game]) -> np.ndarray:
        words = [f"{_label(m)}\n{_note(game)}" for m, game in zip(self.moments, games, strict=True)]
        pictures = [game.picture() for game in games]
        shown = [np.full((40, 160, 3), 240, np.uint8) if picture is None else picture for picture in pictures]
        return mosaic(shown, min(4, len(games)), 200, words)

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        if paused:
            self.rest(now=True)

    def _one(self) -> None:
        self.pause.value = True
        self.advance()

    def _set_speed(self, speed: float) -> None:
        self.speed = speed
        self.screen.period, self._per_tick = parts.clock(self.fps, speed)

    def _tick(self, held: list[str], pressed: list[str]) -> None:
        if self.paused:
            return
        if not all(game.over for game in self.games):
            _advance(self.games, self._per_tick)
            self._show()
        elif self._ended_at is None:
            self._ended_at = time.monotonic()
            self.rest()
        elif time.monotonic() - self._ended_at > REST:
            self.start(self.seed.value)

    def _show(self) -> None:
        self.screen.show([game.png() or b"" for game in self.games], [_note(game) for game in self.games])

    def picture(self) -> tuple[bytes | None, str]:
        """All as they are now; before anything was played, as they are after a while."""
        from pufferbench.games import to_png

        games = self.games
        fresh = all(game.steps == 0 for game in games)
        if fresh:
            games = self._cast(self.seed.value)
            for _ in range(PREVIEW):
                for game in games:
                    game.picture()
                _advance(games, 1)
        notes = "; ".join(f"{_label(m)}: {_note(g)}" for m, g in zip(self.moments, games, strict=True))
        picture = to_png(self._sheet(games))
        if fresh:
            for game in games:
                game.close()
        return picture, f"{self.title}, seed {self.seed.value}: {notes}."

    def release(self) -> None:
        self.screen.period = 0.0
        self.versions.close()
        for game in self.games:
            game.close()

    def __repr__(self) -> str:
        return f"FilmStrip({self.title}, {len(self.moments)} times of its training)"


def _advance(games: Sequence[Game], steps: int) -> None:
    for game in games:
        for _ in range(steps):
            if not game.over:
                game.step()


def _label(moment: Version) -> str:
    share = "" if moment.progress is None else f"{100 * moment.progress:.0f} % · "
    return f"{share}{moment.label}"


def _note(game: Game) -> str:
    return f"return {game.total.mean():.4g} · step {game.steps}{' · ended' if game.over else ''}"


def film_strip(
    run: Any,
    shares: Sequence[float] = SHARES,
    env: Any = None,
    policy: Any = None,
    seed: int = 0,
    greedy: bool = False,
) -> FilmStrip:
    """The agent at several times of its training, side by side, in the same game.

    Args:
        run: a run folder or its path (checkpoints are data: nothing in it is executed), or a live trainer.
        shares: of the training, 0 .. 1; for each the nearest checkpoint is taken. 0 is the untrained policy.
        env: None: the one that it was trained in.
        policy: of a run whose policy is one of your own: a module to load the weights into.
        seed: of the game.
        greedy: always the likeliest action.
    """
    return FilmStrip(run, shares, env, policy, seed, greedy)
