"""Changes of options while a training runs: asked for from any thread, in force from the next update on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pufferbench.config import TrainConfig, check_device, check_options


class Requests:
    """Checked changes of options that wait for the next update. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Any] = {}
        self._by: dict[str, str] = {}  # who wants it, where that was said

    def add(self, changes: Mapping[str, Any], by: str = "") -> None:
        """Raises :class:`ConfigError` at once, in the caller's thread; then nothing is added."""
        checked = check_options(changes, live_only=True)
        if "device" in checked:
            check_device(checked["device"])
        with self._lock:
            self._waiting.update(checked)
            self._by.update(dict.fromkeys(checked, by))

    @property
    def waiting(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._waiting)

    def apply(self, config: TrainConfig) -> tuple[TrainConfig, dict[str, dict[str, Any]]]:
        """``(new config, changes)``, where changes are ``{name: {"old": ..., "new": ...}}``.

        A change that somebody put their name to (``by``) has that too.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            by, self._by = self._by, {}
        changes = {}
        for name, new in waiting.items():
            if new != (old := getattr(config, name)):
                changes[name] = {"old": old, "new": new} | ({"by": by[name]} if by[name] else {})
        return replace(config, **waiting), changes


class LiveOption:
    """An attribute of the trainer: ``trainer.learning_rate = 1e-4`` is ``trainer.request(learning_rate=1e-4)``."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, trainer: Any, owner: type | None = None) -> Any:
        if trainer is None:
            return self
        return trainer.pending.get(self.name, getattr(trainer.config, self.name))

    def __set__(self, trainer: Any, value: Any) -> None:
        trainer.request(**{self.name: value})


class LiveOptions:
    """The live options of :class:`pufferbench.TrainConfig` as attributes."""

    learning_rate = LiveOption()
    update_epochs = LiveOption()
    gamma = LiveOption()
    gae_lambda = LiveOption()
    rho_clip = LiveOption()
    c_clip = LiveOption()
    reward_clip = LiveOption()
    prio_alpha = LiveOption()
    prio_beta0 = LiveOption()
    clip_coef = LiveOption()
    vf_coef = LiveOption()
    ent_coef = LiveOption()
    max_grad_norm = LiveOption()
    target_kl = LiveOption()
