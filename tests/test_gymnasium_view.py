"""as_gymnasium: our games as others' learners see them, judged by Gymnasium's own checker."""

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from envs import Bandit, Truncated
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as vector_wrappers
from my_package.simple import SimplePair, SimpleTask

import pufferbench as pb
from pufferbench.env import game_seed
from pufferbench.gymnasium_view import GymnasiumVectorView, GymnasiumView

# Advice that not every game should follow: it has no bounds, its actions are not -1 .. 1
ADVICE = ("-infinity", "infinity", "symmetric and normalized")


@pytest.mark.parametrize("name", pb.list_envs("ocean-"))
def test_gymnasiums_own_checker(name):
    """Also of another one made by ``spec.make()``, drawn in each of its render modes."""
    if pb.make(name).num_agents > 1:
        assert isinstance(pb.as_gymnasium(pb.make(name)), GymnasiumVectorView)
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        check_env(pb.as_gymnasium(pb.make(name)))
    assert [w for w in told if not any(part in str(w.message) for part in ADVICE)] == []


@pytest.mark.parametrize("name", ["ocean-breakout", "ocean-connect-four", "ocean-pendulum"])
def test_stable_baselines_own_checker(name):
    checker = pytest.importorskip("stable_baselines3.common.env_checker", exc_type=ImportError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checker.check_env(pb.as_gymnasium(pb.make(name)))


@pytest.mark.parametrize(
    "x", [SimpleTask, lambda: gymnasium.make("Blackjack-v1"), lambda: pb.make("ocean-cartpole")]
)
def test_gymnasiums_own_checker_on_adapted_envs(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_env(pb.as_gymnasium(x()), skip_render_check=True)


def test_there_and_back_is_the_same_env():
    """A Dict of spaces flattened and restored, step by step."""
    inner = gymnasium.make("Blackjack-v1").unwrapped  # a Tuple
    view = pb.as_gymnasium(gymnasium.make("Blackjack-v1"))
    assert view.observation_space == inner.observation_space
    seen, _ = view.reset(seed=4)
    expected, _ = inner.reset(seed=game_seed(4, 0) % 2**31)
    assert seen == expected
    for action in (1, 1, 0):
        got, wanted = view.step(action), inner.step(action)
        assert got[1:3] == wanted[1:3]
        if wanted[2]:
            break
        assert got[0] == wanted[0]


def test_gymnasium_says_it_matches_itself():
    one, other = (pb.as_gymnasium(pb.make("ocean-breakout")) for _ in range(2))
    check_environments_match(one, other, num_steps=300, seed=3)


def test_what_an_episode_shows_last_when_it_is_cut():
    env = pb.make("ocean-cartpole", max_steps=5)
    view, raw = pb.as_gymnasium(env), pb.make("ocean-cartpole", max_steps=5)
    view.reset(seed=1)
    raw.reset(seed=1)
    for t in range(5):
        seen, reward, terminated, truncated, info = view.step(t % 2)
        raw.step(np.array([t % 2]))
    assert (reward, terminated, truncated) == (1.0, False, True)
    np.testing.assert_array_equal(seen, raw.final_observations[0])
    assert info["episode_length"] == 5
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\)"):
        view.step(0)
    seen, _ = view.reset()  # the episode that has begun
    np.testing.assert_array_equal(seen, raw.observations[0])


def test_what_an_episode_shows_last_when_it_ends():
    view = pb.as_gymnasium(pb.make("ocean-cartpole"))
    before, _ = view.reset(seed=1)
    while True:
        seen, _, terminated, _, _ = view.step(1)
        if terminated:
            break
        before = seen
    np.testing.assert_array_equal(seen, before)


def test_a_reset_in_the_midst_begins_anew():
    view = pb.as_gymnasium(pb.make("ocean-cartpole"))
    first, _ = view.reset(seed=1)
    view.step(1)
    second, _ = view.reset()
    again, _ = view.reset(seed=1)
    assert (second != first).any()
    np.testing.assert_array_equal(again, first)


def test_legal_actions_are_in_the_info():
    view = pb.as_gymnasium(pb.make("ocean-connect-four"))
    assert view.reset(seed=0)[1]["action_mask"].tolist() == [1] * 7
    assert view.action_space.sample(mask=view.step(3)[4]["action_mask"]) in range(7)


def vector(n: int = 3, **kwargs: Any) -> GymnasiumVectorView:
    return pb.as_gymnasium(pb.make("ocean-cartpole", num_envs=n, **kwargs))


def test_the_vector_view_is_gymnasiums_vector_env_of_single_views():
    ours = vector(max_steps=9)
    theirs = SyncVectorEnv(
        [lambda: pb.as_gymnasium(pb.make("ocean-cartpole", max_steps=9))] * 3,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    assert ours.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    for game, view in enumerate(theirs.envs):  # a batch gives each game a seed of its own
        view.env.first_env = game
    np.testing.assert_array_equal(ours.reset(seed=2)[0], theirs.reset(seed=[2, 2, 2])[0])
    ended = 0
    for t in range(60):
        actions = np.array([t % 2, 1, t // 2 % 2])
        mine, expected = ours.step(actions), theirs.step(actions)
        for a, b in zip(mine[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        assert mine[0] is not ours.env.observations
        assert ("final_obs" in mine[4]) == ("final_obs" in expected[4])
        if "final_obs" in mine[4]:
            np.testing.assert_array_equal(mine[4]["_final_obs"], expected[4]["_final_obs"])
            for a, b in zip(mine[4]["final_obs"], expected[4]["final_obs"], strict=True):
                np.testing.assert_array_equal(a, b)
            lengths = mine[4]["final_info"]["episode_length"]
            np.testing.assert_array_equal(lengths, expected[4]["final_info"]["episode_length"])
            ended += int(mine[4]["_final_obs"].sum())
    assert ended > 5


@pytest.mark.parametrize(
    "wrap",
    [
        vector_wrappers.RecordEpisodeStatistics,
        vector_wrappers.NormalizeReward,
        vector_wrappers.DictInfoToList,
        lambda env: vector_wrappers.TransformReward(env, lambda rewards: 2 * rewards),
        lambda env: vector_wrappers.ClipReward(env, -0.5, 0.5),
    ],
)
def test_gymnasiums_vector_wrappers_take_it(wrap):
    env = wrap(vector())
    env.reset(seed=1)
    for _ in range(30):
        observations, *_ = env.step(env.action_space.sample())
    assert observations.shape == (3, 4)
    env.close()


def test_rows_of_dicts():
    view = pb.as_gymnasium(pb.emulate(SimplePair, num_envs=2))
    observations, _ = view.reset(seed=0)
    assert {key: part.shape for key, part in observations.items()} == {
        "image": (4, 2, 3, 1),
        "vector": (4, 2),
    }
    assert view.observation_space.contains(observations)
    for step in range(1, 6):
        observations, _, _, _, infos = view.step(np.zeros((4, 2), int))
        assert ("masks" in infos) == (step in (3, 4))
    assert observations["vector"].tolist() == [[0, 0], [0, 1]] * 2
    assert infos["final_obs"][0]["vector"].tolist() == [4, 0]


def test_seeds_of_a_batch():
    with pytest.raises(TypeError, match=r"takes one seed for all of its games, not \[1, 2, 3\]"):
        vector().reset(seed=[1, 2, 3])


def test_which_view():
    assert isinstance(pb.as_gymnasium(pb.make("ocean-target")), GymnasiumVectorView)  # 8 agents
    assert isinstance(pb.as_gymnasium(Bandit(1)), GymnasiumView)
    undrawn = pb.as_gymnasium(Truncated(1))
    assert (undrawn.render_mode, undrawn.metadata["render_modes"], undrawn.spec) == (None, [], None)


def test_pictures():
    view = pb.as_gymnasium(pb.make("ocean-breakout"))
    view.reset(seed=0)
    assert view.render().dtype == np.uint8
    assert view.metadata["render_fps"] == view.env.fps
    batch = pb.as_gymnasium(pb.make("ocean-breakout", num_envs=2))
    batch.reset(seed=0)
    assert batch.render()[0].shape == view.render().shape
