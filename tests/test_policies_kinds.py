"""The policies for pictures, parts and entities: what they see, that all of them is used, that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from pufferbench import PuffeRL, policies
from pufferbench.policies import CNN, MLP, Attention, MultiInput, ResidualMLP, check_outputs
from pufferbench.policies.pictures import Picture, looks_like_picture
from pufferbench.spaces import flatten_observations
from tests.envs import TestEnv

ACTIONS = [
    spaces.Discrete(3),
    spaces.MultiDiscrete([2, 3]),
    spaces.Box(-2, 2, (2,)),
]
MANY_PARTS = flatten_observations(
    spaces.Dict(
        camera=spaces.Tuple([spaces.Box(0, 255, (9, 7, 3), np.uint8), spaces.Box(0, 4, (5, 5), np.uint8)]),
        speed=spaces.Box(-300, 300, (2,)),
        kind=spaces.Discrete(3),
        words=spaces.Text(2, charset="ab"),
    )
)


def pixels(*shape):
    return spaces.Box(0, 255, shape, np.uint8)


CASES = {
    "CNN": [
        (CNN, space, {"architecture": architecture, "hidden_size": 16})
        for architecture in ("nature", "impala")
        for space in (pixels(37, 44, 4), pixels(3, 37, 61), pixels(11, 11), pixels(1, 1), pixels(2, 17, 9, 3))
    ],
    "ResidualMLP": [
        (ResidualMLP, space, {"hidden_size": 16, "blocks": 3})
        for space in (spaces.Box(-1, 1, (5,)), spaces.Discrete(4), MANY_PARTS)
    ],
    "MultiInput": [
        (MultiInput, space, {"hidden_size": 16})
        for space in (
            MANY_PARTS,
            pixels(8, 8),
            spaces.Box(-1, 1, (4,)),
            spaces.Discrete(4),
            flatten_observations(spaces.Dict(a=pixels(4, 4), b=pixels(3, 9, 9))),
            flatten_observations(spaces.Tuple([spaces.Box(0, 1, (3, 5)), spaces.Box(-9, 9, (1,))])),
        )
    ],
    "Attention": [
        (Attention, space, {"hidden_size": 16, "num_heads": 2})
        for space in (spaces.Box(-np.inf, np.inf, (7, 3)), spaces.Box(-1, 1, (1, 1)))
    ],
    "MLP": [(MLP, spaces.Box(-1, 1, (4,)), {"hidden_size": 16})],
}
ALL = [case for cases in CASES.values() for case in cases]


def observations_of(space, rows=6):
    space.seed(1)
    return torch.from_numpy(np.stack([space.sample() for _ in range(rows)]))


@pytest.mark.parametrize("action_space", ACTIONS, ids=lambda space: type(space).__name__)
@pytest.mark.parametrize(
    ("kind", "space", "arguments"), ALL, ids=lambda part: getattr(part, "__name__", None)
)
def test_shapes_and_gradients(kind, space, arguments, action_space):
    torch.manual_seed(0)
    policy = kind(space, action_space, **arguments)
    observations = observations_of(space)
    if hasattr(policy, "update_statistics"):
        policy.update_statistics(observations)
    outputs = policy(observations)
    check_outputs(outputs, action_space, len(observations))
    check_outputs(policy(observations[:1]), action_space, 1)
    check_outputs(policy(observations[:0]), action_space, 0)
    assert policy.encode(observations).shape == (len(observations), policy.hidden_size)
    logits, value = outputs
    parts = [logits.loc, logits.scale] if hasattr(logits, "loc") else logits
    (sum(part.square().sum() for part in parts) + value.square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in policy.parameters())


@pytest.mark.parametrize("name", CASES)
def test_every_policy_has_a_name_and_can_be_made_again(name):
    for kind, space, arguments in CASES[name]:
        policy = policies.make(name, space, ACTIONS[0], **arguments)
        assert type(policy) is kind
        assert policies.name_of(policy) == name
        assert {**policy.arguments, **arguments} == policy.arguments
        again = policies.make(name, space, ACTIONS[0], **policy.arguments)
        again.load_state_dict(policy.state_dict())
        observations = observations_of(space)
        assert torch.equal(again(observations)[0], policy(observations)[0])


@pytest.mark.parametrize(
    ("kind", "space", "arguments"), ALL, ids=lambda part: getattr(part, "__name__", None)
)
def test_nothing_stays_behind_on_the_cpu(kind, space, arguments):
    """On torch's "meta" device tensors have no numbers, but two devices in one sum are an error, as on a GPU."""
    policy = kind(space, ACTIONS[2], **arguments).to("meta")
    dtype = getattr(torch, np.dtype(space.dtype if isinstance(space, spaces.Box) else np.int32).name)
    normal, value = policy(torch.zeros(6, *space.shape, dtype=dtype, device="meta"))
    assert normal.loc.device == normal.scale.device == value.device == torch.device("meta")
    (normal.loc.sum() + normal.scale.sum() + value.sum()).backward()


# -- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((5, 7), (1, 5, 7)),
        ((3, 84, 84), (3, 84, 84)),
        ((84, 84, 3), (3, 84, 84)),
        ((16, 4, 4), (16, 4, 4)),  # more channels than pixels in a row
        ((4, 4, 16), (16, 4, 4)),
        ((64, 96, 3), (3, 64, 96)),
        ((3, 64, 96), (3, 64, 96)),
        ((2, 2, 2), (2, 2, 2)),
        ((4, 84, 84), (4, 84, 84)),
        ((4, 84, 84, 3), (12, 84, 84)),
        ((4, 3, 84, 84), (12, 84, 84)),
    ],
)
def test_where_the_channels_are(shape, size):
    picture = Picture(pixels(*shape))
    assert (picture.channels, picture.height, picture.width) == size
    seen = picture(torch.zeros(2, *shape, dtype=torch.uint8))
    assert seen.shape == (2, *size)


def test_channels_last_stays_the_same_picture():
    first = torch.randint(0, 255, (2, 3, 6, 6), dtype=torch.uint8)
    expected = Picture(pixels(3, 6, 6))(first)
    assert torch.equal(Picture(pixels(6, 6, 3))(first.permute(0, 2, 3, 1)), expected)
    stacked = Picture(pixels(2, 6, 6, 3))(torch.stack([first, first], 1).permute(0, 1, 3, 4, 2))
    assert torch.equal(stacked, torch.cat([expected, expected], 1))


@pytest.mark.parametrize(
    ("space", "value", "seen"),
    [
        (pixels(2, 2), 51, [0.2]),
        (spaces.Box(0, 4, (2, 2), np.uint8), 3, [0, 0, 0, 1, 0]),
        (spaces.Box(-1, 1, (2, 2), np.int8), -1, [1, 0, 0]),
        (spaces.Box(0, 1, (2, 2), np.uint8), 1, [1]),
        (spaces.Box(0, 1, (2, 2), np.bool_), True, [1]),
        (spaces.Box(0, 40, (2, 2), np.int16), 10, [0.25]),
        (spaces.Box(-1, 1, (2, 2), np.float32), -0.5, [-0.5]),
        (spaces.Box(-10, 30, (2, 2), np.float32), 0, [0.25]),
        (spaces.Box(-np.inf, np.inf, (2, 2), np.float32), -7, [-7]),
        (spaces.Box(5, 5, (2, 2), np.float32), 5, [0]),
    ],
)
def test_how_pictures_become_numbers(space, value, seen):
    observation = torch.from_numpy(np.full((1, 2, 2), value, space.dtype))
    found = Picture(space)(observation)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0, :, 1, 0], seen, atol=1e-6)


@pytest.mark.parametrize(
    "space", [spaces.Box(-1, 1, (4,)), spaces.Discrete(4), MANY_PARTS, spaces.Box(0, 1, (0, 3))]
)
def test_what_is_no_picture(space):
    with pytest.raises(TypeError, match=r"a picture is a Box|nothing to see"):
        CNN(space, ACTIONS[0])


@pytest.mark.parametrize("architecture", ["natural", "", None])
def test_unknown_architectures(architecture):
    with pytest.raises(ValueError, match="'nature', 'impala'"):
        CNN(pixels(8, 8), ACTIONS[0], architecture=architecture)


def test_nature_is_that_of_the_paper():
    policy = CNN(pixels(4, 84, 84), spaces.Discrete(4), hidden_size=512)
    shapes = [tuple(p.shape) for name, p in policy.layers.named_parameters() if "weight" in name]
    assert shapes == [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3), (512, 3136)]


def test_impala_is_that_of_the_paper():
    """15 convolutions; 84 x 84 becomes 11 x 11 of 32."""
    policy = CNN(pixels(84, 84, 4), spaces.Discrete(4), architecture="impala")
    weights = [p for p in policy.layers.parameters() if p.ndim > 1]
    assert [w.ndim for w in weights] == [4] * 15 + [2]
    assert weights[-1].shape == (256, 32 * 11 * 11)


# -- parts --------------------------------------------------------------------------------------


def test_which_parts_are_pictures():
    policy = MultiInput(MANY_PARTS, ACTIONS[0])
    assert policy.picture_keys == [("camera", 0), ("camera", 1)]
    assert policy.other_keys == [("speed",), ("kind",), ("words",)]
    assert not looks_like_picture(spaces.Box(-np.inf, np.inf, (5, 4)))  # entities and their features
    assert not looks_like_picture(spaces.Box(0, 1, (2, 9)))
    assert not looks_like_picture(
        spaces.Box(np.zeros((3, 3), np.float32), np.arange(1, 10, dtype=np.float32).reshape(3, 3))
    )


def test_each_part_matters():
    policy = MultiInput(MANY_PARTS, spaces.Discrete(3))
    sample = MANY_PARTS.layout.read(MANY_PARTS.sample())
    base = {
        **sample,
        "camera": tuple(np.zeros_like(p) for p in sample["camera"]),
        "kind": 0,
        "words": "a",
        "speed": np.zeros(2, np.float32),
    }
    changes = [
        {"camera": (base["camera"][0] + 200, base["camera"][1])},
        {"camera": (base["camera"][0], base["camera"][1] + 2)},
        {"kind": 2},
        {"words": "b"},
        {"speed": np.float32([100, 0])},
    ]
    rows = np.zeros((6, *MANY_PARTS.shape), np.uint8)
    for row, change in zip(rows, [{}, *changes], strict=True):
        MANY_PARTS.layout.write({**base, **change}, row)
    _, value = policy(torch.from_numpy(rows))
    assert (value[1:] - value[0]).abs().min() > 1e-5


# -- entities -----------------------------------------------------------------------------------


def test_the_order_of_entities_makes_no_difference():
    policy = Attention(spaces.Box(-9, 9, (5, 3)), spaces.Discrete(4))
    observations = observations_of(spaces.Box(-9, 9, (5, 3)), 20)
    policy.update_statistics(observations)
    logits, value = policy(observations)
    shuffled = policy(observations[:, [3, 1, 4, 0, 2]])
    torch.testing.assert_close(shuffled[0], logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(shuffled[1], value, atol=1e-5, rtol=1e-4)
    assert value.std() > 0.01


def test_entities_share_their_statistics():
    policy = Attention(spaces.Box(-np.inf, np.inf, (2, 3)), spaces.Discrete(4))
    observations = torch.randn(500, 2, 3) * torch.tensor([1.0, 10.0, 100.0]) + 5
    policy.update_statistics(observations)
    torch.testing.assert_close(policy.observation_mean, observations.mean((0, 1)), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("space", [spaces.Box(0, 1, (4,)), spaces.Discrete(3), MANY_PARTS, pixels(2, 3, 4)])
def test_what_is_no_list_of_entities(space):
    with pytest.raises(TypeError, match=r"\[entities, features\]"):
        Attention(space, ACTIONS[0])


def test_heads_divide_the_width():
    with pytest.raises(ValueError, match="hidden_size 10 is not a multiple of num_heads 4"):
        Attention(spaces.Box(0, 1, (4, 2)), ACTIONS[0], hidden_size=10)


# -- heads --------------------------------------------------------------------------------------


def test_deviations_may_depend_on_the_state():
    space, box = spaces.Box(-1, 1, (4,)), spaces.Box(-2, 2, (2,))
    fixed, free = MLP(space, box), MLP(space, box, log_std="state")
    assert free.arguments == {"hidden_size": 128, "log_std": "state"}
    assert not hasattr(free, "log_std")
    with torch.no_grad():
        free.heads.weight.normal_()
    observations = observations_of(space)
    assert (fixed(observations)[0].scale == 2).all()
    scale = free(observations)[0].scale
    assert (scale[0] != scale[1]).all()
    assert scale.min() > 0
    with pytest.raises(ValueError, match="for actions that are a Box, not Discrete"):
        MLP(space, spaces.Discrete(2), log_std="state")
    with pytest.raises(ValueError, match="did you mean 'state'"):
        MLP(space, box, log_std="states")


# -- through the trainer ------------------------------------------------------------------------


class Riddle(TestEnv):
    """Which of three answers is in the observation? Right ones earn 1, eight times an episode."""

    def __init__(self, space, show, num_envs=32):
        super().__init__(num_envs)
        self.observation_space, self.show = space, show
        self.action_space = spaces.Discrete(3)

    def look(self):
        self.answer = self.generator.integers(3, size=self.num_envs)
        for row, answer in zip(self.observations, self.answer, strict=True):
            self.show(self.generator, answer, row)

    def earn(self):
        self.rewards[:] = self.actions == self.answer


def bright_column(generator, answer, row):
    row[:] = generator.integers(0, 60, row.shape)
    row[:, 2 * answer : 2 * answer + 2] += 100


def part(generator, answer, row):
    picture = np.zeros((5, 5), np.float32)
    picture[:, generator.integers(5)] = answer != 0
    PARTS.layout.write({"picture": picture, "number": [answer == 1]}, row)


def marked_entity(generator, answer, row):
    """The kind of the one that is marked, wherever it is."""
    row[:] = generator.normal(size=row.shape)
    row[:, 0] = 0
    who = generator.integers(len(row))
    row[who, 0], row[who, 1] = 1, (answer - 1) * 2


def largest(generator, answer, row):
    row[:] = generator.normal(size=row.shape)
    row[answer] = np.abs(row).max() + 0.5


PARTS = flatten_observations(
    spaces.Dict(picture=spaces.Box(0, 1, (5, 5)), number=spaces.Box(-9, 9, (1,), np.int8))
)
RIDDLES = {
    "CNN": (pixels(6, 6), bright_column),
    "MultiInput": (PARTS, part),
    "Attention": (spaces.Box(-np.inf, np.inf, (4, 2)), marked_entity),
    "ResidualMLP": (spaces.Box(-np.inf, np.inf, (3,)), largest),
}


@pytest.mark.learn
@pytest.mark.parametrize("name", RIDDLES)
def test_it_learns(name):
    space, show = RIDDLES[name]
    trainer = PuffeRL(
        Riddle(space, show),
        policy=name,
        seed=1,
        total_timesteps=16_000,
        batch_size=1024,
        minibatch_size=256,
        learning_rate=3e-3,
        gamma=0.0,  # each question is for itself
    )
    assert policies.name_of(trainer.policy) == name
    assert trainer.learner.name == "autograd"
    records = list(trainer.steps())
    assert records[0]["episode_return"] < 5  # of 8; a guess is right in 2.7
    assert records[-1]["episode_return"] > 7.2


@pytest.mark.parametrize("name", RIDDLES)
def test_checkpoints_know_their_policy(name, tmp_path):
    space, show = RIDDLES[name]
    trainer = PuffeRL(Riddle(space, show, 4), policy=name, bptt_horizon=8, total_timesteps=32)
    list(trainer.steps())
    path = trainer.save_checkpoint(tmp_path / "it")
    loaded = policies.load(path, trainer.env.observation_space, trainer.env.action_space)
    assert policies.name_of(loaded) == name
    assert all(
        torch.equal(loaded.state_dict()[key], value) for key, value in trainer.policy.state_dict().items()
    )
