"""Our games of several agents seen as PettingZoo's, judged by PettingZoo's own conformance tests."""

from functools import partial
from importlib import import_module

import numpy as np
import pytest
from gymnasium import spaces
from ocean.games import Arena, Counter, Locks, Nim, Parts
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils import parallel_to_aec
from pettingzoo_games import Lights, Script

import pufferbench
from ocean_numba.target import Target
from pufferbench import as_pettingzoo
from pufferbench.emulation import as_puffer
from pufferbench.pettingzoo_view import ParallelView, TurnsView

PARALLEL = {
    "target": lambda: pufferbench.make("ocean-target"),
    "target of 2, short": partial(Target, agents=2, max_steps=9),
    "agents that drop out": partial(Arena, agents=4),
    "nested observations": Parts,
    "legal actions, several choices": Locks,
    "one agent": Counter,
    "there and back": lambda: as_puffer(Lights()),
}


def connect_four():
    return import_module("pettingzoo.classic.connect_four_v3").env()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("game", PARALLEL)
def test_the_parallel_api(game, capsys):
    view = as_pettingzoo(PARALLEL[game]())
    assert isinstance(view, ParallelView) and isinstance(view, ParallelEnv)
    parallel_api_test(view, num_cycles=300)
    assert "Passed Parallel API test" in capsys.readouterr().out
    view.close()


@pytest.mark.parametrize("game", PARALLEL)
def test_one_seed_gives_one_game(game):
    parallel_seed_test(lambda: as_pettingzoo(PARALLEL[game]()), num_cycles=100)


@pytest.mark.parametrize("game", PARALLEL)
def test_the_aec_api(game, capsys):
    """Through PettingZoo's own conversion. What it warns of are its tastes (bounded observations, no Dicts)."""
    api_test(parallel_to_aec(as_pettingzoo(PARALLEL[game]())), num_cycles=100)
    assert "Passed API test" in capsys.readouterr().out


IN_TURNS = {
    "nim": Nim,
    "tic-tac-toe": lambda: pufferbench.make("ocean-tic-tac-toe", players=2),
    "connect four": lambda: pufferbench.make("ocean-connect-four", players=2),
    "there and back": lambda: as_puffer(connect_four()),
}


@pytest.mark.parametrize("name", IN_TURNS)
def test_the_aec_api_of_games_in_turns(name, capsys):
    game = IN_TURNS[name]
    view = as_pettingzoo(game())
    assert isinstance(view, TurnsView) and isinstance(view, AECEnv)
    api_test(view, num_cycles=100)
    seed_test(lambda: as_pettingzoo(game()), num_cycles=100)
    assert "Passed API test" in capsys.readouterr().out


@pytest.mark.parametrize("game", PARALLEL)
def test_it_is_the_same_game(game):
    """Until the first game is over; also, all that is seen is in its space."""
    view, env = as_pettingzoo(PARALLEL[game]()), PARALLEL[game]()
    observations, _ = view.reset(seed=5)
    env.reset(5)
    row = {agent: i for i, agent in enumerate(view.possible_agents)}
    for agent in view.possible_agents:
        view.action_space(agent).seed(row[agent])
    steps = 0
    while view.agents:
        playing = list(view.agents)
        assert playing == [agent for agent in view.possible_agents if env.masks[row[agent]]]
        for agent in playing:
            assert view.observation_space(agent).contains(observations[agent])
        actions = np.zeros_like(env.actions)
        for agent in playing:
            mask = observations[agent]["action_mask"] if env.action_masks is not None else None
            actions[row[agent]] = view.action_space(agent).sample(mask)
        observations, rewards, terminations, truncations, infos = view.step(
            {a: actions[row[a]] for a in playing}
        )
        *_, statistics = env.step(actions)
        for agent in playing:
            i = row[agent]
            assert rewards[agent] == env.rewards[i] and type(rewards[agent]) is float
            assert terminations[agent] is bool(env.terminals[i]) and truncations[agent] is bool(
                env.truncations[i]
            )
            assert view.observation_space(agent).contains(observations[agent])
        ended = [agent for agent in playing if terminations[agent] or truncations[agent]]
        assert [infos[agent] for agent in ended] == list(statistics)
        steps += 1
    assert steps > 1


def test_agents_that_drop_out():
    view = as_pettingzoo(Arena(agents=3))
    first, _ = view.reset(seed=1)
    seen, rewards, terminations, truncations, infos = view.step({"agent_0": 0, "agent_1": 2, "agent_2": 0})
    assert view.agents == ["agent_0", "agent_2"]
    assert rewards == {"agent_0": 1, "agent_1": 2, "agent_2": 3}
    assert terminations == {"agent_0": False, "agent_1": True, "agent_2": False} and not any(
        truncations.values()
    )
    np.testing.assert_array_equal(seen["agent_1"], first["agent_1"])  # the last that there was
    assert infos["agent_1"]["episode_length"] == 1 and not infos["agent_0"]
    for _ in range(3):
        seen, *_, truncations, _ = view.step(dict.fromkeys(view.agents, 0))
    assert view.agents == [] and truncations == {"agent_0": True, "agent_2": True}
    assert seen["agent_0"].tolist() == pytest.approx([0, first["agent_0"][1] + 4])  # not the next game's
    assert len(view.reset()[0]) == 3


def test_agents_that_appear_later():
    script = [{"agents": "ac"}, {"agents": "abc"}, {"agents": "ab", "terminated": {"c": True}}]
    script += [{"agents": "", "terminated": {"a": True, "b": True}}]
    view = as_pettingzoo(as_puffer(Script(script)))
    observations, _ = view.reset()
    assert list(observations) == view.agents == ["agent_0", "agent_2"]
    observations, rewards, *_ = view.step({"agent_0": 0, "agent_2": 0})
    assert view.agents == ["agent_0", "agent_2", "agent_1"] and observations["agent_1"].tolist() == [98, 1]
    assert rewards["agent_1"] == 0
    view.step(dict.fromkeys(view.agents, 0))
    assert view.agents == ["agent_0", "agent_1"]
    view.step(dict.fromkeys(view.agents, 0))
    assert view.agents == []


def test_nobody_comes_back():
    """PettingZoo's rule: whose episode has ended is out until reset()."""
    script = [
        {"agents": "ab"},
        {"agents": "b", "terminated": {"a": True}},
        {"agents": "ab"},
        {"agents": "ab"},
    ]
    view = as_pettingzoo(as_puffer(Script(script, "ab")))
    view.reset()
    for _ in range(3):
        view.step(dict.fromkeys(view.agents, 0))
        assert view.agents == ["agent_1"]


def test_observations_are_kept():
    """They are new arrays each time: learners keep them."""
    view = as_pettingzoo(Target(agents=2))
    first, _ = view.reset(seed=1)
    kept = {agent: seen.copy() for agent, seen in first.items()}
    view.step({agent: view.action_space(agent).sample() for agent in view.agents})
    assert all(np.array_equal(first[agent], kept[agent]) for agent in first)


def test_turns():
    view, env = as_pettingzoo(Nim()), Nim()
    env.reset(3)
    view.reset(seed=3)
    first = int(np.argmax(env.masks))
    mine, other = f"agent_{first}", f"agent_{1 - first}"
    stones = int(env.observations[0][0])
    assert view.agents == ["agent_0", "agent_1"] and view.agent_selection == mine
    seen = view.observe(mine)
    assert view.observation_space(mine).contains(seen)
    assert seen["observation"].tolist() == [stones, 1] and seen["action_mask"].tolist() == [
        n < stones for n in range(3)
    ]
    assert not view.observe(other)["action_mask"].any()
    while stones > 3:
        view.step(0)
        stones -= 1
    winner = view.agent_selection
    loser = "agent_1" if winner == "agent_0" else "agent_0"
    view.step(stones - 1)
    assert view.rewards == {winner: 1, loser: -1} and all(view.terminations.values())
    results = {}
    for agent in view.agent_iter():
        _, results[agent], terminated, truncated, info = view.last()
        assert terminated and not truncated and "episode_return" in info
        view.step(None)
    assert results == {winner: 1, loser: -1} and view.agents == []


def test_connect_four_there_and_back():
    """PettingZoo's game, in rows and back again, is PettingZoo's game: what each agent gets from last()."""
    theirs, ours = connect_four(), as_pettingzoo(as_puffer(connect_four()))
    rng = np.random.default_rng(0)
    for _ in range(3):
        theirs.reset()
        ours.reset()
        while not any(theirs.terminations.values()):
            agent = theirs.agent_selection
            assert theirs.possible_agents.index(agent) == ours.possible_agents.index(ours.agent_selection)
            expected, found = theirs.last(), ours.last()
            assert found[1:4] == expected[1:4]
            for key in ("observation", "action_mask"):
                np.testing.assert_array_equal(found[0][key], expected[0][key])
            action = rng.choice(np.flatnonzero(expected[0]["action_mask"]))
            theirs.step(action)
            ours.step(action)
        ends = [
            {agent[-1]: (env.last()[1:4], env.step(None)) for agent in env.agent_iter()}
            for env in (theirs, ours)
        ]
        assert ends[0] == ends[1] and sorted(ends[0]) == ["0", "1"]


def test_spaces_are_each_agents_own():
    view = as_pettingzoo(Parts())
    spaces_of = [view.observation_space(agent) for agent in view.possible_agents]
    assert spaces_of[0] is view.observation_space("agent_0") and spaces_of[0] is not spaces_of[1]
    assert isinstance(spaces_of[0], spaces.Dict)
    masks = as_pettingzoo(Locks()).observation_space("agent_0")["action_mask"]
    assert [part.shape for part in masks] == [(2,), (3,)]


def test_pictures_and_names():
    view = as_pettingzoo(pufferbench.make("ocean-target"))
    view.reset()
    assert (
        str(view) == "ocean-target" and view.render_mode == "rgb_array" and view.metadata["render_fps"] == 30
    )
    assert view.render().shape == (400, 400, 3)
    assert as_pettingzoo(as_puffer(Lights())).metadata["is_parallelizable"]


def test_mistakes_are_explained():
    with pytest.raises(ValueError, match=r"one game, but this Target holds 3: make it with num_envs=1"):
        as_pettingzoo(Target(num_envs=3))
    view = as_pettingzoo(Target(agents=2))
    view.reset()
    with pytest.raises(ValueError, match="Target: there is no action for 'agent_1', who plays"):
        view.step({"agent_0": [0, 0]})
