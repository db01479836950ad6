"""``legal`` fills action_masks: in every mode, on threads, in workers; and its mistakes are named."""

import re

import numpy as np
import pytest
from ocean.games import Counter, Locks, Nim
from ocean.student import define

from ocean_numba import Box, GameError
from ocean_numba.checks import legal_actions
from ocean_numba.testing import _differences, compare_with_python, random_actions
from pufferbench.vector import Multiprocessing, Serial
from pufferbench.vector.threads import Threads

MODES = ("compiled", "python", "debug")


@pytest.mark.parametrize("mode", MODES)
def test_masks_are_those_of_the_state_that_is_seen(mode):
    env = Locks(3, mode=mode)
    env.reset(0)
    generator = np.random.default_rng(0)
    assert env.num_action_masks == 5
    for _ in range(20):
        count = env.observations[:, 0].astype(int)
        expected = [[lock != c % 2 for lock in range(2)] + [key != c % 3 for key in range(3)] for c in count]
        assert env.action_masks.dtype == np.bool_
        assert env.action_masks.tolist() == expected
        env.step(legal_actions(env.action_space, env.action_masks, generator))


@pytest.mark.parametrize("mode", MODES)
def test_turns_that_begin_with_the_reset(mode):
    env = Nim(8, mode=mode)
    env.reset(1)
    generator = np.random.default_rng(0)
    records = []
    for _ in range(50):
        acts = env.observations[:, 1] == 1
        assert (env.masks == acts).all()
        assert (env.masks.reshape(-1, 2).sum(1) == 1).all()
        stones = env.observations[:, 0]
        assert (env.action_masks == (np.arange(3) < stones[:, None])).all()
        assert env.action_masks[:, 0].all()
        records += env.step(legal_actions(env.action_space, env.action_masks, generator))[4]
    # An agent's length counts its own turns; who never had one has no episode to report.
    assert {1, 2} <= {record["episode_length"] for record in records}
    assert {record["episode_return"] for record in records} == {-1, 1}


def test_games_without_legal_have_no_action_masks():
    env = Counter(2)
    env.reset(0)
    assert env.num_action_masks == 0
    assert env.action_masks is None


@pytest.mark.parametrize("game", [Locks, Nim])
def test_compiled_is_the_same_game_as_python(game):
    compare_with_python(game, steps=100, num_envs=4)


def test_the_comparison_covers_action_masks(monkeypatch):
    original = Locks._game.functions["legal"]

    def wrong(s, mask):
        original(s, mask)
        mask[s.count % 2] = True

    env, python = Locks(2), Locks(2, mode="python")
    env.reset(0)
    monkeypatch.setitem(Locks._game.functions, "legal", wrong)  # only Python mode reads it from now on
    python.reset(0)
    monkeypatch.undo()
    differences = _differences(env, python, 1e-5)
    assert set(differences) == {0, 1}
    assert re.fullmatch(r"action_masks\[0, \d\] is .*False.*, in Python mode .*True.*", differences[0])


def make_nim():
    return Nim(4)


def test_threads_and_workers_give_the_same_masks():
    envs = [
        Serial(make_nim, 4),
        Threads(Nim(16), 2),
        Multiprocessing(make_nim, 4, num_workers=2),
    ]
    generators = [np.random.default_rng(0) for _ in envs]
    try:
        for env in envs:
            env.reset(3)
        for _ in range(20):
            for env, generator in zip(envs, generators, strict=True):
                env.step(legal_actions(env.action_space, env.action_masks, generator))
            for other in envs[1:]:
                for name in ("action_masks", "masks", "observations", "rewards", "terminals"):
                    assert (getattr(other, name) == getattr(envs[0], name)).all(), name
    finally:
        for env in envs:
            env.close()


def test_random_actions_are_legal_nearly_always():
    env = Nim(64)
    env.reset(0)
    generator = np.random.default_rng(0)
    legal = []
    for _ in range(60):
        actions = random_actions(env, generator)
        legal.append(env.action_masks[np.arange(128), actions].mean())
        env.step(actions)
    assert 0.5 < np.mean(np.array(legal) == 1) < 1


@pytest.mark.parametrize(
    ("legal", "message"),
    [
        ("mask[0] = True", r"Game\.legal must write every element, but leaves mask\[1\] as it was"),
        ("mask[:] = False", r"Game\.legal leaves no legal action; one that acts needs at least one"),
        ("mask[:] = True\nmask[2] = True", r"index out of range: index 2.*\(legal, line 18"),
        ("mask[:] = s.y > 1", r"State has no field 'y'.*\(legal, line 17"),
        ("mask[:] = [True, True]", r"Game\.legal makes a list"),
    ],
)
def test_mistakes_in_legal(legal, message):
    with pytest.raises(GameError, match=message):
        define(legal=legal)().reset(0)


def test_no_legal_action_for_one_choice_and_agent():
    class Stuck(Locks):
        def legal(s, mask):
            mask[:2] = True
            mask[2:] = False

    with pytest.raises(GameError, match="Stuck.legal leaves no legal action for choice 1;"):
        Stuck().reset(0)

    class Lost(Nim):
        def legal(s, i, mask):
            mask[:] = s.turn == 0

    with pytest.raises(GameError, match="Lost.legal leaves no legal action to agent 1;"):
        Lost().reset(0)


@pytest.mark.parametrize(
    ("base", "body", "message"),
    [
        (Counter, {"legal": lambda s, i, mask: None}, r"legal\(s, i, mask\).*the form legal\(s, mask\)"),
        (Nim, {"legal": lambda s, mask: None}, r"form for several agents legal\(s, i, mask\)"),
        (Counter, {"legal": 3}, "legal must be a function, not 3"),
        (Counter, {"reset": lambda s, masks: None}, r"must have the form reset\(s\)$"),
        (Nim, {"reset": lambda: None}, r"must have the form reset\(s\) or reset\(s, masks\)"),
    ],
)
def test_wrong_forms_are_named_when_the_class_is_defined(base, body, message):
    with pytest.raises(GameError, match=message):
        type("Game", (base,), body)


def test_legal_needs_discrete_actions():
    class Game(Counter):
        action = Box(-1, 1, (1,), np.float32)

        def legal(s, mask):
            mask[:] = True

    with pytest.raises(
        GameError, match="Game has legal, which is for Discrete and MultiDiscrete actions, not Box"
    ):
        Game()
