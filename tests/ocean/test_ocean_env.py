"""The PufferEnv contract of a batch of games."""

import inspect
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocean.games import Arena, Counter, Everything

from ocean_numba import Discrete, i32
from ocean_numba.cartpole import CartPole, CartPoleContinuous
from ocean_numba.rng import seeds
from ocean_numba.squared import Squared
from pufferbench.env import Buffers, EpisodeInfos, game_seed
from pufferbench.errors import InvalidAction

MODES = ("compiled", "python", "debug")


@pytest.mark.parametrize("mode", MODES)
def test_termination_truncation_autoreset_and_infos(mode):
    env = Counter(2, mode=mode)
    observations, infos = env.reset(0)
    assert len(infos) == 0
    starts = observations[:, 1].copy()
    np.testing.assert_array_equal(observations[:, 0], 0)
    for step in (1, 2):
        _, rewards, terminals, truncations, infos = env.step([1, 0])
        np.testing.assert_array_equal(env.observations[:, 0], step)
        assert not terminals.any()
        assert not truncations.any()
        assert len(infos) == 0
    _, rewards, terminals, truncations, infos = env.step([1, 0])
    np.testing.assert_array_equal(rewards, 1)
    assert terminals.tolist() == [True, False]
    assert list(infos) == [{"episode_return": 3.0, "episode_length": 3, "count": 3}]
    assert isinstance(infos, EpisodeInfos)
    np.testing.assert_array_equal(env.observations[:, 0], [0, 3])  # row 0 shows the next episode
    assert env.observations[0, 1] != starts[0]
    env.step([0, 0])
    _, _, terminals, truncations, infos = env.step([0, 0])
    assert terminals.tolist() == [False, False]
    assert truncations.tolist() == [False, True]
    np.testing.assert_array_equal(env.final_observations[1], [5, starts[1]])
    assert infos[0]["episode_length"] == 5
    assert env.states["episode_length"].tolist() == [2, 0]


@pytest.mark.parametrize("mode", MODES)
def test_terminated_wins_over_truncated(mode):
    env = Counter(mode=mode, end=5, limit=5)
    env.reset(0)
    for _ in range(5):
        _, _, terminals, truncations, _ = env.step([1])
    assert terminals[0]
    assert not truncations[0]


def test_infos_are_not_overwritten_by_the_next_episodes():
    env = Counter(limit=2)
    env.reset(0)
    env.step([0])
    *_, first = env.step([0])
    env.states["limit"] = 1
    *_, second = env.step([0])
    assert [first[0]["count"], second[0]["count"]] == [2, 1]


def test_parameters_are_fields_of_each_game():
    env = Counter(2)
    env.reset(0)
    env.states["limit"] = [1, 5]  # as a curriculum would
    assert env.step([0, 0])[3].tolist() == [True, False]
    env.step([0, 0])
    assert env.states["limit"].tolist() == [1, 5]


@pytest.mark.parametrize("mode", MODES)
def test_an_agent_may_end_before_its_game(mode):
    env = Arena(2, mode=mode)
    env.reset(0)
    start = env.observations[:, 1].copy()
    _, rewards, terminals, truncations, infos = env.step([2, 0, 0, 0, 0, 0])
    assert rewards.tolist() == [1, 2, 3, 1, 2, 3]
    assert terminals.tolist() == [True] + [False] * 5
    assert env.masks.tolist() == [False] + [True] * 5
    assert len(infos) == 1
    assert infos[0]["points"] == pytest.approx(start[0] + 1)
    _, rewards, terminals, truncations, infos = env.step([0] * 6)
    assert rewards[0] == 0
    assert not terminals.any()
    env.step([0] * 6)
    _, _, terminals, truncations, infos = env.step([0] * 6)
    assert not terminals.any()
    assert truncations.all()
    assert env.masks.all()  # the next game has begun
    # The agent that was out has no second episode to report.
    assert [info["episode_length"] for info in infos] == [4] * 5
    assert [info["episode_return"] for info in infos] == [8, 12, 4, 8, 12]
    np.testing.assert_allclose(env.final_observations[:, 1], np.add(start, [1, 4, 4, 4, 4, 4]), rtol=1e-6)


def test_the_end_of_a_game_ends_every_agent():
    env = Arena(win=2)
    env.reset(0)
    env.step([0, 0, 0])
    _, _, terminals, truncations, infos = env.step([0, 0, 0])
    assert terminals.all()
    assert not truncations.any()
    assert len(infos) == 3
    assert [info["steps"] for info in infos] == [2, 2, 2]


@pytest.mark.parametrize("game", [CartPole, Squared, Arena, Everything])
@given(cuts=st.sets(st.integers(1, 11)), seed=st.integers(-(2**70), 2**70))
@settings(max_examples=15, deadline=None)
def test_any_split_of_a_batch_plays_the_same_games(game, cuts, seed):
    bounds = [0, *sorted(cuts), 12]
    whole = game(12)
    parts = [game(stop - start) for start, stop in zip(bounds, bounds[1:], strict=False)]
    for part, start in zip(parts, bounds, strict=False):
        part.first_env = start
    for env in (whole, *parts):
        env.reset(seed)
    generator = np.random.default_rng(0)
    low, high = (1, 2) if game is Everything else (0, 2)
    for _ in range(12):
        actions = generator.integers(low, high, whole.actions.shape)
        whole.step(actions)
        row = 0
        for part in parts:
            part.step(actions[row : row + part.num_agents])
            row += part.num_agents
        for name in ("observations", "rewards", "terminals", "truncations"):
            expected = getattr(whole, name)
            np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), expected)
        assert (np.concatenate([part.states for part in parts]) == whole.states).all()


def test_seeds_are_those_of_the_contract():
    for seed in (0, 1, 2**63, -5):
        assert seeds(seed, 7, 3).tolist() == [game_seed(seed, index) for index in (7, 8, 9)]


def test_reset_without_seed_goes_on():
    env = CartPole(2)
    first, _ = env.reset()
    first = first.copy()
    second = env.reset()[0].copy()
    assert (first != second).all()
    again = CartPole(2)
    np.testing.assert_array_equal(again.reset(0)[0], first)
    np.testing.assert_array_equal(again.reset()[0], second)


def test_reset_in_mid_episode_starts_anew():
    env = Arena()
    env.reset(0)
    env.step([2, 0, 0])
    env.reset()
    assert env.masks.all()
    assert not env.rewards.any()
    assert not env.terminals.any()
    assert env.states["agent_lengths"].tolist() == [[0, 0, 0]]
    assert env.states["steps"][0] == 0


def test_rows_can_be_stepped_in_parts_by_threads():
    whole, parts = Counter(64, limit=3), Counter(64, limit=3)
    whole.reset(1), parts.reset(1)
    for _ in range(10):
        *_, infos = whole.step(np.ones(64, int))
        parts.actions[:] = 1
        counts = {}

        def work(start, counts=counts):
            counts[start] = parts.step_rows(start, start + 16)

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 64, 16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(whole.observations, parts.observations)
        records = np.concatenate([parts.ended[start : start + counts[start]] for start in sorted(counts)])
        assert records.tolist() == [tuple(info.values()) for info in infos]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("make", "actions", "message"),
    [
        (
            lambda mode: CartPole(3, mode=mode),
            [0, 1, 2],
            r"agent 2 has the action 2, which is not in Discrete\(2\)",
        ),
        (lambda mode: CartPole(3, mode=mode), [0, -1, 0], "agent 1 has the action -1"),
        (lambda mode: CartPole(3, mode=mode), [0, 1], r"shape \(2,\), expected \(3,\)"),
        (lambda mode: CartPole(3, mode=mode), [0.0, 1.0, 0.5], "type float64, expected int32"),
        (lambda mode: CartPoleContinuous(2, mode=mode), np.float32([[0.5], [np.nan]]), "agent 1 .*nan"),
        (
            lambda mode: CartPoleContinuous(2, mode=mode),
            np.float32([[-1.01], [0]]),
            r"agent 0 .*-1\.01.*Box\(-1.0",
        ),
        (lambda mode: Everything(2, mode=mode), [[0, 0], [0, 2]], r"agent 1 has the action \[0 2\]"),
        (lambda mode: Arena(1, mode=mode), [0, 3, 0], "agent 1 has the action 3"),
    ],
)
def test_an_invalid_action_is_refused_and_nothing_is_stepped(mode, make, actions, message):
    env = make(mode)
    env.reset(0)
    states, observations = env.states.copy(), env.observations.copy()
    with pytest.raises(InvalidAction, match=message):
        env.step(actions)
    assert (env.states == states).all()
    np.testing.assert_array_equal(env.observations, observations)


@pytest.mark.parametrize("rows", [(0, 4), (1, 3), (-3, 3), (3, 9), (6, 3)])
def test_rows_that_are_no_whole_games_are_refused(rows):
    env = Arena(2)
    env.reset(0)
    with pytest.raises(ValueError, match="not whole games of 3 agents within 0..6"):
        env.step_rows(*rows)
    assert env.step_rows(3, 6) == 0


def test_stepping_before_reset_is_refused():
    with pytest.raises(RuntimeError, match="call reset"):
        CartPole().step([0])


def test_given_buffers_are_written_in_place():
    plain = CartPole(4)
    big = Buffers.allocate(8, plain.observation_space, plain.action_space)
    half = Buffers(*(getattr(big, name)[4:] for name in Buffers.__slots__ if name != "action_masks"))
    env = CartPole(4, buf=half)
    env.reset(0)
    plain.reset(0)
    plain.step([1, 0, 1, 0])
    observations, *_ = env.step([1, 0, 1, 0])
    assert np.shares_memory(observations, big.observations)
    np.testing.assert_array_equal(big.observations[4:], plain.observations)
    assert not big.observations[:4].any()


def test_buffers_of_a_wrong_size_are_refused():
    plain = CartPole(4)
    buffers = Buffers.allocate(3, plain.observation_space, plain.action_space)
    with pytest.raises(ValueError, match=r"observations.*\(3, 4\).*\(4, 4\)"):
        CartPole(4, buf=buffers).reset(0)


def test_the_signature_shows_every_parameter():
    parameters = inspect.signature(Everything).parameters
    assert list(parameters) == ["num_envs", "buf", "mode", "size", "scale", "signed"]
    assert [parameters[name].default for name in ("num_envs", "mode", "size", "scale", "signed")] == [
        1, "compiled", 4, 0.5, True,
    ]  # fmt: skip
    assert [parameters[name].annotation for name in ("size", "scale", "signed")] == [int, float, bool]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_step": 3}, TypeError, "no parameter 'max_step'; did you mean 'max_steps'"),
        ({"max_steps": 1.5}, TypeError, "max_steps must be an integer, not 1.5"),
        ({"max_steps": 2**40}, ValueError, "max_steps must be -2147483648 .. 2147483647"),
        ({"max_steps": -4}, ValueError, "CartPole: max_steps must be at least 1, not -4"),
        ({"num_envs": 0}, ValueError, "num_envs must be an integer of at least 1, not 0"),
        ({"mode": "compile"}, ValueError, "mode 'compile' .*did you mean 'compiled'"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        CartPole(**arguments)


def test_sizes_follow_parameters():
    env = Squared(size=7)
    assert env.observation_space.shape == (7, 7)
    assert env.reset(0)[0].shape == (1, 7, 7)
    assert Everything(size=9).states["board"].shape == (1, 9, 2)
    with pytest.raises(ValueError, match="size = -1, which must be at least 1"):
        Everything(size=-1)


def test_respawn_keeps_parameters_and_does_not_touch_the_original():
    env = Squared(8, size=7)
    env.reset(0)
    before = env.states.copy()
    view = env.respawn()
    view.reset(0)
    view.step([0])
    assert (view.num_envs, view.params) == (1, {"size": 7})
    assert (env.states == before).all()


def test_render_draws_the_game_that_is_asked_for():
    env = Squared(2)
    env.reset(0)
    picture = env.render()
    assert picture.shape == (330, 330, 3)
    assert picture.dtype == np.uint8
    assert (env.render(1) != picture).any()
    np.testing.assert_array_equal(env.render(), picture)
    with pytest.raises(IndexError, match="no game 2"):
        env.render(2)
    with pytest.raises(TypeError, match=r"no function draw"):
        Counter().render()


def test_keys_of_actions_that_are_not_there_go_where_the_action_space_has_a_parameter():
    class Arms(Counter):
        action = lambda p: Discrete(p.arms)  # noqa: E731
        keys = {str(arm): arm for arm in range(10)}

        class Params(Counter.Params):
            arms: i32 = 3

    assert list(Arms().keys) == ["0", "1", "2"]
    assert list(Arms(arms=5).keys) == ["0", "1", "2", "3", "4"]
    assert len(Arms.keys) == 10
