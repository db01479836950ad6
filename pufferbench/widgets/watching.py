"""watch(policy, env): an agent plays, and says what it thinks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from pufferbench.episodes import Episode, EpisodeError
from pufferbench.games import Game
from pufferbench.labels import action_parts
from pufferbench.mosaic import mosaic, to_jpeg
from pufferbench.play import VIDEOS, write_video
from pufferbench.versions import LiveVersions, versions_of
from pufferbench.widgets import parts
from pufferbench.widgets.chances import Chances
from pufferbench.widgets.game_view import GameView
from pufferbench.widgets.screen import Screen
from pufferbench.widgets.traces import Trace, Traces

TRACES = (
    Trace("Value", "return", "The discounted return that the policy expects from here on."),
    Trace(
        "Entropy", "nats", "How undecided the policy is: 0 when it is sure of one action.", "purple", low=0.0
    ),
    Trace("Reward of each step", help="What came of it.", colour="orange", bars=True),
)
GAMES = 16  # at once
PAUSE = 0.8  # s between two episodes
CPU_SHARE = 0.05  # of a core, at most, while somebody trains
FREE_SHARE = 0.7  # and while nobody does


class Watch(GameView):
    """An agent that plays, see :func:`watch`.

    Attributes:
        game: the :class:`pufferbench.games.Game` that is played.
        versions: of the policy, see :mod:`pufferbench.versions`.
        returns: of the last episodes that ended.
    """

    def __init__(
        self, player: Any, env: Any = None, policy: Any = None, seed: int = 0, greedy: bool = False
    ) -> None:
        self.versions = versions_of(player, env, policy)
        self.game = Game(self.versions.make_env(), self.versions.newest(), seed, greedy, ours=True)
        self.title = self.game.title
        self.returns: deque[float] = deque(maxlen=100)
        self.speed, self.paused = 1.0, False
        self.many: list[Game] = []
        self.version = len(self.versions.list()) - 1
        self._cost = 0.0  # CPU seconds per tick, smoothed
        self._ended_at: float | None = None
        self._shown_version: Any = None
        self.following = True  # the newest weights
        changing = self.version > 0 or isinstance(self.versions, LiveVersions)

        self.screen = Screen(self._tick, alt=f"{self.title}, played by the agent", zoom=1.5)
        self.chances = Chances(action_parts(self.game.env))
        self.traces = Traces(TRACES, alt="What the policy thinks, step by step", height=100)
        self.heading = parts.heading(self.title, "")
        self.slider = ipywidgets.IntSlider(
            self.version,
            min=0,
            max=max(1, self.version),
            readout=False,
            description="Checkpoint",
            tooltip="Which weights play, from the first to the newest; while it plays",
            continuous_update=False,
            layout={"width": "320px", "display": "" if changing else "none"},
        )
        self.slider.observe(self._moved, names="value")
        self.pause = parts.pause_button(self._pause)
        self.step = parts.button("Step", "step-forward", "One step", self._one)
        self.next = parts.button(
            "Next episode", "refresh", "Another seed", lambda: self.start(self.game.seed + 1)
        )
        self.seed = parts.seed_box(seed, self.start)
        self.speeds = parts.speed_slider(self._set_speed, "Slow motion, or faster")
        self.likeliest = ipywidgets.Checkbox(
            greedy, description="likeliest action", indent=False, layout={"width": "auto"},
            tooltip="Always the likeliest action, instead of sampling as in training",
        )  # fmt: skip
        self.likeliest.observe(self._greedy, names="value")
        self.grid = ipywidgets.Checkbox(
            False, description=f"{GAMES} games at once", indent=False, layout={"width": "auto"},
            tooltip="Is it luck? The same policy with other seeds",
        )  # fmt: skip
        self.grid.observe(lambda change: self.play_many(change["new"]), names="value")
        self.apart = parts.button("Take apart", "search", "Scrub through this episode", self._take_apart)
        self.format = ipywidgets.Dropdown(
            options=[ending[1:] for ending in VIDEOS], layout={"width": "76px"}, tooltip="Format of the film"
        )
        self.save = parts.button("Save film", "film", "One episode, beside this notebook", self._save)
        self.said = ipywidgets.HTML("")
        super().__init__(
            [
                self.heading,
                parts.beside([self.screen], [self.chances, self.traces]),
                parts.row(self.slider, self.pause, self.step, self.next, self.seed, self.speeds),
                parts.row(self.likeliest, self.grid, self.apart, self.save, self.format, self.said),
            ]
        )
        self._set_speed(1.0)
        self._follow()
        self._show()

    # -- what a person does ---------------------------------------------------------------------

    def use(self, version: int) -> None:
        """Play on with the weights of this version, 0 for the first; the newest is followed."""
        with self.screen.lock:
            versions = self.versions.list()
            self.version = max(0, min(version, len(versions) - 1))
            weights = self.versions.weights(self.version)
            if weights is not None:
                for game in (self.game, *self.many):
                    assert game.thinker is not None
                    game.thinker.load(weights)
            self._shown_version = versions[self.version]
            self._words()

    def start(self, seed: int) -> None:
        """A new episode."""
        with self.screen.lock:
            self.game.start(seed)
            self.seed.value = seed
            self.traces.clear()
            self._ended_at = None
            self._show()

    def play_many(self, many: bool) -> None:
        """Play 16 games with different seeds, or one again."""
        with self.screen.lock:
            for game in self.many:
                game.close()
            self.many = []
            if many:
                policy = None if self.game.thinker is None else self.game.thinker.policy
                greedy = self.likeliest.value
                self.many = [
                    Game(self.game.env, policy, self.game.seed + 1 + i, greedy, record=False)
                    for i in range(GAMES)
                ]
            self.grid.value = many
            self._cost = 0.0
            self._show()

    def export(self, path: str | Path, seed: int | None = None, games: int = 1, seconds: float = 30) -> Path:
        """Write a film of one episode with the present weights: ``.gif``, ``.mp4`` or ``.webp``. Needs no display.

        Args:
            seed: of the episode; None: the present one's.
            games: how many, side by side, with seeds from ``seed`` on.
            seconds: at most.
        """
        seed = self.game.seed if seed is None else seed
        policy = None if self.game.thinker is None else self.game.thinker.policy
        greedy = self.likeliest.value
        cast = [Game(self.game.env, policy, seed + i, greedy, record=False) for i in range(games)]
        try:
            write_video(path, _film(cast, int(seconds * self.fps)), self.fps)
        finally:
            for game in cast:
                game.close()
        return Path(path)

    @property
    def fps(self) -> float:
        """Steps per second in real time."""
        return float(getattr(self.game.env, "fps", None) or 30)

    @property
    def episode(self) -> Episode:
        """The episode so far."""
        return self.game.episode()

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        self.screen.overlay = "Paused" if paused else ""
        if paused:
            self.rest(now=True)

    def _one(self) -> None:
        with self.screen.lock:
            self.pause.value = True
            self._advance()
            self._show()

    def _set_speed(self, speed: float) -> None:
        self.speed = speed
        self._period, self._per_tick = parts.clock(self.fps, speed)
        self.screen.period = self._period

    def _greedy(self, change: dict[str, Any]) -> None:
        for game in (self.game, *self.many):
            if game.thinker is not None:
                game.thinker.greedy = change["new"]

    def _save(self) -> None:
        path = Path(f"{self.title}-{self._shown_version.label.replace(' ', '-')}.{self.format.value}")
        self.said.value = "playing …"
        self.export(path)
        self.said.value = f"wrote {path}"

    def _take_apart(self) -> None:
        from pufferbench.widgets.replaying import Replay

        try:
            opened = Replay(self.episode)
        except EpisodeError as error:
            self.said.value = str(error)
            return
        self.pause.value = True
        self.put_below(opened)

    # -- time -----------------------------------------------------------------------------------

    def _tick(self, held: list[str], pressed: list[str]) -> None:
        if self.paused:
            return
        began = time.thread_time()
        self._follow()
        if self.many:
            self._advance_many()
        else:
            for _ in range(self._per_tick):
                self._advance()
        self._show()
        spent = time.thread_time() - began
        self._cost = spent if not self._cost else 0.9 * self._cost + 0.1 * spent
        share = CPU_SHARE if isinstance(self.versions, LiveVersions) else FREE_SHARE
        period = max(self._period, 1000 * min(self._cost / share, 0.5))
        if not 0.8 < period / self.screen.period < 1.25:
            self.screen.period = period

    def _advance(self) -> None:
        game = self.game
        if game.over:
            if self._ended_at is None:
                self._ended_at = time.monotonic()
                self.returns.append(float(game.total.mean()))
                self.rest()
            elif time.monotonic() - self._ended_at > PAUSE / self.speed:
                self.start(game.seed + 1)
            return
        decision = game.decide()
        value, entropy = (np.nan, np.nan) if decision is None else (decision.values[0], decision.entropy[0])
        if decision is not None:
            self.chances.show(decision.distribution[0], decision.actions[0])
        game.step()
        self.traces.append(value, entropy, game.rewards[0])

    def _advance_many(self) -> None:
        for game in self.many:
            if game.over:
                self.returns.append(float(game.total.mean()))
                game.start(game.seed + GAMES)
            game.step()

    def _follow(self) -> None:
        """The newest weights of a live trainer, until somebody moves the slider away from its end."""
        versions = self.versions.list()
        last = len(versions) - 1
        if self.following and versions[last] != self._shown_version:
            self.slider.max = max(1, last)
            self.slider.value = last
            self.use(last)

    def _moved(self, change: dict[str, Any]) -> None:
        self.following = change["new"] == self.slider.max
        self.use(change["new"])

    # -- pictures and words ---------------------------------------------------------------------

    def _show(self) -> None:
        if self.many:
            pictures = [picture for game in self.many if (picture := game.picture()) is not None]
            if pictures:
                self.screen.show([to_jpeg(mosaic(pictures, 4))], [self._note()])
            return
        self.screen.show([self.game.png() or b""], [self._note()])
        self.traces.flush()

    def _note(self) -> str:
        mean = f" · mean of {len(self.returns)} episodes {np.mean(self.returns):.4g}" if self.returns else ""
        if self.many:
            return f"{GAMES} games{mean}"
        game = self.game
        return f"return {game.total.mean():.4g} · step {game.steps}{' · ended' if game.over else ''}{mean}"

    def _words(self) -> None:
        version = self._shown_version
        share = "" if version.progress is None else f" · {100 * version.progress:.0f} % of the training"
        self.heading.value = parts.heading_html(self.title, f"{version.label}{share}")

    def picture(self) -> tuple[bytes | None, str]:
        """The present picture."""
        words = f"{self.title}, played by the agent ({self._shown_version.label}): {self._note()}."
        return next(iter(self.screen.pictures), None) or None, words

    def release(self) -> None:
        self.screen.period = 0.0
        self.versions.close()
        for game in (self.game, *self.many):
            game.close()

    def __repr__(self) -> str:
        return f"Watch({self.title}, {self._shown_version.label}, {self._note()})"


def _film(games: list[Game], limit: int) -> Iterator[np.ndarray]:
    """Pictures of the games' episodes, until all are over."""
    for _ in range(limit):
        pictures = [picture for game in games if (picture := game.picture()) is not None]
        if not pictures:
            raise TypeError(f"{games[0].title} cannot be drawn: there is nothing to film")
        yield pictures[0] if len(games) == 1 else mosaic(pictures, int(np.ceil(np.sqrt(len(games)))))
        for game in games:
            if not game.over:
                game.step()
        if all(game.over for game in games):
            return


def watch(player: Any, env: Any = None, policy: Any = None, seed: int = 0, greedy: bool = False) -> Watch:
    """Watch an agent play, with what it thinks: action probabilities, value, entropy.

    Args:
        player: a policy; a trainer, which may be training; a run folder, its path, or a checkpoint; None: random play.
        env: where; a trainer and a run know it. A name, or an env, which is not touched.
        policy: of a run whose policy is one of your own: a module to load the weights into.
        seed: of the first episode.
        greedy: always the likeliest action, instead of sampling as in training.
    """
    return Watch(player, env, policy, seed, greedy)
