"""How fast agents learn: steps per second end to end, with each environment's learning preset itself.

Every row of the table is trained in a process of its own (so its memory is its own), in rounds of wall time,
beside

- what PufferLib 3.0 did on this kind of machine, and what we must reach;
- the arithmetic limit: what torch's matrix products alone reach in the same process, with as many threads and the
  same number type. The share of it is the sums that the policy's layers need, forward to play, forward and
  backward to learn, over that. The fused learner has products of its own, and can be beyond the library's;
- a control for foreign load (:mod:`pufferbench.bench_load`) before and after every round.

    python -m pufferbench.bench_train ROW      one row, as JSON; it obeys its standard input
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from pufferbench.bench_control import Child
from pufferbench.bench_load import QUIET, LoadControl
from pufferbench.machine import peak_memory

ROUNDS = 3  # that count, of each row
ATTEMPTS = 6  # rounds, to get them
BASELINE = "stable-baselines3"  # the control row's policy


@dataclass(frozen=True)
class Row:
    """What is trained.

    Attributes:
        env, policy: names; the policy None: the preset's.
        config: options over the preset's.
        peer: million steps/s of PufferLib 3.0 on this kind of machine; None: not measured.
        target: million steps/s that we must reach; None: no goal.
    """

    title: str
    env: str
    policy: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    peer: float | None = None
    target: float | None = None


AUTOGRAD = {"learner": "autograd"}
ROWS = (
    Row("cartpole, standard MLP", "ocean-cartpole", peer=0.37, target=4.0),
    Row("cartpole, any module", "ocean-cartpole", config=AUTOGRAD, peer=0.37, target=1.2),
    Row("breakout, standard MLP", "ocean-breakout", peer=0.25, target=1.1),
    Row("breakout, any module", "ocean-breakout", config=AUTOGRAD, peer=0.25, target=0.6),
    Row("cartpole, LSTM", "ocean-cartpole", "LSTM", peer=0.062, target=0.11),
    Row("cartpole, LSTM, bfloat16", "ocean-cartpole", "LSTM", {"precision": "bfloat16"}, 0.062, 0.14),
    Row("breakout, LSTM", "ocean-breakout", "LSTM", peer=0.051, target=0.09),
)
CONTROL = Row("cartpole, stable-baselines3", "CartPole-v1", BASELINE)


def rows_of(env: str) -> tuple[Row, ...]:
    """The table's rows of the environment called ``env``; two without a goal if it has none."""
    found = tuple(row for row in ROWS if row.env == env)
    short = env.removeprefix("ocean-")
    return found or (Row(f"{short}, preset", env), Row(f"{short}, any module", env, config=AUTOGRAD))


@dataclass(frozen=True)
class Round:
    """A few seconds of training.

    Attributes:
        share: of the cores, the smaller one of before and after.
        cpu: seconds, of all threads.
    """

    steps: int
    seconds: float
    cpu: float
    share: float = 1.0

    @property
    def quiet(self) -> bool:
        return self.share >= QUIET


@dataclass(frozen=True)
class Speed:
    """What was found about a row.

    Attributes:
        rounds: all of them, in order.
        learner, threads: which one learned, and in how many threads.
        score: mean of the last 100 episodes after the last whole training, else of the training so far.
        trained: steps of that training.
        flops: floating-point operations per step that the policy's layers need.
        limit: floating-point operations per second of matrix products with as many threads.
        memory: largest resident set of the process, bytes; 0: not known here.
    """

    rounds: tuple[Round, ...]
    learner: str
    threads: int
    score: float
    trained: int
    flops: float
    limit: float
    memory: int

    @property
    def undisturbed(self) -> bool:
        """Whether there were enough quiet rounds; otherwise the figure stands under load."""
        return sum(part.quiet for part in self.rounds) >= min(ROUNDS, len(self.rounds))

    @property
    def counted(self) -> tuple[Round, ...]:
        """The quiet rounds; all, where there are none."""
        return tuple(part for part in self.rounds if part.quiet) or self.rounds

    @property
    def per_second(self) -> float:
        """Steps per second of wall time, over the rounds that count."""
        return sum(part.steps for part in self.counted) / sum(part.seconds for part in self.counted)

    @property
    def cores(self) -> float:
        """CPU seconds per second."""
        return sum(part.cpu for part in self.counted) / sum(part.seconds for part in self.counted)

    @property
    def of_limit(self) -> float:
        """Share of the arithmetic limit."""
        return self.per_second * self.flops / self.limit if self.limit else float("nan")


def measure(
    row: Row, load: LoadControl, seconds: float = 3.0, rounds: int = ROUNDS, attempts: int = ATTEMPTS
) -> Speed:
    """Train ``row`` in a process of its own until ``rounds`` rounds were quiet, or ``attempts`` are over."""
    found: list[Round] = []
    with Child(__name__, json.dumps(asdict(row))).ready() as child:
        while len(found) < attempts and sum(part.quiet for part in found) < rounds:
            before = load.spin()
            child.ask(f"{seconds}")
            said = json.loads(child.answer())
            found.append(Round(**said, share=min(before, load.spin())))
        child.ask("about")
        about = json.loads(child.answer())
    return Speed(tuple(found), **about)


# -- in the row's own process -------------------------------------------------------------------


def main(text: str) -> None:
    """Obey: seconds on a line of input are answered by a round, "about" by the rest of :class:`Speed`."""
    row = Row(**json.loads(text))
    trainings: Any = Baseline() if row.policy == BASELINE else Trainings(row)
    print("ready", flush=True)
    for line in sys.stdin:
        answer = trainings.about() if line.strip() == "about" else timed(trainings.update, float(line))
        print(json.dumps(answer), flush=True)


def timed(update: Callable[[], int], seconds: float) -> dict[str, Any]:
    """Call ``update``, which returns the steps that it did, for about ``seconds``."""
    steps, wall, cpu = 0, time.perf_counter(), time.process_time()
    while not steps or time.perf_counter() - wall < seconds:
        steps += update()
    return {
        "steps": steps,
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
    }


class Trainings:
    """Whole trainings of a preset, one after the other with other seeds, update by update."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.finished: dict[str, Any] = {}  # the last record of the last whole training
        self._updates = self._endless()
        self.update()  # compiles, and is not measured
        self.update()

    def update(self) -> int:
        return next(self._updates)

    def _endless(self) -> Iterator[int]:
        from pufferbench.trainer import PuffeRL  # here: torch, which the parent does without

        seed = 0
        while True:
            seed += 1
            with PuffeRL(env=self.row.env, policy=self.row.policy, seed=seed, **self.row.config) as trainer:
                self.trainer = trainer
                for _ in trainer.steps():
                    yield trainer.rollout.size
                self.finished = trainer.last_record

    def about(self) -> dict[str, Any]:
        trainer, record = self.trainer, self.finished or self.trainer.last_record
        learner = trainer.learner
        return {
            "learner": learner.name,
            "threads": learner.threads,
            "score": record.get("score_100", record.get("episode_return_100", float("nan"))),
            "trained": record["global_step"],
            "memory": peak_memory() or 0,
            "flops": flops_per_step(
                trainer.policy, trainer.collector.observations, trainer.config.update_epochs
            ),
            "limit": matmul_speed(learner.threads, trainer.config.precision),
        }


class Baseline:
    """The control row: stable-baselines3's PPO with its defaults on Gymnasium's CartPole, if it is installed."""

    def __init__(self) -> None:
        from stable_baselines3 import PPO

        self.model = PPO("MlpPolicy", CONTROL.env, device="cpu")
        self.update()

    def update(self) -> int:
        before = self.model.num_timesteps
        self.model.learn(self.model.n_steps, reset_num_timesteps=False)
        return self.model.num_timesteps - before

    def about(self) -> dict[str, Any]:
        import torch

        returns = [episode["r"] for episode in self.model.ep_info_buffer]
        return {
            "learner": BASELINE,
            "threads": torch.get_num_threads(),
            "score": sum(returns) / max(len(returns), 1),
            "trained": self.model.num_timesteps,
            "memory": peak_memory() or 0,
            "flops": 0.0,
            "limit": 0.0,
        }


def flops_per_step(policy: Any, observations: Any, update_epochs: int) -> float:
    """What ``policy``'s matrix products need per step: forward once to play, forward and backward in each epoch.

    A product of ``[n, k]`` and ``[k, m]`` counts ``2 n k m``. Everything else (activations, loss, sampling, the
    environment) counts nothing: it is not what a limit of matrix products could be reached with.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pufferbench import recurrent

    seen = torch.from_numpy(observations)
    # A recurrent policy's state comes from the step before, so the gradient goes on through it
    state = tuple(part.requires_grad_() for part in recurrent.initial_state(policy, len(seen)))

    def forward() -> Any:
        return recurrent.step(policy, seen, state)[:2] if state else policy(seen)

    with FlopCounterMode(
        display=False
    ) as playing:  # with gradient: without, some layers use code that it cannot see
        forward()
    with FlopCounterMode(display=False) as learning:
        sum(part.sum() for part in _tensors(forward())).backward()
    policy.zero_grad()
    total = playing.get_total_flops() + update_epochs * learning.get_total_flops()
    return total / len(seen)


def _tensors(outputs: Any) -> list[Any]:
    """Those in a policy's ``(logits, value)``, whatever kind the logits are."""
    from torch import Tensor

    if isinstance(outputs, Tensor):
        return [outputs]
    parts = (outputs.loc, outputs.scale) if hasattr(outputs, "loc") else outputs
    return [tensor for part in parts for tensor in _tensors(part)]


def matmul_speed(threads: int, precision: str = "float32", size: int = 768, seconds: float = 0.3) -> float:
    """Floating-point operations per second of torch's matrix products, in ``threads`` independent threads."""
    import torch

    kind = getattr(torch, precision)

    def multiply(_: int) -> float:
        torch.set_num_threads(1)  # of this Python thread
        a, b = torch.rand(2, size, size).to(kind)
        out = torch.empty(size, size, dtype=kind)
        times = []
        with torch.inference_mode():
            torch.mm(a, b, out=out)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                began = time.perf_counter()
                torch.mm(a, b, out=out)
                times.append(time.perf_counter() - began)
        times.sort()
        return 2 * size**3 / times[len(times) // 4]  # a limit: without the times of who was interrupted

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(multiply, range(threads)))


def has_baseline() -> bool:
    """Whether stable-baselines3 is installed."""
    from importlib.util import find_spec

    return find_spec("stable_baselines3") is not None


if __name__ == "__main__":
    main(sys.argv[1])
