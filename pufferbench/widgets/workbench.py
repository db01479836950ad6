"""Workbench(): one cell that opens everything: choose a game and a policy, train, play, watch, compare."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from pufferbench import registry
from pufferbench.errors import PufferBenchError
from pufferbench.policies import POLICIES
from pufferbench.trainer import PuffeRL
from pufferbench.widgets.comparison import compare
from pufferbench.widgets.kernel import answer_during_cells
from pufferbench.widgets.panel import TrainerPanel
from pufferbench.widgets.playing import play
from pufferbench.widgets.policy_graph import policy_graph
from pufferbench.widgets.profile import profile
from pufferbench.widgets.saved import Saved, family
from pufferbench.widgets.strips import film_strip
from pufferbench.widgets.watching import watch
from pufferbench.widgets.what_if import what_if

PRESETS = "the preset's"


class Workbench(Saved):
    """Everything in one place: ``Workbench()`` as the last line of a cell.

    A tab is made when it is first opened, and made anew when another game or policy was chosen. What was trained is
    kept in run folders, where "Compare" finds it.

    Args:
        env: name of a registered environment to begin with.
        folder: where the runs go.

    Attributes:
        trainer: the present :class:`pufferbench.PuffeRL`; None before the first tab that needs one.
        tabs: name -> the widget in it, of those that are open.
    """

    def __init__(self, env: str = "ocean-breakout", folder: str | Path = "runs") -> None:
        self.folder = Path(folder)
        self.trainer: PuffeRL | None = None
        self.tabs: dict[str, Any] = {}
        self._makers: dict[str, Callable[[], Any]] = {
            "Train": lambda: TrainerPanel(self._trained()),
            "Play": lambda: play(self.env.value, self.trainer if self.race.value else None, self.seed.value),
            "Watch": lambda: watch(self._trained(), seed=self.seed.value),
            "Film strip": lambda: film_strip(self._trained(), seed=self.seed.value),
            "Network": lambda: policy_graph(self._trained().policy),
            "What if": lambda: what_if(self.env.value),
            "Profile": lambda: profile(self.env.value),
            "Compare": lambda: compare(self.folder),
        }
        names = registry.list_envs("ocean-")
        self.env = ipywidgets.Dropdown(
            options=names,
            value=registry.spec(env).id,
            description="Game",
            tooltip="What is played and trained",
        )
        self.policy = ipywidgets.Dropdown(
            options=[PRESETS, *POLICIES],
            value=PRESETS,
            description="Policy",
            tooltip="The network that learns it",
        )
        self.seed = ipywidgets.BoundedIntText(
            0,
            min=0,
            max=10**6,
            description="Seed",
            tooltip="The same seed gives the same run",
            layout={"width": "180px"},
        )
        self.race = ipywidgets.Checkbox(
            False, description="race the agent", indent=False, tooltip="In Play: against what is trained here"
        )
        self.new = ipywidgets.Button(
            description="New training", icon="plus", tooltip="Stop this training, keep its run, begin another",
            layout={"width": "auto"},
        )  # fmt: skip
        self.new.on_click(lambda _: self.begin())
        self.note = ipywidgets.HTML().add_class("pb-workbench-note")
        for choice in (self.env, self.policy, self.seed):
            choice.observe(lambda _: self.begin(), names="value")
        self.race.observe(lambda _: self._open("Play", again=True), names="value")
        self.places = {name: ipywidgets.VBox() for name in self._makers}
        self.tab = ipywidgets.Tab(list(self.places.values()), titles=list(self.places))
        self.tab.observe(lambda _: self._open(self._selected), names="selected_index")
        row = ipywidgets.HBox(
            [self.env, self.policy, self.seed, self.new, self.race], layout={"flex_flow": "row wrap"}
        )
        super().__init__([row, self.note, self.tab])
        self.add_class("pb-workbench")
        for widget in family(self):
            answer_during_cells(widget)
        self._open("Train")

    # -- what a person does ---------------------------------------------------------------------

    def begin(self) -> None:
        """Another training, as the choices above say; open tabs follow."""
        self._shut()
        self._open(self._selected)

    def go(self, name: str) -> Any:
        """Go to the tab ``name`` and return what is in it."""
        if name not in self.places:
            raise ValueError(f"there is no tab {name!r}; there are: {', '.join(self.places)}")
        self.tab.selected_index = list(self.places).index(name)
        self._open(name)
        return self.tabs.get(name)

    def close(self) -> None:
        """Stop what runs, close every tab, and leave the page. Closing twice is fine."""
        self._shut()
        for widget in family(self)[1:]:
            widget.close()
        super().close()

    # -- behind it ------------------------------------------------------------------------------

    @property
    def _selected(self) -> str:
        return list(self.places)[self.tab.selected_index or 0]

    def _trained(self) -> PuffeRL:
        """The trainer of the present choices, made at first use."""
        if self.trainer is None:
            policy = None if self.policy.value == PRESETS else self.policy.value
            self.trainer = PuffeRL(
                env=self.env.value, policy=policy, seed=self.seed.value, run_dir=self._free_folder()
            )
        return self.trainer

    def _free_folder(self) -> Path:
        name = f"{self.env.value}-{time.strftime('%Y%m%d-%H%M%S')}"
        path, number = self.folder / name, 1
        while path.exists():
            path, number = self.folder / f"{name}-{number}", number + 1
        return path

    def _open(self, name: str, again: bool = False) -> None:
        if again and name in self.tabs:
            self._shut_tab(name)
        if name in self.tabs or (again and name != self._selected):
            return
        self.note.value = ""
        try:
            self.tabs[name] = self._makers[name]()
        except (PufferBenchError, ValueError, TypeError) as error:  # a policy that is not for this game, say
            self.note.value = f'<span class="pb-refused" role="alert">{html.escape(str(error))}</span>'
            return
        self.places[name].children = (self.tabs[name],)

    def _shut_tab(self, name: str) -> None:
        self.places[name].children = ()
        self.tabs.pop(name).close()

    def _shut(self) -> None:
        for name in list(self.tabs):
            self._shut_tab(name)
        if self.trainer is not None:
            self.trainer.close()
            self.trainer = None

    def picture(self) -> tuple[bytes | None, str]:
        """That of the open tab."""
        view = self.tabs.get(self._selected)
        if isinstance(view, Saved):
            return view.picture()
        return None, f"PufferBench's workbench on {self.env.value}: {self._selected}."

    def __repr__(self) -> str:
        return f"Workbench({self.env.value}, {self._selected})"
