"""What is known about an option: type, range and text, read from a dataclass whose docstrings are the documentation."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_type_hints

from pufferbench.errors import PufferBenchError, did_you_mean


class ConfigError(PufferBenchError, ValueError):
    """An option is unknown or its value impossible."""


@dataclass(frozen=True)
class Option:
    """What is known about one option.

    Attributes:
        name: the field's name.
        type: ``int``, ``float``, ``bool`` or ``str`` (of the value when it is not None).
        default: the value when nothing else is said; None: worked out from the rest.
        doc: the docstring under the field, on one line ("" where the source is not at hand).
        low, high: the smallest and largest value accepted, both included; None: no bound.
        unit: of the value, "" for pure numbers.
        live: True when it may be changed while training.
        log: True when a slider for it should be logarithmic.
        choices: the accepted values; empty: any within the bounds.
        needs: another option and its value without which this one does nothing; None: it always does.
    """

    name: str
    type: type
    default: Any
    doc: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    live: bool = False
    log: bool = False
    choices: tuple[Any, ...] = ()
    needs: tuple[str, Any] | None = None

    def matters(self, config: Any) -> bool:
        """Whether it does anything, the other options being as in ``config``."""
        return self.needs is None or getattr(config, self.needs[0]) == self.needs[1]

    def check(self, value: Any) -> Any:
        """``value`` as this option's type. Raises :class:`ConfigError` when it is impossible."""
        if value is None and self.default is None:
            return None
        value = self._convert(value)
        if self.choices and value not in self.choices:
            hint = did_you_mean(str(value), map(str, self.choices))
            known = ", ".join(map(str, self.choices))
            raise ConfigError(f"{self.name} must be one of {known}, not {value!r}{hint}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{self.name} must be a finite number, not {value}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ConfigError(f"{self.name} must be {self._range()}, not {value!r}")
        return value

    def _convert(self, value: Any) -> Any:
        """Accept what means the same (numpy scalars, 1e6 for an int), nothing that only looks like it."""
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = value.item()
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if self.type is int and isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, self.type) or (isinstance(value, bool) and self.type is not bool):
            kinds = {int: "a whole number", float: "a number", bool: "True or False", str: "a string"}
            raise ConfigError(f"{self.name} must be {kinds[self.type]}, not {value!r}")
        return value

    def _range(self) -> str:
        if self.high is None:
            return f"at least {self.low:g}"
        if self.low is None:
            return f"at most {self.high:g}"
        return f"between {self.low:g} and {self.high:g}"


def option(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    live: bool = False,
    log: bool = False,
    choices: Iterable[Any] = (),
    needs: tuple[str, Any] | None = None,
) -> Any:
    """A dataclass field with what :class:`Option` says about it; its docstring goes under the field."""
    about = {"low": low, "high": high, "unit": unit, "live": live, "log": log, "needs": needs}
    return dataclasses.field(default=default, metadata={**about, "choices": tuple(choices)})


@cache
def describe(config_class: type) -> dict[str, Option]:
    """Every option of a config dataclass by name, in the order of the class."""
    docs, types = _field_docs(config_class), get_type_hints(config_class)
    options = {}
    for field in fields(config_class):
        kinds = [kind for kind in getattr(types[field.name], "__args__", ()) if kind is not type(None)]
        options[field.name] = Option(
            name=field.name,
            type=kinds[0] if kinds else types[field.name],
            default=field.default,
            doc=docs.get(field.name, ""),
            **field.metadata,
        )
    return options


def _field_docs(config_class: type) -> dict[str, str]:
    """The string under each field. Python drops them when it compiles, so they are read from the source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(config_class)))
    except (OSError, TypeError, SyntaxError):
        return {}  # no source (a frozen application, a notebook cell): options work, without their texts
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs = {}
    for field, text in zip(body, body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            docs[field.target.id] = " ".join(str(text.value.value).split())
    return docs
