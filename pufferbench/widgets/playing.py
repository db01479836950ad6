"""play(env): a person plays."""

from __future__ import annotations

from collections import deque
from typing import Any

from pufferbench.episodes import Episode, EpisodeError
from pufferbench.labels import action_parts, observation_numbers, observation_parts
from pufferbench.match import Match
from pufferbench.versions import versions_of
from pufferbench.widgets import parts
from pufferbench.widgets.game_view import GameView
from pufferbench.widgets.observation import Observation
from pufferbench.widgets.screen import KEY_LABELS, Screen, key_buttons
from pufferbench.widgets.traces import Trace, Traces

REWARD = Trace("Reward of each step", help="What an agent would learn from.", colour="orange", bars=True)
EVERY = 4  # pictures between two looks at the observation
REST = 30  # ticks after the end of a game before a key starts the next: fingers are still on the keys


class Play(GameView):
    """A game that a person plays, see :func:`play`.

    Attributes:
        match: the :class:`pufferbench.match.Match` behind it.
        episodes: the last episodes that were played to their end.
    """

    def __init__(self, env: Any, agent: Any = None, seed: int = 0, seat: int = 0, **kwargs: Any) -> None:
        policy = None if agent is None else versions_of(agent, env).newest()
        self.match = match = Match(env, policy, seed, seat, **kwargs)
        game = match.mine.env
        self.title = match.mine.title
        self.episodes: deque[Episode] = deque(maxlen=10)
        self.speed, self.paused = 1.0, False
        self._ticks = self._told = 0
        self._rest = 0
        keys = match.keyboard.keys
        names = " ".join(KEY_LABELS.get(key, key.upper()) for key in keys)
        self.screen = Screen(
            self._tick,
            alt=f"{self.title}, played by you",
            labels=self._labels(game.num_agents, policy is not None),
            notes=[""] * len(match.games),
            columns=len(match.games),
            game_keys=[*keys, "Enter"],
            buttons=key_buttons(keys, self._meanings(keys)),
            needs_focus=True,
            zoom=1.0 if len(match.games) > 1 else 1.5,
            hint=f"Click here, then play with  {names}",
        )
        self.pause = parts.pause_button(self._pause)
        self.new = parts.button("New game", "refresh", "The next seed (Enter)", self.new_game)
        self.step = parts.button(
            "Step", "step-forward", "One step with no key; while paused, a key is a step", self._one
        )
        self.apart = parts.button(
            "Take apart", "search", "Scrub through what was played so far", self._take_apart
        )
        self.seed = parts.seed_box(seed, lambda seed: self.start(seed))
        self.speeds = parts.speed_slider(self._set_speed, "Slow motion for beginners")
        self.observation = Observation(observation_parts(game))
        self.rewards = Traces([REWARD], alt="rewards of this game")
        subtitle = self._subtitle(game.num_agents, policy is not None)
        super().__init__(
            [
                parts.heading(self.title, subtitle),
                parts.beside([self.screen], [self.rewards, self.observation])
                if len(match.games) == 1
                else self.screen,
                *(() if len(match.games) == 1 else (parts.beside([self.rewards], [self.observation]),)),
                parts.row(self.new, self.pause, self.step, self.seed, self.speeds, self.apart),
            ]
        )
        self._set_speed(1.0)
        self._show(everything=True)

    # -- what a person does ---------------------------------------------------------------------

    def start(self, seed: int) -> None:
        """A new game with this seed."""
        with self.screen.lock:
            self.match.start(seed)
            self.seed.value = seed
            self.rewards.clear()
            self._told = self._rest = 0
            self._overlay()
            self._show(everything=True)

    def new_game(self) -> None:
        """A new game, with the next seed."""
        self.start(self.match.seed + 1)

    @property
    def episode(self) -> Episode:
        """The game so far; the last one, while the next has not begun."""
        if not self.match.mine.steps and self.episodes:
            return self.episodes[-1]
        return self.match.episode()

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        self._overlay()
        if paused:
            self.rest(now=True)

    def _one(self) -> None:
        with self.screen.lock:
            self.pause.value = True
            self.match.started = True
            self._whole_step([])

    def _set_speed(self, speed: float) -> None:
        self.speed = speed
        self._period, self._per_tick = parts.clock(self.match.fps, speed)
        self.screen.period = 33.0 if self.match.keyboard.waits else self._period

    def _take_apart(self) -> None:
        from pufferbench.widgets.replaying import Replay

        try:
            opened = Replay(self.episode)
        except EpisodeError as error:
            self.screen.overlay = str(error)
            return
        self.pause.value = True
        self.put_below(opened)

    # -- time -----------------------------------------------------------------------------------

    def _tick(self, held: list[str], pressed: list[str]) -> None:
        match = self.match
        if match.over:
            self._rest += 1
            again = match.keyboard.waits or self._rest > REST
            if not pressed or not (again or "Enter" in pressed):
                return
            self.new_game()
        elif "Enter" in pressed:
            self.new_game()
            return
        if self.paused:
            if match.keyboard.known(pressed):
                self._whole_step(pressed)
            return
        moved = False
        for _ in range(self._per_tick):
            moved = match.advance(held, pressed) or moved
            pressed = []
        if moved:
            self._after()

    def _whole_step(self, pressed: list[str]) -> None:
        steps = self.match.mine.steps
        while self.match.advance(pressed, pressed) and self.match.mine.steps == steps:
            pass
        self._after()

    def _after(self) -> None:
        self._ticks += 1
        if self.match.over:
            self.episodes.append(self.match.episode())
            self._overlay()
        self._show(everything=self.match.over or self._ticks % EVERY == 0)
        if self.match.over:
            self.rest()

    def _show(self, everything: bool) -> None:
        match = self.match
        notes = [
            f"return {game.total[seat]:.4g} · step {game.steps} · last reward {game.rewards[seat]:+.3g}"
            + (" · ended" if game.over else "")
            for game, seat in zip(match.games, (match.seat, 0), strict=False)
        ]
        self.screen.show([png or b"" for png in match.pngs()], notes)
        for reward in match.rewards[self._told :]:
            self.rewards.append(reward)
        self._told = len(match.rewards)
        if everything:
            self.rewards.flush()
            self.observation.show(observation_numbers(match.mine.env.observation_space, match.observation))

    # -- words ----------------------------------------------------------------------------------

    def _overlay(self) -> None:
        match = self.match
        if match.over:
            scores = [f"{score:.4g}" for score in match.scores]
            who = f"return {scores[0]}"
            if match.theirs is not None:
                who = f"you {scores[0]}, the agent {scores[1]}{'' if match.theirs.over else ' so far'}"
            extra = match.mine.statistics.get("score")
            more = f" · score {extra:.4g}" if extra is not None and len(scores) == 1 else ""
            self.screen.overlay = f"Game over: {who}{more}\nEnter for another"
        else:
            self.screen.overlay = "Paused: a key is one step" if self.paused else ""

    def _labels(self, agents: int, with_agent: bool) -> list[str]:
        if len(self.match.games) == 2:
            return ["You", "The agent"]
        others = "the agent" if with_agent else "random players"
        return [f"You, seat {self.match.seat} of {agents}; {others} in the others" if agents > 1 else "You"]

    def _subtitle(self, agents: int, with_agent: bool) -> str:
        fps = self.match.fps / self.match.frames_per_step
        if self.match.keyboard.waits:
            return "waits for your key"
        return f"{fps:.3g} decisions/s, as an agent has"

    def _meanings(self, keys: dict[str, Any]) -> dict[str, str]:
        told = action_parts(self.match.mine.env)
        options = told[0].options if len(told) == 1 else ()
        return {
            key: options[int(action)] if options and int(action) < len(options) else f"action {action}"
            for key, action in keys.items()
        }

    def picture(self) -> tuple[bytes | None, str]:
        """The present picture."""
        scores = self.match.scores
        words = (
            f"{self.title}, played by a person: return {scores[0]:.4g} after {self.match.mine.steps} steps."
        )
        if len(scores) > 1:
            words += f" The agent: {scores[1]:.4g}."
        return self.match.mine.png(), words

    def release(self) -> None:
        self.screen.period = 0.0
        self.match.close()

    def __repr__(self) -> str:
        match = self.match
        return f"Play({self.title}, seed {match.seed}, return {match.scores[0]:.4g}, step {match.mine.steps})"


def play(env: Any, agent: Any = None, seed: int = 0, seat: int = 0, **kwargs: Any) -> Play:
    """Play a game yourself, by keyboard or with the buttons below the picture.

    It runs while its picture has the keyboard (click it). Each finished game is an
    :class:`pufferbench.Episode` in ``view.episodes``, for :func:`replay`.

    Args:
        env: a registered name, an env, or what :func:`pufferbench.emulate` understands. Yours is not touched.
        agent: race it: a policy, a trainer, or a run folder. Beside you with the same seed, or, in a game for several,
            in all seats but yours.
        seed: of the first game.
        seat: which agent you are, in a game for several.
        kwargs: of the env, where it is a name: ``play("ocean-pong", policy, players=2)``.
    """
    return Play(env, agent, seed, seat, **kwargs)
