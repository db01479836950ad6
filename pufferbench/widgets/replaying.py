"""replay(episode): scrub through an episode: what was seen, what was done, what came of it, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from pufferbench.episodes import Episode
from pufferbench.labels import observation_numbers
from pufferbench.saliency import METHODS, Saliency
from pufferbench.widgets import parts, replay_picture
from pufferbench.widgets.chances import Chances
from pufferbench.widgets.game_view import GameView
from pufferbench.widgets.observation import Observation
from pufferbench.widgets.screen import Screen
from pufferbench.widgets.traces import Trace, Traces

REWARD = Trace("Reward of each step", help="What came of the step.", colour="orange", bars=True)
JUDGED = (
    Trace("Value", "return", "The discounted return that the policy expected at each step.", "blue"),
    Trace(
        "Advantage",
        "return",
        "How much better the step turned out than expected (GAE): what PPO learns from. Above 0 the action is made "
        "likelier, below 0 less likely.",
        "green",
        bars=True,
    ),
)


class Replay(GameView):
    """An episode to scrub through, see :func:`replay`.

    Attributes:
        episode: the :class:`pufferbench.Episode`.
        agent: of several, whose.
    """

    def __init__(
        self, episode: Any, policy: Any = None, agent: int = 0, gamma: float = 0.99, gae_lambda: float = 0.95
    ) -> None:
        episode = Episode.load(episode) if isinstance(episode, (str, Path)) else episode
        self.episode: Episode = episode if policy is None else episode.judged_by(policy)
        self.agent, self.speed = agent, 1.0
        self.judged = self.episode.values is not None
        self._saliency = Saliency(self.episode) if self.episode.policy is not None else None
        self.step = 0
        last = len(self.episode) - 1

        self.screen = Screen(self._tick, alt=f"{self.episode.env}, step by step", zoom=1.5)
        self.observation = Observation(self.episode.observations_are)
        self.chances = Chances(
            self.episode.actions_are, title="What the policy would do" if self.judged else "What was done"
        )
        self.traces = Traces(
            [*(JUDGED if self.judged else ()), REWARD],
            alt="Numbers of every step; arrow keys or the pointer move the cursor",
            cursor=0,
            steps=len(self.episode),
            height=72,
        )
        self.traces.observe(lambda change: self.go(change["new"]), names="cursor")
        self.scrubber = ipywidgets.IntSlider(
            0, min=0, max=max(1, last), description="Step", layout={"width": "auto", "flex": "1 1 300px"},
            tooltip="Scrub through the episode",
        )  # fmt: skip
        self.scrubber.observe(lambda change: self.go(change["new"]), names="value")
        self.playing = ipywidgets.ToggleButton(
            False, description="Play", icon="play", tooltip="Let it run", layout={"width": "auto"}
        )
        self.playing.observe(self._run, names="value")
        self.back = parts.button("Back", "step-backward", "One step back", lambda: self.go(self.step - 1))
        self.forward = parts.button("Step", "step-forward", "One step on", lambda: self.go(self.step + 1))
        self.speeds = parts.speed_slider(self._set_speed, "Slow motion, or faster")
        self.seat = ipywidgets.BoundedIntText(
            agent, min=0, max=self.episode.num_agents - 1, description="Agent", layout={"width": "130px"}
        )
        self.seat.observe(lambda change: self._take_seat(change["new"]), names="value")
        self.gamma = _knob("gamma", gamma, 0.8, "Discount: how much a reward one step later counts")
        self.gae_lambda = _knob(
            "lambda", gae_lambda, 0.0, "GAE: 0 trusts the value of the next step, 1 only rewards"
        )
        self.why = ipywidgets.Dropdown(
            options=[("nothing", ""), *((method, method) for method in METHODS)],
            value="occlusion" if self._saliency else "",
            description="Mark why by",
            layout={"width": "210px"},
            tooltip="Marks in orange what the decision hangs on: occlusion hides a number and asks the policy again; "
            "gradient asks how fast the action's probability changes with it",
        )
        for control in (self.gamma, self.gae_lambda):
            control.observe(lambda _: self._advantages(), names="value")
        self.why.observe(lambda _: self.go(self.step), names="value")
        self.facts = ipywidgets.HTML("").add_class("pb-facts")
        self.problem = ipywidgets.HTML("")
        judge = [self.gamma, self.gae_lambda, self.why] if self._saliency else [self.gamma, self.gae_lambda]
        super().__init__(
            [
                parts.heading(self.episode.env, self._subtitle()),
                parts.row(self.back, self.playing, self.forward, self.scrubber, self.speeds,
                          *([self.seat] if self.episode.num_agents > 1 else [])),
                self.facts,
                parts.beside([self.screen, self.chances], [self.traces, self.observation]),
                *([parts.row(*judge, self.problem)] if self.judged else []),
            ]
        )  # fmt: skip
        self._advantages()
        self.go(0)

    # -- what a person does ---------------------------------------------------------------------

    def go(self, step: int) -> None:
        """Show this step."""
        with self.screen.lock:
            step = max(0, min(step, len(self.episode) - 1))
            self.step = step
            self.scrubber.value = self.traces.cursor = step  # each calls us once more, with the same step
            episode, agent = self.episode, self.agent
            if episode.frames:
                self.screen.show([episode.frames[step]])
            seen = episode.observations[step, agent]
            if episode.observation_space is not None:
                self.observation.show(
                    observation_numbers(episode.observation_space, seen), self._reasons(step)
                )
            given = None if episode.distribution is None else episode.distribution[step, agent]
            self.chances.show(given, episode.actions[step, agent])
            self.facts.value = self._facts()

    def _take_seat(self, agent: int) -> None:
        self.agent = agent
        self._advantages()
        self.go(self.step)

    def _run(self, change: dict[str, Any]) -> None:
        if change["new"] and self.step >= len(self.episode) - 1:
            self.go(0)
        self._set_speed(self.speed)
        if not change["new"]:
            self.rest(now=True)

    def _set_speed(self, speed: float) -> None:
        self.speed = speed
        period, self._per_tick = parts.clock(self.episode.fps, speed)
        self.screen.period = period if self.playing.value else 0.0

    def _tick(self, held: list[str], pressed: list[str]) -> None:
        if not self.playing.value:
            return
        self.go(self.step + self._per_tick)
        if self.step >= len(self.episode) - 1:
            self.playing.value = False

    # -- numbers --------------------------------------------------------------------------------

    def _advantages(self) -> None:
        episode, agent = self.episode, self.agent
        columns = [episode.rewards[:, agent]]
        if self.judged:
            assert episode.values is not None
            self.advantages = episode.advantages(self.gamma.value, self.gae_lambda.value)
            columns = [episode.values[:-1, agent], self.advantages[:, agent], *columns]
        self.traces.replace(*columns)
        self.facts.value = self._facts()

    def _reasons(self, step: int) -> np.ndarray | None:
        if self._saliency is None or not self.why.value:
            return None
        try:
            return self._saliency(step, self.agent, self.why.value)
        except ValueError as error:
            self.problem.value = str(error)
            self.why.value = "occlusion"
            return self._saliency(step, self.agent, "occlusion")

    def _facts(self) -> str:
        episode, step, agent = self.episode, max(0, self.step), self.agent
        so_far = episode.rewards[: step + 1, agent].sum()
        words = [f"step <b>{step}</b> of {len(episode) - 1}"]
        if not episode.masks[step, agent]:
            words.append("waits")
        words.append(f"action <b>{self._action(step)}</b>")
        words.append(f"reward <b>{episode.rewards[step, agent]:+.4g}</b>, return so far {so_far:.4g}")
        if self.judged:
            assert episode.values is not None and episode.entropy is not None
            words.append(f"value <b>{episode.values[step, agent]:.4g}</b>")
            words.append(f"advantage <b>{self.advantages[step, agent]:+.4g}</b>")
            words.append(f"entropy {episode.entropy[step, agent]:.3g} nats")
        if episode.terminals[step, agent]:
            words.append("the episode ended")
        elif episode.truncations[step, agent]:
            words.append("the episode was cut")
        return " · ".join(words)

    def _action(self, step: int) -> str:
        done = np.ravel(self.episode.actions[step, self.agent])
        names = []
        for part, value in zip(self.episode.actions_are, done, strict=True):
            option = part.options[int(value)] if part.options else f"{value:.3g}"
            names.append(f"{part.name} {option}".strip())
        return ", ".join(names)

    def _subtitle(self) -> str:
        episode = self.episode
        total = episode.episode_return
        words = f"seed {episode.seed} · {len(episode)} steps · return {total.mean():.4g}"
        return words if self.judged else words + " · replay(episode, policy) asks a policy about it"

    def picture(self) -> tuple[bytes | None, str]:
        """The step's picture, and the numbers of the episode with the step marked."""
        words = f"{self.episode.env}, {self._subtitle()}; step {self.step}: action {self._action(self.step)}."
        return replay_picture.picture(
            self.episode, self.step, self.agent, self.advantages if self.judged else None
        ), words

    def release(self) -> None:
        self.screen.period = 0.0

    def __repr__(self) -> str:
        return f"Replay({self.episode.env}, {self._subtitle()})"


def _knob(name: str, value: float, low: float, about: str) -> ipywidgets.FloatSlider:
    return ipywidgets.FloatSlider(
        value, min=low, max=1.0, step=0.005, description=name, tooltip=about, readout_format=".3f",
        layout={"width": "300px"},
    )  # fmt: skip


def replay(
    episode: Any, policy: Any = None, agent: int = 0, gamma: float = 0.99, gae_lambda: float = 0.95
) -> Replay:
    """Scrub through an episode: picture, observation, action probabilities, value, reward, advantage, and why.

    Args:
        episode: an :class:`pufferbench.Episode`, or the file of one.
        policy: who is asked what it thinks of every step; None: who was asked when it was recorded.
        agent: of several, whose.
        gamma, gae_lambda: of the advantages; sliders change them.
    """
    return Replay(episode, policy, agent, gamma, gae_lambda)
