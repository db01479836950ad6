"""Every snippet of the guides runs, from top to bottom of its page, and says what the page says that it says.

A ```text block after a snippet is what it prints, or its error (``ConfigError: ...``); ``...`` stands for anything, and
how lines are broken does not matter. A ```bash block is commands of ``puffer``.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from pufferbench.cli import main

FOLDER = Path(__file__).resolve().parents[2] / "pufferbench" / "docs"
GUIDES = ["training", "environments", "vectorization", "policies", "integration"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(text: str) -> Iterator[tuple[str, str, str | None]]:
    """``(language, code, what it says)`` of a page; None: it does not matter."""
    blocks = [*BLOCK.findall(text), ("", "")]
    for (language, code), (following, said) in zip(blocks, blocks[1:], strict=False):
        if language in ("python", "bash"):
            yield language, code, said if following == "text" else None


def run(language: str, code: str, names: dict, may_fail: bool) -> str:
    """What a snippet prints; or its error, as the last line of Python's traceback shows it."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if language == "bash":
            for line in code.splitlines():
                program, *arguments = shlex.split(line, comments=True)
                assert program == "puffer", line
                assert main(arguments) == 0 or may_fail, said.getvalue()
        else:
            try:
                exec(code, names)
            except Exception as error:
                if not may_fail:
                    raise
                return f"{type(error).__name__}: {error}"
    return said.getvalue()


def matches(said: str, expected: str) -> bool:
    pattern = ".*".join(re.escape(" ".join(part.split())) for part in expected.split("..."))
    return re.fullmatch(r"\s*" + pattern.replace(r"\ ", r"\s+") + r"\s*", said, re.DOTALL) is not None


@pytest.mark.parametrize("guide", GUIDES)
def test_every_snippet_of_a_guide(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = types.ModuleType("__main__")  # where a reader's classes live; workers get them by value
    monkeypatch.setitem(sys.modules, "__main__", page)
    for language, code, expected in snippets((FOLDER / f"{guide}.md").read_text(encoding="utf-8")):
        said = run(language, code, page.__dict__, may_fail=expected is not None)
        assert expected is None or matches(said, expected), f"{code}\nsays:\n{said}\nnot:\n{expected}"


@pytest.mark.parametrize("guide", GUIDES)
def test_every_guide_helps_in_trouble(guide: str) -> None:
    text = (
        (FOLDER / f"{guide}.md").read_text(encoding="utf-8").partition("\n## When something goes wrong\n")[2]
    )
    assert sum(expected is not None for *_, expected in snippets(text)) >= 4
