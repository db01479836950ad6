"""check_policy: does a policy do what a learner needs? Findings that say what is wrong, and how to mend it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Normal

from pufferbench.check import Finding, Report
from pufferbench.emulation import as_puffer
from pufferbench.env import PufferEnv
from pufferbench.policies.heads import check_outputs
from pufferbench.policies.names import make as make_policy
from pufferbench.pytorch import sample_logits
from pufferbench.recurrent import initial_state, is_recurrent, step
from pufferbench.vector.make import make as make_env

ROWS = 32  # observations to look at; more than that say no more
STEPS = 64  # at most, to get so many
TOLERANCE = 1e-4  # of outputs; batches of another size may be summed up in another order


def check_policy(policy: nn.Module | str | Callable[..., nn.Module], env: Any) -> Report:
    """Show a policy observations of an environment, and look closely at what it makes of them.

    Looked at are the shapes of what it returns, with many rows and with one; NaN; whether rows depend on each
    other, which they must not, and on the observations, which they should; whether its answers are the same
    twice; and whether gradients reach every parameter.

    Args:
        policy: a module, which is not changed; or what makes one: its class, or a name such as ``"CNN"``.
        env: an environment, which is played a few steps and left after a reset; or a registered name.

    Returns:
        What was found; ``print(report)`` is meant to be read. It raises nothing on account of the policy.
    """
    name = policy if isinstance(policy, str) else getattr(policy, "__name__", type(policy).__name__)
    report = Report(name)
    ours = isinstance(env, str)
    played = make_env(env) if isinstance(env, str) else as_puffer(env)
    try:
        with torch.random.fork_rng(devices=[]):  # torch's global generator stays where it was
            torch.manual_seed(0)
            checker = _Checker(_copy_or_make(policy, played), played, report)
            for check in (
                checker.outputs,
                checker.one_row,
                checker.repeat,
                checker.rows_alone,
                checker.observations_matter,
                checker.gradients,
            ):
                check()
                if not report.ok:
                    break  # what follows would only be consequences
        if report.ok:
            count = sum(p.numel() for p in checker.policy.parameters() if p.requires_grad)
            report.findings.append(Finding("note", "parameters", f"{count:,} numbers to learn"))
    except Exception as error:  # whatever the policy's own code raises
        text = f"{type(error).__name__}: {error}"
        report.findings.append(Finding("error", "calling it", text, "see the message"))
    finally:
        if ours:
            played.close()
        else:
            played.reset(seed=0)
    return report


def _copy_or_make(policy: Any, env: PufferEnv) -> nn.Module:
    if isinstance(policy, nn.Module):
        return copy.deepcopy(policy)
    if isinstance(policy, str):
        return make_policy(policy, env.observation_space, env.action_space)
    return policy(env.observation_space, env.action_space)


class _Checker:
    """The checks, one method each, of ``policy`` with observations out of ``env``."""

    def __init__(self, policy: nn.Module, env: PufferEnv, report: Report) -> None:
        self.policy, self.env, self.report = policy, env, report
        place = next(iter([*policy.parameters(), *policy.buffers()]), None)
        self.device = torch.device("cpu") if place is None else place.device

    def _add(self, level: str, where: str, what: str, mend: str) -> None:
        self.report.findings.append(Finding(level, where, what, mend))

    def _say(self, observations: Tensor) -> Any:
        """``(logits, value)``; of a recurrent policy those of a second step, where its memory matters."""
        if not is_recurrent(self.policy):
            return self.policy(observations)
        *_, state = step(self.policy, observations, initial_state(self.policy, len(observations)))
        return step(self.policy, observations, state)[:2]

    def _see(self, observations: Tensor) -> list[Tensor]:
        """Everything it returns for ``observations``, as tensors ``[rows, ...]``."""
        with torch.no_grad():
            return _tensors(self._say(observations))

    def outputs(self) -> None:
        """Shapes and NaN, while the policy plays to collect observations."""
        env, collected = self.env, []
        observations, _ = env.reset(seed=0)
        for _ in range(STEPS):
            seen = torch.from_numpy(np.array(observations[:ROWS])).to(self.device)
            legal = None
            if env.action_masks is not None:
                legal = torch.from_numpy(np.array(env.action_masks)).to(self.device)
            everyone = torch.from_numpy(np.array(observations)).to(self.device)
            with torch.no_grad():
                outputs = self._say(everyone)
            try:
                check_outputs(outputs, env.action_space, len(everyone))
            except ValueError as error:
                self._add("error", "outputs", str(error), "see pufferbench.pytorch for what to return")
                return
            for what, tensor in zip(_names(outputs), _tensors(outputs), strict=True):
                if not tensor.isfinite().all():
                    inputs = everyone.float()
                    whose = "" if inputs.isfinite().all() else ", but so do the env's observations"
                    self._add(
                        "error",
                        "outputs",
                        f"its {what} has NaN or infinity{whose}",
                        "mind log(0), division by 0, and inputs of enormous size",
                    )
                    return
            collected.append(seen)
            if sum(map(len, collected)) >= ROWS:
                break
            actions = sample_logits(outputs[0], action_masks=legal)[0].cpu().numpy()
            if isinstance(env.action_space, spaces.Box):
                shaped = actions.reshape(len(actions), *env.action_space.shape)
                actions = np.clip(shaped, env.action_space.low, env.action_space.high)
            observations = env.step(actions)[0]
        self.observations = torch.cat(collected)[:ROWS]

    def one_row(self) -> None:
        """A single row, and none of the dimensions lost."""
        one = self.observations[:1]
        try:
            with torch.no_grad():
                check_outputs(self._say(one), self.env.action_space, 1)
        except Exception as error:
            self._add(
                "error",
                "one row",
                f"with a single row: {error}",
                "no squeeze() without a dimension, and no statistics over the batch",
            )

    def repeat(self) -> None:
        """The same question twice."""
        if not _alike(self._see(self.observations), self._see(self.observations)):
            self._add(
                "error",
                "twice the same",
                "the same observations give different answers",
                "no Dropout, no noise, and nothing kept from call to call: PPO compares an action's probability "
                "now with that of when it was taken",
            )

    def rows_alone(self) -> None:
        """The first half of the rows, beside other rows than before."""
        half = max(1, len(self.observations) // 2)
        first = self.observations[:half]
        alone = self._see(first)
        together = [part[:half] for part in self._see(self.observations)]
        # The same number of rows, so that it can only be the others' contents
        others = torch.cat([first, first[:1].expand(len(self.observations) - half, *first.shape[1:])])
        beside = [part[:half] for part in self._see(others)]
        if not (_alike(alone, together) and _alike(together, beside)):
            self._add(
                "error",
                "rows",
                "what it returns for a row depends on the other rows of the batch",
                "rows are different agents at different times: no BatchNorm (LayerNorm is fine), no mean or softmax "
                "over dimension 0",
            )

    def observations_matter(self) -> None:
        """Different observations, different answers."""
        if (self.observations == self.observations[0]).all():
            return
        if all(bool((part == part[0]).all()) for part in self._see(self.observations)):
            self._add(
                "warning",
                "observations",
                "it returns the same for all observations",
                "forward() should use them; or its inputs are so large that everything saturates",
            )

    def gradients(self) -> None:
        """A loss of all that it returns reaches every parameter."""
        policy = self.policy
        learned = {name: p for name, p in policy.named_parameters() if p.requires_grad}
        frozen = [name for name, p in policy.named_parameters() if not p.requires_grad]
        if frozen:
            self._add("note", "gradients", f"frozen: {_some(frozen)}", "")
        outputs = self._say(self.observations)
        generator = torch.Generator().manual_seed(0)
        loss = torch.zeros((), device=self.device)
        for what, tensor in zip(_names(outputs), _tensors(outputs), strict=True):
            if not tensor.requires_grad:
                self._add(
                    "error",
                    "gradients",
                    f"no gradient goes through its {what}",
                    "no detach(), no torch.no_grad(), no numpy in forward()",
                )
            # Random weights: the plain sum of a softmax, say, has no gradient
            loss = loss + (tensor * torch.randn(tensor.shape, generator=generator).to(self.device)).sum()
        if not self.report.ok or not learned:
            return
        policy.zero_grad()
        loss.backward()
        unused = [name for name, p in learned.items() if p.grad is None]
        broken = [name for name, p in learned.items() if p.grad is not None and not p.grad.isfinite().all()]
        still = [name for name, p in learned.items() if p.grad is not None and not p.grad.any()]
        if unused:
            self._add(
                "error",
                "gradients",
                f"no gradient reaches {_some(unused)}",
                "use it in forward(), or leave the layer out",
            )
        if broken:
            self._add(
                "error", "gradients", f"the gradient of {_some(broken)} has NaN or infinity", "mind sqrt(0)"
            )
        if still:
            self._add(
                "warning",
                "gradients",
                f"the gradient of {_some(still)} is 0 everywhere",
                "dead units, or weights that begin with 0 behind it",
            )


def _tensors(outputs: Any) -> list[Tensor]:
    logits, value = outputs
    if isinstance(logits, Normal):
        return [logits.loc, logits.scale, value]
    return [logits, value] if isinstance(logits, Tensor) else [*logits, value]


def _names(outputs: Any) -> list[str]:
    logits = outputs[0]
    if isinstance(logits, Normal):
        return ["mean", "deviation", "value"]
    if isinstance(logits, Tensor):
        return ["logits", "value"]
    return [*(f"logits[{index}]" for index in range(len(logits))), "value"]


def _alike(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(
        torch.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE * float(a.abs().max().clamp(min=1e-3)))
        for a, b in zip(left, right, strict=True)
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
