"""Spaces flattened to one array and back: the same sample, bit for bit, whatever the space."""

from __future__ import annotations

import copy
import os
import pickle
import string
import subprocess
import sys

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pufferbench.env import Buffers
from pufferbench.errors import InvalidAction
from pufferbench.spaces import FlatBox, flatten_actions, flatten_observations, layout_of

PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TYPES = ["bool", "float16", "float32", "float64"] + [f"{s}int{b}" for s in ("", "u") for b in (8, 16, 32, 64)]
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def boxes(draw):
    kind, shape = np.dtype(draw(st.sampled_from(TYPES))), draw(shapes)
    low, high = (0, 1) if kind.kind == "b" else (-7, 9) if kind.kind in "if" else (0, 200)
    return spaces.Box(low, high, shape, kind.type)


discretes = st.builds(spaces.Discrete, st.integers(1, 9), start=st.integers(-3, 3))
many_choices = st.builds(spaces.Discrete, st.just(2**40), start=st.integers(-3, 3))
nvecs = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.integers(1, 5), min_size=n, max_size=n), min_size=1)
)
multi_discretes = nvecs.map(lambda nvec: spaces.MultiDiscrete(np.array(nvec), start=np.full_like(nvec, 2)))
multi_binaries = st.builds(
    spaces.MultiBinary, st.integers(1, 4) | st.tuples(st.integers(1, 2), st.integers(1, 3))
)
texts = st.builds(
    spaces.Text,
    st.integers(1, 6),
    min_length=st.just(0),
    charset=st.sampled_from(["ab", string.printable, "αβγ"]),
)
large_texts = st.just(spaces.Text(3, charset="".join(map(chr, range(300)))))
keys = st.text(st.characters(codec="utf-8"), max_size=4)
stacked = st.builds(
    spaces.Sequence,
    boxes() | st.dictionaries(keys, boxes(), min_size=1, max_size=2).map(spaces.Dict),
    stack=st.just(True),
)


def nested(parts):
    return (
        st.dictionaries(keys, parts, max_size=3).map(spaces.Dict)
        | st.lists(parts, max_size=3).map(spaces.Tuple)
        | st.builds(spaces.Sequence, parts)
    )


leaves = boxes() | discretes | many_choices | multi_discretes | multi_binaries | texts | large_texts
any_space = st.recursive(leaves, nested, max_leaves=6) | stacked


def assert_same(left, right):
    """Equal to the last bit, and of the same types."""
    numpy = (np.ndarray, np.generic)  # Gymnasium samples a Box without shape as one or the other
    assert type(left) is type(right) or (isinstance(left, numpy) and isinstance(right, numpy))
    if isinstance(left, dict):
        assert list(left) == list(right)
        left, right = list(left.values()), list(right.values())
    if isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_same(a, b)
    elif isinstance(left, numpy):
        assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    else:
        assert left == right


def flatten(space, max_length=20):
    """Also those that would stay as they are."""
    return FlatBox(space, layout_of(space, max_length))


@PROPERTY
@given(any_space, st.integers(0, 1000))
def test_every_sample_comes_back_bit_for_bit(space, seed):
    space.seed(seed)
    flat = flatten(space)
    rows = np.zeros((3, *flat.shape), flat.dtype)
    write = flat.layout.writer(rows[1])
    for _ in range(3):
        sample = flat.layout.shorten(space.sample())
        write(sample)  # over the one before
        assert_same(flat.layout.read(rows[1]), sample)
    fresh = np.zeros(flat.shape, flat.dtype)
    flat.layout.write(sample, fresh)
    assert (fresh.view(np.uint8) == rows[1].view(np.uint8)).all(), "something of an earlier sample is left"
    assert not rows[[0, 2]].any()
    assert flat.contains(flat.sample())


@PROPERTY
@given(any_space)
def test_every_part_can_be_seen_in_place(space):
    """Aligned: each number lies at a multiple of its own size, in every row (torch asks for that)."""
    flat = flatten(space)

    def check(dtype, offset):
        if dtype.subdtype:
            base, shape = dtype.subdtype
            for index in range(int(np.prod(shape))):
                check(base, offset + index * base.itemsize)
        elif dtype.kind == "V":
            for name in dtype.names:
                check(dtype.fields[name][0], offset + dtype.fields[name][1])
        else:
            assert offset % dtype.itemsize == 0
            assert flat.layout.size % dtype.itemsize == 0

    check(flat.layout.dtype, 0)


@PROPERTY
@given(any_space)
def test_a_flat_space_can_be_copied_and_compared(space):
    flat = flatten(space)
    assert pickle.loads(pickle.dumps(flat)) == flat == copy.deepcopy(flat)
    assert flat != flatten(spaces.Tuple((space,)))
    assert flat != spaces.Box(0, 255, flat.shape, np.uint8)
    assert spaces.Box(0, 255, flat.shape, np.uint8) != flat


@PROPERTY
@given(
    st.recursive(
        boxes() | discretes | multi_discretes | multi_binaries,
        lambda parts: (
            st.dictionaries(keys, parts, min_size=1, max_size=3).map(spaces.Dict)
            | st.lists(parts, min_size=1, max_size=3).map(spaces.Tuple)
        ),
        max_leaves=5,
    ),
    st.integers(0, 1000),
)
def test_every_flat_action_is_one_of_the_env(space, seed):
    flat, unflatten = flatten_actions(space)
    assert isinstance(flat, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete))
    if len(flat.shape) == 1 and flat.shape != (0,):
        flat.seed(seed)
        row = np.asarray(flat.sample())
        action = unflatten(row)
        assert space.contains(action), (row, action)
        assert_same(pickle.loads(pickle.dumps(unflatten))(row), action)
        assert not any(np.shares_memory(leaf, row) for leaf in arrays(action))


def arrays(action):
    if isinstance(action, dict):
        action = tuple(action.values())
    if isinstance(action, tuple):
        return [leaf for part in action for leaf in arrays(part)]
    return [action] if isinstance(action, np.ndarray) else []


# -- what becomes of which space ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "flat"),
    [
        (spaces.Box(-1, 1, (2, 2), np.float16), spaces.Box(-1, 1, (2, 2), np.float16)),
        (spaces.Discrete(4), spaces.Discrete(4)),
        (spaces.Discrete(4, start=2), spaces.Discrete(4)),
        (spaces.MultiDiscrete([2, 3], start=[1, 0]), spaces.MultiDiscrete([2, 3])),
    ],
)
def test_arrays_stay_plain_and_count_from_zero(space, flat):
    found = flatten_observations(space)
    assert found == flat
    assert not isinstance(found, FlatBox)


def test_float32_parts_become_one_float32_box_with_their_bounds():
    source = spaces.Dict(
        position=spaces.Box(np.float32([-1, -2]), np.float32([1, 2])),
        rest=spaces.Tuple((spaces.Box(0, np.inf),)),
    )
    flat = flatten_observations(source)
    assert (flat.dtype, flat.low.tolist(), flat.high.tolist()) == (np.float32, [-1, -2, 0], [1, 2, np.inf])
    row = np.zeros(3, np.float32)
    flat.layout.write({"position": [0.5, 1.5], "rest": ([7],)}, row)
    assert row.tolist() == [0.5, 1.5, 7]


def test_other_parts_become_bytes_and_are_found_by_name():
    flat = flatten_observations(spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(-1, 1, (), np.float64)))
    assert (flat.dtype, flat.shape) == (np.uint8, (16,))
    row = np.zeros(16, np.uint8)
    flat.layout.write({"a": 2, "b": 0.5}, row)
    assert (row.view(flat.layout.dtype)["a"], row.view(flat.layout.dtype)["b"]) == (2, 0.5)


def test_rows_go_into_the_buffers():
    flat = flatten_observations(spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(-1, 1, (), np.float64)))
    buffers = Buffers.allocate(3, flat, spaces.Discrete(2))
    flat.layout.write({"a": 1, "b": -1.0}, buffers.observations[2])
    assert flat.layout.read(buffers.observations[2]) == {"a": 1, "b": -1.0}


def test_characters_are_numbers_in_alphabetical_order():
    flat = flatten_observations(spaces.Text(4, charset="cab"))
    row = np.full(4, 9, np.uint8)
    flat.layout.write("bac", row)
    assert row.tolist() == [2, 1, 3, 0]


def test_characters_have_the_same_numbers_in_every_process():
    program = (
        "from gymnasium import spaces; from pufferbench.spaces import layout_of;"
        "print(layout_of(spaces.Text(3, charset=frozenset('xyzab'))).characters)"
    )
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PATH": "", "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")}
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert out.stdout.strip() == "abxyz", out.stderr


class Mission(spaces.Space):
    """Texts of any length, as Minigrid's."""

    def __init__(self):
        super().__init__(dtype=str)

    def sample(self, mask=None, probability=None):
        return "go to the red door"

    def contains(self, x):
        return isinstance(x, str)


def test_texts_of_a_space_of_their_own_need_a_bound():
    space = spaces.Dict(mission=Mission())
    with pytest.raises(TypeError, match=r"the part \['mission'\] of the space.*has no bound.*max_length=100"):
        flatten_observations(space)
    flat = flatten_observations(space, max_length=30)
    row = np.zeros(30, np.uint8)
    flat.layout.write(space.sample(), row)
    assert flat.layout.read(row) == space.sample()
    with pytest.raises(ValueError, match=r"the text at \['mission'\] has 31 characters, more than 30"):
        flat.layout.write({"mission": "x" * 31}, row)
    with pytest.raises(ValueError, match="has the character 'é', which is not in its character set"):
        flat.layout.write({"mission": "é"}, row)


def test_a_sequence_needs_a_bound_and_keeps_to_it():
    space = spaces.Tuple((spaces.Sequence(spaces.Discrete(5)),))
    with pytest.raises(
        TypeError, match=r"the part \[0\] of the space, Sequence.*has no bound.*max_length=16"
    ):
        flatten_observations(space)
    flat = flatten_observations(space, max_length=2)
    row = np.zeros(flat.shape, np.uint8)
    flat.layout.write(((4, 3),), row)
    assert row.view(np.int32).tolist() == [2, 4, 3]
    flat.layout.write(((1,),), row)
    assert row.view(np.int32).tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match=r"the sequence at \[0\] has 3 items, more than max_length=2"):
        flat.layout.write(((1, 1, 1),), row)


@pytest.mark.parametrize("bad", [0, -1, 2.5, "many"])
def test_an_impossible_bound(bad):
    with pytest.raises(ValueError, match="max_length must be a whole number"):
        flatten_observations(spaces.Discrete(2), max_length=bad)


@pytest.mark.parametrize(
    "part", [spaces.Graph(spaces.Box(0, 1), None), spaces.OneOf((spaces.Discrete(2), spaces.Box(0, 1)))]
)
def test_spaces_that_cannot_be_flattened_are_named_with_their_place(part):
    with pytest.raises(
        TypeError, match=rf"the part \['a'\]\[0\] of the space, {type(part).__name__}.*with a wrapper"
    ):
        flatten_observations(spaces.Dict(a=spaces.Tuple((part,))), max_length=5)
    with pytest.raises(TypeError, match=rf"the action space has at \[0\] {type(part).__name__}"):
        flatten_actions(spaces.Tuple((part,)))


# -- actions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "flat", "row", "action"),
    [
        (spaces.Discrete(3, start=5), spaces.Discrete(3), 2, 7),
        (spaces.Discrete(3, dtype=np.uint8), spaces.Discrete(3), 2, np.uint8(2)),
        (
            spaces.MultiDiscrete([[2, 3], [4, 5]]),
            spaces.MultiDiscrete([2, 3, 4, 5]),
            [1, 2, 3, 4],
            [[1, 2], [3, 4]],
        ),
        (spaces.MultiBinary((1, 2)), spaces.MultiDiscrete([2, 2]), [0, 1], np.array([[0, 1]], np.int8)),
    ],
)
def test_choices_arrive_as_the_env_counts_them(space, flat, row, action):
    found, unflatten = flatten_actions(space)
    assert found == flat
    assert_same(
        unflatten(np.array(row)),
        np.array(action)
        if isinstance(action, list)
        else np.dtype(space.dtype).type(action)
        if np.ndim(action) == 0
        else action,
    )


def test_choices_of_several_parts_lie_side_by_side():
    space = spaces.Dict(
        jump=spaces.Discrete(2), legs=spaces.Tuple((spaces.MultiDiscrete([3, 4]), spaces.MultiBinary(2)))
    )
    flat, unflatten = flatten_actions(space)
    assert flat == spaces.MultiDiscrete([2, 3, 4, 2, 2])
    action = unflatten(np.array([1, 2, 3, 0, 1]))
    assert action["jump"] == 1
    assert [part.tolist() for part in action["legs"]] == [[2, 3], [0, 1]]
    with pytest.raises(InvalidAction, match=r"\[1 3 0 0 0\] is not in MultiDiscrete"):
        unflatten(np.array([1, 3, 0, 0, 0]))


def test_boxes_lie_side_by_side_with_their_bounds():
    space = spaces.Tuple((spaces.Box(-2, 3, (2,), np.float64), spaces.Box(0, 9, (1,), np.int8)))
    flat, unflatten = flatten_actions(space)
    assert flat == spaces.Box(np.float32([-2, -2, 0]), np.float32([3, 3, 9]))
    floats, integers = unflatten(np.float32([0.5, 3, 8.6]))
    assert_same(floats, np.array([0.5, 3.0]))
    assert_same(integers, np.array([9], np.int8))


def test_of_choices_beside_boxes_the_largest_number_wins():
    space = spaces.Dict(steer=spaces.Box(-1, 1, (1,)), gear=spaces.Discrete(3, start=1))
    flat, unflatten = flatten_actions(space)
    assert flat.shape == (4,) and np.isinf(flat.high).sum() == 3  # a bound would make many of them equal
    gear_first = list(space.spaces) == ["gear", "steer"]
    row = np.float32([-3, 9, 4, 0.25] if gear_first else [0.25, -3, 9, 4])
    action = unflatten(row)
    assert (action["steer"].tolist(), action["gear"]) == ([0.25], 2)


@pytest.mark.parametrize("number", [-1, 3])
def test_a_choice_that_there_is_not(number):
    with pytest.raises(InvalidAction, match=f"the action {number} is not in Discrete"):
        flatten_actions(spaces.Discrete(3))[1](np.array(number))


def test_nothing_to_choose():
    with pytest.raises(TypeError, match="nothing to choose"):
        flatten_actions(spaces.Tuple(()))
