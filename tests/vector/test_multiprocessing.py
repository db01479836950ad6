"""Multiprocessing: the same results as Serial, in the order of its calls, without work when idle."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from typing import Any

import numpy as np
import psutil
import pytest
from processes import workers
from vector_envs import Chatty, Counter, Other

from pufferbench.env import EpisodeInfos
from pufferbench.vector import Multiprocessing, Serial, WorkerError, handshake

posix = pytest.mark.skipif(sys.platform == "win32", reason="the ways of POSIX systems")


def play(env: Any, steps: int) -> list[Any]:
    """Everything an env says in ``steps`` steps, copied."""
    seen: list[Any] = [env.reset(7)[0].copy()]
    for t in range(steps):
        *arrays, infos = env.step(np.arange(env.num_agents) + t)
        also = (env.final_observations, env.masks, env.action_masks)
        seen.append([array.copy() for array in (*arrays, *also)])
        seen.append(list(infos))
    return seen


@pytest.mark.parametrize("dicts", [False, True])
@pytest.mark.parametrize(("num_envs", "num_workers"), [(1, 1), (5, 1), (5, 2), (5, 3), (3, 3)])
def test_the_same_as_serial(num_envs: int, num_workers: int, dicts: bool) -> None:
    creator = partial(Counter, 2, 3, dicts)
    with Serial(creator, num_envs) as serial, Multiprocessing(creator, num_envs, num_workers) as env:
        assert (env.num_envs, env.num_agents) == (serial.num_envs, serial.num_agents)
        assert env.deterministic
        for expected, seen in zip(play(serial, 8), play(env, 8), strict=True):
            np.testing.assert_equal(seen, expected)


@posix
@pytest.mark.parametrize("ways", [{"arena_kind": "posix"}, {"link": "tcp"}], ids=str)
def test_the_ways_of_other_systems(ways: dict[str, str]) -> None:
    creator = partial(Counter, 2, 3)
    with Serial(creator, 4) as serial, Multiprocessing(creator, 4, 2, **ways) as env:  # type: ignore[arg-type]
        for expected, seen in zip(play(serial, 8), play(env, 8), strict=True):
            np.testing.assert_equal(seen, expected)


def test_without_sched_yield_and_with_a_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Windows (no sched_yield) and ARM (memory out of order) do instead works here too."""
    from pufferbench.vector import crew

    handshake._sleep_0()
    monkeypatch.setattr(crew, "yield_core", handshake._sleep_0)
    monkeypatch.setattr(handshake, "yield_core", handshake._sleep_0)
    monkeypatch.setattr(crew, "fence", handshake._fence)
    with Multiprocessing(partial(Counter, 2, 3), 4, 2) as env:
        assert play(env, 5)[-2][0][0, 1] == 5


def test_results_are_views_of_one_block_and_infos_are_records() -> None:
    with Multiprocessing(partial(Counter, 2, 2), 4, 2) as env:
        first, _ = env.reset()
        assert np.shares_memory(first, env.observations)
        base = first.base
        env.send(env.actions)  # written in place by the caller: nothing to copy
        observations, *_, infos, agent_ids, masks = env.recv()
        assert observations.base is base and masks is env.masks
        assert infos == () and agent_ids.tolist() == list(range(8))
        infos = env.step(env.actions)[4]
        assert isinstance(infos, EpisodeInfos)
        assert infos.records["episode_return"].tolist() == [0, 1, 2, 3]


def test_infos_of_any_number_and_kind() -> None:
    with Serial(Chatty, 3) as serial, Multiprocessing(Chatty, 3, 2) as env:
        for expected, seen in zip(play(serial, 30), play(env, 30), strict=True):
            np.testing.assert_equal(seen, expected)


def test_first_env_shifts_all_games() -> None:
    with Multiprocessing(Counter, 3, 2) as env:
        env.first_env = 10
        observations, _ = env.reset(0)
        assert observations[:, 3].tolist() == [10, 10, 11, 11, 12, 12]


def test_calls_in_the_wrong_order_say_what_is_right() -> None:
    with Multiprocessing(Counter, 2, 2) as env:
        with pytest.raises(RuntimeError, match=r"call reset\(\) or async_reset\(\) before the first send"):
            env.step(env.actions)
        env.async_reset(0)
        with pytest.raises(RuntimeError, match=r"send\(\) again before recv"):
            env.send(env.actions)
        env.recv()
        with pytest.raises(RuntimeError, match=r"recv\(\) without send"):
            env.recv()
        env.send(env.actions)
        env.reset(0)  # right at any time
        env.step(env.actions)
    with pytest.raises(RuntimeError, match="is closed"):
        env.step(env.actions)
    with pytest.raises(RuntimeError, match="is closed"):
        env.reset()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_envs": 0}, "num_envs must be an integer of at least 1, not 0"),
        ({"num_envs": 2, "num_workers": 3}, "num_workers is 3, but there are only 2"),
        ({"mode": "asink"}, "not 'asink'; did you mean 'async'"),
        ({"num_envs": 4, "num_workers": 2, "surplus_envs": 2}, "needs mode='async'"),
        ({"num_envs": 5, "num_workers": 2, "mode": "async"}, "not a multiple of num_workers=2"),
        ({"num_envs": 4, "num_workers": 2, "mode": "async", "surplus_envs": 1}, "a multiple of 2"),
        ({"num_envs": 4, "num_workers": 2, "mode": "async", "surplus_envs": 4}, "less than num_envs=4"),
    ],
)
def test_numbers_that_do_not_fit(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Multiprocessing(Counter, **wrong)


def test_environments_must_be_equal() -> None:
    with pytest.raises(
        WorkerError, match=r"must be of one kind, but the observation space of environment [01] is"
    ):
        Multiprocessing(Other, 2, 2)


def test_methods_of_the_environments() -> None:
    with Multiprocessing(Counter, 2, 2) as env:
        env.reset(0)
        env.step(env.actions)
        assert (env.render() == 1).all() and env.render().shape == (2, 3, 3)
        assert env.call(1, "pid") != env.call(0, "pid")
        with pytest.raises(WorkerError, match="has no attribute 'fly'"):
            env.call(1, "fly")
        assert env.step(env.actions)[0][0, 1] == 2


def test_workers_import_neither_torch_nor_widgets() -> None:
    with Multiprocessing(Counter, 1, 1) as env:
        env.reset(0)
        modules = env.call(0, "modules")
    heavy = {"torch", "ipywidgets", "anywidget", "IPython", "matplotlib", "numba", "pufferbench.widgets"}
    assert "vector_envs" in modules
    assert not heavy & modules


def test_idle_takes_no_time() -> None:
    """Neither the workers nor we work while nobody calls: before the first step, and after it."""
    with Multiprocessing(Counter, 2, 2) as env:
        env.reset(0)
        env.step(env.actions)
        time.sleep(0.1)  # the time of polling

        processes = [psutil.Process(), *workers()]

        def used() -> float:
            return sum(sum(process.cpu_times()[:2]) for process in processes)

        before = used()
        time.sleep(1)
        assert used() - before <= 0.03  # the system counts in ticks of 0.01 s
        assert env.step(env.actions)[0][0, 1] == 2


def test_more_workers_than_cores_sleep_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All answers and commands by sleeping and waking: many steps, so that a lost wake-up would show."""
    from pufferbench.vector import multiprocessing

    monkeypatch.setattr(multiprocessing, "cores", lambda: 1)
    with Multiprocessing(partial(Counter, 2, 7), 3, 3) as env:
        env.reset(0)
        start = time.monotonic()
        for _ in range(2000):
            env.step(env.actions)
        assert env.observations[:, 1].tolist() == [2000] * 6
        assert time.monotonic() - start < 100 * handshake.NAP_SECONDS  # few or none were lost


def test_async_takes_who_is_ready_first() -> None:
    creator = partial(Counter, 2, 5)
    with Multiprocessing(creator, 6, 3, mode="async", surplus_envs=2, timeout=20) as env:
        assert (env.num_envs, env.num_agents, env.deterministic) == (6, 8, False)
        env.async_reset(3)
        steps, told = np.zeros(12, int), 0
        until = time.monotonic() + 20
        while steps.min() < 20 and time.monotonic() < until:
            observations, rewards, _, truncations, infos, agent_ids, masks = env.recv()
            assert observations.shape == (8, 4) and rewards.shape == masks.shape == (8,)
            assert len(set(agent_ids)) == 8
            assert (observations[:, 3] == agent_ids // 2).all()  # rows and ids fit each other
            assert (observations[:, 1] == steps[agent_ids]).all()
            # what we sent for these rows last time has arrived
            assert (
                observations[:, 2] == np.where(steps[agent_ids] == 0, 3, agent_ids + steps[agent_ids])
            ).all()
            assert len(infos) == truncations.sum() / 2
            assert (env.final_observations[truncations] == observations[truncations] + 100).all()
            told += len(infos)
            steps[agent_ids] += 1
            env.send(agent_ids + steps[agent_ids])
        assert steps.min() >= 20  # nobody waits for ever
        assert told > 0
        assert env.reset(0)[0][:, 1].tolist() == [0] * 8


def test_async_does_not_wait_for_a_slow_worker() -> None:
    from vector_envs import naughty

    with Multiprocessing(naughty("slow", 1, game=0), 3, 3, mode="async", surplus_envs=1) as env:
        env.reset(0)
        start = time.monotonic()
        for _ in range(3):
            env.step(env.actions)
        assert time.monotonic() - start < 10
        assert env.step(env.actions)[0].shape == (4, 4)


@pytest.mark.parametrize("how", [{}, {"mode": "async", "surplus_envs": 2}])
def test_batches_of_chosen_workers(how: dict[str, Any]) -> None:
    """As learners take them; a worker that gets no actions waits."""
    with Multiprocessing(partial(Counter, 2, 2), 6, 3, **how) as env:
        env.reset(4)
        env.settle()
        assert env.all_rows.observations[:, 3].tolist() == [i // 2 for i in range(12)]
        for _ in range(3):
            observations, rewards, *_, agent_ids, masks = env.recv_part((0, 2))  # no neighbours
            assert env.turn == (0, 2) and agent_ids.tolist() == [*range(4), *range(8, 12)]
            assert (observations[:, 3] == agent_ids // 2).all()
            assert len(rewards) == len(masks) == len(env.action_masks) == 8
            env.send_part(50 + agent_ids)
        *_, agent_ids, _ = env.recv_part((0, 1))
        assert env.observations[:, 1].tolist() == [3] * 4 + [0] * 4
        assert env.observations[:, 2].tolist() == [50, 51, 52, 53] + [4] * 4
        env.send_part(agent_ids)
        first = env.recv_part((0, 2), count=1)[5]
        assert env.turn in ((0,), (2,)) and first.tolist() == list(range(*env.worker_rows[env.turn[0]]))
        assert (env.render() == 4).all()  # whatever is under way
        rows = env.num_agents
        env.step(np.arange(rows))  # whole batches again; in mode "async" of the first two
        env.settle()
        assert env.all_rows.observations[:, 1].tolist() == [5] * 4 + [2] * 4 + [4 if rows == 12 else 3] * 4
        env.recv_part((1,))
        env.send_part(np.zeros(4, int))
        assert env.reset(1)[0][:, 1].tolist() == [0] * rows


def test_who_overlaps_on_few_cores_polls_shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    from pufferbench.vector import multiprocessing

    monkeypatch.setattr(multiprocessing, "cores", lambda: 2)
    with Multiprocessing(Counter, 2, 2) as env:
        env.reset(0)
        asked = []
        tell = env._crew.tell
        monkeypatch.setattr(env._crew, "tell", lambda w, *rest: (asked.append((w, rest[0])), tell(w, *rest)))
        for _ in range(2):
            env.settle(overlap=True)  # three runners on two cores
            assert env._crew.poll_seconds == handshake.SHORT_POLL_SECONDS
            env.recv_part((0,))
            env.send_part(np.zeros(2, int))
        env.step(np.zeros(4, int))
        assert env._crew.poll_seconds == handshake.POLL_SECONDS
        assert asked == [(w, handshake.PATIENCE) for w in (0, 1, 0, 1)]  # only when it changes
        assert env.observations[:, 1].tolist() == [3, 3, 1, 1]
        monkeypatch.setattr(multiprocessing, "cores", lambda: 3)
        env.settle(overlap=True)
        assert env._crew.poll_seconds == handshake.POLL_SECONDS


def test_made_in_a_thread_that_ended() -> None:
    made: list[Multiprocessing] = []
    thread = threading.Thread(target=lambda: made.append(Multiprocessing(Counter, 2, 2)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    with made[0] as env:
        env.reset(0)
        assert env.step(env.actions)[0][0, 1] == 1


def test_respawn_gives_an_env_in_this_process() -> None:
    with Multiprocessing(Counter, 2, 2) as env, env.respawn(1) as view:
        assert view.num_envs == 1 and not isinstance(view, Multiprocessing)


def test_a_native_env_is_compiled_before_the_workers_start() -> None:
    from ocean_numba.cartpole import CartPole

    with (
        Multiprocessing(partial(CartPole, num_envs=8), 3, 2) as env,
        Serial(partial(CartPole, num_envs=8), 3) as serial,
    ):
        assert env.num_envs == env.num_agents == 24
        a, b = env.reset(5)[0], serial.reset(5)[0]
        for t in range(100):
            assert (a == b).all()
            actions = np.arange(24) * t % 2
            (a, *_, infos), (b, *_, right) = env.step(actions), serial.step(actions)
            assert list(infos) == list(right)
