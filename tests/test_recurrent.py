"""Recurrent policies: playing and learning remember the same, and forget exactly where an episode ends."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from envs import Bandit
from gymnasium import spaces
from torch import nn
from training import run, same, weights
from vector_envs import Uneven

import pufferbench
from pufferbench import PuffeRL, play, policies, through_time
from pufferbench.kernels import Objective
from pufferbench.learner import minibatches
from pufferbench.policies import GRU, LSTM
from pufferbench.pytorch import LSTMWrapper, log_prob_entropy
from pufferbench.records import CheckpointError
from pufferbench.recurrent import one_by_one
from pufferbench.trainer import NonFiniteLoss, StopTraining
from pufferbench.vector import Multiprocessing, Serial, Threads

GAMES, AGENTS, STEPS = 6, 2, 11
ROWS = GAMES * AGENTS
BOX = spaces.Box(-np.inf, np.inf, (4,), np.float32)
CREATOR = partial(Uneven, AGENTS, (0.002, 0.0, 0.0, 0.001, 0.0, 0.0))
ENVS = {
    "serial": lambda: Serial(CREATOR, GAMES),
    "whole": lambda: Multiprocessing(CREATOR, GAMES, 2, mode="sync", timeout=20),
    "halves": lambda: Multiprocessing(CREATOR, GAMES, 2, mode="sync", timeout=20),
    "all async": lambda: Multiprocessing(CREATOR, GAMES, 6, mode="async", surplus_envs=3, timeout=20),
    "two async": lambda: Multiprocessing(CREATOR, GAMES, 3, mode="async", surplus_envs=2, timeout=20),
}


class Own(nn.Module):
    """A user's own: a GRU whose state is one tensor and does not begin with zeros; no ``sequence``."""

    def __init__(self, outputs=3):
        super().__init__()
        self.cell = nn.GRUCell(4, 8)
        self.heads = nn.Linear(8, outputs + 1)

    def initial_state(self, rows):
        return torch.full((rows, 8), 0.5)

    def forward(self, observations, state=None):
        state = self.cell(observations, self.initial_state(len(observations)) if state is None else state)
        outputs = self.heads(state)
        return outputs[:, :-1], outputs[:, -1:], state


class Witness(Own):
    """Remembers (row, steps of the episode), and is sure at every step that these are its own."""

    def initial_state(self, rows):
        return torch.full((rows, 2), -1.0)

    def forward(self, observations, state=None):
        row, age = observations[:, 0] % 100, observations[:, 1]
        is_fresh, since = state[:, 0] < 0, age - state[:, 1]
        # A row never waits twice in succession
        assert (age[is_fresh] <= 1).all(), "forgotten within an episode"
        assert (state[~is_fresh, 0] == row[~is_fresh]).all(), "another row's"
        assert ((since == 1) | (since == 2))[~is_fresh].all(), "another episode's"
        return torch.zeros(len(row), 3), age, torch.stack([row, age], 1)


def own(seed=3):
    torch.manual_seed(seed)
    return Own()


def lstm(seed=3, actions=3, kind=LSTM, **options):
    torch.manual_seed(seed)
    policy = kind(BOX, spaces.Discrete(actions), **{"hidden_size": 16, **options})
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return policy


def gru():
    return lstm(kind=GRU)


def trainer(env, policy, way="", **options):
    made = PuffeRL(env, policy=policy, **{"bptt_horizon": STEPS, "seed": 5, **options})
    if way in ("whole", "halves"):
        made.collector.settle_on(way)
    return made


def rows_one_by_one(policy, rollout, states):
    """The slow reference: each row by itself, step by step. ``states`` are those of the rows, and change.

    Returns the values ``[steps, rows]`` (NaN while a row waits), and what the rows that were cut remembered.
    """
    values, cut = torch.full(rollout.rewards.shape, torch.nan), {}
    with torch.no_grad():
        for row in range(rollout.rewards.shape[1]):
            for t in range(len(rollout.rewards)):
                if rollout.masks[t, row]:
                    _, value, states[row] = policy(rollout.observations[t, row : row + 1], states[row])
                    values[t, row] = value
                if rollout.truncations[t, row]:
                    state = states[row] if states[row] is not None else policy.initial_state(1)
                    cut[t, row] = state if isinstance(state, tuple) else (state,)
                if rollout.terminals[t, row] or rollout.truncations[t, row]:
                    states[row] = None
    return values, [torch.cat(parts) for parts in zip(*(cut[place] for place in sorted(cut)), strict=True)]


@pytest.mark.parametrize(
    ("how", "policy"), [*((how, lstm) for how in ENVS), ("serial", gru), ("halves", own)]
)
def test_playing_and_learning_agree_with_each_row_by_itself(how, policy):
    """Through three rollouts, with ends, cuts and waiting rows in them, and at every boundary."""
    with ENVS[how]() as env, trainer(env, policy(), how) as made:
        states = [None] * ROWS
        for _ in range(3):
            made.evaluate()
            rollout = made.rollout
            values, cut = rows_one_by_one(made.policy, rollout, states)
            acts = rollout.masks[:-1]
            torch.testing.assert_close(rollout.values[:-1][acts], values[acts], atol=1e-5, rtol=1e-5)
            _, *remembered = rollout.finals()
            for found, expected in zip(remembered, cut, strict=True):
                torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

            batch, _ = made._batch()
            assert 0.5 * acts.numel() < len(batch["returns"]) < acts.numel()
            for index in (torch.arange(ROWS), torch.tensor([7, 2, 11])):
                part, logits, value = made.learner.again(batch, index)
                logprobs, _ = log_prob_entropy(logits, part["actions"], part["action_masks"])
                torch.testing.assert_close(logprobs, part["logprobs"], atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(value.flatten(), part["values"], atol=1e-5, rtol=1e-5)


def test_cut_episodes_are_valued_with_what_they_remember():
    with ENVS["serial"]() as env, trainer(env, lstm(), gamma=0.9) as made:
        made.evaluate()
        seen, *state = made.rollout.finals()
        with torch.no_grad():
            right = made.policy(seen, tuple(state))[1]
            wrong = made.policy(seen)[1]
        asked = []
        values = made.learner.values
        made.learner.values = lambda *args: asked.append(values(*args)) or asked[-1]
        made._batch()
        torch.testing.assert_close(torch.cat(asked), right)
        assert (right - wrong).abs().max() > 0.01


@pytest.mark.parametrize("how", ENVS)
def test_everybody_remembers_their_own_also_after_interruptions(how):
    """Half done updates are dropped; episodes may end in steps that nobody heard of."""
    with ENVS[how]() as env, trainer(env, Witness(), how) as made:
        for patience in (1, 100, 2, 3, 5, 7, 100, 9):
            calls = iter(range(patience))

            def gate(calls=calls):
                if next(calls, None) is None:
                    raise StopTraining

            made.gate = gate
            try:
                made.evaluate()
            except StopTraining:
                assert not made.rollout.complete
            else:
                assert patience == 100


def test_a_checkpoint_begins_new_episodes(tmp_path):
    with ENVS["serial"]() as env, trainer(env, Witness()) as made:
        made.evaluate()
        path = made.save_checkpoint(tmp_path / "some")
        assert (made.rollout.memory.now[0] >= 0).any()
        made.load_checkpoint(path)
        assert (made.rollout.memory.now[0] == -1).all()
        made.evaluate()


def test_another_device_goes_on_with_the_episodes():
    with ENVS["serial"]() as env, trainer(env, lstm()) as made:
        made.evaluate()
        before = [part.clone() for part in made.rollout.memory.now]
        made._move()
        assert all(map(torch.equal, before, made.rollout.memory.now))
        assert before[0].any()


class Broken(Bandit):
    """Once one agent sees NaN."""

    broken = False

    def look(self):
        super().look()
        self.observations[2] = np.nan if self.broken else self.observations[2]
        self.broken = False


def test_a_nan_is_forgotten_when_the_env_is_mended():
    env = Broken(4)
    env.length = 1000
    with trainer(env, "LSTM") as made:
        run(made, 1)
        env.broken = True
        made.evaluate()
        with pytest.raises(NonFiniteLoss, match="observations contain NaN"):
            made.train()
        before = made.rollout.memory.now[0].clone()
        run(made, 1)
        started = made.rollout.memory.start[0]
        assert before.isnan().any(1).tolist() == [False, False, True, False]
        assert not started[2].any()
        assert torch.equal(started[[0, 1, 3]], before[[0, 1, 3]])


# -- learning -----------------------------------------------------------------------------------


def some_steps(seed=0, steps=9, rows=5):
    """observations, used, ended, state: with all that can be in a segment."""
    generator = torch.Generator().manual_seed(seed)
    used = torch.rand(steps, rows, generator=generator) < 0.8
    ended = torch.rand(steps, rows, generator=generator) < 0.2
    observations = torch.randn(int(used.sum()), 4, generator=generator)
    state = tuple(torch.randn(rows, 16, generator=generator) for _ in range(2))
    return observations, used, ended, state


ACTIONS = {
    "Discrete": spaces.Discrete(3),
    "MultiDiscrete": spaces.MultiDiscrete([2, 4]),
    "Box": spaces.Box(-1, 2, (2,), np.float32),
}


@pytest.mark.parametrize(("kind", "actions"), [*((LSTM, actions) for actions in ACTIONS), (GRU, "Discrete")])
def test_all_at_once_is_one_by_one(kind, actions):
    """Logits, values and gradients."""
    torch.manual_seed(0)
    policy = kind(BOX, ACTIONS[actions], hidden_size=16)
    results = []
    for way in (policy.sequence, partial(one_by_one, policy)):
        policy.zero_grad()
        observations, used, ended, state = some_steps()
        logits, value = way(observations, used, ended, state[: len(policy.initial_state(1))])
        if actions == "Box":
            parts = [logits.loc, logits.scale]
        else:
            parts = list(logits) if isinstance(logits, tuple) else [logits]
        sum(part.square().sum() for part in (*parts, value)).backward()
        results.append([*parts, value, *(parameter.grad.clone() for parameter in policy.parameters())])
    for number, (left, right) in enumerate(zip(*results, strict=True)):
        torch.testing.assert_close(left, right, atol=1e-4, rtol=1e-5, msg=f"number {number}")
    assert all(part.abs().max() > 0 for part in results[0])


def test_other_devices_learn_the_same_from_torchs_own_cell(monkeypatch):
    """As elsewhere than on a CPU."""
    found = []
    for own_kernels in (True, False):
        if not own_kernels:
            monkeypatch.setattr(through_time, "can_do", lambda *_: False)
        policy = lstm()
        with torch.no_grad():
            _, value, state = policy(torch.ones(2, 4))
        logits, values = policy.sequence(*some_steps())
        (logits.square().sum() + values.sum()).backward()
        found.append([value, *state, logits, values, *(parameter.grad for parameter in policy.parameters())])
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("way", ["sequence", "one by one"])
def test_gradients_flow_through_time_but_not_over_the_end_of_an_episode(way):
    policy = lstm()
    go = policy.sequence if way == "sequence" else partial(one_by_one, policy)
    used = torch.ones(6, 2, dtype=torch.bool)
    used[1, 1] = False  # row 1 waits
    ended = torch.zeros(6, 2, dtype=torch.bool)
    ended[2, 0] = True  # row 0's second episode begins with step 3
    observations = torch.randn(11, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    start = tuple(part.requires_grad_() for part in some_steps(rows=2)[3])
    values = torch.zeros(6, 2).index_put((used,), go(observations, used, ended, start)[1])
    *seen, hidden, cell = torch.autograd.grad(values[5].sum(), (observations, *start))
    grads = torch.zeros(6, 2).index_put((used,), seen[0].abs().sum(1))
    assert (grads[:3, 0] == 0).all()
    assert (grads[3:, 0] > 0).all()
    assert (grads[:, 1] > 0).tolist() == used[:, 1].tolist()
    for part in (hidden, cell):
        assert not part[0].any()
        assert part[1].any()


def test_minibatches_are_rows():
    with ENVS["serial"]() as env, trainer(env, lstm()) as made:
        made.evaluate()
        batch, _ = made._batch()
        batch["places"][:, 4] = -1  # has waited all the time
        parts = minibatches(batch, 30, made.generator)
        assert len(parts) == -(-len(batch["returns"]) // 30)
        assert sorted(torch.cat(parts).tolist()) == [row for row in range(ROWS) if row != 4]
        assert torch.cat(parts).tolist() != sorted(torch.cat(parts).tolist())
        assert len(minibatches(batch, 1, made.generator)) == ROWS - 1  # not less than a row


@pytest.mark.parametrize("policy", [lstm, own])
def test_training_changes_every_weight_and_is_the_same_with_two_workers(policy):
    found = []
    for how, way in (("serial", ""), ("whole", ""), ("halves", "halves")):  # "": halves are tried
        with ENVS[how]() as env, trainer(env, policy(), way) as made:
            before = weights(made)
            record = run(made, 3)
            assert np.isfinite(record["policy_loss"])
            assert made.learner.name == "recurrent"
            found.append(weights(made))
            learned = dict(made.policy.named_parameters())
            assert not any(torch.equal(before[name], found[-1][name]) for name in learned)
    assert same(found[0], found[1])
    for name, tensor in found[0].items():  # products of half the rows may differ in the last bits
        torch.testing.assert_close(found[2][name], tensor, atol=1e-3, rtol=1e-3)


def test_threads_change_nothing():
    found = []
    for threads in (0, 2):
        env = pufferbench.make("ocean-memory", num_envs=8)
        with Threads(env, threads) if threads else env as env, trainer(env, "LSTM") as made:
            run(made, 3)
            found.append(weights(made))
    assert same(*found)


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_two_threads_and_one_give_the_same_bits(name):
    found = []
    for threads in (1, 2):
        env = pufferbench.make("ocean-cartpole", num_envs=512)
        sizes = {"bptt_horizon": 8, "minibatch_size": 1024}
        with env, trainer(env, name, torch_threads=threads, **sizes) as made:
            halves = []
            each = made.learner._halves.each
            made.learner._halves.each = lambda *args, each=each, halves=halves: (
                halves.append(1) or each(*args)
            )
            run(made, 2)
            assert len(halves) == 2 * (8 + 1 + 4)  # every step, the last values, every minibatch
            found.append(weights(made))
    assert same(*found)


def test_halves_learn_what_the_whole_learns():
    batch_of = {}
    for whole in (True, False):
        with ENVS["serial"]() as env, trainer(env, lstm()) as made:
            made.evaluate()
            (batch, _), index = made._batch(), torch.arange(ROWS)
            if not whole:
                made.learner.pieces = lambda batch, index: index.tensor_split(2)
            loss, statistics = made.learner.gradients(batch, index, Objective(0.2, 0.5, 0.01))
            batch_of[whole] = [loss, statistics, *(parameter.grad for parameter in made.policy.parameters())]
    for left, right in zip(*batch_of.values(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-4)


@pytest.mark.learn
def test_memory_is_solved():
    """An MLP stays at chance, 0.5, for ever."""
    with PuffeRL("ocean-memory") as made:
        records = list(made.steps())
        assert isinstance(made.policy, LSTM)
    assert records[-1]["global_step"] < 210_000
    assert records[0]["score"] < 0.6
    assert records[-1]["score_100"] > 0.95


# -- playing ------------------------------------------------------------------------------------


def test_playing_remembers_each_episode_and_begins_anew():
    env = Uneven(7)
    act = play.policy_actions(env, Witness())
    for _ in range(2):  # the first leaves other rows in the middle of theirs
        assert len(play.play_episodes(env, act, 10)) == 10


def test_a_checkpoint_is_played_by_name(tmp_path):
    with ENVS["serial"]() as env, trainer(env, "LSTM") as made:
        run(made, 1)
        path = made.save_checkpoint(tmp_path / "some")
        policy = policies.load(path, env.observation_space, env.action_space)
        assert isinstance(policy, LSTM)
        assert same(policy.state_dict(), weights(made))
        with pytest.raises(CheckpointError, match="MLP"):
            policies.load(path, BOX, spaces.Discrete(3), policy=policies.MLP(BOX, spaces.Discrete(3)))


def test_the_names_in_checkpoints_stay():
    """Or those of yesterday could not be loaded."""
    weights = {name for name in lstm().state_dict() if not name.startswith("policy.")}
    assert weights == {f"cell.{kind}_{of}" for kind in ("weight", "bias") for of in ("ih", "hh")}
    assert set(lstm().policy.state_dict()) == set(policies.MLP(BOX, spaces.Discrete(3)).state_dict())


# -- what is wrong ------------------------------------------------------------------------------


class TwoThings(Own):
    def forward(self, observations, state=None):
        return super().forward(observations, state)[:2]


class Growing(Own):
    def forward(self, observations, state=None):
        logits, value, state = super().forward(observations, state)
        return logits, value, torch.cat([state, state], 1)


class OneRow(Own):
    def initial_state(self, rows):
        return torch.zeros(1, 8)


class WrongLogits(Own):
    def __init__(self):
        super().__init__(outputs=5)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (TwoThings, r"initial_state\(\) must return \(logits, value, state\), not 2 things"),
        (Growing, r"keep its shapes \[\[2, 8\]\], but it returned \[\[2, 16\]\]"),
        (OneRow, r"initial_state\(2\) must return a tensor \[2, ...\]"),
        (WrongLogits, r"the logits must have shape \[2, 3\], not \[2, 5\]"),
    ],
)
def test_a_wrong_policy_is_explained(policy, message):
    with pytest.raises(ValueError, match=message):
        PuffeRL(Uneven(2), policy=policy(), bptt_horizon=8)


def test_what_cannot_be_wrapped():
    with pytest.raises(TypeError, match="Linear has no encode and no decode"):
        LSTMWrapper(nn.Linear(4, 4))


@pytest.mark.parametrize(("policy", "ok"), [(lstm, True), (gru, True), (Own, True), (Growing, False)])
def test_check_policy_knows_the_state(policy, ok):
    report = policies.check_policy(policy(), Uneven(8))
    assert report.ok is ok, report
    assert ok or "keep its shapes" in str(report)
    assert "warning" not in [finding.level for finding in report.findings], report
