"""PettingZoo's own environments by name."""

import sys

import numpy as np
import pytest

import pufferbench
from pufferbench import registry
from pufferbench.emulation.pettingzoo_aec import PettingZooAEC
from pufferbench.emulation.pettingzoo_names import MissingDependency, find_game, games, make_pettingzoo
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.registry import UnknownEnv

UNTRIED = {"hanabi_v5"}  # needs OpenSpiel
INSTALLED = sorted(
    game for game, package in games().items() if not package.endswith("atari") and game not in UNTRIED
)


@pytest.mark.parametrize("game", INSTALLED)
def test_every_game_plays(game):
    """Two steps of legal actions, a picture, and what its spaces say."""
    with pufferbench.make(f"pettingzoo-{game}") as env:
        observations, _ = env.reset(1)
        env.action_space.seed(1)
        for _ in range(2):
            assert env.masks.any()
            actions = np.array([env.action_space.sample() for _ in range(env.num_agents)])
            if env.action_masks is not None:
                actions = np.array([np.flatnonzero(legal)[0] for legal in env.action_masks])
            observations, rewards, *_ = env.step(actions)
            assert np.isfinite(observations).all() and np.isfinite(rewards).all()
        picture = env.render()
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


@pytest.mark.parametrize(
    ("name", "game"),
    [
        ("pettingzoo-connect-four", "connect_four_v3"),
        ("pettingzoo-connect_four", "connect_four_v3"),
        ("pettingzoo-connect_four_v3", "connect_four_v3"),
        ("pettingzoo-connect-four-v3", "connect_four_v3"),
        ("pettingzoo-knights-archers-zombies", "knights_archers_zombies_v11"),
        ("pettingzoo-simple-spread", "simple_spread_v3"),
    ],
)
def test_names_with_and_without_version(name, game):
    assert find_game(name) == game
    assert registry.spec(name).id == name


def test_the_latest_version_is_taken(monkeypatch):
    module = "pufferbench.emulation.pettingzoo_names.games"
    monkeypatch.setattr(module, lambda: dict.fromkeys(["tag_v9", "tag_v10", "tag_team_v2"], "mpe2"))
    assert find_game("pettingzoo-tag") == "tag_v10"
    assert find_game("pettingzoo-tag-v9") == "tag_v9"
    with pytest.raises(
        UnknownEnv, match="'pettingzoo-tag_v8': installed is pettingzoo-tag_v9, pettingzoo-tag_v10"
    ):
        find_game("pettingzoo-tag_v8")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pettingzoo-conect-four", "pettingzoo-connect-four"),
        ("pettingzoo-pistonbal", "pettingzoo-pistonball"),
        ("pettingzoo-tic_tac_toe", "pettingzoo-tictactoe"),
    ],
)
def test_unknown_names(name, meant):
    with pytest.raises(UnknownEnv, match=f"unknown environment '{name}'; did you mean '{meant}'"):
        pufferbench.make(name)


def test_games_at_once_and_games_in_turns():
    assert isinstance(make_pettingzoo("rps_v2"), PettingZooParallel)
    assert isinstance(make_pettingzoo("tictactoe_v3"), PettingZooAEC)


def test_options_reach_the_game_and_the_adapter():
    env = pufferbench.make("pettingzoo-rps", num_envs=3, max_cycles=4, num_actions=5)
    env.reset(0)
    assert env.action_space.n == 5 and env.num_agents == 6
    ends = [env.step(np.zeros(6, int))[3].all() for _ in range(8)]
    assert [i for i, end in enumerate(ends) if end] == [3, 7]
    env = pufferbench.make("pettingzoo-rps", max_agents=3)
    assert env.agents_of_rows == [None] * 3
    env.reset()
    assert env.agents_of_rows == ["player_0", "player_1", None] and env.masks.tolist() == [True, True, False]


def test_a_game_has_no_such_option():
    with pytest.raises(
        TypeError, match=r"pettingzoo-rps_v2 has no option 'max_cycle'; did you mean 'max_cycles'"
    ):
        pufferbench.make("pettingzoo-rps", max_cycle=4)


def test_a_missing_package_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("pettingzoo.sisl", "Box2D"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "Box2D", None)  # what an import then raises is an ImportError
    with pytest.raises(
        MissingDependency, match=r"pettingzoo-multiwalker_v9 needs .*pip install 'pettingzoo\[sisl\]'"
    ):
        pufferbench.make("pettingzoo-multiwalker")


def test_another_one_like_it():
    env = pufferbench.make("pettingzoo-tictactoe", num_envs=2)
    other = env.respawn(1)
    assert type(other) is PettingZooAEC and other.name == "tictactoe_v3"


@pytest.mark.parametrize("name", ["rps", "multiwalker", "leduc-holdem", "simple-tag"])
def test_puffer_trains(name):
    """Numbers, continuous actions, legal actions in turns, agents that differ: two updates of each."""
    from pufferbench import PuffeRL

    with pufferbench.make(f"pettingzoo-{name}", num_envs=4) as env:
        trainer = PuffeRL(env, seed=0, bptt_horizon=16, total_timesteps=2 * 16 * env.num_agents)
        records = list(trainer.steps())
        assert len(records) == 2 and all(np.isfinite(record["value_loss"]) for record in records)
