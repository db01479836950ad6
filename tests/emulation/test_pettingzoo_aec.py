"""PettingZoo's environments in turns (AEC) behind the PufferEnv contract, turn by turn against the raw ones."""

from importlib import import_module

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pettingzoo_games import Turns

from pufferbench.emulation import as_puffer
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.emulation.pettingzoo_aec import PettingZooAEC
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.env import game_seed
from pufferbench.kernels import advantages

SEED = 11
A, B, C = 97, 98, 99


class Recorder:
    """A duck-typed environment: hands through, and keeps what came of the last real turn."""

    def __init__(self, env):
        self.env = env
        self.resets, self.buried, self.seeds, self.after = 0, [], [], {}

    def __getattr__(self, name):
        return getattr(self.env, name)

    def reset(self, seed=None, options=None):
        self.env.reset(seed=seed, options=options)
        self.resets += 1
        self.seeds.append(seed)

    def observe(self, agent):
        self.seen = seen = self.env.observe(agent)
        if isinstance(seen, dict) and not seen["action_mask"].any():
            seen["action_mask"][0] = 1  # an example env draws its masks at random
        return seen

    def step(self, action):
        agent = self.env.agent_selection
        self.env.step(action)
        if action is None:
            self.buried.append(agent)
            return
        self.turn, self.action = agent, action
        for name in ("rewards", "terminations", "truncations"):
            self.after[name] = dict(getattr(self.env, name))


def numbers(seen):
    """An observation without its mask."""
    return seen["observation"] if isinstance(seen, dict) else seen


def legal_actions(recorder, agent, size):
    """The raw environment's own masks, as wide as a row's."""
    n = recorder.action_space(agent).n
    mask = np.ones(n) if recorder.seen is None else recorder.infos[agent].get("action_mask", np.ones(n))
    mask = recorder.seen["action_mask"] if isinstance(recorder.seen, dict) else mask
    return np.pad(np.asarray(mask), (0, size - n)).astype(bool)


def follow(env, recorder, turns, rng):
    """Play ``turns`` legal turns, compare each with the raw environment, and return what happened."""
    shape, episodes, since = env.observation_space.shape, 0, {}
    returns, lengths = {}, {}
    for _ in range(turns):
        agent, games = recorder.agent_selection, recorder.resets
        row = env.agents_of_rows.index(agent)
        assert np.flatnonzero(env.masks).tolist() == [row]
        seen = np.asarray(numbers(recorder.seen))
        padded = np.pad(seen, [(0, most - n) for n, most in zip(seen.shape, shape, strict=True)])
        np.testing.assert_array_equal(env.observations[row], padded)
        if env.action_masks is not None:
            legal = legal_actions(recorder, agent, env.num_action_masks)
            np.testing.assert_array_equal(env.action_masks[row], legal)
        if agent in since:  # PettingZoo's own sum of what an agent got since its last turn
            assert since[agent] == pytest.approx(recorder.last(observe=False)[1])
        since[agent] = 0.0

        masks = (
            np.ones((env.num_agents, env.action_space.n), bool)
            if env.action_masks is None
            else env.action_masks
        )
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
        rows = {agent: row for row, agent in enumerate(env.agents_of_rows) if agent in recorder.agents}
        *_, infos = env.step(actions)
        assert (recorder.turn, recorder.action) == (agent, actions[row])
        lengths[agent] = lengths.get(agent, 0) + 1
        expected = []
        for agent, row in sorted(rows.items(), key=lambda pair: pair[1]):
            reward, terminated, truncated = (recorder.after[name][agent] for name in recorder.after)
            assert env.rewards[row] == np.float32(reward)
            assert (env.terminals[row], env.truncations[row]) == (terminated, truncated and not terminated)
            returns[agent] = returns.get(agent, 0.0) + reward
            if agent in since:
                since[agent] += reward
            if terminated or truncated:
                expected.append(
                    {"episode_return": returns.pop(agent), "episode_length": lengths.pop(agent, 0)}
                )
                since.pop(agent, None)
        assert list(infos) == expected
        episodes += len(expected)
        if recorder.resets > games:
            since.clear()
    return episodes


CLASSIC = {"connect_four_v3": 300, "tictactoe_v3": 200, "leduc_holdem_v4": 100, "chess_v6": 60}


@pytest.mark.parametrize("name", CLASSIC)
def test_every_turn_is_the_raw_environments(name):
    recorder = Recorder(import_module(f"pettingzoo.classic.{name}").env())
    env = PettingZooAEC(recorder)
    assert env.agents_of_rows == recorder.possible_agents
    source = recorder.observation_space(env.agents_of_rows[0])
    assert env.observation_space == source["observation"] and env.num_action_masks == env.action_space.n
    env.reset(SEED)
    assert recorder.seeds[-1] == game_seed(SEED, 0) % 2**31
    episodes = follow(env, recorder, CLASSIC[name], np.random.default_rng(SEED))
    assert episodes > 2 or name == "chess_v6"
    assert len(recorder.buried) == episodes
    env.close()


@pytest.mark.parametrize(
    "name",
    [
        "generated_agents_env_v0",
        "generated_agents_env_cust_agentid_v0",
        "generated_agents_env_action_mask_info_v0",
        "generated_agents_env_action_mask_obs_v0",
    ],
)
def test_agents_that_come_and_go(name):
    """PettingZoo's stress case: nobody is announced, agents differ in size, appear at any time, and leave."""
    module = import_module(f"pettingzoo.test.example_envs.{name}")
    recorder = Recorder(module.raw_env(max_cycles=15))
    env = PettingZooAEC(
        recorder,
        max_agents=24,
        observation_space=spaces.Box(0, 1, (49,)),
        action_space=spaces.Discrete(9),
    )
    assert env.num_action_masks == 9
    env.reset(SEED)
    assert recorder.resets > 0
    episodes = follow(env, recorder, 1500, np.random.default_rng(SEED))
    assert recorder.resets > 4 and episodes > 20


# -- whose turn, whose reward -------------------------------------------------------------------


def walk(env, turns):
    """What comes out of some turns, as lists, with the masks after each."""
    for _ in range(turns):
        *arrays, infos = env.step(np.zeros_like(env.actions))
        yield (*(array.tolist() for array in arrays), list(infos), env.masks.tolist())


def columns(steps):
    return [list(column) for column in zip(*steps, strict=True)]


def test_turns_rewards_and_ends():
    script = [
        {},  # a
        {"rewards": {"a": 1, "c": 2}},  # b
        {"terminated": {"a": True}, "rewards": {"a": -1}},  # c: a dies while it waits
        {"rewards": {"c": 3}},  # b
        {"truncated": {"b": True, "c": True}},  # c
    ]
    env = PettingZooAEC(Turns(script))
    env.reset(SEED)
    assert env.observations.tolist() == [[A, 0], [0, 0], [0, 0]] and env.masks.tolist() == [
        True,
        False,
        False,
    ]
    seen, rewards, terminals, truncations, infos, masks = columns(walk(env, 5))
    assert seen == [
        [[A, 0], [B, 1], [0, 0]],  # who waits, or has not been asked yet, keeps what it saw
        [[A, 0], [B, 1], [C, 2]],
        [[0, 0], [B, 3], [C, 2]],
        [[0, 0], [B, 3], [C, 4]],
        [[A, 0], [0, 0], [0, 0]],
    ]
    assert masks == [[0, 1, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert rewards == [[0, 0, 0], [1, 0, 2], [-1, 0, 0], [0, 0, 3], [0, 0, 0]]
    assert terminals == [[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert truncations == [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert env.final_observations[1:].tolist() == [[B, 5], [C, 5]]
    assert infos[2] == [{"episode_return": 0.0, "episode_length": 1}]
    assert infos[4] == [
        {"episode_return": 0.0, "episode_length": 2},
        {"episode_return": 5.0, "episode_length": 2},
    ]
    assert [agent for agent, _ in env.env.received] == list("abcbc")


def test_only_the_action_of_the_agent_on_turn_counts():
    env = PettingZooAEC(Turns([{}] * 4, "ab"))
    env.reset()
    env.step([1, 99])
    env.step([99, 0])
    assert env.env.received == [("a", 1), ("b", 0)]


def test_the_loser_of_connect_four_learns_from_the_winners_move():
    """Seven moves: player_0 stacks column 0, player_1 column 1. The loss arrives while player_1 waits."""
    env = as_puffer(import_module("pettingzoo.classic.connect_four_v3").env())
    env.reset(0)
    rewards, terminals, masks = [], [], [env.masks.copy()]
    for column in (0, 1, 0, 1, 0, 1, 0):
        assert not env.terminals.any()
        env.step(np.full(2, column))
        rewards.append(env.rewards.copy())
        terminals.append(env.terminals.copy())
        masks.append(env.masks.copy())
    assert rewards[-1].tolist() == [1, -1] and terminals[-1].tolist() == [True, True]
    assert not np.any(rewards[:-1])
    assert masks[-1].tolist() == [True, False]  # the next game has begun, and player_0 begins it
    rewards, terminals, masks = (torch.from_numpy(np.array(part)) for part in (rewards, terminals, masks))
    assert masks[:-1, 0].tolist() == [True, False] * 3 + [True]

    values = torch.zeros(8, 2)
    values[:, 0], values[:, 1] = 0.5, -0.25
    none = torch.zeros(7, 2)
    found, used = advantages(rewards, values, terminals, none.bool(), none, masks, 1.0, 0.0)
    assert used.equal(masks[:-1])  # each turn was somebody's decision, and it is known what it brought
    # lambda 0: only the last decision of each sees the end; those before it are worth what the next is worth
    assert found[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 1 - 0.5]
    assert found[:, 1].tolist() == [0, 0, 0, 0, 0, -1 + 0.25, 0]
    found, _ = advantages(rewards, values, terminals, none.bool(), none, masks, 1.0, 1.0)
    assert found[masks[:-1]].tolist() == [0.5, -0.75] * 3 + [0.5]


def test_what_may_be_played_at_once_is():
    rps = import_module("pettingzoo.classic.rps_v2").env(max_cycles=3)
    env = as_puffer(rps)
    assert isinstance(env, PettingZooParallel)
    env.reset(SEED)
    assert env.masks.tolist() == [True, True]
    env.step([0, 1])  # rock against paper
    assert env.rewards.tolist() == [-1, 1]
    assert isinstance(as_puffer(Turns([{}])), PettingZooAEC)
    assert isinstance(as_puffer(Recorder(Turns([{}]))), PettingZooAEC)  # by its methods


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rewards": {"b": "much"}}, "turns_v0, agent 'b': the reward is 'much'"),
        ({"terminated": {"b": "no"}}, "turns_v0, agent 'b': terminated is 'no'"),
        ({"truncated": {"b": None}}, "turns_v0, agent 'b': truncated is None"),
    ],
)
def test_an_environment_that_breaks_its_word(entry, message):
    env = PettingZooAEC(Turns([{}, entry]))
    env.reset()
    env.step([0, 0, 0])
    with pytest.raises(BadEnvironment, match=message):
        env.step([0, 0, 0])


class Naughty(Turns):
    """Does what ``deeds`` say, by the name of a method."""

    def __init__(self, **deeds):
        super().__init__([{}] * 3, "ab")
        for name, deed in deeds.items():
            setattr(self, name, deed)


def test_observations_are_checked():
    with pytest.raises(BadEnvironment, match="turns_v0, agent 'a': the observation is None"):
        PettingZooAEC(Naughty(observe=lambda agent: None)).reset()
    with pytest.raises(BadEnvironment, match="turns_v0, agent 'a': the observation is 5000.0"):
        PettingZooAEC(Naughty(observe=lambda agent: np.full(2, 5000.0))).reset()


def test_a_turn_of_somebody_who_does_not_play():
    env = PettingZooAEC(Turns([{}], "ab"))
    env.reset()
    reset = env.env.reset
    env.env.reset = lambda seed=None: (reset(seed), setattr(env.env, "agent_selection", "z"))
    with pytest.raises(
        BadEnvironment, match=r"turns_v0: agent_selection is 'z', who does not play; \['a', 'b'\] do"
    ):
        env.reset()


def test_an_agent_that_vanishes():
    env = PettingZooAEC(Turns([{}], "ab"))
    env.reset()

    def step(action):
        env.env.rewards = {"a": 0}
        env.env.agent_selection = "a"

    env.env.step = step
    with pytest.raises(BadEnvironment, match="turns_v0, agent 'b': it is not in rewards, terminations and"):
        env.step([0, 0])


def test_the_dead_must_leave():
    env = PettingZooAEC(Turns([{"terminated": {"a": True}}], "ab"))
    env.reset()
    step = env.env.step
    env.env.step = lambda action: None if action is None else step(action)
    with pytest.raises(
        BadEnvironment, match="turns_v0, agent 'a': its episode has ended, and still it is in"
    ):
        env.step([0, 0])


def test_the_dead_leave_by_a_step_with_none():
    env = PettingZooAEC(Turns([{"terminated": {"a": True}}], "ab"))
    env.reset()
    step = env.env.step
    env.env.step = lambda action: step(int(action))  # no thought of None
    with pytest.raises(
        BadEnvironment, match=r"agent 'a': .*step\(None\).* raised TypeError: .*_was_dead_step"
    ):
        env.step([0, 0])


def test_infos_must_be_dicts():
    env = Turns([{}], "ab")
    reset = env.reset
    env.reset = lambda seed=None: (reset(seed), setattr(env, "infos", {"a": None}))
    with pytest.raises(BadEnvironment, match="turns_v0, agent 'a': its info is None"):
        PettingZooAEC(env)


def test_an_illegal_move_is_the_games_affair():
    env = as_puffer(import_module("pettingzoo.classic.tictactoe_v3").env())
    env.reset(0)
    env.step([4, 4])
    env.step([4, 4])  # taken: PettingZoo's wrapper ends the game
    assert env.rewards.tolist() == [0, -1] and env.terminals.all()
    assert env.masks.tolist() == [True, False] and env.action_masks.all()
