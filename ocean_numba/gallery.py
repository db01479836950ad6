"""Writes README.md, the gallery of all games: picture, what one sees and does, speed, score.

    python -m ocean_numba.gallery

Everything on the page comes from the games themselves and from two files of measurements, which
``puffer bench ocean --json ocean_numba/speed.json`` and ``puffer bench learn`` write.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

from gymnasium.spaces import Box, Dict

from ocean_numba.ocean_env import OceanEnv
from ocean_numba.registration import GAMES

HERE = Path(__file__).parent
STEPS = 45  # of the scripted policy, before the picture is taken
WIDTH = 200  # of a picture on the page, pixels

HEAD = """# Games

Each game is one readable Python file, compiled by Numba. `puffer train {example}` learns one,
`puffer new-game mygame` writes a small one of your own to start from. This page is made by
`python -m ocean_numba.gallery`.

**Speed** is in million agent steps per second on one core (CPU time, called from Python, best batch size); in brackets,
how many times as fast as the same game in PufferLib 3.0's C. **Score** is that of random play, of a policy by hand, and
what the preset learns, in so many steps and seconds on 2 cores; it is the mean return where the game has no
score of its own.{machine}

| game | | sees | does | speed | random | by hand | learned |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Write the page and the pictures."""
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    for name in GAMES:
        save_picture(name, folder / f"{name.removeprefix('ocean-')}.png")
    (HERE / "README.md").write_text(page(), encoding="utf-8", newline="\n")


def page() -> str:
    """The Markdown text, from the games and what was measured."""
    speeds, learned = measured("speed.json"), measured("learned.json")
    machine = speeds.get("machine", "").partition(", load")[0]
    by_name = {row["game"]: row for row in speeds.get("games", [])}
    rows = [row(name, by_name.get(name), learned.get("games", {}).get(name)) for name in GAMES]
    text = HEAD.format(example=next(iter(GAMES)), machine=f" Measured on {machine}." if machine else "")
    return text + "\n".join(rows) + "\n"


def measured(file: str) -> dict[str, Any]:
    """What is in this file, nothing when it is not there yet."""
    place = HERE / file
    return json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}


def row(name: str, speed: dict[str, Any] | None, learned: dict[str, Any] | None) -> str:
    """One line of the table."""
    kind = game_class(name)
    env = kind()
    short = name.removeprefix("ocean-")
    file = f"{kind.__module__.rpartition('.')[2]}.py"
    picture = f'<img src="gallery/{short}.png" width="{WIDTH}" alt="{short}">'
    agents = f" x {env.agents_per_env} agents" if env.agents_per_env > 1 else ""
    fast, scores = "", [""] * 3
    if speed is not None:
        ratio = "" if speed["ratio"] is None else f" ({speed['ratio']:.1f} x C)"
        fast = f"{speed['steps'] / 1e6:.{1 if speed['steps'] > 1e6 else 2}f} M{ratio}"
    if learned is not None:
        after = f"{learned['steps'] / 1e6:.1f} M, {learned['seconds']:.0f} s"
        reached = f"**{learned['reached']:.3g}** ({after})"
        scores = [f"{learned['random']:.3g}", f"{learned['scripted']:.3g}", reached]
    cells = [
        f"**[{short}]({file})**<br>{story(kind)}",
        picture,
        sees(env),
        f"{_short(env.action_space)}{agents}",
        fast,
        *scores,
    ]
    return f"| {' | '.join(cells)} |"


def story(kind: type[OceanEnv]) -> str:
    """What it is about: the first line of its file, or of the class where the file has several games."""
    parent = kind.__bases__[0]
    if getattr(parent, "_game", None) is None:
        first = (sys.modules[kind.__module__].__doc__ or "").partition("\n")[0].partition(": ")[2]
        return first[:1].upper() + first[1:]
    return inspect.getdoc(kind).partition("\n\n")[0].replace("\n", " ")  # type: ignore[union-attr]


def sees(env: OceanEnv) -> str:
    """The observation in short: ``float32[118]``, or the parts of a Dict."""
    space = env.source_observation_space
    if isinstance(space, Dict):
        return "<br>".join(f"{key} {_short(part)}" for key, part in space.spaces.items())
    return _short(space)


def _short(space: Any) -> str:
    if isinstance(space, Box):
        return f"`{space.dtype}[{', '.join(map(str, space.shape))}]`"
    return f"`{space}`"


def game_class(name: str) -> type[OceanEnv]:
    """The class of a registered game."""
    module, _, attribute = GAMES[name][0].partition(":")
    return getattr(importlib.import_module(module), attribute)


def save_picture(name: str, place: Path) -> None:
    """A game in the middle of play by its scripted policy, as a small PNG with few colours."""
    from PIL import Image

    env = game_class(name)()
    policy = importlib.import_module(type(env).__module__).scripted
    env.reset(1)
    longest, pixels = -1, env.render()
    for _ in range(STEPS):
        env.step(policy(env))
        if env.states["episode_length"][0] > longest:  # a short game: as late in it as we come
            longest, pixels = env.states["episode_length"][0], env.render()
    picture = Image.fromarray(pixels)
    height = round(picture.height * 2 * WIDTH / picture.width)
    if picture.width > 2 * WIDTH:
        picture = picture.resize((2 * WIDTH, height), Image.Resampling.LANCZOS)
    picture.quantize(64).save(place, optimize=True)


if __name__ == "__main__":
    main()
