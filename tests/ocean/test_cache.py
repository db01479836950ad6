"""Kernels are compiled once per machine, whatever process, notebook or worker asks for them."""

import os
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import numpy as np
import pytest

from ocean_numba import Box, Discrete, OceanEnv, cache, f32
from ocean_numba import compile as compiler

GAME = """
    import numpy as np
    from ocean_numba import Box, Discrete, OceanEnv, f32, uniform

    STEP = 0.25
    def helper(value):
        return value * STEP

    class Walk(OceanEnv):
        observation = Box(-np.inf, np.inf, (1,), np.float32)
        action = Discrete(2)
        class State:
            x: f32
        def reset(s):
            s.x = uniform(s, -1.0, 1.0)
        def step(s, action):
            s.x += helper(action)
            return s.x, s.x > 1.0, False
        def observe(s, obs):
            obs[0] = s.x

"""
PLAY = """
    env = Walk(4)
    observations, _ = env.reset(1)
    env.step([0, 1, 0, 1])
    print(env.kernels.cache_hits, env.observations.tolist())
"""


def run(program, folder, **kwargs):
    """The last line that ``program`` prints in a new process with its kernel cache in ``folder``."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PUFFERBENCH_CACHE": str(folder)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        **kwargs,
    )
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return result.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache folder in which Walk was compiled by one process; what that process printed."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, run(GAME + PLAY, folder)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_second_process_compiles_nothing(warm):
    folder, first = warm
    before = files(folder)
    assert len(before) == 5  # the module, and index and machine code of step and reset
    second = run(GAME + PLAY, folder)
    assert first.startswith("0 ")
    assert second == "2" + first[1:]
    assert files(folder) == before


def test_a_class_that_came_by_cloudpickle_finds_it_too(warm, tmp_path):
    folder, first = warm
    dump = f"import cloudpickle; open({str(tmp_path / 'walk')!r}, 'wb').write(cloudpickle.dumps(Walk))"
    run(GAME + f"    {dump}\n    print()", folder)
    before = files(folder)
    # A notebook's global with the name of an attribute must not change the hash.
    load = f"import cloudpickle; x = 7; Walk = cloudpickle.load(open({str(tmp_path / 'walk')!r}, 'rb'))"
    assert run(f"    {load}\n{PLAY}", folder) == "2" + first[1:]
    assert files(folder) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STEP = 0.25", "STEP = 0.5"),
        ("value * STEP", "value + STEP"),
        ("x: f32", "x: f32; y: f32"),
        ("Discrete(2)", "Discrete(3)"),
    ],
)
def test_a_changed_game_is_compiled_anew(warm, old, new):
    folder, _ = warm
    program = GAME.replace(old, new) + PLAY
    assert old in GAME
    assert run(program, folder).startswith("0 ")
    assert run(program, folder).startswith("2 ")


def test_a_changed_comment_is_not(warm):
    folder, first = warm
    assert (
        run(GAME.replace("class State:", "# a comment\n\n        class State:") + PLAY, folder)
        == "2" + first[1:]
    )


def test_processes_that_start_together_agree(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        lines = list(pool.map(lambda _: run(GAME + PLAY, tmp_path)[1:], range(3)))
    assert len(set(lines)) == 1
    assert len(files(tmp_path)) == 5
    assert run(GAME + PLAY, tmp_path)[0] == "2"


def test_damaged_files_cost_time_not_the_game(warm, tmp_path):
    _, first = warm
    run(GAME + PLAY, tmp_path)
    for path in tmp_path.rglob("*.nb?"):
        path.write_bytes(b"damaged")
    program = "    import warnings\n    warnings.simplefilter('ignore')\n" + GAME + PLAY
    assert run(program, tmp_path)[1:] == first[1:]
    run(program, tmp_path)
    assert run(program, tmp_path) == "2" + first[1:]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_folder_is_private(tmp_path, monkeypatch):
    monkeypatch.setenv("PUFFERBENCH_CACHE", str(tmp_path / "a"))
    (tmp_path / "a" / "kernels").mkdir(parents=True, mode=0o777)
    folder = cache.cache_dir()
    assert folder == tmp_path / "a" / "kernels"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("PUFFERBENCH_CACHE", str(tmp_path / "file"))
    folder = cache.cache_dir()
    assert folder.is_dir()
    assert tmp_path not in folder.parents
    assert cache.cache_dir() == folder
    folder.rmdir()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        cache.write(tmp_path / "kernel.py", "text")
    assert list(tmp_path.iterdir()) == []


def test_cloudpickle_in_one_process_keeps_the_game():
    source = textwrap.dedent(GAME)
    namespace = {"__name__": "__main__"}
    exec(source, namespace)
    env = namespace["Walk"](3)
    env.reset(5)
    copy = cloudpickle.loads(cloudpickle.dumps(env))
    env.step([1, 1, 1])
    copy.step([1, 1, 1])
    np.testing.assert_array_equal(env.observations, copy.observations)


def test_a_kernel_from_the_cache_plays_as_one_fresh_from_the_compiler(tmp_path):
    """Bit for bit, on the game with the most arithmetic. Numba's fastmath broke this."""
    program = """
        import hashlib
        import numpy as np
        from ocean_numba.target import Target
        env = Target(num_envs=6, agents=3)
        env.reset(3)
        rng, digest = np.random.default_rng(0), hashlib.sha256()
        for _ in range(300):
            env.step(rng.integers(0, (9, 5), (18, 2), dtype=np.int32))
            digest.update(env.observations.tobytes())
        print(env.kernels.cache_hits, digest.hexdigest())
    """
    fresh, cached = run(program, tmp_path).split(), run(program, tmp_path).split()
    assert (fresh[0], cached[0]) == ("0", "2")
    assert fresh[1] == cached[1]


def test_a_game_that_makes_arrays_is_compiled_with_what_that_needs(tmp_path, monkeypatch):
    monkeypatch.setenv("PUFFERBENCH_CACHE", str(tmp_path))

    class Sorts(OceanEnv):
        observation = Box(0, 100, (3,), np.float32)
        action = Discrete(2)

        class State:
            board: f32[3]

        def reset(s):
            s.board[:] = 0.0

        def step(s, action):
            s.board[0] += 1.0
            s.board[:] = np.sort(s.board)  # a new array
            return 1.0, False, False

        def observe(s, obs):
            obs[:] = s.board

    for _ in range(2):
        env = Sorts(2)
        env.reset(0)
        env.step([0, 0])
        assert env.observations.tolist() == [[0, 0, 1]] * 2
        assert [file.stem.endswith("_allocates") for file in (tmp_path / "kernels").glob("sorts*.py")] == [
            True
        ]
        compiler._loaded.clear()  # as in another process
    assert env.kernels.cache_hits == 2
