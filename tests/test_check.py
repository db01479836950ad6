"""check_env: every kind of mistake is found, and what is right is left alone."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from my_package.simple import SimplePair, SimpleTask

import pufferbench as pb
from pufferbench import PufferEnv, check
from pufferbench.cli import main
from pufferbench.env import EpisodeInfos
from pufferbench.vector import Serial
from pufferbench.wrappers import NormalizeReward


@pytest.mark.parametrize(
    "x",
    [
        "ocean-breakout",
        "ocean-target",
        "ocean-connect-four",
        "gym-CartPole-v1",
        "gym-Blackjack-v1",
        SimpleTask,
        SimplePair,
    ],
)
def test_good_envs(x):
    report = pb.check_env(x)
    assert report.ok, report
    assert report.of("warning") == [], report
    assert "steps/s" in str(report)


@pytest.mark.parametrize("name", pb.list_envs("ocean-"))
def test_every_game_keeps_its_word(name, monkeypatch):
    monkeypatch.setattr(check, "TIMED_SECONDS", 0.0)
    report = pb.check_env(name)
    assert [finding for finding in report.findings if finding.level != "note"] == [], report


def test_wrappers_that_learn(recwarn):
    """Their statistics stand still while runs are compared, and are afterwards what they were."""
    env = NormalizeReward(pb.make("ocean-cartpole", num_envs=4))
    env.reset(seed=0)
    env.step(np.zeros(4, int))
    before = env.state_dict()
    report = pb.check_env(env)
    assert [finding for finding in report.findings if finding.level != "note"] == [], report
    assert env.state_dict() == before
    env.step(np.zeros(4, int))
    assert env.state_dict()["count"] > before["count"]
    assert len(recwarn) == 0


class Takes(gymnasium.Env):
    """Take 1 to 3 of 7 sticks, not more than there are; it stops at an illegal action."""

    observation_space, action_space = spaces.Discrete(8), spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.sticks = int(self.np_random.integers(4, 8))
        return self.sticks, self.legal()

    def legal(self):
        return {"action_mask": np.arange(3) < max(1, self.sticks)}

    def step(self, action):
        assert action < self.sticks, "an illegal action"
        self.sticks -= int(action) + 1
        return self.sticks, 0.0, self.sticks == 0, False, self.legal()


def test_only_legal_actions_are_played():
    report = pb.check_env(Takes)
    assert report.ok, report
    assert "Takes has no render(): it cannot be drawn" in str(report)


def test_where_two_runs_differ_is_said():
    first, second = np.full((1, 2, 30), np.nan), np.full((1, 2, 30), np.nan)
    first[0, 1, 20], second[0, 1, 20] = 3, 4
    said = check._difference([(first[0], None, None, None)], [(second[0], None, None, None)])
    assert said == "observations of row 1 at [20] after 0 steps are 3.0 and 4.0"


def test_a_given_env_is_left_usable():
    env = pb.make("ocean-cartpole", num_envs=4)
    assert pb.check_env(env).ok
    env.step(np.zeros(4, int))
    assert pb.check_env(Serial(SimpleTask, 2)).ok


class Good(PufferEnv):
    """Two rows; each of the classes below breaks one thing of it."""

    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf)
        self.observation_space: Any = self.make_space((2,), -10, 10)
        self.action_space: Any = self.make_discrete(2)
        self.num_agents = self.num_envs = 2
        self.generator = np.random.default_rng(0)
        self.clock = 0

    def reset(self, seed: int | None = None) -> Any:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        self.clock = 0
        self.observations[:] = self.generator.uniform(-1, 1, (2, 2))
        self.rewards[:] = 0
        self.terminals[:] = self.truncations[:] = False
        return self.observations, ()

    def step(self, actions: Any) -> Any:
        self.load_actions(actions)
        if (self.actions > 1).any():
            raise ValueError("no such action")
        self.clock += 1
        self.observations[:] = self.generator.uniform(-1, 1, (2, 2))
        self.rewards[:] = self.actions.reshape(2)
        self.terminals[:] = self.clock % 5 == 0
        infos: Any = ()
        if self.clock % 5 == 0:
            infos = EpisodeInfos(np.zeros(2, [("episode_return", "f4"), ("episode_length", "i4")]))
        return self.observations, self.rewards, self.terminals, self.truncations, infos


class ResetOnly(Good):
    def reset(self, seed: Any = None) -> Any:
        return super().reset(seed)[0]


class ThreeValues(Good):
    def step(self, actions: Any) -> Any:
        return super().step(actions)[:3]


class Copies(Good):
    def step(self, actions: Any) -> Any:
        return self.observations.copy(), *super().step(actions)[1:]


class WrongShape(Good):
    def step(self, actions: Any) -> Any:
        return self.observations[0], *super().step(actions)[1:]


class Lists(Good):
    def step(self, actions: Any) -> Any:
        observations, rewards, *rest = super().step(actions)
        return observations, rewards.tolist(), *rest


class NotANumber(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.observations[1, 0] = np.nan
        return result


class InfiniteReward(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.rewards[1] = np.inf
        return result


class Outside(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.observations[0, 1] = 11
        return result


class BothEnds(Good):
    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.truncations[:] = self.terminals
        return result


class EndedAtReset(Good):
    def reset(self, seed: Any = None) -> Any:
        result = super().reset(seed)
        self.terminals[:] = True
        return result


class DictOfInfos(Good):
    def step(self, actions: Any) -> Any:
        return *super().step(actions)[:4], {}


class TellsNothing(Good):
    def step(self, actions: Any) -> Any:
        return *super().step(actions)[:4], []


class Forgetful(Good):
    """Ignores the seed."""

    def reset(self, seed: Any = None) -> Any:
        return super().reset()


class Remembers(Good):
    """Something is left over from before the reset."""

    steps = 0

    def step(self, actions: Any) -> Any:
        result = super().step(actions)
        self.steps += 1
        self.rewards[:] += self.steps
        return result


class KeepsArrays(Good):
    """Has looked its array up once and for all."""

    def step(self, actions: Any) -> Any:
        if not hasattr(self, "kept"):
            self.kept = self.rewards
        result = super().step(actions)
        self.kept[:] = self.actions
        return result[0], self.kept, *result[2:]


class NewArrays(Good):
    def step(self, actions: Any) -> Any:
        self.buffers.rewards = np.zeros(2)
        return super().step(actions)


class TakesAnything(Good):
    def step(self, actions: Any) -> Any:
        return super().step(np.minimum(actions, 1))


class Stuck(Good):
    def __init__(self, buf: Any = None) -> None:
        super().__init__(buf)
        self.num_action_masks = 2

    def step(self, actions: Any) -> Any:
        assert self.action_masks is not None
        self.action_masks[1] = self.clock < 3
        return super().step(actions)


class NobodyActs(Good):
    def step(self, actions: Any) -> Any:
        self.masks[:] = False
        return super().step(actions)


class Dies(Good):
    def step(self, actions: Any) -> Any:
        raise KeyError("score")


class DrawsFloats(Good):
    def render(self) -> Any:
        return np.zeros((4, 4, 3))


def with_spaces(**changes: Any) -> Any:
    class Changed(Good):
        def __init__(self) -> None:
            super().__init__()
            for name, value in changes.items():
                setattr(self, name, value)

    return Changed


@pytest.mark.parametrize(
    ("x", "level", "what"),
    [
        (ResetOnly, "error", r"reset: it returned an array float32 (2, 2), not (observations, infos)"),
        (ThreeValues, "error", "step: it returned a tuple of 3, not 5 values"),
        (Copies, "error", "step: the observations it returned are not its own array"),
        (WrongShape, "error", "step: the observations it returned are float32 (2,), not float32 (2, 2)"),
        (Lists, "error", "step: the rewards it returned are a list of 2, not an array"),
        (NotANumber, "error", "step: observations of row 1 contain NaN or infinity: ["),
        (InfiniteReward, "error", "step: rewards of row 1 contain NaN or infinity: inf"),
        (Outside, "error", "step: observations of row 0 are outside of Box(-10.0, 10.0, (2,), float32)"),
        (BothEnds, "error", "step: row 0 is terminal and truncated in one step"),
        (EndedAtReset, "error", "reset: terminals or truncations are True after reset()"),
        (DictOfInfos, "error", "step: its infos are dict {}"),
        (TellsNothing, "warning", "step: an episode ended, but no info has its episode_return"),
        (Forgetful, "error", "determinism: two runs with reset(seed=1) and the same actions differ: observations"),
        (Remembers, "error", "determinism: two runs with reset(seed=1) and the same actions differ: rewards"),
        (KeepsArrays, "error", "own arrays: after use_buffers() it still writes its rewards"),
        (NewArrays, "error", "step: NewArrays: buf.rewards is float64 (2,), but must be contiguous float32 (2,)"),
        (TakesAnything, "warning", "bad action: step() takes the action 2, which is not in Discrete(2)"),
        (Stuck, "error", "step: row 1 must act, but has no legal action"),
        (NobodyActs, "warning", "step: no row acts (masks are all False)"),
        (Dies, "error", "steps: KeyError: 'score'"),
        (DrawsFloats, "error", "drawing: render() gave an array float64 (4, 4, 3)"),
        (with_spaces(num_agents=0), "error", "spaces: num_agents is 0"),
        (with_spaces(num_agents=3), "error", "spaces: num_agents=3 rows are not a multiple of num_envs=2 games"),
        (with_spaces(num_action_masks=3), "error", "spaces: num_action_masks is 3, but action_space Discrete(2) has 2"),
        (with_spaces(observation_space=spaces.Box(-9, 9, (2,), np.float64)), "warning", "spaces: observation_space"),
        (with_spaces(action_space=spaces.Box(-np.inf, 1, (1,))), "warning", "spaces: action_space Box(-inf, 1.0"),
        ("ocean-braekout", "error", "making it: UnknownEnv: unknown environment 'ocean-braekout'; did you mean"),
        (3, "error", "making it: TypeError: expected an environment"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(x, level, what):
    report = pb.check_env(x)
    assert any(f"{f.where}: {f.what}".startswith(what) for f in report.of(level)), report
    assert report.ok == (level != "error"), report
    assert all(finding.mend for finding in report.of(level))


def test_the_good_one_is_good():
    """Or the tests above would prove nothing."""
    report = pb.check_env(Good)
    assert [f for f in report.findings if f.level != "note"] == [], report


class LateLie(gymnasium.Env):
    """Keeps its word in the first steps, at which the adapters look, and breaks it later."""

    observation_space = spaces.Box(0, 100, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.clock = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.clock += 1
        seen = np.zeros(1, np.float32) if self.clock < 60 else np.zeros(1, np.int8) - 1
        return seen, 1.0, False, False, {}


def test_adapted_envs_are_looked_at_in_all_steps():
    report = pb.check_env(LateLie)
    assert not report.ok
    assert "LateLie: step(): the observation is -1" in str(report)


def test_the_report_reads_well():
    text = str(pb.check_env(TellsNothing))
    assert text.splitlines()[0] == "TellsNothing: 0 errors, 1 warning"
    assert (
        "\n  warning step: an episode ended, but no info has its episode_return and episode_length\n" in text
    )
    assert "-> report them, or use pufferbench.wrappers.EpisodeStatistics(env)" in text


def test_puffer_check(capsys, tmp_path, monkeypatch):
    assert main(["check", "ocean-cartpole"]) == 0
    assert "ocean-cartpole: 0 errors" in capsys.readouterr().out
    assert main(["check", "ocean-carpole"]) == 1
    assert "did you mean 'ocean-cartpole'" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_to_check.py").write_text("from my_package.envs import MyTask as Mine", encoding="utf-8")
    assert main(["check", "mine_to_check:Mine"]) == 0
    assert "warning step: an episode ended" in capsys.readouterr().out
    assert main(["check", "mine_to_check:Yours"]) == 2
    assert "there is no mine_to_check:Yours" in capsys.readouterr().err
