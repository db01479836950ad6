"""What a student may write by mistake, and the one sentence that says so."""

import numpy as np
import pytest
from ocean.student import NAMES, define

from ocean_numba import Box, Discrete, GameError, OceanEnv, f32, i32
from ocean_numba.cartpole import CartPole


def test_the_template_itself_is_right():
    env = define()()
    env.reset(0)
    assert env.step([0])[1][0] == 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            "s.x = s.y + 1.0\nreturn 1.0, False, False",
            r"State has no field 'y'.* it has x, n, m, episode_length \(step, line 13",
        ),
        ("s.x = np.random.rand()\nreturn 1.0, False, False", r"uses np\.random; use uniform\(s, low, high\)"),
        ("s.x = random.random()\nreturn 1.0, False, False", "Python's random module; use uniform"),
        (
            "a = [s.x, 1.0]\nreturn a[0], False, False",
            r"Game\.step makes a list; declare an array in State.*line 13",
        ),
        ("a = {1: s.x}\nreturn a[1], False, False", "makes a dict"),
        ("a = {s.x, 1.0}\nreturn 1.0, False, False", "makes a set"),
        ("a = f'{s.x}'\nreturn 1.0, False, False", "makes text"),
        ("a = lambda: 1.0\nreturn a(), False, False", "defines a function"),
        ("assert s.x < 5\nreturn 1.0, False, False", "has an assert"),
        ("print(s.x)\nreturn 1.0, False, False", 'only works in mode="python"'),
        ("a = np.zeros(3)\nreturn a[0], False, False", r"makes an array with np\.zeros"),
        (
            "return sorted((s.x, 1.0))[0], False, False",
            r"uses sorted\(\), which a compiled game does not have",
        ),
        ("return os.getpid(), False, False", "uses the module os: only math and numpy work"),
        ("return math.sine(s.x), False, False", "math.sine, which does not exist; did you mean 'sin'"),
        ("return SPED, False, False", "unknown name 'SPED'; did you mean 'SPEED'"),
        ("return LEVELS[0], False, False", "uses LEVELS, a list from outside; make it a tuple"),
        ("s.x += 0.1", "must return reward, terminated, truncated, but returns nothing"),
        ("return 1.0, False", "must return reward, terminated, truncated, but returns 2 values"),
        ("if s.x > 9:\n    return 1.0, False, False", "but returns nothing"),
        ("return s.x > 1, s.x, False", "True or False as terminated, not 0.0"),
        ("return None, False, False", "a number as reward, not None"),
        ("return math.nan * s.x, False, False", "a number as reward, not nan"),
        ("if s.x > 9: q = 1.0\nreturn q, False, False", "uses a variable before it has a value"),
        (
            "return 1.0 * (s.n - s.m - s.m), False, False",
            "0 - 1 of two unsigned numbers is below 0.*use a signed type",
        ),
        ("s.n += 200\nreturn 1.0, False, False", "does not fit into its field"),
        (
            "a = s if s.x > 9 else 1.0\nreturn 1.0, False, False",
            r"cannot be compiled: Cannot unify the game's state s",
        ),
    ],
)
def test_in_step(step, message):
    with pytest.raises(GameError, match=message) as caught:
        define(step=step, fields="m: u8", reset="s.x = 0.0; s.m = 1")().reset(0)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("observe", "message"),
    [
        ("obs[0] = s.x", r"Game\.observe leaves 1 of 2 elements unwritten, the first is obs\[1\]"),
        ("obs[:] = 0\nobs[2] = 1", r"index 2 is out of bounds for axis 0 with size 2 \(observe, line 16"),
        ("obs[0] = math.nan\nobs[1] = 0", r"writes nan into obs\[0\]"),
    ],
)
def test_in_observe(observe, message):
    with pytest.raises(GameError, match=message):
        define(observe=observe)().reset(0)


def test_the_line_itself_is_shown_where_there_is_source():
    class Game(CartPole):
        def step(s, action):
            s.x = s.speed + 1.0
            return 1.0, False, False

    with pytest.raises(GameError, match=r"no field 'speed'.*\(step, line \d+: s\.x = s\.speed \+ 1\.0\)"):
        Game().reset(0)


def test_in_a_helper_of_a_helper():
    namespace = dict(NAMES)
    exec("def inner(v):\n    return [v]\ndef outer(v):\n    return inner(v)[0]", namespace)
    with pytest.raises(GameError, match="inner makes a list"):
        define(step="return outer(s.x), False, False", outer=namespace["outer"])().reset(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"declaration": "metrics = ('m',)"}, r"metrics names 'm', which is no State field.*they are x, n"),
        ({"declaration": "metrics = 'x'"}, r"metrics is a string; write metrics = \('x',\)"),
        (
            {"declaration": "agents = 2"},
            r"agents = 2, so its step must have the form step\(s, actions, rewards, terminals\)",
        ),
        ({"declaration": "agents = 'a'"}, "agents = 'a' must name an integer Params field"),
        ({"declaration": "class Params:\n            k: i32"}, "Params.k has no default"),
        ({"declaration": "class Params:\n            k = 3"}, "Params.k has no type"),
        ({"declaration": "class Params:\n            x: i32 = 3"}, "'x' is a field of both State and Params"),
        ({"declaration": "class Params:\n            k: i32 = 0.5"}, "k must be an integer, not 0.5"),
        (
            {"declaration": "class Params:\n            k: f32.between(0, 1) = 1.5"},
            "k must be at most 1, not 1.5",
        ),
        ({"fields": "y: f32.at_least(0)"}, "State.y has a range; only Params fields do"),
        ({"fields": "y: boolean[4]"}, r"State.y is an array of booleans.*: use u8\[4\] with 0 and 1"),
        (
            {"fields": "y: float"},
            r"State.y is annotated <class 'float'>; use a type of ocean_numba such as f32",
        ),
        ({"fields": "rng: f32"}, "belongs to the framework"),
        ({"fields": "y: 'f33'"}, "'f33' is not defined; did you mean 'f32'"),
    ],
)
def test_in_declarations(arguments, message):
    with pytest.raises((GameError, TypeError, ValueError), match=message):
        define(**arguments)


@pytest.mark.parametrize("missing", ["reset", "step", "observe"])
def test_a_missing_function_is_named_when_the_class_is_defined(missing):
    body = {
        "observation": Box(0, 1, (1,), np.float32),
        "action": Discrete(2),
        "reset": lambda s: None,
        "step": lambda s, action: (1.0, False, False),
        "observe": lambda s, obs: None,
    }
    del body[missing]
    with pytest.raises(GameError, match=rf"Game has no function {missing}\(\.\.\.\)"):
        type("Game", (OceanEnv,), body)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("reset", lambda: None, r"reset\(\).*must have the form reset\(s\)"),
        (
            "step",
            lambda s: None,
            r"step\(s\).*step\(s, action\) or step\(s, actions, rewards, terminals\) or",
        ),
        ("observe", lambda s, i, obs: None, r"observe\(s, i, obs\).*must have the form observe\(s, obs\)"),
        ("draw", lambda s: None, r"draw\(s\).*must have the form draw\(s, canvas\)"),
        ("reset", 3, "reset must be a function, not 3"),
    ],
)
def test_wrong_arguments_are_named_when_the_class_is_defined(name, function, message):
    with pytest.raises(GameError, match=message):
        type("Game", (CartPole,), {name: function})


def test_a_class_without_a_game_says_so_when_made():
    class Empty(OceanEnv):
        pass

    with pytest.raises(GameError, match="Empty has no game in it"):
        Empty()


def test_a_game_may_be_a_variation_of_another():
    class Short(CartPole):
        class Params(CartPole.Params):
            max_steps: i32 = 3
            bonus: f32 = 2.0

        def step(s, action):
            return s.bonus, False, s.episode_length >= s.max_steps

    env = Short(bonus=4)
    env.reset(0)
    assert env.step([0])[1][0] == 4.0
    env.step([0])
    assert env.step([0])[3][0]
    assert CartPole().params == {"max_steps": 500}


def test_debug_mode_names_game_function_and_line():
    # After 40 steps: too late for the trial steps that run before compiling.
    game = define(step="s.n += 1; return 1.0, False, False", observe="obs[:] = 0\nobs[max(s.n - 60, 0)] = 1")
    env = game(3, mode="debug")
    env.reset(0)
    env.states["n"] = [0, 61, 0]
    states = env.states.copy()
    with pytest.raises(
        GameError, match=r"Game, game 1: index out of range: index 2 is out of bounds.*\(observe, line 16"
    ):
        env.step([0, 0, 0])
    assert (env.states == states).all()


def test_python_mode_lets_print_and_exceptions_through(capsys):
    env = define(step="print('x is', s.x); return 1.0, False, False")(mode="python")
    env.reset(0)
    env.step([0])
    assert capsys.readouterr().out == "x is 0.0\n"
    wrong = define(step="s.y = 1; return 1.0, False, False")(mode="python")
    wrong.reset(0)
    with pytest.raises(AttributeError, match="State has no field 'y'"):
        wrong.step([0])
