"""What a website needs and a repository does not: tables of contents, a page for every game, alternative texts."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from docutils import nodes

from ocean_numba import registration
from pufferbench import cli

CONTENTS = {
    "README": [
        "Lessons <tutorials/README>",
        "Labs <notebooks/README>",
        "Games <ocean_numba/README>",
        "Guides <pufferbench/docs/guides>",
        "API <pufferbench/docs/api/index>",
        "Contributing <CONTRIBUTING>",
    ],
    "tutorials/README": ["[0-9]*", "TIMES"],
    "notebooks/README": ["lab_*", "assignments/README"],
    "pufferbench/docs/guides": ["training", "environments", "vectorization", "policies", "integration"],
}
GAMES = "pufferbench/docs/api/games"


def add_contents(app: Any, page: str, source: list[str]) -> None:
    """The pages below this one, as Sphinx wants to be told."""
    if page in CONTENTS:
        lines = "\n".join(CONTENTS[page])
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:maxdepth: 1\n\n{lines}\n```\n"


def link_sources(app: Any, page: str, source: list[str]) -> None:
    """Links to Python files lead to their highlighted pages; in the gallery, to what the game's class says."""
    if page not in ("README", "ocean_numba/README"):
        return
    folder = PurePosixPath(page).parent
    up = "../" * len(folder.parts)

    def to_page(link: re.Match) -> str:
        module = str((folder / link[2]).with_suffix(""))
        target = f"_modules/{module}.html"
        if page == "ocean_numba/README":
            target = f"{GAMES}.html#{nodes.make_id(games()[module.replace('/', '.')][0])}"
        return f'<a href="{up}{target}">{link[1]}</a>'

    source[0] = re.sub(r"\[([^\]]+)\]\(([\w/]+\.py)\)", to_page, source[0])


def games() -> dict[str, list[str]]:
    """Module -> its games' classes, in the order of the gallery."""
    modules: dict[str, list[str]] = {}
    for entry_point, _ in registration.GAMES.values():
        module, name = entry_point.split(":")
        modules.setdefault(module, []).append(name)
    return modules


def list_games(app: Any, page: str, source: list[str]) -> None:
    """Every registered game's module and class."""
    if page == GAMES:
        source[0] += "".join(
            f"\n{names[0]}\n{'-' * len(names[0])}\n\n"
            + "".join(f".. autoclass:: {module}.{name}\n\n" for name in names)
            for module, names in games().items()
        )


def list_commands(app: Any, page: str, source: list[str]) -> None:
    """What ``puffer --help`` says."""
    if page == "pufferbench/docs/api/commands":
        rows = "".join(
            f"   * - ``puffer {name}``\n     - {line}\n" for name, (_, line) in cli.COMMANDS.items()
        )
        source[0] += f".. list-table::\n\n{rows}"


def name_pictures(app: Any, doctree: nodes.document) -> None:
    """A figure that a cell has drawn has no words of its own: it is named after the section that it is in."""
    for image in doctree.findall(nodes.image):
        if not image.get("alt"):
            section = image.parent
            while section is not None and not isinstance(section, nodes.section):
                section = section.parent
            title = section.next_node(nodes.title).astext() if section is not None else "this page"
            image["alt"] = f"Figure of “{title}”"


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", add_contents)
    app.connect("source-read", link_sources)
    app.connect("source-read", list_games)
    app.connect("source-read", list_commands)
    app.connect("doctree-read", name_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
