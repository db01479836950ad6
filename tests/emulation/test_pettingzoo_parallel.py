"""PettingZoo's parallel environments behind the PufferEnv contract, step by step against the raw ones."""

from importlib import import_module

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo_games import Lights, Script

import pufferbench
from pufferbench.emulation import as_puffer
from pufferbench.emulation.checks import BadEnvironment
from pufferbench.emulation.pettingzoo_parallel import PettingZooParallel
from pufferbench.env import Buffers, game_seed
from pufferbench.errors import InvalidAction

SEED = 11
A, B, C = 97, 98, 99  # what the scripted agents a, b, c see first


def raw(module, **kwargs):
    return import_module(f"pettingzoo.{module}").parallel_env(**kwargs)


PACKAGED = {
    "rps": lambda: raw("classic.rps_v2", num_actions=5, max_cycles=7),
    "knights_archers_zombies": lambda: raw(
        "butterfly.knights_archers_zombies_v11", line_death=True, spawn_delay=3, max_zombies=30
    ),
    "pursuit": lambda: raw("sisl.pursuit_v5", x_size=8, y_size=8, n_evaders=3, n_pursuers=4, max_cycles=40),
    "multiwalker": lambda: raw("sisl.multiwalker_v9", max_cycles=30),
    "ours": Lights,
}


@pytest.mark.parametrize("game", PACKAGED)
def test_every_step_is_the_raw_environments(game):
    """Until several games are over, an agent's row is what the raw env says of it."""
    theirs, env = PACKAGED[game](), PettingZooParallel(PACKAGED[game]())
    agents = list(theirs.possible_agents)
    assert env.agents_of_rows == agents
    assert env.observation_space == theirs.observation_space(agents[0])
    assert env.action_space == theirs.action_space(agents[0])
    observations, _ = theirs.reset(seed=game_seed(SEED, 0) % 2**31)
    env.reset(SEED)
    env.action_space.seed(SEED)
    totals, lengths, ends = dict.fromkeys(agents, 0.0), dict.fromkeys(agents, 0), 0
    one_by_one = False
    for _ in range(400 if game == "knights_archers_zombies" else 150):
        playing = list(theirs.agents)
        assert [agents[row] for row in np.flatnonzero(env.masks)] == sorted(playing, key=agents.index)
        for agent, seen in zip(agents, env.observations, strict=True):
            np.testing.assert_array_equal(seen, observations[agent] if agent in playing else 0)
        actions = np.array([env.action_space.sample() for _ in agents])
        observations, rewards, terminations, truncations, _ = theirs.step(
            {agent: actions[agents.index(agent)] for agent in playing}
        )
        *_, infos = env.step(actions)
        expected = []
        for row, agent in enumerate(agents):
            plays = agent in playing
            assert env.rewards[row] == np.float32(rewards[agent] if plays else 0)
            assert env.terminals[row] == bool(plays and terminations[agent])
            assert env.truncations[row] == bool(plays and truncations[agent] and not terminations[agent])
            if plays:
                totals[agent] += float(np.float32(rewards[agent]))
                lengths[agent] += 1
            if env.truncations[row]:
                np.testing.assert_array_equal(env.final_observations[row], observations[agent])
            if env.terminals[row] or env.truncations[row]:
                statistics = {"episode_return": np.float32(totals[agent]), "episode_length": lengths[agent]}
                expected.append(statistics)
                totals[agent], lengths[agent] = 0.0, 0
        assert list(infos) == expected
        one_by_one |= 0 < len(theirs.agents) < len(agents)
        if not theirs.agents:
            observations, _ = theirs.reset()
            ends += 1
    assert ends > 1
    assert one_by_one == (game == "knights_archers_zombies")  # some die while the others play on
    env.close()


class Recorder:
    """A duck-typed environment: hands through, and keeps what went by."""

    def __init__(self, env):
        self.env = env
        self.resets = 0

    def __getattr__(self, name):
        return getattr(self.env, name)

    def reset(self, seed=None, options=None):
        self.seen, self.infos = result = self.env.reset(seed=seed, options=options)
        self.resets += 1
        return result

    def step(self, actions):
        self.received, self.before = dict(actions), list(self.env.agents)
        self.result = result = self.env.step(actions)
        self.last_seen = self.seen = result[0]
        return result


@pytest.mark.parametrize(
    "name", ["generated_agents_parallel_v0", "generated_agents_parallel_cust_agentid_v0"]
)
def test_agents_that_come_and_go(name):
    """PettingZoo's stress case: nobody is announced, agents differ in size, appear at any time, and leave."""
    game = import_module(f"pettingzoo.test.example_envs.{name}").parallel_env(max_cycles=60)
    recorder = Recorder(game)
    env = PettingZooParallel(
        recorder,
        max_agents=24,
        observation_space=spaces.Box(0, 1, (49,)),
        action_space=spaces.Discrete(9),
    )
    assert env.observation_space.shape == (49,) and env.action_space.n == env.num_action_masks == 9
    env.reset(SEED)  # this game has no end
    rng = np.random.default_rng(SEED)
    known, came, went, sizes = set(), 0, 0, set()
    for _ in range(400):
        rows = {agent: row for row, agent in enumerate(env.agents_of_rows) if agent is not None}
        assert rows.keys() == set(game.agents)
        np.testing.assert_array_equal(env.masks, [agent is not None for agent in env.agents_of_rows])
        for agent, row in rows.items():
            seen, n = recorder.seen[agent], game.action_space(agent).n
            np.testing.assert_array_equal(env.observations[row], np.pad(seen, (0, 49 - len(seen))))
            np.testing.assert_array_equal(env.action_masks[row], np.arange(9) < n)
            sizes.add((len(seen), n))
        assert not env.observations[~env.masks].any()
        came += len(rows.keys() - known)
        known = set(rows)
        actions = np.array([rng.choice(np.flatnonzero(legal)) for legal in env.action_masks])
        env.step(actions)
        assert recorder.received == {agent: actions[row] for agent, row in rows.items()}
        _, rewards, terminations, truncations, _ = recorder.result
        for agent, row in rows.items():
            assert env.rewards[row] == rewards[agent]
            assert env.terminals[row] == terminations[agent]
            assert env.truncations[row] == (truncations[agent] and not terminations[agent])
            if env.truncations[row]:
                seen = recorder.last_seen[agent]
                np.testing.assert_array_equal(env.final_observations[row], np.pad(seen, (0, 49 - len(seen))))
        ended = set(np.flatnonzero(env.terminals | env.truncations))
        assert ended <= set(rows.values())
        went += len(ended)
    assert came > 30 and went > 30 and len(sizes) > 4


# -- who plays when, by a script ----------------------------------------------------------------

LIFE = [
    {"agents": "ab"},
    {"agents": "abc", "rewards": {"a": 1, "c": 50}},  # c appears; it has not earned that
    {"agents": "bc", "rewards": {"a": 2, "b": 3}, "terminated": {"a": True}},
    {"agents": "b", "rewards": {"c": 4}, "truncated": {"c": True}},
    {"agents": "ab"},  # a comes back
    {"agents": "", "rewards": {"a": 5}, "terminated": {"a": True, "b": True}, "truncated": {"b": True}},
]


def test_agents_die_appear_and_come_back():
    env = PettingZooParallel(Script(LIFE))
    observations, infos = env.reset(SEED)
    assert observations.tolist() == [[A, 0], [B, 0], [0, 0]] and len(infos) == 0
    assert env.masks.tolist() == [True, True, False]
    seen, rewards, terminals, truncations, infos = (
        list(column) for column in zip(*walk(env, 5), strict=True)
    )
    assert seen == [
        [[A, 1], [B, 1], [C, 1]],
        [[0, 0], [B, 2], [C, 2]],
        [[0, 0], [B, 3], [0, 0]],
        [[A, 4], [B, 4], [0, 0]],
        [[A, 0], [B, 0], [0, 0]],  # the next game
    ]
    assert rewards == [[1, 0, 0], [2, 3, 0], [0, 0, 4], [0, 0, 0], [5, 0, 0]]
    assert terminals == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, 0]]
    assert truncations == [[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]  # both: it ended
    assert infos == [
        [],
        [{"episode_return": 3.0, "episode_length": 2}],
        [{"episode_return": 4.0, "episode_length": 2}],
        [],
        [{"episode_return": 5.0, "episode_length": 1}, {"episode_return": 3.0, "episode_length": 5}],
    ]
    assert env.masks.tolist() == [True, True, False]
    assert [sorted(actions) for actions in env.env.received] == [
        ["a", "b"],
        list("abc"),
        ["b", "c"],
        ["b"],
        ["a", "b"],
    ]
    assert len(env.env.seeds) == 3 and env.env.seeds[1:] == [game_seed(SEED, 0) % 2**31, None]


def walk(env, steps):
    """What comes out of some steps, as lists."""
    for _ in range(steps):
        *arrays, infos = env.step(np.zeros_like(env.actions))
        yield (*(array.tolist() for array in arrays), list(infos))


def test_what_a_cut_agent_saw_last():
    env = PettingZooParallel(Script(LIFE))
    env.reset(SEED)
    list(walk(env, 3))
    assert env.truncations.tolist() == [False, False, True]
    assert env.final_observations[2].tolist() == [C, 3]


def test_rows_without_announced_agents():
    script = [
        {"agents": "ab"},
        {
            "agents": "bc",
            "rewards": {"a": 1, "c": 50},
            "truncated": {"a": True},
        },  # c takes the row of a at once
        {"agents": "bca"},
        {"agents": "bca"},
    ]
    env = PettingZooParallel(Script(script, possible=()), max_agents=3)
    env.reset()
    assert env.agents_of_rows == ["a", "b", None]
    observations, rewards, _, truncations, _ = next(walk(env, 1))
    assert env.agents_of_rows == ["c", "b", None]
    assert observations == [[C, 1], [B, 1], [0, 0]] and env.final_observations[0].tolist() == [A, 1]
    assert rewards == [1, 0, 0] and truncations == [True, False, False]
    assert next(walk(env, 1))[0] == [[C, 2], [B, 2], [A, 2]]
    list(walk(env, 1))
    assert sorted(env.env.received[-1]) == ["a", "b", "c"]


def test_a_dead_agent_that_stays_in_the_list_does_not_play():
    """Some environments never take the dead out of agents."""
    stays = [
        {"agents": "ab"},
        {"agents": "ab", "terminated": {"a": True}},
        {"agents": "ab", "terminated": {"a": True}},
    ]
    stays += [{"agents": "ab", "terminated": {"a": True, "b": True}}]
    env = PettingZooParallel(Script(stays, possible="ab"))
    env.reset()
    steps = list(walk(env, 3))
    assert [step[2] for step in steps] == [[True, False], [False, False], [False, True]]
    assert steps[-1][0] == [[A, 0], [B, 0]]  # nobody was left


def test_buffers_of_a_vectorizer_are_used():
    env = PettingZooParallel(Script(LIFE))
    buffers = Buffers.allocate(6, env.observation_space, env.action_space)
    env.reset()
    env.use_buffers(buffers.slice(3, 6))
    assert buffers.observations[3:].tolist() == [[A, 0], [B, 0], [0, 0]]
    list(walk(env, 2))
    assert buffers.observations[3:].tolist() == [[0, 0], [B, 2], [C, 2]]
    assert buffers.terminals.tolist() == [False] * 3 + [True, False, False]
    assert not buffers.observations[:3].any()


def test_the_environment_may_use_its_arrays_again():
    class Thrifty(Script):
        array = np.zeros(2, np.float32)

        def seen(self, agent, time):
            self.array[:] = super().seen(agent, time)
            return self.array

    env = PettingZooParallel(Thrifty([{"agents": "a"}, {"agents": "a"}], possible="a"))
    observations = env.reset()[0].copy()
    env.env.array[:] = 7
    assert env.observations.tolist() == observations.tolist() == [[A, 0]]


def test_rendering_and_closing_pass_through():
    env = PettingZooParallel(Script(LIFE))
    env.reset()
    list(walk(env, 1))
    assert env.render().tolist() == np.ones((2, 3, 3)).tolist() and env.fps == 7
    env.close()
    assert env.env.closed
    env = PettingZooParallel(Lights())
    env.env.render = lambda: "text"
    with pytest.raises(TypeError, match=r"lights_v0: render\(\) gave str, not a picture"):
        env.render()


# -- spaces -------------------------------------------------------------------------------------


def box(*shape, dtype=np.float32, low=0):
    return spaces.Box(low, 9, shape, dtype)


def test_boxes_of_one_rank_are_padded_with_zeros():
    see = {"a": box(2, 3, low=-1), "b": box(4, 1, low=2)}
    act = {"a": box(2), "b": box(3)}
    shown = {"a": np.full((2, 3), 5), "b": np.full((4, 1), 6)}
    env = PettingZooParallel(Script([{"agents": "ab", "obs": shown}, {"agents": ""}], "ab", see, act))
    assert env.observation_space.shape == (4, 3) and env.action_space.shape == (3,)
    assert env.observation_space.low.tolist() == [[-1, -1, -1], [-1, -1, -1], [0, 0, 0], [0, 0, 0]]
    env.reset()
    assert env.observations[0].tolist() == [[5, 5, 5], [5, 5, 5], [0, 0, 0], [0, 0, 0]]
    assert env.observations[1].tolist() == [[6, 0, 0]] * 4
    env.env.script[1] = {"agents": "ab", "obs": shown}
    env.step(np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    assert {agent: action.tolist() for agent, action in env.env.received[0].items()} == {
        "a": [1, 2],
        "b": [4, 5, 6],
    }


def test_of_discrete_actions_the_largest_counts():
    act = {"a": spaces.Discrete(2, start=5), "b": spaces.Discrete(4)}
    env = PettingZooParallel(Script([{"agents": "ab"}] * 2, "ab", action_spaces=act))
    env.reset()
    assert env.action_space == spaces.Discrete(4)
    assert env.action_masks.tolist() == [[True, True, False, False], [True] * 4]
    env.step([1, 3])
    assert env.env.received == [{"a": 6, "b": 3}]
    with pytest.raises(InvalidAction, match="script_v0, agent 'a': the action 2 is not in Discrete"):
        env.step([2, 3])


def test_of_multi_discrete_actions_too():
    act = {"a": spaces.MultiDiscrete([2, 3]), "b": spaces.MultiDiscrete([4, 1])}
    env = PettingZooParallel(Script([{"agents": "ab"}] * 2, "ab", action_spaces=act))
    env.reset()
    assert env.action_space == spaces.MultiDiscrete([4, 3])
    assert env.action_masks.astype(int).tolist() == [[1, 1, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]]
    env.step([[1, 2], [3, 0]])
    assert {agent: action.tolist() for agent, action in env.env.received[0].items()} == {
        "a": [1, 2],
        "b": [3, 0],
    }


@pytest.mark.parametrize(
    ("see", "act", "message"),
    [
        (
            {"a": box(3), "b": spaces.Discrete(4)},
            {},
            r"observation spaces of its agents cannot share.*'a': Box.*'b': Disc",
        ),
        ({"a": box(3), "b": box(3, 1)}, {}, "observation spaces of its agents cannot share rows"),
        ({"a": box(3), "b": box(4, dtype=np.uint8, low=0)}, {}, "observation spaces of its agents cannot"),
        (
            {},
            {"a": spaces.Discrete(2), "b": box(2)},
            r"action spaces of its agents cannot.*'a': Discrete.*'b': Box",
        ),
        (
            {},
            {"a": spaces.MultiDiscrete([2]), "b": spaces.MultiDiscrete([2, 2])},
            "action spaces of its agents",
        ),
        ({"a": spaces.Sequence(box(2)), "b": spaces.Sequence(box(2))}, {}, "max_length"),
        ({}, {"a": spaces.Text(3), "b": spaces.Text(3)}, "script_v0, agent 'a': the action space is Text"),
    ],
)
def test_spaces_that_cannot_share_rows_are_refused(see, act, message):
    with pytest.raises(TypeError, match=message):
        PettingZooParallel(Script([{"agents": "ab"}], "ab", see, act))


def test_nested_spaces_are_flattened_both_ways():
    see = spaces.Dict(image=box(2, 2, dtype=np.uint8), speed=spaces.Box(-1, 1, ()), name=spaces.Text(4))
    act = spaces.Dict(move=spaces.Discrete(3, start=-1), jump=spaces.MultiBinary(2))
    shown = {"image": np.arange(4, dtype=np.uint8).reshape(2, 2), "speed": np.float32(0.5), "name": "ab"}
    script = [{"agents": "a", "obs": {"a": shown}}] * 2
    env = PettingZooParallel(Script(script, "a", {"a": see}, {"a": act}))
    env.reset()
    back = env.observation_space.layout.read(env.observations[0])
    assert back["image"].tolist() == [[0, 1], [2, 3]] and back["speed"] == 0.5 and back["name"] == "ab"
    assert env.source_observation_space == see and env.source_action_space == act
    names = ["jump", "move"] if list(act.spaces) == ["jump", "move"] else list(act.spaces)
    env.step([[1, 0, 2] if names[0] == "jump" else [2, 1, 0]])
    received = env.env.received[0]["a"]
    assert received["move"] == 1 and received["jump"].tolist() == [1, 0]


def test_sequences_with_a_bound():
    see = spaces.Sequence(spaces.Discrete(5))
    script = [{"agents": "a", "obs": {"a": (3, 1)}}] * 2
    env = PettingZooParallel(Script(script, "a", {"a": see}), max_length=3)
    env.reset()
    assert list(env.observation_space.layout.read(env.observations[0])) == [3, 1]


# -- legal actions ------------------------------------------------------------------------------


def test_masks_beside_the_observation():
    see = spaces.Dict(observation=box(2), action_mask=spaces.MultiBinary(3))
    shown = {"a": {"observation": np.ones(2), "action_mask": np.array([0, 1, 1])}}
    env = PettingZooParallel(Script([{"agents": "a", "obs": shown}] * 2, "a", {"a": see}))
    assert env.observation_space == box(2) and env.num_action_masks == 3
    env.reset()
    assert env.observations.tolist() == [[1, 1]] and env.action_masks.tolist() == [[False, True, True]]


def test_masks_in_the_infos():
    infos = [
        {"a": {"action_mask": [1, 0, 0]}},
        {"a": {"action_mask": [0, 0, 1]}, "b": {"action_mask": (0, 1, 0)}},
        {},
    ]
    env = PettingZooParallel(Script([{"agents": "ab", "infos": each} for each in infos], "ab"))
    env.reset()
    assert env.action_masks.astype(int).tolist() == [[1, 0, 0], [1, 1, 1]]
    list(walk(env, 1))
    assert env.action_masks.astype(int).tolist() == [[0, 0, 1], [0, 1, 0]]
    list(walk(env, 1))
    assert env.action_masks.all()


def test_masks_of_agents_who_are_gone():
    infos = {"a": {"action_mask": [1, 0, 0]}, "b": {"action_mask": [1, 0, 0]}}
    script = [{"agents": "ab", "infos": infos}, {"agents": "b", "infos": infos, "terminated": {"a": True}}]
    env = PettingZooParallel(Script(script, "ab"))
    env.reset()
    list(walk(env, 1))
    assert env.action_masks.astype(int).tolist() == [[1, 1, 1], [1, 0, 0]]


# -- bad input ----------------------------------------------------------------------------------

FINE = {"agents": "ab"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"obs": {"b": np.full(2, 5000.0)}}, r"script_v0, agent 'b': the observation is 5000.0 at \[0\]"),
        ({"obs": {"b": np.zeros(3)}}, "agent 'b': the observation is an array of type float64 and shape"),
        ({"obs": {"b": np.full(2, np.nan)}}, "agent 'b': the observation contains NaN"),
        ({"obs": {"b": None}}, "agent 'b': the observation is None"),
        ({"rewards": {"a": "much"}}, "script_v0, agent 'a': the reward is 'much'"),
        ({"rewards": {"a": None}}, "script_v0, agent 'a': the reward is None"),
        ({"terminated": {"a": "no"}}, "agent 'a': terminated is 'no'"),
        ({"truncated": {"a": None}}, "agent 'a': truncated is None"),
        ({"infos": {"a": None}}, "agent 'a': its info is None, not a dict"),
        ({"agents": "a"}, "agent 'b' is not in agents any more, but was neither terminated nor truncated"),
        ({"agents": "abx"}, r"agent 'x' was never announced; possible_agents are \['a', 'b'\]"),
    ],
)
def test_an_environment_that_breaks_its_word(entry, message):
    env = PettingZooParallel(Script([FINE, FINE | entry], "ab"))
    env.reset()
    with pytest.raises(BadEnvironment, match=message):
        list(walk(env, 1))


@pytest.mark.parametrize("value", [5000.0, np.nan])
def test_an_observation_is_looked_at_closely_in_the_first_steps(value):
    wrong = FINE | {"obs": {"b": np.full(2, value)}}
    env = PettingZooParallel(Script([FINE] * 31 + [wrong] * 2, "ab"))
    env.reset()
    list(walk(env, 30))
    assert next(walk(env, 1))[0][1] == pytest.approx([value, value], nan_ok=True)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"obs": {"b": np.zeros(3)}},
            r"agent 'b': the observation is of type float64 and shape \(3,\), but its space",
        ),
        ({"obs": {"b": None}}, "agent 'b': the observation is of type object"),
        ({"rewards": {"a": None}}, "script_v0, agent 'a': the reward is None"),
        ({"rewards": {"a": [1.0, 2.0]}}, r"script_v0, agent 'a': the reward is \[1.0, 2.0\]"),
    ],
)
def test_shapes_and_rewards_are_looked_at_always(entry, message):
    env = PettingZooParallel(Script([FINE] * 31 + [FINE | entry], "ab"))
    env.reset()
    list(walk(env, 30))
    with pytest.raises(BadEnvironment, match=message):
        list(walk(env, 1))


def test_rewards_of_every_numeric_type():
    given = [1, True, 0.5, np.float32(0.5), np.float64(2), np.int8(3), np.array(4.0), np.array(5, np.int16)]
    env = PettingZooParallel(Script([FINE] + [FINE | {"rewards": {"b": each}} for each in given], "ab"))
    env.reset()
    assert [rewards[1] for _, rewards, *_ in walk(env, len(given))] == [1, 1, 0.5, 0.5, 2, 3, 4, 5]


def broken(**methods):
    class Broken(Script):
        pass

    for name, method in methods.items():
        setattr(Broken, name, method)
    return Broken([FINE] * 3, "ab")


def dies(self, seed=None, options=None):
    raise KeyError("the cave is flooded")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (broken(reset=lambda self, seed=None: {}), r"script_v0: reset\(\) returned"),
        (broken(reset=lambda self, seed=None: None), r"script_v0: reset\(\) returned None"),
        (broken(step=lambda self, actions: None), r"script_v0: step\(\) returned None"),
        (
            broken(step=lambda self, actions: ({}, {}, {}, {})),
            r"script_v0: step\(\) returned 4 values; it must return",
        ),
        (
            broken(step=lambda self, actions: ({}, {}, {}, {}, None)),
            "returned infos that are None, not a dict",
        ),
        (
            broken(step=lambda self, actions: ({}, {}, {}, {}, {})),
            r"agent 'a': it plays, but rewards has no entry",
        ),
    ],
)
def test_results_of_the_wrong_form(env, message):
    with pytest.raises(BadEnvironment, match=message):
        env = PettingZooParallel(env)
        env.reset()
        list(walk(env, 1))


def test_a_missing_observation():
    env = PettingZooParallel(Script([FINE, FINE], "ab"))
    env.reset()
    step = env.env.step
    env.env.step = lambda actions: ({"a": np.zeros(2, np.float32)}, *step(actions)[1:])
    with pytest.raises(
        BadEnvironment, match=r"agent 'b': it plays, but observations has no entry for it.*\['a'\]"
    ):
        list(walk(env, 1))


def test_a_game_that_begins_without_agents():
    with pytest.raises(BadEnvironment, match=r"script_v0: after reset\(\) there are no agents"):
        PettingZooParallel(Script([{"agents": ""}], "ab")).reset()


def test_an_error_in_reset_says_where():
    with pytest.raises(KeyError, match="flooded") as caught:
        PettingZooParallel(broken(reset=dies))
    assert caught.value.__notes__ == ["in reset(seed=0) of script_v0"]


def test_an_environment_that_changes_its_spaces():
    env = PettingZooParallel(Script([FINE, {"agents": "", "terminated": {"a": True, "b": True}}], "ab"))
    env.reset()
    env.env.observation_spaces["b"] = box(2)
    with pytest.raises(
        BadEnvironment, match=r"script_v0, agent 'b': observation_space was Box.* and is now Box"
    ):
        list(walk(env, 1))


def test_a_mask_without_a_legal_action():
    nothing = FINE | {"infos": {"a": {"action_mask": [0, 0, 0]}}}
    something = FINE | {"infos": {"a": {"action_mask": [0, 1, 0]}}}
    env = PettingZooParallel(Script([something, nothing], "ab"))
    env.reset()
    with pytest.raises(BadEnvironment, match="script_v0, agent 'a': the action mask forbids every action"):
        list(walk(env, 1))


def test_unknown_and_too_many_agents():
    with pytest.raises(ValueError, match="script_v0 does not announce its agents.*max_agents=16"):
        PettingZooParallel(Script([FINE], possible=()))
    with pytest.raises(ValueError, match="max_agents must be a whole number of at least 1, not 0"):
        PettingZooParallel(Script([FINE], possible=()), max_agents=0)
    env = PettingZooParallel(Script([FINE], possible=()), max_agents=1)
    with pytest.raises(
        BadEnvironment, match=r"no row is left for agent 'b', since max_agents=1 are playing: \['a'\]"
    ):
        env.reset()


def test_a_late_agent_that_is_too_large():
    see = {"c": box(3)}
    env = PettingZooParallel(Script([{"agents": "ab"}, {"agents": "abc"}], (), see), max_agents=3)
    env.reset()
    with pytest.raises(
        TypeError, match=r"agent 'c': its observation space Box.*\(3,\).* does not fit into rows of Box"
    ):
        list(walk(env, 1))


def test_step_before_reset_and_after_an_interrupted_one():
    env = PettingZooParallel(Script([FINE, {"agents": "", "terminated": {"a": True, "b": True}}], "ab"))
    with pytest.raises(RuntimeError, match=r"script_v0: call reset\(\) before step"):
        env.step([0, 0])
    env.reset()
    reset = env.env.reset
    env.env.reset = lambda seed=None: dies(None)
    with pytest.raises(KeyError):
        env.step([0, 0])
    env.env.reset = reset
    with pytest.raises(RuntimeError, match="call reset"):
        env.step([0, 0])
    env.reset()
    env.step([0, 0])


# -- the way in ---------------------------------------------------------------------------------


def test_as_puffer_knows_parallel_environments():
    assert isinstance(as_puffer(Lights()), PettingZooParallel)
    assert isinstance(as_puffer(Recorder(Lights())), PettingZooParallel)  # by its methods
    env = as_puffer(Script([FINE], possible=()), max_agents=2)
    assert env.num_agents == 2


def test_many_games_have_distinct_seeds():
    env = pufferbench.vector.Serial(Lights, 3)
    env.reset(5)
    shown = [member.env.generator.bit_generator.state["state"] for member in env.members]
    assert len({str(state) for state in shown}) == 3


def test_masks_must_be_there_from_the_start():
    later = FINE | {"infos": {"a": {"action_mask": [0, 1, 0]}}}
    env = PettingZooParallel(Script([FINE, later], "ab"))
    env.reset()
    with pytest.raises(
        BadEnvironment, match="agent 'a': its info has an action_mask, but no info had one after"
    ):
        list(walk(env, 1))


def test_what_cannot_be_played_at_once():
    game = raw("classic.rps_v2")
    env = PettingZooParallel(game)
    env.reset()
    game.aec_env.unwrapped.agent_selection = "player_1"
    with pytest.raises(
        BadEnvironment, match="it is the turn of 'player_1', not of 'player_0'; a game that says"
    ):
        env.step([0, 0])


def test_a_smaller_agent_leaves_nothing_of_a_larger_one():
    see = {"a": box(3), "b": box(2)}
    shown = {"a": np.ones(3), "b": np.full(2, 2)}
    script = [
        {"agents": "a", "obs": shown},
        {"agents": "b", "obs": shown, "truncated": {"a": True}},
        {"agents": "", "obs": shown, "truncated": {"b": True}},
    ]
    env = PettingZooParallel(Script(script, (), see), max_agents=1, observation_space=box(3))
    env.reset()
    list(walk(env, 1))
    assert env.observations.tolist() == [[2, 2, 0]] and env.final_observations.tolist() == [[1, 1, 1]]
    list(walk(env, 1))
    assert env.observations.tolist() == [[1, 1, 1]] and env.final_observations.tolist() == [[2, 2, 0]]
