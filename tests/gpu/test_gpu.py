"""What only a machine with a GPU can show: training there, the same as on the CPU, and how fast.

pytest -m gpu        writes tests/gpu/RESULTS.md
"""

from __future__ import annotations

import pytest
import torch

from pufferbench import PuffeRL
from pufferbench.bench_device import train_for
from pufferbench.policies import CNN
from tests.envs import Aim, Bandit, Truncated
from tests.test_policies_kinds import RIDDLES, Riddle, pixels
from tests.training import run, same, weights

pytestmark = pytest.mark.gpu
CUDA = "cuda"
SIZES = {"bptt_horizon": 16, "minibatch_size": 64, "total_timesteps": 10**6}


@pytest.mark.parametrize("name", [*RIDDLES, "LSTM", "GRU"])
def test_it_learns_on_the_gpu(name, result):
    space, show = RIDDLES.get(name, RIDDLES["ResidualMLP"])
    trainer = PuffeRL(
        Riddle(space, show),
        policy=name,
        device=CUDA,
        seed=1,
        total_timesteps=32_000,
        batch_size=1024,
        minibatch_size=256,
        gamma=0.0,
    )
    records = list(trainer.steps())
    result(f"{name}: return before and after 32,000 steps, of 8", f"{records[0]['episode_return']:.1f} to "
           f"{records[-1]['episode_return']:.1f}")  # fmt: skip
    assert records[0]["episode_return"] < 5
    assert records[-1]["episode_return"] > 7


@pytest.mark.parametrize("env", [Bandit, Aim, Truncated])
@pytest.mark.parametrize("policy", ["MLP", "LSTM"])
def test_cpu_and_gpu_agree(env, policy, result):
    """The same seed gives the same start and the same noise: after two updates the weights differ by rounding."""
    cpu, gpu = (PuffeRL(env(), policy, device=d, learner="autograd", **SIZES) for d in ("cpu", CUDA))
    left, right = run(cpu, 2), run(gpu, 2)
    for name, weight in weights(cpu).items():
        other = gpu.policy.state_dict()[name].cpu()
        torch.testing.assert_close(
            other, weight, rtol=1e-2, atol=2e-3, msg=lambda text, n=name: f"{n}: {text}"
        )
    for name in ("policy_loss", "value_loss", "entropy"):
        assert right[name] == pytest.approx(left[name], rel=2e-2, abs=1e-3)
    far = max(
        float((gpu.policy.state_dict()[n].cpu() - w).abs().max())
        for n, w in weights(cpu).items()
        if w.is_floating_point()
    )
    result(
        f"{env.__name__}, {policy}: largest difference of a weight to the CPU's after two updates",
        f"{far:.1e}",
    )


def test_the_same_seed_gives_the_same_run_on_the_gpu():
    first, second = (PuffeRL(Bandit(), "MLP", device=CUDA, **SIZES) for _ in range(2))
    run(first, 3)
    run(second, 3)
    assert same(weights(first), weights(second))


def test_there_and_back_again():
    trainer = PuffeRL(Bandit(), "LSTM", **SIZES)
    for device in (CUDA, "cpu", CUDA):
        trainer.request(device=device)
        run(trainer, 1)
        assert {p.device.type for p in trainer.policy.parameters()} == {torch.device(device).type}


def test_a_checkpoint_of_the_gpu_is_good_on_the_cpu(tmp_path):
    there = PuffeRL(Bandit(), "MLP", device=CUDA, **SIZES)
    run(there, 2)
    path = there.save_checkpoint(tmp_path / "it")
    here = PuffeRL(Bandit(), "MLP", **SIZES)
    here.load_checkpoint(path)
    assert same({n: w.cpu() for n, w in weights(there).items()}, weights(here))
    run(here, 1)
    there.load_checkpoint(here.save_checkpoint(tmp_path / "back"))
    run(there, 1)


def test_observations_on_the_cpu_make_no_difference():
    kept, sent = (
        PuffeRL(Bandit(), "MLP", device=CUDA, cpu_offload=offload, **SIZES) for offload in (False, True)
    )
    run(kept, 3)
    run(sent, 3)
    assert sent.rollout.observations.is_pinned()
    assert same(weights(kept), weights(sent))


@pytest.mark.parametrize(
    "options",
    [{"compile": True}, {"precision": "bfloat16"}, {"compile": True, "precision": "bfloat16"}],
    ids=str,
)
@pytest.mark.parametrize("policy", ["MLP", "LSTM"])
def test_faster_ways_learn_too(options, policy):
    trainer = PuffeRL(
        Bandit(64), policy, device=CUDA, batch_size=1024, total_timesteps=40_000, gamma=0.0, **options
    )
    records = list(trainer.steps())
    assert records[-1]["episode_return"] > 7


def test_out_of_memory_says_what_to_do():
    free, _ = torch.cuda.mem_get_info()
    env = Riddle(pixels(1000, 1000), lambda *_: None, num_envs=8)
    with pytest.raises(Exception, match=r"out of memory: the observations .* cpu_offload=True"):
        PuffeRL(env, "MLP", device=CUDA, bptt_horizon=free // 8_000_000 + 10)


SPEEDS = [
    ("ocean-breakout", "MLP", {}),
    ("ocean-breakout", "MLP", {"compile": True}),
    ("ocean-breakout", "LSTM", {}),
    ("ocean-breakout", "LSTM", {"precision": "bfloat16"}),
    ("ocean-cartpole", "MLP", {}),
]


@pytest.mark.parametrize(("env", "policy", "options"), SPEEDS, ids=str)
@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_how_fast_it_is(device, env, policy, options, result):
    """No time is asserted: the table is for people."""
    if device == "cpu" and options:
        pytest.skip("the CPU's row is the one without options")
    trained = train_for(10, device, env, policy, **options)
    told = "".join(f", {name}={value}" for name, value in options.items())
    result(f"{env}, {policy}{told}, {trained.device}", f"{trained.sps / 1e6:.3f} M steps/s")
    assert trained.last == trained.last  # episodes ended


def test_how_fast_pictures_are(result):
    for device in ("cpu", CUDA):
        env = Riddle(pixels(64, 64, 3), lambda generator, answer, row: row.fill(answer), num_envs=64)
        policy = CNN(env.observation_space, env.action_space, architecture="impala")
        with PuffeRL(env, policy, device=device, bptt_horizon=32, total_timesteps=10**9) as trainer:
            run(trainer, 2)
            rate = run(trainer, 2)["sps"]
        result(f"64 x 64 x 3 pixels, IMPALA network, {device}", f"{rate:,.0f} steps/s")
        assert rate > 0
