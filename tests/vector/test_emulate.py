"""emulate: an instance, a class, a creator; copies that are copies; and names for them."""

import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit, TransformReward
from my_package.simple import SimplePair, SimpleTask

import pufferbench
from pufferbench.play import frames, play_episodes, random_actions
from pufferbench.vector.emulate import CannotCopy


def trajectories(env: Any, steps: int = 30) -> np.ndarray:
    """``[rows, steps, ...]``: what each row sees when all do the same."""
    env.reset(seed=5)
    seen = []
    for _ in range(steps):
        seen.append(env.step(np.zeros(env.actions.shape, env.actions.dtype))[0].copy())
    return np.stack(seen, axis=1)


def test_256_copies_are_256_envs_with_trajectories_of_their_own():
    given = gymnasium.make("CartPole-v1")
    with pufferbench.emulate(given, num_envs=256) as env:
        assert env.num_agents == 256
        inside = [member.env for member in env.members]
        assert inside[0] is given
        assert len({id(one.unwrapped) for one in inside}) == 256
        assert len({rows.tobytes() for rows in trajectories(env)}) == 256


@pytest.mark.parametrize("x", [SimpleTask, SimpleTask()], ids=["class", "instance"])
def test_copies_without_a_spec_have_trajectories_of_their_own(x):
    with pufferbench.emulate(x, num_envs=16) as env:
        assert len({rows.tobytes() for rows in trajectories(env)}) == 16


def test_copies_have_arguments_and_wrappers():
    given = TimeLimit(gymnasium.make("Pendulum-v1", g=3.0), 7)
    with pufferbench.emulate(given, num_envs=3) as env:
        env.reset(seed=0)
        for _ in range(7):
            *_, truncations, _ = env.step(np.zeros((3, 1), np.float32))
        assert truncations.all()
        assert [member.env.unwrapped.g for member in env.members] == [3.0] * 3


def test_wrappers_that_no_spec_can_make_are_pickled():
    """A wrapper with a function of a test: gymnasium.make(spec) could not, cloudpickle can."""
    given = TransformReward(gymnasium.make("CartPole-v1"), lambda reward: 5 * reward)
    with pufferbench.emulate(given, num_envs=3) as env:
        env.reset(seed=0)
        assert env.step(np.zeros(3, int))[1].tolist() == [5, 5, 5]


def test_what_cannot_be_copied_asks_for_a_creator():
    env = SimpleTask()
    env.lock = threading.Lock()
    assert pufferbench.emulate(env).num_agents == 1  # one needs no copy
    with pytest.raises(
        CannotCopy, match=r"copies of this SimpleTask \(.*lock.*emulate\(lambda: ..., num_envs=...\)"
    ):
        pufferbench.emulate(env, num_envs=2)


def test_in_workers_the_given_env_stays_outside():
    given = SimpleTask()
    with pufferbench.emulate(given, num_envs=4, num_workers=2) as env:
        here = pufferbench.emulate(SimpleTask, num_envs=4)
        np.testing.assert_array_equal(trajectories(env, 12), trajectories(here, 12))


def test_a_batch_is_taken_as_it_is():
    batch = gymnasium.make_vec("CartPole-v1", num_envs=4)
    assert pufferbench.emulate(batch).env is batch
    assert pufferbench.emulate(batch, num_envs=4).num_envs == 4
    with pytest.raises(ValueError, match="has 4 games already, so it cannot be made num_envs=6"):
        pufferbench.emulate(batch, num_envs=6)


def test_a_creator_of_native_batches():
    env = pufferbench.emulate(lambda num_envs=1: pufferbench.make("ocean-cartpole", num_envs), num_envs=8)
    assert env.num_envs == 8
    assert type(env).__name__ == "CartPole"


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("ocean-breakout", r"for the one called 'ocean-breakout': pufferbench.make\('ocean-breakout'\)"),
        (3, "takes an environment, or a class or function that makes one, not 3"),
        (gymnasium, "not <module 'gymnasium'"),
        (lambda: 3, "expected an environment .*, not int: 3"),
    ],
)
def test_what_is_no_environment(x, message):
    with pytest.raises(TypeError, match=message):
        pufferbench.emulate(x)


def test_a_module_of_pettingzoo():
    pytest.importorskip("pygame")
    from pettingzoo.classic import tictactoe_v3

    with pytest.raises(TypeError, match=r"did you mean pettingzoo.classic.tictactoe_v3(\.tictactoe)?.env\?"):
        pufferbench.emulate(tictactoe_v3)


class Words(gymnasium.Env):
    """Shows a growing sequence of numbers."""

    observation_space = gymnasium.spaces.Sequence(gymnasium.spaces.Discrete(9))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.said: tuple = ()
        return self.said, {}

    def step(self, action: Any) -> Any:
        self.said += (np.int64(action),)
        return self.said, 1.0, len(self.said) == 3, False, {}


def test_bounds_go_through():
    env = pufferbench.emulate(Words, num_envs=2, max_length=3)
    env.reset()
    env.step(np.array([0, 1]))
    assert env.observation_space.layout.read(env.observations[1]) == (1,)
    assert env.respawn(1).observation_space == env.observation_space
    with pytest.raises(TypeError, match="Words: .*max_length=16"):
        pufferbench.emulate(Words, num_envs=2)


class Crowd:
    """A parallel game that does not say who may play."""

    agents = ("a", "b")

    def observation_space(self, agent: str) -> Any:
        return gymnasium.spaces.Discrete(2)

    action_space = observation_space

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        return dict.fromkeys("ab", 1), {"a": {}, "b": {}}

    def step(self, actions: Any) -> Any:
        return dict.fromkeys("ab", 1), dict.fromkeys("ab", 1.0), *[dict.fromkeys("ab", False)] * 2, {}


def test_a_number_of_agents_goes_through():
    env = pufferbench.emulate(Crowd, num_envs=2, max_agents=3)
    env.reset()
    assert env.masks.tolist() == [True, True, False] * 2
    with pytest.raises(ValueError, match="max_agents=16"):
        pufferbench.emulate(Crowd, num_envs=2)


# -- names ---------------------------------------------------------------------------------------


class Sleepy(gymnasium.Env):
    """A Gymnasium class of one's own, with a parameter; it can be drawn when it is made for that."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012
    observation_space = gymnasium.spaces.Box(0, 100, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, start: int = 0, render_mode: Any = None) -> None:
        self.start, self.render_mode = start, render_mode

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.clock = self.start
        return np.array([self.clock], np.float32), {}

    def step(self, action: Any) -> Any:
        self.clock += 1
        return np.array([self.clock], np.float32), 1.0, self.clock == 5, False, {}

    def render(self) -> Any:
        return np.full((4, 4, 3), self.clock, np.uint8) if self.render_mode == "rgb_array" else None


@pytest.mark.parametrize(
    "entry_point", [Sleepy, SimpleTask, SimplePair, lambda: gymnasium.make("CartPole-v1")]
)
def test_anything_can_have_a_name(entry_point):
    pufferbench.register("test-anything", entry_point)
    with pufferbench.make("test-anything", num_envs=3) as env:
        assert env.num_envs == 3
        env.reset(seed=0)
        env.step(np.zeros(env.actions.shape, env.actions.dtype))
    assert pufferbench.make("test-anything").spec.id == "test-anything"


def test_arguments_go_through():
    pufferbench.register("test-sleepy", Sleepy, {"start": 1})
    assert pufferbench.make("test-sleepy").reset()[0][0, 0] == 1
    assert pufferbench.make("test-sleepy", start=3).reset()[0][0, 0] == 3
    with pytest.raises(TypeError, match="test-sleepy has no option 'strat'; did you mean 'start'"):
        pufferbench.make("test-sleepy", strat=3)


@pytest.mark.parametrize(
    "x", [Sleepy, Sleepy(0, "rgb_array"), gymnasium.make("CartPole-v1"), SimpleTask], ids=str
)
@pytest.mark.parametrize("num_envs", [1, 3])
def test_it_is_watched_and_evaluated(x, num_envs):
    """What the viewer and ``puffer eval`` do: another env with one game, drawn; episodes counted."""
    with pufferbench.emulate(x, num_envs=num_envs).respawn(1) as env:
        pictures = list(frames(env, random_actions(env), limit=4))
        assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures)
        assert len(play_episodes(env, random_actions(env), 2)) == 2
