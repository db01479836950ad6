"""Gymnasium environments behind the PufferEnv contract, step by step against the raw ones."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import pufferbench
from pufferbench.emulation import GymnasiumEnv, as_puffer
from pufferbench.env import Buffers, game_seed
from pufferbench.errors import InvalidAction
from pufferbench.registry import UnknownEnv
from pufferbench.spaces import FlatBox

# All that Gymnasium brings itself and that needs nothing else installed (its jax versions do)
IDS = [
    env_id
    for env_id, spec in gymnasium.registry.items()
    if str(spec.entry_point).startswith(("gymnasium.envs.classic_control", "gymnasium.envs.toy_text"))
]


def test_the_list_is_not_empty():
    names = {env_id.rpartition("-v")[0] for env_id in IDS}
    assert names >= {"CartPole", "MountainCar", "Pendulum", "Acrobot", "FrozenLake", "Taxi", "Blackjack"}


@pytest.mark.filterwarnings("ignore:.*out of date:DeprecationWarning")
@pytest.mark.parametrize("seed", [11, 2**40])
@pytest.mark.parametrize("env_id", IDS)
def test_every_step_is_the_raw_environments(env_id, seed):
    # some are long, or without end
    limit = {"max_episode_steps": 150} if env_id.startswith(("MountainCarC", "Cliff")) else {}
    raw, env = gymnasium.make(env_id, **limit), GymnasiumEnv(gymnasium.make(env_id, **limit))
    env.first_env = 3
    raw.action_space.seed(seed)

    def seen(row):
        return env.observation_space.layout.read(row) if isinstance(env.observation_space, FlatBox) else row

    for _ in range(2):  # the same seed again
        observation, info = raw.reset(seed=game_seed(seed, 3) % 2**31)
        env.reset(seed)
        total, length, ends = 0.0, 0, 0
        for _ in range(350):
            np.testing.assert_equal(seen(env.observations[0]), observation)
            if "action_mask" in info:
                np.testing.assert_array_equal(env.action_masks[0], info["action_mask"])
            action = raw.action_space.sample()
            observation, reward, terminated, truncated, info = raw.step(action)
            total, length = total + float(reward), length + 1
            observations, rewards, terminals, truncations, infos = env.step(np.asarray(action)[None])
            assert rewards[0] == np.float32(reward)
            assert (terminals[0], truncations[0]) == (terminated, truncated and not terminated)
            assert observations is env.observations
            if not (terminated or truncated):
                assert len(infos) == 0
                continue
            if truncations[0]:
                np.testing.assert_equal(seen(env.final_observations[0]), observation)
            assert list(infos) == [{"episode_return": np.float32(total), "episode_length": length}]
            observation, info = raw.reset()
            total, length, ends = 0.0, 0, ends + 1
        assert ends > 0 or "Acrobot" in env_id  # which has 500 steps
    assert (env.action_masks is not None) == ("Taxi" in env_id)


def test_wrappers_of_gymnasium_are_taken_off_only_where_nothing_changes():
    class Negated(gymnasium.RewardWrapper):
        def reward(self, reward):
            return -reward

    inner = gymnasium.wrappers.TimeLimit(gymnasium.make("CartPole-v1").unwrapped, 5)
    env = GymnasiumEnv(gymnasium.wrappers.TimeLimit(Negated(inner), 7))
    env.reset(0)
    for step in range(5):
        _, rewards, terminals, truncations, infos = env.step([step % 2])
        assert rewards[0] == -1 and not terminals[0]
        assert truncations[0] == (step == 4)  # the inner limit, under a wrapper that stays
    assert infos[0] == {"episode_return": -5.0, "episode_length": 5}


def test_the_limit_of_steps_counts_every_episode_anew():
    env = GymnasiumEnv(gymnasium.make("MountainCar-v0", max_episode_steps=10))
    env.reset(0)
    ends = [env.step([1])[3][0] for _ in range(25)]
    assert [i for i, end in enumerate(ends) if end] == [9, 19]
    env.reset()
    assert not any(env.step([1])[3][0] for _ in range(9))


def test_an_interrupted_reset_does_not_make_an_episode_endless(monkeypatch):
    env = GymnasiumEnv(gymnasium.make("MountainCar-v0", max_episode_steps=3))
    env.reset(0)

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(env._look.env, "reset", interrupted)
        with pytest.raises(KeyboardInterrupt):
            for _ in range(3):
                env.step([1])
    assert env.step([1])[3].tolist() == [True]
    assert [env.step([1])[3][0] for _ in range(3)] == [False, False, True]


class Spaces(gymnasium.Env):
    """An env of given spaces, whose observation is the last action where they are equal."""

    def __init__(self, observation_space, action_space, first=None):
        self.observation_space, self.action_space = observation_space, action_space
        self.first = observation_space.sample() if first is None else first
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.first, {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.actions.append(action)
        return self.first, np.float64(0.5), np.bool_(False), np.bool_(False), {}


@pytest.mark.parametrize(
    ("space", "given", "received"),
    [
        (spaces.Discrete(3, start=5), 2, 7),
        (spaces.MultiDiscrete([3, 2], start=[1, 4]), [2, 0], [3, 4]),
        (spaces.MultiDiscrete([3, 2]), [2, 1], [2, 1]),
        (spaces.Box(-1, 1, (2,), np.float64), [0.5, -0.5], [0.5, -0.5]),
    ],
)
def test_actions_arrive_as_the_env_numbers_them(space, given, received):
    raw = Spaces(spaces.Box(0, 255, (2, 2), np.uint8), space)
    env = GymnasiumEnv(raw)
    env.reset(0)
    _, rewards, *_ = env.step(np.array([given], env.actions.dtype))
    env.step(np.zeros_like(env.actions))
    np.testing.assert_array_equal(raw.actions[0], received)  # not overwritten by the second
    assert rewards[0] == 0.5
    assert env.observations.dtype == np.uint8


@pytest.mark.parametrize(
    ("space", "first", "flat", "row"),
    [
        (spaces.Discrete(6), 3, spaces.Discrete(6), 3),
        (spaces.Discrete(6, start=2), 3, spaces.Discrete(6), 1),
        (spaces.MultiDiscrete([3, 4]), np.array([2, 3]), spaces.MultiDiscrete([3, 4]), [2, 3]),
        (spaces.MultiDiscrete([3, 4], start=[1, 2]), np.array([2, 3]), spaces.MultiDiscrete([3, 4]), [1, 1]),
        (
            spaces.Box(-1, 1, (3,), np.float64),
            np.full(3, 0.1),
            spaces.Box(-1, 1, (3,), np.float64),
            [0.1] * 3,
        ),
        (spaces.Box(0, 1, (2,), np.bool_), [True, False], spaces.Box(0, 1, (2,), np.bool_), [True, False]),
    ],
)
def test_observations_that_are_one_array(space, first, flat, row):
    env = GymnasiumEnv(Spaces(space, spaces.Discrete(2), first))
    observations, _ = env.reset(0)
    np.testing.assert_array_equal(observations, np.array([row]))
    env.step(0 * env.actions)
    np.testing.assert_array_equal(env.observations, np.array([row]))
    assert (env.observation_space, env.source_observation_space) == (flat, space)


@pytest.mark.parametrize("action", [-1, 2, 2**32 + 1])
def test_actions_outside_the_space_are_refused(action):
    env = GymnasiumEnv(gymnasium.make("CartPole-v1"))
    env.reset(0)
    with pytest.raises(InvalidAction, match=str(action)):
        env.step(np.array([action]))


def test_step_before_reset_is_refused():
    with pytest.raises(RuntimeError, match=r"CartPole-v1: call reset\(\) before"):
        GymnasiumEnv(gymnasium.make("CartPole-v1")).step([0])


def test_without_a_seed_a_new_env_starts_as_with_zero_and_then_goes_on():
    env, other = (GymnasiumEnv(gymnasium.make("CartPole-v1")) for _ in range(2))
    first = env.reset()[0].copy()
    assert (first == other.reset(0)[0]).all()
    assert (env.reset()[0] != first).any()


def test_games_of_a_batch_differ():
    env, second = (GymnasiumEnv(gymnasium.make("CartPole-v1")) for _ in range(2))
    second.first_env = 1
    assert (env.reset(3)[0] != second.reset(3)[0]).any()


def test_it_writes_into_the_buffers_it_is_given():
    env = as_puffer(gymnasium.make("CartPole-v1"))
    env.reset(0)
    before = env.observations.copy()
    all_rows = Buffers.allocate(3, env.observation_space, env.action_space)
    env.use_buffers(all_rows.slice(1, 2))
    assert (all_rows.observations[1] == before).all() and not all_rows.observations[[0, 2]].any()
    env.step([1])
    assert all_rows.rewards.tolist() == [0, 1, 0]
    assert (all_rows.observations[1] != before).any()


def test_it_renders_and_makes_another():
    env = pufferbench.make("gym-Acrobot-v1")
    assert env.respawn().spec.id == "gym-Acrobot-v1"
    with pytest.raises(ValueError, match="holds one game"):
        env.respawn(2)
    raw = gymnasium.make("CartPole-v1")
    assert GymnasiumEnv(raw).respawn().env.spec.id == "CartPole-v1"
    with pytest.raises(TypeError, match='render_mode="rgb_array"'):
        silent = GymnasiumEnv(Spaces(spaces.Discrete(2), spaces.Discrete(2)))
        silent._look.env.render = lambda: None
        silent.render()


class Drawn(Spaces):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 12}  # noqa: RUF012

    def __init__(self, render_mode=None):
        super().__init__(spaces.Discrete(2), spaces.Discrete(2))
        self.render_mode = render_mode

    def render(self):
        return np.full((2, 3, 3), 7, np.uint8)


def test_a_drawing_passes_through():
    gymnasium.register("PufferTestDrawn-v0", Drawn)
    try:
        with pufferbench.make("gym-PufferTestDrawn-v0", num_envs=2) as env:
            env.reset(0)
            assert (env.render() == 7).all()
            assert env.members[0].env.render_mode == "rgb_array"
            assert env.respawn().fps == 12
    finally:
        del gymnasium.registry["PufferTestDrawn-v0"]


def test_a_missing_package_for_drawing_is_named():
    raw = Drawn()

    def render():
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    raw.render = render
    with pytest.raises(TypeError, match="Drawn cannot be drawn here: pygame is not installed"):
        GymnasiumEnv(raw).render()


@pytest.mark.parametrize("name", ["gym-CratPole-v1", "gym-CartPole-v17", "gym-nothing/Like-v0"])
def test_unknown_gymnasium_names(name):
    with pytest.raises(UnknownEnv, match=f"unknown environment '{name}'"):
        pufferbench.make(name)


def test_an_unknown_name_says_the_nearest():
    with pytest.raises(UnknownEnv, match="did you mean 'gym-CartPole-v1'"):
        pufferbench.make("gym-CratPole-v1")
