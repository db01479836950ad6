"""What is wrong with a training, and a button for each remedy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anywidget
import traitlets

from pufferbench.diagnosis import Finding, diagnose
from pufferbench.errors import PufferBenchError
from pufferbench.widgets.assets import script, style
from pufferbench.widgets.controls import LABELS


class Findings(anywidget.AnyWidget):
    """The findings of :func:`pufferbench.diagnosis.diagnose` about ``trainer``.

    A remedy's button requests the change; the trainer makes it at the next update boundary.
    """

    _esm = script("findings.js")
    _css = style("findings.css")

    found = traitlets.List(traitlets.Dict()).tag(sync=True)
    looked = traitlets.Bool(False).tag(sync=True)  # whether there was anything to judge yet

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        super().__init__()
        self.on_msg(self._on_message)

    def look(self, records: Iterable[dict[str, Any]]) -> None:
        """Judge these records, the newest last."""
        records = list(records)
        found = [self._described(finding) for finding in diagnose(records)]
        if found != self.found or bool(records) != self.looked:
            with self.hold_sync():
                self.found, self.looked = found, bool(records)

    def apply(self, rule: str) -> None:
        """Request the remedy of the finding of this name. Nothing happens when it has just gone."""
        for finding in self.found:
            if finding["rule"] == rule and finding["option"]:
                self.trainer.request(by="diagnosis", **{finding["option"]: finding["new"]})

    def _described(self, finding: Finding) -> dict[str, Any]:
        about = {
            "rule": finding.rule,
            "evidence": finding.evidence,
            "remedy": finding.remedy,
            "problem": finding.problem,
            "option": "",
        }
        if not finding.option:
            return about
        now = self.trainer.config.live()[finding.option]
        new = finding.change(now)
        if new == now:  # it is at its bound
            return about
        label = f"{LABELS.get(finding.option, finding.option)} {now:.2g} → {new:.2g}"
        pending = self.trainer.pending.get(finding.option) == new
        return about | {"option": finding.option, "new": new, "label": label, "pending": pending}

    def _on_message(self, _: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        try:
            self.apply(str(content.get("apply", "")))
        except PufferBenchError as error:  # the button says so; it has no other place
            self.found = [{**finding, "remedy": str(error), "option": ""} for finding in self.found]
