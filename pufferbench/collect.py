"""Whose turn it is: how ``PuffeRL.evaluate()`` gets every agent to play its steps.

There are three ways, and all of them fill the rollout with the same number of steps of each agent:

``whole``
    All rows act, then all step: one batch, ``horizon`` times. The only way for envs in this process.
``halves``
    For worker processes: while one half of the workers steps, the policy acts for the other half. Both take
    turns in a fixed order, so the rollout is that of ``whole``, bit for bit. Whether it is faster depends on
    the env, the policy and the cores, so it is tried during the first updates (see :class:`Collector`).
``first ready``
    For async envs (``surplus_envs``, ``batch_size``): the workers that are ready first act first. Each row has
    a clock of its own. A worker that has played its ``horizon`` steps waits for the others: so a fast
    environment is in the batch as often as a slow one, nothing that was played is thrown away, and the
    advantages see whole trajectories. What a fast one gains is to run ahead within an update.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from pufferbench.env import PufferEnv
from pufferbench.meters import EpisodeMeter, Stopwatch
from pufferbench.rollout import Rollout, Where
from pufferbench.vector.base import VectorEnv

# (observations, noise, legal actions, *state) -> (actions, logprobs, values, *state): what a policy does
Act = Callable[..., tuple[Tensor, ...]]

TRIALS = 3  # updates of each way, of which the first is to warm up
GAIN = 0.95  # halves must take less than this part of the whole batch's time


class Turn:
    """The rows that are to act now.

    Attributes:
        where: their places in the rollout, as an index of ``[horizon, rows]``.
        observations, masks, action_masks: what they see.
        actions: what they do; to be set by whoever got this turn, before the next one.
    """

    where: Where
    observations: np.ndarray
    masks: np.ndarray
    action_masks: np.ndarray | None
    actions: np.ndarray


class Collector:
    """Plays an env in turns.

    Args:
        env: any PufferEnv.

    Attributes:
        rows: agents in all; more than ``env.num_agents``, the rows of one batch, in async envs.
        deterministic: whether a seed gives one trajectory.
        way: ``"whole"``, ``"halves"`` or ``"first ready"``.
        choice: why, in words; "" while that is open, or if there was no choice.
        observations, masks: of all agents, at the end of the turns.

    Raises:
        ValueError: rows change places in the env's batches, and it cannot tell which are which.
    """

    def __init__(self, env: PufferEnv) -> None:
        self.env = cast(Any, env)  # with workers it has more than a PufferEnv
        self._crewed = isinstance(env, VectorEnv) and hasattr(env, "recv_part")  # has worker processes
        self.deterministic = bool(getattr(env, "deterministic", True))
        if not self.deterministic and not self._crewed:
            raise ValueError(
                f"PuffeRL learns from whole trajectories, but the rows of {type(env).__name__}'s batches change "
                "places, and it has no recv_part() to sort them: make the env with mode='sync', or unwrapped"
            )
        self.rows: int = self.env.total_agents if self._crewed else env.num_agents
        self.way = "whole" if self.deterministic else "first ready"
        self._turn = Turn()
        self._halves: list[tuple[int, ...]] = []
        if self._crewed and self.deterministic and self.env.num_workers > 1:
            workers = range(self.env.num_workers)
            middle = len(workers) // 2
            self._halves = [tuple(workers[:middle]), tuple(workers[middle:])]
        self.begin_trial()

    def reset(self, seed: int) -> None:
        """New episodes everywhere."""
        self._observations, _ = self.env.reset(seed=seed)
        if self._crewed:
            self.env.settle()

    @property
    def observations(self) -> np.ndarray:
        return self.env.all_rows.observations if self._crewed else self._observations

    @property
    def masks(self) -> np.ndarray:
        return self.env.all_rows.masks if self._crewed else self.env.masks

    # -- the turns ------------------------------------------------------------------------------

    def turns(self, rollout: Rollout, episodes: EpisodeMeter, watch: Stopwatch) -> Iterator[Turn]:
        """``horizon`` turns for every row. What comes of them goes into ``rollout`` and ``episodes``."""
        if self._crewed:
            self.env.settle(overlap=self.way != "whole")  # an update may have been interrupted
            ends = self.env.all_rows.terminals | self.env.all_rows.truncations  # by steps that were dropped
            rollout.memory.forget(slice(None), torch.from_numpy(ends))
        rollout.memory.begin()
        if self.way == "whole":
            return self._whole(rollout, episodes, watch)
        return self._in_parts(rollout, episodes, watch)

    def _whole(self, rollout: Rollout, episodes: EpisodeMeter, watch: Stopwatch) -> Iterator[Turn]:
        env, turn = self.env, self._turn
        for t in range(len(rollout.rewards)):
            turn.where, turn.observations, turn.masks = t, self.observations, env.masks
            turn.action_masks = env.action_masks
            yield turn
            self._observations, rewards, terminals, truncations, infos = env.step(turn.actions)
            watch.lap("env")
            rollout.receive(t, rewards, terminals, truncations, env.final_observations)
            episodes.add(infos)
            watch.lap("copy")

    def _in_parts(self, rollout: Rollout, episodes: EpisodeMeter, watch: Stopwatch) -> Iterator[Turn]:
        env, horizon = self.env, len(rollout.rewards)
        workers = tuple(range(env.num_workers))
        size = env.num_agents * len(workers) // self.rows  # workers in a batch of "first ready"
        halves = self._halves if self.way == "halves" else []
        halves_in_turn = cycle(halves)
        clock = [0] * len(workers)  # steps that each of them has begun

        def act(part: Sequence[int]) -> Iterator[Turn]:
            """The rows of ``part``, which are the env's batch now, act and begin to step."""
            turn, turn.where = self._turn, self._where(part, clock)
            turn.observations, turn.masks, turn.action_masks = env.observations, env.masks, env.action_masks
            yield turn
            env.send_part(turn.actions)
            for w in part:
                clock[w] += 1
            watch.lap("env")

        for part in halves or [workers[w : w + size] for w in range(0, len(workers), size)]:
            env.recv_part(part)
            yield from act(part)
        playing = workers
        while playing:
            if halves:
                received = env.recv_part(next(halves_in_turn))
            else:
                received = env.recv_part(playing, min(size, len(playing)))
            watch.lap("env")
            _, rewards, terminals, truncations, infos, _, _ = received
            where = self._where(env.turn, [steps - 1 for steps in clock])
            rollout.receive(where, rewards, terminals, truncations, env.final_observations)
            episodes.add(infos)
            watch.lap("copy")
            part = tuple(w for w in env.turn if clock[w] < horizon)
            if part != env.turn:  # the others have played enough and wait for the rest
                playing = tuple(w for w in playing if w in part or w not in env.turn)
                if part:
                    env.recv_part(part)
            if part:
                yield from act(part)

    def _where(self, workers: Sequence[int], clock: Sequence[int]) -> Where:
        """The places in the rollout of the rows of ``workers``, of which worker ``w`` is at step ``clock[w]``."""
        rows = [self.env.worker_rows[w] for w in workers]
        if workers[-1] - workers[0] == len(workers) - 1 and len({clock[w] for w in workers}) == 1:
            return clock[workers[0]], slice(rows[0][0], rows[-1][1])
        agent_ids = torch.cat([torch.arange(start, stop) for start, stop in rows])
        times = torch.tensor([clock[w] for w in workers])
        return times.repeat_interleave(torch.tensor([stop - start for start, stop in rows])), agent_ids

    # -- halves or not --------------------------------------------------------------------------

    def begin_trial(self, possible: bool = True) -> None:
        """Find out anew: for a new policy, or one on another device. Unless halves are not ``possible`` at all."""
        self.choice = ""
        self._trying = bool(self._halves) and possible
        self._seconds: dict[str, list[float]] = {"whole": [], "halves": []}
        if self.deterministic:
            self.way = "whole"

    def settle_on(self, way: str) -> None:
        """Try no more: ``"whole"`` or ``"halves"``."""
        if way != "whole" and not self._halves:
            raise ValueError(f"an env without two workers is stepped in whole batches, not in {way!r}")
        self._trying, self.way = False, way

    def review(self, rollout: Rollout, policy: nn.Module, act: Act, noise: Tensor, watch: Stopwatch) -> None:
        """After the turns of an update: settle, in the first ones, whether halves are right and faster.

        They are right when the policy does exactly the same for half of the rows as for all of them: matrix
        products of another height may be added up in another order. That is checked with everything that the
        first update saw. Then both ways are tried by turns, and the faster one stays.
        """
        if not self._trying:
            return
        seconds = self._seconds
        seconds[self.way].append(sum(watch.times[name] for name in ("env", "policy", "copy")))
        if len(seconds["whole"]) == 1 and not self._halves_agree(rollout, policy, act, noise):
            self.settle_on("whole")
            self.choice = "whole batches (the policy's results differ in the last bits for half of the rows)"
        elif len(seconds["halves"]) == TRIALS:
            whole, halves = (min(seconds[way][1:]) for way in ("whole", "halves"))
            self.settle_on("halves" if halves < GAIN * whole else "whole")
            self.choice = (
                f"{'halves' if self.way == 'halves' else 'whole batches'} (playing an update took "
                f"{1e3 * halves:.3g} ms in halves, {1e3 * whole:.3g} ms in whole batches)"
            )
        else:
            self.way = "halves" if self.way == "whole" else "whole"

    def _halves_agree(self, rollout: Rollout, policy: nn.Module, act: Act, noise: Tensor) -> bool:
        rows, legal, memory = self.env.worker_rows, rollout.action_masks, rollout.memory.again()
        halves = [slice(rows[half[0]][0], rows[half[-1]][1]) for half in self._halves]
        before = copy.deepcopy(policy.state_dict())
        try:
            with (
                torch.random.fork_rng()
            ):  # as if nobody had asked: neither BatchNorm nor Dropout shall notice
                for where in ((t, half) for t in range(len(noise)) for half in halves):
                    actions, logprobs, values, *state = act(
                        rollout.seen(where),
                        noise[where],
                        None if legal is None else legal[where],
                        *memory.read(where[1]),
                    )
                    kept = rollout.actions[where], rollout.logprobs[where], rollout.values[where]
                    if not all(map(torch.equal, (actions, logprobs, values), kept)):
                        return False
                    memory.write(where[1], tuple(state), rollout.masks[where])
                    memory.forget(where[1], rollout.terminals[where] | rollout.truncations[where])
            return True
        finally:
            policy.load_state_dict(before)
