"""Whose turn it is: whatever the order, the rollout is Serial's."""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import partial

import pytest
import torch
from envs import Bandit
from torch import nn
from training import run
from vector_envs import Uneven

import pufferbench
from pufferbench import PuffeRL, collect
from pufferbench.collect import Collector
from pufferbench.meters import Stopwatch
from pufferbench.trainer import StopTraining
from pufferbench.vector import Multiprocessing, Serial, Threads, WorkerError

GAMES, AGENTS = 6, 2
PAUSES = (0.004, 0.0, 0.0, 0.001, 0.0, 0.002)
STEPS = 11


class RowByRow(nn.Module):
    """No sums over anything: what it says about a row does not depend on the others, to the last bit."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x):
        return x[:, 2:3] * self.weights + x[:, 1:2] * 0.1, x[:, 0] * self.weights[0] + x[:, 1]


def uneven(how):
    creator = partial(Uneven, AGENTS, PAUSES)
    if how == "serial":
        return Serial(creator, GAMES)
    workers, surplus = how
    mode = "async" if surplus else "sync"
    return Multiprocessing(creator, GAMES, workers, mode=mode, surplus_envs=surplus, timeout=20)


def trainer(env, policy=None, way=None, **options):
    """With ``way``, nothing is tried."""
    made = PuffeRL(env, policy=policy or RowByRow(), **{"bptt_horizon": STEPS, "seed": 5, **options})
    if way is not None:
        made.collector.settle_on(way)
    return made


def rollouts(env, updates=3, **options):
    """Everything that was collected, and the policy's weights at the end."""
    with env, trainer(env, **options) as made:
        seen = []
        for _ in range(updates):
            made.evaluate()
            r = made.rollout
            seen += [r.observations, r.actions, r.logprobs, r.values, r.rewards, r.terminals, r.truncations]
            seen += [r.masks, r.action_masks, r.finals()[0]]
            seen = [tensor.clone() for tensor in seen]
            made.train()
        return [*seen, *made.policy.state_dict().values()]


@pytest.mark.parametrize(
    ("how", "way"),
    [
        ((2, 0), "whole"),
        ((2, 0), "halves"),
        ((3, 0), "halves"),
        ((2, 0), None),
        ((6, 3), None),
        ((3, 2), None),
        ((2, 3), None),
    ],
)
def test_the_same_rollouts_as_serial(how, way):
    """Observations, ends, masks, values, final observations, in any order of the workers, bit for bit."""
    expected, found = rollouts(uneven("serial")), rollouts(uneven(how), way=way)
    assert all(tensor.isfinite().all() for tensor in expected)
    truncations, finals = expected[6], expected[9]
    assert truncations.sum() == len(finals) > 5
    assert (finals[:, 0] >= 100).all()
    for number, (right, mine) in enumerate(zip(expected, found, strict=True)):
        assert torch.equal(right, mine), number


def test_the_first_ready_act_first_and_wait_at_the_end_of_the_update():
    slow = partial(Uneven, AGENTS, (0.03, 0.0, 0.0, 0.0, 0.0, 0.0))
    with Multiprocessing(slow, GAMES, 6, mode="async", surplus_envs=4) as env, trainer(env) as made:
        turns, receive = [], env.recv_part

        def watched(among, count=None):
            received = receive(among, count)
            if count is not None:
                turns.append(env.turn)
            return received

        env.recv_part = watched
        made.evaluate()
        back = [w for turn in turns for w in turn]  # who came back from a step, in that order
        assert [back.count(w) for w in range(6)] == [STEPS] * 6, "everyone is in the batch equally often"
        before = back[: [place for place, w in enumerate(back) if w == 0][-3]]
        assert any(before.count(w) == STEPS for w in range(1, 6)), "one was done when the slow one was not"


def test_workers_that_share_no_order_make_full_batches_until_the_others_are_done():
    with uneven((6, 3)) as env, trainer(env) as made:
        sizes, see = [], made.rollout.see
        made.rollout.see = lambda turn: (sizes.append(len(turn.observations)), see(turn))[1]
        made.evaluate()
        assert sum(sizes) == GAMES * AGENTS * STEPS
        assert sizes[:4] == [3 * AGENTS] * 4


# -- what is written down -----------------------------------------------------------------------


@pytest.mark.parametrize(("how", "deterministic"), [((3, 2), False), ((3, 0), True), ("serial", True)])
def test_the_run_says_whether_it_is_deterministic(how, deterministic, tmp_path):
    with uneven(how) as env, trainer(env, run_dir=tmp_path) as made:
        assert run(made, 1)["deterministic"] is deterministic
        assert made.run.records[0]["deterministic"] is deterministic
        assert pufferbench.records.RunFolder.open(tmp_path).config["deterministic"] is deterministic
        assert (made.config.batch_size, made.global_step) == (GAMES * AGENTS * STEPS,) * 2  # of all rows


def test_async_by_name():
    with (
        pufferbench.make("gym-CartPole-v1", num_envs=8, num_workers=4, batch_size=4) as env,
        PuffeRL(env, bptt_horizon=8) as made,
    ):
        assert run(made, 2)["global_step"] == 2 * 8 * 8


def test_rows_that_cannot_be_sorted_are_refused():
    env = Bandit(4)
    env.deterministic = False
    with pytest.raises(ValueError, match="Bandit's batches change places.*mode='sync'"):
        PuffeRL(env)


# -- halves or not ------------------------------------------------------------------------------


class Together(RowByRow):
    """What it says about a row depends on the batch, on how often it was asked, and on torch's generator."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        logits, value = super().forward(x)
        return logits, value + 1e-3 * len(x) + 1e-3 * self.calls + torch.rand(())


def test_a_policy_that_does_not_do_the_same_for_halves_gets_none():
    torch.manual_seed(1)
    expected = rollouts(uneven("serial"), policy=Together())
    torch.manual_seed(1)
    assert all(map(torch.equal, expected, rollouts(uneven((2, 0)), policy=Together())))
    with uneven((2, 0)) as env, trainer(env, policy=Together()) as made:
        run(made, 3)
        assert made.collector.way == "whole"
        assert "differ in the last bits" in made.collector.choice


@pytest.mark.parametrize(("halves", "way"), [(0.5, "halves"), (0.97, "whole"), (2.0, "whole")])
def test_both_ways_are_tried_and_the_faster_one_stays(halves, way, monkeypatch):
    monkeypatch.setattr(Stopwatch, "lap", lambda self, name: None)
    with uneven((2, 0)) as env, trainer(env) as made:
        ways = []
        for update in range(8):
            ways.append(made.collector.way)
            seconds = halves if made.collector.way == "halves" else 1.0
            made._watch.start = lambda: None
            made._watch.times = {"env": seconds / 2 + (update < 2), "policy": seconds / 2, "copy": 0.0}
            made.evaluate()
        assert ways == ["whole", "halves"] * collect.TRIALS + [way] * 2
        assert made.collector.choice.startswith("halves" if way == "halves" else "whole batches")
        assert f"{1e3 * halves:.3g} ms in halves" in made.collector.choice
        made.collector.begin_trial()  # as after a change of device
        assert (made.collector.way, made.collector.choice) == ("whole", "")


def test_only_where_there_are_two_workers():
    for env in (uneven("serial"), uneven((1, 0)), Threads(pufferbench.make("ocean-squared", num_envs=4), 2)):
        with env:
            assert Collector(env)._halves == []
    with uneven((3, 0)) as env:
        assert Collector(env)._halves == [(0,), (1, 2)]


# -- interruptions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "way"), [((3, 0), "halves"), ((3, 2), None), ((3, 0), "whole")])
@pytest.mark.parametrize("interruption", [StopTraining, KeyboardInterrupt])
def test_an_interrupted_update_is_dropped(how, way, interruption):
    with uneven(how) as env, trainer(env, way=way) as made:
        left = 5

        def gate():
            nonlocal left
            left -= 1
            if not left:
                raise interruption

        made.gate = gate
        with pytest.raises(interruption):
            made.evaluate()
        made.gate = None
        assert run(made, 2)["update"] == 2
        assert (made.rollout.observations[:, :, 0] == torch.arange(GAMES * AGENTS)).all()
        left, made.gate = 5, gate
        with pytest.raises(interruption):
            made.evaluate()
        env.reset(1)
        observations = env.step(env.action_masks.argmax(1))[0]
        assert len(observations) == env.num_agents  # whole batches again


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
@pytest.mark.parametrize(("how", "way"), [((3, 0), "halves"), ((3, 2), None)])
def test_ctrl_c_while_it_waits(how, way):
    """Wherever it strikes: the next update is complete, and every row in its place."""
    with uneven(how) as env, trainer(env, way=way) as made:
        run(made, 1)
        for _ in range(10):
            timer = threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                while True:
                    made.evaluate()
            timer.join()
            made.evaluate()
            assert (made.rollout.observations[:, :, 0] == torch.arange(GAMES * AGENTS)).all()


@pytest.mark.parametrize("how", [{}, {"mode": "async", "surplus_envs": 1}])
def test_an_exception_in_a_worker_comes_out(how):
    env = Multiprocessing(partial(Failing, 4, 2), 3, 3, **how)
    with env, trainer(env, way=None if how else "halves") as made:
        with pytest.raises(WorkerError, match="the dog ate it"):
            made.evaluate()
        with pytest.raises(RuntimeError, match=r"call reset\(\)"):
            made.evaluate()
        made.collector.reset(5)
        with pytest.raises(WorkerError, match="the dog ate it"):
            made.evaluate()


class Failing(Uneven):
    """Fails in a step of one game."""

    def __init__(self, at, game):
        super().__init__(AGENTS)
        self.at, self.game = at, game

    def step(self, actions):
        if self.first_env == self.game and self.clock[0] == self.at:
            raise KeyError("the dog ate it")
        return super().step(actions)


# -- learning -----------------------------------------------------------------------------------


class Slow(Bandit):
    """Its first game takes its time."""

    def step(self, actions):
        if self.first_env == 0:
            threading.Event().wait(0.0005)
        return super().step(actions)


@pytest.mark.learn
def test_an_async_env_is_learned_as_well_as_any():
    env = Multiprocessing(partial(Slow, 8), 4, 4, mode="async", surplus_envs=2)
    with env, PuffeRL(env, gamma=0.0, bptt_horizon=64, total_timesteps=60_000) as made:
        records = list(made.steps())
    assert records[0]["episode_return"] < 4
    assert records[-1]["episode_return_100"] > 7.5
