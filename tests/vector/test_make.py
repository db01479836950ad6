"""make: which backend serves which environment, and what cannot be."""

import gymnasium
import numpy as np
import pytest

import pufferbench
import pufferbench.vector.make as making
from ocean_numba.breakout import Breakout
from ocean_numba.cartpole import CartPole
from pufferbench import PufferEnv, registry
from pufferbench.emulation import GymnasiumEnv
from pufferbench.vector import Multiprocessing, Serial, Threads

GYM, OCEAN = "gym-CartPole-v1", "ocean-cartpole"


class Lone(PufferEnv):
    """One game; its class knows no num_envs."""

    def __init__(self, buf=None, reward=1.0):
        super().__init__(buf)
        self.observation_space, self.action_space = self.make_space((2,)), self.make_discrete(2)
        self.reward = reward

    def reset(self, seed=None):
        return self.observations, ()

    def step(self, actions):
        self.load_actions(actions)
        self.rewards[:] = self.reward
        return self.observations, self.rewards, self.terminals, self.truncations, ()


@pytest.fixture
def lone(monkeypatch):
    registry.list_envs()
    monkeypatch.setattr(registry, "_specs", dict(registry._specs))
    registry.register("test-lone", Lone)
    return "test-lone"


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(making, "cores", lambda: 2)


def test_native_games_are_one_env_and_others_are_stepped_in_turn(lone):
    assert type(pufferbench.make(OCEAN, num_envs=8)) is CartPole
    assert type(pufferbench.make(GYM)) is GymnasiumEnv
    with pufferbench.make(GYM, num_envs=3) as env:
        assert type(env) is Serial and env.num_envs == env.num_agents == 3
    with pufferbench.make(lone, num_envs=3, reward=2.5) as env:
        env.reset(0)
        assert env.step(np.zeros(3, int))[1].tolist() == [2.5] * 3
        assert env.respawn().reward == 2.5
    assert pufferbench.make(lone).respawn().spec.id == lone


def test_backend_serial_never_uses_threads(two_cores, monkeypatch):
    monkeypatch.setattr(making, "Threads", None)
    assert type(pufferbench.make(OCEAN, num_envs=2048, backend="serial")) is CartPole


def test_backend_threads(two_cores):
    with pufferbench.make(OCEAN, num_envs=8, backend="threads") as env:
        assert type(env) is Threads and env.num_threads == 2
    with pufferbench.make(OCEAN, num_envs=8, backend="threads", num_workers=4) as env:
        assert env.num_threads == 4 and env.spec.kwargs["num_workers"] == 4
    with pytest.raises(ValueError, match="gym-CartPole-v1 runs in Python, which threads do not make faster"):
        pufferbench.make(GYM, num_envs=8, backend="threads")


@pytest.mark.parametrize(("together", "chosen"), [(50e-6, Threads), (190e-6, Breakout), (400e-6, Breakout)])
def test_threads_are_chosen_when_they_are_faster(two_cores, monkeypatch, together, chosen):
    monkeypatch.setattr(making, "_seconds", lambda env: together if isinstance(env, Threads) else 200e-6)
    with pufferbench.make("ocean-breakout", num_envs=1024) as env:
        assert type(env) is chosen
        assert "one thread 200 us per step of 1024 rows, 2 threads" in env.choice
        assert env.choice.startswith("threads" if chosen is Threads else "serial")
        assert (env.reset()[0] == Breakout(num_envs=1024).reset(0)[0]).all()  # measured on another


def test_threads_are_not_tried_for_short_steps(two_cores, monkeypatch):
    monkeypatch.setattr(making, "_seconds", lambda env: 1e-9 if isinstance(env, Threads) else 20e-6)
    assert type(pufferbench.make(OCEAN, num_envs=1024)) is CartPole


def test_workers(two_cores):
    with pufferbench.make(OCEAN, num_envs=8, num_workers=2, max_steps=77) as env:
        assert type(env) is Multiprocessing
        assert (env.num_envs, env.num_workers, env.mode) == (8, 2, "sync")
        assert env.respawn().params["max_steps"] == 77 and env.respawn(5).num_envs == 5
        assert env.spec.id == OCEAN and env.spec.preset()
        with pufferbench.make(env.spec.id, **env.spec.kwargs) as again:  # what --resume does
            assert (again.num_envs, again.num_workers) == (8, 2)
    with pufferbench.make(GYM, num_envs=3, num_workers=2) as env:
        assert (env.num_envs, env.num_workers) == (3, 2)
        assert type(env.respawn()) is GymnasiumEnv
    with pufferbench.make(GYM, num_envs=4, backend="multiprocessing") as env:
        assert env.num_workers == 2
    with pufferbench.make(OCEAN, num_envs=9, backend="multiprocessing") as env:
        assert env.num_workers == 1  # two would be unequal
    with pufferbench.make(OCEAN, num_envs=8, envs_per_worker=8) as env:
        assert env.num_workers == 1


@pytest.mark.parametrize("name", [OCEAN, GYM])
def test_a_smaller_batch_is_asynchronous(name):
    with pufferbench.make(name, num_envs=6, num_workers=3, batch_size=4) as env:
        assert env.mode == "async" and not env.deterministic
        assert (env.num_envs, env.num_agents) == (6, 4)
        env.async_reset(0)
        assert len(env.recv()[5]) == 4
    with pufferbench.make(name, num_envs=4, num_workers=2, batch_size=4) as env:
        assert env.mode == "sync"


def test_a_trainer_sorts_batches_whose_rows_change_places():
    with (
        pufferbench.make(OCEAN, num_envs=4, num_workers=2, batch_size=2) as env,
        pufferbench.PuffeRL(env=env, bptt_horizon=8) as trainer,
    ):
        trainer.evaluate()
        assert trainer.rollout.rewards.shape == (8, 4)  # of all games, not of a batch


def test_the_command_line_takes_workers(tmp_path):
    from pufferbench.cli import main
    from pufferbench.records import RunFolder

    run = tmp_path / "run"
    train = ["train", GYM, "--train.total-timesteps", "4096", "--run-dir", str(run)]
    assert main([*train, "--env.num-envs", "4", "--env.num-workers", "2"]) == 0
    assert RunFolder.open(run).config["env"] == {"id": GYM, "kwargs": {"num_envs": 4, "num_workers": 2}}
    assert main(["eval", GYM, "--load", str(run), "--episodes", "2"]) == 0
    assert main(["train", "--resume", str(run), "--train.total-timesteps", "8192"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "thread"}, "backend 'thread' is none of .*did you mean 'threads'"),
        ({"num_envs": 0}, "num_envs must be an integer of at least 1, not 0"),
        ({"num_envs": -1}, "num_envs must be an integer of at least 1, not -1"),
        ({"num_envs": 2.5}, "num_envs must be an integer of at least 1, not 2.5"),
        ({"num_envs": "8"}, "num_envs must be an integer of at least 1, not '8'"),
        ({"num_workers": -2}, "num_workers must be an integer of at least 1"),
        ({"num_workers": 2, "backend": "serial"}, "backend='serial' has no workers.*num_workers=2"),
        ({"batch_size": 2, "backend": "serial"}, "has no workers, so it cannot have batch_size=2"),
        ({"envs_per_worker": 2, "backend": "threads"}, "cannot have envs_per_worker=2"),
        ({"num_workers": 9}, "num_workers=9 is more than num_envs=8"),
        ({"num_workers": 3}, "num_envs=8 cannot be divided evenly over num_workers=3: make it 6 or 9"),
        ({"envs_per_worker": 3}, "num_envs=8 is not 3 workers x envs_per_worker=3: make it 9"),
        ({"envs_per_worker": 2, "num_workers": 2}, "num_envs=8 is not 2 workers x envs_per_worker=2: make"),
        ({"num_workers": 2, "batch_size": 3}, "batch_size=3 .* have 4 each: choose one of 4, 8"),
        ({"num_workers": 2, "batch_size": 12}, "batch_size=12 .* have 4 each: choose one of 4, 8"),
    ],
)
def test_what_cannot_be_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        pufferbench.make(OCEAN, **{"num_envs": 8, **arguments})


def test_zero_workers_are_none():
    assert type(pufferbench.make(OCEAN, num_envs=8, num_workers=0)) is CartPole


def test_parameters_reach_gymnasium_and_wrong_ones_are_refused():
    env = pufferbench.make("gym-FrozenLake-v1", map_name="8x8", is_slippery=False)
    assert env.observation_space == gymnasium.spaces.Discrete(64)
    with pytest.raises(TypeError, match="mapname"):
        pufferbench.make("gym-FrozenLake-v1", mapname="8x8")
    with pytest.raises(TypeError, match="no option 'max_step'; did you mean 'max_steps'"):
        pufferbench.make(OCEAN, num_workers=2, num_envs=8, max_step=3)
