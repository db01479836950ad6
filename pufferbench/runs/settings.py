"""What was trained, as a flat dict: which runs are repetitions of each other, and in what others differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pufferbench.runs.folder import Run, load_all

# Options that change where and how often something happens, not what is learned
_NEUTRAL = {"seed", "device", "torch_threads", "learner", "checkpoint_interval", "compile"}


def settings(run: Run) -> dict[str, Any]:
    """What was trained, but for the seed and the machine: env and policy with their arguments, and options.

    Runs with equal settings are repetitions of one experiment.
    """
    config = run.config
    env, policy = config.get("env", {}), config.get("policy", {})
    found = {"env": run.env, "policy": policy.get("name", "")}
    for section, values in (("env", env.get("kwargs", {})), ("policy", policy.get("arguments", {}))):
        found |= {f"{section}.{name}": value for name, value in values.items()}
    if env.get("wrappers"):
        found["wrappers"] = ", ".join(map(str, env["wrappers"]))
    return found | {n: v for n, v in config.get("train", {}).items() if n not in _NEUTRAL}


def differences(runs: Any) -> dict[str, list[Any]]:
    """The settings in which ``runs`` differ, each with its value in every run (None: it has no such setting)."""
    each = [settings(run) for run in load_all(runs)]
    names = {name: 0 for found in each for name in found}
    columns = {name: [found.get(name) for found in each] for name in names}
    return {name: values for name, values in columns.items() if any(v != values[0] for v in values)}


def groups(runs: Sequence[Run], across_envs: bool = False) -> dict[str, list[Run]]:
    """Runs with the same settings together, under a name that tells them from the others.

    With ``across_envs``, runs of different environments may be of one group, and what belongs to the environment
    (its arguments, the budget, the sizes that follow from the number of agents) tells no groups apart.
    """
    each = [settings(run) for run in runs]
    if across_envs and len({found["env"] for found in each}) > 1:
        each = [{n: v for n, v in found.items() if not _of_the_env(n)} for found in each]
    names = {name: 0 for found in each for name in found}
    telling = [name for name in names if any(found.get(name) != each[0].get(name) for found in each)]
    together: dict[str, list[Run]] = {}
    for run, found in zip(runs, each, strict=True):
        alone = run.env or run.name if "env" in found else "all runs"
        together.setdefault(_label(found, telling) or alone, []).append(run)
    return together


def _of_the_env(name: str) -> bool:
    return name.partition(".")[0] in ("env", "total_timesteps", "batch_size", "minibatch_size")


def _label(found: dict[str, Any], telling: Sequence[str]) -> str:
    words = [
        str(found[name]) if name in ("env", "policy") else f"{name} {show(found[name])}"
        for name in telling
        if found.get(name) not in (None, "")
    ]
    return ", ".join(words)


def show(value: Any) -> str:
    """A setting's value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
