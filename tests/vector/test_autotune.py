"""autotune's choice, its words and its line, on made-up measurements; and one real, short run."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

import pufferbench
from pufferbench.cli import main
from pufferbench.env import PufferEnv
from pufferbench.vector import autotune, tuning
from pufferbench.vector.tuning import Candidate, Measurement, candidates, choose
from pufferbench.vector.tuning_words import explain


class Cheap(PufferEnv):
    """Costs nothing to step."""

    num_agents = 2

    def __init__(self, buf=None):
        super().__init__(buf)
        self.observation_space = self.make_space(3)
        self.action_space = self.make_discrete(4)

    def reset(self, seed=None):
        return self.observations, ()

    def step(self, actions):
        assert actions.shape == (2,) and (actions < 4).all()
        return self.observations, self.rewards, self.terminals, self.truncations, ()


def measured(backend, num_envs, num_workers, rate, error=""):
    return Measurement(Candidate(backend, num_envs, num_workers), rate, num_envs, error)


# -- what is tried ------------------------------------------------------------------------------


def test_one_core_tries_no_workers():
    assert {c.backend for c in candidates([16, 64], True, 1)} == {"serial"}


def test_two_cores_try_two_workers_and_only_natives_threads():
    assert {(c.backend, c.num_workers) for c in candidates([16], False, 2)} == {
        ("serial", 0),
        ("multiprocessing", 2),
    }
    assert ("threads", 2) in {(c.backend, c.num_workers) for c in candidates([16], True, 2)}


def test_six_cores_try_powers_of_two_and_all_of_them():
    assert {c.num_workers for c in candidates([64], False, 6)} == {0, 2, 4, 6}


def test_no_more_workers_than_envs():
    assert all(c.num_workers <= 3 for c in candidates([3], True, 8))


def workers_tried(available, busy, size=64):
    return {c.num_workers for c in candidates([size], False, available, busy)}


def test_an_env_that_waits_is_tried_with_more_workers_than_cores():
    assert workers_tried(2, 0.6) == {0, 2}  # it computes: more workers would only take turns
    assert workers_tried(2, 0.3) == {0, 2, 4}  # 2 / 0.3 = 6.7 keep two cores computing
    assert workers_tried(2, 0.1) == workers_tried(2, 0.0) == {0, 2, 16}  # at most 8 per core
    assert workers_tried(2, 0.1, size=12) == {0, 2, 12}  # no more workers than envs
    assert workers_tried(1, 0.1) == {0, 8}
    assert max(workers_tried(32, 0.01, size=4096)) == 64  # at most


def test_it_is_seen_whether_an_env_waits(monkeypatch):
    clocks = SimpleNamespace(wall=0.0, cpu=0.0, queued=0.0)
    monkeypatch.setattr(
        tuning,
        "time",
        SimpleNamespace(perf_counter=lambda: clocks.wall, process_time=lambda: clocks.cpu),
    )

    class Waits(Cheap):
        def step(self, actions):
            clocks.wall, clocks.cpu, clocks.queued = (
                clocks.wall + 0.02,
                clocks.cpu + 0.002,
                clocks.queued + 0.01,
            )
            return super().step(actions)

    monkeypatch.setattr(tuning, "queued_seconds", lambda: clocks.queued)
    found = tuning.try_one(tuning.make_by_creator(Waits), Candidate("serial", 2), 0.5)
    assert found.busy == pytest.approx(0.2)  # of the time in which it had a core, or wanted none
    assert found.rate == pytest.approx(2 * 2 / 0.04)  # agent steps per second: two envs, one after the other


def test_small_batches_come_first():
    found = candidates([16, 64], False, 2, busy=0.1)
    assert [c.num_envs for c in found] == [16] * 3 + [64] * 3
    assert found[0] == Candidate("serial", 16)  # and what all the others are compared with


# -- the choice ---------------------------------------------------------------------------------


def test_the_fastest_wins():
    assert choose([measured("serial", 64, 0, 100.0), measured("multiprocessing", 64, 2, 180.0)]) == Candidate(
        "multiprocessing", 64, 2
    )


def test_of_equally_fast_ones_the_simplest():
    found = [
        measured("multiprocessing", 64, 2, 102.0),
        measured("serial", 256, 0, 101.0),
        measured("serial", 64, 0, 100.0),
        measured("serial", 16, 0, 60.0),
    ]
    assert choose(found) == Candidate("serial", 64)


def test_what_failed_is_not_chosen():
    found = [measured("serial", 64, 0, 1.0), measured("multiprocessing", 64, 2, 0.0, "WorkerError: no")]
    assert choose(found) == Candidate("serial", 64)


# -- the words ----------------------------------------------------------------------------------


def test_words_for_workers_that_pay():
    found = [measured("multiprocessing", 64, 2, 320_000.0), measured("serial", 64, 0, 160_000.0)]
    text = explain(found[0].candidate, found, 2)
    assert "takes 400 us in one process" in text
    assert "2 worker processes pays" in text and "(200 us, 2.0 times as fast)" in text


def test_words_for_workers_that_do_not_pay():
    found = [measured("serial", 64, 0, 6_400_000.0), measured("multiprocessing", 64, 2, 3_200_000.0)]
    text = explain(found[0].candidate, found, 2)
    assert "takes 10 us in this process" in text and "it takes 20 us, only 50% of the speed" in text
    assert "So no workers." in text


def test_words_for_more_steps_than_a_policy_can_use():
    found = [
        measured("threads", 4096, 2, 30e6),
        measured("serial", 1024, 0, 25e6),
        measured("serial", 64, 0, 1e6),
    ]
    text = explain(found[0].candidate, found, 2)
    assert "4096 envs at once make 1.2 times the steps of 1024" in text
    assert "for training, 1024 envs, this process would do: 25 M steps/s" in text


def test_words_for_workers_that_cannot_be_measured():
    found = [measured("serial", 64, 0, 1e6), measured("multiprocessing", 64, 2, 0.0, "OSError: no memory")]
    assert "could not be measured: OSError: no memory." in explain(found[0].candidate, found, 2)


def test_words_for_a_busy_machine():
    found = [measured("serial", 64, 0, 1e6)]
    assert "The machine was busy (load 1.8)" in explain(found[0].candidate, found, 2, load=1.8)
    assert "busy" not in explain(found[0].candidate, found, 2, load=0.8)


def test_words_for_a_choice_within_the_noise():
    found = [measured("multiprocessing", 64, 2, 103.0), measured("serial", 64, 0, 100.0)]
    text = explain(Candidate("serial", 64), found, 2)
    assert "no real gain" in text and "(64 envs, 2 workers measured 3% faster" in text


def test_words_for_one_core_for_larger_batches_and_for_time_that_was_up():
    found = [
        measured("serial", 256, 0, 1000.0),
        measured("serial", 64, 0, 500.0),
        measured("serial", 1024, 0, 990.0),
        measured("serial", 4096, 0, 0.0, "not tried: the time was up"),
    ]
    text = explain(found[0].candidate, found, 1)
    assert "1 core." in text and "take turns with this process" in text
    assert "make 2.0 times the steps of 64" in text
    assert "Larger batches are not faster" in text
    assert "the time was up" in text


def test_words_for_an_env_that_waits():
    found = [measured("multiprocessing", 16, 16, 4000.0), measured("serial", 16, 0, 400.0)]
    text = explain(found[0].candidate, found, 2, busy=0.08)
    assert "computes for only 8% of its time" in text and "up to 16 workers were tried" in text
    assert "10.0 times as fast" in text
    assert "waits for the rest" not in explain(Candidate("serial", 16), found[1:], 2, busy=0.08)


# -- the real thing -----------------------------------------------------------------------------


def test_autotune_by_creator(monkeypatch):
    monkeypatch.setattr(tuning, "cores", lambda: 1)
    found = autotune(Cheap, seconds=0.5, progress=False)
    assert found.best.backend == "serial"
    assert {m.candidate.num_envs for m in found.measurements} == set(tuning.PYTHON_SIZES)
    assert found.line == f"env = pufferbench.vector.Serial(Cheap, num_envs={found.best.num_envs})"
    assert all(m.num_agents == 2 * m.candidate.num_envs for m in found.measurements if m.rate)


def test_autotune_by_name_gives_a_line_that_runs():
    found = autotune("ocean-cartpole", num_envs=8, seconds=1.0, progress=False, max_steps=50)
    tried = {m.candidate.backend for m in found.measurements}
    assert "serial" in tried and {m.candidate.num_envs for m in found.measurements} == {8}
    assert "max_steps=50" in found.line
    names = {"pufferbench": pufferbench}
    exec(found.line, names)
    with names["env"] as env:
        assert env.num_envs == 8


def test_two_workers_are_measured(monkeypatch):
    monkeypatch.setattr(tuning, "cores", lambda: 2)
    found = autotune(Cheap, num_envs=4, seconds=1.0, progress=False)
    by_backend = {m.candidate.backend: m for m in found.measurements}
    assert by_backend["multiprocessing"].rate > 0, by_backend["multiprocessing"].error
    assert by_backend["multiprocessing"].num_agents == 8


def test_a_backend_that_fails_is_reported_and_does_not_hide_the_others():
    def maker(candidate):
        if candidate.num_workers:
            raise OSError("no memory\nfor workers")
        return pufferbench.vector.Serial(Cheap, candidate.num_envs)

    found = tuning.measure(
        maker, [Candidate("serial", 2), Candidate("multiprocessing", 2, 2)], 0.2, lambda what: None
    )
    assert [m.error for m in found] == ["", "OSError: no memory"]


def test_when_time_is_up_the_rest_is_not_tried():
    made = []

    def maker(candidate):
        made.append(candidate)
        return pufferbench.vector.Serial(Cheap, candidate.num_envs)

    sizes = [Candidate("serial", 2**k) for k in range(10)]
    found = tuning.measure(maker, sizes, 1e-6, lambda what: None)
    assert len(set(made)) == 1
    assert sum(m.error.startswith("not tried") for m in found) == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "ocean-cartpole", "seconds": 0}, "seconds must be positive, not 0"),
        ({"env": "ocean-cartpole", "num_envs": 0}, "num_envs must be an integer of at least 1, not 0"),
        ({"env": Cheap, "size": 3}, "size: parameters are for an env given by name"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        autotune(**arguments)


def broken():
    raise ZeroDivisionError("a broken env")


def test_an_env_that_cannot_be_made_says_why():
    with pytest.raises(ZeroDivisionError, match="a broken env"):
        autotune(broken, seconds=0.1, progress=False)


def test_the_command(capsys):
    assert main(["autotune", "cartpole", "--num-envs", "4", "--seconds", "1", "--env.max-steps", "50"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"serial +│ +4 +│", text)
    line = next(line for line in text.splitlines() if line.startswith("env = "))
    assert line.startswith('env = pufferbench.make("ocean-cartpole", num_envs=4') and "max_steps=50" in line


def test_the_command_without_a_name(capsys):
    assert main(["autotune"]) == 2
    assert "which environment? puffer autotune ENV" in capsys.readouterr().err
