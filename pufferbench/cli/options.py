"""Dotted options from what the code says itself: --train.* from TrainConfig, --env.* and --policy.* from
signatures, with the environment's preset as defaults."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from pufferbench.config import TrainConfig, describe

T = TypeVar("T")


def _whole(text: str) -> int:
    """``"3e6"`` and ``"3_000_000"`` are whole numbers too. ``ValueError`` when it is none."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer():
            raise ValueError(f"{text} is not a whole number") from None
        return int(value)


WholeNumber = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda texts: _whole(texts[0]),
        is_instance=lambda value: isinstance(value, int) and not isinstance(value, bool),
        str_from_instance=lambda value: [str(value)],
    ),
]
_KINDS = {bool: bool, int: WholeNumber, float: float, str: str}


def _field(name: str, kind: Any, default: Any, doc: str) -> tuple[str, Any, Any]:
    """One option; a default of None stays possible, and a missing one makes it obligatory."""
    kind = _KINDS.get(kind, str)
    if default is None:
        kind = kind | None if kind is not WholeNumber else WholeNumber | None
    annotated = Annotated[kind, tyro.conf.arg(help=doc)]
    if default is inspect.Parameter.empty:
        return name, annotated, dataclasses.field()
    return name, annotated, dataclasses.field(default=default)


def train_options(defaults: Mapping[str, Any]) -> type:
    """A dataclass of the trainer's options; ``defaults`` (a preset's, a run's) go over TrainConfig's."""
    fields = []
    for name, option in describe(TrainConfig).items():
        unit = f" [{option.unit}]" if option.unit else ""
        default = defaults.get(name, option.default)
        # An option whose own default is None ("work it out") may be set back to None.
        kind = _field(name, option.type, None if option.default is None else default, option.doc + unit)[1]
        fields.append((name, kind, dataclasses.field(default=default)))
    return dataclasses.make_dataclass("TrainOptions", fields)


def signature_options(
    label: str, creator: Callable[..., Any], skip: Sequence[str], defaults: Mapping[str, Any]
) -> type:
    """A dataclass of the parameters of ``creator`` that a command line can give (numbers, strings, bools)."""
    fields: list[tuple[str, Any, Any]] = []
    obligatory: list[tuple[str, Any, Any]] = []
    docs = argument_docs(creator)
    for name, parameter in inspect.signature(creator).parameters.items():
        if name in skip or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = defaults.get(name, parameter.default)
        kind = _kind(parameter.annotation, default)
        if kind is None:
            continue  # an object: it can be given from Python only
        given = default is not inspect.Parameter.empty
        (fields if given else obligatory).append(_field(name, kind, default, docs.get(name, "")))
    options = dataclasses.make_dataclass(label, [*obligatory, *fields], kw_only=True)
    options.__doc__ = parameters_paragraph(creator)  # tyro shows it above the options
    return options


def argument_docs(creator: Callable[..., Any]) -> dict[str, str]:
    """The texts under ``Args:`` in the docstrings of a function, or of a class and its bases, by name."""
    docs: dict[str, str] = {}
    for owner in reversed(getattr(creator, "__mro__", (creator,))):
        _, _, section = inspect.cleandoc(getattr(owner, "__doc__", None) or "").partition("\nArgs:\n")
        section = re.split(r"\n(?=\S)", section)[0]  # up to what is not indented
        for name, text in re.findall(r"^    (\w+): (.*(?:\n     .*)*)", section, re.MULTILINE):
            docs[name] = " ".join(text.replace("`", "").split())
    return docs


def parameters_paragraph(creator: Callable[..., Any]) -> str:
    """What the docstring says under ``Parameters``, as plain text; "" when it says nothing."""
    for paragraph in (inspect.getdoc(creator) or "").split("\n\n"):
        if paragraph.startswith("Parameters"):
            return " ".join(paragraph.replace("`", "").split())
    return ""


def _kind(annotation: Any, default: Any) -> type | None:
    """bool, int, float or str, by the annotation or else the default; None for anything else."""
    names = {kind.__name__: kind for kind in _KINDS}
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    text = text.replace("Optional[", "").replace("]", "").replace("| None", "").strip()
    if text in names:
        return names[text]
    if annotation is inspect.Parameter.empty and type(default) in _KINDS:
        return type(default)
    return None


def section(name: str, options: type) -> tuple[str, type, Any]:
    """A dataclass field for a group of options; it has a default when all of them do."""
    obligatory = [
        field
        for field in dataclasses.fields(options)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return name, options, dataclasses.field() if obligatory else dataclasses.field(default_factory=options)


def changed(options: Any) -> dict[str, Any]:
    """What the user asked for: the fields whose values are not the defaults shown in the help.

    Only these are given on, so that sizes which follow from others are still worked out.
    """
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if getattr(options, field.name) != field.default
    }
