"""Names for environments."""

import subprocess
import sys

import pytest

import pufferbench
from pufferbench import PufferEnv, registry


class Grid(PufferEnv):
    def __init__(self, num_envs=1, buf=None, size=5, wrap=False):
        super().__init__(buf)
        self.num_envs = self.num_agents = num_envs
        self.size, self.wrap = size, wrap
        self.observation_space = self.make_space((size,))
        self.action_space = self.make_discrete(2)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    registry.list_envs()  # entry points first, then work on a copy
    monkeypatch.setattr(registry, "_specs", dict(registry._specs))


def test_a_class_can_be_registered_and_made():
    pufferbench.register("test-grid", Grid, kwargs={"size": 7})
    env = pufferbench.make("test-grid", num_envs=3, wrap=True)
    assert (env.num_envs, env.size, env.wrap) == (3, 7, True)
    assert env.spec.id == "test-grid"
    assert pufferbench.make("test-grid", size=9).size == 9
    assert "test-grid" in pufferbench.list_envs("test-")


def test_an_entry_point_is_imported_only_when_made():
    pufferbench.register("test-lazy", "no_such_module_here:Env")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        pufferbench.make("test-lazy")


def test_respawn_gives_the_same_env_with_other_num_envs():
    pufferbench.register("test-grid", Grid)
    view = pufferbench.make("test-grid", num_envs=8, size=6).respawn()
    assert (view.num_envs, view.size) == (1, 6)
    with pytest.raises(TypeError, match=r"did not come from pufferbench.make"):
        Grid().respawn()


def test_a_bare_name_is_enough_when_it_is_the_only_one():
    pufferbench.register("test-labyrinth", Grid)
    assert pufferbench.make("labyrinth").spec.id == "test-labyrinth"
    pufferbench.register("other-labyrinth", Grid)
    with pytest.raises(registry.UnknownEnv, match="ambiguous: other-labyrinth, test-labyrinth"):
        pufferbench.make("labyrinth")


@pytest.mark.parametrize("name", ["ocean-braekout", "braekout"])
def test_an_unknown_name_says_the_nearest(name):
    with pytest.raises(registry.UnknownEnv, match="did you mean '.*breakout'"):
        pufferbench.make(name)


def test_an_unknown_option_says_the_nearest():
    pufferbench.register("test-grid", Grid)
    with pytest.raises(TypeError, match="no option 'siez'; did you mean 'size'"):
        pufferbench.make("test-grid", siez=3)


@pytest.mark.parametrize("entry_point", ["module", "module:", ":Name"])
def test_a_malformed_entry_point_is_refused(entry_point):
    with pytest.raises(ValueError, match="package.module:name"):
        pufferbench.register("test-bad", entry_point)
    with pytest.raises(TypeError, match="entry_point must be"):
        pufferbench.register("test-bad", 3)


def test_presets_name_existing_settings():
    for name in pufferbench.list_envs("ocean-"):
        preset = registry.spec(name).preset()
        assert set(preset) <= {"env", "policy", "train", "solve"} and preset, name


def test_listing_names_imports_no_game():
    code = (
        "import sys, pufferbench; pufferbench.list_envs(); "
        "print(sorted({'numba', 'torch', 'gymnasium', 'ocean_numba.breakout'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
