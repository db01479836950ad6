"""A drop-down list in which single entries can be greyed out, with the reason (stock ones cannot)."""

from __future__ import annotations

import anywidget
import traitlets

from pufferbench.widgets.assets import script, style


class Choice(anywidget.AnyWidget):
    """A labelled drop-down list.

    Args:
        options: dicts with ``value``, ``label``, ``disabled`` (bool) and ``reason`` (why it is disabled).
        value: the chosen option's value.
        note: a few words beside it, e.g. ``"pending"``.
    """

    _esm = script("choice.js")
    _css = style("choice.css")

    label = traitlets.Unicode("").tag(sync=True)
    help = traitlets.Unicode("").tag(sync=True)
    options = traitlets.List(traitlets.Dict()).tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
