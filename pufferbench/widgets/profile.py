"""profile(): where the microseconds go, as a picture, with the machine's limit beside it."""

from __future__ import annotations

from typing import Any

import ipywidgets

from pufferbench import registry
from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError
from pufferbench.profiling import Profile, profile_env, profile_trainer
from pufferbench.trainer import PuffeRL
from pufferbench.vector.make import make
from pufferbench.widgets import svg
from pufferbench.widgets.drawing import Drawing, View

WIDTH, ROW, LEFT, RIGHT = 760, 26, 120, 190  # pixels: of the picture, of a bar, of the words beside the bars


class ProfileView(View):
    """The time of an agent's step in bars: ``profile("cartpole")``, ``profile(env)`` or ``profile(trainer)``.

    Args:
        target: a :class:`pufferbench.PuffeRL`, which is trained for a few updates; or an environment, or its name,
            which is stepped for about a second.

    Attributes:
        profile: the numbers, a :class:`pufferbench.profiling.Profile`; printed, they are a table.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        self.profile = measure(target)
        self.drawing = Drawing(alt=self.describe())
        self.button = ipywidgets.Button(
            description="Measure again",
            icon="refresh",
            tooltip="Other programs disturb: look twice",
            layout={"width": "auto"},
        )
        self.button.on_click(lambda _: self.again())
        super().__init__([self.drawing, self.button])

    def again(self) -> None:
        """Measure anew, and redraw."""
        self.button.disabled = True
        try:
            self.profile = measure(self.target)
            self.redraw()
        except (ValueError, PufferBenchError) as error:  # the training is finished, say
            self.button.tooltip = self.button.description = str(error)
        finally:
            self.button.disabled = False

    def svg(self) -> str:
        return draw(self.profile, self.describe())

    def describe(self) -> str:
        parts = sorted(self.profile.parts, key=lambda part: -part.seconds)
        shares = ", ".join(f"{part.name} {part.seconds / self.profile.seconds:.0%}" for part in parts)
        return f"{self.profile.title}: {self.profile.per_second:,.0f} agent steps/s; {shares}."


def measure(target: Any) -> Profile:
    """The profile of a trainer, an environment, or an environment's name."""
    if isinstance(target, PuffeRL):
        return profile_trainer(target)
    if isinstance(target, str):
        env = make(
            target, **registry.spec(target).preset().get("env", {})
        )  # as many as its preset trains with
        try:
            return profile_env(env)
        finally:
            env.close()
    if isinstance(target, PufferEnv):
        return profile_env(target)
    raise TypeError(
        f"profile() takes a PuffeRL, an environment or the name of one, not {type(target).__name__}"
    )


def draw(profile: Profile, label: str) -> str:
    """The bars: one for each part, and under a line one for each limit, all on one scale."""
    longest = max([part.seconds for part in profile.parts] + [limit.seconds for limit in profile.limits])
    scale = (WIDTH - LEFT - RIGHT) / longest
    rows = [
        svg.text(0, 18, profile.title, class_="pb-heading"),
        svg.text(
            0,
            40,
            f"{profile.per_second:,.0f} agent steps/s: {in_words(profile.seconds)} each",
            class_="pb-muted",
        ),
    ]
    y = 56.0
    for part in profile.parts:
        share = f"{in_words(part.seconds)} · {part.seconds / profile.seconds:.0%}"
        rows += _bar(y, part.name, part.seconds * scale, share, part.help, f"pb-fill-{part.colour}")
        y += ROW
    y += 8
    for limit in profile.limits:
        rows.append(svg.tag("line", x1=0, x2=WIDTH, y1=y - 4, y2=y - 4, class_="pb-rule"))
        share = f"{in_words(limit.seconds)} · limit: {limit.seconds / profile.seconds:.0%}"
        rows += _bar(y, limit.name, limit.seconds * scale, share, limit.help, "pb-box")
        y += ROW + 8
    rows.append(svg.text(0, y + 10, profile.note, class_="pb-muted"))
    return svg.picture(WIDTH, y + 18, *rows, label=label)


def _bar(y: float, name: str, length: float, words: str, help: str, kind: str) -> list[str]:
    middle = y + ROW / 2 + 4
    return [
        svg.text(LEFT - 10, middle, name, text_anchor="end"),
        svg.tag(
            "rect", svg.tip(help), x=LEFT, y=y + 3, width=max(length, 1.0), height=ROW - 6, rx=2, class_=kind
        ),
        svg.text(LEFT + length + 8, middle, words, class_="pb-muted"),
    ]


def in_words(seconds: float) -> str:
    """12.3 ns, 4.56 µs, 1.2 ms."""
    for unit, name in ((1e-3, "ms"), (1e-6, "µs")):
        if seconds >= unit:
            return f"{svg.number(seconds / unit)} {name}"
    return f"{svg.number(seconds / 1e-9)} ns"


def profile(target: Any) -> ProfileView:
    """Where the microseconds go; see :class:`ProfileView`."""
    return ProfileView(target)
