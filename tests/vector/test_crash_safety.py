"""Whatever dies, hangs or is interrupted: a clear error, soon, and nothing is left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import workers
from vector_envs import Counter, Huge, naughty

from pufferbench.vector import Multiprocessing, WorkerError
from pufferbench.vector.errors import ArenaError, WorkerTimeout

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
    "PYTHONUNBUFFERED": "1",
}
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")


def start(code: str, **kwargs: Any) -> subprocess.Popen:
    """A program of its own, from standard input's point of view: ``python -c code``."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=ENVIRONMENT,
        **kwargs,
    )


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def shared_blocks() -> list[str]:
    """Our blocks in /dev/shm, of any kind."""
    shm = Path("/dev/shm")
    return [
        name for name in os.listdir(shm) if name.startswith(("pb-", "pufferbench", "psm_"))
    ] * shm.is_dir()


# -- the parent dies --------------------------------------------------------------------------------

PARENT = """
from functools import partial
from vector_envs import Counter, naughty
from pufferbench.vector import Multiprocessing
import psutil, time
env = Multiprocessing({creator}, 2, 2, arena_kind={kind!r})
env.reset(0)
env.step(env.actions)
print(*(child.pid for child in psutil.Process().children()), flush=True)
{then}
"""


@posix
@pytest.mark.parametrize(
    ("creator", "then"),
    [
        ("Counter", "time.sleep(60)"),  # workers sleep
        ("Counter", "while True: env.step(env.actions)"),  # workers poll and work
        ("naughty('hang', 2)", "env.step(env.actions)"),  # a worker is deep in an env
    ],
    ids=["idle", "at work", "in an env"],
)
@pytest.mark.parametrize("kind", [None, "posix"])
def test_parent_is_killed(creator: str, then: str, kind: str | None) -> None:
    parent = start(PARENT.format(creator=creator, kind=kind, then=then))
    assert parent.stdout is not None
    with parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        time.sleep(0.2)
        assert not shared_blocks()
        parent.kill()
        parent.wait()
        assert wait_for(lambda: all(map(is_gone, workers)), 2)
    assert not shared_blocks()


@posix
def test_a_program_that_forgets_to_close_ends_at_once() -> None:
    with start(PARENT.format(creator="Counter", kind=None, then="")) as parent:
        out, err = parent.communicate(timeout=20)
    assert parent.returncode == 0 and err == ""
    assert all(is_gone(int(pid)) for pid in out.split())


# -- a worker dies ----------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("kill", "was killed by SIGKILL, perhaps because memory ran out"),
        ("exit", "has ended by itself, with exit code 7"),
        ("crash", "was killed by SIGSEGV"),
    ],
)
@pytest.mark.parametrize("at", [-1, 0, 1], ids=["construction", "reset", "step"])
def test_worker_dies(deed: str, message: str, at: int) -> None:
    start = time.monotonic()
    env = None
    with pytest.raises(WorkerError, match=rf"worker [01] \(environments \d..\d\) {message}") as caught:
        env = Multiprocessing(naughty(deed, at, game=2), 4, 2)
        start = time.monotonic()
        env.reset(0)
        env.step(env.actions)
    assert time.monotonic() - start < (2 if at >= 0 else 20)  # with the start of two processes
    if at >= 0:
        assert (caught.value.worker, caught.value.envs) == (1, range(2, 4))
    if deed == "crash":
        assert "vector_envs.py" in caught.value.traceback  # where it was when it crashed
    if env is not None:
        with pytest.raises(WorkerError, match="make a new one"):  # and not a hang
            env.step(env.actions)
        with pytest.raises(WorkerError, match="make a new one"):
            env.reset()
        env.close()
        env.close()
    assert wait_for(lambda: not workers(), 2)


@posix
def test_worker_killed_between_two_steps() -> None:
    for nap in (0.0, 0.1):  # while it polls; while it sleeps
        env = Multiprocessing(Counter, 2, 2)
        env.reset(0)
        victim = env.call(1, "pid")
        time.sleep(nap)
        os.kill(victim, signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(WorkerError, match=rf"worker 1 .*SIGKILL.*process {victim}"):
            env.step(env.actions)
        assert time.monotonic() - start < 2
        env.close()


@posix
def test_worker_dies_in_async_mode() -> None:
    with Multiprocessing(naughty("kill", 3, game=0), 3, 3, mode="async", surplus_envs=1) as env:
        env.reset(0)
        start = time.monotonic()
        with pytest.raises(WorkerError, match="worker 0 .*SIGKILL"):
            while time.monotonic() - start < 10:
                env.step(env.actions)
        time.sleep(0.1)


# -- an exception in a worker -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "error"), [("raise", "KeyError: 'the dog ate it'"), ("sys.exit", "SystemExit: 3")]
)
@pytest.mark.parametrize("at", [-1, 0, 1], ids=["construction", "reset", "step"])
def test_exception_in_an_environment(deed: str, error: str, at: int) -> None:
    env = None
    with pytest.raises(WorkerError, match=r"worker [01] .*raised an exception:") as caught:
        env = Multiprocessing(naughty(deed, at, game=2), 4, 2)
        env.reset(0)
        env.step(env.actions)
    assert error in str(caught.value)
    assert "vector_envs.py" in caught.value.traceback and ", in do" in caught.value.traceback
    if env is not None:
        with env:
            with pytest.raises(RuntimeError, match=r"call reset\(\)"):
                env.step(env.actions)
            env.reset(99)  # the worker lives: a new beginning
            assert env.observations[:, 1].tolist() == [0] * 8


def test_worker_errors_can_be_pickled() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(WorkerTimeout(1, range(2, 4), "slept", "Traceback")))
    assert isinstance(error, TimeoutError) and str(error).startswith("worker 1 (environments 2..3) slept")
    assert str(WorkerError(1, range(2, 3), "slept")) == "worker 1 (environment 2) slept"


# -- a worker does not answer -----------------------------------------------------------------------


@pytest.mark.parametrize("at", [-1, 0, 1], ids=["construction", "reset", "step"])
def test_worker_hangs(at: int) -> None:
    start = time.monotonic()
    env = None
    with pytest.raises(WorkerTimeout, match=r"did not answer within 0\.\d s.*say timeout=") as caught:
        env = Multiprocessing(naughty("hang", at), 2, 2, timeout=60.0 if at >= 0 else 0.9)
        env.timeout = 0.3
        env.reset(0)
        env.step(env.actions)
    assert time.monotonic() - start < 10
    if hasattr(signal, "SIGUSR1") and at >= 0:
        assert "in do" in caught.value.traceback  # where it hangs
    if env is not None:
        start = time.monotonic()
        env.close()
        assert time.monotonic() - start < 5
    assert wait_for(lambda: not workers(), 2)


@posix
def test_worker_is_stopped() -> None:
    """Not even the question where it is gets an answer."""
    with Multiprocessing(Counter, 2, 2) as env:
        env.reset(0)
        os.kill(env.call(0, "pid"), signal.SIGSTOP)
        env.timeout = 0.3
        with pytest.raises(WorkerTimeout, match=r"worker 0 .*did not answer within 0\.3 s"):
            env.step(env.actions)


# -- interrupts -------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("after", ["step", "recv", "reset", "close"])
def test_interrupt_in_the_middle_of_recv(after: str) -> None:
    """To us and to the workers, as Ctrl-C in a terminal and Jupyter's interrupt send it."""
    env = Multiprocessing(naughty("slow", 1), 2, 2)
    env.reset(0)
    workers = [env.call(w, "pid") for w in (0, 1)]
    timer = threading.Timer(0.1, lambda: [os.kill(pid, signal.SIGINT) for pid in (*workers, os.getpid())])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        env.step(env.actions)
    timer.join()
    if after == "step":  # the step that was cut short ends; then comes another
        assert env.step(env.actions)[0][:, 1].tolist() == [2] * 4
    elif after == "recv":
        assert env.recv()[0][:, 1].tolist() == [1] * 4
    elif after == "reset":
        assert env.reset(1)[0][:, 1].tolist() == [0] * 4
        assert env.step(env.actions)[0][:, 2].tolist() == [1] * 4
    assert not any(map(is_gone, workers))
    env.close()
    assert all(map(is_gone, workers))


@posix
def test_interrupts_at_any_moment() -> None:
    """Many interrupts while infos arrive: nothing gets out of step."""
    with Multiprocessing(partial(Counter, 2, 1), 2, 2, timeout=10) as env:
        env.reset(0)
        stop = threading.Event()

        def interrupt() -> None:
            while not stop.wait(0.003):
                os.kill(os.getpid(), signal.SIGINT)

        main = threading.Thread(target=interrupt)
        interrupts, until = 0, time.monotonic() + 1.5
        try:
            main.start()
            while time.monotonic() < until:
                try:
                    infos = env.step(env.actions)[4]
                    assert [info["episode_return"] for info in infos] == [0, 1]
                except KeyboardInterrupt:
                    interrupts += 1
        finally:
            while True:
                try:
                    stop.set()
                    main.join()
                    break
                except KeyboardInterrupt:
                    interrupts += 1
        assert interrupts > 10
        env.reset(3)
        infos = env.step(env.actions)[4]
        assert env.observations[:, 1].tolist() == [1] * 4 and len(infos) == 2


@posix
def test_interrupt_while_workers_start() -> None:
    before = resources()
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        Multiprocessing(naughty("hang", -1), 2, 2)
    timer.join()
    assert resources() == before


@posix
def test_a_fork_of_us_leaves_the_workers_alone() -> None:
    """As DataLoaders and subprocess libraries make them: its exit must not close our env."""
    code = """
    import os
    from vector_envs import Counter
    from pufferbench.vector import Multiprocessing
    env = Multiprocessing(Counter, 2, 2)
    env.reset(0)
    if os.fork() == 0:
        raise SystemExit
    os.wait()
    print(env.step(env.actions)[0][0, 1])
    """
    with start(code) as program:
        out, err = program.communicate(timeout=20)
    assert out == "1.0\n", err


# -- nothing is left --------------------------------------------------------------------------------


def resources() -> tuple[int, int, int, list[str]]:
    gc.collect()
    process = psutil.Process()
    files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return len(process.children()), files, threading.active_count(), shared_blocks()


@pytest.mark.parametrize("cycles", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_many_cycles_leave_nothing(cycles: int) -> None:
    Multiprocessing(Counter, 2, 2).close()  # what is made once and kept
    before = resources()
    for _ in range(cycles):
        with Multiprocessing(Counter, 2, 2) as env:
            env.reset(0)
            env.step(env.actions)
            env.close()  # and once more by `with`
    del env
    assert resources() == before


def test_an_env_that_is_forgotten_is_closed() -> None:
    before = resources()
    env = Multiprocessing(Counter, 2, 2)
    env.reset(0)
    env = None  # type: ignore[assignment]
    assert resources() == before


def test_what_was_seen_stays_readable_after_close() -> None:
    env = Multiprocessing(Counter, 2, 2)
    seen, _ = env.reset(0)
    env.close()
    del env
    gc.collect()
    assert seen[:, 3].tolist() == [0, 0, 1, 1]


# -- where programs come from -----------------------------------------------------------------------

PROGRAM = """
import numpy as np
from pufferbench import PufferEnv
from pufferbench.vector import Multiprocessing

SIZE = 3

class Mine(PufferEnv):
    def __init__(self, buf=None):
        super().__init__(buf)
        self.observation_space, self.action_space = self.make_space((SIZE,)), self.make_discrete(2)
    def reset(self, seed=None):
        self.observations[:] = seed
        return self.observations, []
    def step(self, actions):
        self.observations[:] += SIZE
        return self.observations, self.rewards, self.terminals, self.truncations, []

print("once")
env = Multiprocessing(lambda: Mine(), 4, num_workers=2)
env.reset(5)
print(env.step(np.zeros(4, int))[0].sum())
env.close()
"""


@pytest.mark.parametrize("way", ["script", "stdin", "-c", "notebook"])
def test_classes_of_the_main_program(tmp_path: Path, way: str) -> None:
    """No ``if __name__ == "__main__"``, and the workers do not run the program again."""
    script = tmp_path / "my script.py"
    script.write_text(PROGRAM, encoding="utf-8")
    cell = f"from IPython.core.interactiveshell import InteractiveShell as S; S().run_cell({PROGRAM!r}).raise_error()"
    arguments = {"script": [str(script)], "stdin": ["-"], "-c": ["-c", PROGRAM], "notebook": ["-c", cell]}[
        way
    ]
    result = subprocess.run(
        [sys.executable, *arguments],
        input=PROGRAM if way == "stdin" else "",
        capture_output=True,
        encoding="utf-8",
        env={**ENVIRONMENT, "IPYTHONDIR": str(tmp_path)},
        cwd=tmp_path,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["once", str(4 * 3 * 8.0)]


def test_creators_that_cannot_be_sent() -> None:
    lock = threading.Lock()

    def creator() -> Counter:
        with lock:
            return Counter()

    with pytest.raises(TypeError, match=r"env_creator cannot be sent to worker processes.*lock"):
        Multiprocessing(creator, 2, 2)


def test_arrays_that_do_not_fit_into_memory() -> None:
    with pytest.raises(ArenaError, match=r"cannot get [\d,]+ MB of shared memory"):
        Multiprocessing(Huge, 2, 2)
