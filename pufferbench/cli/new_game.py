"""``puffer new-game``: a game of one's own to start from, with its test; or as a notebook cell."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import tyro

from pufferbench.cli import UsageError
from pufferbench.cli.terminal import console

MAIN = '\n\nif __name__ == "__main__":'  # what a file has and a cell does not need


@dataclass
class NewGameOptions:
    """Write NAME.py, a small commented game that works, and test_NAME.py, its test. Then change them into your own.

    Without --plain it is a game for ocean_numba: Python that is compiled, millions of steps per second.
    """

    name: Annotated[str, tyro.conf.Positional]
    """Of the file, e.g. apple_race; the class is then AppleRace."""
    multi_agent: bool = False
    """Several agents in one game."""
    plain: bool = False
    """An environment in plain NumPy, where all of Python is allowed."""
    observation: Literal["box", "image", "dict"] = "box"
    """Of the plain one: a few numbers, a picture, or both in a Dict."""
    action: Literal["discrete", "continuous", "multi-discrete"] = "discrete"
    """Of the plain one: one choice, numbers, or two choices at once."""
    cell: bool = False
    """Write no files; print the game as a cell for a notebook."""
    folder: Path = Path()
    """Where to write them."""


def main(arguments: list[str]) -> int:
    """Writes two files, never over others; or prints a cell."""
    options = tyro.cli(NewGameOptions, args=arguments, prog="puffer new-game")
    name = options.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(f"the name must be of small letters, digits and _ (like apple_race), not {name!r}")
    if options.plain and options.multi_agent:
        raise UsageError("--plain is for one agent: choose --plain or --multi-agent")
    if not options.plain and (options.observation, options.action) != ("box", "discrete"):
        raise UsageError(
            "--observation and --action are for --plain; other games have their spaces in the class"
        )
    game, test = texts(options)
    if options.cell:
        print(as_cell(game, options.plain))
        return 0
    places = options.folder / f"{name}.py", options.folder / f"test_{name}.py"
    for place in places:
        if place.exists():
            raise UsageError(f"{place} is there already: choose another name")
    options.folder.mkdir(parents=True, exist_ok=True)
    for place, text in zip(places, (game, test), strict=True):
        place.write_text(text, encoding="utf-8", newline="\n")
    screen = console()
    screen.print(
        f"{places[0]} and {places[1]} are written. In their folder:", highlight=False, soft_wrap=True
    )
    for command, what in (
        (f"pytest {places[1].name}", "test it"),
        (f"python {places[0].name}", "learn it, for some seconds"),
        (f"puffer check {name}:{class_name(name)}", "is it in order?"),
    ):
        screen.print(f"  {command:<40}{what}", highlight=False, soft_wrap=True)
    return 0


def class_name(name: str) -> str:
    """``apple_race`` -> ``AppleRace``."""
    return "".join(part.capitalize() for part in name.split("_"))


def texts(options: NewGameOptions) -> tuple[str, str]:
    """The game and its test."""
    kind = "plain" if options.plain else "multi_agent" if options.multi_agent else "ocean"
    folder = files("pufferbench") / "templates"
    game, test = ((folder / f"{prefix}{kind}.py.txt").read_text(encoding="utf-8") for prefix in ("", "test_"))
    if options.plain:
        parts = {**OBSERVATIONS[options.observation], **ACTIONS[options.action]}
        imports = "from gymnasium import spaces\n" if options.observation == "dict" else ""
        game = game.format(imports=imports, **{key: part for key, part in parts.items() if key != "down"})
        test = test.format(down=parts["down"])
    return tuple(  # type: ignore[return-value]
        text.replace("MyGame", class_name(options.name)).replace("mygame", options.name)
        for text in (game, test)
    )


def as_cell(game: str, plain: bool) -> str:
    """The game without what only a file needs, and a few lines that play and learn it."""
    text = game.partition(MAIN)[0]
    text = text.partition('"""\n\n')[2]  # the module's docstring speaks of files
    name = re.search(r"class (\w+)\(", text)[1]  # type: ignore[index]
    env = f"pb.emulate({name}, num_envs=64)" if plain else f"{name}(num_envs=256)"
    return f"""{text.strip()}


import pufferbench as pb

trainer = pb.PuffeRL(env={env}, total_timesteps=200_000)
for record in trainer.steps():
    print(record["global_step"], record.get("score_100"))"""


OBSERVATIONS = {
    "box": {
        "observation_page": "``float32[4]``: own row and column, and the mark's, each 0 .. 1.",
        "observation_space": "self.make_space((4,), 0.0, 1.0)",
        "observe": "        return np.concatenate([self.place, self.mark]).astype(np.float32) / (SIZE - 1)",
    },
    "image": {
        "observation_page": "``uint8[SIZE, SIZE]``: the field seen from above; 255 is you, 128 the mark, 0 nothing.",
        "observation_space": "self.make_space((SIZE, SIZE), dtype=np.uint8)  # 0 .. 255",
        "observe": """        image = np.zeros((SIZE, SIZE), np.uint8)
        image[tuple(self.mark.round().astype(int))] = 128
        image[tuple(self.place.round().astype(int))] = 255
        return image""",
    },
    "dict": {
        "observation_page": """``Dict``

    | part | meaning |
    |---|---|
    | `image` | ``uint8[SIZE, SIZE]``: the field seen from above; 255 is you, 128 the mark, 0 nothing |
    | `time` | ``float32[1]``: the share of the time that is left |
    | `at_border` | ``Discrete(2)``: 1 when you stand at the field's border |""",
        "observation_space": """spaces.Dict(
            {
                "image": self.make_space((SIZE, SIZE), dtype=np.uint8),  # 0 .. 255
                "time": self.make_space((1,), 0.0, 1.0),
                "at_border": self.make_discrete(2),
            }
        )""",
        "observe": """        image = np.zeros((SIZE, SIZE), np.uint8)
        image[tuple(self.mark.round().astype(int))] = 128
        image[tuple(self.place.round().astype(int))] = 255
        time = np.array([1 - self.steps / MAX_STEPS], np.float32)
        at_border = int(np.any((self.place == 0) | (self.place == SIZE - 1)))
        return {"image": image, "time": time, "at_border": at_border}""",
    },
}
ACTIONS = {
    "discrete": {
        "action_page": "``Discrete(5)``: 0 stay, 1 up, 2 down, 3 left, 4 right.",
        "constants": "MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)])  # of each action: rows, columns\n",
        "action_space": "self.make_discrete(5)",
        "move": "move = MOVES[action]",
        "down": "2",
    },
    "continuous": {
        "action_page": "``float32[2]``, each -1 .. 1: how far to go, down and to the right.",
        "constants": "",
        "action_space": "self.make_space((2,), -1.0, 1.0)",
        "move": "move = np.clip(action, -1, 1)",
        "down": "np.array([1, 0], np.float32)",
    },
    "multi-discrete": {
        "action_page": "``MultiDiscrete([3, 3])``: 0 up, 1 stay, 2 down; and 0 left, 1 stay, 2 right.",
        "constants": "",
        "action_space": "self.make_multi_discrete([3, 3])",
        "move": "move = np.asarray(action) - 1",
        "down": "np.array([2, 1])",
    },
}
